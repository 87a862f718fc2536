//! Traces: where spans go, which traces are recorded, and whose traces are continued.

use std::{path::PathBuf, time::Duration};

use gatewright_trace::{OtlpProtocol, Trust};
use http::HeaderName;

use crate::{
    diagnostics::Spanned,
    read::{HiddenSecret, Named, Number, Share, Url},
    vocabulary::{Relation, Rule, choice, map},
};

map! {
    /// Traces by OpenTelemetry: where spans go, and which traces are recorded. See
    /// [how to follow a request](../guide/follow-a-request.md).
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct Telemetry {
        title: "`telemetry`";
        name: "telemetry";
        smallest: "{otlp: \"http://127.0.0.1:4317\"}";
        rules: [
            Rule::new(Relation::Needs("protocol", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("service", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("attributes", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("headers", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("ca", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("timeout", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("queue", "otlp")).missing(MISSING),
            Rule::new(Relation::Needs("failures", "otlp")).missing(MISSING),
        ];

        /// The URL of a collector that takes OTLP. Over HTTP, `/v1/traces` is added to its path.
        otlp: optional Url, "\"http://127.0.0.1:4317\"", absent "no spans are sent", alias ["endpoint", "collector"];
        /// How spans travel: by gRPC (collectors listen on port 4317), or as protobuf over HTTP (port 4318).
        protocol: optional Protocol, "http", absent "`grpc`";
        /// Which share of the traces that begin at the gateway is recorded. A trace that is continued keeps its caller's decision.
        sample: optional Share, "1%", absent "`100%`", alias ["sampling", "ratio"];
        /// The name of the gateway among services, `service.name`.
        service: optional String, "api-gateway", absent "`gatewright`", alias ["service_name"];
        /// More attributes of the gateway as a resource.
        attributes: default Named<String, String>, "{deployment.environment.name: production}", alias ["resource"];
        /// Fields that each request to the collector carries, a token for example.
        headers: default Named<HeaderName, HiddenSecret>, "{authorization: \"file:otlp.token\"}";
        /// The authorities that the collector's certificate is checked against.
        ca: optional PathBuf, "collector-ca.pem", absent "the system's";
        /// How long the collector may take for a batch of spans.
        timeout: optional Duration, "5s", absent "10s";
        /// How many spans may wait. Those that find the queue full are dropped and counted: no request waits for the collector.
        queue: optional Number<usize, 512, 1_000_000>, "10000", absent "4096";
        /// Whether a request that fails leaves a span of its own also when its trace is not recorded.
        failures: default bool = true, "off", absent "`on`";
        /// Whose traces are continued. The trace of another caller is replaced by a new one, whose span has a link to the caller's.
        trust: optional TrustTraces, "proxies", absent "`anyone`";
        /// Whose `baggage` passes. Services write baggage into their spans and send it on to others.
        baggage: optional TrustTraces, "nobody", absent "as `trust`";
    }
}

const MISSING: &str = "name the collector that the spans go to: `otlp: \"http://127.0.0.1:4317\"`";

choice! {
    /// How spans travel.
    pub(crate) struct Protocol, "a protocol of OTLP": OtlpProtocol {
        "grpc" => OtlpProtocol::Grpc,
        "http" => OtlpProtocol::Http,
    }
}

choice! {
    /// Whose traces are continued.
    pub(crate) struct TrustTraces, "whose traces are continued": Trust {
        "anyone" => Trust::Anyone,
        "proxies" => Trust::Proxies,
        "nobody" => Trust::Nobody,
    }
}

/// What the file says of traces, with nothing said.
impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: None,
            protocol: None,
            sample: None,
            service: None,
            attributes: Vec::new(),
            headers: Vec::new(),
            ca: None::<Spanned<PathBuf>>,
            timeout: None::<Duration>,
            queue: None,
            failures: true,
            trust: None,
            baggage: None,
        }
    }
}
