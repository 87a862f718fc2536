//! A door for the project's fuzz targets, to a whole connection. It is there under `--cfg fuzzing` only, which cargo-fuzz
//! sets, and is no part of the crate.

use std::{error::Error as _, future::poll_fn, pin::Pin};

use gatewright_core::{Body, Error};
use gatewright_http1::Violation;
use http::{HeaderMap, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Connection, Exchange};
use crate::stream::Stream;

/// What came of one request.
#[derive(Debug, PartialEq)]
pub struct Answered {
    /// The head of the response, when there was one.
    pub head: Option<(StatusCode, Version, HeaderMap)>,
    /// Its body, as far as it came.
    pub body: Vec<u8>,
    /// The fields after it.
    pub trailers: Option<HeaderMap>,
    /// Why it failed: the word for the rule that was broken, or that the connection closed.
    pub error: Option<&'static str>,
    /// Whether the connection can be used again.
    pub reusable: bool,
}

/// Sends these requests on one connection, one after another, as long as it can be used again. Heads of responses are
/// compared with those before or not.
pub async fn exchanges<T>(stream: T, requests: Vec<Request<Body>>, remember_heads: bool) -> Vec<Answered>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = Connection::new(Stream::Other(Box::new(stream)), ());
    let mut connection = Some(connection.reading(gatewright_http1::Rules::for_responses(), remember_heads));
    let mut all = Vec::new();
    for request in requests {
        let Some(taken) = connection.take() else { break };
        let mut answered =
            Answered { head: None, body: Vec::new(), trailers: None, error: None, reusable: false };
        connection = exchange(taken, request, &mut answered).await;
        answered.reusable = connection.is_some();
        all.push(answered);
    }
    all
}

async fn exchange(
    connection: Box<Connection<()>>,
    request: Request<Body>,
    answered: &mut Answered,
) -> Option<Box<Connection<()>>> {
    let response = match Exchange::new(connection, request, None).await {
        Ok(response) => response,
        Err(error) => {
            answered.error = Some(reason(&error.into_parts().0));
            return None;
        }
    };
    let (head, mut body) = response.into_parts();
    answered.head = Some((head.status, head.version, head.headers));
    while let Some(frame) = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => answered.body.extend_from_slice(&data),
            Ok(Err(frame)) => answered.trailers = frame.into_trailers().ok(),
            Err(error) => {
                answered.error = Some(reason(&error));
                return None;
            }
        }
    }
    let mut connection = body.take_spent()?;
    connection.rest();
    Some(connection)
}

fn reason(error: &Error) -> &'static str {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(violation) = error.downcast_ref::<Violation>() {
            return violation.reason();
        }
        cause = error.source();
    }
    "closed"
}
