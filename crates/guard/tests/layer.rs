//! The layer around services, as clients see it.

use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use gatewright_core::{Body, ClientInfoLayer, ConnectionInfo, Policy, Rejection, RequestRecord, ResponseBody};
use gatewright_guard::{IpFilterLayer, IpList};
use http::{Request, Response, StatusCode};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// A request over a connection from this peer, perhaps with what a proxy says.
fn from(peer: &str, forwarded_for: Option<&str>) -> Request<Body> {
    let peer = SocketAddr::new(peer.parse().expect("an address"), 1000);
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    let mut request = Request::get("/").extension(record);
    if let Some(hops) = forwarded_for {
        request = request.header("x-forwarded-for", hops);
    }
    request.body(Body::empty()).expect("a request")
}

async fn send(layer: &IpFilterLayer, request: Request<Body>) -> Response<ResponseBody<Body>> {
    let service = ServiceBuilder::new()
        .layer(ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network")))
        .layer(layer.clone())
        .service(service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty()))));
    service.oneshot(request).await.expect("answers")
}

async fn admits(layer: &IpFilterLayer, address: &str) -> bool {
    send(layer, from(address, None)).await.status() == StatusCode::OK
}

fn layer(allow: &[&str], deny: &[&str]) -> IpFilterLayer {
    let network = |text: &&str| text.parse().expect("a network");
    let layer = allow.iter().map(network).fold(IpFilterLayer::new(), IpFilterLayer::allow);
    deny.iter().map(network).fold(layer, IpFilterLayer::deny)
}

#[tokio::test]
async fn the_longest_prefix_decides_and_of_equals_the_one_that_denies() {
    let layer = layer(
        &["192.0.2.0/24", "198.51.100.0/25", "203.0.113.0/24"],
        &["192.0.2.128/25", "198.51.100.0/24", "203.0.113.0/24"],
    );
    for (address, admitted) in [
        ("192.0.2.1", true),
        ("192.0.2.200", false),
        ("198.51.100.1", true),
        ("198.51.100.200", false),
        ("203.0.113.1", false),
        ("8.8.8.8", false),
        ("::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.200", false),
        ("2001:db8::1", false),
    ] {
        assert_eq!(admits(&layer, address).await, admitted, "{address}");
    }
}

#[tokio::test]
async fn without_an_allow_list_all_come_in_but_those_denied() {
    let layer = layer(&[], &["2001:db8::/32", "::ffff:192.0.2.0/120"]);
    for (address, admitted) in
        [("2001:db8:9::1", false), ("2001:db9::1", true), ("192.0.2.7", false), ("192.0.3.7", true)]
    {
        assert_eq!(admits(&layer, address).await, admitted, "{address}");
    }
}

#[tokio::test]
async fn what_stands_for_all_of_one_family_says_nothing_of_the_other() {
    let layer = layer(&[], &["::/0"]);
    assert!(admits(&layer, "192.0.2.7").await && admits(&layer, "::ffff:192.0.2.7").await);
    assert!(!admits(&layer, "2001:db8::1").await);
}

#[tokio::test]
async fn a_refusal_has_no_detail_and_the_log_has_the_reason() {
    let response = send(&layer(&["192.0.2.0/24"], &[]), from("203.0.113.9", None)).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let rejection = response.extensions().get::<Rejection>().expect("a rejection");
    assert_eq!((rejection.policy(), rejection.reason()), ("ip-filter", "address_denied"));
    // A proxy that we trust cannot name its client.
    for list in [layer(&["10.0.0.0/8"], &[]), layer(&[], &["192.0.2.0/24"])] {
        let response = send(&list, from("10.0.0.1", Some("unknown"))).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let rejection = response.extensions().get::<Rejection>().expect("a rejection");
        assert_eq!((rejection.policy(), rejection.reason()), ("ip-filter", "address_unknown"));
    }
}

#[tokio::test]
async fn the_client_is_the_rightmost_untrusted_hop() {
    let layer = layer(&["192.0.2.0/24"], &[]);
    for (peer, hops, status) in [
        ("10.0.0.1", "192.0.2.1", StatusCode::OK),
        ("10.0.0.1", "192.0.2.1, 6.6.6.6", StatusCode::FORBIDDEN),
        ("10.0.0.1", "6.6.6.6, 192.0.2.1, 10.0.0.2", StatusCode::OK),
        ("6.6.6.6", "192.0.2.1", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(send(&layer, from(peer, Some(hops))).await.status(), status, "{hops} by {peer}");
    }
}

#[tokio::test]
async fn an_unknown_client_is_refused_by_every_list_unless_it_is_allowed() {
    let unknown = || Request::new(Body::empty());
    for (layer, status) in [
        (layer(&[], &[]), StatusCode::OK),
        (layer(&["0.0.0.0/0", "::/0"], &[]), StatusCode::FORBIDDEN),
        (layer(&[], &["192.0.2.0/24"]), StatusCode::FORBIDDEN),
        (IpFilterLayer::new().deny_list(IpList::from_iter([])), StatusCode::FORBIDDEN),
        (layer(&["192.0.2.0/24"], &[]).allow_unknown(), StatusCode::OK),
        (layer(&[], &["0.0.0.0/0", "::/0"]).allow_unknown(), StatusCode::OK),
    ] {
        assert_eq!(send(&layer, unknown()).await.status(), status, "{layer:?}");
    }
    let empty = IpFilterLayer::new().allow_list(IpList::from_iter([]));
    assert!(!admits(&empty, "192.0.2.1").await, "an allow list that is empty allows nobody");
    let denying = layer(&[], &["192.0.2.0/24"]).allow_unknown();
    assert!(!admits(&denying, "192.0.2.1").await, "who is known is looked up all the same");
}

#[tokio::test]
async fn a_proxy_that_cannot_name_its_client_does_not_lend_it_its_own_address() {
    let unknown = || {
        let peer = SocketAddr::new("10.0.0.1".parse().expect("an address"), 1000);
        let connection = ConnectionInfo::new(peer, peer).with_unknown_client();
        let record = RequestRecord::new(Some(Arc::new(connection)));
        Request::get("/").extension(record).body(Body::empty()).expect("a request")
    };
    let (inside, denied) = (layer(&["10.0.0.0/8"], &[]), layer(&[], &["192.0.2.0/24"]));
    assert_eq!(send(&inside, unknown()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(send(&denied, unknown()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(send(&denied.allow_unknown(), unknown()).await.status(), StatusCode::OK);
    for (hops, status) in [
        (Some("unknown"), StatusCode::FORBIDDEN),
        (Some("6.6.6.6, 2001:db8::1:4711:x, 10.0.0.2"), StatusCode::FORBIDDEN),
        (Some("evil, 10.9.9.9, 6.6.6.6"), StatusCode::FORBIDDEN),
        // A proxy that names nobody asks for itself.
        (Some(""), StatusCode::OK),
        (Some(" , "), StatusCode::OK),
        (Some("10.9.9.9"), StatusCode::OK),
        (None, StatusCode::OK),
    ] {
        assert_eq!(send(&inside, from("10.0.0.1", hops)).await.status(), status, "{hops:?}");
    }
}

#[tokio::test]
async fn without_a_layer_that_names_clients_the_peer_is_the_client_unless_it_is_a_proxy_that_cannot_name_one() {
    let admits = async |layer: IpFilterLayer, peer: &str, is_unknown: bool| {
        let peer = SocketAddr::new(peer.parse().expect("an address"), 1000);
        let connection = ConnectionInfo::new(peer, peer);
        let connection = if is_unknown { connection.with_unknown_client() } else { connection };
        let record = RequestRecord::new(Some(Arc::new(connection)));
        let request = Request::get("/").extension(record).body(Body::empty()).expect("a request");
        let inner = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
        let response =
            ServiceBuilder::new().layer(layer).service(inner).oneshot(request).await.expect("answers");
        response.status() == StatusCode::OK
    };
    let inside = layer(&["10.0.0.0/8"], &[]);
    assert!(admits(inside.clone(), "10.0.0.1", false).await);
    assert!(!admits(inside.clone(), "6.6.6.6", false).await);
    assert!(!admits(inside.clone(), "10.0.0.1", true).await);
    assert!(admits(inside.allow_unknown(), "6.6.6.6", true).await);
}

#[tokio::test]
async fn a_byte_of_the_client_does_not_let_it_by_a_deny_list() {
    let denied = layer(&[], &["203.0.113.9"]);
    let send_bytes = async |hops: &[u8]| {
        let mut request = from("10.0.0.1", None);
        let hops = http::HeaderValue::from_bytes(hops).expect("a value");
        request.headers_mut().append("x-forwarded-for", hops);
        send(&denied, request).await.status()
    };
    for hops in [
        &b"203.0.113.9"[..],
        b"\xff, 203.0.113.9",
        b"6.6.6.6\xff, 203.0.113.9, 10.0.0.2",
        b"203.0.113.9,",
        b"203.0.113.9, ,\t",
        // The proxy's own words cannot be read, so that nobody knows who the client is.
        b"203.0.113.9\xff",
        b"6.6.6.6, \xff",
    ] {
        assert_eq!(send_bytes(hops).await, StatusCode::FORBIDDEN, "{}", hops.escape_ascii());
    }
    assert_eq!(send_bytes(b"\xff, 203.0.113.8").await, StatusCode::OK);
}

/// A folder that is removed when the test ends.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-guard-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_list_file_reloads_by_itself_and_a_wrong_one_changes_nothing() {
    let folder = Folder::new("reload");
    let path = folder.0.join("partners.txt");
    fs::write(&path, "192.0.2.0/24\n").expect("writes");
    let layer = IpFilterLayer::new().allow_list(IpList::open(&path).expect("a list"));
    assert!(admits(&layer, "192.0.2.1").await && !admits(&layer, "203.0.113.1").await);

    fs::write(&path, "203.0.113.0/24\n").expect("writes");
    until(async || admits(&layer, "203.0.113.1").await).await;
    assert!(!admits(&layer, "192.0.2.1").await);

    fs::write(&path, "192.0.2.0/24\n192.0.2.0/33\n").expect("writes");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(admits(&layer, "203.0.113.1").await && !admits(&layer, "192.0.2.1").await);
}

#[tokio::test]
async fn a_list_that_denies_goes_on_while_its_file_is_empty() {
    let folder = Folder::new("emptied");
    let path = folder.0.join("blocked.txt");
    fs::write(&path, "").expect("writes");
    assert!(IpList::open_filled(&path).is_err());
    fs::write(&path, "192.0.2.0/24\n").expect("writes");
    let layer = IpFilterLayer::new().deny_list(IpList::open_filled(&path).expect("a list"));
    fs::write(&path, "\n").expect("writes");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!admits(&layer, "192.0.2.1").await);

    fs::write(&path, "# nobody\n").expect("writes");
    until(async || admits(&layer, "192.0.2.1").await).await;
}

async fn until(condition: impl AsyncFn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < patience, "it takes too long");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_list_says_what_it_holds() {
    let folder = Folder::new("held");
    let path = folder.0.join("partners.txt");
    fs::write(&path, "192.0.2.0/24\n2001:db8::/32\n203.0.113.7\n").expect("writes");
    let networks = ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7/32"];
    let fixed = IpList::from_iter(networks.map(|network| network.parse().expect("a network")));
    for list in [&fixed, &IpList::open(&path).expect("a list"), &IpList::open_filled(&path).expect("a list")] {
        assert_eq!((list.len(), list.is_empty()), (3, false));
        for (address, held) in [
            ("192.0.2.0", true),
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("192.0.1.255", false),
            ("::ffff:203.0.113.7", true),
            ("203.0.113.8", false),
            ("2001:db8:ffff::", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(list.contains(address.parse().expect("an address")), held, "{address} in {list:?}");
        }
    }
    assert_eq!(format!("{fixed:?}"), "IpList { path: None, len: 3 }");
    let empty = IpList::from_iter([]);
    assert_eq!((empty.len(), empty.is_empty()), (0, true));
    fs::write(&path, "# nobody\n").expect("writes");
    let empty = IpList::open_filled(&path).expect("a list of nobody");
    assert_eq!((empty.len(), empty.is_empty()), (0, true));
    assert_eq!(format!("{empty:?}"), format!("IpList {{ path: Some({path:?}), len: 0 }}"));
}

#[test]
fn a_policy_by_itself_has_the_name_of_its_refusals_and_decides_as_its_layer_does() {
    let policy = layer(&["192.0.2.0/24", "10.0.0.0/8"], &["192.0.2.128/25", "10.0.0.0/8"]).into_policy();
    assert_eq!(policy.name(), "ip-filter");
    for (address, admitted) in [
        (Some("192.0.2.1"), true),
        (Some("192.0.2.200"), false),
        (Some("10.1.1.1"), false),
        (Some("8.8.8.8"), false),
        (None, false),
    ] {
        let address = address.map(|address| address.parse().expect("an address"));
        assert_eq!(policy.admits(address), admitted, "{address:?}");
    }
    for (layer, unknown) in [
        (IpFilterLayer::new(), true),
        (layer(&["0.0.0.0/0"], &[]), false),
        (layer(&[], &["192.0.2.0/24"]), false),
        (layer(&[], &["192.0.2.0/24"]).allow_unknown(), true),
        (layer(&["192.0.2.0/24"], &["192.0.2.0/25"]).allow_unknown(), true),
    ] {
        assert_eq!(layer.clone().into_policy().admits(None), unknown, "{layer:?}");
    }
}

#[test]
fn a_list_that_cannot_be_read_says_why() {
    let folder = Folder::new("wrong");
    let path = folder.0.join("partners.txt");
    let missing = IpList::open(&path).expect_err("no file");
    assert!(missing.to_string().contains("partners.txt"), "{missing}");
    fs::write(&path, "192.0.2.0/24\nexample.com\n").expect("writes");
    let wrong = IpList::open(&path).expect_err("a wrong line");
    let source = std::error::Error::source(&wrong).expect("a source").to_string();
    assert!(source.starts_with("line 2: "), "{source}");
}

#[test]
fn a_list_of_fifty_thousand_networks_is_read_at_once() {
    let folder = Folder::new("many");
    let path = folder.0.join("many.txt");
    let lines: String = (0..50_000_u32)
        .map(|i| format!("{}.{}.{}.0/{}\n", 1 + i % 200, i / 256 % 256, i % 256, 24 + i % 8))
        .collect();
    fs::write(&path, lines).expect("writes");
    let started = Instant::now();
    let list = IpList::open(&path).expect("a list");
    println!("read in {:?}", started.elapsed());
    assert_eq!(list.len(), 50_000);
    assert!(started.elapsed() < Duration::from_secs(20), "even in a debug build, on a busy machine");
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer(&["192.0.2.0/24"], &[]));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}
