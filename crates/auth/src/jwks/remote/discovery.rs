//! The address of a provider's keys, from the provider's own configuration (OpenID Connect Discovery 1.0, section
//! 4).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::fetch::{Fetched, get, get_keys};
use crate::{
    provider::{Access, Endpoint, NoAnswer, ProviderError},
    strict_json,
};

/// A provider whose configuration names the address of its keys.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: Box<str>,
    configuration: Endpoint,
    access: Access,
    known: Mutex<Option<Known>>,
}

/// The address of the keys, and the time when it was learned.
#[derive(Debug, Clone)]
struct Known {
    keys: Arc<Endpoint>,
    since: Instant,
}

/// The time for which a provider's configuration is trusted.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

impl Discovery {
    pub(super) fn new(issuer: &str, access: Access) -> Result<Self, ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let configuration = Endpoint::new(&url, &access)?;
        Ok(Self { issuer: issuer.into(), configuration, access, known: Mutex::default() })
    }

    pub(super) async fn keys(&self) -> Result<Fetched, NoAnswer> {
        // If this fails, the keys may have moved.
        if let Some(keys) = self.known()
            && let Ok(fetched) = get_keys(&keys).await
        {
            return Ok(fetched);
        }
        let keys = self.discover().await?;
        get_keys(&keys).await
    }

    fn known(&self) -> Option<Arc<Endpoint>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| known.since.elapsed() < BELIEVED).map(|known| Arc::clone(&known.keys))
    }

    async fn discover(&self) -> Result<Arc<Endpoint>, NoAnswer> {
        let answer = self.configuration.send(get("application/json")).await?;
        let url = jwks_uri(&answer.body, &self.issuer)?;
        let keys = Arc::new(Endpoint::new(&url, &self.access).map_err(NoAnswer::because)?);
        let known = Known { keys: Arc::clone(&keys), since: Instant::now() };
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(keys)
    }
}

/// The address in a configuration. The configuration must name the issuer that was asked (section 4.3).
fn jwks_uri(configuration: &[u8], issuer: &str) -> Result<String, NoAnswer> {
    let configuration = strict_json::object(configuration)
        .ok_or(NoAnswer::because("the configuration is not a JSON object"))?;
    let text = |name: &str| configuration.get(name).and_then(Value::as_str);
    match text("issuer") {
        Some(own) if own == issuer => {}
        Some(own) => return Err(another(own, issuer)),
        None => return Err(NoAnswer::because("the configuration names no `issuer`")),
    }
    text("jwks_uri").map(str::to_owned).ok_or(NoAnswer::because("the configuration has no `jwks_uri`"))
}

/// Names both issuers, since they often differ only in a slash at the end. The remote name is cut and escaped.
fn another(own: &str, issuer: &str) -> NoAnswer {
    let shown: String = own.chars().take(LONGEST_SHOWN).flat_map(char::escape_debug).collect();
    let hint = match own.trim_end_matches('/') == issuer.trim_end_matches('/') {
        true => ": they differ in the slash at the end; tokens name the first one, so write that one",
        false => "",
    };
    NoAnswer::because(format!(
        "the configuration names the issuer `{shown}`, but `{issuer}` was asked for{hint}"
    ))
}

/// The number of characters of a remote name that are shown.
const LONGEST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_believed_of_its_own_issuer_alone() {
        let of =
            |text: &str| jwks_uri(text.as_bytes(), "https://id.example/").map_err(|error| error.to_string());
        let good = r#"{"issuer":"https://id.example/","jwks_uri":"https://id.example/k"}"#;
        assert_eq!(of(good).as_deref(), Ok("https://id.example/k"));
        for text in [
            r#"{"issuer":"https://id.example","jwks_uri":"https://id.example/k"}"#,
            r#"{"jwks_uri":"https://id.example/k"}"#,
            r#"{"issuer":"https://id.example/"}"#,
            r#"{"issuer":"https://id.example/","jwks_uri":["https://id.example/k"]}"#,
            r#"{"issuer":"https://id.example/","issuer":"https://id.example/","jwks_uri":"https://id.example/k"}"#,
            "<html>",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_issuer_of_another_name_is_told_with_both_names() {
        let error = |own: &str, asked: &str| {
            let text = serde_json::json!({"issuer": own, "jwks_uri": "https://id.example/k"}).to_string();
            jwks_uri(text.as_bytes(), asked).expect_err("another").to_string()
        };
        for (own, asked, is_slash) in [
            ("https://id.example", "https://id.example/", true),
            ("https://id.example/", "https://id.example", true),
            ("https://id.example/realms/a/", "https://id.example/realms/a", true),
            ("https://other.example/", "https://id.example/", false),
            ("https://ID.example/", "https://id.example/", false),
            ("http://id.example/", "https://id.example/", false),
        ] {
            let error = error(own, asked);
            assert!(error.contains(&format!("`{own}`")) && error.contains(&format!("`{asked}`")), "{error}");
            assert_eq!(error.contains("slash"), is_slash, "{error}");
        }
        let long = error(&format!("https://a\n{}", "x".repeat(5000)), "https://id.example/");
        assert!(long.len() < 500 && !long.contains('\n'), "{long}");
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_keys_are_is_asked_once_a_day() {
        let access = Access { cleartext: true, ..Access::default() };
        let discovery = Discovery::new("http://id.example/", access.clone()).expect("is a URL");
        assert!(discovery.known().is_none());
        let keys = Arc::new(Endpoint::new("http://id.example/k", &access).expect("is a URL"));
        *discovery.known.lock().expect("sound") = Some(Known { keys, since: Instant::now() });
        tokio::time::advance(BELIEVED - Duration::from_secs(1)).await;
        assert!(discovery.known().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(discovery.known().is_none());
    }
}
