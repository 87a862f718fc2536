use http::HeaderName;

use super::{ID_HEADER, SCOPES, header, scopes};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    settings::optional,
    syntax::{Node, shorten},
    vocabulary::{Key, Section, Shape},
};

/// Client certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mtls {
    pub(crate) at: At,
    pub(crate) san: Vec<Spanned<String>>,
    pub(crate) subject: Vec<Spanned<String>>,
    pub(crate) scopes: Vec<String>,
    pub(crate) forward: ForwardCertificate,
    pub(crate) id_header: Option<Spanned<HeaderName>>,
}

/// Whether services are told of certificates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum ForwardCertificate {
    #[default]
    No,
    Yes,
    /// With the gateway's own URI.
    By(Spanned<String>),
}

pub(super) static MTLS: Section = Section {
    title: "`mtls`",
    name: "mtls",
    about: "Client certificates. See [how to require them](../guide/require-client-certificates.md). Without patterns, any certificate that \
            the listener has verified is taken.",
    keys: &[
        Key::new(
            "san",
            Shape::List(&Shape::Text),
            "Patterns for alternative names: URIs, DNS names, e-mail and IP addresses. `*` stands for a whole segment, a whole label or all \
             before the `@`; an IP address is written whole. The name is who calls.",
            "[\"spiffe://example.com/device/*\", \"*.devices.example.com\"]",
        ),
        Key::new(
            "subject",
            Shape::List(&Shape::Text),
            "Patterns for the subject, which is then who calls. `*` stands for a whole value.",
            "\"CN=*,OU=Devices,O=Example\"",
        ),
        SCOPES,
        Key::new(
            "forward_certificate",
            Shape::Any(&[Shape::Flag, Shape::Uri]),
            "Whether services are told of the certificate in `x-forwarded-client-cert`; as a URI, with the gateway's own in `By`. What \
             clients say there is removed in any case.",
            "\"spiffe://example.com/gateway\"",
        )
        .absent("`off`"),
        ID_HEADER,
    ],
    rules: &[],
    smallest: "{san: \"spiffe://example.com/device/*\"}",
    later: &[],
    aliases: &[("sans", "san"), ("subjects", "subject"), ("forward", "forward_certificate"), ("xfcc", "forward_certificate")],
};

impl Mtls {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let any = |at| Self {
            at,
            san: Vec::new(),
            subject: Vec::new(),
            scopes: Vec::new(),
            forward: ForwardCertificate::No,
            id_header: None,
        };
        if Reader::is_on(node) {
            return Some(any(At(node.span)));
        }
        let fields = Fields::read(node, &MTLS, reader)?;
        let mut patterns = |key: &str| {
            fields.get(key).map(|node| {
                let nodes = reader.list(node, "a list of patterns");
                let read: Vec<_> = nodes.iter().map(|node| reader.spanned_text(node, "a pattern")).collect();
                read.into_iter().collect::<Option<Vec<_>>>().filter(|patterns| !patterns.is_empty())
            })
        };
        let [san, subject] = ["san", "subject"].map(&mut patterns);
        let scopes = fields.get("scopes").map(|node| scopes(node, reader));
        let forward = fields.get("forward_certificate").map(|node| ForwardCertificate::read(node, reader));
        let id_header =
            fields.get("id_header").map(|node| header(node, reader).map(|name| Spanned::new(name, node.span)));
        Some(Self {
            san: optional(san)?.unwrap_or_default(),
            subject: optional(subject)?.unwrap_or_default(),
            scopes: optional(scopes)?.unwrap_or_default(),
            forward: optional(forward)?.unwrap_or_default(),
            id_header: optional(id_header)?,
            ..any(At(fields.span()))
        })
    }
}

impl ForwardCertificate {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if Reader::is_off(node) {
            return Some(Self::No);
        }
        if Reader::is_on(node) {
            return Some(Self::Yes);
        }
        let uri = reader.spanned_text(node, "`on`, `off` or the gateway's own URI")?;
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if uri.value.contains(':') && uri.value.bytes().all(is_plain) {
            return Some(Self::By(uri));
        }
        reader
            .error(node.span, format!("`{}` is not a URI", shorten(&uri.value)))
            .help("write `on`, or the gateway's own URI: `spiffe://example.com/gateway`");
        None
    }
}
