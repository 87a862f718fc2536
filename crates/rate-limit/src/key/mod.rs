//! Whose requests are counted together.

mod address;
mod bytes;

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use gatewright_core::{Label, Principal, RequestRecord};
use http::{HeaderName, request::Parts};

pub(crate) use self::bytes::KeyBytes;

/// Whose requests are counted together.
///
/// A request that has no such key is counted by its client's address, or refused; each constructor says which, and
/// [`or_client_ip`](Key::or_client_ip) and [`or_refuse`](Key::or_refuse) change it. It never goes uncounted: clients
/// whose address is not known either share one bucket, or one for each proxy that cannot name them.
///
/// ```
/// use gatewright_rate_limit::Key;
/// use http::{HeaderName, request::Parts};
///
/// // Each caller on each route.
/// let key = Key::principal().and(Key::route());
///
/// // A tenant, by a header of which no request may be without.
/// let key = Key::header(HeaderName::from_static("x-tenant")).or_refuse();
///
/// // What only this program knows.
/// let key = Key::from_fn(|request: &Parts| request.uri.query().map(|query| query.len() / 100));
/// ```
#[derive(Clone)]
pub struct Key(Arc<[Part]>);

#[derive(Clone)]
struct Part {
    source: Source,
    missing: Missing,
}

#[derive(Clone)]
enum Source {
    Principal,
    ClientIp,
    Header(HeaderName),
    Route,
    Everything,
    Function(Function),
}

type Function = Arc<dyn Fn(&Parts, &mut KeyBytes) -> Option<()> + Send + Sync>;

/// What becomes of a request without this part of the key: its client's address stands for it, or it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    ClientIp,
    Refuse,
}

/// A request has no key, and such are refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoKey;

/// Where a request comes from.
#[derive(Default)]
enum Address {
    Client(IpAddr),
    /// A proxy speaks for a client that it cannot name.
    BehindProxy(IpAddr),
    #[default]
    Unknown,
}

/// What a key may need of the record, taken out of it at once.
#[derive(Default)]
pub(crate) struct Caller {
    pub(crate) principal: Option<Principal>,
    address: Address,
    route: Option<Label>,
}

impl Key {
    fn one(source: Source, missing: Missing) -> Self {
        Self(Arc::new([Part { source, missing }]))
    }

    /// Who calls, as an authentication layer outside has verified it: its method, issuer and id. A request without a
    /// principal is refused.
    pub fn principal() -> Self {
        Self::one(Source::Principal, Missing::Refuse)
    }

    /// The client's address after trusted hops ([`gatewright_core::ClientInfo`]), else the peer of the connection.
    /// IPv4 mapped into IPv6 is IPv4, and IPv6 counts by its first 64 bits, since one client has them all.
    pub fn client_ip() -> Self {
        Self::one(Source::ClientIp, Missing::ClientIp)
    }

    /// Who calls, and the client's address where nobody is known to.
    pub fn principal_or_ip() -> Self {
        Self::principal().or_client_ip()
    }

    /// The values of a header. A request without it is counted by its client's address.
    ///
    /// A client that may write the header may write a new one each time: use it behind something that sets it.
    pub fn header(name: HeaderName) -> Self {
        Self::one(Source::Header(name), Missing::ClientIp)
    }

    /// The route that took the request, so that all its requests are counted together.
    pub fn route() -> Self {
        Self::one(Source::Route, Missing::ClientIp)
    }

    /// All requests together.
    pub fn everything() -> Self {
        Self::one(Source::Everything, Missing::ClientIp)
    }

    /// What a function makes of a request's head, of any type that can be hashed. A request for which it is `None` is
    /// counted by its client's address.
    ///
    /// Nodes that share their buckets in Redis have to agree on what a value hashes to. They do on text; of numbers and
    /// enums they do when they are of one architecture and built by one compiler.
    pub fn from_fn<K: Hash>(function: impl Fn(&Parts) -> Option<K> + Send + Sync + 'static) -> Self {
        let function: Function = Arc::new(move |parts, bytes| function(parts).map(|key| key.hash(bytes)));
        Self::one(Source::Function(function), Missing::ClientIp)
    }

    /// Both this key and another: a caller on a route, say. Each of them says for itself what becomes of a request
    /// without it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.iter().chain(&*other.0).cloned().collect())
    }

    /// Counts a request without this key by its client's address.
    #[must_use]
    pub fn or_client_ip(self) -> Self {
        self.or(Missing::ClientIp)
    }

    /// Refuses a request without this key, with 403.
    #[must_use]
    pub fn or_refuse(self) -> Self {
        self.or(Missing::Refuse)
    }

    fn or(self, missing: Missing) -> Self {
        Self(self.0.iter().map(|part| Part { source: part.source.clone(), missing }).collect())
    }

    /// Whether it tells callers apart, so that a caller's own limits hold.
    pub(crate) fn is_by_principal(&self) -> bool {
        self.0.iter().any(|part| matches!(part.source, Source::Principal))
    }

    /// The key of a request, and who calls when it is by them.
    pub(crate) fn of(&self, parts: &Parts) -> Result<(KeyBytes, Caller), NoKey> {
        let caller = Caller::of(parts);
        let mut bytes = KeyBytes::default();
        for part in &*self.0 {
            match (part.source.write(parts, &caller, &mut bytes), part.missing) {
                (Some(()), _) => {}
                (None, Missing::ClientIp) => caller.address.write(&mut bytes),
                (None, Missing::Refuse) => return Err(NoKey),
            }
        }
        Ok((bytes, caller))
    }
}

impl Caller {
    fn of(parts: &Parts) -> Self {
        let Some(record) = RequestRecord::of(&parts.extensions) else {
            return Self { principal: Principal::of(&parts.extensions), ..Self::default() };
        };
        let (principal, client, route) =
            record.with(|summary| (summary.principal.clone(), summary.client, summary.route.clone()));
        // As `Principal::of`, with the lock taken once.
        let principal = principal.or_else(|| parts.extensions.get().cloned());
        let address = match client {
            Some(client) if client.is_address_known() => Address::Client(client.address()),
            Some(client) => Address::BehindProxy(client.address()),
            None => record.connection().map_or(Address::Unknown, |connection| {
                let peer = connection.peer().ip();
                if connection.is_client_unknown() { Address::BehindProxy(peer) } else { Address::Client(peer) }
            }),
        };
        Self { principal, address, route }
    }
}

impl Address {
    fn write(&self, bytes: &mut KeyBytes) {
        match self {
            Self::Client(address) => address::write(b"a:", *address, bytes),
            Self::BehindProxy(address) => address::write(b"b:", *address, bytes),
            Self::Unknown => bytes.write(b"a:-"),
        }
    }
}

impl Source {
    fn name(&self) -> &str {
        match self {
            Self::Principal => "principal",
            Self::ClientIp => "client_ip",
            Self::Header(name) => name.as_str(),
            Self::Route => "route",
            Self::Everything => "everything",
            Self::Function(_) => "function",
        }
    }

    /// Writes this part of the key, or nothing when it is missing. A letter before it says what it is of, and it says
    /// itself where it ends, so that no text that a client chooses can be taken for another key, nor for the part that
    /// follows.
    fn write(&self, parts: &Parts, caller: &Caller, bytes: &mut KeyBytes) -> Option<()> {
        match self {
            Self::Principal => {
                let principal = caller.principal.as_ref()?;
                // The same subject of another issuer is somebody else.
                let issuer = principal.claim("iss").and_then(|issuer| issuer.as_str()).unwrap_or_default();
                bytes.write(b"p:");
                (principal.method(), issuer, principal.id()).hash(bytes);
                if !principal.quotas().is_empty() {
                    // Limits of its own are those of the credential: an owner's other keys have others.
                    bytes.write(b"c:");
                    principal.credential().unwrap_or_default().hash(bytes);
                }
            }
            Self::ClientIp => caller.address.write(bytes),
            Self::Header(name) => {
                let mut values = parts.headers.get_all(name).iter().peekable();
                values.peek()?;
                bytes.write(b"h:");
                bytes.write(name.as_str().as_bytes());
                for value in values {
                    bytes.write_u8(END_OF_VALUE);
                    bytes.write(value.as_bytes());
                }
                bytes.write_u8(END_OF_HEADER);
            }
            Self::Route => {
                bytes.write(b"r:");
                caller.route.as_deref().unwrap_or_default().hash(bytes);
            }
            Self::Everything => bytes.write(b"e:"),
            Self::Function(function) => {
                let mut key = KeyBytes::default();
                function(parts, &mut key)?;
                bytes.write(b"f:");
                bytes.write(&(key.as_slice().len() as u64).to_be_bytes());
                bytes.write(key.as_slice());
            }
        }
        Some(())
    }
}

/// Control characters, which no header's value can hold (RFC 9110, section 5.5).
const END_OF_VALUE: u8 = 0x1f;
const END_OF_HEADER: u8 = 0x1e;

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|part| (part.source.name(), part.missing))).finish()
    }
}

#[cfg(test)]
mod tests;
