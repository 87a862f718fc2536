use std::{
    net::IpAddr,
    sync::{Arc, Once},
};

use gatewright_core::{Decision, Immediate, Policy, Rejection, RequestRecord};
use http::{StatusCode, request};

use crate::list::IpList;

const NAME: &str = "ip-filter";

/// The policy of [`IpFilterLayer`](crate::IpFilterLayer).
#[derive(Debug, Clone)]
pub struct IpFilter {
    pub(crate) allow: Arc<[IpList]>,
    pub(crate) deny: Arc<[IpList]>,
    pub(crate) allow_unknown: bool,
}

impl IpFilter {
    /// Whether the lists admit a client with this address; `None` stands for an address that nobody knows.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else {
            return self.allow_unknown || !self.has_lists();
        };
        let allowed = longest(&self.allow, address);
        match longest(&self.deny, address) {
            Some(denied) => allowed.is_some_and(|allowed| allowed > denied),
            None => allowed.is_some() || self.allow.is_empty(),
        }
    }

    fn has_lists(&self) -> bool {
        !(self.allow.is_empty() && self.deny.is_empty())
    }
}

fn longest(lists: &[IpList], address: IpAddr) -> Option<u8> {
    lists.iter().filter_map(|list| list.longest(address)).max()
}

/// What is known of the client's address.
enum ClientAddress {
    /// The client after trusted hops, else the peer of the connection.
    Known(IpAddr),
    /// A trusted proxy does not name its client.
    Hidden,
    /// Neither a server nor a layer has said who the peer is.
    Missing,
}

impl ClientAddress {
    fn of(request: &request::Parts) -> Self {
        let Some(record) = RequestRecord::of(&request.extensions) else { return Self::Missing };
        if let Some(client) = record.with(|summary| summary.client) {
            return if client.is_address_known() { Self::Known(client.address()) } else { Self::Hidden };
        }
        match record.connection() {
            Some(connection) if connection.is_client_unknown() => Self::Hidden,
            Some(connection) => Self::Known(connection.peer().ip()),
            None => Self::Missing,
        }
    }
}

/// Tells the embedder once per process that the stack lacks a layer. Every request would repeat the same line.
#[cold]
fn warn_of_missing_address() {
    static WARNING: Once = Once::new();
    WARNING.call_once(|| {
        tracing::warn!(
            "IpFilterLayer cannot judge a request, because neither the server nor a layer has said which address the \
             request comes from. Put a ClientInfoLayer around IpFilterLayer. Under axum, read the peer with \
             `ClientInfoLayer::peer_from` from `ConnectInfo`, and serve with `into_make_service_with_connect_info`. Under \
             another server, put a RequestRecord with a ConnectionInfo into the extensions of the request"
        );
    });
}

impl Policy for IpFilter {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<(), Immediate> {
        let known = match ClientAddress::of(request) {
            ClientAddress::Known(address) => Some(address),
            ClientAddress::Hidden => None,
            ClientAddress::Missing => {
                if self.has_lists() {
                    warn_of_missing_address();
                }
                None
            }
        };
        if self.admits(known) {
            return Decision::Allow(());
        }
        let reason = if known.is_some() { "address_denied" } else { "address_unknown" };
        Decision::Refuse(Rejection::new(StatusCode::FORBIDDEN, NAME, reason))
    }
}
