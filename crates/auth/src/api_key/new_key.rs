use std::{fmt, io, time::SystemTime};

use super::{hasher::KeyHasher, keys_file, secret::Secret};
use crate::ContentError;

/// A new API key: its secret, for its owner, and its entry, for the keys file.
///
/// ```
/// use gatewright_auth::NewApiKey;
///
/// let key = NewApiKey::builder("acme").scope("payments:write").expires("2027-06-30").limit("100/min").generate()?;
/// assert!(key.secret().starts_with("gw_"));
/// assert!(key.entry().starts_with("- name: acme\n  hash: blake3:"));
/// # Ok::<(), gatewright_auth::NewApiKeyError>(())
/// ```
pub struct NewApiKey {
    secret: Secret,
    entry: String,
    expires: Option<SystemTime>,
}

/// Builds a new API key.
#[must_use = "a builder does nothing until `generate` is called"]
pub struct NewApiKeyBuilder {
    name: String,
    owner: Option<String>,
    scopes: Vec<String>,
    expires: Option<String>,
    limits: Vec<String>,
    disabled: bool,
    hasher: KeyHasher,
}

impl NewApiKey {
    /// Begins a key of this name. Its owner is the principal of its requests, and has the same name unless you set
    /// another.
    pub fn builder(name: impl Into<String>) -> NewApiKeyBuilder {
        NewApiKeyBuilder {
            name: name.into(),
            owner: None,
            scopes: Vec::new(),
            expires: None,
            limits: Vec::new(),
            disabled: false,
            hasher: KeyHasher::new(None),
        }
    }

    /// The key in clear, for its owner. It is stored nowhere.
    pub fn secret(&self) -> &str {
        self.secret.as_str()
    }

    /// The entry for the keys file: lines of YAML that end with a line break.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// The end of the key, if it has one.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }
}

impl NewApiKeyBuilder {
    /// Sets the owner.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// Adds a scope.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Sets the end, as a keys file has it: `2027-06-30`, `2027-06-30T12:00:00Z`.
    pub fn expires(mut self, end: impl Into<String>) -> Self {
        self.expires = Some(end.into());
        self
    }

    /// Adds a limit of the key's own, as a keys file has it: `100/min`, `100/min burst 20`.
    pub fn limit(mut self, limit: impl Into<String>) -> Self {
        self.limits.push(limit.into());
        self
    }

    /// Makes the key disabled at first.
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Hashes with this pepper. It must be the gateway's.
    pub fn pepper(mut self, pepper: &[u8]) -> Self {
        self.hasher = KeyHasher::new(Some(pepper));
        self
    }

    /// Makes the key.
    ///
    /// # Errors
    ///
    /// The system provides no random bytes, or the keys file would not accept the entry. In the latter case,
    /// [`NewApiKeyError::problems`] says why.
    pub fn generate(self) -> Result<NewApiKey, NewApiKeyError> {
        let secret = Secret::generate().map_err(|error| NewApiKeyError(Kind::Random(error)))?;
        let entry = self.entry(&secret);
        // The reader of keys files decides what is right.
        let mut expires = None;
        let read = keys_file::read(entry.as_bytes(), &self.hasher, |read| expires = read.expires);
        read.map_err(|error| NewApiKeyError(Kind::Entry(error)))?;
        Ok(NewApiKey { secret, entry, expires })
    }

    fn entry(&self, secret: &Secret) -> String {
        let Self { name, owner, scopes, expires, limits, disabled, hasher } = self;
        let mut entry = format!("- name: {}\n", quoted(name));
        let mut field = |name: &str, value: String| {
            entry.push_str("  ");
            entry.push_str(name);
            entry.push_str(": ");
            entry.push_str(&value);
            entry.push('\n');
        };
        if let Some(owner) = owner {
            field("owner", quoted(owner));
        }
        field("hash", hasher.write(hasher.hash(secret.as_str().as_bytes())));
        if !scopes.is_empty() {
            field("scopes", list(scopes));
        }
        if let Some(end) = expires {
            field("expires", quoted(end));
        }
        match &limits[..] {
            [] => {}
            [limit] => field("limit", quoted(limit)),
            limits => field("limit", list(limits)),
        }
        if *disabled {
            field("disabled", "true".to_owned());
        }
        entry
    }
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

/// Writes the text as YAML: bare if it cannot be misread, or else in double quotes as JSON has them.
fn quoted(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | ':' | '-' | ' ');
    let plain = text.chars().all(bare)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains(": ")
        && text != "null";
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// A key that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NewApiKeyError(Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("the system provides no random bytes")]
    Random(#[source] io::Error),
    #[error("the keys file would not accept this key")]
    Entry(#[source] ContentError),
}

impl NewApiKeyError {
    /// The problems that the keys file would have with the entry. Their lines are those of the entry.
    pub fn problems(&self) -> Option<&ContentError> {
        match &self.0 {
            Kind::Entry(error) => Some(error),
            Kind::Random(_) => None,
        }
    }
}

/// Without the secret.
impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for NewApiKeyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKeyBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_what_was_said() {
        let key = NewApiKey::builder("Acme & Söhne: \"east\"")
            .owner("null")
            .scope("a:b")
            .scope("{c}")
            .expires("2027-06-30")
            .limit("100/min burst 20")
            .limit("5000/day")
            .disabled();
        let key = key.generate().expect("a key");
        let mut entries = Vec::new();
        let text = format!("{}{}", key.entry(), NewApiKey::builder("b").generate().expect("a key").entry());
        keys_file::read(text.as_bytes(), &KeyHasher::new(None), |entry| entries.push(entry)).expect("is right");
        let [entry, _] = &entries[..] else { panic!("two entries") };
        assert_eq!((&*entry.name, entry.owner.as_deref()), ("Acme & Söhne: \"east\"", Some("null")));
        assert_eq!((&entry.scopes[..], entry.limits.len()), (&["a:b".to_owned(), "{c}".to_owned()][..], 2));
        assert!(entry.disabled && entry.expires.is_some());
        assert!(entry.digest == KeyHasher::new(None).hash(key.secret().as_bytes()));
        assert!(!format!("{key:?} {}", key.entry()).contains(key.secret()));
    }

    #[test]
    fn what_the_file_would_not_take_makes_no_key() {
        let error = NewApiKey::builder("").limit("many").expires("soon").generate().expect_err("is wrong");
        let problems = error.problems().expect("of the entry").problems();
        let messages: Vec<_> = problems.iter().map(|problem| problem.message()).collect();
        assert_eq!(
            messages,
            [
                "`name` is empty, or begins or ends with a space",
                "`soon` is neither a date nor a time",
                "`many` is no limit"
            ]
        );
    }

    #[test]
    fn whatever_a_name_looks_like_in_yaml_it_is_read_as_it_was_said() {
        for name in [
            "orders: east",
            "orders:",
            "a #b",
            "#a",
            "- a",
            "a, b",
            "[a]",
            "null",
            "Null",
            "~",
            "true",
            "yes",
            "12",
            "1.5",
            "0x1F",
            "2027-06-30",
            "a: b: c",
            "'a'",
            "\"a\"",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "a\\b",
            ".inf",
        ] {
            let key = NewApiKey::builder(name).owner(name).generate();
            let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut entries = Vec::new();
            let hasher = KeyHasher::new(None);
            keys_file::read(key.entry().as_bytes(), &hasher, |entry| entries.push(entry)).expect(name);
            let [entry] = &entries[..] else { panic!("{name}: one entry") };
            assert_eq!((&*entry.name, entry.owner.as_deref()), (name, Some(name)));
        }
    }

    #[test]
    fn a_plain_name_stands_in_the_entry_without_quotes() {
        let entry = |name| NewApiKey::builder(name).generate().expect("a key").entry().to_owned();
        assert!(entry("orders east").starts_with("- name: orders east\n"));
        assert!(entry("orders: east").starts_with("- name: \"orders: east\"\n"));
    }
}
