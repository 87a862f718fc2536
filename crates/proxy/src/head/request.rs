//! The head of a request on its way through.
//!
//! Fields of one connection and fields that the client may not set are removed first. The gateway's own fields are added
//! afterwards, so that a client cannot have them removed.

use gatewright_core::{Error, ErrorKind, RequestRecord, claims, hop_by_hop, method_override};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{COOKIE, EXPECT, HOST, TE},
    request,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::loops;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of a request, as its client wrote it.
pub(crate) struct Destination {
    /// The authority that was routed; `None` when the client named none (HTTP/1.0).
    host: Option<HeaderValue>,
    /// Whether the client takes trailers (RFC 9110, section 10.1.4). A gRPC service demands that of the gateway too.
    trailers: bool,
    /// Whether there may be more than one `Host` field.
    several_hosts: bool,
}

/// The fields of a request that need more work. One look over the head finds all of them, since most requests have none.
#[derive(Default)]
struct SpecialFields {
    hosts: usize,
    cookies: usize,
    trailers: bool,
    hop_by_hop: bool,
    expect: bool,
    method_override: bool,
    forwarded_for: bool,
    forwarded_host: bool,
    forwarded_proto: bool,
    cdn_loop: bool,
}

impl SpecialFields {
    fn in_fields(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            match name.as_str() {
                "host" => found.hosts += 1,
                "cookie" => found.cookies += 1,
                "expect" => found.expect = true,
                "cdn-loop" => found.cdn_loop = true,
                "x-forwarded-for" => found.forwarded_for = true,
                "x-forwarded-host" => found.forwarded_host = true,
                "x-forwarded-proto" => found.forwarded_proto = true,
                "te" => {
                    found.hop_by_hop = true;
                    found.trailers |= takes_trailers(value);
                }
                name => {
                    found.hop_by_hop |= hop_by_hop::is_one(name);
                    found.method_override |= method_override::is_one(name);
                }
            }
        }
        found
    }
}

/// Whether `trailers` is one of the codings that a client takes (RFC 9110, section 10.1.4).
fn takes_trailers(te: &HeaderValue) -> bool {
    let mut codings = te.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// Removes the fields that are not forwarded, and adds the fields that only the gateway knows.
///
/// # Errors
///
/// When the request may not be forwarded, or has come back to this gateway too often.
pub(crate) fn prepare(
    parts: &mut request::Parts,
    record: Option<&RequestRecord>,
    pass_method_override: bool,
) -> Result<Destination, Error> {
    if parts.method == Method::CONNECT {
        return Err(Error::new(ErrorKind::BadRequest, "CONNECT is not forwarded"));
    }
    // When no layer has decided whom to trust, nobody is trusted.
    let removed =
        record.map(|record| record.with_layers(|_, layers| (layers.claims_removed, layers.identity_removed)));
    match removed {
        Some((true, _)) => {}
        Some((false, true)) => claims::remove_forwarding(&mut parts.headers),
        Some((false, false)) | None => claims::remove(&mut parts.headers, false),
    }
    let mut found = SpecialFields::in_fields(&parts.headers);
    let host = match parts.uri.authority() {
        Some(authority) => Some(
            HeaderValue::from_str(host_of(authority))
                .map_err(|error| Error::new(ErrorKind::BadRequest, error))?,
        ),
        None => parts.headers.get(HOST).map(without_empty_port),
    };
    if found.hop_by_hop {
        hop_by_hop::remove(&mut parts.headers);
        // `Connection` may have nominated some of the others.
        found = SpecialFields { trailers: found.trailers, ..SpecialFields::in_fields(&parts.headers) };
    }
    if found.method_override && !pass_method_override {
        method_override::remove(&mut parts.headers);
    }
    loops::pass(&mut parts.headers, found.cdn_loop)?;
    if found.expect {
        // The server answers `Expect` when the body is read, that is when the upstream takes it.
        parts.headers.remove(EXPECT);
    }
    if found.cookies > 1 {
        join_cookies(&mut parts.headers);
    }
    add_forwarded(&mut parts.headers, &found, host.as_ref(), record);
    Ok(Destination { host, trailers: found.trailers, several_hosts: found.hosts > 1 })
}

/// The authority without user information, which is not allowed in `Host` (RFC 9110, section 7.2).
fn host_of(authority: &Authority) -> &str {
    let text = authority.as_str();
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    host.strip_suffix(':').unwrap_or(host)
}

/// An empty port has no meaning, and is not forwarded (RFC 3986, section 3.2.3).
fn without_empty_port(host: &HeaderValue) -> HeaderValue {
    let stripped = host.as_bytes().strip_suffix(b":").and_then(|host| HeaderValue::from_bytes(host).ok());
    stripped.unwrap_or_else(|| host.clone())
}

/// Joins cookies that HTTP/2 has split. They are one field in HTTP/1 (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn add_forwarded(
    headers: &mut HeaderMap,
    found: &SpecialFields,
    host: Option<&HeaderValue>,
    record: Option<&RequestRecord>,
) {
    let known = record.map(|record| record.with(|summary| (summary.client, summary.host.clone())));
    let (client, first_host) = known.unwrap_or_default();
    let connection = record.and_then(RequestRecord::connection);
    let peer = match (connection, client) {
        (Some(connection), _) => Some(connection.peer_text().clone()),
        (None, Some(client)) => HeaderValue::from_str(&client.peer().ip().to_string()).ok(),
        (None, None) => None,
    };
    if let Some(peer) = peer {
        let hops = match found.forwarded_for {
            false => Some(peer),
            true => appended(headers, &peer),
        };
        if let Some(hops) = hops {
            headers.insert(X_FORWARDED_FOR, hops);
        }
    }
    let secure = match (client, connection) {
        (Some(client), _) => client.is_secure(),
        (None, Some(connection)) => connection.tls().is_some(),
        (None, None) => false,
    };
    if record.is_some() && !found.forwarded_proto {
        let scheme = if secure { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if let Some(host) = first_host.as_ref().or(host)
        && !found.forwarded_host
    {
        headers.insert(X_FORWARDED_HOST, host.clone());
    }
}

/// The hops that a trusted peer has named, followed by the peer itself.
fn appended(headers: &HeaderMap, peer: &HeaderValue) -> Option<HeaderValue> {
    let hops = headers.get_all(X_FORWARDED_FOR).iter().chain([peer]).map(HeaderValue::as_bytes);
    HeaderValue::from_bytes(&hops.collect::<Vec<_>>().join(&b", "[..])).ok()
}

impl Destination {
    /// Writes the request's target and host as this version of HTTP wants them. The endpoint's own host is written when
    /// the client named none, or when the client's host is not preserved.
    pub(crate) fn write<B>(
        &self,
        request: &mut Request<B>,
        version: Version,
        scheme: Scheme,
        own: &HeaderValue,
        preserve_host: bool,
    ) -> Result<(), Error> {
        *request.version_mut() = version;
        let host = self.host.as_ref().filter(|_| preserve_host).unwrap_or(own);
        if version == Version::HTTP_2 {
            let authority = Authority::try_from(host.as_bytes())
                .map_err(|error| Error::new(ErrorKind::BadRequest, error))?;
            let path = path_of(request.uri());
            let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
            *request.uri_mut() = uri.map_err(|error| Error::new(ErrorKind::BadRequest, error))?;
            request.headers_mut().remove(HOST);
            if self.trailers {
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
            return Ok(());
        }
        if request.uri().authority().is_some() {
            *request.uri_mut() = Uri::from(path_of(request.uri()));
        }
        // Most often the client has sent the same field.
        if self.several_hosts || request.headers().get(HOST) != Some(host) {
            request.headers_mut().insert(HOST, host.clone());
        }
        if self.trailers {
            // An earlier attempt over HTTP/2 may have added it.
            request.headers_mut().remove(TE);
        }
        Ok(())
    }
}

fn path_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(request: request::Builder) -> (Request<gatewright_core::Body>, Destination) {
        let (mut parts, body) = request.body(gatewright_core::Body::empty()).expect("a request").into_parts();
        let destination = prepare(&mut parts, None, false).expect("is forwarded");
        (Request::from_parts(parts, body), destination)
    }

    #[test]
    fn the_routed_authority_becomes_the_host() {
        let own = HeaderValue::from_static("orders:8080");
        for (uri, host, preserve, expected) in [
            ("http://user@a.example:81/x?y=1", Some("evil"), true, "a.example:81"),
            ("/x?y=1", Some("a.example"), true, "a.example"),
            ("/x?y=1", Some("a.example"), false, "orders:8080"),
            ("/x?y=1", None, true, "orders:8080"),
        ] {
            let mut builder = Request::get(uri);
            if let Some(host) = host {
                builder = builder.header(HOST, host);
            }
            let (mut request, destination) = prepared(builder);
            destination.write(&mut request, Version::HTTP_11, Scheme::HTTP, &own, preserve).expect("writes");
            assert_eq!(request.headers()[HOST], expected);
            assert_eq!(request.uri(), "/x?y=1");
            destination.write(&mut request, Version::HTTP_2, Scheme::HTTPS, &own, preserve).expect("writes");
            assert_eq!(request.uri().to_string(), format!("https://{expected}/x?y=1"));
            assert!(!request.headers().contains_key(HOST));
        }
    }

    #[test]
    fn what_overrides_the_method_goes_unless_it_is_let_by() {
        for (pass, left) in [(false, 0), (true, 3)] {
            let request = Request::post("/")
                .header("x-http-method-override", "DELETE")
                .header("x_http_method", "DELETE")
                .header("X-Method.Override", "DELETE");
            let (mut parts, ()) = request.body(()).expect("a request").into_parts();
            prepare(&mut parts, None, pass).expect("is forwarded");
            let overriding = parts.headers.keys().filter(|name| method_override::is_one(name.as_str())).count();
            assert_eq!(overriding, left);
        }
    }

    #[test]
    fn trailers_are_taken_by_whoever_says_so_among_others() {
        for (te, taken) in [
            (&b"trailers"[..], true),
            (b"gzip;q=0.5, Trailers", true),
            (b"\xff, trailers ,", true),
            (b"gzip, deflate", false),
            (b"trailers;q=1", false),
            (b"x-trailers", false),
        ] {
            let te = HeaderValue::from_bytes(te).expect("a value");
            let (_, destination) = prepared(Request::get("/").header(TE, te));
            assert_eq!(destination.trailers, taken);
        }
    }

    #[test]
    fn split_cookies_are_joined() {
        let (request, _) = prepared(Request::get("/").header(COOKIE, "a=1").header(COOKIE, "b=2"));
        assert_eq!(request.headers().get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
    }

    #[test]
    fn without_a_record_no_claim_is_believed() {
        let (request, _) = prepared(
            Request::get("/")
                .header(HOST, "a")
                .header("x-forwarded-for", "6.6.6.6")
                .header("x-user-id", "root"),
        );
        assert!(!request.headers().contains_key("x-forwarded-for"));
        assert!(!request.headers().contains_key("x-user-id"));
        assert_eq!(request.headers()["x-forwarded-host"], "a");
    }
}
