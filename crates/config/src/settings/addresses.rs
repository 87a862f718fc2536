//! Which clients may come, by their addresses.

use std::path::PathBuf;

use gatewright_core::IpNetwork;

use crate::{
    diagnostics::Spanned,
    read::{Fields, Reader},
    syntax::{Kind, Node},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Networks, and files of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Addresses {
    pub(crate) networks: Vec<IpNetwork>,
    pub(crate) files: Vec<Spanned<PathBuf>>,
}

const ADDRESSES: Shape =
    Shape::Any(&[Shape::Off, Shape::List(&Shape::Any(&[Shape::Network, Shape::Map(&ADDRESS_FILE)]))]);

pub(super) const ALLOW_IPS: Key = Key::new(
    "allow_ips",
    ADDRESSES,
    "Clients that may come, when not all may. Of all networks here and in `deny_ips` that hold an address, the one with the \
     longest prefix decides, and of equals the one that denies. Others get 403.",
    "[192.0.2.0/24, \"2001:db8::/32\"]",
);

pub(super) const DENY_IPS: Key =
    Key::new("deny_ips", ADDRESSES, "Clients that may not come.", "[198.51.100.0/24, 203.0.113.7]");

pub(super) const UNKNOWN_IPS: Key = Key::new(
    "unknown_ips",
    Shape::Word(&["deny", "allow"]),
    "What `allow_ips` and `deny_ips` do with clients whose address nobody knows: a trusted proxy names none \
     (`unknown`), or names it so that it cannot be read.",
    "allow",
);

static ADDRESS_FILE: Section = Section {
    title: "a list of addresses",
    name: "address_file",
    about: "A file with one network or address a line; `#` begins a comment. It is read again by itself when it changes, and a \
            mistake in it then leaves the list as it was. In `deny_ips`, an empty file is a mistake; a comment says that nothing \
            else is meant.",
    keys: &[Key::new("file", Shape::File, "Its path.", "partners.txt")],
    rules: &[Rule::Required("file")],
    smallest: "{file: partners.txt}",
    later: &[],
    aliases: &[("path", "file")],
};

impl Addresses {
    /// Networks and files; `off` stands for a list that is not there.
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Option<Self>> {
        if Reader::is_off(node) {
            return Some(None);
        }
        let mut addresses = Self::default();
        let mut whole = true;
        for node in reader.list(node, "a list of networks") {
            match &node.kind {
                Kind::Map(_) => match file(node, reader) {
                    Some(file) => addresses.files.push(file),
                    None => whole = false,
                },
                _ => match reader.network(node) {
                    Some(network) => addresses.networks.push(network),
                    None => whole = false,
                },
            }
        }
        let is_empty = addresses.networks.is_empty() && addresses.files.is_empty();
        (whole && !is_empty).then_some(Some(addresses))
    }
}

fn file(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<PathBuf>> {
    let fields = Fields::read(node, &ADDRESS_FILE, reader)?;
    let file = fields.required("file", reader)?;
    reader.file(file)
}
