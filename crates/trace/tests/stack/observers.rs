//! Several observers of one stack.

use gatewright_core::{PolicyLayer, PolicyVerdict, policy_fn};
use gatewright_trace::{EndedRequest, Ending, Observer};

use super::*;

/// Writes down what it sees.
#[derive(Clone, Default)]
struct Seen {
    watches: bool,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Observer for Seen {
    fn watches_decisions(&self) -> bool {
        self.watches
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        let decisions: Vec<_> = request
            .decisions()
            .iter()
            .map(|decision| format!("{}:{:?}", decision.policy, decision.verdict))
            .collect();
        let legs: Vec<_> = request.legs().iter().map(|(part, _)| part.to_string()).collect();
        let seen = format!(
            "{} {:?} {:?} {decisions:?} {legs:?} {}",
            request.path(),
            request.status().map(|status| status.as_u16()),
            request.ending(),
            request.span().is_some_and(|span| span.trace_id() != 0 && span.span_id() != 0),
        );
        self.requests.lock().unwrap().push(seen);
    }
}

/// Requests to `/legs` are composed of two others.
async fn composes(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    if request.uri().path() == "/legs" {
        let record = RequestRecord::of(request.extensions()).unwrap();
        for part in ["orders", "prices"] {
            let leg = record.begin_leg(Label::new(LabelKind::Part, part));
            leg.with(|known| known.error = Some(ErrorKind::Connect));
        }
    }
    Ok(Response::new(Body::from("whole")))
}

#[tokio::test]
async fn each_observer_sees_every_request_and_decisions_when_one_of_them_asks() {
    let closed = || {
        policy_fn("closed", |request: &mut http::request::Parts| match request.uri.path() {
            "/closed" => Err(Rejection::new(StatusCode::FORBIDDEN, "closed", "not_open")),
            _ => Ok(()),
        })
    };
    for watches in [true, false] {
        let (log, first) = (Log::start(), Seen::default());
        let second = Seen { watches, ..Seen::default() };
        let layer = log.layer().observer(first.clone()).observer(second.clone());
        let inner = PolicyLayer::new(closed()).layer(service_fn(composes));
        let service = layer.layer(PolicyLayer::new(policy_fn("open", |_: &mut _| Ok(()))).layer(inner));
        for path in ["/open", "/closed", "/legs"] {
            let response = service.clone().oneshot(request(path)).await.unwrap();
            drop(response.into_body().collect().await.unwrap());
        }
        let decisions = |of_closed: PolicyVerdict| match watches {
            true => format!("[\"open:{:?}\", \"closed:{of_closed:?}\"]", PolicyVerdict::Admitted),
            false => "[]".to_owned(),
        };
        let (admitted, refused) = (decisions(PolicyVerdict::Admitted), decisions(PolicyVerdict::Refused));
        let complete = Ending::Complete;
        let expected = [
            format!("/open Some(200) {complete:?} {admitted} [] true"),
            format!("/closed Some(403) {complete:?} {refused} [] true"),
            format!("/legs Some(200) {complete:?} {admitted} [\"orders\", \"prices\"] true"),
        ];
        assert_eq!(*first.requests.lock().unwrap(), expected);
        assert_eq!(*second.requests.lock().unwrap(), expected);
        assert_eq!(log.text().lines().count(), 3);
    }
}
