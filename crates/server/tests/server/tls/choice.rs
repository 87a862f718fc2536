//! Which of several certificates a client gets, and doubts about them.

use super::*;

/// A certificate with a key of RSA.
fn issue_rsa(authority: &Authority, names: &[&str]) -> Identity {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = CertificateParams::new(names).expect("valid names");
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let certificate = params.signed_by(&key, &authority.0).expect("a certificate");
    Identity { chain: certificate.pem(), key: key.serialize_pem() }
}

fn several(identities: &[&Identity]) -> TlsConfig {
    let add = |builder: gatewright_server::TlsConfigBuilder, identity: &&Identity| {
        builder.certificate_pem(identity.chain.as_str(), identity.key.as_str())
    };
    identities.iter().fold(TlsConfig::builder(), add).build().expect("is right")
}

/// A client that offers these schemes of signatures alone, and these suites of TLS 1.2 alone if there are any.
fn choosy(
    authority: &Authority,
    is_offered: fn(SignatureScheme) -> bool,
    suites: Option<fn(CipherSuite) -> bool>,
) -> Arc<ClientConfig> {
    const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];
    let versions = if suites.is_some() { &BOTH[1..] } else { BOTH };
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let mapping = provider.signature_verification_algorithms.mapping.iter();
    let mapping: Vec<_> = mapping.filter(|(scheme, _)| is_offered(*scheme)).copied().collect();
    provider.signature_verification_algorithms.mapping = Box::leak(mapping.into_boxed_slice());
    if let Some(is_offered) = suites {
        provider.cipher_suites.retain(|suite| is_offered(suite.suite()));
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    format!("{scheme:?}").starts_with("RSA")
}

/// Which of these a client gets, by its place.
async fn served(server: &Running, client: &Arc<ClientConfig>, name: &str, of: &[&Identity]) -> Option<usize> {
    let stream = connect(server, client, name).await.expect("shakes hands");
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).expect("one");
    let der = |identity: &&Identity| CertificateDer::from_pem_slice(identity.chain.as_bytes()).expect("PEM");
    of.iter().position(|identity| der(identity) == *shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_certificates_for_a_name_a_client_gets_one_that_it_can_verify() {
    let authority = Authority::new();
    let (rsa, curve) = (issue_rsa(&authority, &["a.example"]), authority.issue(&["a.example"], 1));
    let wild = issue_rsa(&authority, &["*.w.example"]);
    let (wild_curve, second) = (authority.issue(&["*.w.example"], 2), authority.issue(&["a.example"], 3));
    let all = [&rsa, &curve, &wild, &wild_curve, &second];
    let server = start(several(&all));
    let turned = start(several(&[&curve, &rsa]));
    let any = choosy(&authority, |_| true, None);
    let rsa_alone = choosy(&authority, is_rsa, None);
    let curves_alone = choosy(&authority, |scheme| !is_rsa(scheme), None);
    let suites_of_rsa =
        choosy(&authority, |_| true, Some(|suite| suite == CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256));
    for (what, client, a, w) in [
        ("any", &any, 1, 3),
        ("RSA alone", &rsa_alone, 0, 2),
        ("curves alone", &curves_alone, 1, 3),
        ("suites of RSA alone", &suites_of_rsa, 0, 2),
    ] {
        assert_eq!(served(&server, client, "a.example", &all).await, Some(a), "{what}");
        assert_eq!(served(&server, client, "x.w.example", &all).await, Some(w), "{what}");
        assert_eq!(served(&turned, client, "a.example", &all).await, Some(a), "{what}, turned round");
    }
    // Whichever it is, requests for its name are at home.
    for client in [&any, &rsa_alone] {
        assert_eq!(get(&server, client, "a.example", "a.example").await.expect("answers").status, 200);
        assert_eq!(get(&server, client, "a.example", "x.w.example").await.expect("answers").status, 421);
    }
}

#[test]
fn a_certificate_that_no_client_will_get_is_doubted() {
    let authority = Authority::new();
    let curve = |names: &[&str]| authority.issue(names, 1);
    let rsa = issue_rsa(&authority, &["a.example"]);
    let doubts = |all: &[&Identity]| several(all).doubts();
    let (a, b, wild) = (curve(&["a.example"]), curve(&["a.example", "b.example"]), curve(&["*.w.example"]));
    let (same, address) = (curve(&["A.example"]), curve(&["192.0.2.1"]));
    for good in [&[&a][..], &[&a, &rsa], &[&rsa, &a], &[&a, &b], &[&a, &wild], &[&wild, &a], &[&address, &a]] {
        assert_eq!(doubts(good), [] as [&str; 0]);
    }
    for bad in [&[&a, &same][..], &[&b, &a], &[&rsa, &a, &same], &[&a, &address]] {
        let doubts = doubts(bad);
        assert!(doubts.len() == 1 && doubts[0].contains("never served"), "{doubts:?}");
    }
}

/// What is different about a certificate.
type Change = fn(&mut CertificateParams);

#[test]
fn what_is_near_its_end_or_in_disorder_is_doubted() {
    let authority = Authority::new();
    let with = |change: fn(&mut CertificateParams)| authority.issue_with(&["a.example"], 1, change);
    let doubts = |identity: &Identity| several(&[identity]).doubts();
    assert_eq!(doubts(&with(|_| {})), [] as [&str; 0]);
    let cases: [(Change, &str); 2] = [
        (|params| params.not_after = date_time_ymd(2021, 1, 1), "expired on"),
        (|params| params.not_before = date_time_ymd(2400, 1, 1), "not valid before"),
    ];
    for (change, word) in cases {
        let doubts = doubts(&with(change));
        assert!(doubts.len() == 1 && doubts[0].contains(word), "{doubts:?}");
    }
    // The authority may be sent along, others may not, and the leaf comes first.
    let leaf = with(|_| {});
    let chain = |others: &[&str]| Identity {
        chain: [&[leaf.chain.as_str()][..], others].concat().concat(),
        key: leaf.key.clone(),
    };
    assert_eq!(doubts(&chain(&[&authority.pem()])), [] as [&str; 0]);
    let other = authority.issue(&["b.example"], 2);
    let found = doubts(&chain(&[&other.chain]));
    assert!(found.len() == 1 && found[0].contains("followed"), "{found:?}");
    let turned = format!("{}{}", authority.pem(), leaf.chain);
    let error = TlsConfig::from_pem(turned.as_bytes(), leaf.key.as_bytes()).expect_err("turned round");
    assert!(error.to_string().contains("belongs to certificate 2"), "{error}");
    // Lists.
    let listed = |list: String| {
        let builder = TlsConfig::builder().certificate_pem(leaf.chain.as_str(), leaf.key.as_str());
        let builder = builder.client_auth(ClientAuth::Required).client_ca_pem(authority.pem()).crl_pem(list);
        builder.build().expect("is right").doubts()
    };
    assert_eq!(listed(authority.revoke(1, 2400)), [] as [&str; 0]);
    let found = listed(authority.revoke(1, 2021));
    assert!(found.len() == 1 && found[0].contains("no client of its authority is served"), "{found:?}");
}
