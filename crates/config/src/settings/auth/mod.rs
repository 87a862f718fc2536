//! Who calls, and how it is known.

mod access;
mod api_key;
mod basic;
mod claim;
mod introspect;
mod jwt;
mod mtls;
mod provider;
mod tokens;

pub(super) use access::{AUTH_KEY, ROLES_KEY, SCOPES_KEY};
pub(crate) use access::{Access, Who};
pub(crate) use api_key::ApiKey;
pub(crate) use basic::Basic;
pub(crate) use introspect::Introspect;
pub(crate) use jwt::{Issuer, Jwt, KeySource};
pub(crate) use mtls::{ForwardCertificate, Mtls};
pub(crate) use provider::Provider;
pub(crate) use tokens::{Claims, TokenPlaces};

use http::HeaderName;

use super::headers;
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// An authenticator of `auth:`.
#[derive(Debug)]
pub(crate) struct Authenticator {
    pub(crate) at: At,
    pub(crate) name: String,
    pub(crate) kind: AuthKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum AuthKind {
    Jwt(Jwt),
    ApiKey(ApiKey),
    Mtls(Mtls),
    Basic(Basic),
    Introspect(Box<Introspect>),
}

pub(super) const AUTHENTICATORS: Shape = Shape::Named(&Shape::Auth, &Shape::Map(&AUTHENTICATOR));

static AUTHENTICATOR: Section = Section {
    title: "an authenticator",
    name: "authenticator",
    about: "One way to know who calls. What it asks for is taken out of every request that goes on.",
    keys: &[
        Key::new(
            "jwt",
            Shape::Map(&jwt::JWT),
            "By signed tokens of an identity provider.",
            "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}",
        ),
        Key::new(
            "api_key",
            Shape::Map(&api_key::API_KEY),
            "By keys that `gatewright keys new` makes.",
            "{keys_file: keys.yaml}",
        ),
        Key::new(
            "mtls",
            Shape::Any(&[Shape::On, Shape::Map(&mtls::MTLS)]),
            "By certificates that a listener with `client_ca` has verified; `on` takes any of them.",
            "{san: \"spiffe://example.com/device/*\"}",
        ),
        Key::new("basic", Shape::Map(&basic::BASIC), "By user and password.", "{file: users.htpasswd}"),
        Key::new(
            "introspect",
            Shape::Map(&introspect::INTROSPECT),
            "By asking the issuer of a token about it.",
            "{url: \"https://id.example.com/introspect\", client: gateway, secret: \"file:introspect.secret\"}",
        ),
    ],
    rules: &[Rule::ExactlyOne(&["jwt", "api_key", "mtls", "basic", "introspect"])],
    smallest: "{api_key: {keys_file: keys.yaml}}",
    later: &[],
    aliases: &[
        ("oauth2", "jwt"),
        ("oidc", "jwt"),
        ("bearer", "jwt"),
        ("apikey", "api_key"),
        ("key", "api_key"),
        ("keys", "api_key"),
        ("client_certificate", "mtls"),
        ("tls", "mtls"),
        ("basic_auth", "basic"),
        ("htpasswd", "basic"),
        ("introspection", "introspect"),
        ("opaque", "introspect"),
    ],
};

/// Words that say something else where a route names its authenticator.
const NO_NAMES: [&str; 7] = ["none", "off", "no", "false", "on", "yes", "true"];

/// Whether this can name an authenticator.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(is_plain)
        && !NO_NAMES.contains(&text)
}

impl Authenticator {
    /// Reads `auth:`, and tells the reader the names.
    pub(super) fn read_all(node: &Node, reader: &mut Reader<'_>) -> Vec<Self> {
        let entries = match &node.kind {
            Kind::Map(entries) => entries.as_slice(),
            Kind::Invalid => &[],
            _ => {
                reader
                    .error(
                        node.span,
                        format!("expected authenticators by their names, found {}", node.describe()),
                    )
                    .help("write a map: `partner: {api_key: {keys_file: keys.yaml}}`");
                &[]
            }
        };
        let mut authenticators = Vec::with_capacity(entries.len());
        for entry in entries {
            reader.know_auth(&entry.key, entry.key_span);
            if !is_name(&entry.key) {
                reader
                    .error(entry.key_span, format!("`{}` cannot name an authenticator", shorten(&entry.key)))
                    .help("a name begins with a letter and holds letters, digits, `_`, `-` and `.`; `none` stands for nobody asked");
            }
            authenticators.extend(Self::read(&entry.key, &entry.value, reader));
        }
        authenticators
    }

    fn read(name: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &AUTHENTICATOR, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let kinds = AUTHENTICATOR.names().filter_map(|kind| Some((kind, fields.get(kind)?)));
        let kinds: Vec<_> = kinds.map(|(kind, node)| AuthKind::read(kind, node, reader)).collect();
        let kind = kinds.into_iter().next().flatten()?;
        is_whole.then(|| Self { at: At(fields.span()), name: name.to_owned(), kind })
    }
}

impl AuthKind {
    fn read(kind: &str, node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match kind {
            "jwt" => Jwt::read(node, reader).map(Self::Jwt),
            "api_key" => ApiKey::read(node, reader).map(Self::ApiKey),
            "mtls" => Mtls::read(node, reader).map(Self::Mtls),
            "basic" => Basic::read(node, reader).map(Self::Basic),
            _ => Introspect::read(node, reader).map(Box::new).map(Self::Introspect),
        }
    }

    /// The fields in which it tells services who calls.
    pub(crate) fn told_in(&self) -> Vec<HeaderName> {
        let claims = |claims: &Claims| claims.headers.iter().map(|(name, _)| name.value.clone()).collect();
        match self {
            Self::Jwt(jwt) => jwt.issuers.iter().flat_map(|issuer| claims(&issuer.claims)).collect::<Vec<_>>(),
            Self::Introspect(introspect) => claims(&introspect.claims),
            Self::ApiKey(ApiKey { id_header, .. })
            | Self::Mtls(Mtls { id_header, .. })
            | Self::Basic(Basic { id_header, .. }) => id_header.iter().map(|name| name.value.clone()).collect(),
        }
    }

    /// Where its callers have their roles; none for those who have no roles.
    pub(crate) fn role_claims(&self) -> Vec<&str> {
        match self {
            Self::Jwt(jwt) => jwt.issuers.iter().map(|issuer| issuer.claims.roles()).collect(),
            Self::Introspect(introspect) => vec![introspect.claims.roles()],
            Self::ApiKey(_) | Self::Mtls(_) | Self::Basic(_) => Vec::new(),
        }
    }

    /// Whether its callers can have scopes.
    pub(crate) fn gives_scopes(&self) -> bool {
        match self {
            Self::Jwt(_) | Self::Introspect(_) | Self::ApiKey(_) => true,
            Self::Mtls(Mtls { scopes, .. }) | Self::Basic(Basic { scopes, .. }) => !scopes.is_empty(),
        }
    }
}

const ID_HEADER: Key = Key::new(
    "id_header",
    Shape::HeaderName,
    "The header in which services are told who calls. It is removed from what clients send, on every route of the file.",
    "x-caller",
);

const SCOPES: Key = Key::new(
    "scopes",
    Shape::List(&Shape::Scope),
    "The scopes that all who come by it have.",
    "[telemetry:write]",
);

/// Scopes, each a word.
fn scopes(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let nodes = reader.list(node, "a list of scopes");
    let read: Vec<_> = nodes.iter().map(|node| scope(node, reader)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|scopes| !scopes.is_empty())
}

/// A scope (RFC 6749, section 3.3).
fn scope(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text(node, "a scope")?;
    let is_allowed = |character: char| matches!(character, '!' | '#'..='[' | ']'..='~');
    if text.is_empty() || !text.chars().all(is_allowed) {
        reader
            .error(node.span, format!("`{}` is not a scope", shorten(text)))
            .help("a scope is one word: `payments:write`; several are a list: `[orders:read, orders:write]`");
        return None;
    }
    Some(text.to_owned())
}

/// Texts, each a list's item.
fn texts(node: &Node, what: &str, item: &str, reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let nodes = reader.list(node, what);
    let read: Vec<_> = nodes.iter().map(|node| reader.text(node, item).map(str::to_owned)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty())
}

/// The name of an issuer, as its tokens have it.
fn issuer_name(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let name = reader.spanned_text(node, "the name of an issuer")?;
    if name.value.is_empty() {
        reader
            .error(node.span, "the name of an issuer is empty")
            .help("write what its tokens have as `iss`, to the letter: `https://id.example.com/`");
        return None;
    }
    Some(name)
}

fn header(node: &Node, reader: &mut Reader<'_>) -> Option<HeaderName> {
    let text = reader.text(node, "the name of a header")?;
    headers::name(text, node.span, reader)
}
