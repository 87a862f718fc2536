use std::{fmt, sync::Arc};

use gatewright_core::{WatchedFile, WatchedFileStatus};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION, request::Parts};

use super::{
    date,
    hasher::KeyHasher,
    places::{self, Place, Several},
    table::Table,
};
use crate::{Attempt, Authenticate, Cause, Challenge, Clock, Immediate, Outcome, Refusal};

/// The longest key that is hashed, in octets. Keys of this crate have 46; longer ones may come from another system.
const LONGEST: usize = 512;

/// API keys: a secret of 256 random bits that a caller sends with each request.
///
/// 1. Keys look like `gw_` and 43 letters and digits, so that scanners for leaked secrets recognize them.
///    [`NewApiKey`](crate::NewApiKey) makes them.
/// 2. A keys file contains hashes only. The hash is keyed BLAKE3; since keys are random, a slow hash is not needed.
///    With a pepper, someone who can write the file but does not know the pepper cannot add a key.
/// 3. A key is found by its hash, and hashes are compared in constant time. A lookup costs the same among ten keys
///    and among a hundred thousand.
/// 4. The file is read again when it changes, all or nothing. If the new content is bad, the log says so and the
///    old keys stay in use.
/// 5. Keys are looked for in the header `x-api-key`, unless you name other places. A request with two keys is
///    refused.
/// 6. The key never reaches the service: it is removed from headers and query of every admitted request, whichever
///    authenticator admitted it.
/// 7. Unknown, expired and disabled keys are refused alike, with 401. The log says which it was.
///
/// # The keys file
///
/// A list in YAML. Each field but `name` and `hash` is optional:
///
/// ```yaml
/// - name: acme-2027               # of the key, for logs; each has its own
///   owner: acme                   # the principal's id; the name when left out
///   hash: blake3:0f1e…
///   scopes: [payments:write]
///   expires: 2027-06-30           # to the end of that day, UTC; or 2027-06-30T12:00:00Z
///   limit: 100/min burst 20       # its own, in the place of others' limits; or a list
///   disabled: false
/// ```
///
/// # Example
///
/// ```no_run
/// use gatewright_auth::{ApiKeys, AuthLayer};
///
/// let layer = AuthLayer::new(ApiKeys::from_file("keys.yaml").build()?);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::ApiKeysError>(())
/// ```
///
/// Customised: another header and a query parameter, a pepper, and a header that tells the service the owner.
///
/// ```no_run
/// use gatewright_auth::{ApiKeys, AuthLayer};
/// use http::HeaderName;
///
/// let pepper = std::fs::read("/run/secrets/key-pepper")?;
/// let keys = ApiKeys::from_file("keys.yaml")
///     .header(HeaderName::from_static("x-partner-key"))
///     .query("partner_key")
///     .pepper(pepper)
///     .owner_header(HeaderName::from_static("x-partner"))
///     .build()?;
/// let layer = AuthLayer::new(keys);
/// # let _ = layer;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ApiKeys {
    pub(super) keys: Keys,
    pub(super) places: Box<[Place]>,
    pub(super) hasher: KeyHasher,
    pub(super) owner_header: Option<HeaderName>,
    pub(super) clock: Clock,
}

/// The keys that are valid now.
pub(super) enum Keys {
    File(WatchedFile<Table>),
    Fixed(Arc<Table>),
}

impl ApiKeys {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.keys.with(Table::len)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some key has limits of its own. They only count if a limit by principal is around the service.
    pub fn limits_some(&self) -> bool {
        self.keys.with(Table::limits_some)
    }

    /// What is suspicious: a sentence for each key that has ended, with its name and its last day. Disabled keys
    /// are not included.
    pub fn doubts(&self) -> Vec<String> {
        self.keys.with(|table| {
            let ended = table.ended(self.clock.now()).into_iter();
            ended.map(|(end, name)| format!("the key `{name}` ended on {}", date::last_day(end))).collect()
        })
    }

    /// The state of reading the file again. `None` without a file.
    pub fn status(&self) -> Option<WatchedFileStatus> {
        match &self.keys {
            Keys::File(file) => Some(file.status()),
            Keys::Fixed(_) => None,
        }
    }

    /// Finds the holder of a key.
    fn judge(&self, key: &HeaderValue) -> Outcome {
        if key.is_empty() || key.len() > LONGEST {
            return Refusal::invalid("malformed_key").into();
        }
        let digest = self.hasher.hash(key.as_bytes());
        match self.keys.with(|table| table.find(digest, &self.clock)) {
            Ok(identity) => identity.into(),
            Err(refused) => Refusal::invalid(refused.reason()).into(),
        }
    }
}

impl Keys {
    fn with<R>(&self, read: impl FnOnce(&Table) -> R) -> R {
        match self {
            Self::File(file) => read(&file.load()),
            Self::Fixed(table) => read(table),
        }
    }
}

impl Authenticate for ApiKeys {
    type Future = Immediate;

    fn name(&self) -> &'static str {
        super::METHOD
    }

    fn authenticate(&self, request: &Parts) -> Attempt {
        let outcome = match places::look(&self.places, request).one() {
            Ok(None) => Outcome::NoCredential,
            Ok(Some(key)) => self.judge(&key),
            Err(Several) => Refusal::invalid("several_keys").into(),
        };
        outcome.into()
    }

    /// No scheme is registered for API keys, and a 401 must have a challenge. This one names the place in the words
    /// of OpenAPI.
    fn challenges(&self, _: Cause<'_>) -> Vec<Challenge> {
        let challenge = |place: &Place| match place {
            Place::Header(name) if *name == AUTHORIZATION => Challenge::new("Bearer"),
            Place::Header(name) => {
                Challenge::new("ApiKey").parameter("in", "header").parameter("name", name.as_str())
            }
            Place::Query(name) => Challenge::new("ApiKey").parameter("in", "query").parameter("name", name),
        };
        self.places.first().map(challenge).into_iter().collect()
    }

    fn remove_credentials(&self, request: &mut Parts) {
        places::clear(&self.places, request);
    }

    fn credential_names(&self) -> Vec<HeaderName> {
        places::header_names(&self.places)
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.owner_header.iter().cloned().collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.fmt(f),
            Self::Fixed(table) => write!(f, "{} keys", table.len()),
        }
    }
}
