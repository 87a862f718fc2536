//! Certificates and keys that a file names are held to each other.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatewright_config::{Config, Gateway};

/// A folder with two certificates and their keys, which is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        for name in ["a", "b"] {
            let made =
                rcgen::generate_simple_self_signed(vec![format!("{name}.example")]).expect("a certificate");
            fs::write(path.join(format!("{name}.pem")), made.cert.pem()).expect("a file");
            fs::write(path.join(format!("{name}.key")), made.signing_key.serialize_pem()).expect("a file");
        }
        Self(path)
    }

    fn errors(&self, text: &str) -> Vec<(usize, String)> {
        let text = format!("{text}\nroutes: [{{path: /a, upstream: u}}]\n");
        let errors = Config::parse(self.0.join("gateway.yaml"), text).err();
        let folder = format!("{}/", self.0.display());
        let line = |error: &gatewright_config::Diagnostic| error.place().map_or(0, |place| place.line());
        let error = |error| (line(error), error.message().replace(&folder, ""));
        errors.iter().flat_map(|errors| errors.iter().map(error)).collect()
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_listeners_certificate_has_to_match_its_key() {
    let folder = Folder::new("listener");
    let errors = folder.errors(
        "upstreams: {u: a:80}
listeners:
- address: 127.0.0.1:8443
  tls: {cert: a.pem, key: b.key}
- address: 127.0.0.1:8444
  tls: {cert: a.key, key: a.key}
- address: 127.0.0.1:8445
  tls: {cert: a.pem, key: b.pem}
- address: 127.0.0.1:8446
  tls:
    certs:
    - {cert: a.pem, key: a.key}
    - {cert: b.pem,
       key: a.key}
- address: 127.0.0.1:8447
  tls: {cert: a.pem, key: a.key,
    client_ca: b.key}
- address: 127.0.0.1:8448
  tls: {cert: a.pem, key: a.key, client_ca: a.pem,
    crl: a.pem}
- address: 127.0.0.1:8449
  tls: {cert: missing.pem,
    key: missing.key}",
    );
    let expected = [
        (4, "the private key in b.key does not belong to the certificate in a.pem"),
        (6, "a.key holds no certificate, but a private key"),
        (8, "b.pem holds no private key, but a certificate"),
        (14, "the private key in a.key does not belong to the certificate in b.pem"),
        (17, "b.key holds no certificate, but a private key"),
        (20, "a.pem holds no revocation list, but a certificate"),
        (22, "cannot read `missing.pem`: there is no such file"),
        (23, "cannot read `missing.key`: there is no such file"),
    ];
    let expected: Vec<_> = expected.map(|(line, text)| (line, text.to_owned())).into();
    assert_eq!(errors, expected);
}

#[test]
fn an_upstreams_certificate_has_to_match_its_key() {
    let folder = Folder::new("upstream");
    let errors = |tls: &str| folder.errors(&format!("upstreams: {{u: {{target: \"a:443\", tls: {tls}}}}}"));
    let one = |tls: &str| match &*errors(tls) {
        [(1, error)] => error.clone(),
        other => panic!("{tls}: {other:?}"),
    };
    assert!(one("{ca: a.key}").contains("ca: "));
    assert!(one("{ca: a.pem, cert: a.pem, key: b.key}").contains("key: "));
    assert!(one("{ca: a.pem, cert: a.pem, key: a.pem}").contains("key: "));
    assert!(one("{ca: a.pem, server_name: not a name}").contains("server_name: "));
    assert_eq!(errors("{ca: no.pem, cert: no.pem, key: no.key}").len(), 3);
    assert_eq!(errors("{ca: a.pem, cert: a.pem, key: a.key, server_name: a.example}"), []);
}

#[tokio::test]
async fn a_listener_with_tls_is_bound_and_named_by_its_url() {
    let folder = Folder::new("bound");
    let text = "workers: 1
listeners:
- address: 127.0.0.1:0
  tls: {certs: [{cert: a.pem, key: a.key}, {cert: b.pem, key: b.key}], client_ca: a.pem, client_auth: optional}
- 127.0.0.1:0
routes: [{path: /a, upstream: \"a:80\"}]
";
    let config = Config::parse(folder.as_ref().join("gateway.yaml"), text).expect("is taken");
    let gateway = Gateway::assemble(&config).expect("assembles");
    let server = gateway.bind().expect("binds");
    let urls = gateway.urls(&server);
    assert!(urls[0].starts_with("https://127.0.0.1:") && urls[1].starts_with("http://127.0.0.1:"), "{urls:?}");
}

#[tokio::test]
async fn what_the_files_of_a_listener_hold_is_replaced_when_it_is_another() {
    let folder = Folder::new("reload");
    let path = |name: &str| folder.as_ref().join(name);
    let copy = |from: &str, to: &str| fs::copy(path(from), path(to)).expect("copies");
    copy("a.pem", "ca.pem");
    let text = "access_log: off
listeners:
- {address: 127.0.0.1:0, tls: {cert: a.pem, key: a.key, client_ca: ca.pem, client_auth: optional}}
- {address: 127.0.0.1:0, tls: {cert: b.pem, key: b.key}}
routes: [{path: /a, upstream: \"a:80\"}]
";
    let load = |text: &str| Config::parse(path("gateway.yaml"), text).expect("is taken");
    let mut gateway = Gateway::assemble(&load(text)).expect("assembles");
    let mut replaced = |text: &str| gateway.reload(&load(text)).expect("is taken").certificates();
    assert_eq!(replaced(text), 0);
    copy("b.pem", "ca.pem");
    assert_eq!(replaced(text), 1, "other authorities");
    assert_eq!(replaced(text), 0);
    let required = text.replace("optional", "required");
    assert_eq!(replaced(&required), 1, "the same files, asked for in another way");
    let swapped = required.replace("b.pem, key: b.key", "a.pem, key: a.key");
    assert_eq!(replaced(&swapped), 1, "another certificate");

    // An upstream is another one when its files hold something else.
    let tls = "routes: [{path: /a, upstream: {target: \"a:443\", tls: {ca: ca.pem}}}]\n";
    let mut gateway = Gateway::assemble(&load(tls)).expect("assembles");
    let mut kept = |text: &str| gateway.reload(&load(text)).expect("is taken").upstreams().kept();
    assert_eq!(kept(tls), 1);
    copy("a.pem", "ca.pem");
    assert_eq!(kept(tls), 0);
}

/// What is said of this configuration: the line, and the words.
fn said_of(folder: &Folder, text: String) -> Vec<(usize, String)> {
    let found = match Config::parse(folder.as_ref().join("gateway.yaml"), text) {
        Ok(config) => config.warnings(),
        Err(errors) => errors,
    };
    let folder = format!("{}/", folder.as_ref().display());
    let line = |it: &gatewright_config::Diagnostic| it.place().map_or(0, |place| place.line());
    found.iter().map(|it| (line(it), it.message().replace(&folder, ""))).collect()
}

/// A listener with these files, and what is said of it: the line, and the words.
fn said(folder: &Folder, tls: &str) -> Vec<(usize, String)> {
    let text = format!(
        "listeners:\n- address: 127.0.0.1:8443\n  tls: {{{tls}}}\nroutes: [{{path: /a, upstream: \"a:80\"}}]\n"
    );
    said_of(folder, text)
}

#[test]
fn files_in_another_form_are_read_or_told_with_what_mends_them() {
    let folder = Folder::new("forms");
    let read = |name: &str| fs::read_to_string(folder.as_ref().join(name)).expect("reads");
    let write = |name: &str, content: &[u8]| fs::write(folder.as_ref().join(name), content).expect("writes");
    write("mark.pem", format!("\u{feff}{}", read("a.pem")).as_bytes());
    write("mark.key", format!("\u{feff}{}", read("a.key")).as_bytes());
    write("windows.pem", read("a.pem").replace('\n', "\r\n").as_bytes());
    write("both.pem", (read("a.key") + &read("a.pem")).as_bytes());
    for good in [
        "cert: mark.pem, key: mark.key",
        "cert: windows.pem, key: a.key",
        "cert: both.pem, key: both.pem",
        "cert: a.pem, key: a.key, client_ca: mark.pem",
    ] {
        assert_eq!(said(&folder, good), [], "{good}");
    }
    let made = rcgen::generate_simple_self_signed(vec!["c.example".to_owned()]).expect("a certificate");
    write("a.der", made.cert.der());
    write("key.der", &made.signing_key.serialize_der());
    write("a.p12", &[0x30, 0x82, 9, 9, 2, 1, 3, 0x30, 0x82]);
    write("utf16.pem", b"\xff\xfe-\0-\0");
    write("a.csr", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n");
    write("locked.key", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    write("turned.pem", (read("b.pem") + &read("a.pem")).as_bytes());
    for (tls, parts) in [
        ("cert: a.der, key: a.key", ["in DER", "openssl x509 -inform DER -in a.der"]),
        ("cert: a.pem, key: key.der", ["in DER", "openssl pkey -inform DER -in key.der"]),
        ("cert: a.p12, key: a.key", ["PKCS#12", "openssl pkcs12 -in a.p12 -nokeys"]),
        ("cert: a.pem, key: a.p12", ["PKCS#12", "openssl pkcs12 -in a.p12 -nocerts"]),
        ("cert: utf16.pem, key: a.key", ["UTF-16", "iconv"]),
        ("cert: a.csr, key: a.key", ["a request for a certificate", "holds no certificate"]),
        ("cert: a.pem, key: locked.key", ["is encrypted", "openssl pkey -in locked.key"]),
        ("cert: turned.pem, key: a.key", ["belongs to certificate 2", "before that of its issuer"]),
        ("cert: a.key, key: a.pem", ["a.key holds a private key", "have changed places"]),
        ("cert: a.pem, key: a.key, client_ca: a.der", ["in DER", "openssl x509 -inform DER -in a.der"]),
        ("cert: a.pem, key: a.key, client_ca: a.pem, crl: a.der", ["holds no revocation list", "in DER"]),
    ] {
        let found = said(&folder, tls);
        let [(3, text)] = &found[..] else { panic!("{tls}: {found:?}") };
        for part in parts {
            assert!(text.contains(part), "{tls}: {part:?} in {text:?}");
        }
    }
}

#[test]
fn certificates_and_lists_near_their_end_are_told_of() {
    let folder = Folder::new("dates");
    let write = |name: &str, days: i64| {
        let mut params = rcgen::CertificateParams::new(vec![format!("{name}.example")]).expect("a name");
        let now = std::time::SystemTime::now();
        let away = std::time::Duration::from_secs(86_400 * days.unsigned_abs());
        params.not_after = if days < 0 { now - away } else { now + away }.into();
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(folder.as_ref().join(format!("{name}.pem")), certificate.pem()).expect("writes");
        fs::write(folder.as_ref().join(format!("{name}.key")), key.serialize_pem()).expect("writes");
    };
    for (name, days) in [("gone", -1), ("soon", 13), ("later", 15)] {
        write(name, days);
    }
    assert_eq!(said(&folder, "cert: later.pem, key: later.key"), []);
    for (name, word) in [("gone", "expired on"), ("soon", "expires on")] {
        let found = said(&folder, &format!("cert: {name}.pem, key: {name}.key"));
        let [(3, text)] = &found[..] else { panic!("{found:?}") };
        assert!(
            text.contains(&format!("{name}.pem")) && text.contains(word) && text.contains("renew"),
            "{text}"
        );
    }
    let found = said(&folder, "certs: [{cert: a.pem, key: a.key}, {cert: gone.pem, key: gone.key}]");
    assert!(matches!(&found[..], [(3, text)] if text.contains("gone.pem")), "{found:?}");
    let found = said(&folder, "certs: [{cert: a.pem, key: a.key}, {cert: a.pem, key: a.key}]");
    assert!(matches!(&found[..], [(3, text)] if text.contains("never served")), "{found:?}");

    // Those of upstreams, too.
    let upstream = |tls: &str| {
        let text = format!("routes: [{{path: /a, upstream: {{target: \"a:443\", tls: {tls}}}}}]\n");
        let config = Config::parse(folder.as_ref().join("gateway.yaml"), text).expect("is taken");
        config.warnings().iter().map(|it| it.message().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(upstream("{ca: later.pem}"), [] as [&str; 0]);
    for tls in ["{ca: gone.pem}", "{ca: a.pem, cert: gone.pem, key: gone.key}"] {
        let found = upstream(tls);
        assert!(
            matches!(&found[..], [text] if text.contains("gone.pem") && text.contains("expired on")),
            "{found:?}"
        );
    }
}

/// What is said of an upstream with this TLS: the place's line, and the words.
fn said_of_upstream(folder: &Folder, tls: &str) -> Vec<(usize, String)> {
    let text = format!("routes:\n- path: /a\n  upstream:\n    target: localhost:443\n    tls:\n{tls}");
    said_of(folder, text)
}

#[test]
fn a_key_in_a_wrong_form_is_told_in_words_and_never_shown() {
    let folder = Folder::new("leak");
    let key = fs::read_to_string(folder.as_ref().join("a.key")).expect("reads");
    let cert = fs::read_to_string(folder.as_ref().join("a.pem")).expect("reads");
    let write = |name: &str, content: String| fs::write(folder.as_ref().join(name), content).expect("writes");
    let secret = &key.lines().nth(1).expect("a line")[16..];
    let shown = secret.bytes().take(4).map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    write("line.key", key.replace('\n', ""));
    write("literal.key", key.replace('\n', "\\n"));
    write("cut.key", key[..100].to_owned());
    write("damaged.key", key.replacen(&secret[..4], "*", 1));
    write("indented.key", key.lines().map(|line| format!("  {line}\n")).collect());
    write("trusted.pem", cert.replace("CERTIFICATE", "TRUSTED CERTIFICATE"));
    let lost = "its line breaks are lost (one line, or literal `\\n`): write each line on its own";
    for (cert, key, expected) in [
        ("a.pem", "line.key", lost),
        ("a.pem", "literal.key", lost),
        ("a.pem", "cut.key", "is cut off: it has no END line"),
        ("a.pem", "damaged.key", "is damaged in line 2"),
        ("a.pem", "indented.key", "is indented"),
        ("trusted.pem", "a.key", "openssl x509 -in trusted.pem -out CERT.pem"),
    ] {
        let listener = said(&folder, &format!("cert: {cert}, key: {key}"));
        let upstream = said_of_upstream(&folder, &format!("      cert: {cert}\n      key: {key}\n"));
        let place = if key == "a.key" { 6 } else { 7 };
        assert_eq!(upstream.first().map(|(line, _)| *line), Some(place), "{upstream:?}");
        for found in [listener, upstream] {
            let [(_, text)] = &found[..] else { panic!("{cert} {key}: {found:?}") };
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(!text.contains(secret) && !text.contains(&shown), "{text}");
        }
    }
}

#[test]
fn the_file_that_is_wrong_is_the_one_that_is_shown() {
    let folder = Folder::new("places");
    let read = |name: &str| fs::read_to_string(folder.as_ref().join(name)).expect("reads");
    fs::write(folder.as_ref().join("turned.pem"), read("b.pem") + &read("a.pem")).expect("writes");
    for (cert, key, is_key) in [
        ("a.key", "a.key", false),
        ("a.key", "a.pem", false),
        ("turned.pem", "a.key", false),
        ("a.pem", "a.pem", true),
        ("a.pem", "b.key", true),
    ] {
        let upstream = said_of_upstream(&folder, &format!("      cert: {cert}\n      key: {key}\n"));
        assert_eq!(upstream.first().map(|(line, _)| *line), Some(if is_key { 7 } else { 6 }), "{upstream:?}");
        let listener = said(&folder, &format!("cert: {cert},\n    key: {key}"));
        assert_eq!(listener.first().map(|(line, _)| *line), Some(if is_key { 4 } else { 3 }), "{listener:?}");
    }
}

#[test]
fn certificates_without_a_name_are_told_of() {
    let folder = Folder::new("nameless");
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(folder.as_ref().join("cn.pem"), certificate.pem()).expect("writes");
    fs::write(folder.as_ref().join("cn.key"), key.serialize_pem()).expect("writes");
    let remedy = "`-addext subjectAltName=DNS:localhost`";
    for found in [said(&folder, "cert: cn.pem, key: cn.key"), said_of_upstream(&folder, "      ca: cn.pem\n")] {
        let [(_, text)] = &found[..] else { panic!("{found:?}") };
        assert!(
            text.contains("no subjectAltName") && text.contains(remedy) && text.contains("cn.pem"),
            "{text}"
        );
    }
    // An authority needs no such name.
    assert_eq!(said(&folder, "cert: a.pem, key: a.key, client_ca: cn.pem"), []);
}

#[test]
fn authorities_of_clients_and_providers_near_their_end_are_told_of() {
    let folder = Folder::new("authorities");
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let certificate = params.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
    fs::write(folder.as_ref().join("gone.pem"), certificate.pem()).expect("writes");
    fs::write(folder.as_ref().join("id.secret"), "a secret that is long enough").expect("writes");
    let of_clients = said(&folder, "cert: a.pem, key: a.key, client_ca: gone.pem");
    assert!(
        matches!(&of_clients[..], [(3, text)] if text.contains("gone.pem") && text.contains("expired on")),
        "{of_clients:?}"
    );
    for kind in [
        "jwt: {issuer: \"https://id.example/\", audiences: [a], jwks_url: \"https://id.example/keys\", ca: gone.pem}",
        "jwt: {oidc: \"https://id.example/\", audiences: [a], ca: gone.pem}",
        "introspect: {url: \"https://id.example/introspect\", client: a, secret: \"file:id.secret\", ca: gone.pem}",
    ] {
        let text = format!("auth:\n  a:\n    {kind}\nroutes: [{{path: /a, upstream: \"a:80\", auth: a}}]\n");
        let found = match Config::parse(folder.as_ref().join("gateway.yaml"), text) {
            Ok(config) => config.warnings(),
            Err(errors) => errors,
        };
        let found: Vec<_> = found.iter().map(|it| it.message().to_owned()).collect();
        assert!(
            found.iter().filter(|text| text.contains("gone.pem") && text.contains("expired on")).count() == 1,
            "{kind}: {found:?}"
        );
    }
}

#[test]
fn a_redirect_to_the_scheme_and_the_port_where_all_clients_are_only_loops() {
    const TLS: &str = "tls: {cert: a.pem, key: a.key}";
    let folder = Folder::new("loop");
    let check = |listeners: &str, more: &str| {
        let text = format!(
            "{more}listeners: [{listeners}]\nroutes: [{{path_prefix: /, redirect: {{scheme: https}}}}]\n"
        );
        let errors = Config::parse(folder.0.join("gateway.yaml"), text).err();
        errors
            .map(|errors| errors.iter().map(|error| error.message().to_owned()).collect::<Vec<_>>().join("; "))
    };
    let loops = Some("the redirect of `/` leads to where each request already is".to_owned());
    let secure = format!("{{address: '127.0.0.1:443', {TLS}}}");
    assert_eq!(check(&secure, ""), loops);
    assert_eq!(check(&format!("{secure}, {{address: '127.0.0.1:80', redirect_https: on}}"), ""), loops);
    // Some come without TLS, to another port, or by a proxy that says more.
    assert_eq!(check(&format!("{secure}, '127.0.0.1:80'"), ""), None);
    assert_eq!(check(&format!("{{address: '127.0.0.1:8443', {TLS}}}"), ""), None);
    assert_eq!(check(&secure, "trusted_proxies: [10.0.0.0/8]\n"), None);
}
