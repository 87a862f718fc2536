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
        ("there are lists of others", vec![other.revoke(9, 2400)], false),
        ("another signed a list in its name", vec![list(&stranger, vec![9], 2400)], false),
        ("both", vec![list(&stranger, vec![0x80, 7], 2400), list(&issuer, vec![9], 2400)], true),
    ] {
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        assert_eq!(is_served(&client, &named, &lists).await, served, "{what}");
    }
}
