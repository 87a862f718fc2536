//! curl, over HTTP/1.1 and HTTP/2, with TLS and without.

use harness::{Ca, Gateway, Origin, Reply, Tally, peer};

#[tokio::test]
async fn curl_speaks_to_the_gateway_by_every_protocol() {
    let origin = Origin::answering(|request| {
        let length = request.body.len();
        Reply::text(format!("{} {} {length}", request.method(), request.target())).field("x-origin", "yes")
    })
    .await;
    let ca = Ca::new();
    let identity = ca.server(&["localhost", "127.0.0.1"]);
    let gateway = Gateway::builder(&format!("routes:\n- path_prefix: /\n  upstream: {}\n", origin.address()))
        .listeners(&format!(
            "- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: {{cert: {}, key: {}}}\n",
            identity.cert.display(),
            identity.key.display()
        ))
        .start();
    let [plain, tls] = gateway.addresses() else { panic!("two listeners") };
    let dir = harness::TempDir::new();
    let upload = dir.write("upload", vec![b'u'; 3_000_000]);
    let upload = upload.to_str().unwrap();
    let at = format!("@{upload}");
    let ca = ca.pem().to_str().unwrap();

    let mut tally = Tally::new();
    for (protocol, url, version) in [
        ("--http1.0", format!("http://{plain}"), "1"),
        ("--http1.1", format!("http://{plain}"), "1.1"),
        // An upgrade to h2c is not taken: the answer comes over HTTP/1.1.
        ("--http2", format!("http://{plain}"), "1.1"),
        ("--http2-prior-knowledge", format!("http://{plain}"), "2"),
        ("--http1.1", format!("https://localhost:{}", tls.port()), "1.1"),
        ("--http2", format!("https://localhost:{}", tls.port()), "2"),
        ("--tlsv1.3", format!("https://127.0.0.1:{}", tls.port()), "2"),
        ("--tls-max", format!("https://127.0.0.1:{}", tls.port()), "2"),
    ] {
        let protocol: &[&str] = if protocol == "--tls-max" { &["--tls-max", "1.2"] } else { &[protocol] };
        for (request, expected) in [
            (&[][..], "GET /a?b 0"),
            (&["-X", "DELETE"], "DELETE /a?b 0"),
            (&["-d", "field=value"], "POST /a?b 11"),
            // Above 1 MiB curl expects a 100 first.
            (&["--data-binary", &at], "POST /a?b 3000000"),
            (&["-T", upload], "PUT /a?b 3000000"),
            (&["-T", upload, "-H", "transfer-encoding: chunked"], "PUT /a?b 3000000"),
            (&["--head"], ""),
        ] {
            if version == "1" && request.contains(&"transfer-encoding: chunked") {
                continue;
            }
            let url = format!("{url}/a?b");
            let format = "\n%{http_version} %{response_code} %header{x-origin}";
            let mut arguments = vec!["-sS", "--noproxy", "*", "--cacert", ca, "--max-time", "20", "-w", format];
            arguments.extend(protocol);
            arguments.extend(request);
            arguments.push(&url);
            let output = peer::run(&peer::program("curl"), &arguments).await;
            let said = String::from_utf8_lossy(&output.stdout);
            let wanted = format!("{expected}\n{version} 200 yes");
            let fine = output.status.success() && said.ends_with(&wanted);
            tally.check(
                format!("{protocol:?} {request:?} {url}"),
                fine,
                (said, String::from_utf8_lossy(&output.stderr)),
            );
        }
    }
    tally.finish(50);
}
