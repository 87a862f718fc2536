//! The keys of issuers, each fetched or read once however many ask for them, and kept over a reload.

use std::{collections::HashMap, path::PathBuf};

use gatewright_auth::{Algorithm, Jwks};

use super::problems::{no_provider, unusable};
use crate::{
    diagnostics::Spanned,
    read::Reader,
    settings::{AuthKind, Issuer, KeySource, Provider},
};

/// Keys that go on by themselves: those that are fetched, and those of files that are watched.
#[derive(Default)]
pub(super) struct Keys {
    used: HashMap<Origin, Jwks>,
    before: HashMap<Origin, Jwks>,
}

/// All that makes keys what they are.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Origin {
    source: KeySource,
    provider: Provider,
    ca: Option<Vec<u8>>,
}

impl Keys {
    pub(super) fn following(before: Option<&Self>) -> Self {
        Self { used: HashMap::new(), before: before.map(|before| before.used.clone()).unwrap_or_default() }
    }

    /// The keys of an issuer.
    pub(super) fn of(&mut self, issuer: &Issuer, reader: &mut Reader<'_>) -> Option<Jwks> {
        match &issuer.keys {
            KeySource::Secret(secret) => {
                let keys = Jwks::secret(
                    only(issuer, "a secret", reader)?.unwrap_or(Algorithm::Hs256),
                    secret.value.expose().as_bytes(),
                );
                keys.map_err(|error| reader.error(secret.span, format!("this secret cannot be used: {error}")))
                    .ok()
            }
            KeySource::PublicKey(file) => public_key(issuer, file, reader),
            source => {
                let ca = match &issuer.provider.ca {
                    Some(ca) => Some(reader.contents(ca)?),
                    None => None,
                };
                let origin = Origin { source: source.clone(), provider: issuer.provider.clone(), ca };
                let known = self.used.get(&origin).or_else(|| self.before.get(&origin)).cloned();
                let keys = match known {
                    Some(keys) => keys,
                    None => origin.open(reader)?,
                };
                self.used.insert(origin, keys.clone());
                Some(keys)
            }
        }
    }

    /// Notes that an authenticator that goes on goes on with its keys.
    pub(super) fn keep(&mut self, kind: &AuthKind) {
        let AuthKind::Jwt(jwt) = kind else { return };
        let is_of = |origin: &Origin| {
            jwt.issuers.iter().any(|issuer| issuer.keys == origin.source && issuer.provider == origin.provider)
        };
        let kept: Vec<_> = self.before.iter().filter(|(origin, _)| is_of(origin)).collect();
        for (origin, keys) in kept {
            self.used.entry(origin.clone()).or_insert_with(|| keys.clone());
        }
    }

    pub(super) fn prefetch(&self) {
        self.used.values().for_each(Jwks::prefetch);
    }

    pub(super) fn settle(&mut self) {
        self.before = HashMap::new();
    }
}

impl Origin {
    fn open(&self, reader: &mut Reader<'_>) -> Option<Jwks> {
        let (url, builder) = match &self.source {
            KeySource::Url(url) => (url, Jwks::remote(&url.value)),
            KeySource::Discovery(url) => (url, Jwks::discover(&url.value)),
            KeySource::File(file) => return open_file(file, reader),
            KeySource::PublicKey(_) | KeySource::Secret(_) => return None,
        };
        let mut builder = builder;
        if let Some(ca) = &self.ca {
            builder = builder.ca(ca.as_slice());
        }
        if let Some(timeout) = self.provider.timeout {
            builder = builder.timeout(timeout);
        }
        if self.provider.cleartext {
            builder = builder.allow_cleartext();
        }
        builder.build().map_err(|error| no_provider(&error, url, &self.provider, reader)).ok()
    }
}

fn open_file(file: &Spanned<PathBuf>, reader: &mut Reader<'_>) -> Option<Jwks> {
    match Jwks::file(&file.value) {
        Ok(keys) => Some(keys),
        Err(error) => {
            unusable(file, &error, None, reader);
            None
        }
    }
}

/// The one algorithm that is allowed, when there is one.
fn only(issuer: &Issuer, what: &str, reader: &mut Reader<'_>) -> Option<Option<Algorithm>> {
    match issuer.algorithms.as_ref().map(|algorithms| (algorithms.span, &*algorithms.value)) {
        None => Some(None),
        Some((_, [only])) => Some(Some(*only)),
        Some((span, _)) => {
            reader
                .error(span, format!("{what} is for one algorithm, and here are several"))
                .help("keep the one that the issuer signs with");
            None
        }
    }
}

/// The algorithms that a public key is for, when nobody says it.
const USUAL: [Algorithm; 5] =
    [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];

fn public_key(issuer: &Issuer, file: &Spanned<PathBuf>, reader: &mut Reader<'_>) -> Option<Jwks> {
    let only = only(issuer, "a public key", reader)?;
    let pem = reader.contents(file)?;
    let path = file.value.display();
    let keys = match only {
        Some(algorithm) => Jwks::pem(algorithm, &pem),
        None => {
            let mut tried = USUAL.into_iter().map(|algorithm| Jwks::pem(algorithm, &pem));
            let first = tried.next()?;
            first.or_else(|error| tried.find_map(Result::ok).ok_or(error))
        }
    };
    match keys {
        Ok(keys) => Some(keys),
        Err(_) if pem.windows(b"PRIVATE KEY".len()).any(|part| part == b"PRIVATE KEY") => {
            reader
                .error(file.span, format!("`{path}` holds a private key"))
                .help("a gateway needs the public one alone: `openssl pkey -in KEY -pubout`");
            None
        }
        Err(error) => {
            reader.error(file.span, format!("`{path}` cannot be used: {error}"));
            None
        }
    }
}
