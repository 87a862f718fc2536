use std::{net::SocketAddr, sync::Arc};

use gatewright_core::{ClientInfoLayer, ConnectionInfo, Principal, Quota, RequestRecord};
use http::{HeaderName, Request, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::*;

/// The head of a request that came from this address.
fn from(address: &str) -> Parts {
    let peer = SocketAddr::new(address.parse().expect("an address"), 1000);
    let mut request = Request::new(());
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer)))));
    let head = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&head);
    let mut service = ClientInfoLayer::new().layer(tower::service_fn(move |request: Request<()>| {
        *kept.lock().expect("a lock") = Some(request.into_parts().0);
        std::future::ready(Ok::<_, std::convert::Infallible>(()))
    }));
    drop(service.call(request));
    let head = head.lock().expect("a lock").take();
    head.expect("the layer passes it on at once")
}

fn anonymous() -> Parts {
    Request::new(()).into_parts().0
}

fn with_principal(principal: Principal) -> Parts {
    let parts = from("192.0.2.1");
    RequestRecord::of(&parts.extensions).expect("a record").with(|summary| summary.principal = Some(principal));
    parts
}

fn bytes(key: &Key, parts: &Parts) -> Result<KeyBytes, NoKey> {
    key.of(parts).map(|(bytes, _)| bytes)
}

#[test]
fn a_million_addresses_of_one_64_are_one_key_and_mapped_ipv4_is_ipv4() {
    let key = Key::client_ip();
    let first = bytes(&key, &from("2001:db8:1:2::1"));
    for host in ["::2", "ffff:ffff:ffff:ffff", ":8000:0:0:1"] {
        let address = format!("2001:db8:1:2:{}", host.trim_start_matches(':'));
        let address = if host.starts_with("::") { "2001:db8:1:2::2".to_owned() } else { address };
        assert_eq!(bytes(&key, &from(&address)), first, "{address}");
    }
    assert_ne!(bytes(&key, &from("2001:db8:1:3::1")), first);
    assert_eq!(bytes(&key, &from("::ffff:192.0.2.1")), bytes(&key, &from("192.0.2.1")));
    assert_ne!(bytes(&key, &from("192.0.2.2")), bytes(&key, &from("192.0.2.1")));
}

#[test]
fn a_request_without_the_key_is_counted_by_address_or_refused() {
    let parts = from("192.0.2.1");
    let by_address = bytes(&Key::client_ip(), &parts);
    assert_eq!(bytes(&Key::principal(), &parts), Err(NoKey));
    assert_eq!(bytes(&Key::principal_or_ip(), &parts), by_address);
    let tenant = HeaderName::from_static("x-tenant");
    assert_eq!(bytes(&Key::header(tenant.clone()), &parts), by_address);
    assert_eq!(bytes(&Key::header(tenant.clone()).or_refuse(), &parts), Err(NoKey));
    assert_eq!(bytes(&Key::from_fn(|_: &Parts| None::<u8>), &parts), by_address);
    assert_eq!(bytes(&Key::header(tenant).and(Key::principal()), &parts), Err(NoKey));
}

#[test]
fn clients_whose_address_is_unknown_share_one_key() {
    assert_eq!(bytes(&Key::client_ip(), &anonymous()), bytes(&Key::principal_or_ip(), &anonymous()));
    assert!(bytes(&Key::client_ip(), &anonymous()).is_ok());
}

#[test]
fn a_principal_is_known_by_method_issuer_and_id() {
    let key = Key::principal();
    let issued = |issuer: &str| {
        let claims = serde_json::json!({ "iss": issuer });
        let claims = claims.as_object().expect("an object").clone();
        with_principal(Principal::builder("u1", "jwt").claims(claims).build())
    };
    let all = [
        issued("https://a.example/"),
        issued("https://b.example/"),
        with_principal(Principal::builder("u1", "jwt").build()),
        with_principal(Principal::builder("u1", "api_key").build()),
        with_principal(Principal::builder("u2", "api_key").build()),
    ];
    let keys: Vec<_> = all.iter().map(|parts| bytes(&key, parts).expect("a key")).collect();
    for (i, a) in keys.iter().enumerate() {
        for b in &keys[..i] {
            assert_ne!(a, b);
        }
    }
    assert_eq!(bytes(&key, &issued("https://a.example/")).as_ref(), Ok(&keys[0]));
}

#[test]
fn keys_of_one_owner_that_have_limits_of_their_own_are_counted_apart() {
    let key_of = |name: &str, quotas: &[Quota]| {
        let principal =
            quotas.iter().fold(Principal::builder("acme", "api_key").credential(name), |builder, quota| {
                builder.quota(*quota)
            });
        bytes(&Key::principal(), &with_principal(principal.build())).expect("a key")
    };
    let own = [Quota::per_second(1)];
    assert_ne!(key_of("one", &own), key_of("other", &own));
    assert_eq!(key_of("one", &[]), key_of("other", &[]), "they share the owner's");
}

#[test]
fn kinds_of_keys_and_their_parts_do_not_run_into_each_other() {
    let tenant = HeaderName::from_static("x-tenant");
    let with = |values: &[&str]| {
        let mut parts = from("192.0.2.1");
        for value in values {
            parts.headers.append(tenant.clone(), value.parse().expect("a value"));
        }
        bytes(&Key::header(tenant.clone()), &parts).expect("a key")
    };
    assert_ne!(with(&["a", "b"]), with(&["ab"]));
    assert_ne!(with(&["a"]), bytes(&Key::from_fn(|_: &Parts| Some("a")), &anonymous()).expect("a key"));
    assert_ne!(
        bytes(&Key::route().and(Key::everything()), &anonymous()),
        bytes(&Key::everything().and(Key::route()), &anonymous())
    );
}
