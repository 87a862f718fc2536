use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, Request, header::AUTHORIZATION, request::Parts};

use super::*;
use crate::{Attempt, Authenticate, Cause, Outcome};

/// `battery staple`, by Python's bcrypt.
const BCRYPT: &str = "$2b$04$4rjFuFy00FgPSN5B2QMc/eU1OU9iY2duke41/gQtUtuJ4YSSc1A2a";

/// Argon2id of 64 MiB and four passes: it takes long enough to have others wait.
const SLOW: &str =
    "$argon2id$v=19$m=65536,t=4,p=1$EPVbPa4gg7yIqDpOwvDqdQ$2iMxt8u5xUUXjF4OQSRuJNBXAejYMVYXmaHW9TH+lPQ";

fn request(user: &str, password: &str) -> Parts {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let request = Request::get("/").header(AUTHORIZATION, format!("Basic {credentials}"));
    request.body(()).expect("valid").into_parts().0
}

/// The principal's id or the reason of the refusal, and whether it was there at once.
async fn ask(basic: &Basic, request: &Parts) -> (Result<String, String>, bool) {
    let (outcome, at_once) = match basic.authenticate(request) {
        Attempt::Now(outcome) => (outcome, true),
        Attempt::Later(future) => (future.await, false),
    };
    let answer = match outcome {
        Outcome::Authenticated(identity) => Ok(identity.principal().id().to_owned()),
        Outcome::Refused(refusal) => Err(refusal.reason().to_owned()),
        Outcome::NoCredential => Err("nothing".to_owned()),
        Outcome::Anonymous => panic!("nobody is anonymous"),
    };
    (answer, at_once)
}

#[tokio::test]
async fn a_right_password_says_who_calls_and_is_remembered() {
    let text = format!("anna:{BCRYPT}\nbob:{BCRYPT}\n");
    let basic = Basic::from_htpasswd(&*text).scopes(["staff"]).user_header(HeaderName::from_static("x-staff"));
    let basic = basic.build().expect("is right");
    let anna = request("anna", "battery staple");
    let Attempt::Later(future) = basic.authenticate(&anna) else { panic!("it is not known yet") };
    let Outcome::Authenticated(identity) = future.await else { panic!("the password is right") };
    assert_eq!((identity.principal().id(), identity.principal().method()), ("anna", "basic"));
    assert!(identity.principal().has_scope("staff"));
    assert_eq!(
        identity.header_fields(),
        [(HeaderName::from_static("x-staff"), HeaderValue::from_static("anna"))]
    );
    assert_eq!(ask(&basic, &anna).await, (Ok("anna".to_owned()), true));
    // What is known of one is not known of another, nor of another password.
    assert_eq!(ask(&basic, &request("bob", "battery staple")).await, (Ok("bob".to_owned()), false));
    for _ in 0..2 {
        let wrong = ask(&basic, &request("anna", "battery stable")).await;
        assert_eq!(wrong, (Err("wrong_password".to_owned()), false), "and it is worked through each time");
    }
    assert_eq!(ask(&basic, &request("carl", "battery staple")).await, (Err("unknown_user".to_owned()), false));
}

#[tokio::test]
async fn what_is_remembered_ends_with_its_time() {
    let basic =
        Basic::from_htpasswd(format!("anna:{BCRYPT}")).remember_for(Duration::ZERO).build().expect("is right");
    let anna = request("anna", "battery staple");
    for _ in 0..2 {
        assert_eq!(ask(&basic, &anna).await, (Ok("anna".to_owned()), false));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_flood_of_logins_is_refused_beyond_the_queue_and_holds_nothing_up() {
    let basic =
        Basic::from_htpasswd(format!("slow:{SLOW}\nanna:{BCRYPT}\n")).threads(1, 4).build().expect("is right");
    let anna = request("anna", "battery staple");
    assert!(ask(&basic, &anna).await.0.is_ok());
    let mut later = Vec::new();
    let mut refused = 0;
    let start = Instant::now();
    for number in 0..1000 {
        match basic.authenticate(&request("slow", &number.to_string())) {
            Attempt::Later(future) => later.push(future),
            Attempt::Now(Outcome::Refused(refusal)) => {
                assert_eq!(refusal.reason(), "too_many_logins");
                refused += 1;
            }
            Attempt::Now(other) => panic!("{other:?}"),
        }
    }
    let asked = start.elapsed();
    // The one that is worked on, and those that wait; perhaps one more when one has ended meanwhile.
    assert!((5..20).contains(&later.len()) && refused == 1000 - later.len(), "{refused} of 1000 in {asked:?}");
    // Whoever is known goes on meanwhile.
    assert_eq!(ask(&basic, &anna).await, (Ok("anna".to_owned()), true));
    // Clients that go away make room, and their passwords are not worked through.
    drop(later);
    assert_eq!(ask(&basic, &request("anna", "wrong")).await.0, Err("wrong_password".to_owned()));
}

#[tokio::test]
async fn many_that_send_the_same_at_once_cost_one_verification() {
    let basic = Basic::from_htpasswd(format!("anna:{BCRYPT}")).threads(1, 100).build().expect("is right");
    let anna = request("anna", "battery staple");
    let futures: Vec<_> = (0..100)
        .filter_map(|_| match basic.authenticate(&anna) {
            Attempt::Later(future) => Some(future),
            Attempt::Now(Outcome::Authenticated(_)) => None,
            Attempt::Now(other) => panic!("{other:?}"),
        })
        .collect();
    for future in futures {
        assert!(matches!(future.await, Outcome::Authenticated(_)));
    }
}

#[tokio::test]
async fn a_password_that_was_changed_in_the_file_is_forgotten() {
    let path = std::env::temp_dir().join(format!("gatewright-htpasswd-{}", std::process::id()));
    std::fs::write(&path, format!("anna:{BCRYPT}\nbob:{BCRYPT}\n")).expect("writes");
    let basic = Basic::from_file(&path).build().expect("is right");
    let (anna, bob) = (request("anna", "battery staple"), request("bob", "battery staple"));
    for user in [&anna, &bob] {
        assert!(ask(&basic, user).await.0.is_ok());
        assert!(ask(&basic, user).await.1, "remembered");
    }
    // Another hash for anna; bob's stays.
    let argon2id =
        "$argon2id$v=19$m=64,t=1,p=1$EPVbPa4gg7yIqDpOwvDqdQ$2iMxt8u5xUUXjF4OQSRuJNBXAejYMVYXmaHW9TH+lPQ";
    std::fs::write(&path, format!("anna:{argon2id}\nbob:{BCRYPT}\n")).expect("writes");
    let start = Instant::now();
    while ask(&basic, &anna).await.0.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(30), "the file is read again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&basic, &anna).await.0, Err("wrong_password".to_owned()));
    assert_eq!(ask(&basic, &request("anna", "correct horse")).await.0, Ok("anna".to_owned()));
    assert_eq!(ask(&basic, &bob).await, (Ok("bob".to_owned()), true));
    std::fs::remove_file(&path).expect("removes");
}

#[tokio::test]
async fn what_is_no_credential_is_told_from_what_is_a_bad_one() {
    let basic =
        Basic::from_htpasswd(format!("anna:{BCRYPT}")).realm("back \"office\"").build().expect("is right");
    for (values, expected) in [
        (&[][..], "nothing"),
        (&["Bearer abc"], "nothing"),
        (&["Basic !"], "malformed_credentials"),
        (&["Basic YTph", "Basic YTph"], "several_credentials"),
    ] {
        let mut request = Request::new(()).into_parts().0;
        for value in values {
            request.headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(ask(&basic, &request).await, (Err(expected.to_owned()), true), "{values:?}");
    }
    let challenges: Vec<_> = basic.challenges(Cause::NoCredential).iter().map(ToString::to_string).collect();
    assert_eq!(challenges, [r#"Basic realm="back \"office\"", charset="UTF-8""#]);
    for (basic, expected) in [
        (Basic::from_htpasswd("anna:x"), "the users cannot be used"),
        (
            Basic::from_htpasswd(format!("anna:{BCRYPT}")).realm("é"),
            "the realm of passwords must be a text of visible ASCII characters",
        ),
        (Basic::from_file("/nonexistent/users"), "cannot read /nonexistent/users: entity not found"),
    ] {
        assert_eq!(basic.build().expect_err(expected).to_string(), expected);
    }
}

#[tokio::test]
async fn users_of_a_text_have_no_file_whose_status_could_be_told() {
    let basic = Basic::from_htpasswd(format!("anna:{BCRYPT}\nbob:{BCRYPT}\n")).build().expect("is right");
    assert!(basic.status().is_none());
    let said = format!("{basic:?}");
    assert!(said.contains("2 users") && !said.contains("$2b$"), "{said}");
}
