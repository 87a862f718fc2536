//! Any, all and none of several authenticators.

use std::{future::Future, pin::Pin, time::Duration};

use gatewright_auth::{
    All, Anonymous, Any, Attempt, AuthLayer, Authenticate, Authenticator, Cause, Challenge, Identity, Outcome,
    Refusal,
};
use gatewright_core::Principal;
use http::{HeaderName, HeaderValue, Request, request::Parts};
use serde_json::json;

use crate::asking::ask;

/// Reads `x-NAME`: `ok`, `bad`, `away`; after a while when it has a `later-` before it.
#[derive(Clone, Copy)]
struct Says(&'static str);

impl Says {
    fn outcome(self, value: &str) -> Outcome {
        match value {
            "ok" => {
                let claims = json!({"from": self.0, self.0: true});
                let principal = Principal::builder(self.0, self.0).scopes([self.0]);
                let principal = principal.claims(claims.as_object().unwrap().clone()).build();
                let told = (HeaderName::from_static("x-told"), HeaderValue::from_static(self.0));
                Identity::new(principal).headers([told]).into()
            }
            "away" => Refusal::unavailable(format!("{}_away", self.0)).into(),
            "forbidden" => Refusal::forbidden(format!("{}_forbidden", self.0)).into(),
            _ => Refusal::invalid(format!("{}_bad", self.0)).into(),
        }
    }
}

impl Authenticate for Says {
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn name(&self) -> &'static str {
        self.0
    }

    fn authenticate(&self, request: &Parts) -> Attempt<Self::Future> {
        let Some(value) = request.headers.get(format!("x-{}", self.0)) else {
            return Outcome::NoCredential.into();
        };
        let (says, value) = (*self, value.to_str().unwrap().to_owned());
        match value.strip_prefix("later-") {
            None => says.outcome(&value).into(),
            Some(value) => {
                let value = value.to_owned();
                Attempt::Later(Box::pin(async move {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    says.outcome(&value)
                }))
            }
        }
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        let challenge = Challenge::new("Says").parameter("realm", self.0);
        match cause {
            Cause::Refused => vec![challenge.parameter("error", "bad")],
            _ => vec![challenge],
        }
    }

    fn remove_credentials(&self, request: &mut Parts) {
        request.headers.remove(format!("x-{}", self.0));
    }
}

const A: Says = Says("a");
const B: Says = Says("b");

/// `a=ok b=later-bad`, say; and who calls, or the status and the reason.
async fn asked<T: Authenticate>(authenticator: T, shown: &str) -> String {
    let mut request = Request::new(());
    for pair in shown.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap();
        request
            .headers_mut()
            .append(HeaderName::try_from(format!("x-{name}")).unwrap(), value.parse().unwrap());
    }
    let asked = ask(&AuthLayer::new(authenticator), request).await;
    if let Some(upstream) = &asked.upstream {
        // Whoever was believed, no credential of any goes on.
        assert!(!upstream.headers.contains_key("x-a") && !upstream.headers.contains_key("x-b"));
    }
    match asked.principal {
        Some(principal) => principal.id().to_owned(),
        None if asked.status == 200 => "nobody".to_owned(),
        None => format!("{} {}", asked.status, asked.rejection.unwrap()),
    }
}

#[tokio::test]
async fn any_lets_the_first_in_order_in_that_can_say_who_calls() {
    for (shown, expected) in [
        ("a=ok", "a"),
        ("b=ok", "b"),
        ("a=ok b=ok", "a"),
        ("a=later-ok b=ok", "a"),
        ("a=ok b=later-ok", "a"),
        ("a=later-ok b=later-ok", "a"),
        ("a=bad b=ok", "b"),
        ("a=later-bad b=ok", "b"),
        ("a=bad b=later-ok", "b"),
        ("a=away b=ok", "b"),
        ("a=later-away b=later-ok", "b"),
        ("", "401 no_credential"),
        ("a=bad", "401 a_bad"),
        ("b=later-bad", "401 b_bad"),
        ("a=bad b=bad", "401 a_bad"),
        ("a=bad b=away", "503 b_away"),
        ("a=later-away b=bad", "503 a_away"),
        ("a=forbidden b=bad", "401 b_bad"),
        ("a=forbidden", "403 a_forbidden"),
    ] {
        assert_eq!(asked(Any::of(A).or(B), shown).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn all_have_to_say_who_calls() {
    for (shown, expected) in [
        ("a=ok b=ok", "a"),
        ("a=later-ok b=ok", "a"),
        ("a=ok b=later-ok", "a"),
        ("a=later-ok b=later-ok", "a"),
        ("a=ok", "401 no_credential"),
        ("b=later-ok", "401 no_credential"),
        ("", "401 no_credential"),
        ("a=ok b=bad", "401 b_bad"),
        ("a=later-bad b=ok", "401 a_bad"),
        ("a=ok b=later-away", "503 b_away"),
    ] {
        assert_eq!(asked(All::of(A).and(B), shown).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn who_calls_by_all_holds_what_each_has() {
    let request = Request::get("/").header("x-a", "ok").header("x-b", "later-ok").header("x-told", "forged");
    let asked = ask(&AuthLayer::new(All::of(A).and(B)).scopes(["a", "b"]), request.body(()).unwrap()).await;
    let principal = asked.principal.unwrap();
    assert_eq!((principal.id(), principal.method()), ("a", "a"));
    assert_eq!(principal.scopes().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(principal.claim("from"), Some(&json!("a")));
    assert_eq!(principal.claim("b"), Some(&json!(true)));
    let told: Vec<_> = asked.upstream.as_ref().unwrap().headers.get_all("x-told").iter().collect();
    assert_eq!(told, ["a", "b"]);
}

#[tokio::test]
async fn anonymous_lets_in_who_shows_nothing_and_not_who_shows_a_bad_thing() {
    let optional = || Any::of(A).or(Anonymous::new());
    assert_eq!(asked(optional(), "").await, "nobody");
    assert_eq!(asked(optional(), "a=ok").await, "a");
    assert_eq!(asked(optional(), "a=later-ok").await, "a");
    assert_eq!(asked(optional(), "a=bad").await, "401 a_bad");
    assert_eq!(asked(optional(), "a=later-away").await, "503 a_away");
    // What a route requires, nobody has.
    let layer = AuthLayer::new(optional()).scopes(["x"]);
    assert_eq!(ask(&layer, Request::new(())).await.status, 401);
}

#[tokio::test]
async fn none_of_several_lets_nobody_in() {
    assert_eq!(asked(std::iter::empty().collect::<Any>(), "a=ok").await, "403 no_credential");
    assert_eq!(asked(std::iter::empty().collect::<All>(), "a=ok").await, "403 no_credential");
    assert_eq!(asked(Anonymous::new(), "").await, "nobody");
}

#[tokio::test]
async fn combinations_combine() {
    let both_or_c = || Any::of(All::of(A).and(B)).or(Says("c"));
    assert_eq!(asked(both_or_c(), "a=ok b=later-ok").await, "a");
    assert_eq!(asked(both_or_c(), "a=ok c=later-ok").await, "c");
    assert_eq!(asked(both_or_c(), "a=ok").await, "401 no_credential");
    assert_eq!(asked(Authenticator::new(both_or_c()), "c=ok").await, "c");
}
