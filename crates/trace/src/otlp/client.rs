//! OpenTelemetry's trait for a client of HTTP, over connections of this project's own pool.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use gatewright_client::{ClientTls, Pool, PoolBuilder, Protocol, Require, Target};
use http::{HeaderValue, Request, Response, Uri, Version, header::HOST};
use http_body_util::{BodyExt as _, Full, Limited};
use opentelemetry_http::{HttpClient, HttpError};

/// The size of a response that is read. Collectors answer with a few bytes.
const MAX_RESPONSE: usize = 1 << 20;

/// A client of one collector.
pub(super) struct PoolClient {
    pool: Pool<Full<Bytes>>,
    host: HeaderValue,
    /// For connecting, the request and the whole response.
    timeout: Duration,
}

impl PoolClient {
    pub(super) fn new(
        target: Target,
        tls: Option<ClientTls>,
        protocol: Protocol,
        host: HeaderValue,
        timeout: Duration,
    ) -> Self {
        let mut pool = PoolBuilder::new(target).protocol(protocol).connect_timeout(timeout).max_connections(1);
        if let Some(tls) = tls {
            pool = pool.tls(tls);
        }
        Self { pool: pool.build(), host, timeout }
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let connection = self.pool.checkout(Require::Any).await?;
        *request.version_mut() = connection.version();
        if connection.version() != Version::HTTP_2 {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
            request.headers_mut().insert(HOST, self.host.clone());
        }
        let response = connection.send(request.map(Full::new)).await?;
        let (mut head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE).collect().await?;
        // The status of gRPC most often stands in the trailers, for which the trait has no place.
        if let Some(trailers) = body.trailers() {
            head.headers.extend(trailers.clone());
        }
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

#[async_trait]
impl HttpClient for PoolClient {
    /// Sends a request with an absolute URI. The response's trailers are among its headers.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(response) => response,
            Err(_) => Err(format!("no answer within {:?}", self.timeout).into()),
        }
    }
}

impl fmt::Debug for PoolClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolClient").field(&self.pool).finish()
    }
}
