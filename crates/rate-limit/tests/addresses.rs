//! One client that comes from a million addresses.

use std::{
    net::{Ipv6Addr, SocketAddr},
    sync::Arc,
};

use gatewright_core::{ConnectionInfo, Decision, Policy, RequestRecord};
use gatewright_rate_limit::{Key, LocalStore, Quota, RateLimitLayer};
use http::{Request, request::Parts};

/// A million when `GATEWRIGHT_SOAK=1` is set, fifty thousand otherwise.
fn addresses() -> u64 {
    if std::env::var_os("GATEWRIGHT_SOAK").is_some() { 1_000_000 } else { 50_000 }
}

fn from(address: Ipv6Addr) -> Parts {
    let peer = SocketAddr::new(address.into(), 4711);
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    Request::builder().extension(record).body(()).expect("a request").into_parts().0
}

#[test]
fn all_addresses_of_one_64_share_one_bucket() {
    let store = LocalStore::new();
    let policy =
        RateLimitLayer::new(Quota::per_day(100)).key(Key::client_ip()).store(store.clone()).into_policy();
    let network = u128::from(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 0));
    let mut admitted = 0;
    for number in 0..addresses() {
        // All 64 bits of the host are used.
        let host = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match policy.decide(&mut from(Ipv6Addr::from(network | host))) {
            Decision::Allow(_) => admitted += 1,
            Decision::Refuse(rejection) => assert_eq!(rejection.reason(), "over_limit"),
            other => panic!("a local store decides at once: {other:?}"),
        }
    }
    println!("{admitted} of {} admitted, {} buckets", addresses(), store.keys());
    // One more comes back every 864 s.
    assert!((100..=102).contains(&admitted), "{admitted}");
    assert_eq!((store.keys(), store.overflowed(), store.evicted()), (1, 0, 0));
    let neighbour = Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1);
    assert!(matches!(policy.decide(&mut from(neighbour)), Decision::Allow(_)));
    assert_eq!(store.keys(), 2);
}
