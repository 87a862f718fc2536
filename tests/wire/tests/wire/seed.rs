//! The smallest file, unchanged, before two servers that this project did not write: Debian's nginx and Python's
//! http.server.

use std::{
    path::PathBuf,
    process::{Child, Stdio},
    time::Duration,
};

use harness::{Gateway, Namespace, TempDir, eventually, peer};
use serde_json::Value;

const SEED: &str = "\
listen: 127.0.0.1:8080
routes:
- path_prefix: /v1/orders
  upstream: order-service:8080
- path_prefix: /v1/payments
  upstream: payment-service:8080
";

const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.2 order-service\n127.0.0.3 payment-service\n";

/// A server in the namespace, killed on drop.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both services, the gateway and what they write, in a network where 8080 is free.
struct Scene {
    namespace: Namespace,
    dir: TempDir,
}

struct Answer {
    status: u16,
    content_type: String,
    body: String,
}

impl Scene {
    async fn new(hosts: &str) -> Option<Self> {
        let namespace = Namespace::new(hosts).await;
        if namespace.is_none() {
            eprintln!("skipped: this needs `unshare --net --mount`, which the system does not allow");
        }
        Some(Self { namespace: namespace?, dir: TempDir::new() })
    }

    fn gateway(&self) -> Gateway {
        Gateway::builder("").wrapped_in(&self.namespace.enter()).start_file(SEED, 1)
    }

    async fn nginx(&self) -> Service {
        let config = "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
            events {}\n\
            http {\n\
              log_format seen escape=json '{\"host\":\"$http_host\",\"for\":\"$http_x_forwarded_for\",\
                \"proto\":\"$http_x_forwarded_proto\",\"forwarded_host\":\"$http_x_forwarded_host\",\
                \"id\":\"$http_x_request_id\",\"trace\":\"$http_traceparent\",\"line\":\"$request\"}';\n\
              access_log seen.log seen;\n\
              client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n\
              scgi_temp_path scgi;\n\
              server { listen 127.0.0.2:8080; location / { return 200 \"nginx has $request_uri\"; } }\n\
            }\n";
        let config = self.dir.write("nginx.conf", config);
        let mut command = self.namespace.command(peer::program("nginx"));
        command.args(["-e", "error.log", "-p"]).arg(self.dir.path()).arg("-c").arg(config);
        self.start(command, "127.0.0.2:8080").await
    }

    async fn python(&self) -> Service {
        let payments = self.dir.path().join("www/v1/payments");
        std::fs::create_dir_all(&payments).unwrap();
        std::fs::write(payments.join("7"), "python has payment 7").unwrap();
        let mut command = self.namespace.command(peer::python());
        command.args(["-m", "http.server", "--bind", "127.0.0.3", "--directory"]);
        command.arg(self.dir.path().join("www")).arg("8080");
        self.start(command, "127.0.0.3:8080").await
    }

    async fn start(&self, mut command: std::process::Command, address: &str) -> Service {
        let service = Service(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let url = format!("http://{address}/");
        let up = async {
            while self.curl(&[&url]).await.status == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        harness::within(address, up).await;
        service
    }

    async fn curl(&self, arguments: &[&str]) -> Answer {
        let mut command = tokio::process::Command::from(self.namespace.command(peer::program("curl")));
        command.args(["-s", "--noproxy", "*", "--max-time", "20", "-w", "\n%{content_type}\n%{response_code}"]);
        let output = harness::within("curl", command.args(arguments).output()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut parts = text.rsplitn(3, '\n');
        let status = parts.next().unwrap().parse().unwrap();
        let content_type = parts.next().unwrap().to_owned();
        Answer { status, content_type, body: parts.next().unwrap_or_default().to_owned() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.curl(&[&format!("http://127.0.0.1:8080{path}")]).await
    }

    /// What nginx has logged.
    fn seen(&self) -> Vec<Value> {
        let log: PathBuf = self.dir.path().join("seen.log");
        let text = std::fs::read_to_string(log).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (status, "application/problem+json"),
        "{}",
        answer.body
    );
    let document: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(document["status"], status);
    assert!(document["request_id"].is_string(), "{document}");
}

#[tokio::test]
async fn it_routes_to_both_and_knows_when_one_is_down() {
    let Some(scene) = Scene::new(HOSTS).await else { return };
    let _nginx = scene.nginx().await;
    let python = scene.python().await;
    let gateway = scene.gateway();

    for path in ["/v1/orders", "/v1/orders/1001?full=yes"] {
        let answer = scene.get(path).await;
        assert_eq!((answer.status, answer.body), (200, format!("nginx has {path}")));
    }
    let answer = scene.get("/v1/payments/7").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "python has payment 7"));
    assert_eq!(scene.get("/v1/payments/8").await.status, 404);
    for path in ["/", "/v1", "/v1/ordersandmore", "/v2/orders", "/v1/payment"] {
        assert_problem(&scene.get(path).await, 404);
    }

    let answer = scene.curl(&[
        "-H",
        "Host: shop.example",
        "-H",
        "X-Forwarded-For: 6.6.6.6",
        "http://127.0.0.1:8080/v1/orders/2",
    ]);
    assert_eq!(answer.await.status, 200);
    eventually("nginx's log", || scene.seen().iter().any(|seen| seen["host"] == "shop.example")).await;
    let seen = scene.seen().into_iter().find(|seen| seen["host"] == "shop.example").unwrap();
    for (field, value) in [
        ("line", "GET /v1/orders/2 HTTP/1.1"),
        ("for", "127.0.0.1"),
        ("proto", "http"),
        ("forwarded_host", "shop.example"),
    ] {
        assert_eq!(seen[field], value, "{seen}");
    }
    assert!(!seen["id"].as_str().unwrap().is_empty() && seen["trace"].as_str().unwrap().len() == 55, "{seen}");

    drop(python);
    assert_problem(&scene.get("/v1/payments/7").await, 502);
    assert_eq!(scene.get("/v1/orders/3").await.status, 200);
    let _python = scene.python().await;
    assert_eq!(scene.get("/v1/payments/7").await.status, 200);
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

#[tokio::test]
async fn a_name_that_does_not_resolve_warns_is_502_and_recovers_by_itself() {
    let known = HOSTS.replace("127.0.0.3 payment-service\n", "");
    let Some(scene) = Scene::new(&known).await else { return };
    let _nginx = scene.nginx().await;
    let _python = scene.python().await;
    let gateway = scene.gateway();
    eventually("a warning", || {
        let stderr = gateway.stderr();
        stderr.contains("payment-service") && !stderr.contains("order-service")
    })
    .await;
    assert_problem(&scene.get("/v1/payments/7").await, 502);
    assert_eq!(scene.get("/v1/orders/1").await.status, 200);

    scene.namespace.set_hosts(HOSTS);
    let recovered = async {
        while scene.get("/v1/payments/7").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    harness::within("the recovery", recovered).await;
}

#[tokio::test]
async fn a_name_that_moves_is_followed() {
    let Some(scene) = Scene::new(HOSTS).await else { return };
    let _nginx = scene.nginx().await;
    let _python = scene.python().await;
    let _gateway = scene.gateway();
    assert_eq!(scene.get("/v1/payments/7").await.status, 200);
    // From here on the name of the payments leads to nginx.
    scene.namespace.set_hosts(&HOSTS.replace("127.0.0.3", "127.0.0.2"));
    let followed = async {
        while scene.get("/v1/payments/7").await.body != "nginx has /v1/payments/7" {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    harness::within("the move", followed).await;
}
