//! API keys.

use std::time::Duration;

use gatewright::{
    AuthLayer,
    auth::{ApiKeys, NewApiKey},
};
use harness::{H2Client, H2Origin, Origin, RawClient, Reply, Tally, TempDir, eventually};
use http::HeaderName;

use crate::gateway::{Gateway, request};

fn key(name: &str) -> NewApiKey {
    NewApiKey::builder(name).owner("acme").scope("payments:write").generate().unwrap()
}

#[tokio::test]
async fn a_key_lets_its_holder_in_and_stays_here() {
    let key = key("acme-2027");
    let keys = ApiKeys::from_yaml(key.entry())
        .header(HeaderName::from_static("x-api-key"))
        .query("key")
        .owner_header(HeaderName::from_static("x-partner"));
    let gateway = Gateway::start(AuthLayer::new(keys.build().unwrap()).scopes(["payments:write"])).await;

    let in_header = [("X-Api-Key", key.secret()), ("X-Partner", "forged")];
    assert_eq!(gateway.get("/a?b=1", &in_header).await.status(), 200);
    let in_query = format!("/a?key={}&b=1", key.secret());
    assert_eq!(gateway.get(&in_query, &[]).await.status(), 200);
    for request in gateway.origin.take_requests() {
        assert_eq!((request.target(), request.header("x-partner")), ("/a?b=1", Some("acme")));
        let bytes = String::from_utf8_lossy(&request.head.bytes).into_owned();
        assert!(!bytes.contains("gw_") && !bytes.contains("forged"), "{bytes}");
    }
    for line in gateway.log(2).await {
        assert_eq!(line["principal"], "acme");
        assert!(!line.to_string().contains("gw_"), "{line}");
    }
}

#[tokio::test]
async fn no_trailer_tells_who_calls_instead_of_the_gateway() {
    let key = key("acme-2027");
    let header = HeaderName::from_static("x-acme-partner");
    let keys = ApiKeys::from_yaml(key.entry()).owner_header(header);
    let reserved = [HeaderName::from_static("x-acme-user")];
    let gateway = Gateway::start(AuthLayer::new(keys.build().unwrap()).reserve_headers(reserved)).await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Acme-Partner, X-Acme-User, X-Sum\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Acme-Partner: forged\r\nX-Acme-User: forged\r\nX-Sum: 1\r\n\r\n",
        key.secret()
    );
    assert_eq!(RawClient::once(gateway.address, request).await.status(), 200);
    eventually("the body has arrived", || gateway.origin.requests().iter().any(|request| request.complete))
        .await;
    let request = gateway.origin.only_request();
    assert_eq!(request.header("x-acme-partner"), Some("acme"));
    assert_eq!(request.trailers.iter().collect::<Vec<_>>(), [("x-sum", "1")]);
}

#[tokio::test]
async fn no_credential_reaches_a_service_in_trailers() {
    let key = key("acme-2027");
    let dir = TempDir::new();
    let keys = dir.write("keys.yaml", key.entry());
    let (http1, http2) = (Origin::ok().await, H2Origin::answering(|_| Reply::text("ok")).await);
    let gateway = harness::Gateway::builder(&format!(
        "auth:
  partner: {{api_key: {{header: [x-api-key, x-partner-key], keys_file: \"{}\", id_header: x-partner}}}}
  app: {{jwt: {{issuer: \"https://id.example/\", audiences: [api], secret: \"${{env:SECRET}}\", header: x-token, cookie: session}}}}
defaults: {{auth: {{any: [partner, app]}}}}
routes:
- {{path_prefix: /1, upstream: {{target: \"{}\", protocol: http1}}}}
- {{path_prefix: /2, upstream: {{target: \"{}\", protocol: http2}}}}
",
        keys.display(),
        http1.address(),
        http2.address()
    ))
    .env("SECRET", "0123456789abcdef0123456789abcdef")
    .start();
    // Whatever an authenticator of the route would take out of a head, and what no trailer ever is.
    let credentials = [
        "x-api-key",
        "x-partner-key",
        "x-token",
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-partner",
        "x-user-id",
    ];
    let mut tally = Tally::new();
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    for name in credentials
        .into_iter()
        .flat_map(|name| [name.to_owned(), name.replace('-', "_"), name.replace('-', ".")])
    {
        for path in ["/1", "/2"] {
            let request = format!(
                "POST {path}/h1/{name} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {secret}\r\nTransfer-Encoding: chunked\r\n\
                 Trailer: {name}, X-Sum\r\n\r\n3\r\nabc\r\n0\r\n{name}: {secret}\r\nX-Sum: 1\r\n\r\n",
                secret = key.secret(),
            );
            let over_http1 = RawClient::once(gateway.address(), request).await.status();

            let mut trailers = http::HeaderMap::new();
            trailers.insert(name.parse::<HeaderName>().unwrap(), key.secret().parse().unwrap());
            trailers.insert("x-sum", "1".parse().unwrap());
            let request =
                http::Request::post(format!("http://x{path}/h2/{name}")).header("x-api-key", key.secret());
            let sent = over_http2.exchange_with_trailers(request.body("abc").unwrap(), Some(trailers)).await;
            let over_http2 = sent.map_or(400, |response| response.status());

            for (status, version) in [(over_http1, "h1"), (over_http2, "h2")] {
                let target = format!("{path}/{version}/{name}");
                let seen = if path == "/1" { http1.requests() } else { http2.requests() };
                // A name of other characters may be refused half-way.
                let whole = seen.iter().find(|request| request.target() == target && request.complete);
                let arrived = match whole {
                    Some(request) => status == 200 && request.trailers.iter().eq([("x-sum", "1")]),
                    None => status == 400 && name.contains(['_', '.']),
                };
                let silent = seen.iter().all(|request| {
                    let fields = request.head.fields.iter().chain(request.trailers.iter());
                    fields.into_iter().all(|(_, value)| !value.contains("gw_"))
                });
                tally.check(target, arrived && silent, (status, seen));
            }
        }
    }
    tally.finish(90);
}

#[tokio::test]
async fn without_a_good_key_no_service_is_touched_and_the_log_says_why() {
    let good = key("good");
    let off = NewApiKey::builder("off").disabled().generate().unwrap();
    let past = NewApiKey::builder("past").expires("2020-01-01").generate().unwrap();
    let poor = NewApiKey::builder("poor").generate().unwrap();
    let text: String = [&good, &off, &past, &poor].map(NewApiKey::entry).concat();
    let keys = ApiKeys::from_yaml(text).build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(keys).scopes(["payments:write"])).await;
    let mut count = 0;
    for (fields, status, reason) in [
        (&[][..], 401, "no_credential"),
        (&[("x-api-key", "gw_0000000000000000000000000000000000000000000")], 401, "unknown_key"),
        (&[("x-api-key", "")], 401, "malformed_key"),
        (&[("x-api-key", off.secret())], 401, "key_disabled"),
        (&[("x-api-key", past.secret())], 401, "key_expired"),
        (&[("x-api-key", good.secret()), ("x-api-key", good.secret())], 401, "several_keys"),
        (&[("x-api-key", poor.secret())], 403, "insufficient_scope"),
    ] {
        let response = gateway.get("/", fields).await;
        assert!(response.is_problem(status), "{reason}: {response:?}");
        assert!(!response.text().contains(reason), "the client is not told");
        let challenge = response.header("www-authenticate");
        assert_eq!(challenge, Some(r#"ApiKey in="header", name="x-api-key""#), "{reason}");
        count += 1;
        gateway.assert_refused(count, reason).await;
    }
    let last = gateway.log(count).await.pop().expect("a line");
    assert_eq!((&last["principal"], &last["credential"]), (&"poor".into(), &"poor".into()));
    assert_eq!(gateway.origin.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keys_file_is_replaced_under_load_without_a_refused_request() {
    let (stays, comes) = (key("stays"), key("comes"));
    let dir = TempDir::new();
    let file = dir.write("keys.yaml", stays.entry());
    let keys = ApiKeys::from_file(&file).build().unwrap();
    let gateway = std::sync::Arc::new(Gateway::start(AuthLayer::new(keys)).await);

    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (address, stop) = (gateway.address, std::sync::Arc::clone(&stop));
            let request = request("/", &[("x-api-key", stays.secret())]);
            tokio::spawn(async move {
                let mut client = RawClient::connect(address).await;
                let mut answers = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(client.exchange(&request).await.status(), 200);
                    answers += 1;
                }
                answers
            })
        })
        .collect();

    let asks = |key: &NewApiKey| {
        let request = request("/", &[("x-api-key", key.secret())]);
        let address = gateway.address;
        async move { RawClient::once(address, request).await.status() }
    };
    assert_eq!(asks(&comes).await, 401);
    dir.write("keys.yaml", "- name: broken\n");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(asks(&stays).await, 200, "a broken file changes nothing");
    dir.write("keys.yaml", format!("{}{}", comes.entry(), stays.entry()));
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(0));
    for _ in 0..600 {
        taken.store(asks(&comes).await, std::sync::atomic::Ordering::Relaxed);
        if taken.load(std::sync::atomic::Ordering::Relaxed) == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(taken.load(std::sync::atomic::Ordering::Relaxed), 200, "the new key is taken");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    eventually("all are answered", || gateway.origin.requests().len() > 4).await;
}
