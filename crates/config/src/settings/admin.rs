//! Where the gateway is looked at.

use std::{net::SocketAddr, time::Duration};

use super::Listener;
use crate::{
    diagnostics::Spanned,
    read::{Address, Map, Reader, Value},
    syntax::{Kind, Node},
    vocabulary::{Shape, long_form},
};

long_form! {
    /// Health, readiness and the status page, on an address of their own. An address alone, `127.0.0.1:9901`, stands for one on this
    /// machine. Nobody is asked who they are there, so an address that others can reach is an error until `allow_remote` says
    /// that it is meant.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub(crate) struct Admin {
        title: "`admin`";
        name: "admin";
        smallest: "{address: 127.0.0.1:9901}";
        later: ["tls", "auth"];

        /// The address. Port 0 is any that is free.
        address: required Address, "127.0.0.1:9901", alias ["listen", "bind"];
        /// Whether the address may be one that other machines can reach: within a container, or a network that you trust.
        allow_remote: default bool, "on", absent "`off`";
        /// Names under which it answers, beside IP addresses and `localhost`. Others get 421, so that no page of a stranger reads it
        /// through a browser under a name of its own.
        hosts: default Vec<String>, "[gateway.internal]", absent "none";
        /// How long a request may take before the page shows it as a slow one.
        slow: optional Duration, "500ms", absent "1s";
    }
}

impl Value for Admin {
    type Kept = Option<Self>;
    const SHAPE: Shape = Shape::Any(&[Shape::Off, Shape::Address, Shape::Map(Self::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Option<Self>> {
        if Reader::is_off(node) {
            return Some(None);
        }
        let admin = match node.kind {
            Kind::Map(_) => Self::read_long(node, reader)?,
            _ => Self::on(Address::read(node, reader)?),
        };
        if !admin.allow_remote && !admin.address.value.ip().to_canonical().is_loopback() {
            let address = admin.address.value;
            reader
                .error(admin.address.span, format!("other machines can reach the admin on `{address}`"))
                .help(format!(
                    "write `127.0.0.1:{}` for this machine alone; where the network is trusted: `{{address: \"{address}\", allow_remote: on}}`",
                    address.port()
                ));
        }
        Some(Some(admin))
    }
}

impl Admin {
    fn on(address: Spanned<SocketAddr>) -> Self {
        let (allow_remote, hosts, slow) = Default::default();
        Self { address, allow_remote, hosts, slow }
    }
}

/// Reports a listener that has the port of the admin.
pub(super) fn check(admin: Option<&Admin>, listeners: &[Listener], reader: &mut Reader<'_>) {
    let Some(Admin { address, .. }) = admin else { return };
    let (ip, port) = (address.value.ip().to_canonical(), address.value.port());
    let conflicts = |listener: &&Listener| {
        let other = listener.address.value.ip().to_canonical();
        listener.address.value.port() == port && (other == ip || other.is_unspecified() || ip.is_unspecified())
    };
    if port == 0 {
        return;
    }
    if let Some(listener) = listeners.iter().find(conflicts) {
        let place = reader.place(listener.address.span);
        reader
            .error(address.span, format!("the admin has the port of a listener, {port}"))
            .related(place, "the listener is here")
            .help("give the admin another port: `admin: 127.0.0.1:9901`");
    }
}
