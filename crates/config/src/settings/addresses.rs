//! Which clients may come, by their addresses.

use std::path::PathBuf;

use gatewright_core::IpNetwork;

use crate::{
    diagnostics::Spanned,
    read::{Map, Reader, Value},
    syntax::{Kind, Node},
    vocabulary::{Shape, map},
};

/// Networks, and files of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Addresses {
    pub(crate) networks: Vec<IpNetwork>,
    pub(crate) files: Vec<Spanned<PathBuf>>,
}

map! {
    /// A file with one network or address a line; `#` begins a comment. The gateway reads it again when it changes; a mistake in
    /// it then leaves the list as it was. In `deny_ips`, an empty file is a mistake: write a comment when nothing is denied.
    #[derive(Debug)]
    pub(crate) struct AddressFile {
        title: "a list of addresses";
        name: "address_file";
        smallest: "{file: partners.txt}";

        /// The path of the file.
        file: required PathBuf, "partners.txt", alias ["path"];
    }
}

/// Networks and files; `off` stands for a list that is not there.
impl Value for Addresses {
    type Kept = Option<Self>;
    const SHAPE: Shape = Shape::Any(&[
        Shape::Off,
        Shape::List(&Shape::Any(&[Shape::Network, Shape::Map(AddressFile::SECTION)])),
    ]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Option<Self>> {
        if Reader::is_off(node) {
            return Some(None);
        }
        let mut addresses = Self::default();
        let mut is_whole = true;
        for node in reader.list(node, "a list of networks") {
            match &node.kind {
                Kind::Map(_) => match AddressFile::read(node, reader) {
                    Some(AddressFile { file }) => addresses.files.push(file),
                    None => is_whole = false,
                },
                _ => match reader.network(node) {
                    Some(network) => addresses.networks.push(network),
                    None => is_whole = false,
                },
            }
        }
        let is_empty = addresses.networks.is_empty() && addresses.files.is_empty();
        (is_whole && !is_empty).then_some(Some(addresses))
    }
}
