use super::HeaderEdits;
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Host, Keys, Map, NewPath, Number, Reader, Regex, Value},
    syntax::Node,
    vocabulary::{Relation, Rule, Shape, choice, long_form, map},
};

/// How `path` and `prefix` go together.
const PATH_OR_PREFIX: Rule = Rule::new(Relation::AtMostOne(&["path", "prefix"]))
    .surplus("`path` replaces the whole path, `prefix` only what the route's `path_prefix` matched");

long_form! {
    /// How a request is changed before it goes to its upstream, and the response before it goes back.
    #[derive(Debug, Default, PartialEq, Eq, Hash)]
    pub(crate) struct Rewrite {
        title: "`rewrite`";
        name: "rewrite";
        smallest: "{}";
        rules: [
            PATH_OR_PREFIX,
            Rule::new(Relation::AtMostOne(&["regex", "prefix"])),
            Rule::new(Relation::Needs("regex", "path"))
                .missing("`path` is what the match is replaced by: `{regex: '^/v1/(.*)$', path: '/$1'}`"),
        ];
        later: ["query"];

        /// The path that replaces what the route's `path_prefix` matched.
        prefix: lenient Option<NewPath>, "/internal/orders", alias ["path_prefix", "strip_prefix"];
        /// The new path, with the route's parameters (`{id}`) or captures (`$1`).
        path: lenient Option<NewPath>, "/internal/orders", alias ["uri"];
        /// A regular expression for the whole path; `path` is then made of what it captured. A path that it does not match stays.
        regex: lenient Option<Regex>, "'/v1/(.*)'";
        /// The `Host` that the upstream sees.
        host: lenient Option<Host>, "users.internal";
        /// Headers that the upstream sees.
        request_headers: lenient HeaderEdits, "{set: {x-via: gatewright}, remove: [cookie]}", alias ["headers"];
        /// Headers that the client sees.
        response_headers: lenient HeaderEdits, "{remove: [server]}";
    }
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

map! {
    /// The gateway's own answer: where the client shall go instead. What the redirect leaves out stays as the request has it, the
    /// query too. A request that already is where the redirect leads gets the same answer; a redirect that leads every request of
    /// its route to where the request is, is an error.
    #[derive(Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Redirect {
        title: "`redirect`";
        name: "redirect";
        smallest: "{path: /v1/orders}";
        rules: [
            Rule::new(Relation::AtLeastOne(&["scheme", "host", "port", "path", "prefix"]))
                .missing("say what changes: `scheme`, `host`, `port`, `path` or `prefix`"),
            PATH_OR_PREFIX,
        ];
        also { at: At }

        /// The scheme of the new URL.
        scheme: optional Spanned<SchemeName>, "https";
        /// The host of the new URL.
        host: optional Host, "www.example.com";
        /// The port of the new URL.
        port: optional Spanned<Number<u16, 1, 65_535>>, "8443";
        /// The whole path of the new URL, with the route's parameters (`{id}`) or captures (`$1`).
        path: optional NewPath, "/v1/orders", alias ["to", "location"];
        /// The path that replaces what the route's `path_prefix` matched.
        prefix: optional NewPath, "/v2", alias ["path_prefix"];
        /// The status of the answer.
        status: lenient Option<Spanned<RedirectStatus>>, "308", absent "302", alias ["code"];
    }
}

choice! {
    /// The scheme of a URL.
    pub(crate) struct SchemeName, "a scheme": &'static str { "http" => "http", "https" => "https" }
}

choice! {
    /// The status of a redirect.
    pub(crate) struct RedirectStatus, "the status of a redirect": u16 {
        "301" => 301, "302" => 302, "303" => 303, "307" => 307, "308" => 308
    }
}

impl Value for Rewrite {
    type Kept = Self;
    const SHAPE: Shape = Shape::Map(Self::SECTION);

    /// What is wrong is left out, so that the rest can be looked at further.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, Self::SECTION, reader)?;
        let mut rewrite = Self::of(&fields, reader)?;
        if rewrite.regex.is_none() && fields.get("regex").is_some() {
            rewrite.path = None;
        }
        Some(rewrite)
    }
}

impl Rewrite {
    /// What becomes of the path; nothing when the keys do not go together.
    pub(crate) fn change(&self) -> Option<PathRewrite> {
        match (&self.prefix, &self.path, &self.regex) {
            (Some(prefix), None, None) => Some(PathRewrite::Prefix(prefix.clone())),
            (None, Some(path), None) => Some(PathRewrite::Path(path.clone())),
            (None, Some(path), Some(regex)) => Some(PathRewrite::Regex(regex.clone(), path.clone())),
            _ => None,
        }
    }
}

impl Redirect {
    /// What becomes of the path.
    pub(crate) fn change(&self) -> Option<PathRewrite> {
        let prefix = self.prefix.clone().map(PathRewrite::Prefix);
        prefix.or_else(|| self.path.clone().map(PathRewrite::Path))
    }
}
