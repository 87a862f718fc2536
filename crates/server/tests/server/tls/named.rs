//! Clients' certificates that are named themselves, in the place of an authority.

use super::*;

/// Whether a client with this certificate is served where these are named, and these lists.
async fn is_served(client: &Identity, named: &[&str], lists: &[&str]) -> bool {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let mut builder = TlsConfig::builder()
        .certificate_pem(identity.chain.as_str(), identity.key.as_str())
        .client_auth(ClientAuth::Required);
    builder = named.iter().fold(builder, |builder, pem| builder.client_ca_pem(*pem));
    builder = lists.iter().fold(builder, |builder, pem| builder.crl_pem(*pem));
    let server = start(builder.build().expect("is right"));
    get(&server, &authority.client(Some(client), &[]), "a.example", "a.example").await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_certificate_that_is_named_itself_is_taken_though_it_is_an_authoritys() {
    let good: [fn(&mut CertificateParams); 4] = [
        |_| {},
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth],
        |params| params.is_ca = IsCa::NoCa,
    ];
    for change in good {
        let (client, _) = own_authority(change);
        assert!(is_served(&client, &[&client.chain], &[]).await);
    }
    let bad: [fn(&mut CertificateParams); 4] = [
        |params| params.not_after = date_time_ymd(2021, 1, 1),
        |params| params.not_before = date_time_ymd(2400, 1, 1),
        |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
    ];
    for change in bad {
        let (client, _) = own_authority(change);
        assert!(!is_served(&client, &[&client.chain], &[]).await);
    }
    let ((client, _), (other, _)) = (own_authority(|_| {}), own_authority(|_| {}));
    assert!(!is_served(&client, &[&other.chain], &[]).await, "another one is named");
    assert!(is_served(&client, &[&other.chain, &client.chain], &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_its_own_authority_is_held_to_its_list() {
    let (client, issuer) = own_authority(|_| {});
    let (_, stranger) = own_authority(|_| {});
    let own = vec![0x80, 7];
    let named = [&*client.chain];
    let other = Authority::new();
    for (what, lists, served) in [
        ("its list is without it", vec![list(&issuer, vec![9], 2400)], true),
        ("its list has it", vec![list(&issuer, own.clone(), 2400)], false),
        ("its list has expired", vec![list(&issuer, vec![9], 2021)], false),
        ("its list has expired and has it", vec![list(&issuer, own.clone(), 2021)], false),
        ("one of its lists has it", vec![list(&issuer, vec![9], 2400), list(&issuer, own, 2400)], false),
        ("there are lists of others", vec![other.revoke(9, 2400)], true),
        ("another signed a list in its name", vec![list(&stranger, vec![9], 2400)], true),
        ("both", vec![list(&stranger, vec![0x80, 7], 2400), list(&issuer, vec![9], 2400)], true),
    ] {
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        assert_eq!(is_served(&client, &named, &lists).await, served, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_an_authority_issued_is_taken_when_it_is_named_itself() {
    let (authority, other) = (Authority::new(), Authority::new());
    let client = authority.issue(&["client"], 7);
    let sibling = authority.issue(&["client"], 8);
    assert!(is_served(&client, &[&client.chain], &[]).await);
    assert!(!is_served(&sibling, &[&client.chain], &[]).await, "another one of its authority");
    let stolen = Identity { chain: client.chain.clone(), key: sibling.key.clone() };
    assert!(!can_show(&stolen), "the library's client shows no certificate with another key");
    for change in [
        (|params| params.not_after = date_time_ymd(2021, 1, 1)) as fn(&mut CertificateParams),
        |params| params.not_before = date_time_ymd(2400, 1, 1),
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
    ] {
        let bad = authority.issue_with(&["client"], 9, change);
        assert!(!is_served(&bad, &[&bad.chain], &[]).await);
    }
    // Lists count, be the authority named or not.
    let revoked = authority.revoke(7, 2400);
    let root = authority.pem();
    for (what, named, list, served) in [
        ("revoked", vec![&*client.chain], &revoked, false),
        ("revoked, and its authority is named", vec![&client.chain, &root], &revoked, false),
        ("another is revoked", vec![&client.chain], &authority.revoke(8, 2400), true),
        ("a namesake revokes it", vec![&client.chain, &root], &other.revoke(7, 2400), true),
        ("the list has expired", vec![&client.chain, &root], &authority.revoke(8, 2021), false),
    ] {
        assert_eq!(is_served(&client, &named, &[list]).await, served, "{what}");
    }
}

/// Whether the library's client would show it.
fn can_show(identity: &Identity) -> bool {
    let chain = vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::sign::CertifiedKey::from_der(chain, key, &provider).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_list_of_an_authority_counts_whatever_the_order() {
    let authority = Authority::new();
    let client = authority.issue(&["client"], 7);
    let root = authority.pem();
    let (old, new) = (dated(&authority.0, 8, 2020, 2400), dated(&authority.0, 7, 2023, 2400));
    for lists in [[&*old, &new], [&new, &old]] {
        assert!(!is_served(&client, &[&root], &lists).await, "the new list revokes it");
    }
    let (expired, new) = (dated(&authority.0, 7, 2020, 2021), dated(&authority.0, 8, 2023, 2400));
    for lists in [[&*expired, &new], [&new, &expired]] {
        assert!(is_served(&client, &[&root], &lists).await, "the new list is without it");
    }
    // Nor does a namesake's list stand in the way.
    let namesake = dated(&Authority::new().0, 7, 2024, 2400);
    for lists in [[&*namesake, &new], [&new, &namesake]] {
        assert!(is_served(&client, &[&root], &lists).await);
    }
}
