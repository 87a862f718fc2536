//! One path, many spellings: none reaches an origin by a route that its meaning does not belong to (RFC 3986,
//! section 6.2.2).

use harness::{Gateway, H2Client, Origin, Outcome, RawClient, RawH2Client, Tally};

/// Ways to stand before a segment.
const LEADS: [&str; 34] = [
    "/",
    "//",
    "///",
    "/./",
    "/././",
    "/.//",
    "/%2e/",
    "/%2E/",
    "/x/../",
    "/x/y/../../",
    "/x//../",
    "/x/./../",
    "/x/%2e%2e/",
    "/x/%2E%2e/",
    "/x/.%2e/",
    "/x/%2e./",
    "/../",
    "/../../",
    "/%2e%2e/",
    "/x/..//",
    "/x/%2e%2e//",
    "/x/..;/",
    "/x/..;a=b/",
    "/x/%2e%2e;/",
    "/.;/",
    "/x/..%3b/",
    "/x%2f..%2f",
    "/x/..%2f",
    "/%2f",
    "/x\\..\\",
    "/x/..\\",
    "/\\",
    "/%5c",
    "/x%5c..%5c",
];

/// Ways to write a segment that a service reads as `admin`.
const NAMES: [&str; 22] = [
    "admin",
    "%61dmin",
    "adm%69n",
    "%61%64%6d%69%6e",
    "%61%64%6D%69%6E",
    "admin/",
    "admin//",
    "admin/.",
    "admin/./",
    "admin/x/..",
    "admin/x/../",
    "admin/%2e",
    "admin/x/%2e%2e",
    "admin?x=/",
    "admin/?/../x",
    "admin%00",
    "admin#x",
    "admin/..%2fadmin",
    "admin;",
    "admin;x=1",
    "admin%3Bx/y",
    "admin;/;x/..",
];

fn variants() -> Vec<String> {
    LEADS.iter().flat_map(|lead| NAMES.iter().map(move |name| format!("{lead}{name}"))).collect()
}

/// What a forgiving service makes of a target: it decodes once, takes `\` for `/`, drops parameters, and resolves dot
/// segments.
fn meaning(target: &str) -> Vec<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default().as_bytes();
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < path.len() {
        let escaped = path.get(at + 1..at + 3).filter(|_| path[at] == b'%');
        let byte = escaped.and_then(|digits| std::str::from_utf8(digits).ok());
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(path[at]);
                at += 1;
            }
        }
    }
    let mut segments = Vec::new();
    for segment in String::from_utf8_lossy(&decoded).split(['/', '\\']) {
        let bare = segment.split([';', '\0']).next().unwrap_or_default();
        match bare {
            "." | "" => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(bare.to_owned()),
        }
    }
    segments
}

fn is_admin(target: &str) -> bool {
    meaning(target).first().is_some_and(|segment| segment == "admin")
}

#[test]
fn the_forgiving_service_is_forgiving() {
    for target in
        ["/admin", "//x/%2e%2e/%61dmin", "/x/..;a/admin", "/x%5c..%2fadmin?y", "/admin%00", "/admin;x"]
    {
        assert!(is_admin(target), "{target}");
    }
    for target in ["/", "/x/admin", "/admin/../x", "/administrator", "/%2561dmin"] {
        assert!(!is_admin(target), "{target}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_protected_path_reaches_the_open_origin() {
    let (open, protected) = (Origin::ok().await, Origin::ok().await);
    let gateway = Gateway::with_routes(&format!(
        "- {{path_prefix: /, upstream: \"{}\"}}\n- {{path_prefix: /admin, upstream: \"{}\"}}\n",
        open.address(),
        protected.address()
    ));
    let mut tally = Tally::new();
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    for target in variants() {
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let status = RawClient::once(gateway.address(), request).await.status();
        check(&mut tally, &format!("{target} over HTTP/1.1"), status, &open, &protected);

        // What a URI of the `http` crate cannot hold is for HTTP/1.1 alone.
        let Ok(request) = http::Request::get(format!("http://x{target}")).body("") else { continue };
        let status = over_http2.exchange(request).await.unwrap().status();
        check(&mut tally, &format!("{target} over HTTP/2"), status, &open, &protected);
    }
    tally.finish(1000);
}

fn check(tally: &mut Tally, case: &str, status: u16, open: &Origin, protected: &Origin) {
    let at_open = open.take_requests();
    let leaked = at_open.iter().any(|request| is_admin(request.target()));
    tally.check(case, !leaked, at_open.first().map(|request| request.target().to_owned()));
    let at_protected = protected.take_requests();
    let canonical = at_protected.iter().all(|request| {
        let path = request.target().split('?').next().unwrap_or_default();
        path == "/admin" || path.starts_with("/admin/")
    });
    tally.check(case, canonical, at_protected.first().map(|request| request.target().to_owned()));
    let arrived = at_open.len() + at_protected.len();
    tally.check(case, matches!((status, arrived), (200, 1) | (400, 0)), (status, arrived));
}

/// The `http` crate cuts a `:path` at `#` before anything of the gateway sees it. What is left is the path, for every
/// part of the gateway alike.
#[tokio::test]
async fn over_http2_the_path_before_a_fragment_is_routed_judged_and_forwarded() {
    let (open, admin) = (Origin::ok().await, Origin::ok().await);
    let gateway = Gateway::with_routes(&format!(
        "- {{path_prefix: /, upstream: \"{}\"}}\n- {{path_prefix: /admin, upstream: \"{}\"}}\n\
         - {{path_prefix: /locked, upstream: \"{}\", allow_ips: [192.0.2.0/24]}}\n",
        open.address(),
        admin.address(),
        open.address(),
    ));
    let mut tally = Tally::new();
    for (path, status, at_open, at_admin) in [
        ("/open#", 200, Some("/open"), None),
        ("/open#/../admin", 200, Some("/open"), None),
        ("/open#/../../admin", 200, Some("/open"), None),
        ("/open/#/../admin", 200, Some("/open/"), None),
        ("/open#admin#/admin", 200, Some("/open"), None),
        ("/open#?x=/admin", 200, Some("/open"), None),
        ("/open?x=1#/../admin", 200, Some("/open?x=1"), None),
        ("/open/..#/admin", 200, Some("/"), None),
        ("/open//./#/locked", 200, Some("/open/"), None),
        ("/#/admin", 200, Some("/"), None),
        ("/%61dmin#/../open", 200, None, Some("/admin")),
        ("/admin#/../open", 200, None, Some("/admin")),
        ("/open/../admin#", 200, None, Some("/admin")),
        ("/open#/../locked", 200, Some("/open"), None),
        ("/locked#/../open", 403, None, None),
        ("/open/../locked#/../open", 403, None, None),
        ("/loc%6bed#", 403, None, None),
        ("#/admin", 200, Some("/"), None),
        // What is escaped is no fragment.
        ("/open%23/../admin", 200, None, Some("/admin")),
        ("/open%23/../locked", 403, None, None),
        // A fragment does not hide what is refused before it.
        ("/open%2f..#", 400, None, None),
        ("/open\\#", 400, None, None),
    ] {
        // The status of a second response would refer to the first.
        let mut client = RawH2Client::connect(gateway.address()).await;
        let fields: [(&[u8], &[u8]); 4] =
            [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path.as_bytes())];
        client.headers(1, &fields, true).await.unwrap();
        tally.equal(path, client.outcome(1).await, Outcome::Status(status));
        let targets = |origin: &Origin| {
            origin.take_requests().iter().map(|request| request.target().to_owned()).collect::<Vec<_>>()
        };
        tally.equal(format!("{path} at /"), targets(&open), Vec::from_iter(at_open.map(str::to_owned)));
        tally.equal(format!("{path} at /admin"), targets(&admin), Vec::from_iter(at_admin.map(str::to_owned)));
    }
    tally.finish(66);
}

#[tokio::test]
async fn the_path_that_arrives_is_canonical_and_the_query_untouched() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    for (target, expected) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/a/..", "/"),
        ("/../a", "/a"),
        ("/%7Euser/%41", "/~user/A"),
        ("/a%2db", "/a-b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a;x=1/b", "/a;x=1/b"),
        ("/a%3bx", "/a%3Bx"),
        ("/a%252fb", "/a%252fb"),
        ("/a%20b", "/a%20b"),
        ("/a?b=%2e%2e/../c//d;e%2f", "/a?b=%2e%2e/../c//d;e%2f"),
        ("/a?", "/a?"),
        ("/a??b?c", "/a??b?c"),
        ("/a?%zz&%", "/a?%zz&%"),
        ("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="),
        ("/{x}|", "/%7Bx%7D%7C"),
    ] {
        let response =
            RawClient::once(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let seen = origin.take_requests();
        let found = seen.first().map_or_else(|| format!("{response:?}"), |request| request.target().to_owned());
        tally.equal(target, found.as_str(), expected);
        let _ = RawClient::once(gateway.address(), format!("GET {expected} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let again = origin.take_requests();
        tally.equal(format!("{target}, again"), again.first().map(|request| request.target()), Some(expected));
    }
    tally.finish(40);
}

#[tokio::test]
async fn a_path_that_cannot_be_told_apart_is_refused() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    for target in [
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0a",
        "/a%0d%0aX:y",
        "/a%7f",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a#b",
        "/#",
        "/a?b#c",
        "/..;/a",
        "/.;x",
    ] {
        let response =
            RawClient::once(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        tally.check(target, response.is_problem(400), response);
    }
    tally.check("the origin", origin.requests().is_empty(), origin.requests());
    tally.finish(17);
}

#[tokio::test]
async fn an_encoded_slash_is_kept_where_a_route_allows_it() {
    let origin = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!(
        "- {{path_prefix: /, upstream: \"{0}\"}}\n- {{path_prefix: /files, upstream: \"{0}\", allow_encoded_slash: true}}\n",
        origin.address()
    ));
    let mut tally = Tally::new();
    for (target, expected) in [
        ("/files/a%2Fb", Some("/files/a%2Fb")),
        ("/files/a%2fb", Some("/files/a%2Fb")),
        ("/files/a%2f..%2fb", None),
        ("/files/..%2fb", None),
        ("/files%2fa", None),
        ("/a%2fb", None),
        ("/files/a%5cb", None),
        ("/files/../a%2fb", None),
    ] {
        let response =
            RawClient::once(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let seen = origin.take_requests();
        let status = if expected.is_some() { 200 } else { 400 };
        let arrived = seen.first().map(|request| request.target());
        tally.check(target, arrived.map(str::to_uppercase) == expected.map(str::to_uppercase), arrived);
        tally.equal(target, response.status(), status);
    }
    tally.finish(16);
}

#[tokio::test]
async fn empty_segments_are_kept_where_a_route_says_so() {
    let origin = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!(
        "- {{path_prefix: /, upstream: \"{0}\"}}\n\
         - {{path_prefix: /plain, upstream: \"{0}\", merge_slashes: off}}\n\
         - {{path_prefix: /store, upstream: \"{0}\", merge_slashes: off, rewrite: {{prefix: /}}}}\n\
         - {{path: \"/pair/{{a}}/{{b}}\", upstream: \"{0}\", merge_slashes: off}}\n\
         - {{path: /exact/a, upstream: \"{0}\", merge_slashes: off}}\n\
         - {{path_prefix: /plain/secret, upstream: \"{0}\", match: {{headers: {{x-key: k}}}}}}\n\
         - {{host: store.test, path_prefix: /, upstream: \"{0}\", merge_slashes: off}}\n\
         - {{host: store.test, path_prefix: /admin, upstream: \"{0}\", rewrite: {{prefix: /guarded}}}}\n",
        origin.address()
    ));
    let mut tally = Tally::new();
    for (host, target, expected) in [
        ("x", "/a//b", Ok("/a/b")),
        ("x", "/plain/https://h.test/a.jpg?b=//c", Ok("/plain/https://h.test/a.jpg?b=//c")),
        ("x", "/plain//", Ok("/plain//")),
        ("x", "/plain/a/./b//%41", Ok("/plain/a/b//A")),
        ("x", "/plain/a//../b", Ok("/plain/a/b")),
        ("x", "/plain/../a//b", Ok("/a/b")),
        ("x", "/store//bucket//key", Ok("//bucket//key")),
        ("x", "/store/bucket//key/", Ok("/bucket//key/")),
        ("x", "/pair/1/2", Ok("/pair/1/2")),
        ("x", "/exact/a", Ok("/exact/a")),
        ("store.test", "//bucket//key", Ok("//bucket//key")),
        ("store.test", "//admin//x", Ok("/guarded/x")),
        ("store.test", "/admin//x", Ok("/guarded/x")),
        ("x", "//plain/a//b", Err(404)),
        ("x", "/exact//a", Err(404)),
        ("x", "/pair//1/2", Err(404)),
        ("x", "/plain//%2f", Err(400)),
        ("x", "/plain//a%5cb", Err(400)),
        ("x", "/plain//..;/b", Err(400)),
        ("x", "/store//../../..//etc", Ok("/etc")),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let response = RawClient::once(gateway.address(), request).await;
        let seen = origin.take_requests();
        let arrived = seen.first().map(|request| request.target()).ok_or(response.status());
        tally.equal(target, arrived, expected);
    }
    tally.finish(20);
}

#[tokio::test]
async fn no_path_climbs_out_of_a_rewrite() {
    let origin = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!(
        "- {{path_prefix: /public, upstream: \"{0}\", rewrite: {{prefix: /internal/public}}}}\n\
         - {{path_regex: \"^/by/(.*)$\", upstream: \"{0}\", rewrite: {{path: \"/internal/public/$1\"}}}}\n\
         - {{path_regex: \"^/at(.*)$\", upstream: \"{0}\", rewrite: {{path: \"/internal/public/$1\"}}}}\n\
         - {{path: \"/of/{{name}}\", upstream: \"{0}\", rewrite: {{path: \"/internal/public/{{name}}\"}}}}\n",
        origin.address()
    ));
    let mut tally = Tally::new();
    // After `/at` a capture begins within a segment: that of `/at../x` is `../x`.
    for start in ["/public", "/by", "/at", "/at.", "/at..", "/at/..", "/of"] {
        for climb in LEADS {
            for end in ["secret", "..", ".", "%2e%2e", "..%2fsecret", "x/../../secret", "..;/secret", ""] {
                let target = format!("{start}{climb}{end}");
                let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
                let response = RawClient::once(gateway.address(), request).await;
                let seen = origin.take_requests();
                let inside = seen.iter().all(|request| {
                    let meaning = meaning(request.target());
                    meaning.len() >= 2 && meaning[..2] == ["internal", "public"]
                });
                tally.check(&target, inside, seen.first().map(|request| request.target().to_owned()));
                tally.check(&target, matches!(response.status(), 200 | 400 | 404), response.status());
            }
        }
    }
    tally.finish(1000);
}
