//! The two ways of OTLP.

/// How spans travel to the collector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtlpProtocol {
    /// gRPC over HTTP/2; collectors listen on port 4317. A URL with `http:` means HTTP/2 by prior knowledge.
    #[default]
    Grpc,
    /// Protobuf over HTTP, to `/v1/traces`; collectors listen on port 4318.
    Http,
}
