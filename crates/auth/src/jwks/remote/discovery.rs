//! Where a provider's keys are, as it says itself (OpenID Connect Discovery 1.0, section 4).

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

/// A provider whose keys are where its configuration says.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: Box<str>,
    configuration: Endpoint,
    access: Access,
    known: Mutex<Option<Known>>,
}

/// Where the keys are, and since when that is known.
#[derive(Debug, Clone)]
struct Known {
    keys: Arc<Endpoint>,
    since: Instant,
}

/// How long a provider's configuration is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);

impl Discovery {
    pub(super) fn new(issuer: &str, access: Access) -> Result<Self, ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let configuration = Endpoint::new(&url, &access)?;
        Ok(Self { issuer: issuer.into(), configuration, access, known: Mutex::default() })
    }

    pub(super) async fn keys(&self) -> Result<Fetched, NoAnswer> {
        // When they are no longer there, they may have moved.
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

/// A configuration is believed that names the issuer it was asked of (section 4.3).
fn jwks_uri(configuration: &[u8], issuer: &str) -> Result<String, NoAnswer> {
    let configuration =
        strict_json::object(configuration).ok_or(NoAnswer::because("the configuration is no JSON object"))?;
    let text = |name: &str| configuration.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err(NoAnswer::because("the configuration is another issuer's"));
    }
    text("jwks_uri").map(str::to_owned).ok_or(NoAnswer::because("the configuration has no `jwks_uri`"))
}

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
}
