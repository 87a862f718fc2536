//! The type of hyper's future.

use std::{future::Future, pin::Pin};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};

use super::upload::Upload;

/// hyper's future of a response.
pub(super) type ResponseFuture<B> =
    Pin<Box<dyn Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload<B>>>>> + Send>>;
