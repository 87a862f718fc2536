//! The keys of issuers, each fetched or read once however many ask for them, and kept over a reload.

use std::path::PathBuf;

use gatewright_auth::{Algorithm, Jwks};
use gatewright_core::{KeyFile, KeyFilePart};

use super::{
    super::{client_tls::check_authorities, keeper::Keeper},
    problems::{no_provider, unusable},
};
use crate::{
    diagnostics::{Diagnostic, Spanned},
    read::Reader,
    settings::{AuthKind, Issuer, KeySource, Provider},
};

/// Keys that go on by themselves: those that are fetched, and those of files that are watched.
pub(super) struct Keys(Keeper<Origin, Jwks>);

/// All that makes keys what they are.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Origin {
    source: KeySource,
    provider: Provider,
    ca: Option<Vec<u8>>,
}

impl Keys {
    pub(super) fn following(before: Option<&Self>) -> Self {
        Self(Keeper::following(before.map(|before| &before.0)))
    }

    /// The keys of an issuer.
    pub(super) fn of(&mut self, issuer: &Issuer, reader: &mut Reader<'_>) -> Option<Jwks> {
        match &issuer.keys {
            KeySource::Secret(secret) => {
                let keys = Jwks::secret(
                    only(issuer, reader)?.unwrap_or(Algorithm::Hs256),
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
                let keys = self.0.get(origin, |origin| origin.open(reader))?.built;
                if let KeySource::File(file) = source {
                    check(issuer, file, &keys, reader)?;
                }
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
        self.0.keep(is_of);
    }

    pub(super) fn prefetch(&self) {
        self.0.values().for_each(Jwks::prefetch);
    }

    pub(super) fn settle(&mut self) {
        self.0.settle();
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
        if let (Some(ca), Some(file)) = (&self.ca, &self.provider.ca) {
            check_authorities(file, ca, &url.value, reader)?;
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

/// The one algorithm that a secret is for, when it is said.
fn only(issuer: &Issuer, reader: &mut Reader<'_>) -> Option<Option<Algorithm>> {
    match issuer.algorithms.as_ref().map(|algorithms| (algorithms.span, &*algorithms.value)) {
        None => Some(None),
        Some((_, [only])) => Some(Some(*only)),
        Some((span, _)) => {
            reader
                .error(span, "a secret is for one algorithm, and here are several")
                .help("keep the one that the issuer signs with");
            None
        }
    }
}

fn public_key(issuer: &Issuer, file: &Spanned<PathBuf>, reader: &mut Reader<'_>) -> Option<Jwks> {
    let pem = reader.contents(file)?;
    let keys = match Jwks::any_pem(&pem) {
        Ok(keys) => keys,
        Err(error) => {
            let (path, found) = (file.value.display().to_string(), KeyFile::of(&pem));
            match found.remedy(KeyFilePart::PublicKey, &path) {
                Some(command) => reader
                    .error(file.span, format!("`{path}` holds {found}, where a public key is to be"))
                    .help(format!("the public key by itself: {command}")),
                None => reader.error(file.span, format!("`{path}` cannot be used: {error}")),
            };
            return None;
        }
    };
    check(issuer, file, &keys, reader)?;
    Some(keys)
}

/// Holds the keys of a file to the algorithms that are allowed; `None` when no token could ever be verified.
fn check(issuer: &Issuer, file: &Spanned<PathBuf>, keys: &Jwks, reader: &mut Reader<'_>) -> Option<()> {
    let path = file.value.display();
    let listed = issuer.algorithms.as_ref();
    if let Some(listed) = listed
        && let Some(why) = keys.misfit(&listed.value)
    {
        reader
            .error(listed.span, format!("no key of `{path}` {why}"))
            .help("list the algorithm that the issuer signs with, or name the file of its other keys");
        return None;
    }
    if listed.is_none() && keys.algorithms(None).is_some_and(|found| found.is_empty()) {
        let own = names(&keys.algorithms(Some(&Algorithm::ALL)).unwrap_or_default());
        reader
            .error(file.span, format!("no key of `{path}` says which of {own} it is for"))
            .help("say it here, as in `algorithms: HS256`, or in the key, as its `alg`");
        return None;
    }
    for doubt in keys.doubts(listed.map(|listed| &*listed.value)) {
        let place = reader.place(file.span);
        reader.report(Diagnostic::warning(Some(place), format!("`{path}`: {doubt}")));
    }
    Some(())
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}
