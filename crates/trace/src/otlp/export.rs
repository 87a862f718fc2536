//! One batch to the collector, and what became of it.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use opentelemetry_http::HttpClient;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::InstrumentationScope,
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use prost::Message as _;

use super::OtlpProtocol;

/// Where batches go, and what goes with each.
pub(super) struct Exporter {
    pub(super) client: Box<dyn HttpClient>,
    pub(super) protocol: OtlpProtocol,
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    pub(super) resource: Resource,
    pub(super) timeout: Duration,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The collector has it, save so many spans that it refused, and why.
    Taken { refused: u64, why: String },
    /// The collector may take it later; it may say when.
    Later { why: String, after: Option<Duration> },
    /// The collector will never take it.
    Refused { why: String },
}

/// The longest time that a collector can put a batch off for.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Exporter {
    /// The message of a batch. It is made once, however often it is sent.
    pub(super) fn message(&self, spans: Vec<Span>) -> Bytes {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() };
        let resource = Some(self.resource.clone());
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans: vec![spans],
                ..ResourceSpans::default()
            }],
        };
        if self.protocol == OtlpProtocol::Http {
            return request.encode_to_vec().into();
        }
        // The frame of gRPC: not compressed, and the length.
        let length = request.encoded_len();
        let mut frame = BytesMut::with_capacity(length + 5);
        frame.put_u8(0);
        frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        match request.encode(&mut frame) {
            Ok(()) => frame.freeze(),
            // A buffer that grows takes every message.
            Err(_) => Bytes::new(),
        }
    }

    /// Sends a message of [`message`](Self::message).
    pub(super) async fn send(&self, message: Bytes) -> Outcome {
        let mut request = Request::new(message);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let headers = request.headers_mut();
        let agent = concat!("OTel-OTLP-Exporter-Gatewright/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        match self.protocol {
            OtlpProtocol::Http => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            }
            OtlpProtocol::Grpc => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
                let millis = self.timeout.as_millis().min(99_999_999);
                if let Ok(timeout) = HeaderValue::from_str(&format!("{millis}m")) {
                    headers.insert(HeaderName::from_static("grpc-timeout"), timeout);
                }
            }
        }
        match self.client.send_bytes(request).await {
            Err(error) => Outcome::Later { why: reasons(&*error), after: None },
            Ok(response) => match self.protocol {
                OtlpProtocol::Http => of_http(&response),
                OtlpProtocol::Grpc => of_grpc(&response),
            },
        }
    }
}

/// What an answer over HTTP means (OTLP/HTTP, "Failures" and "Throttling").
fn of_http(response: &Response<Bytes>) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return taken(response.body());
    }
    let why = format!("status {}", status.as_u16());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Later { why, after: retry_after(response.headers()) },
        _ => Outcome::Refused { why },
    }
}

/// What an answer over gRPC means (OTLP/gRPC, "Failures" and "Throttling").
fn of_grpc(response: &Response<Bytes>) -> Outcome {
    let headers = response.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(code) = text("grpc-status").and_then(|code| code.parse::<u32>().ok()) else {
        return match response.status() {
            StatusCode::OK => Outcome::Refused { why: "an answer without `grpc-status`".to_owned() },
            _ => of_http(response),
        };
    };
    let message =
        text("grpc-message").map(|message| format!(": {}", message.escape_debug())).unwrap_or_default();
    let why = format!("gRPC status {code}{message}");
    match code {
        // The message follows the five bytes of its frame.
        0 => taken(response.body().get(5..).unwrap_or_default()),
        // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
        1 | 4 | 8 | 10 | 11 | 14 | 15 => {
            let pushback = text("grpc-retry-pushback-ms").and_then(|pause| pause.parse().ok());
            let after = pushback.map(Duration::from_millis).or_else(|| retry_after(headers));
            Outcome::Later { why, after: after.map(|pause| pause.min(LONGEST_PAUSE)) }
        }
        _ => Outcome::Refused { why },
    }
}

fn taken(body: &[u8]) -> Outcome {
    let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|response| response.partial_success);
    match partial {
        Some(partial) if partial.rejected_spans > 0 => Outcome::Taken {
            refused: partial.rejected_spans.unsigned_abs(),
            why: partial.error_message.escape_debug().take(200).collect(),
        },
        _ => Outcome::Taken { refused: 0, why: String::new() },
    }
}

/// The seconds of `Retry-After`. A date says nothing that a clock of ours could be trusted with.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// An error and what is behind it.
fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, fields: &[(&'static str, &str)]) -> Response<Bytes> {
        let mut response = Response::builder().status(status);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        response.body(Bytes::new()).expect("a response")
    }

    fn after(outcome: Outcome) -> Option<Option<u64>> {
        match outcome {
            Outcome::Later { after, .. } => Some(after.map(|pause| pause.as_secs())),
            _ => None,
        }
    }

    #[test]
    fn what_may_be_taken_later_is_sent_again_and_nothing_else() {
        for (status, later) in [
            (429, true),
            (502, true),
            (503, true),
            (504, true),
            (400, false),
            (401, false),
            (404, false),
            (413, false),
            (500, false),
            (307, false),
        ] {
            assert_eq!(after(of_http(&answer(status, &[]))).is_some(), later, "{status}");
        }
        for code in 0..=16_u32 {
            let later = [1, 4, 8, 10, 11, 14, 15].contains(&code);
            let outcome = of_grpc(&answer(200, &[("grpc-status", &code.to_string())]));
            assert_eq!(after(outcome).is_some(), later, "{code}");
        }
        assert!(matches!(of_grpc(&answer(200, &[])), Outcome::Refused { .. }));
        assert!(after(of_grpc(&answer(503, &[]))).is_some());
    }

    #[test]
    fn a_collector_may_say_when() {
        assert_eq!(after(of_http(&answer(429, &[("retry-after", "7")]))), Some(Some(7)));
        assert_eq!(after(of_http(&answer(503, &[("retry-after", "99999")]))), Some(Some(300)));
        assert_eq!(after(of_http(&answer(503, &[("retry-after", "soon")]))), Some(None));
        let fields = [("grpc-status", "8"), ("grpc-retry-pushback-ms", "3000")];
        assert_eq!(after(of_grpc(&answer(200, &fields))), Some(Some(3)));
    }
}
