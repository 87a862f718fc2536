//! What the failures of a service leave in the log: a warning for each kind, and not one for each request.

use std::time::Duration;

use harness::{Gateway, Origin, RawClient, Reply, Step, eventually};

/// What a broken origin does, the status that its client gets, and what the warning says.
struct Fault {
    script: Vec<Step>,
    status: u16,
    warning: &'static str,
}

fn faults() -> Vec<Fault> {
    let fault = |script, status, warning| Fault { script, status, warning };
    let head = || Step::Head;
    vec![
        fault(vec![head(), Step::Reset], 502, "closed the connection early: Connection reset"),
        fault(vec![head()], 502, "closed the connection early: the connection was closed before"),
        fault(vec![head(), Step::Send("banana\r\n\r\n".into())], 502, "not valid HTTP"),
        fault(vec![head(), Step::Hang], 504, "response took too long"),
        fault(
            vec![head(), Step::Send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".into()), Step::Hang],
            200,
            "sent nothing for too long",
        ),
    ]
}

fn warnings(gateway: &Gateway) -> Vec<String> {
    let text = gateway.stderr();
    text.lines().filter(|line| line.contains("WARN") && line.contains("endpoint")).map(str::to_owned).collect()
}

async fn ask(gateway: &Gateway) -> u16 {
    RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status()
}

#[tokio::test]
async fn each_kind_of_fault_is_warned_of_and_none_for_each_request() {
    let origin = Origin::ok().await;
    let address = origin.address();
    origin.stop().await;
    let gateway = Gateway::builder(&format!(
        "defaults: {{timeout: 500ms, idle_timeout: 500ms}}\nroutes:\n- path_prefix: /\n  upstream: {address}\n"
    ))
    .start();
    for _ in 0..10 {
        assert_eq!(ask(&gateway).await, 502);
    }
    eventually("a warning", || !warnings(&gateway).is_empty()).await;
    let refused = warnings(&gateway);
    assert!(refused.len() == 1 && refused[0].contains("no connection"), "{refused:#?}");
    for (count, Fault { script, status, warning }) in faults().into_iter().enumerate() {
        let origin = Origin::start_at(address, move |_| script.clone()).await;
        for _ in 0..3 {
            assert_eq!(ask(&gateway).await, status, "{warning}");
        }
        eventually(warning, || warnings(&gateway).iter().any(|line| line.contains(warning))).await;
        origin.stop().await;
        let all = warnings(&gateway);
        let failures = all.iter().filter(|line| !line.contains("answers again")).count();
        assert_eq!(failures, count + 2, "{warning}: {all:#?}");
    }
    let back = Origin::start_at(address, Origin::decent(|_| Reply::text("ok"))).await;
    for _ in 0..3 {
        assert_eq!(ask(&gateway).await, 200);
    }
    drop(back);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let all = warnings(&gateway);
    let again = all.iter().filter(|line| line.contains("answers again")).count();
    // A body that stops comes after a head that was well.
    assert!((1..=2).contains(&again), "{all:#?}");
}

#[tokio::test]
async fn a_fault_of_tls_and_of_another_endpoint_is_a_warning_of_its_own() {
    let plain = |_| vec![Step::Send("HTTP/1.1 400 Bad Request\r\n\r\n".into())];
    let (one, other) = (Origin::start(plain).await, Origin::start(plain).await);
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{targets: [\"{}\", \"{}\"], tls: on}}\n",
        one.address(),
        other.address()
    ));
    for _ in 0..6 {
        assert_eq!(ask(&gateway).await, 502);
    }
    eventually("two warnings", || warnings(&gateway).len() >= 2).await;
    let all = warnings(&gateway);
    for address in [one.address(), other.address()] {
        let own = all.iter().filter(|line| line.contains(&address.to_string()) && line.contains("TLS")).count();
        assert_eq!(own, 1, "{all:#?}");
    }
}

/// What an endpoint answers that speaks another protocol than it is asked in, and what the warning says.
#[tokio::test]
async fn an_endpoint_that_speaks_another_protocol_is_told_by_it() {
    const SETTINGS: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    const ALERT: &[u8] = b"\x15\x03\x01\0\x02\x02\x46";
    const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    for (protocol, answer, warning) in [
        ("auto", SETTINGS, "speaks HTTP/2 and not HTTP/1 (protocol: http2)"),
        ("auto", ALERT, "speaks TLS (tls: on)"),
        ("http2", BAD_REQUEST, "speaks HTTP/1 and not HTTP/2 (protocol: http2)"),
        ("http2", b"H", "speaks HTTP/1 and not HTTP/2 (protocol: http2)"),
        ("http2", ALERT, "speaks TLS (tls: on)"),
        ("http2", b"220 smtp ready\r\n", "does not speak HTTP/2 (protocol: http2)"),
    ] {
        let origin = Origin::start(move |_| match protocol {
            "auto" => vec![Step::Head, Step::Send(answer.into()), Step::Hang],
            _ => vec![Step::Send(answer.into()), Step::Pause(Duration::from_millis(300))],
        });
        let origin = origin.await;
        let gateway = Gateway::builder(&format!(
            "upstreams: {{a: {{target: \"{}\", protocol: {protocol}}}}}\nroutes:\n- {{path_prefix: /, upstream: a}}\n",
            origin.address()
        ))
        .start();
        assert_eq!(ask(&gateway).await, 502, "{warning}");
        eventually(warning, || warnings(&gateway).iter().any(|line| line.contains(warning))).await;
        assert!(origin.accepted() <= 2, "{warning}: {} connections for one request", origin.accepted());
    }
}
