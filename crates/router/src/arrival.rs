//! The arrival of a request: its listener, and the scheme that the client spoke.

use std::sync::Arc;

use gatewright_core::RequestRecord;
use http::{request, uri::Scheme};

use crate::explanation::{Misfit, MisfitKind};

/// The conditions of a route on the arrival of a request.
#[derive(Debug, Default)]
pub(crate) struct Arrival {
    /// Empty if the route takes requests from every listener.
    pub(crate) listeners: Box<[Box<str>]>,
    pub(crate) scheme: Option<Scheme>,
}

impl Arrival {
    /// The rank of the conditions; a higher rank goes first. A listener ranks above a scheme.
    pub(crate) fn rank(&self) -> u8 {
        2 * u8::from(!self.listeners.is_empty()) + u8::from(self.scheme.is_some())
    }

    pub(crate) fn fits(&self, head: &request::Parts) -> bool {
        self.rank() == 0 || self.takes_listener(head) && self.takes_scheme(head)
    }

    fn takes_listener(&self, head: &request::Parts) -> bool {
        let connection = || RequestRecord::of(&head.extensions)?.connection();
        let is_it = |listener: &Arc<str>| self.listeners.iter().any(|name| **name == **listener);
        self.listeners.is_empty() || connection().is_some_and(|connection| is_it(connection.listener()))
    }

    fn takes_scheme(&self, head: &request::Parts) -> bool {
        self.scheme.as_ref().is_none_or(|scheme| Some(scheme) == spoken(head).as_ref())
    }

    /// The conditions that the request does not meet.
    pub(crate) fn misfits(&self, head: &request::Parts) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        if !self.takes_listener(head) {
            let text = format!("the request did not come in by the listener {}", self.listeners.join(" or "));
            misfits.push(Misfit::new(MisfitKind::Listener, text));
        }
        if let Some(scheme) = self.scheme.as_ref().filter(|_| !self.takes_scheme(head)) {
            let text = format!("the client did not speak {scheme}");
            misfits.push(Misfit::new(MisfitKind::Scheme, text));
        }
        misfits
    }

    /// Whether one request can fit both conditions.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let listeners = self.listeners.is_empty()
            || other.listeners.is_empty()
            || self.listeners.iter().any(|name| other.listeners.contains(name));
        listeners && (self.scheme.is_none() || other.scheme.is_none() || self.scheme == other.scheme)
    }

    /// Whether every request that fits `other` fits this condition.
    pub(crate) fn follows_from(&self, other: &Self) -> bool {
        let listeners = self.listeners.is_empty()
            || !other.listeners.is_empty() && other.listeners.iter().all(|name| self.listeners.contains(name));
        listeners && (self.scheme.is_none() || self.scheme == other.scheme)
    }
}

/// The scheme that the client spoke, to this server or to a trusted proxy that reports it; else the scheme of the
/// connection, else the scheme of the URI.
fn spoken(head: &request::Parts) -> Option<Scheme> {
    let scheme = |secure| if secure { Scheme::HTTPS } else { Scheme::HTTP };
    let record = RequestRecord::of(&head.extensions);
    let known = record.and_then(|record| {
        let client = record.with(|summary| summary.client.as_ref().map(|client| client.is_secure()));
        client.or_else(|| record.connection().map(|connection| connection.tls().is_some()))
    });
    known.map(scheme).or_else(|| head.uri.scheme().cloned())
}
