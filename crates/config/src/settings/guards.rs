use super::{Addresses, LimitRef, Who, limit::Limits};
use crate::{
    read::{OrOff, Size},
    vocabulary::{choice, settings},
};

settings! {
    /// Who may come to a route, and how often.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Guards {
        /// Who has to say who calls: a name of `auth`, a combination of several, or `none` for a route that everybody may use.
        /// Callers who do not say who they are get 401, or 403 where a certificate is all that is asked for.
        auth: Who, "{any: [app, partner]}", absent "routes need it when the file has an `auth` section",
            alias ["authentication"];
        /// Clients that may come, when not all may. Several networks here and in `deny_ips` may hold an address: the one with
        /// the longest prefix decides, and of two equal ones the one that denies. Others get 403.
        allow_ips: Addresses, "[192.0.2.0/24, \"2001:db8::/32\"]", absent "all", alias ["allow"];
        /// Clients that may not come.
        deny_ips: Addresses, "[198.51.100.0/24, 203.0.113.7]", absent "none", alias ["deny"];
        /// Whether clients may come whose address is unknown, when there is an `allow_ips` or a `deny_ips`. An address is
        /// unknown when a trusted proxy names none (`unknown`), or one that cannot be read.
        unknown_ips: UnknownIps, "allow", absent "`deny`";
        /// How often callers may come: names of `limits`, whose counts all routes with that name share, or limits of this route
        /// alone. A request that one limit refuses takes nothing from the others, with two exceptions. Limits that do not count
        /// by caller are asked before the authentication, and keep what they counted when a later limit refuses. Redis keeps
        /// what it counted, and so do rates when the limit `concurrent` refuses.
        limit: Limits, "[100/min, {concurrent: 10}]", absent "none", alias ["rate_limit", "limits"];
        /// The bytes of a request's body; a longer body is answered with 413. A body without a `Content-Length` is counted as it
        /// streams, so the service may have seen a part of it.
        max_body: OrOff<Size>, "1MiB", absent "no bound", alias ["max_body_size", "client_max_body_size", "body_limit"];
    }
}

choice! {
    /// Whether clients may come whose address is unknown.
    pub(crate) struct UnknownIps, "what becomes of clients whose address nobody knows": bool { "deny" => false, "allow" => true }
}

impl Guards {
    /// Guards that could not be read: nobody may come, and no other error follows.
    pub(super) fn unread() -> Self {
        Self { auth: Some(Who::default()), ..Self::default() }
    }

    pub(crate) fn allow(&self) -> Option<&Addresses> {
        self.allow_ips.as_ref()?.as_ref()
    }

    pub(crate) fn deny(&self) -> Option<&Addresses> {
        self.deny_ips.as_ref()?.as_ref()
    }

    /// Whether clients whose address is unknown may come.
    pub(crate) fn allow_unknown(&self) -> bool {
        self.unknown_ips.unwrap_or_default()
    }

    /// The bytes that a request's body may have; `None` when there is no bound.
    pub(crate) fn max_body(&self) -> Option<u64> {
        self.max_body.flatten().map(|bytes| bytes as u64)
    }

    pub(crate) fn limits(&self) -> &[LimitRef] {
        self.limit.as_deref().unwrap_or_default()
    }
}
