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
        (6, "a.key holds no certificate"),
        (8, "b.pem holds no private key"),
        (14, "the private key in a.key does not belong to the certificate in b.pem"),
        (17, "b.key holds no certificate"),
        (20, "a.pem holds no revocation list"),
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
    assert!(one("{ca: a.pem, cert: a.pem, key: b.key}").contains("cert: "));
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
