//! Builds an exporter.

use std::{fmt, io, sync::Arc, thread, time::Duration};

use gatewright_client::{ClientTls, ClientTlsError, Protocol, Target};
use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri::Scheme};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_semantic_conventions::resource::{
    SERVICE_NAME, TELEMETRY_SDK_LANGUAGE, TELEMETRY_SDK_NAME, TELEMETRY_SDK_VERSION,
};

use super::{
    Handle, Otlp, OtlpProtocol,
    client::PoolClient,
    export::Exporter,
    queue::Shared,
    spans::text,
    worker::{Trouble, Worker},
};

/// The method of the collector (OTLP/gRPC).
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Builds an [`Otlp`].
#[derive(Clone)]
#[must_use]
pub struct OtlpBuilder {
    endpoint: String,
    protocol: OtlpProtocol,
    service: String,
    attributes: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    ca: Option<Vec<u8>>,
    timeout: Duration,
    interval: Duration,
    batch: usize,
    queue: usize,
    late: bool,
}

impl OtlpBuilder {
    pub(super) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            protocol: OtlpProtocol::default(),
            service: "gatewright".to_owned(),
            attributes: Vec::new(),
            headers: Vec::new(),
            ca: None,
            timeout: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            batch: 512,
            queue: 4096,
            late: true,
        }
    }

    /// How spans travel; [`OtlpProtocol::Grpc`] unless set.
    pub fn protocol(mut self, protocol: OtlpProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The attribute `service.name` of the resource; `gatewright` unless set.
    pub fn service(mut self, name: &str) -> Self {
        name.clone_into(&mut self.service);
        self
    }

    /// Adds an attribute of the resource, such as `deployment.environment.name`.
    pub fn attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Adds a field that each request to the collector carries, a token for example.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Trusts only these authorities, in PEM, for a collector behind `https:`. The system's unless set.
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// How long the collector may take for a batch, connecting included; 10 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long spans are gathered before they are sent, when they are fewer than a batch; 1 s unless set.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How many spans are sent together at most; 512 unless set.
    pub fn batch(mut self, spans: usize) -> Self {
        self.batch = spans.max(1);
        self
    }

    /// How many spans may wait; 4096 unless set, and a batch at least.
    pub fn queue(mut self, spans: usize) -> Self {
        self.queue = spans;
        self
    }

    /// Whether a request that fails leaves a span also when its trace is not recorded: the gateway fails, or answers with a status
    /// from 500 on. On unless set. The span has no parent, since its parent was not recorded either.
    pub fn late_failures(mut self, late: bool) -> Self {
        self.late = late;
        self
    }

    /// Whether an exporter could be built, without its thread.
    ///
    /// # Errors
    ///
    /// When the URL, a header or the authorities are wrong.
    pub fn check(&self) -> Result<(), OtlpError> {
        self.clone().exporter().map(drop)
    }

    /// Starts the thread that sends. The collector need not be there yet.
    ///
    /// # Errors
    ///
    /// When the URL, a header or the authorities are wrong, or the thread cannot be started.
    pub fn build(self) -> Result<Otlp, OtlpError> {
        let late = self.late;
        let shared = Arc::new(Shared::new(self.queue.max(self.batch), self.batch));
        let worker = Worker {
            shared: Arc::clone(&shared),
            interval: self.interval.max(Duration::from_millis(1)),
            exporter: self.exporter()?,
            trouble: Trouble::default(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| OtlpError(Kind::Thread(error)))?;
        thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || runtime.block_on(worker.run()))
            .map_err(|error| OtlpError(Kind::Thread(error)))?;
        Ok(Otlp(Arc::new(Handle { shared, late })))
    }

    fn exporter(self) -> Result<Exporter, OtlpError> {
        let wrong = |why: &'static str| OtlpError(Kind::Endpoint { url: self.endpoint.clone(), why });
        let uri: Uri = self.endpoint.parse().map_err(|_| wrong("it is no URL"))?;
        let scheme = uri.scheme().ok_or_else(|| wrong("it does not begin with http:// or https://"))?.clone();
        let is_tls = match () {
            () if scheme == Scheme::HTTPS => true,
            () if scheme == Scheme::HTTP => false,
            () => return Err(wrong("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(wrong("a password does not belong into a URL; put a token into a header"));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a query"));
        }
        let base = uri.path().trim_end_matches('/');
        let (path, default_port) = match self.protocol {
            OtlpProtocol::Grpc if !base.is_empty() => return Err(wrong("gRPC has a path of its own")),
            OtlpProtocol::Grpc => (GRPC_PATH.to_owned(), 4317),
            OtlpProtocol::Http if base.ends_with("/v1/traces") => (base.to_owned(), 4318),
            OtlpProtocol::Http => (format!("{base}/v1/traces"), 4318),
        };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { default_port });
        let target: Target =
            format!("{}:{port}", authority.host()).parse().map_err(|_| wrong("it has no host"))?;
        let url = Uri::builder().scheme(scheme).authority(target.as_str().as_bytes()).path_and_query(path);
        let url = url.build().map_err(|_| wrong("it is no URL"))?;
        let host = HeaderValue::from_str(target.as_str()).map_err(|_| wrong("it has no host"))?;
        let tls = match (is_tls, &self.ca) {
            (false, _) => None,
            (true, None) => Some(ClientTls::builder()),
            (true, Some(pem)) => Some(ClientTls::builder().ca(pem.clone())),
        };
        let tls = tls.map(|tls| tls.build().map_err(|error| OtlpError(Kind::Tls(error)))).transpose()?;
        let protocol = match self.protocol {
            OtlpProtocol::Grpc => Protocol::Http2,
            OtlpProtocol::Http => Protocol::Http1,
        };
        Ok(Exporter {
            client: Box::new(PoolClient::new(target, tls, protocol, host, self.timeout)),
            protocol: self.protocol,
            url,
            headers: self.header_map()?,
            resource: self.resource(),
            timeout: self.timeout,
        })
    }

    fn header_map(&self) -> Result<HeaderMap, OtlpError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let wrong = || OtlpError(Kind::Header(name.clone()));
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            headers.append(key, value);
        }
        Ok(headers)
    }

    fn resource(&self) -> Resource {
        let ours = [
            (SERVICE_NAME, self.service.as_str()),
            (TELEMETRY_SDK_NAME, "gatewright"),
            (TELEMETRY_SDK_LANGUAGE, "rust"),
            (TELEMETRY_SDK_VERSION, env!("CARGO_PKG_VERSION")),
        ];
        let theirs = self.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let ours = ours.into_iter().filter(|(key, _)| self.attributes.iter().all(|(theirs, _)| theirs != key));
        let attributes = ours.chain(theirs).map(|(key, value)| text(key, value)).collect();
        Resource { attributes, ..Resource::default() }
    }
}

impl fmt::Debug for OtlpBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold a token.
        f.debug_struct("OtlpBuilder")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// Why there is no exporter.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct OtlpError(Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("`{url}` is no address of a collector: {why}")]
    Endpoint { url: String, why: &'static str },
    #[error("`{0}` cannot be a header with this value")]
    Header(String),
    #[error(transparent)]
    Tls(ClientTlsError),
    #[error("the thread that sends spans cannot be started: {0}")]
    Thread(io::Error),
}

impl OtlpError {
    /// The setting at fault: `endpoint`, `header`, `ca`, or `None` when it is the system.
    pub fn field(&self) -> Option<&'static str> {
        match self.0 {
            Kind::Endpoint { .. } => Some("endpoint"),
            Kind::Header(_) => Some("header"),
            Kind::Tls(_) => Some("ca"),
            Kind::Thread(_) => None,
        }
    }
}
