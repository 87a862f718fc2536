//! Who may come to a route.

use gatewright_auth::{All, Anonymous, Any, Auth, AuthLayer, Authenticator};
use http::HeaderName;

use super::{Authenticators, Shared};
use crate::{
    diagnostics::Span,
    read::Reader,
    settings::{Defaults, Route, Who},
};

/// Who may come to a route. Two are equal when they ask the same authenticators for the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::assemble) struct RouteAuth {
    asked: Asked,
    scopes: Vec<String>,
    roles: Option<(String, Vec<String>)>,
    claimed: Vec<HeaderName>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Asked {
    Nobody,
    One(Shared),
    Any(Vec<Self>),
    All(Vec<Self>),
}

impl Authenticators {
    /// Who may come to a route; `None` when that was reported, and then nobody may.
    pub(in crate::assemble) fn of(
        &self,
        route: &Route,
        defaults: &Defaults,
        reader: &mut Reader<'_>,
    ) -> Option<RouteAuth> {
        let who = match (route.guards.auth.as_ref().or(defaults.guards.auth.as_ref()), &self.named) {
            (Some(who), _) => who,
            (None, None) => &Who::Nobody,
            (None, Some(_)) => {
                let help = match reader.any_auth() {
                    Some(name) => {
                        format!("name who has to: `auth: {name}`; or write `auth: none` when everybody may")
                    }
                    None => "write `auth: none` when everybody may".to_owned(),
                };
                reader.error(route.at.0, "a route that does not say who may call it").help(help);
                return None;
            }
        };
        let asked = self.asked(who);
        let requirements = Requirements::of(route, who, asked.as_ref(), reader);
        let (asked, Requirements { scopes, roles }) = (asked?, requirements?);
        Some(RouteAuth { asked, scopes, roles, claimed: self.claimed.clone() })
    }

    /// Those of a route; `None` when one of them was reported.
    fn asked(&self, who: &Who) -> Option<Asked> {
        let several = |several: &[Who]| several.iter().map(|who| self.asked(who)).collect::<Option<Vec<_>>>();
        match who {
            Who::Nobody => Some(Asked::Nobody),
            Who::Named(name) => self.named.as_ref()?.get(&name.value)?.clone().map(Asked::One),
            Who::Any(any) => several(any).map(Asked::Any),
            Who::All(all) => several(all).map(Asked::All),
        }
    }
}

impl RouteAuth {
    /// The headers in which any authenticator of the file tells services who calls.
    pub(in crate::assemble) fn told(&self) -> &[HeaderName] {
        &self.claimed
    }

    /// Whether some of those who come have limits of their own, as API keys may.
    pub(in crate::assemble) fn limits_some(&self) -> bool {
        self.asked.limits_some()
    }

    /// The policy; `None` when there is nothing that it would do.
    pub(in crate::assemble) fn policy(&self) -> Option<Auth<Authenticator>> {
        let Self { asked, scopes, roles, claimed } = self;
        if matches!(asked, Asked::Nobody) && claimed.is_empty() {
            return None;
        }
        let mut layer = AuthLayer::new(asked.authenticator())
            .scopes(scopes.iter().map(String::as_str))
            .reserve_headers(claimed.iter().cloned());
        if let Some((claim, roles)) = roles {
            layer = layer.roles(claim.as_str(), roles.iter().map(String::as_str));
        }
        Some(layer.into_policy())
    }
}

impl Asked {
    /// Whether some of those who come have limits of their own.
    fn limits_some(&self) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(shared) => shared.built.limits_some,
            Self::Any(several) | Self::All(several) => several.iter().any(Self::limits_some),
        }
    }

    fn authenticator(&self) -> Authenticator {
        match self {
            Self::Nobody => Authenticator::new(Anonymous::new()),
            Self::One(shared) => shared.built.authenticator.clone(),
            Self::Any(any) => Authenticator::new(any.iter().map(Self::authenticator).collect::<Any>()),
            Self::All(all) => Authenticator::new(all.iter().map(Self::authenticator).collect::<All>()),
        }
    }

    /// Whether those may come who show nothing.
    fn lets_all_in(&self) -> bool {
        match self {
            Self::Nobody => true,
            Self::One(_) => false,
            Self::Any(any) => any.iter().any(Self::lets_all_in),
            Self::All(all) => !all.is_empty() && all.iter().all(Self::lets_all_in),
        }
    }
}

/// What a route requires of those who come.
struct Requirements {
    scopes: Vec<String>,
    roles: Option<(String, Vec<String>)>,
}

/// Why a requirement cannot be met.
enum Unmet {
    /// Those who come by this authenticator never meet it.
    By(String),
    /// Roles stand in several claims.
    Several(Vec<String>),
}

impl Requirements {
    fn of(route: &Route, who: &Who, asked: Option<&Asked>, reader: &mut Reader<'_>) -> Option<Self> {
        let (scopes, roles) = (&route.access.scopes, &route.access.roles);
        let mut whole = true;
        for (key, span) in
            [("scopes", scopes.as_ref().map(|it| it.span)), ("roles", roles.as_ref().map(|it| it.span))]
        {
            let Some(span) = span else { continue };
            if asked.is_some_and(Asked::lets_all_in) {
                nobody_known(key, span, who, reader);
                whole = false;
            }
        }
        let asked = asked.filter(|_| whole)?;
        if let Some(scopes) = scopes
            && let Err(unmet) = asked.scopes(who)
        {
            unmet.report("scopes", scopes.span, reader);
            whole = false;
        }
        let claim = match roles {
            Some(roles) => match asked.role_claim(who) {
                Ok(claim) => claim.map(|claim| (claim, roles.value.clone())),
                Err(unmet) => {
                    unmet.report("roles", roles.span, reader);
                    whole = false;
                    None
                }
            },
            None => None,
        };
        let scopes = scopes.as_ref().map(|scopes| scopes.value.clone()).unwrap_or_default();
        whole.then_some(Self { scopes, roles: claim })
    }
}

/// Reports a requirement on a route where it need not be known who calls.
fn nobody_known(key: &str, span: Span, who: &Who, reader: &mut Reader<'_>) {
    let help = match who {
        Who::Nobody => format!("remove `{key}`, or name who is to say who calls: `auth: app`"),
        _ => format!("remove `{key}`, or take `none` out of the route's `auth`"),
    };
    reader.error(span, format!("`{key}` on a route that asks nobody who calls")).help(help);
}

impl Asked {
    /// Whether all who may come can have scopes.
    fn scopes(&self, who: &Who) -> Result<(), Unmet> {
        match (self, who) {
            (Self::One(shared), _) if shared.identity.kind.gives_scopes() => Ok(()),
            (Self::Any(any), Who::Any(names)) => {
                any.iter().zip(names).try_for_each(|(one, who)| one.scopes(who))
            }
            (Self::All(all), Who::All(names)) => {
                let mut met = all.iter().zip(names).map(|(one, who)| one.scopes(who));
                let first = met.next().unwrap_or(Ok(()));
                first.or_else(|unmet| met.find(Result::is_ok).unwrap_or(Err(unmet)))
            }
            _ => Err(Unmet::of(who)),
        }
    }

    /// The claim in which all who may come have their roles.
    fn role_claim(&self, who: &Who) -> Result<Option<String>, Unmet> {
        let claims: Vec<String> = match (self, who) {
            (Self::One(shared), _) => {
                let claims = shared.identity.kind.role_claims();
                if claims.is_empty() {
                    return Err(Unmet::of(who));
                }
                claims.into_iter().map(str::to_owned).collect()
            }
            (Self::Any(any), Who::Any(names)) => {
                let claims = any.iter().zip(names).map(|(one, who)| one.role_claim(who));
                claims.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()
            }
            (Self::All(all), Who::All(names)) => {
                let claims: Vec<_> = all.iter().zip(names).map(|(one, who)| one.role_claim(who)).collect();
                let mut known = Vec::new();
                let mut unmet = None;
                for claim in claims {
                    match claim {
                        Ok(claim) => known.extend(claim),
                        Err(several @ Unmet::Several(_)) => return Err(several),
                        Err(by) => unmet = Some(by),
                    }
                }
                match (unmet, known.is_empty()) {
                    (Some(unmet), true) => return Err(unmet),
                    _ => known,
                }
            }
            _ => return Err(Unmet::of(who)),
        };
        let mut claims = claims;
        claims.sort_unstable();
        claims.dedup();
        if claims.len() > 1 { Err(Unmet::Several(claims)) } else { Ok(claims.pop()) }
    }
}

impl Unmet {
    fn of(who: &Who) -> Self {
        let name = who.names().first().map_or("none", |(name, _)| name);
        Self::By(name.to_owned())
    }

    fn report(&self, key: &str, span: Span, reader: &mut Reader<'_>) {
        match self {
            Self::By(name) => reader
                .error(span, format!("who comes by `{name}` has no {key}, and would always be refused"))
                .help(match key {
                    "scopes" => format!("give `{name}` some: `scopes: […]` in its entry of `auth`; or leave it out of this route's `auth`"),
                    _ => format!("only tokens have roles: leave `{name}` out of this route's `auth`, or ask for `scopes`"),
                }),
            Self::Several(claims) => reader
                .error(span, format!("the roles stand in several claims: {}", claims.join(", ")))
                .help("give the authenticators of this route the same `roles_claim`, or make it several routes"),
        };
    }
}
