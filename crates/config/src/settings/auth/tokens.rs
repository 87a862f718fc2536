//! What signed and opaque tokens have in common: where they stand, and what is made of their claims.

use http::HeaderName;

use super::claim;
use crate::{
    diagnostics::Spanned,
    read::{Fields, Reader},
    settings::{headers, optional},
    syntax::{Kind, Node},
    vocabulary::{Key, Shape},
};

/// Where tokens stand in a request, beside `Authorization`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct TokenPlaces {
    pub(crate) header: Option<Spanned<HeaderName>>,
    pub(crate) cookie: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) forward: bool,
    pub(crate) realm: Option<String>,
    pub(crate) max_cached: Option<usize>,
}

/// What is made of a token's claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Claims {
    pub(crate) subject: Option<String>,
    pub(crate) scopes: Option<String>,
    pub(crate) roles: Option<String>,
    /// Which header tells the service of which claim.
    pub(crate) headers: Vec<(Spanned<HeaderName>, String)>,
}

pub(super) const HEADER: Key =
    Key::new("header", Shape::HeaderName, "A header that may hold the token too, and nothing else.", "x-token");

pub(super) const COOKIE: Key = Key::new(
    "cookie",
    Shape::Text,
    "A cookie that may hold the token too. Browsers send cookies by themselves: guard against forged requests.",
    "session",
);

pub(super) const QUERY: Key = Key::new(
    "query",
    Shape::Text,
    "A query parameter that may hold the token too. It never goes on to the service.",
    "access_token",
);

pub(super) const FORWARD_TOKEN: Key = Key::new(
    "forward_token",
    Shape::Flag,
    "Whether the service gets the token, with which it can do whatever the caller could.",
    "on",
)
.absent("`off`");

pub(super) const REALM: Key = Key::new("realm", Shape::Text, "The realm that challenges name.", "orders");

pub(super) const MAX_CACHED: Key = Key::new(
    "max_cached",
    Shape::Number(0, MOST_CACHED),
    "How many tokens that were found good are remembered.",
    "20000",
)
.absent("8192");

pub(super) const SUBJECT_CLAIM: Key = Key::new(
    "subject_claim",
    Shape::Text,
    "The claim that says who calls. A token without it is refused.",
    "client_id",
)
.absent("`sub`");

pub(super) const SCOPES_CLAIM: Key = Key::new(
    "scopes_claim",
    Shape::Text,
    "The claim that holds the scopes, a list or a text with spaces between them.",
    "permissions",
);

pub(super) const ROLES_CLAIM: Key = Key::new(
    "roles_claim",
    Shape::Text,
    "The claim that holds the roles, a text or a list. Dots lead into objects, and a JSON pointer (`/realm_access/roles`) anywhere, as in \
     all names of claims.",
    "realm_access.roles",
)
.absent("`roles`");

pub(super) const HEADERS: Key = Key::new(
    "headers",
    Shape::Named(&Shape::HeaderName, &Shape::Text),
    "Headers in which services are told of claims. They are removed from what clients send, on every route of the file.",
    "{x-user-id: sub, x-tenant: org.id}",
);

const MOST_CACHED: i64 = 1_000_000;

impl TokenPlaces {
    pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let header = fields
            .get("header")
            .map(|node| super::header(node, reader).map(|name| Spanned::new(name, node.span)));
        let mut text = |key: &str| fields.get(key).map(|node| reader.text(node, "a name").map(str::to_owned));
        let [cookie, query, realm] = ["cookie", "query", "realm"].map(&mut text);
        let forward = fields.get("forward_token").map(|node| reader.flag(node));
        let max_cached = fields
            .get("max_cached")
            .map(|node| reader.number(node, 0..=MOST_CACHED).and_then(|number| usize::try_from(number).ok()));
        Some(Self {
            header: optional(header)?,
            cookie: optional(cookie)?,
            query: optional(query)?,
            forward: optional(forward)?.unwrap_or_default(),
            realm: optional(realm)?,
            max_cached: optional(max_cached)?,
        })
    }
}

impl Claims {
    pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut text = |key: &str| fields.get(key).map(|node| claim::read(node, reader));
        let [subject, scopes, roles] = ["subject_claim", "scopes_claim", "roles_claim"].map(&mut text);
        let headers = fields.get("headers").map(|node| told(node, reader));
        Some(Self {
            subject: optional(subject)?,
            scopes: optional(scopes)?,
            roles: optional(roles)?,
            headers: optional(headers)?.unwrap_or_default(),
        })
    }

    /// The claim that holds the roles.
    pub(crate) fn roles(&self) -> &str {
        self.roles.as_deref().unwrap_or("roles")
    }
}

/// A map from headers to claims.
fn told(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<(Spanned<HeaderName>, String)>> {
    let Kind::Map(entries) = &node.kind else {
        if !matches!(node.kind, Kind::Invalid) {
            reader
                .error(node.span, format!("expected headers with their claims, found {}", node.describe()))
                .help("write a map: `{x-user-id: sub}`");
        }
        return None;
    };
    let mut told = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = headers::name(&entry.key, entry.key_span, reader);
        let claim = claim::read(&entry.value, reader);
        told.push(name.map(|name| Spanned::new(name, entry.key_span)).zip(claim));
    }
    told.into_iter().collect()
}
