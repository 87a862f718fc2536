use std::{path::PathBuf, time::Duration};

use gatewright_auth::Algorithm;

use super::{Claims, IssuerName, Provider, TokenPlaces, claim::ClaimName};
use crate::{
    diagnostics::{At, Spanned},
    read::{DurationOrOff, Fields, HiddenSecret, Keys, Named, Reader, Secret, Size, Url, Value, value},
    syntax::{Kind, Node},
    vocabulary::{Relation, Rule, Shape, Table, choice, group, map},
};

map! {
    /// JSON Web Tokens in `Authorization: Bearer`, signed by keys of their issuer. Issuer, audience, subject and expiry are required
    /// of each.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Jwt {
        title: "`jwt`";
        name: "jwt";
        smallest: "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["issuer", "oidc", "issuers"])),
            Rule::new(Relation::AtLeastOne(&["audiences", "issuers"])),
            Rule::new(Relation::ExactlyOne(&["jwks_url", "oidc", "jwks_file", "public_key", "secret", "issuers"])),
            Rule::new(Relation::Excludes("issuers", &[
                "issuer", "audiences", "algorithms", "types", "leeway", "max_age", "required_claims",
                "subject_claim", "scopes_claim", "roles_claim", "headers", "ca", "timeout", "cleartext",
            ])).surplus("each of `issuers` says it for itself"),
            NO_PROVIDER[0],
            NO_PROVIDER[1],
            NO_PROVIDER[2],
        ];
        first { issuers: Vec<Issuer> }
        groups { places: TokenPlaces }

        /// The largest token that is looked at.
        max_size: optional Size, "4KiB", absent "8KiB";
    }
}

map! {
    /// One issuer of several.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Issuer {
        title: "a token issuer";
        name: "jwt_issuer";
        smallest: "{issuer: \"https://id.example.com/\", audiences: [api], jwks_url: \"https://id.example.com/jwks.json\"}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["issuer", "oidc"])),
            Rule::new(Relation::AtLeastOne(&["audiences"])),
            Rule::new(Relation::ExactlyOne(&["jwks_url", "oidc", "jwks_file", "public_key", "secret"])),
            NO_PROVIDER[0],
            NO_PROVIDER[1],
            NO_PROVIDER[2],
        ];
        also { at: At }
        groups { keys: KeySource, provider: Provider, claims: Claims }

        /// Whose tokens these are: their `iss`, letter by letter. `any` takes the tokens of all who have a key.
        issuer: optional IssuerName, "https://id.example.com/", absent "what `oidc` says", alias ["iss"];
        /// For whom the tokens are: one of these is in their `aud`. `any` takes tokens that were made for others too.
        audiences: default Audiences = Some(Vec::new()), "[api]", alias ["aud", "audience"];
        /// The algorithms that are allowed. A key is for the algorithm that it names (`alg`) or for that of its curve, whatever a
        /// token says. An RSA key that names none is for the RSA algorithms of this list; without the list, for RS256.
        algorithms: optional Spanned<Vec<AlgorithmName>>, "[RS256, ES256]", absent "those of the keys; HS256 of a `secret`",
            alias ["alg", "algorithm"];
        /// The types (`typ`) that are allowed; tokens without a type are then refused.
        types: default Vec<String>, "[at+jwt]", absent "`JWT`, `at+jwt` or none";
        /// How far the issuer's clock may be off, in whole seconds; 60s at most, with a warning above 10s.
        leeway: optional Spanned<DurationOrOff>, "2s", absent "5s", alias ["clock_skew"];
        /// How long after its issue a token is taken at most. A token that does not say when it was issued is then refused.
        max_age: optional Duration, "1h", absent "until it expires";
        /// Claims that a token needs, or else it is refused (401): a list, or a map to values, of which each claim has to hold one.
        /// Dots lead into objects; a JSON pointer (`/realm_access/roles/0`, RFC 6901) begins with a slash.
        required("required_claims"): default RequiredClaims, "{tenant: [t1, t2], email_verified: true}",
            alias ["required", "claims"];
    }
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

group! {
    /// The keys of which an issuer has one.
    #[derive(Debug)]
    pub(crate) struct KeySources {
        /// Where the issuer publishes its keys. The gateway fetches them again when they age or a token names a key that is not
        /// known; while the provider cannot be reached, it goes on with those that it has.
        jwks_url: optional Url, "https://id.example.com/jwks.json", alias ["jwks", "jwks_uri"];
        /// The URL of an OpenID Connect provider, which says itself where its keys are.
        oidc: optional IssuerUrl, "https://id.example.com/", alias ["discovery"];
        /// A file with the keys (a JSON Web Key Set). The gateway reads it again when it changes, and a mistake in it then leaves the
        /// keys as they were. Three kinds of keys are left out: those with another `use` than `sig`, those with `key_ops` without
        /// `verify`, and those whose first certificate (`x5c`) is another key's. `x5u`, `x5t` and what else certificates say is
        /// ignored.
        jwks_file: optional PathBuf, "jwks.json";
        /// A file with one public key, in PEM (`BEGIN PUBLIC KEY`). For an RSA key, `algorithms` says what it is for.
        public_key: optional PathBuf, "issuer.pem", alias ["pem", "key"];
        /// A secret that is shared with the issuer. Whoever knows it can make tokens.
        secret: optional Spanned<HiddenSecret>, "\"file:jwt.secret\"", alias ["shared_secret"];
    }
}

group! {
    /// Several issuers in place of one.
    #[derive(Debug)]
    pub(crate) struct Issuers {
        /// Several issuers, each with its own keys and settings. A token is verified by the issuer that it names.
        issuers: default Vec<Issuer>, "[{oidc: \"https://login.example.com/\", audiences: [api]}, {issuer: tests, audiences: [api], secret: \"file:jwt.secret\"}]";
    }
}

/// The provider's keys are for keys that are fetched.
const NO_PROVIDER: [Rule; 3] =
    [without_provider("jwks_file"), without_provider("public_key"), without_provider("secret")];

const fn without_provider(source: &'static str) -> Rule {
    Rule::new(Relation::Excludes(source, &["ca", "timeout", "cleartext"]))
        .surplus("remove it: it is for keys that are fetched, with `jwks_url` or `oidc`")
}

impl Keys for Vec<Issuer> {
    const TABLE: &'static Table = &Table { first: &[Issuer::TABLE], keys: Issuers::TABLE.keys, groups: &[] };

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        match fields.get("issuers") {
            Some(_) => Issuers::of(fields, reader).map(|several| several.issuers),
            None => Issuer::of(fields, reader).map(|issuer| vec![issuer]),
        }
    }
}

impl Issuer {
    /// The name of the issuer; `None` for any.
    pub(crate) fn name(&self) -> Option<&Spanned<String>> {
        match (&self.issuer, &self.keys) {
            (Some(name), _) => Some(name).filter(|name| name.value != "any"),
            (None, KeySource::Discovery(url)) => Some(url),
            (None, _) => None,
        }
    }
}

impl Keys for KeySource {
    const TABLE: &'static Table = KeySources::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let KeySources { jwks_url, oidc, jwks_file, public_key, secret } = KeySources::of(fields, reader)?;
        jwks_url
            .map(Self::Url)
            .or(oidc.map(Self::Discovery))
            .or(jwks_file.map(Self::File))
            .or(public_key.map(Self::PublicKey))
            .or(secret.map(Self::Secret))
    }
}

/// The URL of an OpenID Connect provider.
pub(crate) struct IssuerUrl;

value! {
    IssuerUrl: Spanned<String> = Shape::Url, |node, reader| reader.issuer_url(node);
}

/// Audiences; `None` for any.
pub(crate) struct Audiences;

impl Value for Audiences {
    type Kept = Option<Vec<String>>;
    const SHAPE: Shape = Vec::<String>::SHAPE;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        match &node.kind {
            Kind::Scalar(text) if text == "any" => Some(None),
            _ => Vec::<String>::read(node, reader).map(Some),
        }
    }
}

choice! {
    /// The name of an algorithm for signatures.
    pub(crate) struct AlgorithmName, "an algorithm of tokens": Algorithm {
        "RS256" => Algorithm::Rs256,
        "RS384" => Algorithm::Rs384,
        "RS512" => Algorithm::Rs512,
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        "ES512" => Algorithm::Es512,
        "EdDSA" => Algorithm::EdDsa,
        "HS256" => Algorithm::Hs256,
        "HS384" => Algorithm::Hs384,
        "HS512" => Algorithm::Hs512,
    }
}

/// Claims, each with the values of which it has to hold one, if there are any.
pub(crate) struct RequiredClaims;

impl Value for RequiredClaims {
    type Kept = Vec<(String, Vec<String>)>;
    const SHAPE: Shape = Shape::Any(&[Vec::<ClaimName>::SHAPE, Named::<ClaimName, Vec<String>>::SHAPE]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        match &node.kind {
            Kind::Map(_) => Named::<ClaimName, Vec<String>>::read(node, reader),
            _ => {
                let names = Vec::<ClaimName>::read(node, reader)?;
                Some(names.into_iter().map(|name| (name, Vec::new())).collect())
            }
        }
    }
}
