//! TLS towards upstreams and identity providers.

use std::path::PathBuf;

use gatewright_proxy::{ClientTls, ClientTlsError};

use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    read::Reader,
    settings::{self, UpstreamTls},
};

/// What the files of an upstream's TLS hold.
#[derive(Default, PartialEq, Eq, Hash)]
pub(super) struct TlsFiles {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl TlsFiles {
    /// Every file is looked at, so that one pass names all that cannot be read.
    pub(super) fn read(tls: &UpstreamTls, reader: &mut Reader<'_>) -> Option<Self> {
        let ca = tls.ca.as_ref().map(|ca| reader.contents(ca));
        let identity = tls.identity().map(|(cert, key)| {
            let (cert, key) = (reader.contents(cert), reader.contents(key));
            cert.zip(key)
        });
        Some(Self { ca: settings::optional(ca)?, identity: settings::optional(identity)? })
    }

    /// Builds it for an upstream with targets on these hosts; `None` when an error was reported.
    pub(super) fn build(
        &self,
        settings: &UpstreamTls,
        hosts: &[&str],
        reader: &mut Reader<'_>,
    ) -> Option<ClientTls> {
        let mut builder = ClientTls::builder();
        if let Some(ca) = &self.ca {
            builder = builder.ca(ca.as_slice());
        }
        if let Some((cert, key)) = &self.identity {
            builder = builder.identity(cert.as_slice(), key.as_slice());
        }
        for field in ["ca", "cert", "key"] {
            if let Some(file) = file(field, settings) {
                builder = builder.label(field, name(file));
            }
        }
        if let Some(name) = &settings.server_name {
            builder = builder.server_name(&name.value);
        }
        match builder.build() {
            Ok(built) => {
                for (field, doubt) in built.doubts(hosts) {
                    warn(file(field, settings), settings.at.0, &doubt, reader);
                }
                Some(built)
            }
            Err(error) => {
                let text = format!("TLS to the upstream cannot be set up: {error}");
                reader.error(place(&error, settings), text);
                None
            }
        }
    }
}

/// Looks at the authorities of an identity provider at this URL; `None` when an error was reported.
pub(super) fn check_authorities(
    file: &Spanned<PathBuf>,
    contents: &[u8],
    url: &str,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let host = url.parse::<http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    match ClientTls::builder().ca(contents).label("ca", name(file)).build() {
        Ok(built) => {
            for (_, doubt) in built.doubts(&[host.as_deref().unwrap_or_default()]) {
                warn(Some(file), file.span, &doubt, reader);
            }
            Some(())
        }
        Err(error) => {
            reader.error(file.span, format!("TLS to the provider cannot be set up: {error}"));
            None
        }
    }
}

fn name(file: &Spanned<PathBuf>) -> String {
    file.value.display().to_string()
}

fn warn(file: Option<&Spanned<PathBuf>>, otherwise: Span, doubt: &str, reader: &mut Reader<'_>) {
    let place = reader.place(file.map_or(otherwise, |file| file.span));
    let text = match file.map(name) {
        Some(name) if !doubt.contains(&name) => format!("`{name}`: {doubt}"),
        _ => doubt.to_owned(),
    };
    reader.report(Diagnostic::warning(Some(place), text));
}

/// The file of a field.
fn file<'a>(field: &str, tls: &'a UpstreamTls) -> Option<&'a Spanned<PathBuf>> {
    match field {
        "ca" => tls.ca.as_ref(),
        "cert" => tls.identity().map(|(cert, _)| cert),
        "key" => tls.identity().map(|(_, key)| key),
        _ => None,
    }
}

/// Where the field stands that is at fault.
fn place(error: &ClientTlsError, tls: &UpstreamTls) -> Span {
    let name = tls.server_name.as_ref().filter(|_| error.field() == "server_name").map(|name| name.span);
    file(error.field(), tls).map(|file| file.span).or(name).unwrap_or(tls.at.0)
}
