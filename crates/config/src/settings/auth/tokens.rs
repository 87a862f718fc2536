//! What signed and opaque tokens have in common: where they stand, and what is made of their claims.

use http::HeaderName;

use super::claim::ClaimName;
use crate::{
    diagnostics::Spanned,
    read::{Named, Number},
    vocabulary::group,
};

group! {
    /// Where tokens stand in a request, beside `Authorization`.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct TokenPlaces {
        /// A header that may hold the token too, and nothing else.
        header: optional Spanned<HeaderName>, "x-token";
        /// A cookie that may hold the token too. Browsers send cookies by themselves: guard against forged requests.
        cookie: optional String, "session";
        /// A query parameter that may hold the token too. It never goes on to the service.
        query: optional String, "access_token";
        /// Whether the service gets the token, with which it can do whatever the caller could.
        forward("forward_token"): default bool, "on", absent "`off`";
        /// The realm that challenges name.
        realm: optional String, "orders";
        /// How many tokens that were found good are remembered.
        max_cached: optional Number<usize, 0, 1_000_000>, "20000", absent "8192";
    }
}

impl TokenPlaces {
    /// The names of the header and of the query parameter that may hold a token.
    pub(super) fn secret_names(&self) -> Vec<&str> {
        let header = self.header.iter().map(|name| name.value.as_str());
        header.chain(self.query.iter().map(String::as_str)).collect()
    }
}

group! {
    /// What is made of a token's claims.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Claims {
        /// The claim that says who calls. A token without it is refused.
        subject("subject_claim"): optional ClaimName, "client_id", absent "`sub`", alias ["sub"];
        /// The claim that holds the scopes, a list or a text with spaces between them.
        scopes("scopes_claim"): optional ClaimName, "permissions", absent "`scope`, and in signed tokens `scp` too",
            alias ["scope_claim"];
        /// The claim that holds the roles, a text or a list. In all names of claims, dots lead into objects, and a JSON pointer
        /// (`/realm_access/roles`) leads anywhere.
        roles("roles_claim"): optional ClaimName, "realm_access.roles", absent "`roles`", alias ["role_claim"];
        /// Headers in which services are told of claims. They are removed from what clients send, on every route of the file.
        headers: default Named<Spanned<HeaderName>, ClaimName>, "{x-user-id: sub, x-tenant: org.id}",
            alias ["claims_to_headers", "claim_headers"];
    }
}

impl Claims {
    /// The claim that holds the roles.
    pub(crate) fn roles(&self) -> &str {
        self.roles.as_deref().unwrap_or("roles")
    }
}
