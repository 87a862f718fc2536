use super::{Claims, IssuerName, Provider, TokenPlaces};
use crate::{
    diagnostics::At,
    read::{DurationOrOff, HiddenSecret, Secret, Url},
    vocabulary::{Relation, Rule, map},
};

map! {
    /// Opaque tokens in `Authorization: Bearer`, about which their issuer is asked (RFC 7662).
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Introspect {
        title: "`introspect`";
        name: "introspect";
        smallest: "{url: \"https://id.example.com/introspect\", client: gateway, secret: \"file:introspect.secret\"}";
        rules: [Rule::new(Relation::Together("client", "secret"))];
        also { at: At }
        groups { claims: Claims, provider: Provider, places: TokenPlaces }

        /// Where the issuer is asked.
        url: required Url, "https://id.example.com/introspect", alias ["endpoint"];
        /// The gateway's own name with the issuer.
        client: optional String, "gateway", alias ["client_id"];
        /// The gateway's own secret with the issuer.
        secret: optional HiddenSecret, "\"file:introspect.secret\"", alias ["client_secret"];
        /// How long an answer is believed, in whole seconds, and so how long a revoked token is still taken. An answer never
        /// outlives the token's `exp`.
        cache: optional DurationOrOff, "10s", absent "1m", alias ["ttl"];
        /// The only issuer (`iss`) whose tokens are taken.
        issuer: optional IssuerName, "https://id.example.com/", absent "any", alias ["iss"];
        /// One of these has to be in `aud`.
        audiences: default Vec<String>, "[api]", absent "the issuer judges whom a token is for", alias ["audience", "aud"];
    }
}

impl Introspect {
    /// The gateway's name and secret with the issuer.
    pub(crate) fn client(&self) -> Option<(&str, &Secret)> {
        self.client.as_deref().zip(self.secret.as_ref())
    }
}
