use std::{net::SocketAddr, path::PathBuf};

use gatewright_core::IpNetwork;

use super::optional;
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader, Section},
    syntax::Node,
};

/// Where the gateway listens, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: Spanned<SocketAddr>,
    pub(crate) tls: Option<ListenerTls>,
    /// Who may say by the PROXY protocol whom it speaks for.
    pub(crate) proxy_protocol: Vec<IpNetwork>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListenerTls {
    pub(crate) at: At,
    pub(crate) certificates: Vec<Certificate>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) client_ca: Option<Spanned<PathBuf>>,
    pub(crate) crl: Option<Spanned<PathBuf>>,
}

/// A certificate chain and its key, in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) cert: Spanned<PathBuf>,
    pub(crate) key: Spanned<PathBuf>,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    Off,
    Optional,
    Required,
}

const LISTENER: Section = Section {
    title: "a listener",
    keys: &["address", "tls", "proxy_protocol"],
    later: &["name", "acme", "http3"],
    aliases: &[("listen", "address"), ("bind", "address"), ("ssl", "tls")],
};

const TLS: Section = Section {
    title: "a listener's `tls`",
    keys: &["cert", "key", "certs", "client_ca", "client_auth", "crl"],
    later: &["acme", "min_version"],
    aliases: &[("certificate", "cert"), ("private_key", "key"), ("ca", "client_ca"), ("certificates", "certs")],
};

const CERTIFICATE: Section =
    Section { title: "a certificate", keys: &["cert", "key"], later: &[], aliases: &[("certificate", "cert")] };

const PROXY_PROTOCOL: Section =
    Section { title: "`proxy_protocol`", keys: &["from"], later: &[], aliases: &[("trusted", "from")] };

impl Listener {
    /// The short form: an address without TLS.
    pub(crate) fn plain(address: Spanned<SocketAddr>) -> Self {
        Self { address, tls: None, proxy_protocol: Vec::new() }
    }

    /// The scheme of its URLs.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &LISTENER, reader)?;
        let address = fields.required("address", reader).and_then(|node| reader.address(node));
        // A listener whose TLS was wrong must not become one without.
        let tls = optional(fields.get("tls").map(|node| ListenerTls::read(node, reader)));
        let proxy_protocol = fields.get("proxy_protocol").map(|node| proxy_protocol(node, reader));
        Some(Self { address: address?, tls: tls?, proxy_protocol: proxy_protocol.unwrap_or_default() })
    }
}

fn proxy_protocol(node: &Node, reader: &mut Reader<'_>) -> Vec<IpNetwork> {
    let from = Fields::read(node, &PROXY_PROTOCOL, reader).and_then(|fields| fields.required("from", reader));
    from.map(|node| reader.networks(node)).unwrap_or_default()
}

impl ListenerTls {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &TLS, reader)?;
        let mut certificates = Vec::new();
        let mut whole = true;
        match (fields.entry("certs"), fields.entry("cert").or(fields.entry("key"))) {
            (Some(_), Some(single)) => {
                reader
                    .error(single.key_span, format!("`{}` and `certs` in one `tls`", single.key))
                    .help("put every certificate with its key into `certs`");
                whole = false;
            }
            (Some(several), None) => {
                for node in reader.list(&several.value, "a list of certificates") {
                    let certificate = Fields::read(node, &CERTIFICATE, reader)
                        .and_then(|fields| certificate(&fields, reader));
                    whole &= certificate.is_some();
                    certificates.extend(certificate);
                }
            }
            (None, _) => {
                let certificate = certificate(&fields, reader);
                whole &= certificate.is_some();
                certificates.extend(certificate);
            }
        }

        let client_ca = fields.get("client_ca").map(|node| reader.file(node));
        let crl = fields.get("crl").map(|node| reader.file(node));
        let client_auth = match fields.get("client_auth") {
            Some(node) => client_auth(node, reader),
            // Who names a CA wants certificates checked.
            None if client_ca.is_some() => Some(ClientAuth::Required),
            None => Some(ClientAuth::Off),
        };
        if client_auth.is_some_and(|client_auth| client_auth != ClientAuth::Off)
            && client_ca.is_none()
            && let Some(entry) = fields.entry("client_auth")
        {
            reader
                .error(entry.key_span, "`client_auth` needs `client_ca`")
                .help("name the file of the authorities that client certificates are checked against");
        }
        if let (Some(entry), None) = (fields.entry("crl"), &client_ca) {
            reader.error(entry.key_span, "`crl` needs `client_ca`: it revokes client certificates");
        }
        let (client_ca, crl) = (optional(client_ca)?, optional(crl)?);
        whole.then_some(Self { at: At(fields.span()), certificates, client_auth: client_auth?, client_ca, crl })
    }
}

fn certificate(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Certificate> {
    let cert = fields.required("cert", reader).and_then(|node| reader.file(node));
    let key = fields.required("key", reader).and_then(|node| reader.file(node));
    Some(Certificate { cert: cert?, key: key? })
}

fn client_auth(node: &Node, reader: &mut Reader<'_>) -> Option<ClientAuth> {
    if Reader::is_off(node) {
        return Some(ClientAuth::Off);
    }
    let choices =
        [("off", ClientAuth::Off), ("optional", ClientAuth::Optional), ("required", ClientAuth::Required)];
    reader.choice(node, "a kind of client authentication", &choices)
}
