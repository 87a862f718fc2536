use std::time::Duration;

use super::{
    Claims, Provider, TokenPlaces, issuer_name, provider, texts,
    tokens::{self, HEADERS, ROLES_CLAIM, SCOPES_CLAIM, SUBJECT_CLAIM},
};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader, Secret},
    settings::optional,
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// Opaque tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Introspect {
    pub(crate) at: At,
    pub(crate) url: Spanned<String>,
    /// The gateway's name and secret with the issuer.
    pub(crate) client: Option<(String, Secret)>,
    pub(crate) provider: Provider,
    /// Zero for not at all.
    pub(crate) cache: Option<Duration>,
    pub(crate) issuer: Option<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) claims: Claims,
    pub(crate) places: TokenPlaces,
}

pub(super) static INTROSPECT: Section = Section {
    title: "`introspect`",
    name: "introspect",
    about: "Opaque tokens in `Authorization: Bearer`, about which their issuer is asked (RFC 7662).",
    keys: &[
        Key::new("url", Shape::Url, "Where the issuer is asked.", "https://id.example.com/introspect"),
        Key::new("client", Shape::Text, "The gateway's own name with the issuer.", "gateway"),
        Key::new("secret", Shape::Secret, "The gateway's own secret with the issuer.", "\"file:introspect.secret\""),
        Key::new(
            "cache",
            Shape::Any(&[Shape::Duration, Shape::Off]),
            "How long an answer is believed, and so how long a token goes on that was revoked; in whole seconds. It never outlives \
             its `exp`.",
            "10s",
        )
        .absent("1m"),
        Key::new("issuer", Shape::Text, "The only issuer (`iss`) whose tokens are taken.", "https://id.example.com/")
            .absent("any"),
        Key::new("audiences", Shape::List(&Shape::Text), "One of these has to be in `aud`.", "[api]")
            .absent("the issuer judges whom a token is for"),
        SUBJECT_CLAIM,
        SCOPES_CLAIM.absent("`scope`"),
        ROLES_CLAIM,
        HEADERS,
        provider::CA,
        provider::TIMEOUT,
        provider::CLEARTEXT,
        tokens::HEADER,
        tokens::COOKIE,
        tokens::QUERY,
        tokens::FORWARD_TOKEN,
        tokens::REALM,
        tokens::MAX_CACHED,
    ],
    rules: &[Rule::Required("url"), Rule::Together("client", "secret")],
    smallest: "{url: \"https://id.example.com/introspect\", client: gateway, secret: \"file:introspect.secret\"}",
    later: &[],
    aliases: &[
        ("endpoint", "url"),
        ("client_id", "client"),
        ("client_secret", "secret"),
        ("ttl", "cache"),
        ("audience", "audiences"),
        ("aud", "audiences"),
        ("iss", "issuer"),
        ("scope_claim", "scopes_claim"),
        ("role_claim", "roles_claim"),
    ],
};

impl Introspect {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &INTROSPECT, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let url = fields.get("url").map(|node| reader.url(node));
        let client = fields.get("client").map(|node| reader.text(node, "a name").map(str::to_owned));
        let secret = fields.get("secret").map(|node| reader.hidden_secret(node, "a secret"));
        let provider = Provider::read(&fields, reader);
        let cache = fields.get("cache").map(|node| reader.duration_or_off(node).map(Option::unwrap_or_default));
        let issuer = fields.get("issuer").map(|node| issuer_name(node, reader).map(|name| name.value));
        let audiences =
            fields.get("audiences").map(|node| texts(node, "a list of audiences", "an audience", reader));
        let claims = Claims::read(&fields, reader);
        let places = TokenPlaces::read(&fields, reader);
        let read = Self {
            at: At(fields.span()),
            url: optional(url)??,
            client: optional(client)?.zip(optional(secret)?),
            provider: provider?,
            cache: optional(cache)?,
            issuer: optional(issuer)?,
            audiences: optional(audiences)?.unwrap_or_default(),
            claims: claims?,
            places: places?,
        };
        is_whole.then_some(read)
    }
}
