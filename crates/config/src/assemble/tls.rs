//! TLS of listeners.

use std::{error::Error, path::PathBuf};

use gatewright_server::{ClientAuth, TlsConfig, TlsError};

use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    read::Reader,
    settings::{self, Certificate, ListenerTls},
};

/// The TLS of a listener, and what it was made of.
pub(super) struct Tls {
    config: TlsConfig,
    made_of: MadeOf,
}

/// The settings, and what their files held.
#[derive(PartialEq, Eq)]
struct MadeOf {
    settings: ListenerTls,
    contents: Vec<Vec<u8>>,
}

impl Tls {
    /// Builds it, or takes it over from `before` when that was made of the same; `None` when it was reported.
    pub(super) fn build(tls: &ListenerTls, before: Option<&Self>, reader: &mut Reader<'_>) -> Option<Self> {
        // These are read before the server reads the files itself: when one changes in between, it differs from
        // what stands here, and is built anew the next time.
        let made_of = MadeOf { settings: tls.clone(), contents: contents(tls, reader)? };
        let config = match before {
            Some(before) if before.made_of == made_of => before.config.clone(),
            _ => build(tls, reader)?,
        };
        Some(Self { config, made_of })
    }

    pub(super) fn config(&self) -> TlsConfig {
        self.config.clone()
    }

    /// Serves connections to come as `other` would. Whether there was anything to change: sessions are resumed across
    /// it only when there was not.
    pub(super) fn become_like(&mut self, other: Self) -> bool {
        let differs = self.made_of != other.made_of;
        if differs {
            self.config.replace(&other.config);
            self.made_of = other.made_of;
        }
        differs
    }
}

/// What the files of a listener's TLS hold. Each certificate is looked at by itself, so that one pass names all that is
/// wrong.
fn contents(tls: &ListenerTls, reader: &mut Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut contents = Vec::new();
    let mut whole = true;
    for certificate in &tls.certificates {
        let (chain, key) = (reader.contents(&certificate.cert), reader.contents(&certificate.key));
        whole &= chain.is_some() && key.is_some() && is_right(certificate, reader);
        contents.extend(chain.into_iter().chain(key));
    }
    for file in tls.client_ca.iter().chain(&tls.crl) {
        let read = reader.contents(file);
        whole &= read.is_some();
        contents.extend(read);
    }
    whole.then_some(contents)
}

fn build(tls: &ListenerTls, reader: &mut Reader<'_>) -> Option<TlsConfig> {
    let mut builder = TlsConfig::builder().client_auth(match tls.client_auth() {
        settings::ClientAuth::Off => ClientAuth::Off,
        settings::ClientAuth::Optional => ClientAuth::Optional,
        settings::ClientAuth::Required => ClientAuth::Required,
    });
    for certificate in &tls.certificates {
        builder = builder.certificate_files(&certificate.cert.value, &certificate.key.value);
    }
    if let Some(authorities) = &tls.client_ca {
        builder = builder.client_ca_file(&authorities.value);
    }
    if let Some(lists) = &tls.crl {
        builder = builder.crl_file(&lists.value);
    }
    match builder.build() {
        Ok(config) => {
            for doubt in config.doubts() {
                let certificates = tls.certificates.iter().map(|certificate| Some(&certificate.cert));
                let files = certificates.chain([tls.client_ca.as_ref(), tls.crl.as_ref()]);
                let place = Some(reader.place(place(&doubt, files, tls.at.0)));
                reader.report(Diagnostic::warning(place, doubt));
            }
            Some(config)
        }
        Err(error) => {
            let file = match error.field() {
                "client_ca" => tls.client_ca.as_ref(),
                "crl" => tls.crl.as_ref(),
                _ => None,
            };
            report(&error, file.map_or(tls.at.0, |file| file.span), reader);
            None
        }
    }
}

/// Whether a certificate and its key can be used together.
fn is_right(certificate: &Certificate, reader: &mut Reader<'_>) -> bool {
    let Certificate { cert, key } = certificate;
    match TlsConfig::from_pem_files(&cert.value, &key.value) {
        Ok(_) => true,
        Err(error) => {
            report(&error, if error.field() == "key" { key.span } else { cert.span }, reader);
            false
        }
    }
}

fn report(error: &TlsError, span: Span, reader: &mut Reader<'_>) {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    reader.error(span, format!("{error}{cause}"));
}

/// Where the first file stands that a text names, unless its name is a part of another's that the text names.
fn place<'a>(
    text: &str,
    files: impl IntoIterator<Item = Option<&'a Spanned<PathBuf>>>,
    otherwise: Span,
) -> Span {
    let mut found: Option<&Spanned<PathBuf>> = None;
    for file in files.into_iter().flatten() {
        let name = file.value.to_string_lossy();
        let is_better = found.is_none_or(|found| {
            let shorter = found.value.to_string_lossy();
            name != shorter && name.contains(&*shorter)
        });
        if is_better && text.contains(&*name) {
            found = Some(file);
        }
    }
    found.map_or(otherwise, |file| file.span)
}
