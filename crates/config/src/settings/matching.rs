use gatewright_core::pattern::PathPattern;
use gatewright_router::Route;
use http::{HeaderName, Method};

use super::{headers, location, optional};
use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    read::{Fields, Reader},
    syntax::{Kind, Node, shorten},
    vocabulary::{Key, Rule, Section, Shape},
};

/// Which requests a route takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Matcher {
    pub(crate) path: Spanned<PathMatch>,
    pub(crate) hosts: Vec<Spanned<String>>,
    pub(crate) listeners: Vec<Spanned<String>>,
    pub(crate) scheme: Option<UrlScheme>,
    pub(crate) methods: Vec<Spanned<Method>>,
    pub(crate) headers: Vec<(HeaderName, ValueMatch)>,
    pub(crate) query: Vec<(String, ValueMatch)>,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum UrlScheme {
    Http,
    Https,
}

/// A header's or a query parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ValueMatch {
    Exact(String),
    /// A regular expression for the whole value.
    Regex(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum PathMatch {
    /// This path, which may hold parameters: `/v1/users/{id}`.
    Exact(String),
    /// This path and all below it.
    Prefix(String),
    /// A regular expression over the path.
    Regex(String),
}

pub(super) static MATCH: Section = Section {
    title: "`match`",
    name: "match",
    about: "What a request has to carry; all of it.",
    keys: &[
        Key::new(
            "headers",
            Shape::Named(&Shape::HeaderName, &VALUE_OR_TEXT),
            "Headers with their values. Several lines of one header count as one, joined by `, `.",
            "{x-api-version: 2}",
        ),
        Key::new(
            "query",
            Shape::Named(&Shape::Text, &VALUE_OR_TEXT),
            "Parameters of the query with their values, decoded; of several with one name, the first counts.",
            "{beta: {regex: 'yes|1'}}",
        ),
    ],
    rules: &[],
    smallest: "{}",
    later: &["cookies"],
    aliases: &[("header", "headers"), ("query_params", "query"), ("queries", "query")],
};

const VALUE_OR_TEXT: Shape = Shape::Any(&[Shape::Text, Shape::Map(&VALUE)]);

static VALUE: Section = Section {
    title: "a matched value",
    name: "value",
    about: "The value itself stands for `{exact: …}`.",
    keys: &[
        Key::new("exact", Shape::Text, "The whole value.", "gold"),
        Key::new("regex", Shape::Regex, "A regular expression for the whole value.", "gold|silver"),
    ],
    rules: &[Rule::ExactlyOne(&["exact", "regex"])],
    smallest: "{exact: gold}",
    later: &[],
    aliases: &[("value", "exact"), ("is", "exact")],
};

/// The three keys of which a route has one.
pub(super) const PATH_KEYS: [&str; 3] = ["path", "path_prefix", "path_regex"];

impl Matcher {
    /// Reads the matching keys of a route.
    pub(crate) fn read(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let path = path(fields, reader);
        let hosts = fields.get("host").map(|node| hosts(node, reader)).unwrap_or_default();
        let listeners = fields.get("listener").map(|node| listeners(node, reader)).unwrap_or_default();
        let scheme = fields.get("scheme").map(|node| {
            reader.choice(node, "a scheme", &[("http", UrlScheme::Http), ("https", UrlScheme::Https)])
        });
        let methods = fields.get("methods").map(|node| methods(node, reader)).unwrap_or_default();
        let (mut headers, mut query) = (Vec::new(), Vec::new());
        if let Some(fields) = fields.get("match").and_then(|node| Fields::read(node, &MATCH, reader)) {
            for (name, value, span) in fields.get("headers").map(|node| pairs(node, reader)).unwrap_or_default()
            {
                let name = headers::name(&name, span, reader);
                headers.extend(name.map(|name| (name, value)));
            }
            for (name, value, _) in fields.get("query").map(|node| pairs(node, reader)).unwrap_or_default() {
                query.push((name, value));
            }
        }
        Some(Self { path: path?, hosts, listeners, scheme: optional(scheme)?, methods, headers, query })
    }
}

fn path(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Spanned<PathMatch>> {
    let mut written = PATH_KEYS.iter().filter_map(|key| fields.entry(key));
    let Some(entry) = written.next() else {
        if fields.is_meant(&PATH_KEYS) {
            return None;
        }
        reader.error(fields.span(), "a route without a path").help(
            "add `path: /healthz`, `path_prefix: /v1/orders` or `path_regex`; `path_prefix: /` takes all",
        );
        return None;
    };
    if let Some(second) = written.next() {
        let first = reader.place(entry.key_span);
        reader
            .error(second.key_span, format!("`{}` and `{}` in one route", entry.key, second.key))
            .related(first, format!("`{}` is here", entry.key))
            .help("a route has one of `path`, `path_prefix` and `path_regex`; make two routes of it");
        return None;
    }
    let text = reader.text(&entry.value, "a path")?.to_owned();
    let span = entry.value.span;
    if entry.key == "path_regex" {
        check_regex(&text, span, reader)?;
        return Some(Spanned::new(PathMatch::Regex(text), span));
    }
    if !text.starts_with('/') {
        let problem = reader.error(span, format!("the path `{}` does not begin with `/`", shorten(&text)));
        match (location::meant(&text), text.split_once("://")) {
            (Some(help), _) => problem.help(help),
            (None, Some(_)) => problem.help("write the path alone; the host goes into `host:`"),
            (None, None) => problem.help(format!("write `/{}`", shorten(&text))),
        };
        return None;
    }
    if let Some(bad) = text.chars().find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control()) {
        let problem =
            reader.error(span, format!("the path `{}` holds `{}`", shorten(&text), bad.escape_default()));
        match bad {
            '?' => problem.help("what is to match in the query goes into `match: {query: {name: value}}`"),
            _ => problem.help(format!("write it as `%{:02X}`, if it is meant", u32::from(bad))),
        };
        return None;
    }
    if let Err(error) = PathPattern::parse(&text) {
        let part = text.get(error.place()).filter(|part| !part.is_empty()).unwrap_or(&text);
        reader.error(span, format!("the path holds `{}`", shorten(part))).help(error.hint());
        return None;
    }
    warn_of_wildcards(entry.key.as_str(), &text, span, reader);
    let path = if entry.key == "path" { PathMatch::Exact(text) } else { PathMatch::Prefix(text) };
    Some(Spanned::new(path, span))
}

/// Warns of what stands for any segment elsewhere, and here for itself: `/v1/*`, `/users/:id`.
fn warn_of_wildcards(key: &str, path: &str, span: Span, reader: &mut Reader<'_>) {
    let mut segments = path.split('/').filter(|segment| !segment.contains('{'));
    let wildcard =
        segments.find(|segment| segment.contains('*') || segment.len() > 1 && segment.starts_with(':'));
    let Some(wildcard) = wildcard else { return };
    let message = format!("`{}` in a path stands for itself", shorten(wildcard));
    let help = match wildcard.strip_prefix(':') {
        Some(name) => format!("for any segment write `{{{}}}`", shorten(name)),
        None if key == "path_prefix" => "leave it out: a prefix takes all paths below it".to_owned(),
        None => "for all paths below write `path_prefix`, for any one segment `{name}`".to_owned(),
    };
    let place = Some(reader.place(span));
    reader.report(Diagnostic::warning(place, message)).help(help);
}

/// Whether a text is a regular expression; what is wrong with it is reported.
pub(super) fn check_regex(text: &str, span: Span, reader: &mut Reader<'_>) -> Option<()> {
    let regex = regex::bytes::RegexBuilder::new(text).unicode(false).build();
    let Err(error) = regex else { return Some(()) };
    let error = error.to_string();
    // The last line says what is wrong; those above it show where.
    let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    reader.error(span, format!("`{}` is not a regular expression: {reason}", shorten(text)));
    None
}

fn hosts(node: &Node, reader: &mut Reader<'_>) -> Vec<Spanned<String>> {
    let nodes = reader.list(node, "a host name");
    nodes.iter().filter_map(|node| host(node, reader)).collect()
}

/// A host. One that is none is reported, and kept: without it the route would take more than it was meant to.
fn host(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
    let host = reader.spanned_text(node, "a host name such as `api.example.com`")?;
    if let Err(help) = Route::check_host(&host.value) {
        reader.error(node.span, format!("`{}` is not a host", shorten(&host.value))).help(help);
    }
    Some(host)
}

fn listeners(node: &Node, reader: &mut Reader<'_>) -> Vec<Spanned<String>> {
    let nodes = reader.list(node, "the name of a listener");
    nodes.iter().filter_map(|node| reader.spanned_text(node, "the name of a listener")).collect()
}

const EVERY_METHOD: &str = "leave `methods` out to take every method";

fn methods(node: &Node, reader: &mut Reader<'_>) -> Vec<Spanned<Method>> {
    let mut methods = Vec::new();
    for node in reader.list(node, "a list of methods") {
        let Some(text) = reader.text(node, "a method such as `GET`") else { continue };
        let is_every = ["*", "any", "all"].iter().any(|every| text.eq_ignore_ascii_case(every));
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if is_every && method.as_str() == text.to_ascii_uppercase() => {
                let message = format!("`{text}` is taken for a method of this name");
                let place = Some(reader.place(node.span));
                reader.report(Diagnostic::warning(place, message)).help(EVERY_METHOD);
                methods.push(Spanned::new(method, node.span));
            }
            Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                methods.push(Spanned::new(method, node.span));
            }
            Ok(_) => {
                let help = match is_every {
                    true => EVERY_METHOD.to_owned(),
                    false => format!("methods tell cases apart: write `{}`", shorten(&text.to_uppercase())),
                };
                reader
                    .error(node.span, format!("the method `{}` is written in lower case", shorten(text)))
                    .help(help);
            }
            Err(_) => {
                reader
                    .error(node.span, format!("`{}` is not a method", shorten(text)))
                    .help("write a list of methods: `[GET, POST]`");
            }
        }
    }
    methods
}

/// A map from names to values, as `match` holds them.
fn pairs(node: &Node, reader: &mut Reader<'_>) -> Vec<(String, ValueMatch, Span)> {
    let entries = match &node.kind {
        Kind::Map(entries) => entries.as_slice(),
        Kind::Invalid => &[],
        _ => {
            reader
                .error(node.span, format!("expected names with their values, found {}", node.describe()))
                .help("write a map: `{x-api-version: \"2\"}`");
            &[]
        }
    };
    let mut pairs = Vec::with_capacity(entries.len());
    for entry in entries {
        let value = ValueMatch::read(&entry.value, reader);
        if matches!(&entry.value.kind, Kind::Scalar(text) if text == "*") {
            let place = Some(reader.place(entry.value.span));
            reader
                .report(Diagnostic::warning(place, "`*` as a value stands for itself"))
                .help("for any value write `{regex: '.+'}`; for the star itself `{exact: \"*\"}`");
        }
        let exact = match &entry.value.kind {
            Kind::Map(fields) => fields.iter().find(|field| field.key == "exact").map(|field| &field.value),
            _ => Some(&entry.value),
        };
        if let Some(node) = exact
            && let Kind::Scalar(text) = &node.kind
        {
            let help = "have it come from outside: `\"${env:TOKEN}\"`; or ask for it by `auth`, which compares in constant time";
            headers::warn_of_credential(&entry.key, text, node, help, reader);
        }
        pairs.extend(value.map(|value| (entry.key.clone(), value, entry.key_span)));
    }
    pairs
}

impl ValueMatch {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(_) = node.kind else {
            return reader
                .text(node, "the value that has to be there")
                .map(|text| Self::Exact(text.to_owned()));
        };
        let fields = Fields::read(node, &VALUE, reader)?;
        match (fields.get("exact"), fields.get("regex")) {
            (Some(exact), None) => {
                reader.text(exact, "the whole value").map(|text| Self::Exact(text.to_owned()))
            }
            (None, Some(regex)) => {
                let text = reader.text(regex, "a regular expression")?;
                check_regex(text, regex.span, reader)?;
                Some(Self::Regex(text.to_owned()))
            }
            _ if fields.is_meant(&["exact", "regex"]) => None,
            _ => {
                reader
                    .error(fields.span(), "a value is matched by `exact` or by `regex`")
                    .help("write the value itself, or `{regex: '^v[12]$'}`");
                None
            }
        }
    }
}
