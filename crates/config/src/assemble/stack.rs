//! The stack of a route: its layers in order, and the terminal that answers.

use std::{mem, sync::Arc};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, Policy, PolicyList};
use gatewright_router::{Route, RouterBuilder};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    keeper::Keeper,
    layers::{RouteLayer, RoutePolicy},
    made_of::MadeOf,
    terminal::{Terminal, erase},
};

/// The stack of one route, ready to be called. Clones share all state.
#[derive(Clone)]
pub(super) struct Stack {
    /// The outermost layers, as far as they are policies. Absent layers cost nothing: a list without a policy is left out.
    policies: PolicyList<RoutePolicy>,
    /// The terminal, with the other layers around it.
    inner: Terminal,
    names: Arc<[&'static str]>,
}

/// The stacks of all routes. The next configuration takes over those whose routes it has too.
pub(super) type Stacks = Keeper<MadeOf, Stack>;

impl Stack {
    /// Puts layers, outermost first, around a terminal.
    pub(super) fn new(layers: Vec<RouteLayer>, terminal: Terminal) -> Self {
        let names = layers
            .iter()
            .map(|layer| match layer {
                RouteLayer::Policy(policy) => policy.name(),
                RouteLayer::Other(name, _) => name,
            })
            .collect();
        let (mut policies, mut inner) = (Vec::new(), terminal);
        for layer in layers.into_iter().rev() {
            match layer {
                RouteLayer::Policy(policy) => policies.push(policy),
                RouteLayer::Other(_, wrap) => {
                    let policies = list(mem::take(&mut policies));
                    let within = match policies.is_empty() {
                        true => inner.into_service(),
                        false => erase(policies.layer(inner.into_service())),
                    };
                    inner = Terminal::Other(wrap(within));
                }
            }
        }
        Self { policies: list(policies), inner, names }
    }

    /// The names of the layers, outermost first.
    pub(super) fn names(&self) -> &Arc<[&'static str]> {
        &self.names
    }

    /// Makes a route of it.
    pub(super) fn add_to(self, router: RouterBuilder<Body>, route: Route) -> RouterBuilder<Body> {
        let policies = self.policies;
        match self.inner {
            Terminal::Proxy(service) => add(policies, service, router, route),
            Terminal::Redirect(service) => add(policies, service, router, route),
            Terminal::NoUpstream(service) => add(policies, service, router, route),
            Terminal::Other(service) => add(policies, service, router, route),
        }
    }
}

/// A list of policies that were gathered from the innermost on.
fn list(mut policies: Vec<RoutePolicy>) -> PolicyList<RoutePolicy> {
    policies.reverse();
    PolicyList::new(policies)
}

fn add<S, B>(
    policies: PolicyList<RoutePolicy>,
    service: S,
    router: RouterBuilder<Body>,
    route: Route,
) -> RouterBuilder<Body>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    match policies.is_empty() {
        true => router.route(route, service),
        false => router.route(route, policies.layer(service)),
    }
}
