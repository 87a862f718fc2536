//! Requests to an identity provider, over connections of this project's own pool.
//!
//! Redirects are not followed. Only a 200 is an answer. Size and time of an answer are limited. Errors are logged,
//! and clients never see them.

use std::{fmt, time::Duration};

use bytes::Bytes;
use gatewright_client::{ClientTls, ClientTlsError, Pool, PoolBuilder, Protocol, Require, Target};
use gatewright_core::Body;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header::HOST, uri::Scheme};
use http_body_util::{BodyExt as _, Limited};

/// The settings of connections to an identity provider.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) cleartext: bool,
    pub(crate) timeout: Duration,
    pub(crate) max_connections: usize,
    pub(crate) max_size: usize,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            ca: None,
            cleartext: false,
            timeout: Duration::from_secs(5),
            max_connections: 4,
            max_size: 256 * 1024,
        }
    }
}

/// One URL of an identity provider.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pool: Pool<Body>,
    host: HeaderValue,
    target: Uri,
    timeout: Duration,
    max_size: usize,
}

/// An answer with status 200.
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Endpoint {
    pub(crate) fn new(url: &str, access: &Access) -> Result<Self, ProviderError> {
        let uri: Uri = url.parse().map_err(|_| ProviderError::url(url, "it is no URL"))?;
        let (host, target) = match (uri.host(), uri.path_and_query()) {
            (Some(host), Some(target)) if !host.is_empty() => (host, target),
            _ => return Err(ProviderError::url(url, "it is no URL with a host")),
        };
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP && access.cleartext => false,
            _ => return Err(ProviderError::url(url, "it does not begin with https://")),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(ProviderError::url(url, "a password does not belong into a URL"));
        }
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let address: Target =
            format!("{host}:{port}").parse().map_err(|error| ProviderError::url(url, error))?;
        let pool = PoolBuilder::new(address)
            .protocol(Protocol::Http1)
            .connect_timeout(access.timeout)
            .max_connections(access.max_connections);
        let pool = if is_tls { pool.tls(tls(access)?) } else { pool };
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        Ok(Self {
            pool: pool.build(),
            host: HeaderValue::try_from(authority).map_err(|error| ProviderError::url(url, error))?,
            target: Uri::from(target.clone()),
            timeout: access.timeout,
            max_size: access.max_size,
        })
    }

    /// Sends a request to this URL, within the timeout.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Answer, NoAnswer> {
        *request.uri_mut() = self.target.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer(format!("no answer within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, NoAnswer> {
        let connection = self.pool.checkout(Require::Any).await.map_err(NoAnswer::because)?;
        let response = connection.send(request).await.map_err(NoAnswer::because)?;
        if response.status() != StatusCode::OK {
            return Err(NoAnswer(format!("status {}", response.status().as_u16())));
        }
        let (head, body) = response.into_parts();
        let body =
            Limited::new(body, self.max_size).collect().await.map_err(|error| NoAnswer(error.to_string()))?;
        Ok(Answer { headers: head.headers, body: body.to_bytes() })
    }
}

fn tls(access: &Access) -> Result<ClientTls, ProviderError> {
    let builder = ClientTls::builder();
    let builder = match &access.ca {
        Some(pem) => builder.ca(pem.clone()),
        None => builder,
    };
    builder.build().map_err(ProviderError::from)
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoAnswer(String);

impl NoAnswer {
    pub(crate) fn because(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Settings with which an identity provider cannot be asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub struct ProviderError {
    field: &'static str,
    why: String,
}

impl ProviderError {
    pub(crate) fn url(url: &str, why: impl fmt::Display) -> Self {
        Self { field: "url", why: format!("`{url}` cannot be asked: {why}") }
    }

    /// The setting at fault: `url` or `ca`.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl From<ClientTlsError> for ProviderError {
    fn from(error: ClientTlsError) -> Self {
        Self { field: "ca", why: error.to_string() }
    }
}
