//! The heads on their way through: what is taken away, what is added.

use gatewright_core::{Error, ErrorKind, RequestRecord, claims, hop_by_hop, method_override};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE},
    request, response,
    uri::{Authority, PathAndQuery, Scheme},
};

use crate::loops;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request is addressed to, as its client said it.
pub(crate) struct Destination {
    /// The authority that was routed; `None` when the client named none (HTTP/1.0).
    host: Option<HeaderValue>,
    /// Whether the client takes trailers, which gRPC demands of us too (RFC 9110, section 10.1.4).
    trailers: bool,
    /// Whether there may be more than one `Host` field.
    several_hosts: bool,
}

/// What one look over a request's fields finds. Most have none of these, and are not searched for each by itself.
#[derive(Default)]
struct Found {
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

impl Found {
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

/// Whether one of the codings that a client takes is `trailers` (RFC 9110, section 10.1.4).
fn takes_trailers(te: &HeaderValue) -> bool {
    let mut codings = te.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
}

/// Takes away what is not to be forwarded, and adds what only the gateway knows.
pub(crate) fn prepare(
    parts: &mut request::Parts,
    record: Option<&RequestRecord>,
    pass_method_override: bool,
) -> Result<Destination, Error> {
    if parts.method == Method::CONNECT {
        return Err(Error::new(ErrorKind::BadRequest, "CONNECT is not forwarded"));
    }
    // Without a layer that knows whom to trust, nobody is.
    let removed =
        record.map(|record| record.with_layers(|_, layers| (layers.claims_removed, layers.identity_removed)));
    match removed {
        Some((true, _)) => {}
        Some((false, true)) => claims::remove_forwarding(&mut parts.headers),
        Some((false, false)) | None => claims::remove(&mut parts.headers, false),
    }
    let mut found = Found::in_fields(&parts.headers);
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
        found = Found { trailers: found.trailers, ..Found::in_fields(&parts.headers) };
    }
    if found.method_override && !pass_method_override {
        method_override::remove(&mut parts.headers);
    }
    loops::pass(&mut parts.headers, found.cdn_loop)?;
    if found.expect {
        // We answer `Expect` ourselves, by reading the body when the upstream takes it.
        parts.headers.remove(EXPECT);
    }
    if found.cookies > 1 {
        join_cookies(&mut parts.headers);
    }
    add_forwarded(&mut parts.headers, &found, host.as_ref(), record);
    Ok(Destination { host, trailers: found.trailers, several_hosts: found.hosts > 1 })
}

/// The authority without user information, which has no place in `Host` (RFC 9110, section 7.2).
fn host_of(authority: &Authority) -> &str {
    let text = authority.as_str();
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    host.strip_suffix(':').unwrap_or(host)
}

/// An empty port says nothing, and is not forwarded (RFC 3986, section 3.2.3).
fn without_empty_port(host: &HeaderValue) -> HeaderValue {
    let stripped = host.as_bytes().strip_suffix(b":").and_then(|host| HeaderValue::from_bytes(host).ok());
    stripped.unwrap_or_else(|| host.clone())
}

/// Cookies that HTTP/2 split are one field in HTTP/1 (RFC 9113, section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn add_forwarded(
    headers: &mut HeaderMap,
    found: &Found,
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

/// The hops that a trusted peer named, and the peer itself.
fn appended(headers: &HeaderMap, peer: &HeaderValue) -> Option<HeaderValue> {
    let hops = headers.get_all(X_FORWARDED_FOR).iter().chain([peer]).map(HeaderValue::as_bytes);
    HeaderValue::from_bytes(&hops.collect::<Vec<_>>().join(&b", "[..])).ok()
}

impl Destination {
    /// Writes the request's target and host as this version of HTTP wants them. `own` is the target's own host, in
    /// the client's stead when it named none or when it is not to be passed on.
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
        // Most often the field stands there already, as the client sent it.
        if self.several_hosts || request.headers().get(HOST) != Some(host) {
            request.headers_mut().insert(HOST, host.clone());
        }
        if self.trailers {
            // An attempt over HTTP/2 may have left it there.
            request.headers_mut().remove(TE);
        }
        Ok(())
    }
}

fn path_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// Takes away from a response what is not to be forwarded, and leaves one length at most.
///
/// # Errors
///
/// When its lengths contradict each other.
pub(crate) fn clean_response(parts: &mut response::Parts) -> Result<(), Error> {
    if parts.headers.keys().any(|name| hop_by_hop::is_one(name.as_str())) {
        hop_by_hop::remove(&mut parts.headers);
    }
    // What the upstream speaks says nothing about what we speak with the client.
    parts.version = Version::HTTP_11;
    if parts.status.is_informational() || parts.status == StatusCode::NO_CONTENT {
        // RFC 9110, section 8.6.
        parts.headers.remove(CONTENT_LENGTH);
        return Ok(());
    }
    settle_length(&mut parts.headers)
}

/// Several equal lengths are made one, written as it should be (RFC 9110, section 8.6).
fn settle_length(headers: &mut HeaderMap) -> Result<(), Error> {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = fields.next() else { return Ok(()) };
    // Nineteen digits fit into 64 bits, whatever they are.
    let plain = |text: &[u8]| match text {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if fields.next().is_none() && plain(first.as_bytes()) {
        return Ok(());
    }
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(|field| field.as_bytes().split(|byte| *byte == b','))
        .map(|text| digits(text.trim_ascii()));
    let contradiction = || Error::new(ErrorKind::Protocol, "the response's lengths contradict each other");
    let length = lengths.next().flatten().ok_or_else(contradiction)?;
    if !lengths.all(|other| other == Some(length)) {
        return Err(contradiction());
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(())
}

fn digits(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok()
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
    fn a_response_has_one_length_at_most() {
        let settled = |status: StatusCode, lengths: &[&'static str]| {
            let (mut parts, ()) = http::Response::new(()).into_parts();
            parts.status = status;
            for length in lengths {
                parts.headers.append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            clean_response(&mut parts).map(|()| {
                parts
                    .headers
                    .get_all(CONTENT_LENGTH)
                    .iter()
                    .map(|length| length.to_str().unwrap().to_owned())
                    .collect()
            })
        };
        let ok = |lengths: &[&'static str]| -> Option<Vec<String>> { settled(StatusCode::OK, lengths).ok() };
        assert_eq!(ok(&[]).unwrap(), [] as [&str; 0]);
        for one in [&["2"][..], &["2", "2"], &["2, 2"], &["002"], &["2", "02 ,2"]] {
            assert_eq!(ok(one).unwrap(), ["2"], "{one:?}");
        }
        assert_eq!(ok(&["0"]).unwrap(), ["0"]);
        for contradiction in [&["2", "3"][..], &["2,3"], &["+2"], &["2,"], &["x"], &["99999999999999999999"]] {
            let error = settled(StatusCode::OK, contradiction).expect_err("is refused");
            assert_eq!(error.kind(), ErrorKind::Protocol, "{contradiction:?}");
        }
        assert_eq!(settled(StatusCode::NO_CONTENT, &["2"]).unwrap(), [] as [&str; 0]);
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
