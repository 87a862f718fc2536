//! Forged tokens of each algorithm, against an issuer that has a key for each.

use std::sync::OnceLock;

use gatewright_auth::{Algorithm, AuthLayer, Jwks, Jwt};
use serde_json::json;

use crate::{
    accepted::ALL,
    asking::{ask, bearer, clock_at},
    keys::{Signer, base64url},
    token::{NOW, Token},
};

type Case = (String, &'static str, String);

/// The issuer's keys, by algorithm. Each key's name is that of its algorithm.
fn signers() -> &'static [(Algorithm, Signer)] {
    static SIGNERS: OnceLock<Vec<(Algorithm, Signer)>> = OnceLock::new();
    SIGNERS.get_or_init(|| ALL.map(|algorithm| (algorithm, Signer::of(algorithm))).into())
}

fn layer() -> AuthLayer<Jwt> {
    let keys: Vec<_> = signers().iter().map(|(alg, signer)| signer.jwk(alg.name(), *alg)).collect();
    let keys = Jwks::from_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    AuthLayer::new(Jwt::new(keys).issuer("https://id.example/").audience("api").clock(clock_at(NOW)))
}

fn good(algorithm: Algorithm) -> Token {
    Token::good().header("alg", json!(algorithm.name())).header("kid", json!(algorithm.name()))
}

/// Signed by octets of one's own making.
fn with_signature(token: &Token, signature: impl AsRef<[u8]>) -> String {
    format!("{}.{}", token.unsigned(), base64url(signature))
}

/// What no algorithm takes for a signature.
fn of_any(algorithm: Algorithm, signer: &Signer) -> Vec<Case> {
    let token = good(algorithm);
    let signature = signer.sign(algorithm, token.unsigned().as_bytes());
    let flipped = |index: usize, bit: u8| {
        let mut forged = signature.clone();
        forged[index] ^= bit;
        with_signature(&token, forged)
    };
    let stranger = match signer {
        Signer::Secret(_) => Signer::Secret(vec![8; 64]),
        _ => Signer::of(algorithm),
    };
    let none = token.clone().header("alg", json!("none"));
    let last = signature.len() - 1;
    let mut cases: Vec<Case> = [
        ("another's key", token.signed_by(&stranger, algorithm)),
        ("other claims", with_signature(&token.clone().claim("sub", json!("admin")), &signature)),
        ("another header", with_signature(&token.clone().no_header("typ"), &signature)),
        ("no signature", with_signature(&token, [])),
        ("one octet", with_signature(&token, [0])),
        ("a shorter one", with_signature(&token, &signature[..last])),
        ("half of one", with_signature(&token, &signature[..signature.len() / 2])),
        ("without its first octet", with_signature(&token, &signature[1..])),
        ("a longer one", with_signature(&token, [&signature[..], &[0]].concat())),
        ("a zero before it", with_signature(&token, [&[0], &signature[..]].concat())),
        ("one twice", with_signature(&token, [&signature[..], &signature].concat())),
        ("zeros", with_signature(&token, vec![0; signature.len()])),
        ("ones", with_signature(&token, vec![0xff; signature.len()])),
        ("another first bit", flipped(0, 0x80)),
        ("another last bit", flipped(last, 1)),
        ("another bit amid", flipped(signature.len() / 2, 0x10)),
    ]
    .map(|(name, token)| (name.to_owned(), "jwt_bad_signature", token))
    .into();
    cases.push(("none, and its signature".to_owned(), "jwt_alg_none", with_signature(&none, &signature)));
    cases.push(("none, and none".to_owned(), "jwt_alg_none", format!("{}.", none.unsigned())));
    for (other, _) in signers().iter().filter(|(other, _)| *other != algorithm) {
        let said = token.clone().header("alg", json!(other.name()));
        let named = token.clone().header("kid", json!(other.name()));
        cases.push((format!("{other} said"), "jwt_wrong_algorithm", said.signed_by(signer, algorithm)));
        cases.push((format!("{other}'s key named"), "jwt_wrong_algorithm", named.signed_by(signer, algorithm)));
    }
    cases
}

/// RSA with another padding or another hash than is said.
fn of_rsa(algorithm: Algorithm, signer: &Signer) -> Vec<Case> {
    let token = good(algorithm);
    let others = ALL.into_iter().filter(|other| is_rsa(*other) && *other != algorithm);
    others
        .map(|other| (format!("signed as {other}"), "jwt_bad_signature", token.signed_by(signer, other)))
        .collect()
}

fn is_rsa(algorithm: Algorithm) -> bool {
    matches!(algorithm.name().as_bytes()[0], b'R' | b'P')
}

/// Secrets that everybody knows.
fn of_secrets(algorithm: Algorithm, signer: &Signer) -> Vec<Case> {
    let token = good(algorithm);
    let mut cases = vec![
        ("an empty secret".to_owned(), token.signed_by(&Signer::Secret(vec![]), algorithm)),
        ("a zero for a secret".to_owned(), token.signed_by(&Signer::Secret(vec![0]), algorithm)),
    ];
    for (other, public) in signers().iter().filter(|(_, public)| !matches!(public, Signer::Secret(_))) {
        let pem = public.pem();
        for (form, secret) in
            [("", pem.clone().into_bytes()), (" without its last line's end", pem.trim_end().into())]
        {
            let token = token.signed_by(&Signer::Secret(secret), algorithm);
            cases.push((format!("the public key of {other}{form}"), token));
        }
        let jwk = public.jwk(other.name(), *other).to_string().into_bytes();
        cases.push((format!("the published key of {other}"), token.signed_by(&Signer::Secret(jwk), algorithm)));
    }
    let others = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    for other in others.into_iter().filter(|other| *other != algorithm) {
        cases.push((format!("signed as {other}"), token.signed_by(signer, other)));
    }
    cases.into_iter().map(|(name, token)| (name, "jwt_bad_signature", token)).collect()
}

/// The order of each curve's group (FIPS 186-4, appendix D.1.2): a multiple of it is zero.
fn order(algorithm: Algorithm) -> Vec<u8> {
    let hex = match algorithm {
        Algorithm::Es256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::Es384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        _ => {
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa\
             51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        }
    };
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Numbers that are out of range, and another encoding of good ones.
fn of_curves(algorithm: Algorithm, signer: &Signer) -> Vec<Case> {
    let token = good(algorithm);
    let signature = signer.sign(algorithm, token.unsigned().as_bytes());
    let (r, s) = signature.split_at(signature.len() / 2);
    let (zero, order) = (vec![0; r.len()], order(algorithm));
    assert_eq!(order.len(), r.len());
    let mut one = zero.clone();
    *one.last_mut().unwrap() = 1;
    let mut cases: Vec<Case> = [
        ("r is zero", [&zero, s]),
        ("s is zero", [r, &zero]),
        ("r is the order", [&order, s]),
        ("s is the order", [r, &order]),
        ("both are the order", [&order, &order]),
        ("both are one", [&one, &one]),
        ("r and s have changed places", [s, r]),
    ]
    .map(|(name, parts)| (name.to_owned(), "jwt_bad_signature", with_signature(&token, parts.concat())))
    .into();
    let integer = |number: &[u8]| {
        let padded = if number[0] & 0x80 == 0 { number.to_vec() } else { [&[0], number].concat() };
        [&[2, padded.len() as u8], &padded[..]].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let head = if body.len() < 128 { vec![0x30, body.len() as u8] } else { vec![0x30, 0x81, body.len() as u8] };
    cases.push(("in DER".to_owned(), "jwt_bad_signature", with_signature(&token, [head, body].concat())));
    cases
}

/// The same point, and a number that is too large by the order of the group (RFC 8032, section 8.4).
fn of_edwards(algorithm: Algorithm, signer: &Signer) -> Vec<Case> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let token = good(algorithm);
    let mut forged = signer.sign(algorithm, token.unsigned().as_bytes());
    let mut carry = 0;
    for (octet, order) in forged[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*octet) + u16::from(order) + carry;
        *octet = sum as u8;
        carry = sum >> 8;
    }
    vec![("s and the order".to_owned(), "jwt_bad_signature", with_signature(&token, forged))]
}

#[tokio::test]
async fn forged_tokens_of_each_algorithm_are_refused() {
    let layer = layer();
    let mut wrong = Vec::new();
    let mut counts = Vec::new();
    for (algorithm, signer) in signers() {
        let (algorithm, mut cases) = (*algorithm, of_any(*algorithm, signer));
        cases.extend(match signer {
            Signer::Rsa(_) => of_rsa(algorithm, signer),
            Signer::Curve(_) => of_curves(algorithm, signer),
            Signer::Edwards(_) => of_edwards(algorithm, signer),
            Signer::Secret(_) => of_secrets(algorithm, signer),
        });
        counts.push((algorithm.name(), cases.len()));
        for (name, reason, token) in cases {
            let asked = ask(&layer, bearer(&token)).await;
            if asked.status != 401 || asked.rejection.as_deref() != Some(reason) || asked.upstream.is_some() {
                wrong.push(format!("{algorithm}, {name}: {} {:?}", asked.status, asked.rejection));
            }
        }
        // What they are made of is good, and stays so.
        let token = good(algorithm).signed_by(signer, algorithm);
        assert_eq!(ask(&layer, bearer(&token)).await.status, 200, "{algorithm}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.iter().all(|(_, count)| *count >= 40), "{counts:?}");
}
