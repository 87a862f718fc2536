//! A door for the project's fuzz targets, to a whole connection: the engine without the timers and the close around it.
//! It is there under `--cfg fuzzing` only, which cargo-fuzz sets, and is no part of the crate.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, ConnectionInfo};
use gatewright_http1::Names;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::connection::{Connection, End};
use crate::{
    Limits,
    connection::{Accepted, Shared},
    drain::Connections,
    refused::OnRefused,
    transport::Activity,
};

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// How many requests the service was given.
    pub requests: u64,
    /// Why a head or a body was refused.
    pub refused: Option<&'static str>,
    /// Whether all was said, by the rules of either side.
    pub cleanly: bool,
}

/// Serves a connection until it ends, with the default limits. Heads are compared with the one before or not.
pub async fn connection<T, S, B>(transport: T, service: S, remember_heads: bool) -> Connected
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let reported = Arc::new(Mutex::new(None));
    let note = Arc::clone(&reported);
    let on_refused = OnRefused(Arc::new(move |refused| {
        note.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refused.reason());
    }));
    let shared = Shared {
        // Those that are dropped could not be compared.
        limits: Limits::default().remember_heads(remember_heads).header_names(Names::Pass),
        connections: Arc::new(Connections::new()),
        on_refused,
    };
    let address = ([127, 0, 0, 1], 1).into();
    let accepted = Accepted { info: ConnectionInfo::new(address, address), host_check: None };
    let mut connection =
        Connection::new(transport, Arc::new(Activity::new()), service, accepted, Arc::new(shared));
    let end = poll_fn(|cx| connection.poll(cx)).await;
    let reported = *reported.lock().unwrap_or_else(PoisonError::into_inner);
    let of_body = reported.or(connection.refusal.map(|violation| violation.reason()));
    let refused = match &end {
        End::Refused(refusal) => Some(refusal.violation().reason()),
        _ => of_body,
    };
    let cleanly = matches!(end, End::Done { cleanly: true } | End::Refused(..));
    Connected { requests: connection.requests(), refused, cleanly }
}
