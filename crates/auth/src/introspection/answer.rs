//! The issuer's answer about a token (RFC 7662, section 2.2).

use gatewright_core::Principal;
use serde_json::{Map, Value};

use super::settings::Settings;
use crate::{Identity, claim_path, jwt, strict_json};

/// The result of asking about a token.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Active {
        identity: Identity,
        expires: u64,
    },
    Refused(&'static str),
    /// No answer, or an unreadable one.
    None,
}

impl Answer {
    /// Reads an answer and checks it against the settings.
    pub(super) fn read(text: &[u8], settings: &Settings, now: u64) -> Self {
        let Some(answer) = strict_json::object(text) else { return Self::None };
        match answer.get("active") {
            Some(Value::Bool(true)) => accept(answer, settings, now).unwrap_or_else(Self::Refused),
            Some(Value::Bool(false)) => Self::Refused("token_inactive"),
            _ => Self::None,
        }
    }
}

fn accept(answer: Map<String, Value>, settings: &Settings, now: u64) -> Result<Answer, &'static str> {
    let expires = jwt::time(&answer, "exp").map_err(|_| "token_bad_time")?;
    let not_before = jwt::time(&answer, "nbf").map_err(|_| "token_bad_time")?;
    if expires.is_some_and(|end| now >= end) {
        return Err("token_expired");
    }
    if not_before.is_some_and(|start| now < start) {
        return Err("token_not_yet_valid");
    }
    if let Some(issuer) = &settings.issuer
        && answer.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err("token_unknown_issuer");
    }
    if !settings.audiences.is_empty() && jwt::check_audience(&answer, &settings.audiences).is_err() {
        return Err("token_wrong_audience");
    }
    let subject = settings.subject.of_claims(&answer).and_then(Value::as_str).filter(|id| !id.is_empty());
    let subject = subject.ok_or("token_no_subject")?.to_owned();
    let headers = settings.headers.of(&answer).map_err(|_| "token_claim_unfit_for_header")?;
    let scopes = settings.scopes.of_claims(&answer).map(claim_path::words).unwrap_or_default();
    let principal = Principal::builder(subject, "introspection").scopes(scopes).claims(answer).build();
    let latest = now.saturating_add(settings.max_cache);
    Ok(Answer::Active {
        identity: Identity::new(principal).headers(headers),
        expires: expires.map_or(latest, |end| end.min(latest)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str, settings: &Settings) -> Result<u64, &'static str> {
        match Answer::read(text.as_bytes(), settings, 1000) {
            Answer::Active { expires, .. } => Ok(expires),
            Answer::Refused(reason) => Err(reason),
            Answer::None => Err("none"),
        }
    }

    #[test]
    fn only_what_is_said_to_be_active_is() {
        let settings = Settings { audiences: vec!["api".into()], ..Settings::default() };
        let good = json!({"active": true, "sub": "u1", "aud": "api", "exp": 1030});
        assert_eq!(read(&good.to_string(), &settings), Ok(1030));
        let with = |name: &str, value: Value| {
            let mut answer = good.clone();
            answer[name] = value;
            read(&answer.to_string(), &settings)
        };
        for (name, value, expected) in [
            ("exp", json!(9999), Ok(1060)),
            ("active", json!(false), Err("token_inactive")),
            ("active", json!("true"), Err("none")),
            ("active", json!(1), Err("none")),
            ("active", json!(null), Err("none")),
            ("exp", json!(1000), Err("token_expired")),
            ("exp", json!("1030"), Err("token_bad_time")),
            ("nbf", json!(1001), Err("token_not_yet_valid")),
            ("aud", json!("other"), Err("token_wrong_audience")),
            ("aud", json!(null), Err("token_wrong_audience")),
            ("sub", json!(""), Err("token_no_subject")),
            ("sub", json!(7), Err("token_no_subject")),
        ] {
            assert_eq!(with(name, value.clone()), expected, "{name}: {value}");
        }
        for text in ["", "[]", "{}", "true", r#"{"active":false,"active":true,"sub":"u1","aud":"api"}"#] {
            assert_eq!(read(text, &settings), Err("none"), "{text}");
        }
    }

    #[test]
    fn an_issuer_is_held_to_when_it_is_set() {
        let settings = Settings { issuer: Some("https://id.example/".into()), ..Settings::default() };
        let of =
            |issuer: &str| read(&json!({"active": true, "sub": "u", "iss": issuer}).to_string(), &settings);
        assert_eq!(of("https://id.example/"), Ok(1060));
        assert_eq!(of("https://id.example"), Err("token_unknown_issuer"));
    }
}
