//! Resolves names.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::Target;

/// How long an answer of the system is used. It is short because the system does not tell the record's time to live.
const FRESH: Duration = Duration::from_secs(5);

/// How many names are remembered at most.
const CAPACITY: usize = 10_000;

/// Resolves names by the system's resolver, and remembers answers for five seconds. Failures are not remembered.
///
/// Clones share the answers that are remembered.
#[derive(Clone, Default)]
pub struct Resolver {
    known: Arc<Mutex<HashMap<Arc<str>, Answer>>>,
}

struct Answer {
    addresses: Arc<[IpAddr]>,
    since: Instant,
}

impl Resolver {
    /// A resolver that knows no name yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The addresses of a target, at least one.
    ///
    /// # Errors
    ///
    /// When the name does not resolve, or has no address.
    pub async fn resolve(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        let with_port = |address: &IpAddr| SocketAddr::new(*address, target.port());
        if let Some(address) = target.address() {
            return Ok(vec![with_port(&address)]);
        }
        if let Some(addresses) = self.remembered(target.host()) {
            return Ok(addresses.iter().map(with_port).collect());
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((target.host(), target.port())).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.remember(target.host(), found.iter().map(SocketAddr::ip).collect());
        Ok(found)
    }

    fn remembered(&self, host: &str) -> Option<Arc<[IpAddr]>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(host)
            .filter(|answer| answer.since.elapsed() < FRESH)
            .map(|answer| Arc::clone(&answer.addresses))
    }

    fn remember(&self, host: &str, addresses: Arc<[IpAddr]>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.retain(|_, answer| answer.since.elapsed() < FRESH);
        }
        if known.len() < CAPACITY {
            known.insert(host.into(), Answer { addresses, since: Instant::now() });
        }
    }

    /// Forgets a name, so that the next connection asks again. It is for a name whose addresses do not answer.
    pub(crate) fn forget(&self, host: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Arc<[IpAddr]> {
        [IpAddr::from([192, 0, 2, last])].into()
    }

    /// Makes all answers older.
    fn age(resolver: &Resolver, by: Duration) {
        for answer in resolver.known.lock().expect("not poisoned").values_mut() {
            answer.since = answer.since.checked_sub(by).expect("the clock has run for a while");
        }
    }

    #[test]
    fn an_answer_is_remembered_for_five_seconds_or_until_it_is_forgotten() {
        let resolver = Resolver::new();
        assert_eq!(resolver.remembered("a"), None);
        resolver.remember("a", address(1));
        resolver.remember("b", address(2));
        let clone = resolver.clone();
        assert_eq!((clone.remembered("a"), clone.remembered("b")), (Some(address(1)), Some(address(2))));
        resolver.remember("a", address(3));
        assert_eq!(clone.remembered("a"), Some(address(3)), "the newer one counts");
        clone.forget("a");
        assert_eq!((resolver.remembered("a"), resolver.remembered("b")), (None, Some(address(2))));
        age(&resolver, Duration::from_secs(1));
        assert_eq!(resolver.remembered("b"), Some(address(2)));
        age(&resolver, Duration::from_secs(4));
        assert_eq!(resolver.remembered("b"), None);
        resolver.remember("b", address(4));
        assert_eq!(resolver.remembered("b"), Some(address(4)), "it is asked for anew");
    }

    #[test]
    fn no_more_names_are_remembered_than_there_is_room_for() {
        let resolver = Resolver::new();
        for number in 0..10_005 {
            resolver.remember(&number.to_string(), address(1));
        }
        let count = || resolver.known.lock().expect("not poisoned").len();
        assert_eq!(count(), 10_000);
        assert!(resolver.remembered("0").is_some() && resolver.remembered("9999").is_some());
        assert_eq!(resolver.remembered("10000"), None);
        // Old answers make room.
        age(&resolver, FRESH);
        resolver.remember("new", address(2));
        assert_eq!((count(), resolver.remembered("new")), (1, Some(address(2))));
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once() {
        // Nobody but this resolver knows the name (RFC 6761, section 6.4).
        let target: Target = "name.invalid:8080".parse().expect("a target");
        let resolver = Resolver::new();
        resolver.remember("name.invalid", address(7));
        let resolved = resolver.resolve(&target).await.expect("it is known");
        assert_eq!(resolved, ["192.0.2.7:8080".parse().expect("an address")]);
        resolver.forget("name.invalid");
        resolver.resolve(&target).await.expect_err("nobody knows it");
        assert_eq!(resolver.remembered("name.invalid"), None, "a failure is not remembered");
        // What the system says is.
        let target: Target = "localhost:8080".parse().expect("a target");
        let resolved = resolver.resolve(&target).await.expect("every system knows it");
        let remembered = resolver.remembered("localhost").expect("it is remembered");
        assert_eq!(resolved.iter().map(SocketAddr::ip).collect::<Vec<_>>(), &remembered[..]);
    }
}
