//! Keys of issuers against the algorithms that are allowed, and keys that are not what they should be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatewright_config::{Config, Diagnostic, Diagnostics, Severity};

/// The modulus of RFC 7515, appendix A.2.
const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ\
                 S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2\
                 R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD\
                 TW9gb54h4FRWyuXpoQ";

/// A folder of keys, which is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-keys-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("a file");
    }

    /// What is found of an issuer's keys: whether it is an error, and what with the way to mend it.
    fn found(&self, keys: &str) -> Vec<(Severity, String)> {
        let text = format!(
            "auth: {{a: {{jwt: {{issuer: i, audiences: api, {keys}}}}}}}\nroutes: [{{path: /a, auth: a, upstream: 'u:80'}}]\n"
        );
        let found = match Config::parse(self.0.join("gateway.yaml"), text) {
            Ok(config) => config.warnings(),
            Err(errors) => errors,
        };
        told(&found, &self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn told(found: &Diagnostics, folder: &Path) -> Vec<(Severity, String)> {
    let folder = format!("{}/", folder.display());
    let text =
        |it: &Diagnostic| format!("{}; {}", it.message(), it.hint().unwrap_or_default()).replace(&folder, "");
    found.iter().map(|it| (it.severity(), text(it))).collect()
}

fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn rsa(more: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{N}","e":"AQAB"{more}}}"#)
}

const CURVE: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"c"}"#;

#[track_caller]
fn one(found: &[(Severity, String)], severity: Severity, parts: &[&str]) {
    let [(found, text)] = found else { panic!("one: {found:?}") };
    assert_eq!(*found, severity, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
}

#[test]
fn a_key_that_no_allowed_algorithm_is_for_is_told_of() {
    let folder = Folder::new("algorithms");
    folder.write("rsa.json", &set(&[rsa("")]));
    folder.write("rs256.json", &set(&[rsa(r#","alg":"RS256","kid":"r""#)]));
    folder.write("both.json", &set(&[rsa(r#","kid":"r""#), CURVE.to_owned()]));
    folder.write("curve.json", &set(&[CURVE.to_owned()]));
    for good in [
        "jwks_file: rsa.json",
        "jwks_file: rsa.json, algorithms: PS256",
        "jwks_file: rsa.json, algorithms: [RS512, PS256, ES256]",
        "jwks_file: rs256.json, algorithms: RS256",
        "jwks_file: both.json",
        "jwks_file: both.json, algorithms: [RS384, ES256]",
        "jwks_file: curve.json, algorithms: [ES256, ES384]",
    ] {
        assert_eq!(folder.found(good), [], "{good}");
    }
    for (keys, parts) in [
        ("jwks_file: rsa.json, algorithms: ES256", ["rsa.json", "ES256", "RS256"]),
        ("jwks_file: rs256.json, algorithms: PS256", ["rs256.json", "PS256", "RS256"]),
        ("jwks_file: curve.json, algorithms: [ES384, EdDSA]", ["curve.json", "ES384, EdDSA", "ES256"]),
        ("jwks_file: curve.json, algorithms: HS256", ["curve.json", "HS256", "ES256"]),
    ] {
        one(&folder.found(keys), Severity::Error, &parts);
    }
    one(&folder.found("jwks_file: both.json, algorithms: ES256"), Severity::Warning, &["`r`", "RS256"]);
    one(&folder.found("jwks_file: both.json, algorithms: PS512"), Severity::Warning, &["`c`", "ES256"]);
}

#[test]
fn a_public_key_takes_the_algorithms_of_its_kind() {
    let folder = Folder::new("public");
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let curve = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
    folder.write("rsa.pem", &rsa.public_key_pem());
    folder.write("curve.pem", &curve.public_key_pem());
    for good in [
        "public_key: rsa.pem",
        "public_key: rsa.pem, algorithms: PS384",
        "public_key: rsa.pem, algorithms: [RS256, PS256]",
        "public_key: curve.pem",
        "public_key: curve.pem, algorithms: [ES256, ES384]",
    ] {
        assert_eq!(folder.found(good), [], "{good}");
    }
    one(
        &folder.found("public_key: rsa.pem, algorithms: ES256"),
        Severity::Error,
        &["rsa.pem", "RS256", "ES256"],
    );
    one(&folder.found("public_key: curve.pem, algorithms: ES512"), Severity::Error, &["curve.pem", "ES384"]);
}

#[test]
fn a_key_that_is_private_is_told_of() {
    let folder = Folder::new("private");
    let private = CURVE.replace("}", r#","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#);
    folder.write("private.json", &set(&[private.clone(), rsa(r#","kid":"r""#)]));
    folder.write("one.json", &private);
    folder.write(
        "secret.json",
        r#"{"kty":"oct","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#,
    );
    folder.write("public.json", &set(&[CURVE.to_owned(), rsa("")]));
    for file in ["private.json", "one.json"] {
        let found = folder.found(&format!("jwks_file: {file}"));
        one(&found, Severity::Warning, &[file, "`c`", "private", "`d`"]);
        assert!(!found[0].1.contains("jpsQ"), "it is not shown");
    }
    for file in ["secret.json", "public.json"] {
        assert_eq!(folder.found(&format!("jwks_file: {file}")), []);
    }
}

#[test]
fn what_is_no_public_key_is_called_by_its_name() {
    let folder = Folder::new("names");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("a certificate");
    folder.write("certificate.pem", &certificate.pem());
    folder.write("private.pem", &key.serialize_pem());
    folder.write("pkcs1.pem", "-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n");
    folder.write("ssh.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE a@b\n");
    folder.write("bom.pem", &format!("\u{feff}{}", key.public_key_pem()));
    for (file, parts) in [
        ("certificate.pem", ["certificate", "openssl x509 -in certificate.pem -pubkey -noout"]),
        ("private.pem", ["private key", "openssl pkey -in private.pem -pubout"]),
        ("pkcs1.pem", ["PKCS#1", "openssl rsa -RSAPublicKey_in -in pkcs1.pem -pubout"]),
        ("ssh.pub", ["SSH", "ssh-keygen -e -m PKCS8 -f ssh.pub"]),
    ] {
        one(&folder.found(&format!("public_key: {file}")), Severity::Error, &parts);
    }
    assert_eq!(folder.found("public_key: bom.pem"), []);
}

#[test]
fn a_leeway_that_keeps_dead_tokens_alive_is_told_of() {
    let folder = Folder::new("leeway");
    folder.write("rsa.json", &set(&[rsa("")]));
    for good in ["off", "5s", "10s"] {
        assert_eq!(folder.found(&format!("jwks_file: rsa.json, leeway: {good}")), [], "{good}");
    }
    for (doubtful, seconds) in [("11s", "11s"), ("60s", "60s"), ("1m", "60s")] {
        let found = folder.found(&format!("jwks_file: rsa.json, leeway: {doubtful}"));
        one(&found, Severity::Warning, &[seconds, "NTP"]);
    }
    for wrong in ["61s", "2m", "1500ms"] {
        one(&folder.found(&format!("jwks_file: rsa.json, leeway: {wrong}")), Severity::Error, &["60s at most"]);
    }
}
