//! Client certificates, over TLS.

use std::sync::Arc;

use gatewright::{
    AuthLayer,
    auth::{Anonymous, Any, ApiKeys, Mtls, NewApiKey},
    server::{ClientAuth, TlsConfig},
};
use harness::{Ca, ClientConfig, H2Client, Identity, RawClient, Socket};

use crate::gateway::{Gateway, request};

const DEVICE: &str = "spiffe://example.com/device/7";
const FORGED: &[(&str, &str)] = &[
    ("X-Forwarded-Client-Cert", "Hash=00;URI=spiffe://example.com/device/1"),
    ("x-forwarded-client-cert", "Hash=01;URI=spiffe://example.com/device/2"),
];

/// A listener's TLS that asks clients for certificates of this authority, save the revoked ones.
fn tls(ca: &Ca, auth: ClientAuth, revoked: &[u64]) -> TlsConfig {
    let server = ca.server(&["localhost"]);
    let mut tls = TlsConfig::builder()
        .certificate_files(&server.cert, &server.key)
        .client_auth(auth)
        .client_ca_file(ca.pem());
    if !revoked.is_empty() {
        tls = tls.crl_file(ca.revoke(revoked));
    }
    tls.build().unwrap()
}

fn devices() -> Mtls {
    Mtls::new().san("spiffe://example.com/device/*").unwrap()
}

async fn connect(gateway: &Gateway, client: Arc<ClientConfig>) -> Option<RawClient> {
    RawClient::connect_tls(gateway.address, client, "localhost").await.ok()
}

/// The status of a request on a connection of its own; `None` when the handshake fails or the connection is closed.
async fn ask(gateway: &Gateway, ca: &Ca, identity: Option<&Identity>) -> Option<u16> {
    let mut client = connect(gateway, ca.trusting_client(&[], identity)).await?;
    // In TLS 1.3 a client learns after its handshake that its certificate is refused.
    client.send(request("/", FORGED)).await;
    client.response().await.ok().map(|response| response.status())
}

#[tokio::test]
async fn a_required_certificate_says_who_calls_and_is_told_to_the_service() {
    let ca = Ca::new();
    let devices = devices().forward_certificate_by("spiffe://example.com/gateway").unwrap();
    let gateway = Gateway::start_tls(AuthLayer::new(devices), tls(&ca, ClientAuth::Required, &[9])).await;

    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    assert_eq!(ask(&gateway, &ca, Some(&device)).await, Some(200));
    let request = gateway.origin.only_request();
    let told = request.head.fields.all("x-forwarded-client-cert");
    let [told] = told[..] else { panic!("one, and none of the forged: {told:?}") };
    assert!(told.starts_with("By=spiffe://example.com/gateway;Hash="), "{told}");
    assert!(
        told.ends_with(";Subject=\"CN=d7.example.com\";URI=spiffe://example.com/device/7;DNS=d7.example.com"),
        "{told}"
    );
    assert_eq!(gateway.log(1).await[0]["principal"], DEVICE);

    // None of these gets as far as a request.
    gateway.origin.take_requests();
    let stranger = Ca::new();
    for (what, identity) in [
        ("none", None),
        ("expired", Some(ca.expired_client("d7.example.com"))),
        ("of another authority", Some(stranger.client_with_uri("d7.example.com", DEVICE, 7))),
        ("revoked", Some(ca.client_with_uri("d9.example.com", DEVICE, 9))),
        ("a server's", Some(ca.server(&["d7.example.com"]))),
    ] {
        assert_eq!(ask(&gateway, &ca, identity.as_ref()).await, None, "{what}");
    }
    assert!(gateway.origin.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let ca = Ca::new();
    let gateway = Gateway::start_tls(AuthLayer::new(devices()), tls(&ca, ClientAuth::Required, &[])).await;
    let other = ca.client_with_uri("d7.example.com", "spiffe://example.com/device/7/admin", 7);
    assert_eq!(ask(&gateway, &ca, Some(&other)).await, Some(403));
    gateway.assert_refused(1, "certificate_not_accepted").await;
    assert_eq!(gateway.origin.accepted(), 0);
}

#[tokio::test]
async fn where_certificates_are_optional_each_route_says_what_it_takes() {
    let ca = Ca::new();
    let key = NewApiKey::builder("partner").generate().unwrap();
    let any = Any::of(devices()).or(ApiKeys::from_yaml(key.entry()).build().unwrap());
    let gateway = Gateway::start_tls(AuthLayer::new(any), tls(&ca, ClientAuth::Optional, &[])).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    let other = ca.client_with_uri("d8.example.com", "spiffe://example.com/printer/8", 8);
    let with_key: &[(&str, &str)] = &[("x-api-key", key.secret())];

    let mut expected = Vec::new();
    for (identity, fields, status, principal) in [
        (Some(&device), FORGED, 200, Some(DEVICE)),
        (Some(&device), with_key, 200, Some(DEVICE)),
        (None, with_key, 200, Some("partner")),
        (Some(&other), with_key, 200, Some("partner")),
        (Some(&other), FORGED, 401, None),
        (None, FORGED, 401, None),
    ] {
        let mut client = connect(&gateway, ca.trusting_client(&[], identity)).await.unwrap();
        assert_eq!(client.exchange(request("/", fields)).await.status(), status, "{fields:?}");
        expected.push(principal);
    }
    let log = gateway.log(6).await;
    let principals: Vec<_> = log.iter().map(|line| line.get("principal").and_then(|id| id.as_str())).collect();
    assert_eq!(principals, expected);
    // Without the switch nobody is told of certificates, and a key goes no further, whoever let the request in.
    let requests = gateway.origin.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        assert_eq!((request.header("x-forwarded-client-cert"), request.header("x-api-key")), (None, None));
    }
}

#[tokio::test]
async fn a_name_that_is_revoked_while_the_gateway_runs_is_refused_from_the_next_handshake_on() {
    let ca = Ca::new();
    let config = tls(&ca, ClientAuth::Required, &[1]);
    let gateway = Gateway::start_tls(AuthLayer::new(devices()), config.clone()).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    // One configuration keeps its session, so that the second handshake is a resumption if it may be.
    let client = ca.trusting_client(&[], Some(&device));
    let mut first = connect(&gateway, Arc::clone(&client)).await.unwrap();
    assert_eq!(first.exchange(request("/", &[])).await.status(), 200);
    config.replace(&tls(&ca, ClientAuth::Required, &[1, 7]));
    let second = async {
        let mut second = connect(&gateway, client).await?;
        second.send(request("/", &[])).await;
        second.response().await.ok()
    };
    assert!(second.await.is_none(), "a session of before is not resumed past the list");
    assert_eq!(first.exchange(request("/", &[])).await.status(), 200, "an open connection goes on");
}

#[tokio::test]
async fn all_streams_of_a_connection_are_the_certificates_holder() {
    let ca = Ca::new();
    let gateway = Gateway::start_tls(AuthLayer::new(devices()), tls(&ca, ClientAuth::Required, &[])).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    let client = ca.trusting_client(&["h2"], Some(&device));
    let mut client = H2Client::connect_tls(gateway.address, client, "localhost").await.unwrap();
    for (host, status) in [("localhost", 200), ("localhost", 200), ("other.example", 421)] {
        let request = http::Request::get(format!("https://{host}/")).body("").unwrap();
        assert_eq!(client.exchange(request).await.unwrap().status(), status, "{host}");
    }
    assert_eq!(gateway.origin.requests().len(), 2);
}

/// The statuses of two requests on connections of their own by one client, which offers the second listener the session
/// of the first; and whether that was taken.
async fn ask_in_turn(client: &Arc<ClientConfig>, gateways: [&Gateway; 2]) -> ([Option<u16>; 2], bool) {
    let mut statuses = [None; 2];
    let mut resumed = false;
    for (gateway, status) in gateways.into_iter().zip(&mut statuses) {
        let Some(mut client) = connect(gateway, Arc::clone(client)).await else { continue };
        client.send(request("/", &[])).await;
        *status = client.response().await.ok().map(|response| response.status());
        if let Socket::Tls(stream) = client.into_socket() {
            resumed = format!("{:?}", stream.get_ref().1.handshake_kind()) == "Some(Resumed)";
        }
    }
    (statuses, resumed)
}

#[tokio::test]
async fn no_session_is_resumed_under_another_client_policy() {
    let (ca, stranger) = (Ca::new(), Ca::new());
    // One certificate for all listeners, so that a client takes them for one server.
    let server = ca.server(&["localhost"]);
    let listen = async |auth: ClientAuth, clients: Option<&Ca>, revoked: &[u64]| {
        let mut tls = TlsConfig::builder().certificate_files(&server.cert, &server.key).client_auth(auth);
        if let Some(clients) = clients {
            tls = tls.client_ca_file(clients.pem());
        }
        if !revoked.is_empty() {
            tls = tls.crl_file(ca.revoke(revoked));
        }
        Gateway::start_tls(AuthLayer::new(Any::of(devices()).or(Anonymous::new())), tls.build().unwrap()).await
    };
    let open = listen(ClientAuth::Off, None, &[]).await;
    let optional = listen(ClientAuth::Optional, Some(&ca), &[]).await;
    let required = listen(ClientAuth::Required, Some(&ca), &[]).await;
    let strangers = listen(ClientAuth::Required, Some(&stranger), &[]).await;
    let revoking = listen(ClientAuth::Required, Some(&ca), &[7]).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);

    // Sessions are resumed at all where the policy is the same.
    for (gateway, identity) in [(&open, None), (&optional, None), (&required, Some(&device))] {
        let client = ca.trusting_client(&[], identity);
        assert_eq!(ask_in_turn(&client, [gateway, gateway]).await, ([Some(200); 2], true));
    }
    for (first, second, identity, expected) in [
        (&open, &required, None, None),
        (&optional, &required, None, None),
        (&required, &strangers, Some(&device), None),
        (&optional, &strangers, Some(&device), None),
        (&required, &revoking, Some(&device), None),
        // These let it in, after a handshake of their own.
        (&open, &optional, None, Some(200)),
        (&open, &required, Some(&device), Some(200)),
        (&optional, &required, Some(&device), Some(200)),
        (&required, &optional, Some(&device), Some(200)),
    ] {
        let client = ca.trusting_client(&[], identity);
        assert_eq!(ask_in_turn(&client, [first, second]).await, ([Some(200), expected], false));
    }
}

#[tokio::test]
async fn a_host_that_the_handshake_did_not_name_is_misdirected() {
    let ca = Ca::new();
    let gateway = Gateway::start_tls(AuthLayer::new(devices()), tls(&ca, ClientAuth::Optional, &[])).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    for identity in [Some(&device), None] {
        let mut client = connect(&gateway, ca.trusting_client(&[], identity)).await.unwrap();
        client.send("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n").await;
        assert_eq!(client.response().await.unwrap().status(), 421);
    }
    assert_eq!(gateway.origin.accepted(), 0);
}

#[tokio::test]
async fn a_revocation_list_that_has_not_been_renewed_lets_nobody_in() {
    let ca = Ca::new();
    let server = ca.server(&["localhost"]);
    let tls = TlsConfig::builder()
        .certificate_files(&server.cert, &server.key)
        .client_auth(ClientAuth::Required)
        .client_ca_file(ca.pem())
        .crl_file(ca.revoke_until(&[1], 2021));
    let gateway = Gateway::start_tls(AuthLayer::new(devices()), tls.build().unwrap()).await;
    let device = ca.client_with_uri("d7.example.com", DEVICE, 7);
    assert_eq!(ask(&gateway, &ca, Some(&device)).await, None);
    assert_eq!(gateway.origin.accepted(), 0);
}
