use std::{borrow::Cow, net::SocketAddr, path::PathBuf};

use gatewright_core::IpNetwork;

use super::telemetry::TrustTraces;
use crate::{
    diagnostics::{At, Spanned},
    read::{Address, Fields, Keys, Map, Number, Readable, Reader, Value},
    syntax::Node,
    vocabulary::{Relation, Rule, Shape, Table, choice, group, long_form, map},
};

long_form! {
    /// Where the gateway listens, and which protocols it speaks there. HTTP/1 and HTTP/2 are told apart by the client's first bytes,
    /// or by ALPN.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Listener {
        title: "a listener";
        name: "listener";
        smallest: "{address: 127.0.0.1:8081}";
        later: ["acme", "http3"];

        /// The address of the listener. Port 0 is any that is free. `[::]` takes IPv4 as well, unless another listener has
        /// `0.0.0.0` and the same port.
        address: required Address, "0.0.0.0:8443", alias ["listen", "bind"];
        /// The name of the listener in routes (`listener:`) and logs.
        name: optional Spanned<String>, "public", absent "its address";
        /// TLS on this listener.
        tls: optional ListenerTls, "{cert: api.pem, key: api.key}", absent "cleartext", alias ["ssl"];
        /// Sends every client to HTTPS, with 308 and the same host, path and query: to the port of the first listener with TLS,
        /// or to this port. Clients that speak TLS by the word of a trusted proxy are not sent.
        redirect_https: default RedirectHttps, "443", absent "`off`";
        /// Peers that begin each connection with a PROXY header, version 1 or 2, and must do so.
        proxy_protocol: default ProxyProtocol, "{from: [10.0.0.0/8]}";
        /// Whose traces are continued on this listener.
        trust_traces: optional TrustTraces, "nobody", absent "as `telemetry` says";
    }
}

map! {
    /// Whose PROXY headers are believed. Those of others are refused.
    #[derive(Debug, Clone, Default, PartialEq, Eq)]
    pub(crate) struct ProxyProtocol {
        title: "`proxy_protocol`";
        name: "proxy_protocol";
        smallest: "{from: [10.0.0.0/8]}";

        /// Peers that send them.
        from: required Readable<IpNetwork>, "[10.0.0.0/8]", alias ["trusted"];
    }
}

/// The port of HTTPS, for a client of a listener without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HttpsPort {
    /// That of the first listener with TLS.
    OfListener,
    Named(u16),
}

/// Where the clients of a listener are sent, if they are.
pub(crate) struct RedirectHttps;

type Port = Number<u16, 1, 65_535>;

impl Value for RedirectHttps {
    type Kept = Option<Spanned<HttpsPort>>;
    const SHAPE: Shape = Shape::Any(&[Shape::Flag, Port::SHAPE]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let port = match () {
            () if Reader::is_off(node) => return Some(None),
            () if Reader::is_on(node) => HttpsPort::OfListener,
            () => HttpsPort::Named(Port::read(node, reader)?),
        };
        Some(Some(Spanned::new(port, node.span)))
    }
}

map! {
    /// TLS 1.2 and 1.3. Files are PEM; a reload reads them anew, for the handshakes after it.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct ListenerTls {
        title: "a listener's `tls`";
        name: "listener_tls";
        smallest: "{cert: api.pem, key: api.key}";
        rules: [
            Rule::new(Relation::ExactlyOne(&["certs", "cert"]))
                .missing("name the files of the certificate and its key: `cert: api.pem` and `key: api.key`")
                .surplus("put every certificate with its key into `certs`"),
            Rule::new(Relation::Excludes("certs", &["cert", "key"]))
                .surplus("put every certificate with its key into `certs`"),
            Rule::new(Relation::Together("cert", "key")),
            Rule::new(Relation::NeedsUnlessOff("client_auth", "client_ca"))
                .missing("name the file of the authorities that client certificates are checked against"),
            Rule::new(Relation::Needs("crl", "client_ca"))
                .missing("name the file of the authorities whose certificates the list revokes: `client_ca: partners.pem`"),
        ];
        later: ["acme", "min_version"];
        also { at: At }
        first { certificates: Vec<Certificate> }

        /// The authorities that clients' certificates are checked against. A client's own certificate may be among them: that
        /// certificate is then taken, whoever issued it, until it expires or `crl` revokes it.
        client_ca: optional PathBuf, "partners.pem", alias ["ca"];
        /// Whether clients are asked for certificates, and whether they may show none.
        client_auth: optional ClientAuth, "optional", absent "`required` when there is a `client_ca`, or else `off`";
        /// Revoked certificates of clients. Each authority of a chain needs a list that is not out of date; of several lists of one
        /// authority the newest counts. `check` and the log warn before a list ends, and of an authority in `client_ca` that has
        /// no list.
        crl: optional PathBuf, "partners.crl";
    }
}

choice! {
    /// Whether clients show certificates.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum ClientAuth, "a kind of client authentication" {
        Optional = "optional",
        Required = "required",
        Off = off,
    }
}

map! {
    /// One certificate of several.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Certificate {
        title: "a certificate";
        name: "certificate";
        smallest: "{cert: www.pem, key: www.key}";

        /// The certificate and its chain, leaf first.
        cert: required PathBuf, "www.pem", alias ["certificate", "ssl_certificate"];
        /// The private key of the certificate.
        key: required PathBuf, "www.key", alias ["private_key", "ssl_certificate_key"];
    }
}

group! {
    /// One certificate, or several.
    #[derive(Debug)]
    pub(crate) struct Certificates {
        /// The certificate and its chain, leaf first.
        cert: optional PathBuf, "api.pem", alias ["certificate", "ssl_certificate"];
        /// The private key of the certificate.
        key: optional PathBuf, "api.key", alias ["private_key", "ssl_certificate_key"];
        /// Several certificates: the client's server name (SNI) chooses, and the first one is the default. One name may have one
        /// certificate of RSA and one on a curve; each client then gets one that it can verify.
        certs: default Vec<Certificate>, "[{cert: api.pem, key: api.key}, {cert: www.pem, key: www.key}]",
            alias ["certificates"];
    }
}

impl Keys for Vec<Certificate> {
    const TABLE: &'static Table = Certificates::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Certificates { cert, key, mut certs } = Certificates::of(fields, reader)?;
        certs.extend(cert.zip(key).map(|(cert, key)| Certificate { cert, key }));
        Some(certs)
    }
}

impl ListenerTls {
    /// Whether clients show certificates. A file that names authorities wants certificates checked.
    pub(crate) fn client_auth(&self) -> ClientAuth {
        let usual = if self.client_ca.is_some() { ClientAuth::Required } else { ClientAuth::Off };
        self.client_auth.unwrap_or(usual)
    }
}

impl Value for Listener {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Address, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let crate::syntax::Kind::Scalar(_) = &node.kind {
            return reader.address(node).map(Self::plain);
        }
        let fields = Fields::read(node, Self::SECTION, reader)?;
        let listener = Self::of(&fields, reader).filter(|_| fields.is_whole());
        if let (Some(entry), Some(_)) = (fields.entry("redirect_https"), fields.entry("tls"))
            && !Reader::is_off(&entry.value)
        {
            let message = "`redirect_https` on a listener with TLS, whose clients speak HTTPS already";
            reader.error(entry.key_span, message).help("write it to the listener without TLS");
        }
        listener
    }
}

impl Listener {
    /// The short form: an address without TLS.
    pub(crate) fn plain(address: Spanned<SocketAddr>) -> Self {
        let (name, tls, redirect_https, proxy_protocol, trust_traces) = Default::default();
        Self { address, name, tls, redirect_https, proxy_protocol, trust_traces }
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
}
