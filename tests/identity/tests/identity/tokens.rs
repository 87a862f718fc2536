//! Tokens by makers of another make, against keys that are found by discovery.

use gatewright::{
    AuthLayer,
    auth::{Jwks, Jwt},
};
use harness::{Ca, IdentityProvider};
use http::HeaderName;

use crate::{
    gateway::Gateway,
    makers::{Made, Maker},
};

async fn set_up(maker: Maker) -> (IdentityProvider, Made, Gateway) {
    let ca = Ca::new();
    let provider = IdentityProvider::start(&ca).await;
    let made = maker.make(&provider.issuer()).await;
    provider.publish(made.keys());
    let keys = Jwks::discover(&provider.issuer()).ca(std::fs::read(ca.pem()).unwrap()).build().unwrap();
    let jwt = Jwt::new(keys)
        .issuer(provider.issuer())
        .audience("api")
        .or(Jwt::new(made.secrets()).issuer("https://secrets.example/").audience("api"))
        .claim_header(HeaderName::from_static("x-user-id"), "sub")
        .claim_header(HeaderName::from_static("x-name"), "name");
    let gateway = Gateway::start(AuthLayer::new(jwt).scopes(["orders:read"])).await;
    (provider, made, gateway)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn tokens_of(maker: Maker, at_least: usize) {
    let (provider, made, gateway) = set_up(maker).await;
    let mut count = 0;
    let good = made.good();
    assert_eq!(good.len(), 13);
    // Each is verified, then remembered.
    for (algorithm, token) in good.iter().chain(&good) {
        let response = gateway.get("/a", &[("Authorization", &bearer(token)), ("X-User-Id", "forged")]).await;
        assert_eq!(response.status(), 200, "{algorithm}: {:?}", gateway.log(count + 1).await.last());
        count += 1;
    }
    for request in gateway.origin.take_requests() {
        assert_eq!((request.header("x-user-id"), request.header("authorization")), (Some("u1"), None));
    }

    let forged = made.forged();
    assert!(forged.len() >= at_least, "{}", forged.len());
    let mut wrong = Vec::new();
    for (name, reason, token) in forged {
        let response = gateway.get("/a", &[("Authorization", &bearer(token))]).await;
        count += 1;
        assert!(response.is_problem(401), "{name}");
        assert_eq!(response.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#), "{name}");
        assert!(!response.text().contains("jwt"), "{name}: {}", response.text());
        let log = gateway.log(count).await;
        let line = &log[count - 1];
        if line["rejection"] != format!("auth:{reason}") {
            wrong.push(format!("{name}: {} instead of {reason}", line["rejection"]));
        }
        assert!(line.get("principal").is_none() && !line.to_string().contains(token), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(gateway.origin.requests().is_empty(), "no refusal touches the service");
    // The keys were fetched for the first token, and once more for all those of unknown keys.
    assert_eq!(provider.discoveries(), 1);
    assert!(provider.fetches() <= 2, "{}", provider.fetches());
}

#[tokio::test]
async fn tokens_by_pyjwt_are_let_in_or_refused_as_they_should_be() {
    tokens_of(Maker::PyJwt, 45).await;
}

#[tokio::test]
async fn tokens_by_jose_are_let_in_or_refused_as_they_should_be() {
    tokens_of(Maker::Jose, 11).await;
}

#[tokio::test]
async fn a_token_in_the_query_is_neither_logged_nor_told_to_the_service_be_it_good_or_not() {
    let ca = Ca::new();
    let provider = IdentityProvider::start(&ca).await;
    let made = Maker::Jose.make(&provider.issuer()).await;
    provider.publish(made.keys());
    let keys = Jwks::remote(&provider.jwks_url()).ca(std::fs::read(ca.pem()).unwrap()).build().unwrap();
    let jwt = Jwt::new(keys).issuer(provider.issuer()).audience("api");
    let gateway = Gateway::start(AuthLayer::new(jwt.from_query("access_token").from_cookie("session"))).await;
    let good = made.token("ES256");
    let mut bad = good.to_owned();
    let at = good.len() - 60;
    bad.replace_range(at..=at, if good[at..].starts_with('A') { "B" } else { "A" });
    let bad_header = bearer(&bad);
    let (cookie, bad_cookie) = (format!("a=b; session={good}"), format!("session={bad}; a=b"));
    let (query, bad_query) = (format!("/a?x=1&access_token={good}"), format!("/a?access_token={bad}&x=1"));
    for (target, fields, status) in [
        (&*query, &[][..], 200),
        (&*bad_query, &[], 401),
        ("/a?x=1", &[("Cookie", &*cookie)], 200),
        ("/a?x=1", &[("Cookie", &*bad_cookie)], 401),
        ("/a?x=1", &[("Authorization", &*bad_header)], 401),
        // In two places, however equal.
        (&*query, &[("Cookie", &*cookie)], 401),
    ] {
        assert_eq!(gateway.get(target, fields).await.status(), status, "{target} {fields:?}");
    }
    for line in gateway.log(6).await {
        let line = line.to_string();
        assert!(!line.contains(&good[..40]) && !line.contains(&bad[bad.len() - 40..]), "{line}");
    }
    let requests = gateway.origin.take_requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let bytes = String::from_utf8_lossy(&request.head.bytes).into_owned();
        assert!(request.target() == "/a?x=1" && !bytes.contains(&good[..40]), "{bytes}");
    }
}
