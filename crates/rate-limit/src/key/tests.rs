use std::{net::SocketAddr, sync::Arc};

use gatewright_core::{ClientInfoLayer, ConnectionInfo, Principal, Quota, RequestRecord};
use http::{HeaderName, HeaderValue, Request, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

use super::*;

/// The head of a request that came from this address.
fn from(address: &str) -> Parts {
    passed_on(ClientInfoLayer::new(), address, &[])
}

/// The head of a request from this peer, as the layer passes it on.
fn passed_on(layer: ClientInfoLayer, address: &str, headers: &[(&'static str, &str)]) -> Parts {
    let peer = SocketAddr::new(address.parse().expect("an address"), 1000);
    let mut request = Request::new(());
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().expect("a value"));
    }
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer)))));
    let head = Arc::new(std::sync::Mutex::new(None));
    let kept = Arc::clone(&head);
    let mut service = layer.layer(tower::service_fn(move |request: Request<()>| {
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
fn addresses_of_one_64_are_one_key_and_mapped_ipv4_is_ipv4() {
    let key = Key::client_ip();
    let first = bytes(&key, &from("2001:db8:1:2::1"));
    for address in ["2001:db8:1:2::2", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:8000::1"] {
        assert_eq!(bytes(&key, &from(address)), first, "{address}");
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
    assert_eq!(bytes(&Key::header(tenant.clone()).and(Key::principal()), &parts), Err(NoKey));
    // Each part for itself: where there is no tenant, the address stands for it, on each route.
    let each = Key::header(tenant.clone()).and(Key::everything());
    assert_eq!(bytes(&each, &parts), bytes(&Key::client_ip().and(Key::everything()), &parts));
    let strict = Key::principal_or_ip().and(Key::header(tenant).or_refuse());
    assert_eq!(bytes(&strict, &parts), Err(NoKey));
    assert!(
        bytes(&strict, &with_headers("192.0.2.1", &[("x-tenant", b"a")])).is_ok(),
        "nobody needs to be known"
    );
}

#[test]
fn clients_whose_address_is_unknown_share_one_key() {
    assert_eq!(bytes(&Key::client_ip(), &anonymous()), bytes(&Key::principal_or_ip(), &anonymous()));
    assert!(bytes(&Key::client_ip(), &anonymous()).is_ok());
}

#[test]
fn clients_whom_a_proxy_cannot_name_share_one_key_that_is_not_the_proxys_own() {
    let key = Key::client_ip();
    let behind = || ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
    let named = |peer, hops| bytes(&key, &passed_on(behind(), peer, &[("x-forwarded-for", hops)]));
    let unknown = named("10.0.0.1", "unknown");
    for hops in ["6.6.6.6, unknown", "203.0.113.9, _hidden", "6.6.6.6, 300.1.1.1"] {
        assert_eq!(named("10.0.0.1", hops), unknown, "{hops}");
    }
    assert_eq!(named("10.0.0.2", "6.6.6.6, unknown, 10.0.0.1"), unknown, "the last proxy that is known");
    assert_ne!(named("10.0.0.2", "unknown"), unknown);
    for (peer, hops) in [("10.0.0.1", ""), ("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "203.0.113.9")] {
        assert_ne!(named(peer, hops), unknown, "{hops} by {peer}");
    }
    let peer = SocketAddr::new("10.0.0.1".parse().expect("an address"), 1000);
    let connection = Arc::new(ConnectionInfo::new(peer, peer).with_unknown_client());
    let mut parts = anonymous();
    parts.extensions.insert(RequestRecord::new(Some(connection)));
    assert_eq!(bytes(&key, &parts), unknown, "PROXY protocol's UNKNOWN, without a layer that reads hops");
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

/// A head from this address with these headers; values may hold any octet that a client can send.
fn with_headers(address: &str, headers: &[(&'static str, &[u8])]) -> Parts {
    let mut parts = from(address);
    for (name, value) in headers {
        parts.headers.append(*name, HeaderValue::from_bytes(value).expect("a value"));
    }
    parts
}

fn header(name: &'static str) -> Key {
    Key::header(HeaderName::from_static(name))
}

/// Fails when two of the requests have one key.
fn assert_apart<'a>(requests: impl IntoIterator<Item = (&'a Key, Parts)>) {
    let keys: Vec<_> =
        requests.into_iter().map(|(key, parts)| (bytes(key, &parts).expect("a key"), parts)).collect();
    for (i, (one, parts)) in keys.iter().enumerate() {
        for (other, others) in &keys[..i] {
            assert_ne!(one, other, "{:?} and {:?}", parts.headers, others.headers);
        }
    }
}

#[test]
fn values_of_a_header_cannot_be_made_to_look_like_others() {
    let tenant = header("x-tenant");
    let all: [&[(&str, &[u8])]; 9] = [
        &[("x-tenant", b"ab")],
        &[("x-tenant", b"a"), ("x-tenant", b"b")],
        &[("x-tenant", b"b"), ("x-tenant", b"a")],
        &[("x-tenant", b"a\xffb")],
        &[("x-tenant", b"a\xff"), ("x-tenant", b"b")],
        &[("x-tenant", b"a"), ("x-tenant", b"\xffb")],
        &[("x-tenant", b"a, b")],
        &[("x-tenant", b"")],
        &[("x-tenant", b""), ("x-tenant", b"")],
    ];
    assert_apart(all.map(|headers| (&tenant, with_headers("192.0.2.1", headers))));
}

#[test]
fn parts_of_a_key_do_not_run_into_each_other() {
    let both = header("x-a").and(header("x-b"));
    let pairs: [[&[u8]; 2]; 6] = [
        [b"p", b"q\xffh:r"],
        [b"p\xffh:q", b"r"],
        [b"pq", b""],
        [b"", b"pq"],
        [b"p", b"q"],
        [b"p\xffh:x-b", b"q"],
    ];
    assert_apart(pairs.map(|[a, b]| (&both, with_headers("192.0.2.1", &[("x-a", a), ("x-b", b)]))));

    // 32.1.13.184 are the first octets of 2001:db8::/32; what follows stands for a header.
    let by_address = Key::client_ip().and(header("x-b"));
    assert_apart([
        (&by_address, with_headers("32.1.13.184", &[("x-b", b"xyh:z")])),
        (&by_address, with_headers("2001:db8:683a:7879::1", &[("x-b", b"z")])),
    ]);

    let by_function = Key::from_fn(|parts: &Parts| Some(parts.uri.path().len())).and(header("x-b"));
    let bare =
        Key::from_fn(|parts: &Parts| Some(parts.uri.path().as_bytes().first().copied())).and(header("x-b"));
    assert_apart([
        (&by_function, with_headers("192.0.2.1", &[("x-b", b"1")])),
        (&bare, with_headers("192.0.2.1", &[("x-b", b"1")])),
    ]);
    assert_ne!(
        bytes(&Key::route().and(Key::everything()), &anonymous()),
        bytes(&Key::everything().and(Key::route()), &anonymous())
    );
}

#[test]
fn whatever_a_header_or_a_name_says_it_is_no_address_nor_a_principal() {
    let address = from("192.0.2.1");
    let octets: &[u8] = b"a:4\xc0\x00\x02\x01";
    // NUL cannot be sent in a header; a subject may hold anything.
    let subject: String = octets.iter().map(|octet| char::from(*octet)).collect();
    let named = |id: &str| with_principal(Principal::builder(id, "jwt").build());
    let (by_principal, by_address, by_text) =
        (Key::principal(), Key::client_ip(), Key::from_fn(|_: &Parts| Some("a:4")));
    let tenant = header("x-tenant");
    assert_apart([
        (&by_address, address),
        (&by_principal, named("192.0.2.1")),
        (&by_principal, named(&subject)),
        (&by_principal, named("a:-")),
        (&by_principal, named("")),
        (&by_text, anonymous()),
        (&by_address, anonymous()),
        (&tenant, with_headers("192.0.2.1", &[("x-tenant", b"192.0.2.1")])),
        (&tenant, with_headers("192.0.2.1", &[("x-tenant", b"p:jwt\xff\xffu1\xff")])),
        (&header("x-other"), with_headers("192.0.2.1", &[("x-other", b"192.0.2.1")])),
    ]);
    assert_eq!(
        bytes(&by_principal.clone().or_client_ip(), &from("192.0.2.1")),
        bytes(&by_address, &from("192.0.2.1"))
    );
}

#[test]
fn an_issuer_cannot_be_moved_into_a_subject() {
    let named = |issuer: &str, id: &str, method: &str| {
        let claims = serde_json::json!({ "iss": issuer });
        let claims = claims.as_object().expect("an object").clone();
        with_principal(Principal::builder(id, method).claims(claims).build())
    };
    let key = Key::principal();
    let names =
        [("a", "b", "jwt"), ("ab", "", "jwt"), ("", "ab", "jwt"), ("a\u{ff}b", "", "jwt"), ("", "a", "jwtb")];
    assert_apart(names.map(|(issuer, id, method)| (&key, named(issuer, id, method))));
}

#[test]
fn the_client_is_not_whom_an_untrusted_peer_says_it_is() {
    let key = Key::client_ip();
    let honest = bytes(&key, &from("203.0.113.9"));
    for spoofed in ["1.2.3.4", "10.0.0.1, 1.2.3.4", "203.0.113.8", "unknown", ""] {
        let parts = passed_on(
            ClientInfoLayer::new(),
            "203.0.113.9",
            &[("x-forwarded-for", spoofed), ("forwarded", "for=1.2.3.4")],
        );
        assert_eq!(bytes(&key, &parts), honest, "{spoofed}");
    }
    // Behind a trusted proxy, it is the rightmost hop that is not trusted.
    let behind = || ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
    for hops in
        ["203.0.113.9", "1.2.3.4, 203.0.113.9", "1.2.3.4, 203.0.113.9, 10.9.9.9", "evil, 203.0.113.9:4711"]
    {
        let parts = passed_on(behind(), "10.0.0.1", &[("x-forwarded-for", hops)]);
        assert_eq!(bytes(&key, &parts), honest, "{hops}");
    }
}

/// As an authenticator leaves it where nothing around it keeps records.
#[test]
fn a_principal_without_a_record_is_counted_as_one_with_a_record() {
    let principal = Principal::builder("anna", "jwt").build();
    let mut bare = anonymous();
    assert!(bytes(&Key::principal(), &bare).is_err());
    bare.extensions.insert(principal.clone());
    assert_eq!(bytes(&Key::principal(), &bare), bytes(&Key::principal(), &with_principal(principal)));
}
