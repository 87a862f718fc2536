//! Lists of addresses.

use std::{error::Error, path::PathBuf};

use gatewright_guard::{IpFilter, IpFilterLayer, IpList};

use super::keeper::Keeper;
use crate::{
    diagnostics::Spanned,
    read::Reader,
    settings::{Addresses, Guards},
};

/// The files of addresses, each read once. One that was read before goes on: it follows its file by itself.
pub(super) struct Lists(Keeper<(Kind, PathBuf), IpList>);

/// What becomes of those on a list.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Allow,
    Deny,
}

impl Lists {
    /// Replaces these lists; nothing has been read yet.
    pub(super) fn following(before: Option<&Self>) -> Self {
        Self(Keeper::following(before.map(|before| &before.0)))
    }

    /// The filter of a route, when it has one.
    pub(super) fn filter(&mut self, guards: &Guards, reader: &mut Reader<'_>) -> Option<IpFilter> {
        let (allow, deny) = (guards.allow(), guards.deny());
        if allow.is_none() && deny.is_none() {
            return None;
        }
        let mut layer = IpFilterLayer::new();
        if guards.allow_unknown() {
            layer = layer.allow_unknown();
        }
        for list in allow.into_iter().flat_map(|addresses| self.lists(Kind::Allow, addresses, reader)) {
            layer = layer.allow_list(list);
        }
        for list in deny.into_iter().flat_map(|addresses| self.lists(Kind::Deny, addresses, reader)) {
            layer = layer.deny_list(list);
        }
        Some(layer.into_policy())
    }

    fn lists(&mut self, kind: Kind, addresses: &Addresses, reader: &mut Reader<'_>) -> Vec<IpList> {
        let written = (!addresses.networks.is_empty()).then(|| addresses.networks.iter().copied().collect());
        let files = addresses.files.iter().filter_map(|file| self.file(kind, file, reader));
        files.chain(written).collect()
    }

    fn file(&mut self, kind: Kind, file: &Spanned<PathBuf>, reader: &mut Reader<'_>) -> Option<IpList> {
        Some(self.0.get((kind, file.value.clone()), |_| open(kind, file, reader))?.built)
    }

    /// Forgets the lists of before.
    pub(super) fn settle(&mut self) {
        self.0.settle();
    }
}

fn open(kind: Kind, file: &Spanned<PathBuf>, reader: &mut Reader<'_>) -> Option<IpList> {
    let opened = match kind {
        Kind::Allow => IpList::open(&file.value),
        Kind::Deny => IpList::open_filled(&file.value),
    };
    let error = match opened {
        Ok(list) => return Some(list),
        Err(error) => error,
    };
    // The configuration may become right when the file does.
    let readable = reader.read_file(&file.value);
    let path = file.value.display().to_string();
    match (readable, error.source()) {
        (Err(error), _) => reader.unreadable(file.span, &path, &error),
        (Ok(_), Some(reason)) => {
            reader.error(file.span, format!("`{path}` is not a list of addresses")).help(reason.to_string());
        }
        (Ok(_), None) => {
            reader.error(file.span, error.to_string());
        }
    }
    None
}
