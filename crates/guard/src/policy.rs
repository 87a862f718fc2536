use std::{net::IpAddr, sync::Arc};

use gatewright_core::{Decision, Immediate, Policy, Rejection, RequestRecord};
use http::{StatusCode, request};

use crate::list::IpList;

const NAME: &str = "ip-filter";

/// The policy that [`IpFilterLayer`](crate::IpFilterLayer) makes a layer of.
#[derive(Debug, Clone)]
pub struct IpFilter {
    pub(crate) allow: Arc<[IpList]>,
    pub(crate) deny: Arc<[IpList]>,
    pub(crate) allow_unknown: bool,
}

impl IpFilter {
    /// Whether a client may come from here; `None` stands for an address that is not known.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let Some(address) = address else {
            return self.allow_unknown || (self.allow.is_empty() && self.deny.is_empty());
        };
        let allowed = longest(&self.allow, address);
        match longest(&self.deny, address) {
            Some(denied) => allowed.is_some_and(|allowed| allowed > denied),
            None => allowed.is_some() || self.allow.is_empty(),
        }
    }
}

fn longest(lists: &[IpList], address: IpAddr) -> Option<u8> {
    lists.iter().filter_map(|list| list.longest(address)).max()
}

/// The client after trusted hops, else the peer. Not known where that is only the address of a proxy that cannot name the
/// client.
fn client(request: &request::Parts) -> Option<IpAddr> {
    let record = RequestRecord::of(&request.extensions)?;
    if let Some(client) = record.with(|summary| summary.client) {
        return client.is_address_known().then(|| client.address());
    }
    let connection = record.connection().filter(|connection| !connection.is_client_unknown())?;
    Some(connection.peer().ip())
}

impl Policy for IpFilter {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<(), Immediate> {
        let client = client(request);
        if self.admits(client) {
            return Decision::Allow(());
        }
        let reason = if client.is_some() { "address_denied" } else { "address_unknown" };
        Decision::Refuse(Rejection::new(StatusCode::FORBIDDEN, NAME, reason))
    }
}
