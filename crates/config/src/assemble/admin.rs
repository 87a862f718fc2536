//! The admin: what it is told of a gateway.

use std::{collections::BTreeMap, sync::Arc};

use gatewright_admin::{Admin, ChangeKind, Reload, View};
use gatewright_server::Limits;
use gatewright_trace::{Metrics, Observers};

use super::Parts;
use crate::{Config, settings::Settings};

/// Connections to the admin at once: people, probes and a scraper or two.
const CONNECTIONS: usize = 256;

/// The admin of a gateway, if its file asks for one, and the hash of the file that it shows.
pub(super) struct Administration(Option<(Admin, String)>);

impl Administration {
    pub(super) fn new(config: &Config, parts: &Parts, metrics: Option<&Metrics>) -> Self {
        Self(config.settings().admin.as_ref().map(|settings| {
            let mut builder = Admin::builder();
            if let Some(slow) = settings.slow {
                builder = builder.slow(slow);
            }
            if let Some(metrics) = metrics {
                builder = builder.metrics(metrics.clone());
            }
            let admin =
                settings.hosts.iter().fold(builder, |builder, host| builder.host(host.as_str())).build();
            admin.show(view(config, parts));
            (admin, config.hash().to_owned())
        }))
    }

    pub(super) fn admin(&self) -> Option<&Admin> {
        self.0.as_ref().map(|(admin, _)| admin)
    }

    /// Has it see the requests beside these.
    pub(super) fn watch(&self, observers: Observers) -> Observers {
        self.admin().into_iter().fold(observers, |observers, admin| observers.and(Arc::new(admin.observer())))
    }

    /// Shows what runs from now on, and how it differs from before.
    pub(super) fn reloaded(&mut self, before: (&Settings, &Parts), (config, parts): (&Config, &Parts)) {
        let Some((admin, hash)) = &mut self.0 else { return };
        let before_hash = std::mem::replace(hash, config.hash().to_owned());
        let after = (&**config.settings(), parts, config.hash());
        admin.note_reload(changes((before.0, before.1, &before_hash), after));
        admin.show(view(config, parts));
    }
}

/// The limits of those who look.
pub(super) fn client_limits() -> Limits {
    Limits::default().max_connections(CONNECTIONS)
}

/// What runs.
fn view(config: &Config, parts: &Parts) -> View {
    let mut view = View::new().config(
        &config.source().path().display().to_string(),
        config.hash(),
        config.redacted().unwrap_or_default(),
    );
    for route in &*parts.routes.seen {
        view = view.route(route.label().clone(), route.upstream(), route.layers());
    }
    let mut upstreams: Vec<_> = parts.shared.upstreams.all().cloned().collect();
    upstreams.sort_by(|one, other| one.name().as_str().cmp(other.name().as_str()));
    upstreams.into_iter().fold(view, View::upstream)
}

/// What a reload changes, by names.
fn changes(before: (&Settings, &Parts, &str), after: (&Settings, &Parts, &str)) -> Reload {
    let reload = Reload::accepted(before.2, after.2);
    let reload = compare(reload, "listener", listeners(before.0), listeners(after.0));
    let reload = compare(reload, "route", routes(before.0, before.1), routes(after.0, after.1));
    let reload = compare(reload, "upstream", upstreams(before.0), upstreams(after.0));
    let reload = compare(reload, "limit", limits(before.0), limits(after.0));
    let reload = compare(reload, "authenticator", authenticators(before.0), authenticators(after.0));
    let (before, after) = (before.0, after.0);
    let others = [
        ("access_log", before.access_log != after.access_log),
        ("timeouts", before.timeouts != after.timeouts),
        ("trusted_proxies", before.trusted_proxies != after.trusted_proxies),
    ];
    let changed = others.into_iter().filter(|(_, differ)| *differ);
    changed.fold(reload, |reload, (key, _)| reload.change(ChangeKind::Changed, "setting", key))
}

/// What has a name. Several may have one name: two routes for one path, of different methods.
type Named<T> = BTreeMap<String, Vec<T>>;

fn compare<T: PartialEq>(mut reload: Reload, what: &'static str, before: Named<T>, after: Named<T>) -> Reload {
    for (name, old) in &before {
        let kind = match after.get(name) {
            None => ChangeKind::Removed,
            Some(new) if new != old => ChangeKind::Changed,
            Some(_) => continue,
        };
        reload = reload.change(kind, what, name);
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        reload = reload.change(ChangeKind::Added, what, name);
    }
    reload
}

fn named<T>(all: impl Iterator<Item = (String, T)>) -> Named<T> {
    let mut named = Named::new();
    all.for_each(|(name, value)| named.entry(name).or_default().push(value));
    named
}

fn listeners(settings: &Settings) -> Named<&crate::settings::Listener> {
    named(settings.listeners.iter().map(|listener| (listener.called().into_owned(), listener)))
}

fn routes<'a>(settings: &'a Settings, parts: &Parts) -> Named<&'a crate::settings::Route> {
    let names = parts.routes.seen.iter().map(|route| route.name().to_owned());
    named(names.zip(settings.routes.iter().map(|route| &**route)))
}

fn upstreams(settings: &Settings) -> Named<&crate::settings::Upstream> {
    named(settings.upstreams.iter().map(|upstream| (upstream.name.clone(), upstream)))
}

fn limits(settings: &Settings) -> Named<&crate::settings::CallerLimit> {
    named(settings.limits.iter().map(|limit| (limit.name.clone(), limit)))
}

fn authenticators(settings: &Settings) -> Named<&crate::settings::AuthKind> {
    named(settings.auth.iter().flatten().map(|authenticator| (authenticator.name.clone(), &authenticator.kind)))
}
