//! What a client is told when it is refused.

use gatewright_auth::{
    Any, Attempt, AuthLayer, Authenticate, Cause, Challenge, Immediate, Jwks, Jwt, Outcome, Refusal,
};
use http::{Request, request::Parts};
use serde_json::Value;

use crate::{
    asking::{ask, bearer, jwt},
    token::Token,
};

fn nothing() -> Request<()> {
    Request::new(())
}

#[tokio::test]
async fn without_a_token_the_challenge_names_no_error() {
    let asked = ask(&AuthLayer::new(jwt()), nothing()).await;
    assert_eq!((asked.status, asked.rejection.as_deref()), (401, Some("no_credential")));
    assert_eq!(asked.challenges, [r#"Bearer realm="orders""#]);
    let problem: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(problem["status"], 401);
    assert_eq!(problem["title"], "Unauthorized");
}

#[tokio::test]
async fn a_missing_scope_is_a_403_that_names_what_is_needed() {
    let layer = AuthLayer::new(jwt()).scopes(["orders:read", "orders:delete"]);
    let asked = ask(&layer, bearer(&Token::good().signed())).await;
    assert_eq!((asked.status, asked.rejection.as_deref()), (403, Some("insufficient_scope")));
    let challenge = r#"Bearer realm="orders", error="insufficient_scope", scope="orders:read orders:delete""#;
    assert_eq!(asked.challenges, [challenge]);
    assert!(asked.upstream.is_none());
    assert_eq!(
        ask(&AuthLayer::new(jwt()).scopes(["orders:read"]), bearer(&Token::good().signed())).await.status,
        200
    );
}

#[tokio::test]
async fn a_missing_role_is_a_403_that_names_nothing() {
    let asked = async |layer: AuthLayer<Jwt>| ask(&layer, bearer(&Token::good().signed())).await;
    let refused = asked(AuthLayer::new(jwt()).roles("realm_access.roles", ["auditor", "owner"])).await;
    assert_eq!((refused.status, refused.rejection.as_deref()), (403, Some("insufficient_role")));
    assert!(refused.challenges.is_empty());
    assert_eq!(asked(AuthLayer::new(jwt()).roles("realm_access.roles", ["owner", "admin"])).await.status, 200);
    assert_eq!(asked(AuthLayer::new(jwt()).roles("roles", ["admin"])).await.status, 403);
    let of_tenant = |tenant| AuthLayer::new(jwt()).claim("tenant", [tenant]);
    assert_eq!(asked(of_tenant("t1")).await.status, 200);
    assert_eq!(asked(of_tenant("t2")).await.rejection.as_deref(), Some("claim_not_met"));
    // All that is asked has to be there.
    let both = AuthLayer::new(jwt()).roles("groups", ["a"]).roles("groups", ["c"]);
    assert_eq!(asked(both).await.status, 403);
}

/// Knows nobody, and says so in one way.
struct Says(fn() -> Outcome);

impl Authenticate for Says {
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "says"
    }

    fn authenticate(&self, _request: &Parts) -> Attempt {
        Attempt::Now((self.0)())
    }

    fn challenges(&self, _cause: Cause<'_>) -> Vec<Challenge> {
        Vec::new()
    }
}

#[tokio::test]
async fn a_refusal_that_no_scheme_could_mend_is_a_403() {
    for outcome in
        [(|| Outcome::NoCredential) as fn() -> Outcome, || Refusal::invalid("certificate_unknown").into()]
    {
        let asked = ask(&AuthLayer::new(Says(outcome)), nothing()).await;
        assert_eq!((asked.status, asked.challenges.len()), (403, 0));
    }
    let asked = ask(&AuthLayer::new(Says(|| Refusal::forbidden("not_here").into())), nothing()).await;
    assert_eq!((asked.status, asked.rejection.as_deref()), (403, Some("not_here")));
}

#[tokio::test]
async fn what_cannot_be_judged_now_is_a_503() {
    let asked = ask(&AuthLayer::new(Says(|| Refusal::unavailable("provider_away").into())), nothing()).await;
    assert_eq!((asked.status, asked.rejection.as_deref()), (503, Some("provider_away")));
    assert!(asked.upstream.is_none());
}

#[tokio::test]
async fn of_several_schemes_each_has_a_challenge_and_an_error_only_where_a_credential_was_shown() {
    let other = Jwt::new(Jwks::secret("HS256".parse().unwrap(), &[7; 32]).unwrap()).issuer("x").audience("y");
    let layer = AuthLayer::new(Any::of(jwt()).or(other.from_cookie("session").realm("else")));
    let asked = ask(&layer, nothing()).await;
    assert_eq!(asked.challenges, [r#"Bearer realm="orders""#, r#"Bearer realm="else""#]);
    let request = Request::get("/").header("cookie", "session=bad").body(()).unwrap();
    let asked = ask(&layer, request).await;
    assert_eq!((asked.status, asked.rejection.as_deref()), (401, Some("jwt_malformed")));
    assert_eq!(asked.challenges, [r#"Bearer realm="orders""#, r#"Bearer realm="else", error="invalid_token""#]);
}

#[test]
fn a_challenge_holds_no_more_than_it_is_given() {
    let challenge = Challenge::new("Bearer").parameter("realm", "a\"b\\c\r\nX-Evil: 1é");
    assert_eq!(challenge.to_string(), r#"Bearer realm="a\"b\\cX-Evil: 1""#);
}
