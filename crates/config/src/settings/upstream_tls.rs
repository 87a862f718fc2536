//! TLS towards the services behind the gateway.

use std::path::PathBuf;

use super::optional;
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// TLS towards the service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UpstreamTls {
    pub(crate) at: At,
    /// The authorities that are trusted, in place of the system's.
    pub(crate) ca: Option<Spanned<PathBuf>>,
    /// The gateway's own certificate and key.
    pub(crate) identity: Option<(Spanned<PathBuf>, Spanned<PathBuf>)>,
    /// The name that the service's certificate has to bear, in place of the target's host.
    pub(crate) server_name: Option<Spanned<String>>,
}

pub(super) static UPSTREAM_TLS: Section = Section {
    title: "an upstream's `tls`",
    name: "upstream_tls",
    about: "TLS towards a service. Files are PEM.",
    keys: &[
        Key::new(
            "ca",
            Shape::File,
            "The authorities that the service's certificate is checked against. The service's own certificate may be among them: that very \
             one is then taken, whoever issued it, while its names and dates are right.",
            "internal.pem",
        )
        .absent("the system's"),
        Key::new(
            "cert",
            Shape::File,
            "The gateway's own certificate, for services that ask for one.",
            "gw.pem",
        ),
        Key::new("key", Shape::File, "Its private key.", "gw.key"),
        Key::new(
            "server_name",
            Shape::Host,
            "The name that the service's certificate has to bear, and that it is asked for (SNI).",
            "orders.internal",
        )
        .absent("the target's host"),
    ],
    rules: &[Rule::Together("cert", "key")],
    smallest: "{ca: internal.pem}",
    later: &["verify"],
    aliases: &[("sni", "server_name"), ("client_cert", "cert"), ("client_key", "key")],
};

impl UpstreamTls {
    /// `on` stands for TLS as the system has it, `off` for none.
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Option<Self>> {
        if Reader::is_off(node) {
            return Some(None);
        }
        if Reader::is_on(node) {
            return Some(Some(Self { at: At(node.span), ca: None, identity: None, server_name: None }));
        }
        let fields = Fields::read(node, &UPSTREAM_TLS, reader)?;
        let ca = fields.get("ca").map(|node| reader.file(node));
        let identity = match (fields.entry("cert"), fields.entry("key")) {
            (Some(cert), Some(key)) => {
                let (cert, key) = (reader.file(&cert.value), reader.file(&key.value));
                Some(cert.zip(key))
            }
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => {
                let other = if one.key == "cert" { "key" } else { "cert" };
                reader.error(one.key_span, format!("`{}` needs `{other}`", one.key));
                Some(None)
            }
        };
        let server_name = fields.get("server_name").map(|node| reader.spanned_text(node, "a host name"));
        Some(Some(Self {
            at: At(fields.span()),
            ca: optional(ca)?,
            identity: optional(identity)?,
            server_name: optional(server_name)?,
        }))
    }
}
