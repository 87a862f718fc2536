use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use http::{HeaderValue, Request, Response, StatusCode, request, response};
use proptest::prelude::*;
use tower::ServiceBuilder;
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::{Body, Decision, Lease, PolicyLayer, PolicyVerdict, Rejection, RequestRecord};

/// What a policy of the test does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Allow,
    Refuse,
    Answer,
    AllowLater,
    RefuseLater,
}

/// Writes down what happens to it.
#[derive(Clone)]
struct Scripted {
    name: char,
    does: Does,
    events: Arc<Mutex<String>>,
}

/// What is written down when it is dropped.
struct Ends(char, Arc<Mutex<String>>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.1.lock().expect("not poisoned").extend(['~', self.0]);
    }
}

impl Scripted {
    fn write(&self, what: char) {
        self.events.lock().expect("not poisoned").extend([what, self.name]);
    }

    fn refusal(&self) -> Rejection {
        Rejection::new(StatusCode::FORBIDDEN, "scripted", "told_to")
    }
}

impl Policy for Scripted {
    type Grant = char;
    type Future = Pin<Box<dyn Future<Output = Result<char, Rejection>> + Send>>;

    fn name(&self) -> &'static str {
        "scripted"
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<char, Self::Future> {
        self.write('?');
        request.headers.append("x-asked", HeaderValue::from(self.name as u32));
        let (name, refusal) = (self.name, self.refusal());
        match self.does {
            Does::Allow => Decision::Allow(name),
            Does::Refuse => Decision::Refuse(refusal),
            Does::Answer => Decision::Answer(Response::new("answered".into())),
            Does::AllowLater => Decision::Later(Box::pin(async move {
                tokio::task::yield_now().await;
                Ok(name)
            })),
            Does::RefuseLater => Decision::Later(Box::pin(async {
                tokio::task::yield_now().await;
                Err(refusal)
            })),
        }
    }

    fn granted(&self, grant: &mut char, _: &mut request::Parts) {
        assert_eq!(*grant, self.name, "each policy gets its own grant");
        self.write('+');
    }

    fn lease(&self, _: &mut char) -> Option<Lease> {
        Some(Lease::new(Ends(self.name, Arc::clone(&self.events))))
    }

    fn respond(&self, grant: char, response: &mut response::Parts) {
        assert_eq!(grant, self.name, "each policy gets its own grant");
        self.write('-');
        response.headers.append("x-touched", HeaderValue::from(self.name as u32));
    }
}

/// What happened to a request: the events, how many leases have ended, the status, and who touched the response.
type Told = (String, usize, StatusCode, Vec<HeaderValue>);

async fn told<S, B>(mut service: S, events: &Mutex<String>) -> Told
where
    S: Service<Request<Body>, Response = Response<B>, Error = std::convert::Infallible>,
{
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("ready");
    let response = service.call(Request::new(Body::empty())).await.expect("a response");
    let touched = response.headers().get_all("x-touched").into_iter().cloned().collect();
    let status = response.status();
    drop(response);
    let events = std::mem::take(&mut *events.lock().expect("not poisoned"));
    let (ends, others): (Vec<_>, Vec<_>) = events
        .as_bytes()
        .chunks(2)
        .map(|event| (event[0] as char, event[1] as char))
        .partition(|event| event.0 == '~');
    (others.iter().flat_map(|event| [event.0, event.1]).collect(), ends.len(), status, touched)
}

/// A service that answers, and is not cloned unless somebody waits.
fn answers()
-> impl Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible, Future: Send> + Clone
{
    tower::service_fn(async |_| Ok(Response::new(Body::from("from inside"))))
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => Just(Does::Allow),
        2 => Just(Does::AllowLater),
        1 => Just(Does::Refuse),
        1 => Just(Does::RefuseLater),
        1 => Just(Does::Answer),
    ]
}

proptest! {
    #[test]
    fn a_list_does_what_one_layer_for_each_policy_does(script in prop::collection::vec(does(), 3)) {
        let events = Arc::new(Mutex::new(String::new()));
        let policies: Vec<_> = "abc"
            .chars()
            .zip(script)
            .map(|(name, does)| Scripted { name, does, events: Arc::clone(&events) })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let of_list = runtime.block_on(told(PolicyList::new(policies.clone()).layer(answers()), &events));
        let [a, b, c] = <[_; 3]>::try_from(policies).unwrap_or_else(|_| unreachable!("there are three"));
        let layers = ServiceBuilder::new()
            .layer(PolicyLayer::new(a))
            .layer(PolicyLayer::new(b))
            .layer(PolicyLayer::new(c))
            .service(answers());
        let of_layers = runtime.block_on(told(layers, &events));
        prop_assert_eq!(of_list, of_layers);
    }
}

#[tokio::test]
async fn each_decision_is_written_into_the_record_of_a_request_that_is_watched() {
    let events = Arc::new(Mutex::new(String::new()));
    let policies = [('a', Does::Allow), ('b', Does::AllowLater), ('c', Does::Refuse), ('d', Does::Allow)]
        .map(|(name, does)| Scripted { name, does, events: Arc::clone(&events) });
    let mut service = PolicyList::new(policies).layer(answers());
    for watched in [true, false] {
        let record = RequestRecord::new(None);
        if watched {
            record.watch_decisions();
        }
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(record.clone());
        let response = service.call(request).await.expect("a response");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let seen: Vec<_> = record
            .decisions()
            .into_iter()
            .map(|decision| (decision.policy.to_string(), decision.verdict, decision.waited.is_some()))
            .collect();
        let expected = [
            ("scripted".to_owned(), PolicyVerdict::Admitted, false),
            ("scripted".to_owned(), PolicyVerdict::Admitted, true),
            ("scripted".to_owned(), PolicyVerdict::Refused, false),
        ];
        assert_eq!(seen, if watched { &expected[..] } else { &[] });
    }
}

#[tokio::test]
async fn leases_end_with_the_body_or_with_the_tunnel() {
    use http_body_util::BodyExt;

    let events = Arc::new(Mutex::new(String::new()));
    let policy = |name| Scripted { name, does: Does::Allow, events: Arc::clone(&events) };
    let mut service = PolicyList::new([policy('a'), policy('b')]).layer(answers());
    let ended = || events.lock().expect("not poisoned").matches('~').count();
    let mut response = service.call(Request::new(Body::empty())).await.expect("a response");
    assert!(response.body_mut().frame().await.is_some());
    assert_eq!(ended(), 0);
    assert!(response.body_mut().frame().await.is_none());
    assert_eq!(ended(), 2);
    // The body as the router makes it.
    let response = service.call(Request::new(Body::empty())).await.expect("a response");
    let body = Body::new(response.into_body());
    assert_eq!(ended(), 2);
    drop(body);
    assert_eq!(ended(), 4);

    let (pending, on_upgrade) = crate::OnUpgrade::pending();
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(on_upgrade.clone());
    drop(service.call(request).await.expect("a response"));
    assert_eq!(ended(), 4);
    pending.fulfil(crate::Upgraded::new(tokio::io::duplex(1).0, bytes::Bytes::new()));
    let tunnel = on_upgrade.await.expect("a stream");
    assert_eq!(ended(), 4);
    drop(tunnel);
    assert_eq!(ended(), 6);
}
