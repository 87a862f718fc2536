//! Authenticators, each built once and shared by its routes.

mod build;
mod keys;
mod problems;
mod route;
mod tokens;

use std::collections::HashMap;

use gatewright_auth::{Authenticator, Clock};
use http::HeaderName;

use super::keeper::{Keeper, Kept};
use crate::{
    read::Reader,
    settings::{self, AuthKind, Listener},
};
use build::contents;
use keys::Keys;
pub(super) use route::RouteAuth;

/// The authenticators of a file. One that says the same as before goes on, with the tokens and passwords that it remembers.
pub(super) struct Authenticators {
    built: Keeper<Identity, Built>,
    keys: Keys,
    /// Those of `auth:`; `None` when there is no such section, so that all may come.
    named: Option<HashMap<String, Option<Shared>>>,
    /// The fields in which any of them tells services who calls. On all routes of the file, clients have no say in them.
    claimed: Vec<HeaderName>,
    clock: Clock,
}

/// All that makes an authenticator what it is. Files that it reads again by itself are not among it.
#[derive(PartialEq, Eq, Hash)]
struct Identity {
    kind: AuthKind,
    contents: Vec<Vec<u8>>,
}

/// An authenticator, ready to be asked.
#[derive(Clone)]
struct Built {
    authenticator: Authenticator,
    /// Whether some of its callers have limits of their own.
    limits_some: bool,
}

type Shared = Kept<Identity, Built>;

impl Authenticators {
    /// Replaces these authenticators; nothing has been built yet.
    pub(super) fn following(before: Option<&Self>, clock: &Clock) -> Self {
        Self {
            built: Keeper::following(before.map(|before| &before.built)),
            keys: Keys::following(before.map(|before| &before.keys)),
            named: None,
            claimed: Vec::new(),
            clock: clock.clone(),
        }
    }

    /// Builds `auth:`.
    pub(super) fn build(
        &mut self,
        authenticators: Option<&[settings::Authenticator]>,
        listeners: &[Listener],
        reader: &mut Reader<'_>,
    ) {
        let Some(authenticators) = authenticators else { return };
        let mut named = HashMap::new();
        for settings in authenticators {
            named.insert(settings.name.clone(), self.one(&settings.kind, reader));
            check_certificates(settings, listeners, reader);
        }
        self.claimed = authenticators.iter().flat_map(|settings| settings.kind.told_in()).collect();
        self.claimed.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        self.claimed.dedup();
        self.named = Some(named);
    }

    fn one(&mut self, kind: &AuthKind, reader: &mut Reader<'_>) -> Option<Shared> {
        let identity = Identity { kind: kind.clone(), contents: contents(kind, reader)? };
        let (keys, clock) = (&mut self.keys, &self.clock);
        let shared = self.built.get(identity, |_| build::authenticator(kind, keys, clock, reader))?;
        self.keys.keep(kind);
        Some(shared)
    }

    /// Begins to fetch the keys of identity providers, where there is a runtime to do it on.
    pub(super) fn prefetch(&self) {
        self.keys.prefetch();
    }

    /// Forgets the authenticators of before.
    pub(super) fn settle(&mut self) {
        self.built.settle();
        self.keys.settle();
    }
}

/// Certificates say who calls only where a listener asks for them.
fn check_certificates(settings: &settings::Authenticator, listeners: &[Listener], reader: &mut Reader<'_>) {
    let asks = |listener: &Listener| {
        listener.tls.as_ref().is_some_and(|tls| tls.client_auth() != settings::ClientAuth::Off)
    };
    if matches!(settings.kind, AuthKind::Mtls(_)) && !listeners.iter().any(asks) {
        reader
            .error(settings.at.0, format!("no listener asks clients for certificates, so that nobody comes in by `{}`", settings.name))
            .help("add the authorities to a listener's TLS: `tls: {cert: api.pem, key: api.key, client_ca: partners.pem}`");
    }
}
