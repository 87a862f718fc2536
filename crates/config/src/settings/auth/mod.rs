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

pub(crate) use access::Who;
pub(crate) use api_key::ApiKey;
pub(crate) use basic::Basic;
pub(crate) use introspect::Introspect;
pub(crate) use jwt::{Issuer, Jwt, KeySource};
pub(crate) use mtls::{ForwardCertificate, Mtls};
pub(crate) use provider::Provider;
pub(crate) use tokens::{Claims, TokenPlaces};

use http::HeaderName;

use crate::{
    diagnostics::{At, Spanned},
    read::{Reader, Referent, Value},
    syntax::{Entry, Node, shorten},
    vocabulary::{Relation, Rule, Shape, map},
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

map! {
    /// One way to know who calls. What an authenticator asks for is taken out of every request that goes on.
    #[derive(Debug)]
    pub(crate) struct Kinds {
        title: "an authenticator";
        name: "authenticator";
        smallest: "{api_key: {keys_file: keys.yaml}}";
        rules: [Rule::new(Relation::ExactlyOne(&["jwt", "api_key", "mtls", "basic", "introspect"]))];
        also { at: At }

        /// By signed tokens of an identity provider.
        jwt: optional Jwt, "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}",
            alias ["oauth2", "oidc", "bearer"];
        /// By keys that `gatewright keys new` makes.
        api_key: optional ApiKey, "{keys_file: keys.yaml}", alias ["apikey", "key", "keys"];
        /// By certificates that a listener with `client_ca` has verified; `on` takes any of them.
        mtls: optional Mtls, "{san: \"spiffe://example.com/device/*\"}", alias ["client_certificate", "tls"];
        /// By user and password.
        basic: optional Basic, "{file: users.htpasswd}", alias ["basic_auth", "htpasswd"];
        /// By asking the issuer of a token about it.
        introspect: optional Introspect, "{url: \"https://id.example.com/introspect\", client: gateway, secret: \"file:introspect.secret\"}",
            alias ["introspection", "opaque"];
    }
}

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
    /// Reads an authenticator of `auth:`.
    pub(super) fn read_named(entry: &Entry, reader: &mut Reader<'_>) -> Option<Self> {
        let help = "a name begins with a letter and holds letters, digits, `_`, `-` and `.`; `none` stands for nobody asked";
        reader.define(Referent::Authenticator, entry, is_name(&entry.key), help);
        let Kinds { at, jwt, api_key, mtls, basic, introspect } = Kinds::read(&entry.value, reader)?;
        let kind = jwt
            .map(AuthKind::Jwt)
            .or(api_key.map(AuthKind::ApiKey))
            .or(mtls.map(AuthKind::Mtls))
            .or(basic.map(AuthKind::Basic))
            .or(introspect.map(|introspect| AuthKind::Introspect(Box::new(introspect))))?;
        Some(Self { at, name: entry.key.clone(), kind })
    }
}

impl AuthKind {
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

    /// The names of headers and query parameters of its own that hold credentials.
    pub(crate) fn secret_names(&self) -> Vec<&str> {
        match self {
            Self::ApiKey(key) => {
                let headers = key.headers.iter().map(HeaderName::as_str);
                headers.chain(key.queries.iter().map(String::as_str)).collect()
            }
            Self::Jwt(jwt) => jwt.places.secret_names(),
            Self::Introspect(introspect) => introspect.places.secret_names(),
            Self::Mtls(_) | Self::Basic(_) => Vec::new(),
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

/// A scope (RFC 6749, section 3.3).
pub(crate) struct Scope;

impl Value for Scope {
    type Kept = String;
    const SHAPE: Shape = Shape::Scope;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
        let text = reader.text(node, "a scope")?;
        let is_allowed = |character: char| matches!(character, '!' | '#'..='[' | ']'..='~');
        if text.is_empty() || !text.chars().all(is_allowed) {
            let help =
                "a scope is one word: `payments:write`; several are a list: `[orders:read, orders:write]`";
            reader.error(node.span, format!("`{}` is not a scope", shorten(text))).help(help);
            return None;
        }
        Some(text.to_owned())
    }
}

/// The name of an issuer, as its tokens have it.
pub(crate) struct IssuerName;

impl Value for IssuerName {
    type Kept = Spanned<String>;
    const SHAPE: Shape = Shape::Text;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let name = reader.spanned_text(node, "the name of an issuer")?;
        if name.value.is_empty() {
            reader
                .error(node.span, "the name of an issuer is empty")
                .help("write what its tokens have as `iss`, to the letter: `https://id.example.com/`");
            return None;
        }
        Some(name)
    }
}
