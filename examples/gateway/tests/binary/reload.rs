//! Another configuration while the gateway serves.

use std::{fs, net::SocketAddr, os::unix::fs::symlink, path::Path};

use harness::{Ca, Origin, RawClient, Step, TempDir, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::running::Running;

/// A gateway before a file that a test may change.
struct Reloading {
    folder: TempDir,
    gateway: Running,
    address: SocketAddr,
}

/// One worker, so that it has one pool a target; connections that a slow test leaves idle stay.
const TOP: &str = "listen: 127.0.0.1:0\nworkers: 1\naccess_log: {file: access.log}\n";

impl Reloading {
    /// Starts it with these routes, in a file that only SIGHUP has it read again.
    fn start(text: &str) -> Self {
        let folder = TempDir::new();
        let file = folder.write("gateway.yaml", format!("{TOP}{text}"));
        let mut gateway = Running::start(file, &["--no-watch"]);
        let address = gateway.address().parse().expect("an address");
        Self { folder, gateway, address }
    }

    /// Writes the file anew, has it reloaded, and gives what the gateway says.
    fn reload(&mut self, text: &str) -> String {
        self.write(text);
        self.gateway.reload()
    }

    fn write(&self, text: &str) {
        self.folder.write("gateway.yaml", format!("{TOP}{text}"));
    }

    async fn client(&self) -> RawClient {
        RawClient::connect(self.address).await
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn route(path: &str, upstream: &Origin) -> String {
    format!("- path: {path}\n  upstream: {}\n", upstream.address())
}

async fn status(client: &mut RawClient, path: &str) -> u16 {
    client.exchange(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_open_sees_the_new_routes() {
    let origin = Origin::ok().await;
    let (a, b) = (route("/a", &origin), route("/b", &origin));
    let mut reloading = Reloading::start(&format!("routes:\n{a}"));
    let mut client = reloading.client().await;
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 404));

    let said = reloading.reload(&format!("routes:\n{a}{b}"));
    assert!(said.contains("routes: 1 kept, 1 added, 0 removed; upstreams: 1 kept, 0 added"), "{said}");
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 200));

    reloading.reload(&format!("routes:\n{b}"));
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (404, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_file_is_refused_with_all_its_errors_and_changes_nothing() {
    let origin = Origin::ok().await;
    let (a, b) = (route("/a", &origin), route("/b", &origin));
    let mut reloading = Reloading::start(&format!("routes:\n{a}"));
    let mut client = reloading.client().await;
    let wrong = format!("trusted_proxies: [everyone]\nroutes:\n{b}- path: /c\n  upstrem: c:80\n");
    let said = reloading.reload(&wrong);
    for line in [
        "gateway.yaml:4:19: error: `everyone` is not a network",
        "gateway.yaml:9:3: error: unknown key `upstrem` in a route",
        "  help: did you mean `upstream`?",
        "gateway.yaml: 2 errors",
        "SIGHUP: not reloaded, the running configuration stays (reloads so far: 0 accepted, 1 refused)",
    ] {
        assert!(said.contains(line), "{line} is not in:\n{said}");
    }
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 404));

    // What is right but needs a restart is refused as a whole too.
    let said = reloading.reload(&format!("client_limits: {{max_headers: 7}}\nroutes:\n{b}"));
    assert!(said.contains("gateway.yaml:4:1: error: `client_limits` cannot change while"), "{said}");
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 404));

    fs::remove_file(reloading.folder.path().join("gateway.yaml")).expect("removes the file");
    let said = reloading.gateway.reload();
    assert!(said.contains("there is no such file") && said.contains("3 refused"), "{said}");

    let said = reloading.reload(&format!("routes:\n{b}"));
    assert!(said.contains("SIGHUP: reloaded"), "{said}");
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (404, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_ends_as_it_began() {
    let slow = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let origin = Origin::ok().await;
    let address = slow.local_addr().expect("an address");
    let mut reloading = Reloading::start(&format!("routes: [{{path_prefix: /, upstream: \"{address}\"}}]\n"));
    let mut client = reloading.client().await;
    client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (mut upstream, _) = slow.accept().await.expect("the gateway connects");
    let mut head = [0; 4096];
    assert!(upstream.read(&mut head).await.expect("the request") > 0);
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ").await.expect("answers");

    let said = reloading.reload(&format!("routes:\n{}", route("/b", &origin)));
    assert!(said.contains("upstreams: 0 kept, 1 added, 1 removed"), "{said}");
    upstream.write_all(b"whole").await.expect("answers");
    let response = client.response().await.expect("a response");
    assert_eq!((response.status(), &*response.body), (200, &b"half whole"[..]));

    assert_eq!((status(&mut client, "/slow").await, status(&mut client, "/b").await), (404, 200));
    // Nobody uses that upstream any more, so its connection is closed.
    assert_eq!(harness::within("the end", upstream.read(&mut head)).await.expect("an end"), 0);
    let log = reloading.folder.path().join("access.log");
    eventually("the log", || fs::read_to_string(&log).unwrap_or_default().lines().count() == 3).await;
    let log = reloading.log("access.log");
    let line = log.lines().find(|line| line.contains("/slow") && line.contains("\"status\":200"));
    assert!(line.is_some_and(|line| line.contains(&address.to_string())), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgraded_connection_goes_on() {
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let chat = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let other = Origin::ok().await;
    let mut reloading = Reloading::start(&format!("routes:\n{}", route("/chat", &chat)));
    let mut client = reloading.client().await;
    client
        .send(
            "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        .await;
    assert!(client.head().await.expect("a head").line.contains(" 101 "));
    for text in [route("/chat", &chat) + &route("/b", &other), route("/b", &other)] {
        reloading.reload(&format!("routes:\n{text}"));
        client.send("hello").await;
        assert_eq!(client.read_exactly(5).await.expect("an echo"), b"hello");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_stays_keeps_its_connections() {
    let (named, plain, written) = (Origin::ok().await, Origin::ok().await, Origin::ok().await);
    let text = |keep_alive: &str, more: &str| {
        format!(
            "upstreams: {{named: {{target: \"{}\", keep_alive: {keep_alive}}}}}
{more}routes:
- {{path: /named, upstream: named}}
- {{path: /plain, upstream: \"{}\"}}
- {{path: /written, upstream: {{target: \"{}\", keep_alive: 60s}}}}
",
            named.address(),
            plain.address(),
            written.address()
        )
    };
    let mut reloading = Reloading::start(&text("60s", ""));
    let mut client = reloading.client().await;
    let mut visit = async || {
        for path in ["/named", "/plain", "/written"] {
            assert_eq!(status(&mut client, path).await, 200);
        }
        (named.accepted(), plain.accepted(), written.accepted())
    };
    assert_eq!(visit().await, (1, 1, 1));

    // What is new, and lines that stand elsewhere, are no reason to connect anew.
    let said = reloading.reload(&text("60s", "# more\n\ndefaults: {timeout: 7s}\n"));
    assert!(said.contains("routes: 0 kept, 3 added, 3 removed; upstreams: 3 kept, 0 added, 0"), "{said}");
    assert_eq!(visit().await, (1, 1, 1));

    let said = reloading.reload(&text("50s", ""));
    assert!(said.contains("routes: 0 kept, 3 added, 3 removed; upstreams: 2 kept, 1 added, 1"), "{said}");
    assert_eq!(visit().await, (2, 1, 1));
    eventually("the end of the idle connection", || named.open() == 1).await;

    let said = reloading.reload(&text("50s", "# nothing else\n"));
    assert!(said.contains("nothing has changed"), "{said}");
    assert_eq!(visit().await, (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_for_handshakes_to_come() {
    let (ca, origin, folder) = (Ca::new(), Origin::ok().await, TempDir::new());
    let install = |name: &str| {
        let identity = ca.server(&[name]);
        fs::copy(identity.cert, folder.path().join("api.pem")).expect("copies");
        fs::copy(identity.key, folder.path().join("api.key")).expect("copies");
    };
    install("old.example");
    let text = format!(
        "workers: 1\naccess_log: off\nlisteners:\n- address: 127.0.0.1:0\n  tls: {{cert: api.pem, key: api.key}}\n\
         - 127.0.0.1:0\nroutes:\n{}",
        route("/a", &origin)
    );
    let file = folder.write("gateway.yaml", &text);
    let mut gateway = Running::start(&file, &["--no-watch"]);
    let address: SocketAddr = gateway.address().parse().expect("an address");
    let config = ca.trusting_client(&["http/1.1"], None);
    let connect = |name| RawClient::connect_tls(address, config.clone(), name);
    let mut early = connect("old.example").await.expect("a handshake");
    assert!(connect("new.example").await.is_err(), "the certificate is for another name");

    install("new.example");
    let said = gateway.reload();
    assert!(said.contains("; the certificates of 1 listener replaced"), "{said}");
    let mut late = connect("new.example").await.expect("a handshake");
    assert!(connect("old.example").await.is_err(), "the old certificate is gone");
    assert_eq!((status(&mut early, "/a").await, status(&mut late, "/a").await), (200, 200));

    // A key that is not the certificate's: the handshakes go on as before.
    fs::copy(ca.server(&["other.example"]).key, folder.path().join("api.key")).expect("copies");
    let said = gateway.reload();
    assert!(said.contains("gateway.yaml:5:29: error: the private key in "), "{said}");
    assert!(said.contains("does not belong to the certificate"), "{said}");
    connect("new.example").await.expect("a handshake");

    // So does one that is there again.
    install("new.example");
    assert!(gateway.reload().contains("; the certificates of 1 listener replaced"));
    assert!(gateway.reload().contains("nothing has changed"));
    connect("new.example").await.expect("a handshake");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_is_opened_anew_and_goes_where_the_file_says() {
    let origin = Origin::ok().await;
    let a = route("/a", &origin);
    let mut reloading = Reloading::start(&format!("routes:\n{a}"));
    let folder = reloading.folder.path().to_owned();
    let path = |name: &str| folder.join(name);
    let (log, moved, other) = (path("access.log"), path("access.log.1"), path("other.log"));
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    let mut client = reloading.client().await;
    status(&mut client, "/a").await;
    eventually("a line", || lines(&log) == 1).await;

    fs::rename(&log, &moved).expect("moves the log");
    reloading.gateway.reload();
    eventually("a new file", || log.exists()).await;
    status(&mut client, "/a").await;
    eventually("a line", || lines(&log) == 1).await;

    // Also when the file that is there then is wrong.
    fs::rename(&log, path("access.log.2")).expect("moves the log");
    reloading.reload("routes: []\n");
    eventually("a new file", || log.exists()).await;

    let text = format!("{TOP}routes:\n{a}").replace("access.log", "other.log");
    fs::write(path("gateway.yaml"), text).expect("writes");
    reloading.gateway.reload();
    status(&mut client, "/a").await;
    // What is refused before it reaches the stack goes to the new log too.
    RawClient::once(reloading.address, "GET /a HTTP/1.1\r\n\r\n").await;
    eventually("two lines", || lines(&other) == 2).await;
    assert_eq!((lines(&log), lines(&moved)), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_trusted_from_now_on_is_believed() {
    let origin = Origin::ok().await;
    let a = route("/a", &origin);
    let mut reloading = Reloading::start(&format!("routes:\n{a}"));
    let mut client = reloading.client().await;
    const REQUEST: &str = "GET /a HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.9\r\n\r\n";
    client.exchange(REQUEST).await;
    reloading.reload(&format!("trusted_proxies: [127.0.0.0/8]\nroutes:\n{a}"));
    client.exchange(REQUEST).await;
    let log = reloading.folder.path().join("access.log");
    eventually("the log", || fs::read_to_string(&log).unwrap_or_default().lines().count() == 2).await;
    let log = reloading.log("access.log");
    let clients: Vec<_> = log.lines().map(|line| line.contains("\"client\":\"203.0.113.9\"")).collect();
    assert_eq!(clients, [false, true], "{log}");
}

/// As Kubernetes mounts a ConfigMap: `gateway.yaml -> ..data/gateway.yaml`, and `..data` is swapped.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_or_is_swapped_is_reloaded() {
    let origin = Origin::ok().await;
    let folder = TempDir::new();
    let version = |name: &str, paths: &[&str]| {
        let routes: String = paths.iter().map(|path| route(path, &origin)).collect();
        fs::create_dir_all(folder.path().join(name)).expect("a folder");
        folder.write(&format!("{name}/gateway.yaml"), format!("{TOP}routes:\n{routes}"));
    };
    version("1", &["/a"]);
    symlink("1", folder.path().join("..data")).expect("links");
    symlink("..data/gateway.yaml", folder.path().join("gateway.yaml")).expect("links");
    let mut gateway = Running::start(folder.path().join("gateway.yaml"), &[]);
    let address: SocketAddr = gateway.address().parse().expect("an address");
    let mut client = RawClient::connect(address).await;
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 404));

    version("2", &["/a", "/b"]);
    symlink("2", folder.path().join("..new")).expect("links");
    fs::rename(folder.path().join("..new"), folder.path().join("..data")).expect("swaps");
    gateway.until("the files have changed: reloaded");
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (200, 200));

    // A file that is mended after it was refused.
    version("2", &[]);
    gateway.until("the files have changed: not reloaded");
    version("2", &["/b"]);
    gateway.until("the files have changed: reloaded");
    assert_eq!((status(&mut client, "/a").await, status(&mut client, "/b").await), (404, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_opened_says_so_and_one_that_is_closed_is_so_for_open_connections() {
    let origin = Origin::ok().await;
    let routes = format!("routes:\n{}", route("/a", &origin));
    let key = gatewright::auth::NewApiKey::builder("acme").generate().expect("a key");
    let closed = format!(
        "auth: {{partner: {{api_key: {{keys_file: keys.yaml}}}}}}\ndefaults: {{auth: partner}}\n{routes}"
    );
    let mut reloading = Reloading::start(&routes);
    reloading.folder.write("keys.yaml", key.entry());
    let mut client = reloading.client().await;
    assert_eq!(status(&mut client, "/a").await, 200);

    let said = reloading.reload(&closed);
    assert!(said.contains("routes: 0 kept, 1 added") && !said.contains("openly"), "{said}");
    assert_eq!(status(&mut client, "/a").await, 401);
    let with_key = format!("GET /a HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", key.secret());
    assert_eq!(client.exchange(with_key).await.status(), 200);

    // A default that is lost is an error, and not an opening.
    let said = reloading.reload(&closed.replace("defaults: {auth: partner}\n", ""));
    assert!(said.contains("a route that does not say who may call it"), "{said}");
    assert_eq!(status(&mut client, "/a").await, 401);

    let said = reloading.reload(&routes);
    assert!(
        said.contains(" WARN there is no `auth:` section any more: every route is served openly"),
        "{said}"
    );
    assert_eq!(status(&mut client, "/a").await, 200);
    assert_eq!(origin.requests().len(), 3);
}
