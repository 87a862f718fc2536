use gatewright_core::pattern::PathPattern;
use gatewright_router::Route;
use http::{HeaderName, Method};

use super::{headers, location};
use crate::{
    diagnostics::{Diagnostic, Span, Spanned},
    read::{Fields, Keys, Map, Name, Readable, Reader, Regex, Value, value},
    syntax::{Kind, Node, shorten},
    vocabulary::{Relation, Rule, Shape, Table, choice, group, long_form, map},
};

group! {
    /// Which requests a route takes.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Matcher {
        first { path: Spanned<PathMatch> }

        /// Names of listeners. The route takes only requests of their connections.
        listeners("listener"): lenient Readable<Spanned<String>>, "public", absent "any";
        /// The protocol of the client, to the gateway or to a trusted proxy that says so in `X-Forwarded-Proto`.
        scheme: optional UrlScheme, "https", absent "either";
        /// Hosts that requests ask for; `*.example.com` is all below it, with any number of labels.
        hosts("host"): lenient Readable<HostPattern>, "[api.example.com, \"*.example.org\"]", absent "any",
            alias ["hosts", "hostname"];
        /// The methods that the route takes. A route that takes GET takes HEAD too.
        methods: lenient Readable<MethodName>, "[GET, POST]", absent "any", alias ["method"];
        /// Headers and query parameters that have to be there.
        values("match"): lenient Match, "{headers: {x-api-version: 2}}", alias ["query"];
    }
}

map! {
    /// What a request has to carry; all of it.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Match {
        title: "`match`";
        name: "match";
        smallest: "{}";
        later: ["cookies"];

        /// Headers with their values. Several lines of one header count as one, joined by `, `.
        headers: lenient Pairs<HeaderName>, "{x-api-version: 2}", alias ["header"];
        /// Parameters of the query with their values, decoded; of several with one name, the first counts.
        query: lenient Pairs<String>, "{beta: {regex: 'yes|1'}}", alias ["query_params", "queries"];
    }
}

choice! {
    /// What a client speaks.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub(crate) enum UrlScheme, "a scheme" {
        Http = "http",
        Https = "https",
    }
}

/// A header's or a query parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ValueMatch {
    Exact(String),
    /// A regular expression for the whole value.
    Regex(String),
}

long_form! {
    /// The value itself stands for `{exact: …}`.
    #[derive(Debug)]
    pub(crate) struct LongMatch {
        title: "a matched value";
        name: "value";
        smallest: "{exact: gold}";
        rules: [
            Rule::new(Relation::ExactlyOne(&["exact", "regex"]))
                .missing("write the value itself, or `{regex: '^v[12]$'}`")
                .surplus("write the value itself, or `{regex: '^v[12]$'}`"),
        ];

        /// The whole value.
        exact: optional String, "gold", alias ["value", "is"];
        /// A regular expression for the whole value.
        regex: optional Regex, "gold|silver";
    }
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

impl PathMatch {
    pub(super) fn is_prefix(&self) -> bool {
        matches!(self, Self::Prefix(_))
    }
}

group! {
    /// The keys of which a route has one.
    #[derive(Debug)]
    pub(crate) struct Paths {
        /// One path, or the paths of a pattern: `{id}` is one segment, `{*rest}` all that are left.
        path: lenient ExactPath, "\"/v1/users/{id}/avatar\"";
        /// A path and all below it, by segments: `/v2` takes `/v2` and `/v2/x`, never `/v2example`.
        path_prefix: lenient PathPrefix, "/v1/orders", alias ["prefix"];
        /// A regular expression for the whole path.
        path_regex: lenient PathRegex, "'/legacy/(\\d+)'", alias ["regex"];
    }
}

/// The rule about a route's paths.
pub(super) const ONE_PATH: Rule = Rule::new(Relation::ExactlyOne(&["path", "path_prefix", "path_regex"]))
    .missing("add `path: /healthz`, `path_prefix: /v1/orders` or `path_regex`; `path_prefix: /` takes all")
    .surplus("a route has one of `path`, `path_prefix` and `path_regex`; make two routes of it");

impl Keys for Spanned<PathMatch> {
    const TABLE: &'static Table = Paths::TABLE;

    fn of(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Paths { path, path_prefix, path_regex } = Paths::of(fields, reader)?;
        let mut paths = [path, path_prefix, path_regex].into_iter().flatten();
        paths.next().filter(|_| paths.next().is_none())
    }
}

/// A path, or a pattern of paths.
pub(crate) struct ExactPath;
/// A path and all below it.
pub(crate) struct PathPrefix;
/// A regular expression for paths.
pub(crate) struct PathRegex;

value! {
    ExactPath: Option<Spanned<PathMatch>> = Shape::Path, |node, reader| {
        let help = "for all paths below write `path_prefix`, for any one segment `{name}`";
        let path = path(node, help, reader)?;
        Some(Some(Spanned::new(PathMatch::Exact(path), node.span)))
    };
    PathPrefix: Option<Spanned<PathMatch>> = Shape::Path, |node, reader| {
        let path = path(node, "leave it out: a prefix takes all paths below it", reader)?;
        Some(Some(Spanned::new(PathMatch::Prefix(path), node.span)))
    };
    PathRegex: Option<Spanned<PathMatch>> = Shape::Regex, |node, reader| {
        let regex = reader.regex(node)?;
        Some(Some(Spanned::new(PathMatch::Regex(regex.value), regex.span)))
    };
}

/// Reads a path or a pattern. `of_star` says how to write a wildcard of another gateway.
fn path(node: &Node, of_star: &str, reader: &mut Reader<'_>) -> Option<String> {
    let (text, span) = (reader.text(node, "a path")?, node.span);
    if !text.starts_with('/') {
        let problem = reader.error(span, format!("the path `{}` does not begin with `/`", shorten(text)));
        match (location::meant(text), text.split_once("://")) {
            (Some(help), _) => problem.help(help),
            (None, Some(_)) => problem.help("write the path alone; the host goes into `host:`"),
            (None, None) => problem.help(format!("write `/{}`", shorten(text))),
        };
        return None;
    }
    if let Some(bad) = text.chars().find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control()) {
        let problem =
            reader.error(span, format!("the path `{}` holds `{}`", shorten(text), bad.escape_default()));
        match bad {
            '?' => problem.help("what is to match in the query goes into `match: {query: {name: value}}`"),
            _ => problem.help(format!("write it as `%{:02X}`, if it is meant", u32::from(bad))),
        };
        return None;
    }
    if let Err(error) = PathPattern::parse(text) {
        let part = text.get(error.place()).filter(|part| !part.is_empty()).unwrap_or(text);
        reader.error(span, format!("the path holds `{}`", shorten(part))).help(error.hint());
        return None;
    }
    warn_of_wildcards(text, of_star, span, reader);
    Some(text.to_owned())
}

/// Warns of what stands for any segment elsewhere, and here for itself: `/v1/*`, `/users/:id`.
fn warn_of_wildcards(path: &str, of_star: &str, span: Span, reader: &mut Reader<'_>) {
    let mut segments = path.split('/').filter(|segment| !segment.contains('{'));
    let wildcard =
        segments.find(|segment| segment.contains('*') || segment.len() > 1 && segment.starts_with(':'));
    let Some(wildcard) = wildcard else { return };
    let message = format!("`{}` in a path stands for itself", shorten(wildcard));
    let help = match wildcard.strip_prefix(':') {
        Some(name) => format!("for any segment write `{{{}}}`", shorten(name)),
        None => of_star.to_owned(),
    };
    let place = Some(reader.place(span));
    reader.report(Diagnostic::warning(place, message)).help(help);
}

/// A host, or all hosts below it.
pub(crate) struct HostPattern;

impl Value for HostPattern {
    type Kept = Spanned<String>;
    const SHAPE: Shape = Shape::HostPattern;

    /// Reports a host that is none, and keeps it: without it the route would take more than it was meant to.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<String>> {
        let host = reader.spanned_text(node, "a host name such as `api.example.com`")?;
        if let Err(help) = Route::check_host(&host.value) {
            reader.error(node.span, format!("`{}` is not a host", shorten(&host.value))).help(help);
        }
        Some(host)
    }
}

/// A method of HTTP.
pub(crate) struct MethodName;

impl Value for MethodName {
    type Kept = Spanned<Method>;
    const SHAPE: Shape = Shape::Method;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Spanned<Method>> {
        const EVERY_METHOD: &str = "leave `methods` out to take every method";
        let text = reader.text(node, "a method such as `GET`")?;
        let is_every = ["*", "any", "all"].iter().any(|every| text.eq_ignore_ascii_case(every));
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if is_every && method.as_str() == text.to_ascii_uppercase() => {
                let message = format!("`{text}` is taken for a method of this name");
                let place = Some(reader.place(node.span));
                reader.report(Diagnostic::warning(place, message)).help(EVERY_METHOD);
                Some(Spanned::new(method, node.span))
            }
            Ok(method) if !text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
                Some(Spanned::new(method, node.span))
            }
            Ok(_) => {
                let help = match is_every {
                    true => EVERY_METHOD.to_owned(),
                    false => format!("methods tell cases apart: write `{}`", shorten(&text.to_uppercase())),
                };
                reader
                    .error(node.span, format!("the method `{}` is written in lower case", shorten(text)))
                    .help(help);
                None
            }
            Err(_) => {
                reader
                    .error(node.span, format!("`{}` is not a method", shorten(text)))
                    .help("write a list of methods: `[GET, POST]`");
                None
            }
        }
    }
}

/// A map from names to values, as `match` holds them; wrong ones are left out.
pub(crate) struct Pairs<N>(std::marker::PhantomData<N>);

impl<N: Name> Value for Pairs<N> {
    type Kept = Vec<(N::Kept, ValueMatch)>;
    const SHAPE: Shape = Shape::Named(&N::SHAPE, &ValueMatch::SHAPE);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self::Kept> {
        let mut pairs = Vec::new();
        for entry in reader.named(node, Self::SHAPE)? {
            let value = ValueMatch::read(&entry.value, reader);
            if matches!(&entry.value.kind, Kind::Scalar(text) if text == "*") {
                let place = Some(reader.place(entry.value.span));
                reader
                    .report(Diagnostic::warning(place, "`*` as a value stands for itself"))
                    .help("for any value write `{regex: '.+'}`; for the star itself `{exact: \"*\"}`");
            }
            let exact = match &entry.value.kind {
                Kind::Map(_) => entry.value.value("exact"),
                _ => Some(&entry.value),
            };
            if let Some(node) = exact
                && let Kind::Scalar(text) = &node.kind
            {
                let help = "have it come from outside: `\"${env:TOKEN}\"`; or ask for it by `auth`, which compares in constant time";
                headers::warn_of_credential(&entry.key, text, node, help, reader);
            }
            pairs.extend(N::name(&entry.key, entry.key_span, reader).zip(value));
        }
        Some(pairs)
    }
}

impl Value for ValueMatch {
    type Kept = Self;
    const SHAPE: Shape = Shape::Any(&[Shape::Text, Shape::Map(LongMatch::SECTION)]);

    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Kind::Map(_) = node.kind else {
            let text = reader.text(node, "the value that has to be there")?;
            return Some(Self::Exact(text.to_owned()));
        };
        let LongMatch { exact, regex } = LongMatch::read_long(node, reader)?;
        exact.map(Self::Exact).or(regex.map(|regex| Self::Regex(regex.value)))
    }
}
