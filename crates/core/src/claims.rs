//! What only the gateway may say of a client: header fields in which it tells services who calls and from where.
//!
//! No list of such fields is whole: services behind the gateway should take these things from fields that a layer here
//! sets, and from those alone.
//!
//! 1. Identity fields (`X-Forwarded-User`, `X-Forwarded-Client-Cert`, `X-User-Id`, …) are removed whoever sends them.
//! 2. Forwarding fields (`Forwarded`, `X-Forwarded-*`, `X-Real-IP`, …) are removed unless a trusted proxy sends them.
//! 3. `_`, `.` and every other character of a name count as `-`, because CGI and its heirs read `X_User_Id` as
//!    `X-User-Id`.
//! 4. Trailers may claim nothing, whoever sends them, nor [override the method](method_override), and hold no name of other
//!    characters than letters, digits and hyphens.

use http::HeaderMap;

use crate::method_override;

/// What a header field claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// Who calls.
    Identity,
    /// From where, over which hops.
    Forwarding,
}

/// Removes the claims that the sender of these headers may not make.
pub fn remove(headers: &mut HeaderMap, trusted: bool) {
    remove_where(headers, |name| match claim(name) {
        Some(Claim::Identity) => true,
        Some(Claim::Forwarding) => !trusted,
        None => false,
    });
}

/// Removes what the sender of these headers says of the hops before it. What is said of who calls stays: a layer has
/// looked after that already, and may have said it itself.
pub fn remove_forwarding(headers: &mut HeaderMap) {
    remove_where(headers, |name| claim(name) == Some(Claim::Forwarding));
}

/// Removes every claim from a request's trailer section, what overrides its method, and names that could be read as
/// another.
pub fn remove_from_trailers(trailers: &mut HeaderMap) {
    remove_where(trailers, |name| {
        claim(name).is_some() || method_override::is_one(name) || name.bytes().any(is_read_as_hyphen)
    });
}

/// Whether some servers take this character of a name for a hyphen.
pub(crate) fn is_read_as_hyphen(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'-'
}

fn remove_where(headers: &mut HeaderMap, forbidden: impl Fn(&str) -> bool) {
    // Nearly every request is clean, and then nothing is allocated.
    while let Some(name) = headers.keys().find(|name| forbidden(name.as_str())) {
        let name = name.clone();
        headers.remove(name);
    }
}

/// The name is in lower case, as `http` keeps it.
fn claim(name: &str) -> Option<Claim> {
    // Most names are told by their first letter, and not looked at.
    if !matches!(name.as_bytes(), [b'c' | b'f' | b'p' | b'r' | b's' | b't' | b'w' | b'x', ..]) {
        None
    } else if name.bytes().any(is_read_as_hyphen) {
        plain_claim(&name.replace(|char: char| !char.is_ascii_alphanumeric(), "-"))
    } else {
        plain_claim(name)
    }
}

fn plain_claim(name: &str) -> Option<Claim> {
    if is_identity(name) || IDENTITY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some(Claim::Identity)
    } else if is_forwarding(name) || name.starts_with("x-forwarded-") {
        Some(Claim::Forwarding)
    } else {
        None
    }
}

fn is_identity(name: &str) -> bool {
    matches!(
        name,
        "client-cert"
            | "client-cert-chain"
            | "remote-email"
            | "remote-groups"
            | "remote-name"
            | "remote-user"
            | "x-anonymous-consumer"
            | "x-arr-clientcert"
            | "x-auth-user"
            | "x-authenticated-groups"
            | "x-authenticated-scope"
            | "x-authenticated-user"
            | "x-authenticated-userid"
            | "x-client-dn"
            | "x-client-verify"
            | "x-credential-identifier"
            | "x-email"
            | "x-forwarded-access-token"
            | "x-forwarded-email"
            | "x-forwarded-groups"
            | "x-forwarded-preferred-username"
            | "x-forwarded-user"
            | "x-groups"
            | "x-principal"
            | "x-remote-group"
            | "x-remote-user"
            | "x-roles"
            | "x-scopes"
            | "x-ssl-cert"
            | "x-tls-client-cert"
            | "x-token-subject"
            | "x-user"
            | "x-user-email"
            | "x-user-groups"
            | "x-user-id"
            | "x-user-name"
            | "x-user-roles"
            | "x-username"
            | "x-webauth-user"
    )
}

const IDENTITY_PREFIXES: &[&str] = &[
    "ssl-client-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-client-cert",
    "x-consumer-",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert",
    "x-goog-authenticated-user-",
    "x-goog-iap-",
    "x-jwt-",
    "x-ms-client-principal",
    "x-remote-extra-",
    "x-ssl-client-",
    "x-webauth-",
];

fn is_forwarding(name: &str) -> bool {
    matches!(
        name,
        "cf-connecting-ip"
            | "cf-connecting-ipv6"
            | "cf-pseudo-ipv4"
            | "client-ip"
            | "fastly-client-ip"
            | "fly-client-ip"
            | "forwarded"
            | "forwarded-for"
            | "front-end-https"
            | "proxy"
            | "proxy-client-ip"
            | "true-client-ip"
            | "wl-proxy-client-ip"
            | "x-appengine-user-ip"
            | "x-azure-clientip"
            | "x-azure-socketip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-envoy-external-address"
            | "x-envoy-internal"
            | "x-envoy-original-path"
            | "x-forwarded"
            | "x-host"
            | "x-http-host-override"
            | "x-original-forwarded-for"
            | "x-original-host"
            | "x-original-method"
            | "x-original-uri"
            | "x-original-url"
            | "x-originating-ip"
            | "x-proxyuser-ip"
            | "x-real-ip"
            | "x-remote-addr"
            | "x-remote-ip"
            | "x-rewrite-url"
            | "x-scheme"
            | "x-url-scheme"
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(names: &[&'static str], trusted: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(*name, HeaderValue::from_static("v"));
        }
        remove(&mut headers, trusted);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn claims_and_their_aliases_go() {
        let names = [
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_proto",
            "forwarded",
            "x.real.ip",
            "x-user-id",
            "x_user",
            "x-forwarded-client-cert",
            "ssl-client-verify",
            "x-auth-request-email",
            "x-remote-extra-scopes",
            "client-cert",
        ];
        assert!(left(&names, false).is_empty());
        let kept = left(&names, true);
        assert_eq!(kept, ["x-forwarded-for", "x_forwarded_for", "x-forwarded_proto", "forwarded", "x.real.ip"]);
    }

    #[test]
    fn what_a_layer_says_of_who_calls_stays_where_only_hops_are_looked_for() {
        let mut headers = HeaderMap::new();
        for name in ["x-user-id", "x-forwarded-client-cert", "x-forwarded-user", "x-forwarded-for", "x_real_ip"]
        {
            headers.append(name, HeaderValue::from_static("v"));
        }
        remove_forwarding(&mut headers);
        let kept: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(kept, ["x-user-id", "x-forwarded-client-cert", "x-forwarded-user"]);
    }

    #[test]
    fn trailers_hold_plain_names_without_claims() {
        let mut trailers = HeaderMap::new();
        for name in
            ["x-sum", "grpc-status", "keep_alive", "x.y", "forwarded", "x_user", "x-http-method-override"]
        {
            trailers.append(name, HeaderValue::from_static("v"));
        }
        remove_from_trailers(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum", "grpc-status"]);
    }

    #[test]
    fn other_fields_stay() {
        let names =
            ["accept", "cookie", "x-api-key", "x-user-agent-hint", "x-userland", "user-agent", "x-request-id"];
        assert_eq!(left(&names, false).len(), names.len());
    }
}
