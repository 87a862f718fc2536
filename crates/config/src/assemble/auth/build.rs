//! From the settings of an authenticator to the authenticator.

use std::{error::Error, path::PathBuf};

use gatewright_auth::{ApiKeys, Authenticator, Basic, Clock, Mtls, MtlsError};

use super::{
    Built,
    keys::Keys,
    problems::{doubtful, telling, unusable},
    tokens,
};
use crate::{
    diagnostics::Spanned,
    read::Reader,
    settings::{self, AuthKind, ForwardCertificate, KeySource},
    syntax::shorten,
};

/// What those files hold that are not read again by themselves.
pub(super) fn contents(kind: &AuthKind, reader: &mut Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let files: Vec<&Spanned<PathBuf>> = match kind {
        AuthKind::Jwt(jwt) => jwt
            .issuers
            .iter()
            .flat_map(|issuer| {
                let key = match &issuer.keys {
                    KeySource::PublicKey(file) => Some(file),
                    _ => None,
                };
                key.into_iter().chain(&issuer.provider.ca)
            })
            .collect(),
        AuthKind::Introspect(introspect) => introspect.provider.ca.iter().collect(),
        AuthKind::ApiKey(_) | AuthKind::Mtls(_) | AuthKind::Basic(_) => Vec::new(),
    };
    let read: Vec<_> = files.into_iter().map(|file| reader.contents(file)).collect();
    read.into_iter().collect()
}

/// Builds it; `None` when it was reported.
pub(super) fn authenticator(
    kind: &AuthKind,
    keys: &mut Keys,
    clock: &Clock,
    reader: &mut Reader<'_>,
) -> Option<Built> {
    let mut limits_some = false;
    let authenticator = match kind {
        AuthKind::Jwt(settings) => {
            tokens::jwt(settings, keys, reader).map(|jwt| Authenticator::new(jwt.clock(clock.clone())))
        }
        AuthKind::ApiKey(settings) => {
            let keys = api_keys(settings, clock, reader)?;
            limits_some = keys.limits_some();
            Some(Authenticator::new(keys))
        }
        AuthKind::Mtls(settings) => {
            mtls(settings, reader).map(|mtls| Authenticator::new(mtls.clock(clock.clone())))
        }
        AuthKind::Basic(settings) => basic(settings, reader).map(Authenticator::new),
        AuthKind::Introspect(settings) => {
            tokens::introspection(settings, clock, reader).map(Authenticator::new)
        }
    };
    Some(Built { authenticator: authenticator?, limits_some })
}

fn api_keys(settings: &settings::ApiKey, clock: &Clock, reader: &mut Reader<'_>) -> Option<ApiKeys> {
    let file = &settings.keys_file;
    let id_header = settings.id_header.as_ref().map(|name| telling(name, reader));
    let mut builder = ApiKeys::from_file(&file.value).clock(clock.clone());
    builder = settings.headers.iter().fold(builder, |builder, name| builder.header(name.clone()));
    builder = settings.queries.iter().fold(builder, |builder, name| builder.query(name.as_str()));
    if let Some(pepper) = &settings.pepper {
        builder = builder.pepper(pepper.value.expose());
    }
    if let Some(name) = settings::optional(id_header)? {
        builder = builder.owner_header(name);
    }
    match builder.build() {
        Ok(keys) => {
            doubtful(file, &keys.doubts(), reader);
            Some(keys)
        }
        Err(error) => {
            // It is about the file, or else about a setting.
            if error.source().is_some() {
                unusable(file, &error, error.content(), reader);
            } else {
                let span = settings.pepper.as_ref().map_or(settings.at.0, |pepper| pepper.span);
                reader.error(span, error.to_string());
            }
            None
        }
    }
}

fn basic(settings: &settings::Basic, reader: &mut Reader<'_>) -> Option<Basic> {
    let id_header = settings.id_header.as_ref().map(|name| telling(name, reader));
    let mut builder = Basic::from_file(&settings.file.value).scopes(settings.scopes.iter().map(String::as_str));
    if let Some(realm) = &settings.realm {
        builder = builder.realm(realm.value.as_str());
    }
    if let Some(remember) = settings.remember {
        builder = builder.remember_for(remember);
    }
    if let Some((threads, waiting)) = settings.threads() {
        builder = builder.threads(threads, waiting);
    }
    if let Some(name) = settings::optional(id_header)? {
        builder = builder.user_header(name);
    }
    match builder.build() {
        Ok(users) => Some(users),
        Err(error) => {
            if error.source().is_some() {
                unusable(&settings.file, &error, error.content(), reader);
            } else {
                let span = settings.realm.as_ref().map_or(settings.at.0, |realm| realm.span);
                reader.error(span, error.to_string());
            }
            None
        }
    }
}

fn mtls(settings: &settings::Mtls, reader: &mut Reader<'_>) -> Option<Mtls> {
    let id_header = settings.id_header.as_ref().map(|name| telling(name, reader));
    // A pattern that is refused takes the others with it, so that each is looked at by itself first.
    let mut whole = true;
    for pattern in &settings.san {
        whole &= is_pattern(Mtls::new().san(&pattern.value), pattern, reader);
    }
    for pattern in &settings.subject {
        whole &= is_pattern(Mtls::new().subject(&pattern.value), pattern, reader);
    }
    if !whole {
        return None;
    }
    let built = || {
        let mut mtls = Mtls::new().scopes(settings.scopes.iter().map(String::as_str));
        for pattern in &settings.san {
            mtls = mtls.san(&pattern.value)?;
        }
        for pattern in &settings.subject {
            mtls = mtls.subject(&pattern.value)?;
        }
        match &settings.forward {
            ForwardCertificate::No => Ok(mtls),
            ForwardCertificate::Yes => Ok(mtls.forward_certificate()),
            ForwardCertificate::By(uri) => mtls.forward_certificate_by(&uri.value),
        }
    };
    let mtls = built().map_err(|error: MtlsError| {
        reader.error(settings.at.0, error.to_string());
    });
    let mtls = mtls.ok()?;
    Some(match settings::optional(id_header)? {
        Some(name) => mtls.id_header(name),
        None => mtls,
    })
}

fn is_pattern(read: Result<Mtls, MtlsError>, pattern: &Spanned<String>, reader: &mut Reader<'_>) -> bool {
    let Err(error) = read else { return true };
    reader
        .error(pattern.span, format!("`{}` is not a pattern for certificates", shorten(error.text())))
        .help(error.hint());
    false
}
