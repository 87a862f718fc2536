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
        (&garbled, &key, told(&garbled, "the certificate in {} cannot be used")),
        (&torn, &key, told(&torn, "{} is not valid PEM")),
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
