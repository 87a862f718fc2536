use std::mem;

use http::{Request, request::Parts};
use tower_governor::key_extractor::KeyExtractor;

use crate::Key;

impl Key {
    /// Takes a key that `tower_governor` can extract. A request from which it cannot is counted by its client's
    /// address.
    ///
    /// Mind what those of `tower_governor` itself do: `SmartIpKeyExtractor` believes the leftmost `X-Forwarded-For`,
    /// which any client can write, and counts each IPv6 address by itself. [`Key::client_ip`] does neither.
    pub fn extractor<E>(extractor: E) -> Self
    where
        E: KeyExtractor + Send + Sync + 'static,
    {
        Self::from_fn(move |parts: &Parts| {
            // The trait asks for a whole request. Its head is copied: it can be neither borrowed into one nor moved.
            let mut request = Request::new(());
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = parts.uri.clone();
            *request.version_mut() = parts.version;
            *request.headers_mut() = parts.headers.clone();
            *request.extensions_mut() = parts.extensions.clone();
            let key = extractor.extract(&request).ok();
            mem::drop(request);
            key
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::Request;
    use tower_governor::{
        GovernorError,
        key_extractor::{GlobalKeyExtractor, SmartIpKeyExtractor},
    };

    use super::*;

    fn from(peer: &str, tenant: Option<&str>) -> Parts {
        let peer: SocketAddr = peer.parse().expect("an address");
        let mut request = Request::get("/x?y").extension(peer);
        if let Some(tenant) = tenant {
            request = request.header("x-tenant", tenant);
        }
        request.body(()).expect("a request").into_parts().0
    }

    /// One of a program's own.
    #[derive(Clone)]
    struct Tenant;

    impl KeyExtractor for Tenant {
        type Key = String;

        fn extract<T>(&self, request: &Request<T>) -> Result<String, GovernorError> {
            let tenant = request.headers().get("x-tenant").and_then(|tenant| tenant.to_str().ok());
            tenant.map(str::to_owned).ok_or(GovernorError::UnableToExtractKey)
        }
    }

    #[test]
    fn what_an_extractor_finds_is_the_key() {
        let of = |key: &Key, parts: &Parts| key.of(parts).map(|(bytes, _)| bytes).expect("a key");
        let by_peer = Key::extractor(SmartIpKeyExtractor);
        let (one, same, other) =
            (from("192.0.2.1:1", None), from("192.0.2.1:2", Some("a")), from("192.0.2.2:1", None));
        assert_eq!(of(&by_peer, &one), of(&by_peer, &same));
        assert_ne!(of(&by_peer, &one), of(&by_peer, &other));
        let global = Key::extractor(GlobalKeyExtractor);
        assert_eq!(of(&global, &one), of(&global, &other));
        let by_tenant = Key::extractor(Tenant);
        assert_ne!(
            of(&by_tenant, &from("192.0.2.1:1", Some("a"))),
            of(&by_tenant, &from("192.0.2.1:1", Some("b")))
        );
    }

    #[test]
    fn a_request_from_which_it_finds_nothing_is_counted_by_address_or_refused() {
        let without = from("192.0.2.1:1", None);
        let by_tenant = Key::extractor(Tenant);
        assert_eq!(
            by_tenant.of(&without).map(|(key, _)| key),
            Key::client_ip().of(&without).map(|(key, _)| key)
        );
        assert!(by_tenant.or_refuse().of(&without).is_err());
    }
}
