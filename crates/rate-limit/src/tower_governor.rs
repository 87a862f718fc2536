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
