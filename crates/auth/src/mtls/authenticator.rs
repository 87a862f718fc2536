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
/// 1. The listener verifies in the handshake that a certificate is valid: its chain, its dates, the revocation
///    lists. The certificate is read once for each connection, and each authenticator identifies the caller once
///    for each connection.
/// 2. Certificates come from the [`ConnectionInfo`](gatewright_core::ConnectionInfo) of this project's own
///    listener. With another server, insert a [`TlsInfo`](gatewright_core::TlsInfo) with the verified chain into
///    the extensions of each request, in the accept loop of that server.
/// 3. The caller is the first alternative name (URI, DNS name, e-mail or IP address) or the subject that matches a
///    pattern, in the order of the patterns. Without patterns, every certificate is accepted, and the caller is its
///    first URI, or else DNS name, e-mail address or subject.
/// 4. A pattern matches a whole name. `*` stands for one segment of a URI's path, one label of a host, everything
///    before the `@`, or the whole value of an attribute; never for a part of them. `**` at the end of a URI stands
///    for one segment and all that follow. A matched segment has no `%`, `?` or `#`, and is neither `.` nor `..`.
/// 5. Scheme and host of a URI, DNS names and the domain of an e-mail address are compared and reported in lower
///    case.
/// 6. A certificate that has expired since the handshake is refused, also in a resumed session.
/// 7. The client's own `x-forwarded-client-cert` is always removed. On request, the field is set in Envoy's format.
/// 8. No challenge exists for client certificates, so a refusal is a 403.
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
/// Customised: several patterns, scopes for all devices, and the certificate passed to the service.
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
    /// A connection stores the result for its certificate under this number.
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
    /// Accepts every certificate that the listener has verified, until patterns are added.
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

    /// Accepts certificates with an alternative name that matches this pattern. The name is the caller.
    ///
    /// `spiffe://example.com/device/*` or `spiffe://example.com/ns/**` for URIs, `*.devices.example.com` for DNS names,
    /// `*@example.com` for e-mail addresses.
    ///
    /// # Errors
    ///
    /// The text is not a pattern for a name.
    pub fn san(mut self, pattern: &str) -> Result<Self, MtlsError> {
        self.patterns.push(Pattern::San(SanPattern::parse(pattern)?));
        Ok(self)
    }

    /// Accepts certificates whose subject matches this pattern, such as `CN=*,OU=Devices,O=Example`. The subject is
    /// the caller.
    ///
    /// # Errors
    ///
    /// The text is not a pattern for a subject (RFC 4514).
    pub fn subject(mut self, pattern: &str) -> Result<Self, MtlsError> {
        self.patterns.push(Pattern::Subject(SubjectPattern::parse(pattern)?));
        Ok(self)
    }

    /// Gives these scopes to all callers with accepted certificates.
    #[must_use]
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Passes the certificate to the service in `x-forwarded-client-cert`, as Envoy does: `Hash`, `Subject`, `URI`
    /// and `DNS`. Off by default. The client's own field is removed in any case.
    #[must_use]
    pub fn forward_certificate(mut self) -> Self {
        self.forward = true;
        self
    }

    /// Passes the certificate to the service, with the gateway's own URI (usually its SPIFFE id) in `By`.
    ///
    /// # Errors
    ///
    /// The text is not a URI of visible ASCII characters without quotes and backslashes.
    pub fn forward_certificate_by(mut self, uri: &str) -> Result<Self, MtlsError> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if !uri.contains(':') || !uri.bytes().all(plain) {
            return Err(MtlsError::pattern(uri, "write a URI, such as `spiffe://example.com/gateway`"));
        }
        self.by = Some(uri.into());
        Ok(self.forward_certificate())
    }

    /// Tells the service the caller in this header.
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
        let reading = tls.derived(|_| LeafCertificate::new(leaf));
        // Other code may have stored a value of its own type on the connection.
        let own = if reading.is_none() { Some(LeafCertificate::new(leaf)) } else { None };
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

    /// The caller by the first pattern that matches, and by the first name that it matches.
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

/// The caller without patterns: the first URI, or else the first DNS name, e-mail address or the subject.
fn usual_id(certificate: &Certificate) -> Option<String> {
    let rank = |name: &&San| match name {
        San::Uri(_) => 0,
        San::Dns(_) => 1,
        San::Email(_) => 2,
        San::Ip(_) => 3,
    };
    // Many hosts may share an address, so it names a caller only if a pattern says so.
    let names = certificate.names.iter().filter(|name| !matches!(name, San::Ip(_)));
    match names.min_by_key(rank) {
        Some(name) => Some(name.text().to_owned()),
        None => (!certificate.subject.is_empty()).then(|| certificate.subject.to_text()),
    }
}

/// The principal's claims: `subject`, `serial`, `fingerprint`, and the alternative names as `uri`, `dns`, `email`
/// and `ip`.
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

/// The certificate of a connection, if it could be read.
struct LeafCertificate(Option<Certificate>);

impl LeafCertificate {
    fn new(leaf: &Bytes) -> Self {
        Self(Certificate::read(leaf))
    }
}

/// The TLS facts of the connection: from this project's listener, or from the extension that the user of another
/// server has inserted.
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

    /// The handshake asks for certificates, before any request.
    fn challenges(&self, _: Cause<'_>) -> Vec<Challenge> {
        Vec::new()
    }

    fn header_names(&self) -> Vec<HeaderName> {
        [forwarded::HEADER].into_iter().chain(self.id_header.clone()).collect()
    }
}
