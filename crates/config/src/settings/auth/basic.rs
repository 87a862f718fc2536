use std::path::PathBuf;

use http::HeaderName;

use super::Scope;
use crate::{
    diagnostics::{At, Spanned},
    read::{DurationOrOff, Number},
    vocabulary::{Relation, Rule, map},
};

map! {
    /// User and password, in `Authorization: Basic`. Verifying a password takes the processor milliseconds, by design: keep a limit
    /// by `client_ip` on such routes.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Basic {
        title: "`basic`";
        name: "basic";
        smallest: "{file: users.htpasswd}";
        rules: [Rule::new(Relation::Needs("waiting", "threads"))];
        also { at: At }

        /// An htpasswd file, with hashes of argon2id or bcrypt (`htpasswd -B`). The gateway reads it again when it changes, and a
        /// mistake in it then leaves the users as they were.
        file: required PathBuf, "users.htpasswd", alias ["htpasswd", "users", "path"];
        /// What the passwords are for, as browsers show it.
        realm: optional Spanned<String>, "back office", absent "`gateway`";
        /// The scopes that every caller gets by this authenticator.
        scopes: default Vec<Scope>, "[telemetry:write]";
        /// How long a password that was right is not verified again; `off` verifies it each time. A user who is removed from the
        /// file is refused at once all the same.
        remember: optional DurationOrOff, "10m", absent "1m", alias ["cache"];
        /// How many passwords are verified at a time, each on a thread of its own.
        threads: optional Number<usize, 1, 256>, "2", absent "one for two processors";
        /// How many passwords may wait for those threads; more are answered with 503.
        waiting: optional Number<usize, 0, 100_000>, "100", absent "32 for each thread";
        /// The header in which services are told who calls. It is removed from what clients send, on every route of the file.
        id_header: optional Spanned<HeaderName>, "x-caller", alias ["user_header"];
    }
}

/// How many passwords wait for each thread when nothing is said.
const WAITING: usize = 32;

impl Basic {
    /// How many passwords are verified at a time, and how many wait.
    pub(crate) fn threads(&self) -> Option<(usize, usize)> {
        self.threads.map(|threads| (threads, self.waiting.unwrap_or(threads * WAITING)))
    }
}
