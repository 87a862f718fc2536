//! Listeners, and what clients may use up.

use gatewright_server::{Limits, Listener};

use super::tls::Tls;
use crate::{
    read::Reader,
    settings::{self, Settings},
};

/// A listener, with what can change of it while it listens.
pub(super) struct BuiltListener {
    settings: settings::Listener,
    tls: Option<Tls>,
}

/// The listeners; those whose TLS cannot be set up are reported and left out.
pub(super) fn build(
    listeners: &[settings::Listener],
    before: &[BuiltListener],
    reader: &mut Reader<'_>,
) -> Vec<BuiltListener> {
    let before = pair(listeners, before).into_iter().map(|index| index.and_then(|index| before.get(index)));
    let built =
        listeners.iter().zip(before).map(|(listener, before)| BuiltListener::new(listener, before, reader));
    built.flatten().collect()
}

/// For each listener, the one of `before` on the same address. Of several on port 0, each is taken once.
pub(super) fn pair(listeners: &[settings::Listener], before: &[BuiltListener]) -> Vec<Option<usize>> {
    let mut taken = vec![false; before.len()];
    let mut find = |listener: &settings::Listener| {
        let address = &listener.address;
        let found =
            before.iter().zip(&taken).position(|(b, taken)| !taken && b.settings.address == *address)?;
        taken[found] = true;
        Some(found)
    };
    listeners.iter().map(&mut find).collect()
}

impl BuiltListener {
    fn new(settings: &settings::Listener, before: Option<&Self>, reader: &mut Reader<'_>) -> Option<Self> {
        let tls = match &settings.tls {
            Some(tls) => Some(Tls::build(tls, before.and_then(|before| before.tls.as_ref()), reader)?),
            None => None,
        };
        Some(Self { settings: settings.clone(), tls })
    }

    pub(super) fn settings(&self) -> &settings::Listener {
        &self.settings
    }

    /// As the server takes it.
    pub(super) fn listener(&self) -> Listener {
        let mut listener = Listener::new(self.settings.address.value).name(&self.settings.called());
        if let Some(tls) = &self.tls {
            listener = listener.tls(tls.config());
        }
        if !self.settings.proxy_protocol.from.is_empty() {
            listener = listener.proxy_protocol(self.settings.proxy_protocol.from.iter().copied());
        }
        listener
    }

    /// Goes on as the listener on the same address of another configuration, for connections to come. Whether there
    /// was anything to change.
    pub(super) fn become_like(&mut self, other: Self) -> bool {
        let renewed = match (&mut self.tls, other.tls) {
            (Some(tls), Some(other)) => tls.become_like(other),
            _ => false,
        };
        self.settings = other.settings;
        renewed
    }
}

/// The server's own limits, save those that the file sets.
pub(super) fn limits(settings: &Settings) -> Limits {
    let (times, sizes) = (&settings.timeouts, &settings.client_limits);
    let mut limits = Limits::default();
    if let Some(head) = times.head {
        limits = limits.header_timeout(head);
    }
    if let Some(idle) = times.idle {
        limits = limits.keep_alive_timeout(idle);
    }
    if let Some(body) = times.body {
        limits = limits.body_timeout(body);
    }
    if let Some(write) = times.write {
        limits = limits.write_timeout(write);
    }
    if let Some(stream) = times.stream {
        limits = limits.stream_timeout(stream);
    }
    if let Some(linger) = times.linger {
        limits = limits.linger_timeout(linger);
    }
    if let Some(pause) = times.linger_pause {
        limits = limits.linger_pause(pause);
    }
    if let Some(bytes) = sizes.max_discarded {
        limits = limits.max_discarded(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
    if let Some(bytes) = sizes.max_head {
        limits = limits.max_head(bytes);
    }
    if let Some(bytes) = sizes.max_target {
        limits = limits.max_target(bytes);
    }
    if let Some(count) = sizes.max_headers {
        limits = limits.max_headers(count);
    }
    if let Some(count) = sizes.max_connections {
        limits = limits.max_connections(count.get());
    }
    if let Some(count) = sizes.max_streams {
        limits = limits.max_streams(count);
    }
    if let Some(names) = sizes.header_names {
        limits = limits.header_names(names);
    }
    limits
}
