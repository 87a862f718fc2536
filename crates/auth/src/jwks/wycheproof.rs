//! The vectors of Project Wycheproof (Apache-2.0): signatures that libraries have got wrong before.
//!
//! Each key is read as a JSON Web Key and as DER by this crate's own readers, and each signature is verified by the call that
//! verifies tokens. The crate `wycheproof` ships the vectors; what it makes of the JSON is not used.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::{Allowed, KeyError, KeySet, jwk::Origin, key::Key};
use crate::jwt::{Algorithm, KeyKind};

/// What this crate makes of a file's vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// As the file says: valid signatures pass, invalid ones fail, and the acceptable ones fail.
    AsTheFileSays,
    /// RFC 7518 or RFC 8725 is stricter than the file: every signature fails, the valid ones too. The text says why.
    AllRefused(&'static str),
    /// As before, but for the vectors with this comment: the file calls them invalid for having the salt of tokens.
    AllRefusedBut(&'static str, &'static str),
    /// The key is for no algorithm of tokens.
    NoKey(&'static str),
}

use Rule::{AllRefused, AllRefusedBut, AsTheFileSays, NoKey};

/// RFC 7518, section 3.5.
const SALT: &str = "in tokens the salt is as long as the hash";

const TABLE: &[(&str, Algorithm, Rule)] = &[
    ("ecdsa_secp256r1_sha256_p1363", Algorithm::Es256, AsTheFileSays),
    ("ecdsa_secp384r1_sha384_p1363", Algorithm::Es384, AsTheFileSays),
    ("ecdsa_secp521r1_sha512_p1363", Algorithm::Es512, AsTheFileSays),
    (
        "ecdsa_secp256r1_sha256",
        Algorithm::Es256,
        AllRefused("in tokens r and s stand side by side, not in DER"),
    ),
    (
        "ecdsa_secp384r1_sha384",
        Algorithm::Es384,
        AllRefused("in tokens r and s stand side by side, not in DER"),
    ),
    (
        "ecdsa_secp521r1_sha512",
        Algorithm::Es512,
        AllRefused("in tokens r and s stand side by side, not in DER"),
    ),
    ("ecdsa_secp256k1_sha256_p1363", Algorithm::Es256, NoKey("ES256K is not taken")),
    ("rsa_signature_2048_sha256", Algorithm::Rs256, AsTheFileSays),
    ("rsa_signature_2048_sha384", Algorithm::Rs384, AsTheFileSays),
    ("rsa_signature_2048_sha512", Algorithm::Rs512, AsTheFileSays),
    ("rsa_signature_3072_sha256", Algorithm::Rs256, AsTheFileSays),
    ("rsa_signature_3072_sha384", Algorithm::Rs384, AsTheFileSays),
    ("rsa_signature_3072_sha512", Algorithm::Rs512, AsTheFileSays),
    ("rsa_signature_4096_sha256", Algorithm::Rs256, AsTheFileSays),
    ("rsa_signature_4096_sha384", Algorithm::Rs384, AsTheFileSays),
    ("rsa_signature_4096_sha512", Algorithm::Rs512, AsTheFileSays),
    ("rsa_signature_8192_sha256", Algorithm::Rs256, AsTheFileSays),
    ("rsa_signature_8192_sha384", Algorithm::Rs384, AsTheFileSays),
    ("rsa_signature_8192_sha512", Algorithm::Rs512, AsTheFileSays),
    ("rsa_pss_2048_sha256_mgf1_32", Algorithm::Ps256, AsTheFileSays),
    ("rsa_pss_2048_sha384_mgf1_48", Algorithm::Ps384, AsTheFileSays),
    ("rsa_pss_3072_sha256_mgf1_32", Algorithm::Ps256, AsTheFileSays),
    ("rsa_pss_4096_sha256_mgf1_32", Algorithm::Ps256, AsTheFileSays),
    ("rsa_pss_4096_sha384_mgf1_48", Algorithm::Ps384, AsTheFileSays),
    ("rsa_pss_4096_sha512_mgf1_64", Algorithm::Ps512, AsTheFileSays),
    ("rsa_pss_2048_sha256_mgf1_0", Algorithm::Ps256, AllRefusedBut("s_len changed to 32", SALT)),
    ("rsa_pss_4096_sha512_mgf1_32", Algorithm::Ps512, AllRefusedBut("s_len changed to 64", SALT)),
    (
        "rsa_pss_2048_sha256_mgf1sha1_20",
        Algorithm::Ps256,
        AllRefused("in tokens one hash serves message and mask"),
    ),
    ("ed25519", Algorithm::EdDsa, AsTheFileSays),
    ("hmac_sha256", Algorithm::Hs256, AsTheFileSays),
    ("hmac_sha384", Algorithm::Hs384, AsTheFileSays),
    ("hmac_sha512", Algorithm::Hs512, AsTheFileSays),
];

/// How many signatures passed and failed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: usize,
    failed: usize,
}

fn vectors(file: &str, algorithm: Algorithm) -> Value {
    let text = match algorithm.name().as_bytes() {
        [b'H', ..] => file.parse().map(|name: wycheproof::mac::TestName| name.json_data()),
        [b'R', ..] => file.parse().map(|name: wycheproof::rsa_pkcs1_verify::TestName| name.json_data()),
        [b'P', ..] => file.parse().map(|name: wycheproof::rsa_pss_verify::TestName| name.json_data()),
        [b'E', b'S', ..] => file.parse().map(|name: wycheproof::ecdsa::TestName| name.json_data()),
        _ => file.parse().map(|name: wycheproof::eddsa::TestName| name.json_data()),
    };
    serde_json::from_str(text.expect(file)).expect(file)
}

fn octets(of: &Value, name: &str) -> Vec<u8> {
    let hex = of[name].as_str().expect(name);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn read_jwk(jwk: &Value) -> Result<KeySet, KeyError> {
    KeySet::read(jwk.to_string().as_bytes(), Origin::Local)
}

/// Whether the key in this JWK verifies the signature; the algorithm is one that its issuer allows.
fn verifies(keys: &KeySet, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let mut keys = keys.candidates(None, algorithm, Allowed::Listed).into_iter().flatten();
    keys.any(|key| key.verifies(algorithm, message, signature))
}

/// Runs a file of signatures by public keys.
fn run_signatures(file: &str, algorithm: Algorithm, rule: Rule) -> Count {
    let mut count = Count::default();
    let vectors = vectors(file, algorithm);
    for group in vectors["testGroups"].as_array().expect("groups") {
        let jwk = ["publicKeyJwk", "keyJwk"].iter().find_map(|name| group.get(name)).map(|jwk| {
            let mut jwk: Map<String, Value> = jwk.as_object().expect("an object").clone();
            // Wycheproof names every key `none`, and tokens here name none.
            jwk.remove("kid");
            read_jwk(&Value::Object(jwk))
        });
        let der = Key::der(algorithm, &octets(group, "publicKeyDer"));
        if let NoKey(_) = rule {
            assert!(jwk.is_none_or(|jwk| jwk.is_err()) && der.is_err(), "{file}: the key is refused");
            count.failed += group["tests"].as_array().expect("tests").len();
            continue;
        }
        let jwk = jwk.map(|jwk| jwk.expect(file));
        let der = der.expect(file);
        for test in group["tests"].as_array().expect("tests") {
            let (message, signature) = (octets(test, "msg"), octets(test, "sig"));
            let passed = der.verifies(algorithm, &message, &signature);
            if let Some(jwk) = &jwk {
                let by_jwk = verifies(jwk, algorithm, &message, &signature);
                assert_eq!(by_jwk, passed, "{file} {}: JWK and DER agree", test["tcId"]);
            }
            check(file, test, rule, passed, &mut count);
        }
    }
    assert_eq!(vectors["numberOfTests"], count.passed + count.failed, "{file}: every vector has run");
    count
}

/// Runs a file of HMACs. RFC 7518, section 3.2, wants a secret as long as the hash, and the whole tag.
fn run_secrets(file: &str, algorithm: Algorithm) -> Count {
    let KeyKind::Secret { least } = algorithm.key_kind() else { panic!("{algorithm} has a secret") };
    let mut count = Count::default();
    let vectors = vectors(file, algorithm);
    for group in vectors["testGroups"].as_array().expect("groups") {
        let bytes = |name: &str| group[name].as_u64().expect(name) as usize / 8;
        let rule = match (bytes("keySize") < least, bytes("tagSize") < least) {
            (true, _) => NoKey("the secret is shorter than the hash"),
            (_, true) => AllRefused("the tag is cut"),
            _ => AsTheFileSays,
        };
        for test in group["tests"].as_array().expect("tests") {
            let (secret, message, tag) = (octets(test, "key"), octets(test, "msg"), octets(test, "tag"));
            let jwk = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(&secret)});
            let keys = read_jwk(&jwk);
            let usable =
                keys.as_ref().is_ok_and(|keys| keys.candidates(None, algorithm, Allowed::Listed).is_ok());
            assert_eq!(usable, !matches!(rule, NoKey(_)), "{file} {}: the secret", test["tcId"]);
            let passed = keys.is_ok_and(|keys| verifies(&keys, algorithm, &message, &tag));
            check(file, test, rule, passed, &mut count);
        }
    }
    assert_eq!(vectors["numberOfTests"], count.passed + count.failed, "{file}: every vector has run");
    count
}

fn check(file: &str, test: &Value, rule: Rule, passed: bool, count: &mut Count) {
    let expected = match rule {
        AsTheFileSays => test["result"] == "valid",
        AllRefusedBut(comment, _) => test["comment"] == comment,
        AllRefused(_) | NoKey(_) => false,
    };
    assert_eq!(passed, expected, "{file} {}: {} ({}), {rule:?}", test["tcId"], test["comment"], test["result"]);
    match passed {
        true => count.passed += 1,
        false => count.failed += 1,
    }
}

fn run(of: &[Algorithm]) -> Count {
    let mut sum = Count::default();
    for (file, algorithm, rule) in TABLE.iter().filter(|(_, algorithm, _)| of.contains(algorithm)) {
        let count = match algorithm.key_kind() {
            KeyKind::Secret { .. } => run_secrets(file, *algorithm),
            _ => run_signatures(file, *algorithm, *rule),
        };
        sum.passed += count.passed;
        sum.failed += count.failed;
    }
    sum
}

#[test]
fn every_algorithm_has_vectors_that_are_valid() {
    for algorithm in Algorithm::ALL {
        let has = TABLE.iter().any(|(_, own, rule)| *own == algorithm && *rule == AsTheFileSays);
        assert!(has, "{algorithm}");
    }
}

#[test]
fn signatures_on_curves() {
    let count = run(&[Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa]);
    assert!(count.passed > 600 && count.failed > 1000, "{count:?}");
}

#[test]
fn signatures_by_rsa_in_pkcs_1() {
    let count = run(&[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512]);
    assert!(count.passed > 80 && count.failed > 2500, "{count:?}");
}

#[test]
fn signatures_by_rsa_in_pss() {
    let count = run(&[Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]);
    assert!(count.passed > 450 && count.failed > 450, "{count:?}");
}

#[test]
fn tags_by_shared_secrets() {
    let count = run(&[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512]);
    assert!(count.passed > 60 && count.failed > 350, "{count:?}");
}
