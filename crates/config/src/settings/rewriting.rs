use super::{HeaderEdits, matching::check_regex, optional};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// How a request is changed before it goes to its upstream, and the response before it goes back.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rewrite {
    pub(crate) path: Option<PathRewrite>,
    pub(crate) host: Option<Spanned<String>>,
    pub(crate) request_headers: HeaderEdits,
    pub(crate) response_headers: HeaderEdits,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum PathRewrite {
    /// Puts another prefix in place of the route's.
    Prefix(Spanned<String>),
    /// Puts another path in place of the whole, with the route's parameters or captures.
    Path(Spanned<String>),
    /// Replaces what a regular expression matches.
    Regex(Spanned<String>, Spanned<String>),
}

/// The answer in place of an upstream.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Redirect {
    pub(crate) at: At,
    pub(crate) status: Option<Spanned<u16>>,
    pub(crate) scheme: Option<Spanned<String>>,
    pub(crate) host: Option<Spanned<String>>,
    pub(crate) port: Option<Spanned<u16>>,
    pub(crate) path: Option<PathRewrite>,
}

pub(super) static REWRITE: Section = Section {
    title: "`rewrite`",
    name: "rewrite",
    about: "How a request is changed before it goes to its upstream, and the response before it goes back.",
    keys: &[
        Key::new(
            "prefix",
            Shape::NewPath,
            "What stands in place of what the route's `path_prefix` matched.",
            "/internal/orders",
        ),
        Key::new(
            "path",
            Shape::NewPath,
            "The whole path anew, with the route's parameters (`{id}`) or captures (`$1`).",
            "/internal/orders",
        ),
        Key::new(
            "regex",
            Shape::Regex,
            "For the whole path; `path` is then made of what it captured. A path that it does not match stays.",
            "'/v1/(.*)'",
        ),
        Key::new("host", Shape::Host, "The `Host` that the upstream sees.", "users.internal"),
        Key::new(
            "request_headers",
            Shape::Map(&super::headers::HEADERS),
            "Headers that the upstream sees.",
            "{set: {x-via: gatewright}, remove: [cookie]}",
        ),
        Key::new(
            "response_headers",
            Shape::Map(&super::headers::HEADERS),
            "Headers that the client sees.",
            "{remove: [server]}",
        ),
    ],
    rules: &[
        Rule::AtMostOne(&["prefix", "path"]),
        Rule::AtMostOne(&["prefix", "regex"]),
        Rule::Needs("regex", "path"),
    ],
    smallest: "{}",
    later: &["query"],
    aliases: &[
        ("headers", "request_headers"),
        ("path_prefix", "prefix"),
        ("uri", "path"),
        ("strip_prefix", "prefix"),
    ],
};

pub(super) static REDIRECT: Section = Section {
    title: "`redirect`",
    name: "redirect",
    about: "The gateway's own answer: where the client shall go instead. What is not said stays as it was asked for, the query too. It is \
            served as it is written, to a request that already is where it would be sent as well; one that would send every request of its \
            route to where it is is an error.",
    keys: &[
        Key::new("scheme", Shape::Word(&["http", "https"]), "The scheme of the new URL.", "https"),
        Key::new("host", Shape::Host, "Its host.", "www.example.com"),
        Key::new("port", Shape::Number(1, 65_535), "Its port.", "8443"),
        Key::new(
            "path",
            Shape::NewPath,
            "Its whole path, with the route's parameters (`{id}`) or captures (`$1`).",
            "/v1/orders",
        ),
        Key::new(
            "prefix",
            Shape::NewPath,
            "What stands in place of what the route's `path_prefix` matched.",
            "/v2",
        ),
        Key::new("status", Shape::Word(&["301", "302", "303", "307", "308"]), "The status.", "308")
            .absent("302"),
    ],
    rules: &[
        Rule::AtLeastOne(&["scheme", "host", "port", "path", "prefix"]),
        Rule::AtMostOne(&["path", "prefix"]),
    ],
    smallest: "{path: /v1/orders}",
    later: &[],
    aliases: &[("code", "status"), ("path_prefix", "prefix"), ("to", "path"), ("location", "path")],
};

impl Rewrite {
    /// `prefixed` says whether the route that it belongs to has a prefix. What is wrong is reported and left out, so that the
    /// rest can be looked at further.
    pub(crate) fn read(node: &Node, prefixed: bool, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &REWRITE, reader)?;
        let path = match (fields.entry("regex"), fields.get("path")) {
            (Some(regex), Some(path)) => {
                if let Some(prefix) = fields.entry("prefix") {
                    reader.error(prefix.key_span, "both `prefix` and `regex`").help("keep one of them");
                }
                let regex = reader.spanned_text(&regex.value, "a regular expression");
                let regex = regex.filter(|regex| check_regex(&regex.value, regex.span, reader).is_some());
                Some(regex.zip(replacement(path, reader)).map(|(regex, path)| PathRewrite::Regex(regex, path)))
            }
            (Some(regex), None) => {
                reader
                    .error(regex.key_span, "`regex` needs `path`")
                    .help("`path` is what the match is replaced by: `{regex: '^/v1/(.*)$', path: '/$1'}`");
                Some(None)
            }
            (None, _) => path_or_prefix(&fields, prefixed, reader),
        };
        let host = fields.get("host").map(|node| reader.spanned_text(node, "a host name"));
        let request = fields.get("request_headers").map(|node| HeaderEdits::read(node, reader));
        let response = fields.get("response_headers").map(|node| HeaderEdits::read(node, reader));
        Some(Self {
            path: path.flatten(),
            host: host.flatten(),
            request_headers: request.flatten().unwrap_or_default(),
            response_headers: response.flatten().unwrap_or_default(),
        })
    }
}

fn path_or_prefix(fields: &Fields<'_>, prefixed: bool, reader: &mut Reader<'_>) -> Option<Option<PathRewrite>> {
    match (fields.entry("prefix"), fields.entry("path")) {
        (Some(prefix), Some(_)) => {
            reader
                .error(prefix.key_span, "both `prefix` and `path`")
                .help("`path` replaces the whole path, `prefix` only what the route's `path_prefix` matched");
            Some(None)
        }
        (Some(prefix), None) if !prefixed => {
            reader.error(prefix.key_span, "`prefix` without a `path_prefix` in the route").help(
                "it replaces what `path_prefix` matched; here write `path:`, which replaces the whole path",
            );
            Some(None)
        }
        (Some(prefix), None) => Some(replacement(&prefix.value, reader).map(PathRewrite::Prefix)),
        (None, Some(path)) => Some(replacement(&path.value, reader).map(PathRewrite::Path)),
        (None, None) => None,
    }
}

fn replacement(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let path = reader.spanned_text(node, "a path")?;
    if path.value.starts_with(['/', '$']) {
        return Some(path);
    }
    reader.error(path.span, "the new path does not begin with `/`").help(format!("write `/{}`", path.value));
    None
}

impl Redirect {
    pub(crate) fn read(node: &Node, prefixed: bool, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &REDIRECT, reader)?;
        let scheme = fields.get("scheme").map(|node| {
            let choices = [("http", "http"), ("https", "https")];
            let scheme = reader.choice(node, "a scheme", &choices)?;
            Some(Spanned::new(scheme.to_owned(), node.span))
        });
        let host = fields.get("host").map(|node| reader.spanned_text(node, "a host name"));
        let port = fields.get("port").map(|node| number(node, 1..=65535, reader));
        let path = path_or_prefix(&fields, prefixed, reader);
        let status = fields.get("status").map(|node| status(node, reader));
        if [
            fields.get("scheme"),
            fields.get("host"),
            fields.get("port"),
            fields.get("path"),
            fields.get("prefix"),
        ]
        .iter()
        .all(Option::is_none)
        {
            reader
                .error(fields.span(), "a redirect that leads to where the request was")
                .help("say what changes: `scheme`, `host`, `port`, `path` or `prefix`");
            return None;
        }
        Some(Self {
            at: At(fields.span()),
            // Where it leads does not hang on this.
            status: status.flatten(),
            scheme: optional(scheme)?,
            host: optional(host)?,
            port: optional(port)?,
            path: optional(path)?,
        })
    }
}

fn number(node: &Node, range: std::ops::RangeInclusive<i64>, reader: &mut Reader<'_>) -> Option<Spanned<u16>> {
    let number = reader.number(node, range)?;
    u16::try_from(number).ok().map(|number| Spanned::new(number, node.span))
}

fn status(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<u16>> {
    let choices = [("301", 301), ("302", 302), ("303", 303), ("307", 307), ("308", 308)];
    let status = reader.choice(node, "the status of a redirect", &choices)?;
    Some(Spanned::new(status, node.span))
}
