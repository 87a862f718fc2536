//! Upstreams, limits and authenticators: the names that routes use.

use std::collections::BTreeMap;

use super::{Reader, listed, nearest};
use crate::{
    diagnostics::{Diagnostic, Span},
    syntax::{Entry, shorten},
};

/// What a route names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Referent {
    Upstream,
    Limit,
    Authenticator,
}

/// The names of one file.
#[derive(Default)]
pub(super) struct Names(BTreeMap<(Referent, String), Known>);

struct Known {
    span: Span,
    is_used: bool,
}

impl Names {
    fn of(&self, referent: Referent) -> impl Iterator<Item = &str> {
        self.0.keys().filter(move |(known, _)| *known == referent).map(|(_, name)| name.as_str())
    }
}

impl Referent {
    /// What one is called, and the key of the file under which all stand.
    fn called(self) -> (&'static str, &'static str) {
        match self {
            Self::Upstream => ("upstream", "upstreams"),
            Self::Limit => ("limit", "limits"),
            Self::Authenticator => ("authenticator", "auth"),
        }
    }

    /// How one is written.
    fn written(self, name: &str) -> String {
        match self {
            Self::Upstream => format!("an address is written with its port: `{name}:8080`"),
            Self::Limit => "a rate is written `100/min`".to_owned(),
            Self::Authenticator => {
                format!("write it as in `auth: {{{name}: {{api_key: {{keys_file: keys.yaml}}}}}}`")
            }
        }
    }
}

impl Reader<'_> {
    /// Notes a name and reports one that cannot be used. The name is known in any case, so that its routes are not wrong as
    /// well.
    pub(crate) fn define(&mut self, referent: Referent, entry: &Entry, is_name: bool, help: &str) {
        let known = Known { span: entry.key_span, is_used: false };
        self.names.0.insert((referent, entry.key.clone()), known);
        if !is_name {
            let (called, _) = referent.called();
            let article = if referent == Referent::Limit { "a" } else { "an" };
            let message = format!("`{}` cannot name {article} {called}", shorten(&entry.key));
            self.error(entry.key_span, message).help(help);
        }
    }

    /// Notes that a route uses a name, and reports a name that is not known.
    pub(crate) fn refer(&mut self, referent: Referent, name: &str, span: Span) {
        if let Some(known) = self.names.0.get_mut(&(referent, name.to_owned())) {
            known.is_used = true;
            return;
        }
        let ((called, section), written) = (referent.called(), referent.written(name));
        let names = || self.names.of(referent);
        let help = match nearest(name, names()) {
            _ if referent == Referent::Upstream && name.parse::<u16>().is_ok() => {
                format!("a port needs its host: `127.0.0.1:{name}`")
            }
            Some(near) if referent == Referent::Upstream => {
                format!("did you mean `{near}`? Or else {written}")
            }
            Some(near) => format!("did you mean `{near}`?"),
            None if names().next().is_none() => {
                format!("a name has to stand under `{section}:`; {written}")
            }
            None => {
                let names = listed(names().take(12));
                format!("the {called}s are {names}; {written}")
            }
        };
        self.error(span, format!("there is no {called} `{name}`")).help(help);
    }

    /// The first authenticator, by its name.
    pub(crate) fn any_auth(&self) -> Option<&str> {
        self.names.of(Referent::Authenticator).next()
    }

    /// Warns of names that no route uses; but not when the routes are not all known.
    pub(crate) fn warn_of_unused_names(&mut self) {
        if self.has_errors() {
            return;
        }
        let unused = self.names.0.iter().filter(|(_, known)| !known.is_used);
        let unused = unused.map(|((referent, name), known)| {
            let message = format!("no route uses the {} `{name}`", referent.called().0);
            Diagnostic::warning(Some(self.place(known.span)), message)
        });
        let unused: Vec<_> = unused.collect();
        self.problems().extend(unused);
    }
}
