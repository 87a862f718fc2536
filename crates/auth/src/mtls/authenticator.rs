use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gatewright_core::{Principal, RequestRecord, TlsInfo};
use http::{Extensions, HeaderName, HeaderValue, request::Parts};
use serde_json::{Map, Value};

use super::{
    certificate::{Certificate, Judgement, San},
    error::MtlsError,
    forwarded,
    san::SanPattern,
    subject::SubjectPattern,
};
use crate::{Attempt, Authenticate, Cause, Challenge, Clock, Identity, Immediate, Outcome, Refusal};

/// Client certificates (mutual TLS) as identities.
///
/// 1. That a certificate is valid (its chain, its time, the revocation lists) is for the listener to verify, in the
///    handshake. What it says is read once a connection, and who calls is decided once a connection and authenticator.
/// 2. Certificates are found in the [`ConnectionInfo`](gatewright_core::ConnectionInfo) of our own listener. Under another
///    server, insert a [`TlsInfo`](gatewright_core::TlsInfo) with the chain that it has verified into the extensions of
///    each request, inside its own accept loop.
/// 3. Who calls is the first alternative name (URI, DNS name, e-mail or IP address) or the subject that a pattern fits, in
///    the order of the patterns. Without patterns, any certificate is taken: by its first URI, else DNS name, else e-mail
///    address, else subject.
/// 4. A pattern is for a whole name. `*` stands for one segment of a URI's path, one label of a host, all before the `@`,
///    or the whole value of an attribute; never for a part of them. `**` ends a URI's pattern and stands for one segment
///    and all that follow. What a star stands for holds no `%`, `?` or `#`, and is neither `.` nor `..`.
/// 5. Scheme and host of a URI, DNS names and the domain of an address are compared, and given, in lower case.
/// 6. A certificate that has expired since the handshake, be it that of a session that was resumed, is refused.
/// 7. `x-forwarded-client-cert` from clients is always removed. When asked, it is set, in Envoy's format.
/// 8. There is no scheme to challenge a client with, so that a refusal is a 403.
///
/// # Example
///
/// ```
/// use gatewright_auth::{AuthLayer, Mtls};
///
/// let layer = AuthLayer::new(Mtls::new().san("spiffe://example.com/device/*")?);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::MtlsError>(())
/// ```
///
/// Customised: several patterns, scopes for all devices, and the certificate told to the service.
///
/// ```
/// use gatewright_auth::{AuthLayer, Mtls};
///
/// let devices = Mtls::new()
///     .san("spiffe://example.com/fleet/**")?
///     .san("*.devices.example.com")?
///     .subject("CN=*,OU=Devices,O=Example")?
///     .scopes(["telemetry:write"])
///     .forward_certificate_by("spiffe://example.com/gateway")?;
/// let layer = AuthLayer::new(devices).scopes(["telemetry:write"]);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::MtlsError>(())
/// ```
#[derive(Debug)]
pub struct Mtls {
    /// Under this number, connections keep what was made of their certificates.
    number: u64,
    patterns: Vec<Pattern>,
    scopes: Vec<Box<str>>,
    forward: bool,
    by: Option<Box<str>>,
    id_header: Option<HeaderName>,
    clock: Clock,
}

#[derive(Debug)]
enum Pattern {
    San(SanPattern),
    Subject(SubjectPattern),
}

static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Default for Mtls {
    fn default() -> Self {
        Self::new()
    }
}

impl Mtls {
    /// Takes any certificate that the listener has verified, until patterns are added.
    pub fn new() -> Self {
        Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            patterns: Vec::new(),
            scopes: Vec::new(),
            forward: false,
            by: None,
            id_header: None,
            clock: Clock::system(),
        }
    }

    /// Takes certificates with an alternative name of this pattern, which is then who calls.
    ///
    /// `spiffe://example.com/device/*` or `spiffe://example.com/ns/**` for URIs, `*.devices.example.com` for DNS names,
    /// `*@example.com` for e-mail addresses.
    ///
    /// # Errors
    ///
    /// The text is no pattern for a name.
    pub fn san(mut self, pattern: &str) -> Result<Self, MtlsError> {
        self.patterns.push(Pattern::San(SanPattern::parse(pattern)?));
        Ok(self)
    }

    /// Takes certificates whose subject is of this pattern, `CN=*,OU=Devices,O=Example`, and the subject for who calls.
    ///
    /// # Errors
    ///
    /// The text is no pattern for a subject (RFC 4514).
    pub fn subject(mut self, pattern: &str) -> Result<Self, MtlsError> {
        self.patterns.push(Pattern::Subject(SubjectPattern::parse(pattern)?));
        Ok(self)
    }

    /// Gives all who are known by their certificates these scopes.
    #[must_use]
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Tells the service of the certificate in `x-forwarded-client-cert`, as Envoy does: `Hash`, `Subject`, `URI` and
    /// `DNS`. Not by default. Clients' own are removed in any case.
    #[must_use]
    pub fn forward_certificate(mut self) -> Self {
        self.forward = true;
        self
    }

    /// Tells the service of the certificate, and in `By` who says so: the gateway's own URI, usually its SPIFFE id.
    ///
    /// # Errors
    ///
    /// The text is no URI of visible ASCII characters without quotes and backslashes.
    pub fn forward_certificate_by(mut self, uri: &str) -> Result<Self, MtlsError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if !uri.contains(':') || !uri.bytes().all(plain) {
            return Err(MtlsError::pattern(uri, "write a URI, such as `spiffe://example.com/gateway`"));
        }
        self.by = Some(uri.into());
        Ok(self.forward_certificate())
    }

    /// Tells the service who calls, in this header.
    #[must_use]
    pub fn id_header(mut self, name: HeaderName) -> Self {
        self.id_header = Some(name);
        self
    }

    /// Sets the clock by which certificates expire.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn judge(&self, tls: &TlsInfo) -> Outcome {
        let Some(leaf) = tls.certificates().first() else { return Outcome::NoCredential };
        let reading = tls.derived(|_| Reading::new(leaf));
        // Another reader may have taken the connection's place for such things.
        let own = if reading.is_none() { Some(Reading::new(leaf)) } else { None };
        let certificate = reading.or(own.as_ref()).and_then(|reading| reading.0.as_ref());
        let Some(certificate) = certificate else { return Refusal::invalid("certificate_unreadable").into() };
        if !certificate.is_valid_at(self.clock.now()) {
            return Refusal::invalid("certificate_expired").into();
        }
        match certificate.judge(self.number, |certificate| self.identify(certificate)) {
            Ok(identity) => identity.into(),
            Err(reason) => Refusal::invalid(reason).into(),
        }
    }

    fn identify(&self, certificate: &Certificate) -> Judgement {
        let id = self.id(certificate)?;
        let forwarded = if self.forward { forwarded::element(certificate, self.by.as_deref()) } else { None };
        let forwarded = forwarded.map(|element| (forwarded::HEADER, element));
        let id_header = self.id_header.clone().zip(HeaderValue::from_bytes(id.as_bytes()).ok());
        let principal = Principal::builder(id, super::METHOD)
            .credential(&*certificate.serial)
            .scopes(self.scopes.iter().cloned())
            .claims(claims(certificate))
            .build();
        Ok(Identity::new(principal).headers(forwarded.into_iter().chain(id_header)))
    }

    /// The first pattern that fits, and of several names the first that it fits.
    fn id(&self, certificate: &Certificate) -> Result<String, &'static str> {
        let found = self.patterns.iter().find_map(|pattern| match pattern {
            Pattern::San(pattern) => {
                let name = certificate.names.iter().find(|name| pattern.matches(name))?;
                Some(name.text().to_owned())
            }
            Pattern::Subject(pattern) => {
                pattern.matches(&certificate.subject).then(|| certificate.subject.to_text())
            }
        });
        match found {
            Some(id) => Ok(id),
            None if self.patterns.is_empty() => usual_id(certificate).ok_or("certificate_without_name"),
            None => Err("certificate_not_accepted"),
        }
    }
}

/// Without patterns: the first URI, else the first DNS name, else the first e-mail address, else the subject.
fn usual_id(certificate: &Certificate) -> Option<String> {
    let rank = |name: &&San| match name {
        San::Uri(_) => 0,
        San::Dns(_) => 1,
        San::Email(_) => 2,
        San::Ip(_) => 3,
    };
    // An address is many a host's, and says who calls only where a pattern has it.
    let names = certificate.names.iter().filter(|name| !matches!(name, San::Ip(_)));
    match names.min_by_key(rank) {
        Some(name) => Some(name.text().to_owned()),
        None => (!certificate.subject.is_empty()).then(|| certificate.subject.to_text()),
    }
}

/// What the certificate says, as a principal's claims: `subject`, `serial`, `fingerprint`, and the names that it has as
/// `uri`, `dns`, `email` and `ip`.
fn claims(certificate: &Certificate) -> Map<String, Value> {
    let mut claims = Map::new();
    claims.insert("subject".into(), certificate.subject.to_text().into());
    claims.insert("serial".into(), certificate.serial.as_str().into());
    claims.insert("fingerprint".into(), certificate.fingerprint.as_str().into());
    for name in &certificate.names {
        let kind = match name {
            San::Uri(_) => "uri",
            San::Dns(_) => "dns",
            San::Email(_) => "email",
            San::Ip(_) => "ip",
        };
        if let Value::Array(names) = claims.entry(kind).or_insert_with(|| Value::Array(Vec::new())) {
            names.push(name.text().into());
        }
    }
    claims
}

/// A certificate as far as it could be read; once a connection.
struct Reading(Option<Certificate>);

impl Reading {
    fn new(leaf: &Bytes) -> Self {
        Self(Certificate::read(leaf))
    }
}

/// What is known of the connection's TLS: by our own listener, or by the extension that another server's user inserts.
fn tls(extensions: &Extensions) -> Option<&TlsInfo> {
    let connection = RequestRecord::of(extensions).and_then(|record| record.connection());
    connection.and_then(|connection| connection.tls()).or_else(|| extensions.get())
}

impl Authenticate for Mtls {
    type Future = Immediate;

    fn name(&self) -> &'static str {
        super::METHOD
    }

    fn authenticate(&self, request: &Parts) -> Attempt {
        match tls(&request.extensions) {
            Some(tls) => self.judge(tls).into(),
            None => Outcome::NoCredential.into(),
        }
    }

    /// A certificate is asked for before there is a request.
    fn challenges(&self, _: Cause<'_>) -> Vec<Challenge> {
        Vec::new()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        [forwarded::HEADER].into_iter().chain(self.id_header.clone()).collect()
    }
}
