//! Forged and malformed tokens. Each is refused with its own reason in the log, and all with the same response.

use gatewright_auth::{Algorithm, AuthLayer};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::{
    asking::{self, ask, bearer},
    keys::{self, Signer, base64url},
    token::{NOW, Token, sign_text},
};

type Case = (&'static str, &'static str, Request<()>);

fn good() -> Token {
    Token::good()
}

fn case(name: &'static str, reason: &'static str, token: String) -> Case {
    (name, reason, bearer(&token))
}

/// Signed by the issuer's key, so that only what is said of it can be wrong.
fn signed(name: &'static str, reason: &'static str, token: &Token) -> Case {
    case(name, reason, token.signed())
}

/// Base64url whose last character has bits that stand for nothing, and that are not zero.
fn spare_bits(text: &str) -> String {
    assert_ne!(text.len() % 3, 0, "no bit is spare");
    let mut encoded = base64url(text).into_bytes();
    *encoded.last_mut().unwrap() += 1;
    String::from_utf8(encoded).unwrap()
}

fn of_form() -> Vec<Case> {
    let token = good().signed();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let mut last = signature.as_bytes().to_vec();
    // 256 octets leave four bits of the last character unused.
    *last.last_mut().unwrap() += 1;
    let spare = String::from_utf8(last).unwrap();
    let claims = good().claims.to_string();
    let rs256 = r#"{"alg":"RS256","kid":"rsa"}"#;
    let with_header = |text: &str| sign_text(text, &claims, keys::rsa(), Algorithm::Rs256);
    let with_claims = |text: &str| sign_text(rs256, text, keys::rsa(), Algorithm::Rs256);
    let twice = claims.replacen('{', r#"{"sub":"admin","#, 1);
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let deep = claims.replacen('{', &format!("{{\"x\":{deep},"), 1);
    let nested = claims.replacen('{', r#"{"x":{"y":1,"\u0079":2},"#, 1);
    let mut several = bearer(&token);
    let again = several.headers()[AUTHORIZATION].clone();
    several.headers_mut().append(AUTHORIZATION, again);
    let mut beside = bearer(&token);
    beside.headers_mut().append(AUTHORIZATION, HeaderValue::from_static("Basic dTpw"));
    vec![
        case("no token", "jwt_malformed", String::new()),
        case("no dots", "jwt_malformed", "abc".into()),
        case("two parts", "jwt_malformed", format!("{header}.{payload}")),
        case("four parts", "jwt_malformed", format!("{token}.")),
        case("empty parts", "jwt_bad_header", "..".into()),
        case("words after it", "jwt_malformed", format!("{token} {token}")),
        case("a list", "jwt_malformed", format!("{token},{token}")),
        case("padding in the header", "jwt_malformed", format!("{header}=.{payload}.{signature}")),
        case("padding in the signature", "jwt_malformed", format!("{token}==")),
        case("the other alphabet", "jwt_malformed", format!("{header}.{payload}.+{}", &signature[1..])),
        case("padding in the payload", "jwt_malformed", format!("{header}.{payload}=.{signature}")),
        case("a line's end in the header", "jwt_malformed", format!("{header}%0A.{payload}.{signature}")),
        case("a tab in the signature", "jwt_malformed", format!("{header}.{payload}.\t{signature}")),
        case("bits beyond the last octet", "jwt_malformed", format!("{header}.{payload}.{spare}")),
        case("bits beyond the header's last octet", "jwt_malformed", {
            format!("{}.{payload}.{signature}", spare_bits(r#"{"alg":"RS256","kid":"rsa" }"#))
        }),
        case("bits beyond the payload's last octet", "jwt_malformed", {
            format!("{header}.{}.{signature}", spare_bits(r#"{"sub":"u1"}  "#))
        }),
        case("the form in JSON", "jwt_malformed", {
            format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)
        }),
        case("two names of the key", "jwt_bad_header", {
            with_header(r#"{"alg":"RS256","kid":"rsa","kid":"other"}"#)
        }),
        case("a member twice, once escaped", "jwt_bad_header", {
            with_header(r#"{"alg":"RS256","\u0061lg":"none","kid":"rsa"}"#)
        }),
        case(
            "an encrypted token",
            "jwt_encrypted",
            format!("{header}.{payload}.{signature}.{payload}.{signature}"),
        ),
        signed("an encrypted token's header", "jwt_encrypted", &good().header("enc", json!("A128GCM"))),
        case("a header that is no JSON", "jwt_bad_header", with_header("alg=RS256")),
        case("a header that is a list", "jwt_bad_header", with_header(r#"[{"alg":"RS256"}]"#)),
        case("two algorithms", "jwt_bad_header", with_header(r#"{"alg":"RS256","alg":"none","kid":"rsa"}"#)),
        case("text after the header", "jwt_bad_header", with_header(r#"{"alg":"RS256","kid":"rsa"}{}"#)),
        case("a payload that is no JSON", "jwt_bad_claims", with_claims("sub=u1")),
        case("a payload that is a list", "jwt_bad_claims", with_claims("[]")),
        case("two subjects", "jwt_bad_claims", with_claims(&twice)),
        case("two members deep inside", "jwt_bad_claims", with_claims(&nested)),
        case("lists in lists without end", "jwt_bad_claims", with_claims(&deep)),
        case("a number without end", "jwt_bad_claims", with_claims(&claims.replacen('{', "{\"x\":1e999,", 1))),
        case("text after the claims", "jwt_bad_claims", with_claims(&format!("{claims}{claims}"))),
        case("a mark of byte order", "jwt_bad_claims", with_claims(&format!("\u{feff}{claims}"))),
        case("octets that are no text", "jwt_bad_claims", {
            let message = format!("{}.{}", base64url(rs256), base64url(b"{\"sub\":\"\xff\"}"));
            format!("{message}.{}", base64url(keys::rsa().sign(Algorithm::Rs256, message.as_bytes())))
        }),
        signed("a token without end", "jwt_too_large", &good().claim("x", json!("x".repeat(8 * 1024)))),
        ("the header twice", "jwt_several", several),
        ("another scheme beside it", "jwt_several", beside),
    ]
}

fn of_algorithm() -> Vec<Case> {
    let none = |name: &str| good().header("alg", json!(name));
    let hmac = good().header("alg", json!("HS256"));
    let with_secret = |secret: Vec<u8>| hmac.signed_by(&Signer::Secret(secret), Algorithm::Hs256);
    let modulus = keys::rsa().jwk("rsa", Algorithm::Rs256)["n"].as_str().unwrap().as_bytes().to_vec();
    let by_rsa = |name: &str, algorithm| good().header("alg", json!(name)).signed_by(keys::rsa(), algorithm);
    vec![
        case("no signature, and none said", "jwt_alg_none", format!("{}.", none("none").unsigned())),
        case("NONE", "jwt_alg_none", format!("{}.", none("NONE").unsigned())),
        case("nOnE, and signed", "jwt_alg_none", none("nOnE").signed()),
        case("no signature, and RS256 said", "jwt_bad_signature", format!("{}.", good().unsigned())),
        signed("no algorithm", "jwt_bad_header", &good().no_header("alg")),
        signed("nothing for the algorithm", "jwt_bad_header", &good().header("alg", json!(null))),
        signed("a list of algorithms", "jwt_bad_header", &good().header("alg", json!(["RS256"]))),
        signed("a number for the algorithm", "jwt_bad_header", &good().header("alg", json!(256))),
        signed("an algorithm nobody knows", "jwt_alg_unknown", &good().header("alg", json!("RS1"))),
        signed("an algorithm in small letters", "jwt_alg_unknown", &good().header("alg", json!("rs256"))),
        signed("an algorithm for keys", "jwt_alg_unknown", &good().header("alg", json!("RSA-OAEP"))),
        case("the public key as a secret", "jwt_wrong_algorithm", with_secret(keys::rsa().pem().into_bytes())),
        case("the modulus as a secret", "jwt_wrong_algorithm", with_secret(modulus)),
        case("an empty secret", "jwt_wrong_algorithm", with_secret(vec![])),
        case("a secret, and no key named", "jwt_wrong_algorithm", {
            hmac.clone().no_header("kid").signed_by(&Signer::Secret(vec![7; 32]), Algorithm::Hs256)
        }),
        case("PS256 by the key of RS256", "jwt_wrong_algorithm", by_rsa("PS256", Algorithm::Ps256)),
        case("RS512 by the key of RS256", "jwt_wrong_algorithm", by_rsa("RS512", Algorithm::Rs512)),
        case(
            "the key of another algorithm named",
            "jwt_wrong_algorithm",
            good().header("kid", json!("ec")).signed(),
        ),
        case("an empty algorithm", "jwt_alg_unknown", good().header("alg", json!("")).signed()),
        case("ES256 said of the RSA key", "jwt_wrong_algorithm", by_rsa("ES256", Algorithm::Rs256)),
        signed("an extension", "jwt_crit", &good().header("crit", json!(["exp"])).header("exp", json!(1))),
        signed("no extension", "jwt_crit", &good().header("crit", json!([]))),
        signed(
            "an extension that is known elsewhere",
            "jwt_crit",
            &good().header("crit", json!(["b64"])).header("b64", json!(false)),
        ),
        signed("an extension named outside a list", "jwt_crit", &good().header("crit", json!("exp"))),
        signed("nothing for the extensions", "jwt_crit", &good().header("crit", json!(null))),
        signed("a payload as it is", "jwt_unencoded_payload", &good().header("b64", json!(false))),
        signed("a compressed payload", "jwt_compressed", &good().header("zip", json!("DEF"))),
        signed("a token in the token", "jwt_nested", &good().header("cty", json!("JWT"))),
        signed("a proof of possession", "jwt_wrong_type", &good().header("typ", json!("dpop+jwt"))),
        signed("a logout", "jwt_wrong_type", &good().header("typ", json!("application/logout+jwt"))),
        signed("a number for the type", "jwt_wrong_type", &good().header("typ", json!(1))),
    ]
}

fn of_key() -> Vec<Case> {
    let by_attacker = |token: Token| token.signed_by(keys::attacker(), Algorithm::Rs256);
    let attackers = keys::attacker().jwk("rsa", Algorithm::Rs256);
    let unknown = |kid: &str| good().header("kid", json!(kid));
    let ec = good().header("alg", json!("ES256")).header("kid", json!("ec"));
    let fixed = ec.signed_by(keys::ec(), Algorithm::Es256);
    let token = good().signed();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let richer = base64url(good().claim("sub", json!("admin")).claims.to_string());
    let older = base64url(r#"{"alg":"RS256","kid":"rsa"}"#);
    vec![
        case("another's key", "jwt_bad_signature", by_attacker(good())),
        case(
            "another's key in the header",
            "jwt_bad_signature",
            by_attacker(good().header("jwk", attackers.clone())),
        ),
        case("another's key alone in the header", "jwt_unknown_key", {
            by_attacker(good().no_header("kid").header("jwk", attackers))
        }),
        case("another's address of keys", "jwt_unknown_key", {
            by_attacker(unknown("evil").header("jku", json!("https://evil.example/jwks.json")))
        }),
        case("another's address of certificates", "jwt_unknown_key", {
            by_attacker(unknown("evil").header("x5u", json!("https://evil.example/chain.pem")))
        }),
        case("another's certificates", "jwt_bad_signature", by_attacker(good().header("x5c", json!(["MIIB"])))),
        signed("a path for the key's name", "jwt_unknown_key", &unknown("../../../../dev/null")),
        signed("a URL for the key's name", "jwt_unknown_key", &unknown("https://evil.example/key.pem")),
        signed("a query for the key's name", "jwt_unknown_key", &unknown("' UNION SELECT 'secret' --")),
        signed("an empty name of a key", "jwt_unknown_key", &unknown("")),
        signed("the other issuer's key", "jwt_unknown_key", &unknown("other")),
        signed("a number for the key's name", "jwt_bad_kid", &good().header("kid", json!(7))),
        signed("a list for the key's name", "jwt_bad_kid", &good().header("kid", json!(["rsa"]))),
        signed("a name of a key without end", "jwt_bad_kid", &unknown(&"k".repeat(257))),
        case("other claims than were signed", "jwt_bad_signature", format!("{header}.{richer}.{signature}")),
        case("another header than was signed", "jwt_bad_signature", format!("{older}.{payload}.{signature}")),
        case("a shorter signature", "jwt_bad_signature", format!("{header}.{payload}.{}", &signature[4..])),
        case("a longer signature", "jwt_bad_signature", format!("{header}.{payload}.AAAA{signature}")),
        case("another token's signature", "jwt_bad_signature", {
            let other = good().claim("jti", json!("1")).signed();
            format!("{header}.{payload}.{}", other.rsplit('.').next().unwrap())
        }),
        case("a curve's signature of zeros", "jwt_bad_signature", {
            format!("{}.{}", ec.unsigned(), base64url([0; 64]))
        }),
        case("a curve's signature in DER", "jwt_bad_signature", {
            let mut der = vec![0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01];
            der.extend([0; 56]);
            format!("{}.{}", ec.unsigned(), base64url(der))
        }),
        case("half a curve's signature", "jwt_bad_signature", fixed[..fixed.len() - 46].to_owned()),
    ]
}

fn of_claims() -> Vec<Case> {
    let with = |name: &'static str, value: Value| good().claim(name, value);
    let without = |name: &'static str| good().no_claim(name);
    vec![
        signed("no issuer", "jwt_no_issuer", &without("iss")),
        signed("an unknown issuer", "jwt_unknown_issuer", &with("iss", json!("https://evil.example/"))),
        signed("the issuer without its slash", "jwt_unknown_issuer", &with("iss", json!("https://id.example"))),
        signed("the issuer in capitals", "jwt_unknown_issuer", &with("iss", json!("HTTPS://ID.EXAMPLE/"))),
        signed("a list of issuers", "jwt_unknown_issuer", &with("iss", json!(["https://id.example/"]))),
        signed(
            "the other issuer, by the key of this",
            "jwt_unknown_key",
            &with("iss", json!("https://other.example/")),
        ),
        case("this issuer, by the key of the other", "jwt_unknown_key", {
            let token = good().header("alg", json!("EdDSA")).header("kid", json!("other"));
            token.signed_by(keys::other(), Algorithm::EdDsa)
        }),
        signed("no end", "jwt_no_expiry", &without("exp")),
        signed("an end before now", "jwt_expired", &with("exp", json!(NOW - 5))),
        signed("an end long before now", "jwt_expired", &with("exp", json!(NOW - 86400))),
        signed("an end before 1970", "jwt_expired", &with("exp", json!(-1))),
        signed("an end long before 1970", "jwt_expired", &with("exp", json!(-1e300))),
        signed("an end with a fraction", "jwt_expired", &with("exp", json!(NOW as f64 - 5.5))),
        signed("truth for the end", "jwt_bad_time", &with("exp", json!(true))),
        signed("a start without end", "jwt_not_yet_valid", &with("nbf", json!(u64::MAX))),
        signed("a start beyond all numbers", "jwt_not_yet_valid", &with("nbf", json!(1e300))),
        signed("issued without end", "jwt_issued_ahead", &with("iat", json!(u64::MAX))),
        signed("a text for the end", "jwt_bad_time", &with("exp", json!((NOW + 60).to_string()))),
        signed("nothing for the end", "jwt_bad_time", &with("exp", json!(null))),
        signed("a start after now", "jwt_not_yet_valid", &with("nbf", json!(NOW + 6))),
        signed("a text for the start", "jwt_bad_time", &with("nbf", json!("0"))),
        signed("issued after now", "jwt_issued_ahead", &with("iat", json!(NOW + 6))),
        signed("a list for the time of issue", "jwt_bad_time", &with("iat", json!([NOW]))),
        signed("no audience", "jwt_no_audience", &without("aud")),
        signed("another audience", "jwt_wrong_audience", &with("aud", json!("billing"))),
        signed("part of the audience", "jwt_wrong_audience", &with("aud", json!("ap"))),
        signed("the audience and more", "jwt_wrong_audience", &with("aud", json!("api-admin"))),
        signed("the audience among words", "jwt_wrong_audience", &with("aud", json!("api billing"))),
        signed("an empty list of audiences", "jwt_wrong_audience", &with("aud", json!([]))),
        signed("a number for the audience", "jwt_wrong_audience", &with("aud", json!(7))),
        signed("nothing for the audience", "jwt_wrong_audience", &with("aud", json!(null))),
        signed("a number beside the audience", "jwt_wrong_audience", &with("aud", json!(["api", 7]))),
        signed("a list in the list of audiences", "jwt_wrong_audience", &with("aud", json!([["api"]]))),
        signed("an object for the audience", "jwt_wrong_audience", &with("aud", json!({"api": true}))),
        signed("no subject", "jwt_no_subject", &without("sub")),
        signed("an empty subject", "jwt_no_subject", &with("sub", json!(""))),
        signed("a number for the subject", "jwt_no_subject", &with("sub", json!(1))),
        signed("no tenant", "jwt_missing_claim", &without("tenant")),
        signed("another tenant", "jwt_wrong_claim", &with("tenant", json!("t10"))),
        signed(
            "a line break for a header",
            "jwt_claim_unfit_for_header",
            &with("name", json!("a\r\nx-admin: 1")),
        ),
        signed("a tab for a header", "jwt_claim_unfit_for_header", &with("name", json!("a\tb"))),
        signed("an escape for a header", "jwt_claim_unfit_for_header", &with("name", json!("a\u{1b}[2J"))),
        signed("a line's end of Unicode", "jwt_claim_unfit_for_header", &with("name", json!("a\u{85}b"))),
        signed("a name that readers trim", "jwt_claim_unfit_for_header", &with("name", json!("admin "))),
        signed(
            "a group that readers trim",
            "jwt_claim_unfit_for_header",
            &with("groups", json!(["a", " admin"])),
        ),
        signed(
            "a comma in a list for a header",
            "jwt_claim_unfit_for_header",
            &with("groups", json!(["a,admin"])),
        ),
    ]
}

#[tokio::test]
async fn no_forged_token_is_let_in_and_only_the_log_knows_why() {
    let layer = AuthLayer::new(
        asking::jwt()
            .require_claim_value("tenant", ["t1"])
            .claim_header("x-name".parse().unwrap(), "name")
            .claim_header("x-groups".parse().unwrap(), "groups"),
    );
    let cases: Vec<Case> = [of_form(), of_algorithm(), of_key(), of_claims()].into_iter().flatten().collect();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut wrong = Vec::new();
    let mut bodies = Vec::new();
    for (name, reason, request) in cases {
        let asked = ask(&layer, request).await;
        if asked.rejection.as_deref() != Some(reason) {
            wrong.push(format!("{name}: {:?} instead of {reason}", asked.rejection));
        }
        assert_eq!(asked.status, 401, "{name}");
        assert_eq!(asked.challenges, [r#"Bearer realm="orders", error="invalid_token""#], "{name}");
        assert!(asked.upstream.is_none() && asked.principal.is_none(), "{name}");
        bodies.push(asked.body);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(bodies.iter().all(|body| *body == bodies[0]), "no two refusals differ");
    let body = String::from_utf8(bodies[0].to_vec()).unwrap();
    assert!(!body.contains("jwt") && !body.contains("expired"), "{body}");
}

#[tokio::test]
async fn the_token_that_they_are_made_of_is_let_in() {
    let layer = AuthLayer::new(asking::jwt().require_claim_value("tenant", ["t1"]));
    assert_eq!(ask(&layer, bearer(&good().signed())).await.status, 200);
}

#[tokio::test]
async fn every_octet_of_a_token_counts() {
    let layer = AuthLayer::new(asking::jwt());
    let token = good().header("alg", json!("ES256")).header("kid", json!("ec"));
    let token = token.signed_by(keys::ec(), Algorithm::Es256);
    assert_eq!(ask(&layer, bearer(&token)).await.status, 200);
    for index in 0..token.len() {
        let mut forged = token.clone().into_bytes();
        forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert_eq!(ask(&layer, bearer(&forged)).await.status, 401, "octet {index}");
    }
}
