//! Handshakes that fail, and how that is told.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_reported_and_one_that_is_given_up_is_not() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let closed = async |count: usize| {
        let start = std::time::Instant::now();
        while server.handle.connections() > 0 || server.reasons().len() < count {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", server.reasons());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // It is none, and the client does not know our authority.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await.expect("sends");
    closed(1).await;
    assert!(connect(&server, &Authority::new().client(None, &[]), "a.example").await.is_err());
    closed(2).await;
    assert_eq!(server.reasons(), ["plain_http", "handshake"]);
    // A port scan, and a client that leaves in the midst of it.
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.expect("sends");
        drop(stream);
        let stream = server.connect().await;
        stream.set_zero_linger().expect("is open");
        drop(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    closed(2).await;
    assert_eq!(server.reasons(), ["plain_http", "handshake"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_port_is_answered_in_words_and_hurts_no_tls() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let client = authority.client(None, &[]);
    for (request, has_body) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
        ("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", false),
        ("POST /x HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc", true),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
        ("G", true),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sends");
        let outcome = finish(&mut stream, Duration::from_secs(2)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true), "{request:?}");
        let body = String::from_utf8_lossy(&outcome.answers[0].body).into_owned();
        assert_eq!(body.contains("HTTPS"), has_body, "{body}");
        assert!(outcome.answers[0].header("connection").is_some_and(|value| value == "close"));
    }
    // What is neither is refused as before, and TLS goes on.
    let mut stream = server.connect().await;
    stream.write_all(b"\x00\x01\x02").await.expect("sends");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"), "{}", bytes.escape_ascii());
    assert_eq!(get(&server, &client, "a.example", "a.example").await.expect("answers").status, 200);
    assert_eq!(server.reasons()[..5], ["plain_http"; 5]);
    let counts: Vec<_> = server.handle.failed_handshakes().map(|(_, reason, count)| (reason, count)).collect();
    assert!(counts.contains(&("plain_http", 5)), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_handshake_is_counted_by_its_reason() {
    let (authority, namesake) = (Authority::new(), Authority::new());
    let identity = authority.issue(&["a.example"], 1);
    let builder = TlsConfig::builder()
        .certificate_pem(identity.chain.as_str(), identity.key.as_str())
        .client_auth(ClientAuth::Required)
        .client_ca_pem(authority.pem());
    let (own, stranger) = own_authority(|_| {});
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["client".to_owned()]).expect("a name");
    let of_stranger = params.signed_by(&key, &stranger).expect("a certificate");
    let of_stranger = Identity { chain: of_stranger.pem(), key: key.serialize_pem() };
    let counted = async |builder: gatewright_server::TlsConfigBuilder, client: Option<&Identity>| {
        let server = start(builder.build().expect("is right"));
        let _ = get(&server, &authority.client(client, &[]), "a.example", "a.example").await;
        let counted = || server.handle.failed_handshakes().map(|(_, reason, count)| (reason, count));
        for _ in 0..100 {
            if counted().next().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        counted().collect::<Vec<_>>()
    };
    let listed = |list: String| {
        let builder = TlsConfig::builder()
            .certificate_pem(identity.chain.as_str(), identity.key.as_str())
            .client_auth(ClientAuth::Required)
            .client_ca_pem(authority.pem());
        builder.crl_pem(list)
    };
    let good = authority.issue(&["client"], 7);
    let expired = authority.issue_with(&["client"], 3, |params| params.not_after = date_time_ymd(2021, 1, 1));
    assert_eq!(counted(builder, None).await, [("no_certificate", 1)]);
    let lists = || listed(authority.revoke(7, 2400));
    for (client, builder, reason) in [
        (&expired, lists(), "certificate_expired"),
        (&good, lists(), "certificate_revoked"),
        (&of_stranger, lists(), "unknown_authority"),
        (&own, lists(), "authority_certificate"),
        (&good, listed(authority.revoke(1, 2021)), "revocation_list_expired"),
        (&good, listed(list(&stranger, vec![9], 2400)), "revocation_list_missing"),
        (&good, listed(namesake.revoke(1, 2400)), "revocation_list_unusable"),
    ] {
        assert_eq!(counted(builder, Some(client)).await, [(reason, 1)]);
    }
}

/// What `openssl x509 -req` makes where no file of extensions is named. rcgen makes no such thing.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_extensions_is_refused_by_a_word_of_its_own() {
    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUCeXXydR0BUNPQBnikeFA82lEPc8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyNzIyNDQ1OFoYDzIxMjYxMTAz
MjI0NDU4WjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASC6Zd9aIoG7b2yyYnUt3+4stgHNA6v3ldCVYpolRf52UmRKxoWodSX
XGKnkFuzYpOiOlW8Rk0bSpU8ODkJMM8No1MwUTAdBgNVHQ4EFgQUnKJh6vnbS0la
n+uVK17n8m4eOscwHwYDVR0jBBgwFoAUnKJh6vnbS0lan+uVK17n8m4eOscwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiArEC6COLHNvIVEX/1bF/sK
o3PqQaQGARuZg7IPO17hzQIhAJxkH1WAIQIza2uFdfHnyeiLbKFhGjD+JDKvA8VV
6tfX
-----END CERTIFICATE-----
";
    const CHAIN: &str = "-----BEGIN CERTIFICATE-----
MIIBITCByAIUA8UOU2riAp6DAuf1NGfAm2dl05YwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyNzIyNDUxMloYDzIxMjYxMTAzMjI0NTEy
WjARMQ8wDQYDVQQDDAZjbGllbnQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR8
s9Wx0/cxRVO9WFQXE4NDP1AtDzjtCEJOS0bfDo0CqM/cBRwfkG5erhwqSjD5WtF8
rLc1ihrin3JQOXcnWlhkMAoGCCqGSM49BAMCA0gAMEUCIQD8b8W+lhx+JqwB9GU7
f0BfeiFEtzpOFrGl1A1t1xqPlwIgchvClbpqg713vzpF/+aXgLu3Q265TxLvwemZ
iH9MRz4=
-----END CERTIFICATE-----
";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkA5eu93hrB9LT0FP
FHc7jvzdSnp+uZMBOPHJzpy2xSihRANCAAR8s9Wx0/cxRVO9WFQXE4NDP1AtDzjt
CEJOS0bfDo0CqM/cBRwfkG5erhwqSjD5WtF8rLc1ihrin3JQOXcnWlhk
-----END PRIVATE KEY-----
";
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let config = TlsConfig::builder()
        .certificate_pem(identity.chain.as_str(), identity.key.as_str())
        .client_auth(ClientAuth::Required)
        .client_ca_pem(AUTHORITY);
    let server = start(config.build().expect("is right"));
    let old = Identity { chain: CHAIN.to_owned(), key: KEY.to_owned() };
    let _ = get(&server, &authority.client(Some(&old), &[]), "a.example", "a.example").await;
    let counted =
        || server.handle.failed_handshakes().map(|(_, reason, count)| (reason, count)).collect::<Vec<_>>();
    for _ in 0..100 {
        if !counted().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(counted(), [("certificate_version_1", 1)]);
}
