//! Where the gateway listens, by either of its keys.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::{listener::Listener, shared_ports};
use crate::{
    diagnostics::{Diagnostic, Spanned},
    read::{Fields, Item, Keys, Map, Readable, Reader, Value},
    syntax::{Entry, Kind, Node},
    vocabulary::{Shape, Table, group},
};

/// Where a gateway listens when its file does not say: on this machine alone.
const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8080));

group! {
    /// One listener, or several.
    #[derive(Debug)]
    pub(crate) struct Listeners {
        /// The address of one listener without TLS.
        listen: lenient Listen, "0.0.0.0:8080", absent "`127.0.0.1:8080`, when there are no `listeners` either",
            alias ["bind"];
        /// The listeners, in place of `listen`.
        listeners: lenient SeveralListeners, "[{address: 0.0.0.0:8443, tls: {cert: api.pem, key: api.key}}]";
    }
}

impl Keys for Vec<Listener> {
    const TABLE: &'static Table = Listeners::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Listeners { listen, listeners } = Listeners::of(fields, reader)?;
        let listeners = match (fields.get("listen"), fields.get("listeners")) {
            // That is an error, which was reported.
            (Some(_), Some(_)) => Vec::new(),
            (None, None) => vec![Listener::plain(Spanned::new(LISTEN, fields.span()))],
            _ => [listen, listeners].concat(),
        };
        shared_ports::check(&listeners, reader);
        listeners.iter().for_each(|listener| warn_of_https(listener, reader));
        Some(listeners)
    }
}

/// One address.
pub(crate) struct Listen;

impl Value for Listen {
    type Kept = Vec<Listener>;
    const SHAPE: Shape = Shape::Address;

    /// What else stands there is reported, and read nevertheless.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Listener>> {
        let (found, help) = match &node.kind {
            Kind::List(_) => {
                ("a list", format!("several go into `listeners`: `listeners: {}`", node.on_one_line()))
            }
            Kind::Map(_) => (
                "a map",
                "what a listener has beside its address goes into `listeners`: `- {address: …}`".to_owned(),
            ),
            _ => return Some(reader.address(node).map(Listener::plain).into_iter().collect()),
        };
        reader
            .error(node.span, format!("expected an address such as `0.0.0.0:8080`, found {found}"))
            .help(help);
        let nodes = match &node.kind {
            Kind::List(nodes) => nodes,
            _ => std::slice::from_ref(node),
        };
        Some(nodes.iter().filter_map(|node| one(&Item::of(node), reader)).collect())
    }
}

/// Listeners of which wrong ones are left out.
pub(crate) struct SeveralListeners;

impl Value for SeveralListeners {
    type Kept = Vec<Listener>;
    const SHAPE: Shape = Shape::List(&Listener::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Listener>> {
        Readable::<Listener>::read(node, reader)
    }

    fn read_entry(entry: &Entry, reader: &mut Reader<'_>) -> Option<Vec<Listener>> {
        let items = reader.items(entry, Self::SHAPE, Listener::SECTION);
        Some(items.iter().filter_map(|item| one(item, reader)).collect())
    }
}

fn one(item: &Item<'_>, reader: &mut Reader<'_>) -> Option<Listener> {
    let listener = Listener::read(item.node, reader)?;
    let name = listener.name.or_else(|| item.name.clone());
    Some(Listener { name, ..listener })
}

fn warn_of_https(listener: &Listener, reader: &mut Reader<'_>) {
    if listener.address.value.port() == 443 && listener.tls.is_none() && listener.proxy_protocol.from.is_empty()
    {
        let place = Some(reader.place(listener.address.span));
        reader.report(Diagnostic::warning(place, "port 443 without TLS: browsers speak HTTPS there")).help(
            "add `tls: {cert: api.pem, key: api.key}` to the listener; behind a proxy that ends TLS, any other port is clearer",
        );
    }
}
