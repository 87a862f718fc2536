//! Certificates and keys that cannot be used, told with their files.

use super::*;

#[tokio::test]
async fn what_is_wrong_is_told_with_the_file() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["a.example"], 1), authority.issue(&["b.example"], 2));
    let folder = std::env::temp_dir().join(format!("gatewright-server-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let chain = file("one.pem", &one.chain);
    let key = file("one.key", &one.key);
    let other = file("two.key", &two.key);
    let empty = file("empty.pem", "");
    let encrypted = file(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let old_encrypted = file(
        "old.key",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    );
    let garbled = file("garbled.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let torn = file("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let missing = folder.join("missing.pem");
    let told = |path: &std::path::Path, text: &str| text.replace("{}", &path.to_string_lossy());
    for (chain, key, expected) in [
        (&missing, &key, told(&missing, "cannot read {}: entity not found")),
        (&chain, &missing, told(&missing, "cannot read {}: entity not found")),
        (&empty, &key, told(&empty, "{} is empty, and is to hold a certificate")),
        (&key, &key, told(&key, "{} holds no certificate, but a private key")),
        (
            &key,
            &chain,
            told(&key, "{} holds a private key, and ")
                + &told(&chain, "{} a certificate: the two have changed places"),
        ),
        (&chain, &empty, told(&empty, "{} is empty, and is to hold a private key")),
        (&chain, &chain, told(&chain, "{} holds no private key, but a certificate")),
        (
            &chain,
            &encrypted,
            told(
                &encrypted,
                "the private key in {} is encrypted; store it without a passphrase: `openssl pkey -in {} -out PLAIN.key`",
            ),
        ),
        (
            &chain,
            &old_encrypted,
            told(
                &old_encrypted,
                "the private key in {} is encrypted; store it without a passphrase: `openssl pkey -in {} -out PLAIN.key`",
            ),
        ),
        (
            &garbled,
            &key,
            told(
                &garbled,
                "the certificate in {} is damaged: what stands between BEGIN and END is no certificate. Copy it anew",
            ),
        ),
        (&torn, &key, told(&torn, "{} is cut off: it has no END line. Copy it whole")),
        (
            &chain,
            &other,
            told(&other, "the private key in {} does not belong to the certificate in ")
                + &chain.to_string_lossy(),
        ),
    ] {
        let error = TlsConfig::from_pem_files(chain, key).expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    }
    let base = || TlsConfig::builder().certificate_files(&chain, &key);
    for (builder, expected) in [
        (TlsConfig::builder(), "a TLS listener needs a certificate".to_owned()),
        (
            base().client_auth(ClientAuth::Required),
            "clients are asked for certificates, but no client authority is named".to_owned(),
        ),
        (
            base().client_ca_file(&chain),
            "a client authority is named, but clients are not asked for certificates".to_owned(),
        ),
        (
            base().client_auth(ClientAuth::Required).client_ca_file(&empty),
            told(&empty, "{} is empty, and is to hold a certificate"),
        ),
        (
            base().client_auth(ClientAuth::Required).client_ca_file(&chain).crl_file(&empty),
            told(&empty, "{} is empty, and is to hold a revocation list"),
        ),
    ] {
        assert_eq!(builder.build().expect_err("it is wrong").to_string(), expected);
    }
    assert!(base().build().is_ok());
    let shown = format!("{:?}", TlsConfig::builder().certificate_pem(one.chain, one.key.clone()));
    assert!(!shown.contains("PRIVATE") && !shown.contains(&one.key[30..60]), "{shown}");
    std::fs::remove_dir_all(folder).expect("removes");
}

/// What is doubted of a listener with these authorities of clients and these revocation lists.
fn doubts(authorities: &[String], lists: &[String]) -> Vec<String> {
    let identity = Authority::new().issue(&["a.example"], 1);
    let mut builder =
        TlsConfig::builder().certificate_pem(identity.chain, identity.key).client_auth(ClientAuth::Required);
    builder = authorities.iter().fold(builder, |builder, pem| builder.client_ca_pem(pem.as_str()));
    builder = lists.iter().fold(builder, |builder, pem| builder.crl_pem(pem.as_str()));
    builder.build().expect("is right").doubts()
}

#[tokio::test]
async fn a_key_that_lost_its_line_breaks_is_never_shown() {
    let identity = Authority::new().issue(&["a.example"], 1);
    let secret = identity.key.lines().nth(1).expect("a line").to_owned();
    let bytes = format!("{:?}", &secret.as_bytes()[..8]);
    for key in [
        identity.key.replace('\n', ""),
        identity.key.replace('\n', "\\n"),
        identity.key.replace("-----END", ""),
        identity.key.replace(&secret[..4], "*"),
    ] {
        let error = TlsConfig::from_pem(identity.chain.as_bytes(), key.as_bytes()).expect_err("it is wrong");
        let mut shown = format!("{error} {error:?}");
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            shown += &format!(" {inner} {inner:?}");
            cause = inner.source();
        }
        assert!(!shown.contains(&secret[8..]) && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }
}

#[tokio::test]
async fn a_chain_whose_certificates_ran_together_is_not_cut_short() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let chain = identity.chain.trim_end().to_owned() + &authority.pem();
    let error = TlsConfig::from_pem(chain.as_bytes(), identity.key.as_bytes()).expect_err("it is wrong");
    assert!(error.to_string().contains("has two lines in one"), "{error}");
    assert_eq!(error.field(), "cert");
}

#[tokio::test]
async fn a_certificate_without_a_name_is_doubted() {
    let authority = Authority::new();
    let mut nameless = CertificateParams::default();
    nameless.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().expect("a key");
    let certificate = nameless.self_signed(&key).expect("a certificate").pem();
    let tls = TlsConfig::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes()).expect("is right");
    let doubts = tls.doubts();
    assert!(
        matches!(&doubts[..], [doubt] if doubt.contains("no subjectAltName") && doubt.contains("`-addext subjectAltName=DNS:localhost`")),
        "{doubts:?}"
    );
    let good = authority.issue(&["a.example"], 1);
    let tls = TlsConfig::from_pem(good.chain.as_bytes(), good.key.as_bytes()).expect("is right");
    assert_eq!(tls.doubts(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_authority_without_a_list_of_its_own_is_doubted_where_there_are_lists() {
    let (one, other) = (Authority::new(), Authority::new());
    let (third, third_issuer) =
        own_authority(|params| params.distinguished_name.push(DnType::CommonName, "third"));
    let list_of = |authority: &Authority| authority.revoke(1, 2400);
    assert_eq!(doubts(&[one.pem()], &[]), [] as [&str; 0]);
    assert_eq!(doubts(&[one.pem()], &[list_of(&one)]), [] as [&str; 0]);
    for (authorities, lists, expected) in [
        (vec![one.pem()], vec![list(&third_issuer, 9, 2400)], "holds no revocation list of `CN=tests`"),
        (vec![one.pem(), third.chain.clone()], vec![list_of(&one)], "holds no revocation list of `CN=third"),
        // They have one name.
        (
            vec![one.pem()],
            vec![list_of(&other)],
            "`CN=tests` in the revocation list's PEM is signed by another key",
        ),
    ] {
        let found = doubts(&authorities, &lists);
        assert!(matches!(&found[..], [doubt] if doubt.contains(expected)), "{expected}: {found:?}");
    }
    // An old list beside the new one is no reason to worry.
    let old = one.revoke(1, 2021);
    for lists in [[old.clone(), dated(&one.0, 2, 2023, 2400)], [dated(&one.0, 2, 2023, 2400), old]] {
        assert_eq!(doubts(&[one.pem()], &lists), [] as [&str; 0]);
    }
    let future = doubts(&[one.pem()], &[dated(&one.0, 2, 2300, 2400)]);
    assert!(matches!(&future[..], [doubt] if doubt.contains("is dated in the future")), "{future:?}");
}

#[tokio::test]
async fn authorities_of_clients_near_their_end_are_doubted() {
    let (gone, _) = own_authority(|params| params.not_after = date_time_ymd(2021, 1, 1));
    let found = doubts(&[gone.chain], &[]);
    assert!(matches!(&found[..], [doubt] if doubt.contains("expired on")), "{found:?}");
}
