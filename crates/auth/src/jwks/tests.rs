use super::{Allowed, Jwks, KeySet, NoKey, jwk::Origin};
use crate::jwt::Algorithm;

const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
const SECRET: &str = r#""kty":"oct","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg""#;

fn read(origin: Origin, keys: &[&str]) -> Result<usize, String> {
    let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    KeySet::read(set.as_bytes(), origin).map(|set| set.len()).map_err(|error| error.to_string())
}

fn local(key: &str) -> Result<usize, String> {
    read(Origin::Local, &[&format!("{{{key}}}")])
}

#[test]
fn a_key_that_is_no_use_is_left_out_and_the_others_stay() {
    let good = format!("{{{EC}}}");
    for other in [
        format!(r#"{{{EC},"use":"enc"}}"#),
        format!(r#"{{{EC},"key_ops":["sign"]}}"#),
        format!(r#"{{{EC},"alg":"ECDH-ES"}}"#),
        r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.to_owned(),
        r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.to_owned(),
        r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        r#"{"no":"key"}"#.to_owned(),
        "7".to_owned(),
    ] {
        assert_eq!(read(Origin::Remote, &[&other, &good]), Ok(1), "{other}");
    }
    assert_eq!(local(&format!(r#"{EC},"use":"sig","key_ops":["verify","sign"]"#)), Ok(1));
}

#[test]
fn a_bad_key_is_told_of_when_there_is_no_other() {
    for (key, why) in [
        (r#""kty":"RSA","n":"AQAB","e":"AQAB""#, "2048"),
        (r#""kty":"RSA","e":"AQAB""#, "`n`"),
        (r#""kty":"EC","crv":"P-256","x":"AA","y":"AA""#, "length"),
        (&EC.replace("f83O", "f84O"), "no point"),
        (&EC.replace("P-256", "P-384"), "length"),
        (&format!(r#"{EC},"alg":"ES384""#), "does not fit"),
        (&format!(r#"{EC},"alg":"RS256""#), "does not fit"),
        (&format!(r#"{EC},"alg":7"#), "`alg`"),
        (&format!(r#"{EC},"kid":7"#), "`kid`"),
        (&EC.replace("f83O", "+83O"), "base64url"),
        (&ED.replace("11qYAYKx", ""), "32 bytes"),
        (&format!(r#"{ED},"alg":"ES256""#), "does not verify"),
        (r#""kty":"oct","k":"c2VjcmV0""#, "at least 32 bytes"),
        (r#""kty":"oct","alg":"HS256","k":"c2VjcmV0""#, "at least 32 bytes"),
        (&SECRET.replace("HS256", "HS512"), "at least 64 bytes"),
        (&SECRET.replace("HS256", "RS256"), "not RS256"),
        (r#""kty":"PQ""#, "its `kty` is none of RSA"),
        (r#""kty":"OKP","crv":"Ed448""#, "is not Ed25519"),
        (r#""kty":"EC","crv":"secp256k1""#, "none of P-256"),
        (&format!(r#"{EC},"alg":"ECDH-ES""#), "its `alg` is none of"),
        (&format!(r#"{EC},"alg":"es256""#), "write `ES256`"),
        (&format!(r#"{EC},"kid":7"#), "has to be text: `\"7\"`"),
        (r#""kty":"RSA","kid":"a","x5c":["AA"]"#, "the key `a`: it has no `n`; its certificate (`x5c`)"),
        (r#""kty":"RSA","n":"AQAB=","e":"AQAB""#, "key number 1 (without a `kid`): its `n` is no base64url"),
        ("", "no `kty`"),
        (&format!(r#"{EC},"kid":"a","kid":"b""#), "twice"),
    ] {
        let error = local(key).expect_err(key);
        assert!(error.contains(why), "{key}: {error}");
    }
    assert!(read(Origin::Local, &[]).is_err());
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(KeySet::read(text.as_bytes(), Origin::Local).is_err(), "{text}");
    }
}

#[test]
fn another_kind_of_text_is_named() {
    for (text, why) in [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("-----BEGIN PUBLIC KEY-----\n", "it is PEM"),
        ("<!doctype html>", "it is a web page"),
        (r#"[{"kty":"RSA"}]"#, "write the list as `{\"keys\": [...]}`"),
        (r#"{"keys":[]}"#, "`keys` is empty"),
        (r#"{"keys":{}}"#, "`keys` are no list"),
        (r#"{"issuer":"i","jwks_uri":"u"}"#, "take what its `jwks_uri` leads to"),
        (r#"{"a":"-----BEGIN CERTIFICATE-----"}"#, "it holds certificates"),
        ("{", "no valid JSON"),
    ] {
        let error = KeySet::read(text.as_bytes(), Origin::Local).expect_err(text).to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let marked = format!("\u{feff}{{{ED}}}");
    assert!(KeySet::read(marked.as_bytes(), Origin::Local).is_ok());
}

#[test]
fn a_private_half_is_told_of_by_its_members() {
    for (key, members) in
        [(&format!(r#"{EC},"d":"AA""#), "take `d` out"), (&format!(r#"{ED},"d":"AA""#), "take `d` out")]
    {
        let set = KeySet::read(format!("{{{key}}}").as_bytes(), Origin::Local).expect(key);
        assert!(set.doubts()[0].contains(members), "{:?}", set.doubts());
    }
}

#[test]
fn what_is_published_is_no_secret() {
    let secret = format!("{{{SECRET}}}");
    assert_eq!(read(Origin::Local, &[&secret]), Ok(1));
    assert!(read(Origin::Remote, &[&secret]).is_err());
    assert_eq!(read(Origin::Remote, &[&secret, &format!("{{{ED}}}")]), Ok(1));
}

#[test]
fn a_set_is_bounded() {
    let keys: Vec<String> = (0..101).map(|number| format!(r#"{{{ED},"kid":"{number}"}}"#)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(read(Origin::Remote, &keys[..100]), Ok(100));
    assert!(read(Origin::Remote, &keys).is_err());
}

#[test]
fn a_key_is_found_by_its_name_and_used_for_its_algorithm_alone() {
    let set = format!(r#"{{"keys":[{{{EC},"kid":"a"}},{{{ED},"kid":"b"}},{{{ED}}}]}}"#);
    let set = KeySet::read(set.as_bytes(), Origin::Local).expect("a set");
    let found = |kid, algorithm| set.candidates(kid, algorithm, Allowed::Unlisted).map(Iterator::count);
    assert_eq!(found(Some("a"), Algorithm::Es256), Ok(1));
    assert_eq!(found(Some("a"), Algorithm::EdDsa), Err(NoKey::WrongAlgorithm));
    assert_eq!(found(Some("b"), Algorithm::EdDsa), Ok(1));
    // One without a name may be meant by any.
    assert_eq!(found(Some("c"), Algorithm::EdDsa), Ok(1));
    assert_eq!(found(Some("c"), Algorithm::Es256), Err(NoKey::Unknown));
    assert_eq!(found(None, Algorithm::EdDsa), Ok(2));
    assert_eq!(found(None, Algorithm::Hs256), Err(NoKey::WrongAlgorithm));
}

#[test]
fn a_pem_text_holds_one_key_of_the_algorithm() {
    // RFC 8410, section 10.1.
    let ed25519 = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    assert!(Jwks::pem(Algorithm::EdDsa, ed25519.as_bytes()).is_ok());
    for algorithm in [Algorithm::Es256, Algorithm::Es512, Algorithm::Rs256, Algorithm::Ps512, Algorithm::Hs256]
    {
        assert!(Jwks::pem(algorithm, ed25519.as_bytes()).is_err(), "{algorithm}");
    }
    for (text, why) in [
        (ed25519.repeat(2), "there are 2 public keys"),
        (
            format!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n{ed25519}"),
            "a private key beside",
        ),
    ] {
        let error = Jwks::any_pem(text.as_bytes()).expect_err(&text).to_string();
        assert!(error.contains(why), "{error}");
    }
    for text in ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "secret"] {
        assert!(Jwks::pem(Algorithm::EdDsa, text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_secret_is_as_long_as_its_hash() {
    assert!(Jwks::secret(Algorithm::Hs256, &[7; 32]).is_ok());
    assert!(Jwks::secret(Algorithm::Hs256, &[7; 31]).is_err());
    assert!(Jwks::secret(Algorithm::Hs512, &[7; 63]).is_err());
    assert!(Jwks::secret(Algorithm::Es256, &[7; 64]).is_err());
}

#[test]
fn an_rsa_key_that_would_let_anybody_sign_is_refused() {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    // The modulus of RFC 7515, appendix A.2.
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ\
             S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2\
             R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD\
             TW9gb54h4FRWyuXpoQ";
    let n = URL_SAFE_NO_PAD.decode(n).expect("base64url");
    let key = |n: &[u8], e: &[u8]| {
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        local(&format!(r#""kty":"RSA","n":"{n}","e":"{e}""#))
    };
    assert_eq!(key(&n, &[1, 0, 1]), Ok(1));
    for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0, 0, 1], &[0xff; 9], &n] {
        assert!(key(&n, e).is_err(), "{e:?}");
    }
    let half = &n[..128];
    let padded = [&[0; 128], half].concat();
    let with_a_zero = [&[0], &n[..]].concat();
    let even = [&n[..255], &[2]].concat();
    assert_eq!(key(&with_a_zero, &[1, 0, 1]), Ok(1));
    for n in [half, &padded, &even, &[0xff; 1025], &[]] {
        assert!(key(n, &[1, 0, 1]).is_err(), "{} octets", n.len());
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let pem = "\n-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let error = Jwks::secret(Algorithm::Hs256, pem.as_bytes()).expect_err("is public");
    assert_eq!(error.to_string(), "a key in PEM is no shared secret");
}

#[test]
fn no_secret_is_printed() {
    let keys = Jwks::secret(Algorithm::Hs256, b"correct horse battery staple, 32").expect("long enough");
    let printed = format!("{keys:?}");
    assert!(!printed.contains("horse") && !printed.contains("99, 111"), "{printed}");
}

/// A key with a certificate of its own: the members of the key, and the certificate as `x5c` has it.
fn certified(algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String) {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
    let params = rcgen::CertificateParams::new(vec!["id.example".to_owned()]).expect("a name");
    let certificate = STANDARD.encode(params.self_signed(&key).expect("a certificate").der());
    let raw = key.public_key_raw();
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let members = match raw.len() {
        32 => format!(r#""kty":"OKP","crv":"Ed25519","x":"{}""#, text(raw)),
        65 => format!(r#""kty":"EC","crv":"P-256","x":"{}","y":"{}""#, text(&raw[1..33]), text(&raw[33..])),
        // Modulus and exponent, in that order (RFC 8017, appendix A.1.1).
        length => {
            format!(r#""kty":"RSA","n":"{}","e":"AQAB""#, text(&raw[length - 261..length - 5]))
        }
    };
    (members, certificate)
}

#[test]
fn the_first_certificate_of_a_key_has_to_be_of_that_key() {
    let kinds = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519, &rcgen::PKCS_RSA_SHA256];
    for kind in kinds {
        let (key, own) = certified(kind);
        let (_, others) = certified(kind);
        for good in [
            "[]".to_owned(),
            format!(r#"["{own}"]"#),
            format!(r#"["{own}","{others}"]"#),
            format!(r#"["{}\n{}"]"#, &own[..64], &own[64..]),
        ] {
            assert_eq!(local(&format!(r#"{key},"x5c":{good}"#)), Ok(1), "{good}");
        }
        for (bad, why) in [
            (format!(r#"["{others}"]"#), "another key"),
            (format!(r#"["{others}","{own}"]"#), "another key"),
            (format!(r#"["{}"]"#, &own[..64]), "no certificate"),
            (r#"["%"]"#.to_owned(), "no certificate"),
            ("[7]".to_owned(), "no certificate"),
            (format!(r#""{own}""#), "no list"),
        ] {
            let error = local(&format!(r#"{key},"x5c":{bad}"#)).expect_err(&bad);
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
    // A certificate of another kind of key is another key's as well.
    let ((key, _), (_, other)) = (certified(kinds[0]), certified(kinds[2]));
    assert!(local(&format!(r#"{key},"x5c":["{other}"]"#)).expect_err("another").contains("another key"));
}

#[test]
fn what_a_key_is_for_has_to_be_said_as_it_should() {
    for (said, taken) in [
        (r#""use":"sig""#, true),
        (r#""key_ops":["verify"]"#, true),
        (r#""use":"sig","key_ops":["verify"]"#, true),
        (r#""use":"enc""#, false),
        (r#""use":"enc","key_ops":["verify"]"#, false),
        (r#""use":"sig","key_ops":["encrypt","wrapKey"]"#, false),
        (r#""key_ops":[]"#, false),
        (r#""key_ops":"verify""#, false),
        (r#""use":["sig"]"#, false),
        (r#""use":null"#, false),
    ] {
        let found = local(&format!("{EC},{said}"));
        assert_eq!(found.is_ok(), taken, "{said}");
        if let Err(error) = found {
            assert!(error.contains("`use`") || error.contains("`key_ops`"), "{said}: {error}");
        }
    }
}

#[test]
fn a_secret_verifies_in_its_own_algorithm_alone() {
    use aws_lc_rs::hmac;

    let secret = [7; 64];
    let key = super::key::Key::secret(Some(Algorithm::Hs256), &secret).expect("is long enough");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), b"message");
    assert!(key.verifies(Algorithm::Hs256, b"message", signature.as_ref()));
    for other in [Algorithm::Hs384, Algorithm::Hs512, Algorithm::EdDsa, Algorithm::Rs256] {
        assert!(!key.verifies(other, b"message", signature.as_ref()), "{other}");
    }
}

#[test]
fn the_algorithms_that_keys_verify_are_told() {
    let keys = Jwks::secret(Algorithm::Hs256, &[7; 32]).expect("is long enough");
    assert_eq!(keys.algorithms(None), Some(vec![Algorithm::Hs256]));
    assert_eq!(keys.algorithms(Some(&[Algorithm::Hs256, Algorithm::Es256])), Some(vec![Algorithm::Hs256]));
    assert_eq!(keys.algorithms(Some(&[Algorithm::Es256])), Some(vec![]));
}
