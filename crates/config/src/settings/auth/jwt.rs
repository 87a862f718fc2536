use std::{path::PathBuf, time::Duration};

use gatewright_auth::Algorithm;

use super::{
    Claims, Provider, TokenPlaces, claim, issuer_name, provider, texts,
    tokens::{self, HEADERS, ROLES_CLAIM, SCOPES_CLAIM, SUBJECT_CLAIM},
};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader, Secret},
    settings::optional,
    syntax::{Kind, Node},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Signed tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Jwt {
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) places: TokenPlaces,
    pub(crate) max_size: Option<usize>,
}

/// One issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Issuer {
    pub(crate) at: At,
    /// `None` for any.
    pub(crate) name: Option<Spanned<String>>,
    /// `None` for any.
    pub(crate) audiences: Option<Vec<String>>,
    pub(crate) keys: KeySource,
    pub(crate) provider: Provider,
    pub(crate) algorithms: Option<Spanned<Vec<Algorithm>>>,
    pub(crate) types: Vec<String>,
    pub(crate) leeway: Option<Spanned<Duration>>,
    pub(crate) max_age: Option<Duration>,
    /// Claims, each with the values of which it has to hold one, if there are any.
    pub(crate) required: Vec<(String, Vec<String>)>,
    pub(crate) claims: Claims,
}

/// Where the keys of an issuer come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum KeySource {
    Url(Spanned<String>),
    Discovery(Spanned<String>),
    File(Spanned<PathBuf>),
    PublicKey(Spanned<PathBuf>),
    Secret(Spanned<Secret>),
}

/// Where an issuer's keys come from, each by its key.
const SOURCES: [&str; 5] = ["jwks_url", "oidc", "jwks_file", "public_key", "secret"];

const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384",
    "HS512",
];

const ISSUER_KEY: Key = Key::new(
    "issuer",
    Shape::Text,
    "Whose tokens these are: their `iss`, letter by letter. `any` takes those of all who have a key.",
    "https://id.example.com/",
)
.absent("what `oidc` says");

const AUDIENCES: Key = Key::new(
    "audiences",
    Shape::List(&Shape::Text),
    "For whom the tokens are: one of these is in their `aud`. `any` takes tokens that were made for others too.",
    "[api]",
);

const JWKS_URL: Key = Key::new(
    "jwks_url",
    Shape::Url,
    "Where the issuer publishes its keys. They are fetched again when they age or a token names one that is not known, and go on \
     while the provider is away.",
    "https://id.example.com/jwks.json",
);

const OIDC: Key = Key::new(
    "oidc",
    Shape::Url,
    "The URL of an OpenID Connect provider, which says itself where its keys are.",
    "https://id.example.com/",
);

const JWKS_FILE: Key = Key::new(
    "jwks_file",
    Shape::File,
    "A file with the keys (a JSON Web Key Set). It is read again by itself when it changes, and a mistake in it then leaves the \
     keys as they were. Keys with another `use` than `sig`, with `key_ops` that have no `verify`, or whose first certificate (`x5c`) is \
     another key's, are left out; `x5u`, `x5t` and what else certificates say is ignored.",
    "jwks.json",
);

const PUBLIC_KEY: Key = Key::new(
    "public_key",
    Shape::File,
    "A file with one public key, in PEM (`BEGIN PUBLIC KEY`). Of an RSA key, `algorithms` says what it is for.",
    "issuer.pem",
);

const SECRET: Key = Key::new(
    "secret",
    Shape::Secret,
    "A secret that is shared with the issuer. Whoever knows it can make tokens.",
    "\"file:jwt.secret\"",
);

const ALGORITHMS_KEY: Key = Key::new(
    "algorithms",
    Shape::List(&Shape::Word(&ALGORITHMS)),
    "The algorithms that are allowed. A key is for the one that it names (`alg`) or that of its curve, whatever a token says. An RSA \
     key that names none is for those of RSA in this list, one or several; without the list, for RS256.",
    "[RS256, ES256]",
)
.absent("those of the keys; HS256 of a `secret`");

const TYPES: Key = Key::new(
    "types",
    Shape::List(&Shape::Text),
    "The types (`typ`) that are allowed; tokens without one are then refused.",
    "[at+jwt]",
)
.absent("`JWT`, `at+jwt` or none");

const LEEWAY: Key = Key::new(
    "leeway",
    Shape::Any(&[Shape::Duration, Shape::Off]),
    "How far the issuer's clock may be off, in whole seconds; 60s at most, with a warning above 10s.",
    "2s",
)
.absent("5s");

const MAX_AGE: Key = Key::new(
    "max_age",
    Shape::Duration,
    "How long after its issue a token is taken at most. One that does not say when it was issued is refused then.",
    "1h",
)
.absent("until it expires");

const REQUIRED_CLAIMS: Key = Key::new(
    "required_claims",
    Shape::Any(&[Shape::List(&Shape::Text), Shape::Named(&Shape::Text, &Shape::List(&Shape::Text))]),
    "Claims without which a token is no good (401): a list, or a map to the values of which each has to hold one. Dots lead into \
     objects; a JSON pointer (`/realm_access/roles/0`, RFC 6901) begins with a slash.",
    "{tenant: [t1, t2], email_verified: true}",
);

pub(super) static JWT: Section = Section {
    title: "`jwt`",
    name: "jwt",
    about: "JSON Web Tokens in `Authorization: Bearer`, signed by keys of their issuer. Issuer, audience, subject and expiry are \
            required of each.",
    keys: &[
        ISSUER_KEY,
        AUDIENCES,
        JWKS_URL,
        OIDC,
        JWKS_FILE,
        PUBLIC_KEY,
        SECRET,
        Key::new(
            "issuers",
            Shape::List(&Shape::Map(&ISSUER)),
            "Several issuers, each with its own keys and settings. A token is verified by the one that it names.",
            "[{oidc: \"https://login.example.com/\", audiences: [api]}, {issuer: tests, audiences: [api], secret: \"file:jwt.secret\"}]",
        ),
        ALGORITHMS_KEY,
        TYPES,
        LEEWAY,
        MAX_AGE,
        REQUIRED_CLAIMS,
        SUBJECT_CLAIM,
        SCOPES_CLAIM.absent("`scope` and `scp`"),
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
        Key::new("max_size", Shape::Size, "The largest token that is looked at.", "4KiB").absent("8KiB"),
    ],
    rules: &[
        Rule::AtLeastOne(&["issuer", "oidc", "issuers"]),
        Rule::AtLeastOne(&["audiences", "issuers"]),
        Rule::ExactlyOne(&["jwks_url", "oidc", "jwks_file", "public_key", "secret", "issuers"]),
        Rule::Excludes("issuers", &OF_ISSUER),
        Rule::Excludes("jwks_file", &OF_PROVIDER),
        Rule::Excludes("public_key", &OF_PROVIDER),
        Rule::Excludes("secret", &OF_PROVIDER),
    ],
    smallest: "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}",
    later: &[],
    aliases: ALIASES,
};

static ISSUER: Section = Section {
    title: "a token issuer",
    name: "jwt_issuer",
    about: "One issuer of several.",
    keys: &[
        ISSUER_KEY,
        AUDIENCES,
        JWKS_URL,
        OIDC,
        JWKS_FILE,
        PUBLIC_KEY,
        SECRET,
        ALGORITHMS_KEY,
        TYPES,
        LEEWAY,
        MAX_AGE,
        REQUIRED_CLAIMS,
        SUBJECT_CLAIM,
        SCOPES_CLAIM.absent("`scope` and `scp`"),
        ROLES_CLAIM,
        HEADERS,
        provider::CA,
        provider::TIMEOUT,
        provider::CLEARTEXT,
    ],
    rules: &[
        Rule::AtLeastOne(&["issuer", "oidc"]),
        Rule::Required("audiences"),
        Rule::ExactlyOne(&SOURCES),
        Rule::Excludes("jwks_file", &OF_PROVIDER),
        Rule::Excludes("public_key", &OF_PROVIDER),
        Rule::Excludes("secret", &OF_PROVIDER),
    ],
    smallest: "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}",
    later: &[],
    aliases: ALIASES,
};

/// What an issuer says itself, when there are several.
const OF_ISSUER: [&str; 14] = [
    "issuer",
    "audiences",
    "algorithms",
    "types",
    "leeway",
    "max_age",
    "required_claims",
    "subject_claim",
    "scopes_claim",
    "roles_claim",
    "headers",
    "ca",
    "timeout",
    "cleartext",
];

/// What is for keys that are fetched.
const OF_PROVIDER: [&str; 3] = ["ca", "timeout", "cleartext"];

const ALIASES: &[(&str, &str)] = &[
    ("iss", "issuer"),
    ("aud", "audiences"),
    ("audience", "audiences"),
    ("jwks", "jwks_url"),
    ("jwks_uri", "jwks_url"),
    ("discovery", "oidc"),
    ("alg", "algorithms"),
    ("algorithm", "algorithms"),
    ("pem", "public_key"),
    ("key", "public_key"),
    ("shared_secret", "secret"),
    ("claims_to_headers", "headers"),
    ("claim_headers", "headers"),
    ("clock_skew", "leeway"),
    ("required", "required_claims"),
    ("claims", "required_claims"),
    ("sub", "subject_claim"),
    ("scope_claim", "scopes_claim"),
    ("role_claim", "roles_claim"),
];

impl Jwt {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &JWT, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let places = TokenPlaces::read(&fields, reader);
        let max_size = fields.get("max_size").map(|node| reader.size(node));
        let issuers = match fields.entry("issuers") {
            Some(entry) => {
                let items = reader.items(entry, "a list of issuers", &ISSUER);
                let read: Vec<_> = items.iter().map(|item| Issuer::read_one(item.node, reader)).collect();
                read.into_iter().collect::<Option<Vec<_>>>().filter(|issuers| !issuers.is_empty())
            }
            None => Issuer::read(&fields, reader).map(|issuer| vec![issuer]),
        };
        let (issuers, places, max_size) = (issuers?, places?, optional(max_size)?);
        is_whole.then_some(Self { issuers, places, max_size })
    }
}

impl Issuer {
    fn read_one(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &ISSUER, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        Self::read(&fields, reader).filter(|_| is_whole)
    }

    /// Of a section that holds the keys of an issuer.
    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let name = fields.get("issuer").map(|node| issuer_name(node, reader));
        let audiences = fields.get("audiences").map(|node| match &node.kind {
            Kind::Scalar(text) if text == "any" => Some(None),
            _ => texts(node, "a list of audiences", "an audience", reader).map(Some),
        });
        let keys = KeySource::read(fields, reader);
        let provider = Provider::read(fields, reader);
        let algorithms = fields
            .get("algorithms")
            .map(|node| algorithms(node, reader).map(|algorithms| Spanned::new(algorithms, node.span)));
        let types = fields.get("types").map(|node| texts(node, "a list of types", "a type", reader));
        let leeway = fields.get("leeway").map(|node| {
            let leeway = reader.duration_or_off(node)?;
            Some(Spanned::new(leeway.unwrap_or(Duration::ZERO), node.span))
        });
        let max_age = fields.get("max_age").map(|node| reader.duration(node));
        let required = fields.get("required_claims").map(|node| required(node, reader));
        let claims = Claims::read(fields, reader);
        let keys = keys?;
        let name = match (optional(name)?, &keys) {
            (Some(name), _) if name.value == "any" => None,
            (None, KeySource::Discovery(url)) => Some(url.clone()),
            // That there is one was looked at with the rules.
            (None, _) => return None,
            (name, _) => name,
        };
        Some(Self {
            at: At(fields.span()),
            name,
            audiences: optional(audiences)??,
            keys,
            provider: provider?,
            algorithms: optional(algorithms)?,
            types: optional(types)?.unwrap_or_default(),
            leeway: optional(leeway)?,
            max_age: optional(max_age)?,
            required: optional(required)?.unwrap_or_default(),
            claims: claims?,
        })
    }
}

impl KeySource {
    fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut sources =
            SOURCES.iter().filter_map(|key| Some((*key, fields.get(key)?))).map(|(key, node)| match key {
                "jwks_url" => reader.url(node).map(Self::Url),
                "oidc" => reader.issuer_url(node).map(Self::Discovery),
                "jwks_file" => reader.file(node).map(Self::File),
                "public_key" => reader.file(node).map(Self::PublicKey),
                _ => reader
                    .hidden_secret(node, "a secret")
                    .map(|secret| Self::Secret(Spanned::new(secret, node.span))),
            });
        // Where there are several, which is an error, each is looked at.
        let first = sources.next()?;
        sources.for_each(drop);
        first
    }
}

fn algorithms(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Algorithm>> {
    let choices: Vec<_> = ALGORITHMS.iter().filter_map(|name| Some((*name, name.parse().ok()?))).collect();
    let nodes = reader.list(node, "a list of algorithms");
    let read: Vec<_> =
        nodes.iter().map(|node| reader.choice(node, "an algorithm of tokens", &choices)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().filter(|algorithms| !algorithms.is_empty())
}

fn required(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<(String, Vec<String>)>> {
    let Kind::Map(entries) = &node.kind else {
        let nodes = reader.list(node, "claims, with or without their values");
        let names: Vec<_> = nodes.iter().map(|node| Some((claim::read(node, reader)?, Vec::new()))).collect();
        return names.into_iter().collect::<Option<Vec<_>>>().filter(|names| !names.is_empty());
    };
    let value = |entry: &crate::syntax::Entry, reader: &mut Reader<'_>| {
        let is_name = claim::check(&entry.key, entry.key_span, reader);
        let values = texts(&entry.value, "a list of values", "a value", reader);
        Some((entry.key.clone(), values.filter(|_| is_name)?))
    };
    let read: Vec<_> = entries.iter().map(|entry| value(entry, reader)).collect();
    read.into_iter().collect()
}
