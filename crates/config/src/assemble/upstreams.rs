//! Upstreams, each built once and shared by its routes.

use std::collections::HashMap;

use gatewright_proxy::{Resolver, Upstream};

use super::{
    Changes,
    client_tls::TlsFiles,
    keeper::{Keeper, Kept},
};
use crate::{
    read::Reader,
    settings::{self, Defaults, UpstreamBounds, UpstreamRef},
};

/// The upstreams of a file. Of those that say the same, in the routes that write them themselves say, there is one; and
/// one that says the same as before goes on as it was, with its connections and its retry budget.
pub(super) struct Upstreams {
    built: Keeper<Identity, Upstream>,
    /// Those of `upstreams:`, and those that routes write as `host:port` by that; `None` for one that was reported.
    named: HashMap<String, Option<Shared>>,
    resolver: Resolver,
    bounds: UpstreamBounds,
}

/// All that makes an upstream what it is.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Identity {
    settings: settings::Upstream,
    tls: TlsFiles,
}

pub(super) type Shared = Kept<Identity, Upstream>;

impl Upstreams {
    /// Replaces these upstreams; nothing has been built yet.
    pub(super) fn following(before: Option<&Self>) -> Self {
        Self {
            built: Keeper::following(before.map(|before| &before.built)),
            named: HashMap::new(),
            resolver: before.map(|before| before.resolver.clone()).unwrap_or_default(),
            bounds: UpstreamBounds::default(),
        }
    }

    /// Builds `upstreams:`.
    pub(super) fn build(
        &mut self,
        upstreams: &[settings::Upstream],
        defaults: &Defaults,
        reader: &mut Reader<'_>,
    ) {
        self.bounds = defaults.bounds;
        for upstream in upstreams {
            let shared = self.one(upstream, reader);
            self.named.insert(upstream.name.clone(), shared);
        }
    }

    /// The upstream of a route; `None` when it was reported.
    pub(super) fn of(&mut self, upstream: &UpstreamRef, reader: &mut Reader<'_>) -> Option<Shared> {
        match upstream {
            UpstreamRef::Named(name) => self.named.get(&name.value).cloned().flatten(),
            UpstreamRef::Address(upstream) => {
                // Its name is its address, which no name of `upstreams:` can be.
                if !self.named.contains_key(&upstream.name) {
                    let built = self.one(upstream, reader);
                    self.named.insert(upstream.name.clone(), built);
                }
                self.named.get(&upstream.name).cloned().flatten()
            }
            UpstreamRef::Inline(upstream) => self.one(upstream, reader),
            UpstreamRef::Unread => None,
        }
    }

    fn one(&mut self, settings: &settings::Upstream, reader: &mut Reader<'_>) -> Option<Shared> {
        let tls = match &settings.tls {
            Some(tls) => TlsFiles::read(tls, reader)?,
            None => TlsFiles::default(),
        };
        let bounds = settings.bounds.or(&self.bounds);
        let settings = settings::Upstream { bounds, ..settings.clone() };
        let identity = Identity { settings, tls };
        let resolver = self.resolver.clone();
        self.built.get(identity, |identity| identity.build(resolver, reader))
    }

    /// Forgets the upstreams of before, so that those which are no longer used can close their connections.
    pub(super) fn settle(&mut self) {
        self.built.settle();
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Upstream> {
        self.built.values()
    }

    /// How the upstreams differ from those of before.
    pub(super) fn changes(&self) -> Changes {
        self.built.changes()
    }
}

impl Identity {
    fn build(&self, resolver: Resolver, reader: &mut Reader<'_>) -> Option<Upstream> {
        let Self { settings, tls } = self;
        let protocol = match settings.protocol {
            settings::Protocol::Auto => gatewright_proxy::Protocol::Auto,
            settings::Protocol::Http1 => gatewright_proxy::Protocol::Http1,
            settings::Protocol::Http2 => gatewright_proxy::Protocol::Http2,
        };
        let mut builder = Upstream::builder(settings.name.as_str()).resolver(resolver).protocol(protocol);
        for target in &settings.targets {
            builder = builder.weighted_target(target.target.value.to_string(), target.weight);
        }
        if let Some(settings) = &settings.tls {
            let hosts = self.settings.targets.iter().map(|target| target.target.value.host());
            builder = builder.tls(tls.build(settings, &hosts.collect::<Vec<_>>(), reader)?);
        }
        if let Some(timeout) = settings.bounds.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(keep_alive) = settings.keep_alive {
            builder = builder.keep_alive(keep_alive);
        }
        if let Some(connections) = settings.max_connections {
            builder = builder.max_connections(connections.get());
        }
        if let Some(bytes) = settings.bounds.max_response_head {
            builder = builder.max_response_head(bytes);
        }
        if let Some(lines) = settings.bounds.max_response_headers {
            builder = builder.max_response_headers(lines);
        }
        match builder.build() {
            Ok(upstream) => Some(upstream),
            Err(error) => {
                reader.error(settings.at.0, error.to_string());
                None
            }
        }
    }
}
