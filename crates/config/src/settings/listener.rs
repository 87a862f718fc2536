use std::{borrow::Cow, net::SocketAddr, path::PathBuf};

use gatewright_core::IpNetwork;

use super::optional;
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// Where the gateway listens, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) address: Spanned<SocketAddr>,
    /// What routes and logs call it; its address when there is none.
    pub(crate) name: Option<Spanned<String>>,
    /// Where its clients are sent, whatever they ask for.
    pub(crate) redirect_https: Option<Spanned<HttpsPort>>,
    pub(crate) tls: Option<ListenerTls>,
    /// Who may say by the PROXY protocol whom it speaks for.
    pub(crate) proxy_protocol: Vec<IpNetwork>,
}

/// The port of HTTPS, for a client of a listener without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpsPort {
    /// That of the first listener with TLS.
    OfListener,
    Named(u16),
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

pub(super) static LISTENER: Section = Section {
    title: "a listener",
    name: "listener",
    about: "Where the gateway listens, and what is spoken there. HTTP/1 and HTTP/2 are told apart by how the client begins, \
            or by ALPN.",
    keys: &[
        Key::new("address", Shape::Address, "Where it listens. Port 0 is any that is free. `[::]` takes IPv4 as well, save where another listener has `0.0.0.0` and \
             the same port.", "0.0.0.0:8443"),
        Key::new(
            "name",
            Shape::Text,
            "What routes (`listener:`) and logs call it.",
            "public",
        )
        .absent("its address"),
        Key::new("tls", Shape::Map(&TLS), "Speaks TLS.", "{cert: api.pem, key: api.key}").absent("cleartext"),
        Key::new(
            "redirect_https",
            Shape::Any(&[Shape::Flag, Shape::Number(1, MOST_PORT)]),
            "Sends every client to HTTPS, with 308 and the same host, path and query: to the port of the first listener with TLS, \
             or to this one. Not those of whom a trusted proxy says that they speak TLS.",
            "443",
        )
        .absent("`off`"),
        Key::new(
            "proxy_protocol",
            Shape::Map(&PROXY_PROTOCOL),
            "Peers that begin each connection with a PROXY header, version 1 or 2, and must do so.",
            "{from: [10.0.0.0/8]}",
        ),
    ],
    rules: &[Rule::Required("address")],
    smallest: "{address: 127.0.0.1:8081}",
    later: &["acme", "http3"],
    aliases: &[("listen", "address"), ("bind", "address"), ("ssl", "tls")],
};

static TLS: Section = Section {
    title: "a listener's `tls`",
    name: "listener_tls",
    about: "TLS 1.2 and 1.3. Files are PEM; a reload reads them anew, for handshakes to come.",
    keys: &[
        Key::new("cert", Shape::File, "The certificate and its chain, leaf first.", "api.pem"),
        Key::new("key", Shape::File, "Its private key.", "api.key"),
        Key::new(
            "certs",
            Shape::List(&Shape::Map(&CERTIFICATE)),
            "Several certificates, of which the client's server name (SNI) chooses; the first one is the default. Of two for one name, one of \
             RSA and one on a curve, each client gets one that it can verify.",
            "[{cert: api.pem, key: api.key}, {cert: www.pem, key: www.key}]",
        ),
        Key::new(
            "client_ca",
            Shape::File,
            "The authorities that clients' certificates are checked against. A client's own certificate may be among them: that very one is then \
             taken, whoever issued it, until it expires or `crl` revokes it.",
            "partners.pem",
        ),
        Key::new(
            "client_auth",
            Shape::Any(&[Shape::Word(&["optional", "required"]), Shape::Off]),
            "Whether clients are asked for certificates, and whether they may show none.",
            "optional",
        )
        .absent("`required` when there is a `client_ca`, or else `off`"),
        Key::new(
            "crl",
            Shape::File,
            "Revoked certificates of clients. Each authority of a chain needs a list that is not out of date; of several lists of one authority the \
             newest counts. `check` and the log warn before a list ends, and of an authority in `client_ca` that has none.",
            "partners.crl",
        ),
    ],
    rules: &[
        Rule::ExactlyOne(&["cert", "certs"]),
        Rule::Together("cert", "key"),
        Rule::NeedsUnlessOff("client_auth", "client_ca"),
        Rule::Needs("crl", "client_ca"),
    ],
    smallest: "{cert: api.pem, key: api.key}",
    later: &["acme", "min_version"],
    aliases: &[
        ("certificate", "cert"),
        ("ssl_certificate", "cert"),
        ("private_key", "key"),
        ("ssl_certificate_key", "key"),
        ("ca", "client_ca"),
        ("certificates", "certs"),
    ],
};

static CERTIFICATE: Section = Section {
    title: "a certificate",
    name: "certificate",
    about: "One certificate of several.",
    keys: &[
        Key::new("cert", Shape::File, "The certificate and its chain, leaf first.", "www.pem"),
        Key::new("key", Shape::File, "Its private key.", "www.key"),
    ],
    rules: &[Rule::Required("cert"), Rule::Required("key")],
    smallest: "{cert: www.pem, key: www.key}",
    later: &[],
    aliases: &[("certificate", "cert")],
};

static PROXY_PROTOCOL: Section = Section {
    title: "`proxy_protocol`",
    name: "proxy_protocol",
    about: "Whose PROXY headers are believed. Those of others are refused.",
    keys: &[Key::new("from", Shape::List(&Shape::Network), "Peers that send them.", "[10.0.0.0/8]")],
    rules: &[Rule::Required("from")],
    smallest: "{from: [10.0.0.0/8]}",
    later: &[],
    aliases: &[("trusted", "from")],
};

impl Listener {
    /// The short form: an address without TLS.
    pub(crate) fn plain(address: Spanned<SocketAddr>) -> Self {
        Self { address, name: None, redirect_https: None, tls: None, proxy_protocol: Vec::new() }
    }

    /// What routes, logs and metrics call it.
    pub(crate) fn called(&self) -> Cow<'_, str> {
        match &self.name {
            Some(name) => Cow::Borrowed(&name.value),
            None => Cow::Owned(self.address.value.to_string()),
        }
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
        let name = fields.get("name").map(|node| reader.spanned_text(node, "a name such as `public`"));
        let redirect_https = fields.entry("redirect_https").map(|entry| {
            let port = https_port(&entry.value, reader)?;
            if port.is_some() && fields.entry("tls").is_some() {
                reader
                    .error(
                        entry.key_span,
                        "`redirect_https` on a listener with TLS, whose clients speak HTTPS already",
                    )
                    .help("write it to the listener without TLS");
            }
            Some(port.map(|port| Spanned::new(port, entry.value.span)))
        });
        Some(Self {
            address: address?,
            name: optional(name)?,
            redirect_https: optional(redirect_https)?.flatten(),
            tls: tls?,
            proxy_protocol: proxy_protocol.unwrap_or_default(),
        })
    }
}

const MOST_PORT: i64 = u16::MAX as i64;

/// Where to; `None` inside for nowhere.
fn https_port(node: &Node, reader: &mut Reader<'_>) -> Option<Option<HttpsPort>> {
    if Reader::is_off(node) {
        Some(None)
    } else if Reader::is_on(node) {
        Some(Some(HttpsPort::OfListener))
    } else {
        let port = reader.number(node, 1..=MOST_PORT)?;
        Some(u16::try_from(port).ok().map(HttpsPort::Named))
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
                for item in reader.items(several, "a list of certificates", &CERTIFICATE) {
                    let certificate = Fields::read(item.node, &CERTIFICATE, reader)
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
