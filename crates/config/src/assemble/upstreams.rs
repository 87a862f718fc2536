//! Upstreams, each built once and shared by its routes.

use std::{collections::HashMap, time::Duration};

use gatewright_proxy::{ClientTls, ClientTlsError, Resolver, Upstream};

use crate::{
    read::Reader,
    settings::{self, UpstreamRef, UpstreamTls},
};

/// The upstreams of a file, by name; those that routes write as `host:port` by that.
pub(super) struct Upstreams {
    named: HashMap<String, Option<Upstream>>,
    resolver: Resolver,
    connect_timeout: Option<Duration>,
}

impl Upstreams {
    /// Builds `upstreams:`.
    pub(super) fn build(
        upstreams: &[settings::Upstream],
        connect_timeout: Option<Duration>,
        reader: &mut Reader<'_>,
    ) -> Self {
        let mut built = Self { named: HashMap::new(), resolver: Resolver::new(), connect_timeout };
        for upstream in upstreams {
            let shared = built.one(upstream, reader);
            built.named.insert(upstream.name.clone(), shared);
        }
        built
    }

    /// The upstream of a route; `None` when it was reported.
    pub(super) fn of(&mut self, upstream: &UpstreamRef, reader: &mut Reader<'_>) -> Option<Upstream> {
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
        }
    }

    fn one(&self, upstream: &settings::Upstream, reader: &mut Reader<'_>) -> Option<Upstream> {
        let protocol = match upstream.protocol {
            settings::Protocol::Auto => gatewright_proxy::Protocol::Auto,
            settings::Protocol::Http1 => gatewright_proxy::Protocol::Http1,
            settings::Protocol::Http2 => gatewright_proxy::Protocol::Http2,
        };
        let mut builder =
            Upstream::builder(upstream.name.as_str()).resolver(self.resolver.clone()).protocol(protocol);
        for target in &upstream.targets {
            builder = builder.weighted_target(target.target.value.to_string(), target.weight);
        }
        if let Some(tls) = &upstream.tls {
            builder = builder.tls(client_tls(tls, reader)?);
        }
        if let Some(timeout) = upstream.connect_timeout.or(self.connect_timeout) {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(keep_alive) = upstream.keep_alive {
            builder = builder.keep_alive(keep_alive);
        }
        if let Some(connections) = upstream.max_connections {
            builder = builder.max_connections(connections.get());
        }
        match builder.build() {
            Ok(upstream) => Some(upstream),
            Err(error) => {
                reader.error(upstream.span, error.to_string());
                None
            }
        }
    }
}

fn client_tls(tls: &UpstreamTls, reader: &mut Reader<'_>) -> Option<ClientTls> {
    let mut builder = ClientTls::builder();
    // Every file is looked at, so that one pass names all that cannot be read.
    let ca = tls.ca.as_ref().map(|ca| reader.contents(ca));
    let identity = tls.identity.as_ref().map(|(cert, key)| {
        let (cert, key) = (reader.contents(cert), reader.contents(key));
        cert.zip(key)
    });
    if let Some(ca) = ca {
        builder = builder.ca(ca?);
    }
    if let Some(identity) = identity {
        let (cert, key) = identity?;
        builder = builder.identity(cert, key);
    }
    if let Some(name) = &tls.server_name {
        builder = builder.server_name(&name.value);
    }
    match builder.build() {
        Ok(built) => Some(built),
        Err(error) => {
            report(&error, tls, reader);
            None
        }
    }
}

fn report(error: &ClientTlsError, tls: &UpstreamTls, reader: &mut Reader<'_>) {
    let identity = tls.identity.as_ref();
    let place = match error.field() {
        "ca" => tls.ca.as_ref().map(|ca| ca.span),
        "cert" => identity.map(|(cert, _)| cert.span),
        "key" => identity.map(|(_, key)| key.span),
        "server_name" => tls.server_name.as_ref().map(|name| name.span),
        _ => None,
    };
    reader.error(place.unwrap_or(tls.span), format!("TLS to the upstream cannot be set up: {error}"));
}
