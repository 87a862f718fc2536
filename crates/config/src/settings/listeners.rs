//! Where the gateway listens, by either of its keys.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{
    listener::{LISTENER, Listener},
    shared_ports,
};
use crate::{
    diagnostics::{Diagnostic, Spanned},
    read::{Fields, Item, Reader},
    syntax::{Entry, Kind, Node},
};

/// Where a gateway listens when its file does not say: on this machine alone.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<Listener> {
    let listeners = match (fields.entry("listen"), fields.entry("listeners")) {
        (Some(short), Some(long)) => {
            let other = reader.place(long.key_span);
            reader
                .error(short.key_span, "both `listen` and `listeners`")
                .related(other, "`listeners` is here")
                .help("put every address into `listeners`: `- address: 0.0.0.0:8080`");
            Vec::new()
        }
        (Some(short), None) => of_short(&short.value, reader),
        (None, Some(long)) => of_long(long, reader),
        (None, None) => vec![Listener::plain(Spanned::new(LISTEN, fields.span()))],
    };
    shared_ports::check(&listeners, reader);
    listeners.iter().for_each(|listener| warn_of_https(listener, reader));
    listeners
}

/// One address. What else stands there is reported, and read nevertheless.
fn of_short(node: &Node, reader: &mut Reader<'_>) -> Vec<Listener> {
    let (found, help) = match &node.kind {
        Kind::List(_) => {
            ("a list", format!("several go into `listeners`: `listeners: {}`", node.on_one_line()))
        }
        Kind::Map(_) => (
            "a map",
            "what a listener has beside its address goes into `listeners`: `- {address: …}`".to_owned(),
        ),
        _ => return reader.address(node).map(Listener::plain).into_iter().collect(),
    };
    reader.error(node.span, format!("expected an address such as `0.0.0.0:8080`, found {found}")).help(help);
    let nodes = match &node.kind {
        Kind::List(nodes) => nodes,
        _ => std::slice::from_ref(node),
    };
    nodes.iter().filter_map(|node| one(&Item::of(node), reader)).collect()
}

fn of_long(entry: &Entry, reader: &mut Reader<'_>) -> Vec<Listener> {
    let items = reader.items(entry, "a list of listeners", &LISTENER);
    items.iter().filter_map(|item| one(item, reader)).collect()
}

fn one(item: &Item<'_>, reader: &mut Reader<'_>) -> Option<Listener> {
    let listener = match &item.node.kind {
        Kind::Scalar(_) => reader.address(item.node).map(Listener::plain),
        _ => Listener::read(item.node, reader),
    }?;
    let name = listener.name.or_else(|| item.name.clone());
    Some(Listener { name, ..listener })
}

fn warn_of_https(listener: &Listener, reader: &mut Reader<'_>) {
    if listener.address.value.port() == 443 && listener.tls.is_none() && listener.proxy_protocol.is_empty() {
        let place = Some(reader.place(listener.address.span));
        reader.report(Diagnostic::warning(place, "port 443 without TLS: browsers speak HTTPS there")).help(
            "add `tls: {cert: api.pem, key: api.key}` to the listener; behind a proxy that ends TLS, any other port is clearer",
        );
    }
}
