use super::{Addresses, LimitRef, optional};
use crate::read::{Fields, Reader};

/// Who may come to a route, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Guards {
    /// As for the others: `None` when nothing is said, `Some(None)` for `off`.
    allow: Option<Option<Addresses>>,
    deny: Option<Option<Addresses>>,
    allow_unknown: Option<bool>,
    limits: Option<Vec<LimitRef>>,
}

impl Guards {
    pub(super) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let allow = fields.get("allow_ips").map(|node| Addresses::read(node, reader));
        let deny = fields.get("deny_ips").map(|node| Addresses::read(node, reader));
        let allow_unknown = fields.get("unknown_ips").map(|node| {
            let choices = [("deny", false), ("allow", true)];
            reader.choice(node, "what becomes of clients whose address nobody knows", &choices)
        });
        let limits = fields.get("limit").map(|node| LimitRef::read_all(node, reader));
        Some(Self {
            allow: optional(allow)?,
            deny: optional(deny)?,
            allow_unknown: optional(allow_unknown)?,
            limits: optional(limits)?,
        })
    }

    /// In the place of what could not be read: nothing, also where `defaults` has something, so that no other error follows.
    pub(super) const UNREAD: Self =
        Self { allow: Some(None), deny: Some(None), allow_unknown: None, limits: Some(Vec::new()) };

    /// What is left out here, as `defaults` has it.
    pub(crate) fn or(&self, defaults: &Self) -> Self {
        Self {
            allow: self.allow.clone().or_else(|| defaults.allow.clone()),
            deny: self.deny.clone().or_else(|| defaults.deny.clone()),
            allow_unknown: self.allow_unknown.or(defaults.allow_unknown),
            limits: self.limits.clone().or_else(|| defaults.limits.clone()),
        }
    }

    pub(crate) fn allow(&self) -> Option<&Addresses> {
        self.allow.as_ref()?.as_ref()
    }

    pub(crate) fn deny(&self) -> Option<&Addresses> {
        self.deny.as_ref()?.as_ref()
    }

    /// Whether those come in whose address nobody knows.
    pub(crate) fn allow_unknown(&self) -> bool {
        self.allow_unknown.unwrap_or_default()
    }

    pub(crate) fn limits(&self) -> &[LimitRef] {
        self.limits.as_deref().unwrap_or_default()
    }
}
