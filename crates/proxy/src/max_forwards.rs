//! `Max-Forwards` (RFC 9110, section 7.6.2): how far `OPTIONS` and `TRACE` go.
//!
//! 1. At zero the gateway answers in place of the upstream, as the last recipient. The layers around the proxy have seen
//!    the request by then. Above zero, the request goes on with one less.
//! 2. `OPTIONS` is answered with 204 and `Allow`, the methods that the proxy sends on.
//! 3. `TRACE` is answered with 405. An echo would show the fields by which layers tell services who calls, and would make
//!    cross-site tracing possible. No recipient has to echo (RFC 9110, section 9.3.8).
//! 4. A value that is not one number is answered with 400, since the proxy has to count down before the request goes on.
//! 5. With other methods the field has no meaning, and passes.

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind, Rejection, ReplyFormat, RequestRecord};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, MAX_FORWARDS},
};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");

/// Counts down, or answers a request that may go no further.
///
/// # Errors
///
/// When the field cannot be read.
pub(crate) fn count_down<B>(request: &mut Request<B>) -> Result<Option<Response<Bytes>>, Error> {
    let is_trace = *request.method() == Method::TRACE;
    if !is_trace && *request.method() != Method::OPTIONS {
        return Ok(None);
    }
    match left(request.headers())? {
        None => Ok(None),
        Some(0) => Ok(Some(if is_trace { refuse_trace(request) } else { options() })),
        Some(more) => {
            request.headers_mut().insert(MAX_FORWARDS, (more - 1).into());
            Ok(None)
        }
    }
}

/// The number in the field, or the largest number that can be counted when the field says more.
fn left(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let mut fields = headers.get_all(MAX_FORWARDS).iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let digits = field.as_bytes();
    if fields.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::new(ErrorKind::BadRequest, "Max-Forwards is not one number"));
    }
    let count = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Ok(Some(digits.iter().fold(0, count)))
}

fn options() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

fn refuse_trace<B>(request: &Request<B>) -> Response<Bytes> {
    let request_id = RequestRecord::of(request.extensions()).and_then(RequestRecord::request_id);
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "proxy", "trace_not_answered")
        .header(ALLOW, METHODS)
        .into_response(ReplyFormat::of_request(request), request_id.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The status of the answer, else what the field says when the request goes on.
    fn counted(method: &str, values: &[&str]) -> Result<String, u16> {
        let mut request = Request::builder().method(method);
        for value in values {
            request = request.header(MAX_FORWARDS, *value);
        }
        let mut request = request.body(()).expect("a request");
        match count_down(&mut request) {
            Ok(None) => {
                let fields = request.headers().get_all(MAX_FORWARDS).iter();
                Ok(fields.map(|field| field.to_str().expect("text")).collect::<Vec<_>>().join("|"))
            }
            Ok(Some(answer)) => {
                assert_eq!(answer.headers()[ALLOW], METHODS);
                Err(answer.status().as_u16())
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BadRequest);
                Err(400)
            }
        }
    }

    #[test]
    fn options_and_trace_are_counted_down_and_answered_at_zero() {
        let most = (u64::MAX - 1).to_string();
        for (values, expected) in [
            (&[][..], Ok("")),
            (&["1"], Ok("0")),
            (&["010"], Ok("9")),
            (&["70"], Ok("69")),
            (&["18446744073709551615"], Ok(&*most)),
            (&["99999999999999999999999999"], Ok(&*most)),
            (&["0"], Err(None)),
            (&["000"], Err(None)),
            (&[""], Err(Some(400))),
            (&["-1"], Err(Some(400))),
            (&["+1"], Err(Some(400))),
            (&["1 "], Err(Some(400))),
            (&["1, 1"], Err(Some(400))),
            (&["0x1"], Err(Some(400))),
            (&["1", "1"], Err(Some(400))),
            (&["5", ""], Err(Some(400))),
        ] {
            for (method, answered) in [("OPTIONS", 204), ("TRACE", 405)] {
                let expected = expected.map(str::to_owned).map_err(|status| status.unwrap_or(answered));
                assert_eq!(counted(method, values), expected, "{method} {values:?}");
            }
        }
    }

    #[test]
    fn with_other_methods_it_passes_as_it_is() {
        for method in ["GET", "HEAD", "POST", "PROPFIND", "options"] {
            for value in ["0", "1", "x"] {
                assert_eq!(counted(method, &[value]), Ok(value.to_owned()), "{method} {value}");
            }
        }
    }
}
