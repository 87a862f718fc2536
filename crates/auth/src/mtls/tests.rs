use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use gatewright_core::{ConnectionInfo, RequestRecord, TlsInfo};
use http::{HeaderName, HeaderValue, Request, request::Parts};
use rcgen::{DnType, SanType};

use super::{certificate::tests::der, *};
use crate::{Attempt, Authenticate, Cause, Clock, Identity, Outcome, fields};

const DEVICE: &str = "spiffe://example.com/device/7";

fn uri(uri: &str) -> SanType {
    SanType::URI(uri.try_into().expect("ASCII"))
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("ASCII"))
}

fn certificate(names: Vec<SanType>) -> Bytes {
    der(&[(DnType::OrganizationName, "Example"), (DnType::CommonName, "d7")], names, 2099)
}

/// A request on a connection of our own listener that was opened with this certificate.
fn request(certificate: Option<Bytes>) -> Parts {
    let address = SocketAddr::from(([127, 0, 0, 1], 443));
    let tls = TlsInfo::new().with_certificates(certificate);
    let connection = ConnectionInfo::new(address, address).with_tls(tls);
    let mut request = Request::new(()).into_parts().0;
    request.extensions.insert(RequestRecord::new(Some(Arc::new(connection))));
    request
}

fn ask(mtls: &Mtls, request: &Parts) -> Result<Identity, String> {
    match mtls.authenticate(request) {
        Attempt::Now(Outcome::Authenticated(identity)) => Ok(identity),
        Attempt::Now(Outcome::Refused(refusal)) => Err(refusal.reason().to_owned()),
        Attempt::Now(Outcome::NoCredential) => Err("nothing".to_owned()),
        other => panic!("{other:?}"),
    }
}

fn id(mtls: &Mtls, request: &Parts) -> Result<String, String> {
    ask(mtls, request).map(|identity| identity.principal().id().to_owned())
}

fn mtls(pattern: &str) -> Mtls {
    Mtls::new().san(pattern).expect(pattern)
}

#[test]
fn the_first_pattern_that_fits_says_who_calls() {
    let request = request(Some(certificate(vec![dns("d7.example.com"), uri(DEVICE), uri("spiffe://other/x")])));
    assert_eq!(id(&Mtls::new(), &request).as_deref(), Ok(DEVICE));
    assert_eq!(id(&mtls("spiffe://example.com/device/*"), &request).as_deref(), Ok(DEVICE));
    assert_eq!(
        id(&mtls("*.example.com").san(DEVICE).expect("valid"), &request).as_deref(),
        Ok("d7.example.com")
    );
    let by_subject = mtls("spiffe://nowhere/*").subject("CN=*,O=Example").expect("valid");
    assert_eq!(id(&by_subject, &request).as_deref(), Ok("CN=d7,O=Example"));
    assert_eq!(id(&mtls("spiffe://nowhere/*"), &request), Err("certificate_not_accepted".to_owned()));
}

#[test]
fn without_names_the_subject_says_who_calls() {
    assert_eq!(id(&Mtls::new(), &request(Some(certificate(Vec::new())))).as_deref(), Ok("CN=d7,O=Example"));
    let nameless = request(Some(der(&[], Vec::new(), 2099)));
    assert_eq!(id(&Mtls::new(), &nameless), Err("certificate_without_name".to_owned()));
}

#[test]
fn a_principal_holds_what_the_certificate_says() {
    let mtls = Mtls::new().scopes(["telemetry:write"]).id_header(HeaderName::from_static("x-device"));
    let identity = ask(&mtls, &request(Some(certificate(vec![uri(DEVICE), dns("a.b")])))).expect("is good");
    let principal = identity.principal();
    assert_eq!((principal.method(), principal.credential()), ("mtls", Some("abcdef")));
    assert!(principal.has_scope("telemetry:write"));
    assert_eq!(principal.claim("subject"), Some(&"CN=d7,O=Example".into()));
    assert_eq!(principal.claim("dns"), Some(&serde_json::json!(["a.b"])));
    assert_eq!(principal.claim("email"), None);
    let header = (HeaderName::from_static("x-device"), HeaderValue::from_static(DEVICE));
    assert_eq!(identity.header_fields(), [header]);
}

#[test]
fn without_a_certificate_there_is_no_credential_whatever_headers_say() {
    let mut without = Request::new(()).into_parts().0;
    for request in [&mut request(None), &mut without] {
        let forged = HeaderValue::from_static("Hash=00;URI=spiffe://example.com/device/7");
        for name in ["x-forwarded-client-cert", "x_forwarded_client_cert"] {
            request.headers.append(name, forged.clone());
        }
        let mtls = Mtls::new().forward_certificate();
        assert_eq!(id(&mtls, request), Err("nothing".to_owned()));
        for name in mtls.header_names() {
            fields::remove(&mut request.headers, &name);
        }
        assert!(request.headers.is_empty());
    }
    assert!(Mtls::new().challenges(Cause::NoCredential).is_empty());
}

#[test]
fn the_certificate_is_told_to_the_service_when_asked() {
    let request = request(Some(certificate(vec![uri(DEVICE)])));
    assert!(ask(&Mtls::new(), &request).expect("is good").header_fields().is_empty());
    let by = Mtls::new().forward_certificate_by("spiffe://example.com/gateway").expect("a URI");
    let identity = ask(&by, &request).expect("is good");
    let [(name, value)] = identity.header_fields() else { panic!("one field") };
    assert_eq!(name, "x-forwarded-client-cert");
    let value = value.to_str().expect("ASCII");
    assert!(value.starts_with("By=spiffe://example.com/gateway;Hash="), "{value}");
    assert!(value.ends_with(";Subject=\"CN=d7,O=Example\";URI=spiffe://example.com/device/7"), "{value}");
    for uri in ["", "gateway", "a:b\"c", "a:é"] {
        assert!(Mtls::new().forward_certificate_by(uri).is_err(), "{uri}");
    }
}

#[test]
fn a_certificate_that_has_expired_since_the_handshake_is_refused() {
    let request = request(Some(der(&[(DnType::CommonName, "d7")], Vec::new(), 2027)));
    for (seconds, expected) in [
        (1_577_836_799, Err("certificate_expired".to_owned())),
        (1_798_761_600, Ok("CN=d7".to_owned())),
        (1_798_761_601, Err("certificate_expired".to_owned())),
    ] {
        let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(id(&Mtls::new().clock(clock), &request), expected, "{seconds}");
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    let request = request(Some(Bytes::from_static(b"\x30\x03\x02\x01\x00")));
    assert_eq!(id(&Mtls::new(), &request), Err("certificate_unreadable".to_owned()));
}

#[test]
fn another_server_gives_its_certificates_in_an_extension() {
    let mut request = Request::new(()).into_parts().0;
    request.extensions.insert(TlsInfo::new().with_certificates([certificate(vec![uri(DEVICE)])]));
    assert_eq!(id(&Mtls::new(), &request).as_deref(), Ok(DEVICE));
    // A record without a connection does not hide it.
    request.extensions.insert(RequestRecord::new(None));
    assert_eq!(id(&Mtls::new(), &request).as_deref(), Ok(DEVICE));
}

#[test]
fn who_calls_is_decided_once_a_connection_and_by_each_for_itself() {
    let request = request(Some(certificate(vec![uri(DEVICE), dns("d7.example.com")])));
    let (by_uri, by_dns) = (mtls("spiffe://example.com/device/*"), mtls("*.example.com"));
    for _ in 0..2 {
        assert_eq!(id(&by_uri, &request).as_deref(), Ok(DEVICE));
        assert_eq!(id(&by_dns, &request).as_deref(), Ok("d7.example.com"));
    }
    let principals = [0; 2].map(|_| ask(&by_uri, &request).expect("is good").principal().id().as_ptr());
    assert_eq!(principals[0], principals[1], "the same principal is handed out");
    // More authenticators than a connection remembers are answered all the same.
    for _ in 0..100 {
        assert_eq!(id(&mtls("*.example.com"), &request).as_deref(), Ok("d7.example.com"));
    }
    assert_eq!(id(&by_uri, &request).as_deref(), Ok(DEVICE));
}

#[test]
fn a_connection_whose_place_for_readings_is_taken_is_served_all_the_same() {
    let tls = TlsInfo::new().with_certificates([certificate(vec![uri(DEVICE)])]);
    assert_eq!(tls.derived(|chain| chain.len()), Some(&1));
    let mut request = Request::new(()).into_parts().0;
    request.extensions.insert(tls);
    assert_eq!(id(&Mtls::new(), &request).as_deref(), Ok(DEVICE));
}

#[test]
fn an_address_says_who_calls_where_a_pattern_has_it() {
    let v6: std::net::IpAddr = "2001:db8::1".parse().expect("an address");
    let names = vec![SanType::IpAddress([192, 0, 2, 1].into()), SanType::IpAddress(v6)];
    let request = request(Some(certificate(names)));
    assert_eq!(id(&mtls("192.0.2.1"), &request).as_deref(), Ok("192.0.2.1"));
    assert_eq!(id(&mtls("2001:db8:0::1"), &request).as_deref(), Ok("2001:db8::1"));
    assert_eq!(id(&mtls("192.0.2.2"), &request), Err("certificate_not_accepted".to_owned()));
    assert_eq!(id(&Mtls::new(), &request).as_deref(), Ok("CN=d7,O=Example"));
    let identity = ask(&mtls("192.0.2.1"), &request).expect("is known");
    assert_eq!(identity.principal().claim("ip"), Some(&serde_json::json!(["192.0.2.1", "2001:db8::1"])));
}
