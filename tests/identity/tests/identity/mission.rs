//! What the gateway is for, from its file to its log: the real binary over TLS, an identity provider, three services.

use std::path::Path;

use gatewright::auth::NewApiKey;
use harness::{
    Ca, Gateway, Identity, IdentityProvider, Origin, RawClient, Reply, Response, TempDir, eventually, peer,
    within,
};
use serde_json::Value;
use tokio::process::Command;

use crate::gateway::request;

/// An address that may pay, and one that may not, as a proxy in front tells them.
const OFFICE: (&str, &str) = ("X-Forwarded-For", "192.0.2.7");
const ELSEWHERE: (&str, &str) = ("X-Forwarded-For", "198.51.100.7");

const DEVICE: &str = "spiffe://example.com/device/7";

/// All that there is: who asks, the gateway, and who is behind it.
struct Mission {
    gateway: Gateway,
    ca: Ca,
    provider: IdentityProvider,
    tokens: Value,
    partner: NewApiKey,
    poor: NewApiKey,
    orders: Origin,
    payments: Origin,
    users: Origin,
    _dir: TempDir,
}

impl Mission {
    async fn begin() -> Self {
        let ca = Ca::new();
        let provider = IdentityProvider::start(&ca).await;
        let made = tokens(&provider.issuer()).await;
        provider.publish([made["key"].clone()]);

        // The order service speaks to nobody but the gateway.
        let internal = ca.server(&["orders.internal"]).server_config_for_clients_of(&ca, &["http/1.1"]);
        let orders = Origin::start_tls(internal, Origin::decent(|_| Reply::text("ok"))).await;
        let (payments, users) = (Origin::ok().await, Origin::ok().await);

        let dir = TempDir::new();
        let partner = NewApiKey::builder("acme-2027").owner("acme").scope("payments:write").generate().unwrap();
        let poor = NewApiKey::builder("poor").generate().unwrap();
        let keys = dir.write("keys.yaml", partner.entry().to_owned() + poor.entry());

        let gateway = Gateway::builder(&file(&Services {
            ca: &ca,
            own: &ca.client("gateway.internal"),
            keys: &keys,
            provider: &provider,
            orders: &orders,
            payments: &payments,
            users: &users,
        }));
        let server = ca.server(&["localhost"]);
        let listener = format!(
            "- address: 127.0.0.1:0\n  tls: {{cert: {}, key: {}, client_ca: {}, client_auth: optional}}",
            server.cert.display(),
            server.key.display(),
            ca.pem().display(),
        );
        let gateway = gateway.listeners(&listener).start();
        let tokens = made["tokens"].clone();
        Self { gateway, ca, provider, tokens, partner, poor, orders, payments, users, _dir: dir }
    }

    /// `Authorization` with one of the issuer's tokens.
    fn bearer(&self, token: &str) -> (&'static str, String) {
        ("Authorization", format!("Bearer {}", self.tokens[token].as_str().unwrap()))
    }

    /// Asks on a connection of its own; `None` when it is not even asked what.
    async fn ask(&self, head: &str, fields: &[(&str, &str)], identity: Option<&Identity>) -> Option<Response> {
        let (method, target) = head.split_once(' ').unwrap();
        let length: &[_] = if method == "POST" { &[("Content-Length", "0")] } else { &[] };
        let head = request(target, &[fields, length].concat()).replacen("GET", method, 1);
        let client = self.ca.trusting_client(&[], identity);
        let mut client = RawClient::connect_tls(self.gateway.address(), client, "localhost").await.ok()?;
        client.try_send(head).await.ok()?;
        client.response().await.ok()
    }

    /// The last of so many lines of the log.
    async fn logged(&self, count: usize) -> serde_json::Map<String, Value> {
        self.gateway.access_log(count).await.swap_remove(count - 1)
    }

    /// How many connections and requests the services have seen.
    fn touched(&self) -> usize {
        [&self.orders, &self.payments, &self.users]
            .map(|origin| origin.accepted() + origin.requests().len())
            .iter()
            .sum()
    }
}

/// What the file of the gateway names.
struct Services<'a> {
    ca: &'a Ca,
    own: &'a Identity,
    keys: &'a Path,
    provider: &'a IdentityProvider,
    orders: &'a Origin,
    payments: &'a Origin,
    users: &'a Origin,
}

fn file(services: &Services<'_>) -> String {
    let Services { ca, own, keys, provider, orders, payments, users } = services;
    let (ca, cert, key) = (ca.pem().display(), own.cert.display(), own.key.display());
    let (orders, payments, users) = (orders.address(), payments.address(), users.address());
    format!(
        r#"
trusted_proxies: [127.0.0.0/8]
upstreams:
  orders: {{target: "{orders}", tls: {{ca: {ca}, cert: {cert}, key: {key}, server_name: orders.internal}}}}
  without_certificate: {{target: "{orders}", tls: {{ca: {ca}, server_name: orders.internal}}}}
auth:
  app:
    jwt:
      issuer: {issuer}
      audiences: [api]
      jwks_url: {jwks}
      ca: {ca}
      headers: {{x-user-id: sub}}
  partner: {{api_key: {{keys_file: {keys}, id_header: x-partner}}}}
  device: {{mtls: {{san: "spiffe://example.com/device/*", scopes: [telemetry:write]}}}}
limits:
  per_user: {{rate: 2/h, key: principal}}
defaults: {{auth: app}}
routes:
- path_prefix: /v1/orders
  upstream: orders
  rewrite: {{prefix: /internal/orders}}
- path_prefix: /v1/payments
  methods: [POST]
  upstream: "{payments}"
  auth: {{any: [app, partner]}}
  scopes: [payments:write]
  allow_ips: [192.0.2.0/24]
- path: /v1/users/me
  upstream: "{users}"
  limit: per_user
- path: /v1/users
  upstream: "{users}"
  roles: [clerk, admin]
- path: /v1/telemetry
  upstream: "{users}"
  auth: device
  scopes: [telemetry:write]
- path: /v1/broken
  upstream: without_certificate
- path: /v1/open
  upstream: "{users}"
  auth: none
"#,
        issuer = provider.issuer(),
        jwks = provider.jwks_url(),
        keys = keys.display(),
    )
}

async fn tokens(issuer: &str) -> Value {
    let mut command = Command::new(peer::python());
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/mission.py")).arg(issuer).kill_on_drop(true);
    let output = within("tokens", command.output()).await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

#[tokio::test]
async fn each_request_reaches_its_service_and_says_who_calls() {
    let mission = Mission::begin().await;
    let (reader, payer, clerk) = (mission.bearer("reader"), mission.bearer("payer"), mission.bearer("clerk"));
    let device = mission.ca.client_with_uri("d7.example.com", DEVICE, 7);
    let (reader, payer) = ((reader.0, reader.1.as_str()), (payer.0, payer.1.as_str()));
    let clerk = (clerk.0, clerk.1.as_str());
    let key = ("X-Api-Key", mission.partner.secret());
    let forged = [("X-User-Id", "root"), ("X-Partner", "root"), ("X-Forwarded-User", "root")];

    let mut count = 0;
    for (head, credential, identity, origin, target, told, principal) in [
        (
            "GET /v1/orders/1001?full=1",
            vec![reader],
            None,
            &mission.orders,
            "/internal/orders/1001?full=1",
            ("x-user-id", "anna"),
            "anna",
        ),
        (
            "POST /v1/payments",
            vec![key, OFFICE],
            None,
            &mission.payments,
            "/v1/payments",
            ("x-partner", "acme"),
            "acme",
        ),
        (
            "POST /v1/payments",
            vec![payer, OFFICE],
            None,
            &mission.payments,
            "/v1/payments",
            ("x-user-id", "paula"),
            "paula",
        ),
        ("GET /v1/users/me", vec![reader], None, &mission.users, "/v1/users/me", ("x-user-id", "anna"), "anna"),
        ("GET /v1/users", vec![clerk], None, &mission.users, "/v1/users", ("x-user-id", "carl"), "carl"),
        (
            "GET /v1/telemetry",
            vec![],
            Some(&device),
            &mission.users,
            "/v1/telemetry",
            ("host", "localhost"),
            DEVICE,
        ),
    ] {
        let fields = [credential.as_slice(), &forged].concat();
        let response = mission.ask(head, &fields, identity).await.unwrap();
        assert_eq!(response.status(), 200, "{head}: {response:?}");
        count += 1;
        let [request] = &origin.take_requests()[..] else { panic!("{head}: one request") };
        assert_eq!(request.target(), target);
        assert_eq!(request.head.fields.all(told.0), [told.1], "{head}");
        let bytes = String::from_utf8_lossy(&request.head.bytes).to_lowercase();
        for secret in ["root", "bearer", "gw_"] {
            assert!(!bytes.contains(secret), "{head} tells {secret}: {bytes}");
        }
        let line = mission.logged(count).await;
        assert_eq!((&line["principal"], &line["status"]), (&principal.into(), &200.into()), "{line:?}");
        assert!(!line.contains_key("rejection"), "{line:?}");
    }
    // Keys are fetched once, for all workers, and are kept by a reload.
    mission.gateway.signal("HUP");
    eventually("a reload", || mission.gateway.stderr().contains("nothing has changed")).await;
    assert_eq!(mission.ask("GET /v1/users/me", &[reader], None).await.unwrap().status(), 200);
    assert_eq!(mission.users.take_requests().len(), 1);
    assert_eq!(mission.provider.fetches(), 1);
    count += 1;
    assert_eq!(mission.logged(count).await["path"], "/v1/users/me");

    // Nobody is asked, and nobody may say who calls all the same.
    let response = mission.ask("GET /v1/open", &forged, None).await.unwrap();
    assert_eq!(response.status(), 200);
    let bytes = String::from_utf8_lossy(&mission.users.only_request().head.bytes).into_owned();
    assert!(!bytes.contains("root"), "{bytes}");
    assert!(!mission.logged(count + 1).await.contains_key("principal"));
}

#[tokio::test]
async fn each_refusal_touches_no_service() {
    let mission = Mission::begin().await;
    let tokens = ["reader", "payer", "expired", "of_others", "forged"].map(|token| mission.bearer(token).1);
    let [reader, payer, expired, of_others, forged] =
        tokens.each_ref().map(|value| ("Authorization", value.as_str()));
    let unknown = ("X-Api-Key", "gw_0000000000000000000000000000000000000000000");
    let (partner, poor) = (("X-Api-Key", mission.partner.secret()), ("X-Api-Key", mission.poor.secret()));
    let printer = mission.ca.client_with_uri("p8.example.com", "spiffe://example.com/printer/8", 8);

    const BEARER: &[&str] = &["Bearer"];
    const INVALID: &[&str] = &[r#"Bearer error="invalid_token""#];
    const KEY: &str = r#"ApiKey in="header", name="x-api-key""#;
    const SCOPE: &str = r#"Bearer error="insufficient_scope", scope="payments:write""#;
    let mut count = 0;
    for (head, fields, identity, status, challenges, rejection) in [
        ("GET /v1/orders/1001", vec![], None, 401, BEARER, "auth:no_credential"),
        ("GET /v1/orders/1001", vec![partner], None, 401, BEARER, "auth:no_credential"),
        ("GET /v1/orders/1001", vec![expired], None, 401, INVALID, "auth:jwt_expired"),
        ("GET /v1/users/me", vec![of_others], None, 401, INVALID, "auth:jwt_wrong_audience"),
        ("GET /v1/users/me", vec![forged], None, 401, INVALID, "auth:jwt_bad_signature"),
        ("GET /v1/users", vec![reader], None, 403, &[], "auth:insufficient_role"),
        ("POST /v1/payments", vec![OFFICE], None, 401, &["Bearer", KEY], "auth:no_credential"),
        ("POST /v1/payments", vec![unknown, OFFICE], None, 401, &["Bearer", KEY], "auth:unknown_key"),
        ("POST /v1/payments", vec![reader, OFFICE], None, 403, &[SCOPE, KEY], "auth:insufficient_scope"),
        ("POST /v1/payments", vec![poor, OFFICE], None, 403, &[SCOPE, KEY], "auth:insufficient_scope"),
        ("POST /v1/payments", vec![payer, ELSEWHERE], None, 403, &[], "ip-filter:address_denied"),
        ("POST /v1/payments", vec![partner, ELSEWHERE], None, 403, &[], "ip-filter:address_denied"),
        ("GET /v1/telemetry", vec![], None, 403, &[], "auth:no_credential"),
        ("GET /v1/telemetry", vec![reader], None, 403, &[], "auth:no_credential"),
        ("GET /v1/telemetry", vec![], Some(&printer), 403, &[], "auth:certificate_not_accepted"),
    ] {
        let response = mission.ask(head, &fields, identity).await.unwrap();
        assert!(response.is_problem(status), "{head} {rejection}: {response:?}");
        assert_eq!(response.head.fields.all("www-authenticate"), challenges, "{head} {rejection}");
        count += 1;
        let line = mission.logged(count).await;
        let told = line["rejection"].as_str().unwrap();
        assert_eq!(told, rejection, "{head}");
        assert!(
            !response.text().contains(told.rsplit(':').next().unwrap()),
            "the client is not told: {response:?}"
        );
        assert!(!line.contains_key("upstream_ms"), "{line:?}");
    }

    // Not one of these gets as far as a request.
    let stranger = Ca::new();
    for identity in
        [mission.ca.expired_client("d7.example.com"), stranger.client_with_uri("d7.example.com", DEVICE, 7)]
    {
        assert!(mission.ask("GET /v1/telemetry", &[], Some(&identity)).await.is_none());
    }
    assert_eq!(mission.touched(), 0);
}

#[tokio::test]
async fn whoever_comes_too_often_is_refused_and_others_are_not() {
    let mission = Mission::begin().await;
    let [busy, reader] = ["busy", "reader"].map(|token| mission.bearer(token).1);
    for status in [200, 200, 429, 429] {
        let response = mission.ask("GET /v1/users/me", &[("Authorization", &busy)], None).await.unwrap();
        assert_eq!(response.status(), status, "{response:?}");
        if status == 429 {
            assert!(response.is_problem(429) && response.header("retry-after").is_some(), "{response:?}");
        }
    }
    let other = mission.ask("GET /v1/users/me", &[("Authorization", &reader)], None).await.unwrap();
    assert_eq!(other.status(), 200);
    assert_eq!(mission.users.requests().len(), 3);
    // Two workers write the log: its lines have no order.
    let log = mission.gateway.access_log(5).await;
    let refused: Vec<_> = log.iter().filter(|line| line.get("rejection").is_some()).collect();
    assert_eq!(refused.len(), 2, "{log:?}");
    for line in refused {
        assert_eq!(line["principal"], "busy", "{line:?}");
        assert!(line["rejection"].as_str().unwrap().contains("limit"), "{line:?}");
    }
}

#[tokio::test]
async fn the_order_service_knows_the_gateway_by_its_certificate() {
    let mission = Mission::begin().await;
    let token = mission.bearer("reader").1;
    let fields = [("Authorization", token.as_str())];
    let ask = |head: &'static str| mission.ask(head, &fields, None);
    assert_eq!(ask("GET /v1/broken").await.unwrap().status(), 502);
    assert!(mission.orders.requests().is_empty());
    assert_eq!(ask("GET /v1/orders/1001").await.unwrap().status(), 200);
    assert_eq!(mission.orders.only_request().target(), "/internal/orders/1001");
}
