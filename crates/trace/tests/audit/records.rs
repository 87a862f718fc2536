//! Which decisions have records, and what stands in them.

use std::net::IpAddr;

use gatewright_trace::{Observer, RefusedRequest, audit::Admissions};

use super::*;

/// `policy:decision:reason` of each record.
fn decisions(file: &Path) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let decided = lines(file).into_iter().filter(|line| line.get("decision").is_some());
    decided
        .map(|line| format!("{}:{}:{}", text(&line["policy"]), text(&line["decision"]), text(&line["reason"])))
        .collect()
}

#[tokio::test]
async fn refusals_have_records_and_admissions_where_asked_for() {
    for (admissions, expected) in [
        (Admissions::None, vec!["door:refused:not_open"]),
        (Admissions::All, vec!["door:admitted:-", "door:refused:not_open"]),
        (Admissions::of(["door"]), vec!["door:admitted:-", "door:refused:not_open"]),
        (Admissions::of(["other"]), vec!["door:refused:not_open"]),
    ] {
        let folder = Folder::new();
        let log = quiet().file(folder.log()).expect("opens").admissions(admissions);
        let stack = stack(&log);
        assert_eq!(get(&stack, "/open").await, "200");
        assert_eq!(get(&stack, "/closed?token=hidden").await, "403");
        assert!(log.close());
        assert_eq!(decisions(&folder.log()), expected);
        let text = fs::read_to_string(folder.log()).expect("the log");
        assert!(!text.contains("hidden"), "{text}");
        assert_whole(&verify(&[&folder.log()]));
    }
}

#[tokio::test]
async fn a_record_says_who_what_and_by_which_configuration() {
    let folder = Folder::new();
    let log = quiet().file(folder.log()).expect("opens").config(b"routes: []");
    assert_eq!(get(&stack(&log), "/closed").await, "403");
    let client: IpAddr = [192, 0, 2, 1].into();
    log.request_refused(
        &RefusedRequest::new(client, StatusCode::BAD_REQUEST, "framing", "bare_lf").request_id(Some("r1")),
    );
    assert!(log.close());
    let lines = lines(&folder.log());
    let config = lines.iter().find(|line| line["event"] == "config").expect("is told");
    // By `printf 'routes: []' | sha256sum`.
    let hash = config["config"].as_str().expect("a hash");
    assert_eq!(hash, CONFIG);
    let refused: Vec<_> = lines.iter().filter(|line| line["decision"] == "refused").collect();
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0]["request_id"].as_str().map(str::len), Some(32));
    assert_eq!(refused[0]["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!(refused[0]["config"], &hash[..16]);
    assert_eq!(
        (&refused[1]["policy"], &refused[1]["reason"], &refused[1]["client"], &refused[1]["request_id"]),
        (&"framing".into(), &"bare_lf".into(), &"192.0.2.1".into(), &"r1".into())
    );
    // Each line in the order of its number, from 1.
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>());
}

const CONFIG: &str = "540791a8c8811735f56fa5dada1f0eebcd86c8d11b7db37f8fc3d6eb6cddac9a";

#[tokio::test]
async fn a_refusal_of_a_layer_that_is_no_policy_has_one_record_and_a_trial_has_one() {
    let folder = Folder::new();
    let log = quiet().file(folder.log()).expect("opens").admissions(Admissions::All);
    let router = service_fn(async |request: Request<Body>| {
        let rejection = |policy, reason| Rejection::new(StatusCode::NOT_FOUND, policy, reason);
        let (head, _) = request.into_parts();
        let record = gatewright_core::RequestRecord::of(&head.extensions).expect("the layer's");
        record.with(|known| known.would_reject = Some(rejection("limit", "over_limit")));
        Ok::<_, Infallible>(rejection("router", "no_route").answer(&head).map(Full::new))
    });
    let stack = ServiceBuilder::new().layer(TraceLayer::new().observer(log.clone())).service(router);
    let response = stack.oneshot(Request::new(Body::default())).await.expect("never fails");
    drop(response);
    assert!(log.close());
    assert_eq!(decisions(&folder.log()), ["router:refused:no_route", "limit:would_refuse:over_limit"]);
}
