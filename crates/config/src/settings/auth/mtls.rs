use http::HeaderName;

use super::Scope;
use crate::{
    diagnostics::{At, Spanned},
    read::{Map, Reader, Value},
    syntax::{Node, shorten},
    vocabulary::{Shape, long_form},
};

long_form! {
    /// Client certificates. See [how to require them](../guide/require-client-certificates.md). Without patterns, any certificate
    /// that the listener has verified is taken.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Mtls {
        title: "`mtls`";
        name: "mtls";
        smallest: "{san: \"spiffe://example.com/device/*\"}";
        also { at: At }

        /// Patterns for alternative names: URIs, DNS names, e-mail and IP addresses. `*` stands for a whole segment, a whole label or
        /// all before the `@`; an IP address is written whole. The name says who calls.
        san: default Vec<Spanned<String>>, "[\"spiffe://example.com/device/*\", \"*.devices.example.com\"]", alias ["sans"];
        /// Patterns for the subject, which then says who calls. `*` stands for a whole value.
        subject: default Vec<Spanned<String>>, "\"CN=*,OU=Devices,O=Example\"", alias ["subjects"];
        /// The scopes that every caller gets by this authenticator.
        scopes: default Vec<Scope>, "[telemetry:write]";
        /// Whether services are told of the certificate in `x-forwarded-client-cert`; with a URI, they are told the gateway's own
        /// URI in `By` too. This header is removed from what clients send in any case.
        forward("forward_certificate"): default ForwardCertificate, "\"spiffe://example.com/gateway\"", absent "`off`",
            alias ["forward", "xfcc"];
        /// The header in which services are told who calls. It is removed from what clients send, on every route of the file.
        id_header: optional Spanned<HeaderName>, "x-caller";
    }
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

impl Value for Mtls {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::On, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if !Reader::is_on(node) {
            return Self::read_long(node, reader);
        }
        let (san, subject, scopes, forward, id_header) = Default::default();
        Some(Self { at: At(node.span), san, subject, scopes, forward, id_header })
    }
}

impl Value for ForwardCertificate {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Flag, Shape::Uri]);

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
