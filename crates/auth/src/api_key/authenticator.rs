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

/// The longest key that is hashed, in octets. Ours have 46; others may have been taken over.
const LONGEST: usize = 512;

/// API keys: a secret of 256 random bits that a caller sends with each request.
///
/// 1. Keys look like `gw_` and 43 letters and digits, so that scanners for leaked secrets know them. [`NewApiKey`](crate::NewApiKey) makes
///    them.
/// 2. At rest there is their hash alone, in a keys file. It is BLAKE3, keyed; since the keys are random, nothing slower is
///    needed. With a pepper, whoever can write the file but does not know it cannot add a key.
/// 3. A key is found by its hash, and the hashes are compared in constant time. A lookup costs the same among ten keys
///    and among a hundred thousand.
/// 4. The file is read again when it changes, all or nothing: a file that is wrong is told of in the log, and the keys
///    that were read before go on.
/// 5. A key is looked for in the header `x-api-key`, unless other places are said. A request that shows two is refused.
/// 6. The key never goes on to the service: it is taken out of headers and query of every request that is admitted,
///    whoever admitted it.
/// 7. A key that is unknown, expired or switched off is refused alike with 401; the log says which.
///
/// # The keys file
///
/// A list, in YAML. All but `name` and `hash` may be left out:
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
/// Customised: another header and a query parameter, a pepper, and the owner told to the service.
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

/// Where the keys are that are valid now.
pub(super) enum Keys {
    File(WatchedFile<Table>),
    Fixed(Arc<Table>),
}

impl ApiKeys {
    /// How many keys there are now.
    pub fn len(&self) -> usize {
        self.keys.with(Table::len)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some key has limits of its own now. They count only where a limit by principal is around the service.
    pub fn limits_some(&self) -> bool {
        self.keys.with(Table::limits_some)
    }

    /// What may not be meant: of each key that has ended by now a sentence that names it and its last day. Keys that are
    /// `disabled` are not told of.
    pub fn doubts(&self) -> Vec<String> {
        self.keys.with(|table| {
            let ended = table.ended(self.clock.now()).into_iter();
            ended.map(|(end, name)| format!("the key `{name}` ended on {}", date::last_day(end))).collect()
        })
    }

    /// How reading the file again went; `None` without a file.
    pub fn status(&self) -> Option<WatchedFileStatus> {
        match &self.keys {
            Keys::File(file) => Some(file.status()),
            Keys::Fixed(_) => None,
        }
    }

    /// Who the holder of a key is.
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

    /// There is no registered scheme for keys, and a 401 without a challenge is not allowed: this one names the place
    /// in the words of OpenAPI.
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
