//! Passwords.

use std::time::Duration;

use gatewright::{AuthLayer, auth::Basic};
use harness::{RawClient, within};
use http::HeaderName;

use crate::gateway::{Gateway, request};

/// `battery staple`, by another program.
const BCRYPT: &str = "$2b$04$4rjFuFy00FgPSN5B2QMc/eU1OU9iY2duke41/gQtUtuJ4YSSc1A2a";

/// Argon2id of 16 MiB, slow enough to have logins wait.
const SLOW: &str =
    "$argon2id$v=19$m=16384,t=2,p=1$EPVbPa4gg7yIqDpOwvDqdQ$2iMxt8u5xUUXjF4OQSRuJNBXAejYMVYXmaHW9TH+lPQ";

/// `anna:battery staple` and `slow:wrong`.
const ANNA: &str = "Basic YW5uYTpiYXR0ZXJ5IHN0YXBsZQ==";
const WRONG: &str = "Basic c2xvdzp3cm9uZw==";

#[tokio::test]
async fn a_password_lets_its_user_in_and_stays_here() {
    let basic = Basic::from_htpasswd(format!("anna:{BCRYPT}")).user_header(HeaderName::from_static("x-staff"));
    let gateway = Gateway::start(AuthLayer::new(basic.build().unwrap())).await;
    for _ in 0..2 {
        assert_eq!(gateway.get("/", &[("Authorization", ANNA)]).await.status(), 200);
    }
    for request in gateway.origin.requests() {
        assert_eq!((request.header("x-staff"), request.header("authorization")), (Some("anna"), None));
    }
    for line in gateway.log(2).await {
        assert_eq!(line["principal"], "anna");
        assert!(!line.to_string().contains("YW5uYT"), "{line}");
    }
}

#[tokio::test]
async fn without_a_right_password_no_service_is_touched_and_the_log_says_why() {
    let basic = Basic::from_htpasswd(format!("anna:{BCRYPT}")).realm("back office").build().unwrap();
    let gateway = Gateway::start(AuthLayer::new(basic)).await;
    let mut count = 0;
    for (authorization, reason) in [
        ("Bearer abc", "no_credential"),
        ("Basic !", "malformed_credentials"),
        ("Basic YW5uYTp3cm9uZw==", "wrong_password"),
        ("Basic Ym9iOmJhdHRlcnkgc3RhcGxl", "unknown_user"),
    ] {
        let response = gateway.get("/", &[("Authorization", authorization)]).await;
        assert!(response.is_problem(401), "{reason}: {response:?}");
        let challenge = response.header("www-authenticate");
        assert_eq!(challenge, Some(r#"Basic realm="back office", charset="UTF-8""#));
        count += 1;
        gateway.assert_refused(count, reason).await;
    }
    assert_eq!(gateway.origin.accepted(), 0);
}

#[tokio::test]
async fn a_flood_of_logins_is_answered_503_and_holds_up_nobody_who_is_known() {
    let basic = Basic::from_htpasswd(format!("anna:{BCRYPT}\nslow:{SLOW}\n")).threads(1, 4);
    let gateway = Gateway::start(AuthLayer::new(basic.build().unwrap())).await;
    let mut anna = RawClient::connect(gateway.address).await;
    let known = request("/", &[("Authorization", ANNA)]);
    assert_eq!(anna.exchange(&known).await.status(), 200);

    let wrong = request("/", &[("Authorization", WRONG)]);
    let mut flood = Vec::new();
    for _ in 0..60 {
        let mut client = RawClient::connect(gateway.address).await;
        client.send(&wrong).await;
        flood.push(client);
    }
    // Meanwhile, whoever is known is served by the one thread that the runtime has.
    for _ in 0..20 {
        assert_eq!(within("a known user", anna.exchange(&known)).await.status(), 200);
    }
    let mut statuses = Vec::new();
    for client in &mut flood {
        statuses.push(client.response().await.unwrap().status());
    }
    let of = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(of(401) + of(503), 60, "{statuses:?}");
    assert!(of(401) >= 5 && of(503) > 0, "{statuses:?}");
    // And when it is over, logins go on.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(gateway.get("/", &[("Authorization", WRONG)]).await.status(), 401);
}
