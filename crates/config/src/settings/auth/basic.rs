use std::{path::PathBuf, time::Duration};

use http::HeaderName;

use super::{ID_HEADER, SCOPES, header, scopes};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    settings::optional,
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// Users and passwords.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Basic {
    pub(crate) at: At,
    pub(crate) file: Spanned<PathBuf>,
    pub(crate) realm: Option<Spanned<String>>,
    pub(crate) scopes: Vec<String>,
    /// Zero for not at all.
    pub(crate) remember: Option<Duration>,
    /// How many passwords are verified at a time, and how many wait.
    pub(crate) threads: Option<(usize, usize)>,
    pub(crate) id_header: Option<Spanned<HeaderName>>,
}

pub(super) static BASIC: Section = Section {
    title: "`basic`",
    name: "basic",
    about: "User and password, in `Authorization: Basic`. Verifying a password takes the processor milliseconds, by design: keep a \
            limit by `client_ip` on such routes.",
    keys: &[
        Key::new(
            "file",
            Shape::File,
            "An htpasswd file, with hashes of argon2id or bcrypt (`htpasswd -B`). It is read again by itself when it changes, and a \
             mistake in it then leaves the users as they were.",
            "users.htpasswd",
        ),
        Key::new("realm", Shape::Text, "What the passwords are for, as browsers show it.", "back office")
            .absent("`gateway`"),
        SCOPES,
        Key::new(
            "remember",
            Shape::Any(&[Shape::Duration, Shape::Off]),
            "How long a password that was right need not be verified again. Who is removed from the file is refused at once all the \
             same.",
            "10m",
        )
        .absent("1m"),
        Key::new(
            "threads",
            Shape::Number(1, MOST_THREADS),
            "How many passwords are verified at a time, each on a thread of its own.",
            "2",
        )
        .absent("one for two processors"),
        Key::new(
            "waiting",
            Shape::Number(0, MOST_WAITING),
            "How many may wait for those threads; what comes beyond is answered with 503.",
            "100",
        )
        .absent("32 for each thread"),
        ID_HEADER,
    ],
    rules: &[Rule::Required("file"), Rule::Needs("waiting", "threads")],
    smallest: "{file: users.htpasswd}",
    later: &[],
    aliases: &[("htpasswd", "file"), ("users", "file"), ("path", "file"), ("user_header", "id_header"), ("cache", "remember")],
};

const MOST_THREADS: i64 = 256;
const MOST_WAITING: i64 = 100_000;

/// How many wait for each thread when nothing is said.
const WAITING: usize = 32;

impl Basic {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &BASIC, reader)?;
        let is_whole = fields.keep_their_rules(reader);
        let file = fields.get("file").map(|node| reader.file(node));
        let realm = fields.get("realm").map(|node| reader.spanned_text(node, "a realm"));
        let scopes = fields.get("scopes").map(|node| scopes(node, reader));
        let remember =
            fields.get("remember").map(|node| reader.duration_or_off(node).map(Option::unwrap_or_default));
        let mut count = |key: &str, range| {
            fields
                .get(key)
                .map(|node| reader.number(node, range).and_then(|number| usize::try_from(number).ok()))
        };
        let threads = count("threads", 1..=MOST_THREADS);
        let waiting = count("waiting", 0..=MOST_WAITING);
        let id_header =
            fields.get("id_header").map(|node| header(node, reader).map(|name| Spanned::new(name, node.span)));
        let waiting = optional(waiting)?;
        let read = Self {
            at: At(fields.span()),
            file: optional(file)??,
            realm: optional(realm)?,
            scopes: optional(scopes)?.unwrap_or_default(),
            remember: optional(remember)?,
            threads: optional(threads)?.map(|threads| (threads, waiting.unwrap_or(threads * WAITING))),
            id_header: optional(id_header)?,
        };
        is_whole.then_some(read)
    }
}
