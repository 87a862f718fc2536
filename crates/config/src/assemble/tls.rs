//! TLS of listeners.

use std::{error::Error, path::PathBuf};

use gatewright_server::{ClientAuth, TlsConfig, TlsError};

use crate::{
    diagnostics::{Span, Spanned},
    read::Reader,
    settings::{self, Certificate, ListenerTls},
};

/// The TLS of a listener; `None` when it was reported.
pub(super) fn build(tls: &ListenerTls, reader: &mut Reader<'_>) -> Option<TlsConfig> {
    // Each certificate and file by itself first, so that one pass names all that is wrong.
    let certificates: Vec<bool> =
        tls.certificates.iter().map(|certificate| is_right(certificate, reader)).collect();
    let files =
        [&tls.client_ca, &tls.crl].map(|file| file.as_ref().is_none_or(|file| reader.contents(file).is_some()));
    if certificates.contains(&false) || files.contains(&false) {
        return None;
    }

    let mut builder = TlsConfig::builder().client_auth(match tls.client_auth {
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
        Ok(config) => Some(config),
        Err(error) => {
            let files = [tls.crl.as_ref(), tls.client_ca.as_ref()];
            report(&error, files, tls.span, reader);
            None
        }
    }
}

/// Whether a certificate and its key can be used together.
fn is_right(certificate: &Certificate, reader: &mut Reader<'_>) -> bool {
    let Certificate { cert, key } = certificate;
    let (chain, secret) = (reader.contents(cert).is_some(), reader.contents(key).is_some());
    if !(chain && secret) {
        return false;
    }
    match TlsConfig::from_pem_files(&cert.value, &key.value) {
        Ok(_) => true,
        Err(error) => {
            // A mismatch names both files; the key is the one that is more often the wrong one.
            report(&error, [Some(key), Some(cert)], cert.span, reader);
            false
        }
    }
}

/// Reports an error at the first of the files that it names.
fn report<'a>(
    error: &TlsError,
    files: impl IntoIterator<Item = Option<&'a Spanned<PathBuf>>>,
    otherwise: Span,
    reader: &mut Reader<'_>,
) {
    let text = error.to_string();
    let named = |file: &&Spanned<PathBuf>| text.contains(&*file.value.to_string_lossy());
    let span = files.into_iter().flatten().find(named).map_or(otherwise, |file| file.span);
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    reader.error(span, format!("{text}{cause}"));
}
