use std::{path::PathBuf, time::Duration};

use crate::{
    diagnostics::Spanned,
    read::{Fields, Reader},
    settings::optional,
    vocabulary::{Key, Shape},
};

/// How an identity provider is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Provider {
    pub(crate) ca: Option<Spanned<PathBuf>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) cleartext: bool,
}

pub(super) const CA: Key = Key::new(
    "ca",
    Shape::File,
    "The authorities that the provider's certificate is checked against.",
    "internal.pem",
)
.absent("the system's");

pub(super) const TIMEOUT: Key = Key::new(
    "timeout",
    Shape::Duration,
    "How long an answer of the provider may take, from the connection to the last byte.",
    "2s",
)
.absent("5s");

pub(super) const CLEARTEXT: Key = Key::new(
    "cleartext",
    Shape::Flag,
    "Whether `http://` will do. Whoever can touch the network on the way then decides who may come in.",
    "on",
)
.absent("`off`");

impl Provider {
    pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let ca = fields.get("ca").map(|node| reader.file(node));
        let timeout = fields.get("timeout").map(|node| reader.duration(node));
        let cleartext = fields.get("cleartext").map(|node| reader.flag(node));
        Some(Self {
            ca: optional(ca)?,
            timeout: optional(timeout)?,
            cleartext: optional(cleartext)?.unwrap_or_default(),
        })
    }
}
