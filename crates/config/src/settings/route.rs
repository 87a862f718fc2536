use super::{
    Access, Forwarding, Guards, Matcher, Redirect, Rewrite, UpstreamRef,
    addresses::{ALLOW_IPS, DENY_IPS, UNKNOWN_IPS},
    auth::{AUTH_KEY, ROLES_KEY, SCOPES_KEY},
    captures,
    forwarding::{IDLE_TIMEOUT, RETRIES_KEY, TIMEOUT},
    limit::LIMIT_KEY,
    matching::{PATH_KEYS, PathMatch},
    optional,
};
use crate::{
    diagnostics::{At, Spanned},
    read::{Fields, Reader},
    syntax::Node,
    vocabulary::{Key, Rule, Section, Shape},
};

/// One route: which requests it takes, and what becomes of them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) at: At,
    pub(crate) name: Option<Spanned<String>>,
    pub(crate) matcher: Matcher,
    pub(crate) priority: Option<i32>,
    pub(crate) allow_encoded_slash: bool,
    pub(crate) merge_slashes: bool,
    pub(crate) access: Access,
    pub(crate) guards: Guards,
    pub(crate) action: Action,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Forward(Box<Forward>),
    Redirect(Box<Redirect>),
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Forward {
    pub(crate) upstream: UpstreamRef,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) forwarding: Forwarding,
    /// Whether the upstream sees the host that the client asked for; it does when this is left out.
    pub(crate) preserve_host: Option<bool>,
    pub(crate) pass_method_override: bool,
}

pub(super) static ROUTE: Section = Section {
    title: "a route",
    name: "route",
    about: "Which requests it takes, and what becomes of them.\n\n\
            The order of routes does not matter. A route that names the request's host goes before one with a wildcard, and that \
            before one that names none, whatever their paths: what a route without `host` guards, it does not guard on a host whose \
            own routes take the path. Then an exact path goes before a longer prefix or pattern, that before a shorter one, \
            and those before a regular expression; then a route with a `listener` before one without, then one with a `scheme`, then \
            one with methods, then the one with more headers, \
            then with more query parameters. Two routes that can both take a request and are ranked by none of it are an error until \
            one has a `priority`, and so is a route that can never be reached.",
    keys: &[
        Key::new("name", Shape::Text, "What logs and metrics call it.", "orders").absent("its path"),
        Key::new(
            "path",
            Shape::Path,
            "One path, or the paths of a pattern: `{id}` is one segment, `{*rest}` all that are left.",
            "\"/v1/users/{id}/avatar\"",
        ),
        Key::new(
            "path_prefix",
            Shape::Path,
            "A path and all below it, by segments: `/v2` takes `/v2` and `/v2/x`, never `/v2example`.",
            "/v1/orders",
        ),
        Key::new("path_regex", Shape::Regex, "The paths that this matches as a whole.", "'/legacy/(\\d+)'"),
        Key::new(
            "listener",
            Shape::List(&Shape::Text),
            "Names of listeners. The route takes requests of their connections alone.",
            "public",
        )
        .absent("any"),
        Key::new(
            "scheme",
            Shape::Word(&["http", "https"]),
            "What the client speaks, to the gateway or to a trusted proxy that says so in `X-Forwarded-Proto`.",
            "https",
        )
        .absent("either"),
        Key::new(
            "host",
            Shape::List(&Shape::HostPattern),
            "Hosts that are asked for; `*.example.com` is all below it, with any number of labels.",
            "[api.example.com, \"*.example.org\"]",
        )
        .absent("any"),
        Key::new("methods", Shape::List(&Shape::Method), "The methods that it takes. Where GET is allowed, HEAD is.", "[GET, POST]")
            .absent("any"),
        Key::new(
            "match",
            Shape::Map(&super::matching::MATCH),
            "Headers and query parameters that have to be there.",
            "{headers: {x-api-version: 2}}",
        ),
        Key::new(
            "priority",
            Shape::Number(i32::MIN as i64, i32::MAX as i64),
            "Ranks it where nothing else does; the higher goes first.",
            "10",
        )
        .absent("0"),
        Key::new(
            "upstream",
            Shape::Any(&[Shape::Upstream, super::upstream::UPSTREAM_VALUE]),
            "Where its requests go.",
            "order-service:8080",
        ),
        Key::new("rewrite", Shape::Map(&super::rewriting::REWRITE), "How they are changed.", "{prefix: /internal/orders}"),
        Key::new("redirect", Shape::Map(&super::rewriting::REDIRECT), "The answer, in place of an upstream.", "{scheme: https}"),
        AUTH_KEY.absent("as in `defaults`; where that says nothing and there is an `auth` section, it is required"),
        SCOPES_KEY.absent("none"),
        ROLES_KEY.absent("none"),
        ALLOW_IPS.absent("as in `defaults`, or else all"),
        DENY_IPS.absent("as in `defaults`, or else none"),
        UNKNOWN_IPS.absent("as in `defaults`, or else `deny`"),
        LIMIT_KEY.absent("as in `defaults`, or else none"),
        TIMEOUT.absent("as in `defaults`, or else 30s"),
        IDLE_TIMEOUT.absent("as in `defaults`, or else 60s"),
        RETRIES_KEY.absent("as in `defaults`, or else `off`"),
        Key::new(
            "preserve_host",
            Shape::Flag,
            "Whether the upstream sees the `Host` that the client asked for, and not the target's own. A `host` in `rewrite` goes before it.",
            "off",
        )
        .absent("`on`"),
        Key::new(
            "method_override",
            Shape::Word(&["remove", "pass"]),
            "Whether the upstream sees `X-HTTP-Method-Override`, `X-HTTP-Method` and `X-Method-Override`, by which a service may act \
             by another method than the one that `methods` and limits have judged. Query parameters such as `_method` pass in any \
             case: a service that takes its method from them has to judge it too.",
            "pass",
        )
        .absent("`remove`"),
        Key::new(
            "allow_encoded_slash",
            Shape::Flag,
            "Whether paths with `%2F` are taken, which is kept as it is.",
            "on",
        )
        .absent("`off`: 400"),
        Key::new(
            "merge_slashes",
            Shape::Flag,
            "Whether repeated slashes in a path become one. `off` leaves them for image proxies (`/plain/https://host/a.jpg`) and \
             object stores (`/bucket//key`), and changes nothing else. Which route takes a request is decided with slashes \
             merged, so that none leads past another route; then this one has to match the path as it stands, too, or the answer \
             is 404.",
            "off",
        )
        .absent("`on`"),
    ],
    rules: &[
        Rule::ExactlyOne(&PATH_KEYS),
        Rule::ExactlyOne(&["upstream", "redirect"]),
        Rule::Excludes("redirect", &FORWARDING),
    ],
    smallest: "{path_prefix: /v1/orders, upstream: orders:8080}",
    later: &[
        "compose",
        "soap",
        "cors",
        "waf",
        "bots",
        "grpc_json",
        "grpc_web",
        "contract",
        "max_body",
    ],
    aliases: &[
        ("max_body_size", "max_body"),
        ("client_max_body_size", "max_body"),
        ("body_limit", "max_body"),
        ("uri", "upstream"),
        ("url", "upstream"),
        ("prefix", "path_prefix"),
        ("regex", "path_regex"),
        ("hosts", "host"),
        ("hostname", "host"),
        ("method", "methods"),
        ("query", "match"),
        ("service", "upstream"),
        ("backend", "upstream"),
        ("cluster", "upstream"),
        ("proxy_pass", "upstream"),
        ("target", "upstream"),
        ("to", "upstream"),
        ("authentication", "auth"),
        ("scope", "scopes"),
        ("role", "roles"),
        ("rate_limit", "limit"),
        ("limits", "limit"),
        ("allow", "allow_ips"),
        ("deny", "deny_ips"),
    ],
};

/// The keys that only a route with an upstream has a use for.
const FORWARDING: [&str; 6] =
    ["rewrite", "timeout", "idle_timeout", "retries", "preserve_host", "method_override"];

impl Route {
    pub(crate) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let fields = Fields::read(node, &ROUTE, reader)?;
        let matcher = Matcher::read(&fields, reader);
        let name = fields.get("name").map(|node| reader.spanned_text(node, "a name"));
        let priority = fields.get("priority").map(|node| priority(node, reader));
        let allow_encoded_slash = fields.get("allow_encoded_slash").map(|node| reader.flag(node));
        let merge_slashes = fields.get("merge_slashes").map(|node| reader.flag(node));
        // A path that was written wrong may have been a prefix as well as not.
        let prefixed = matcher.as_ref().map_or(fields.get("path_prefix").is_some(), |matcher| {
            matches!(matcher.path.value, PathMatch::Prefix(_))
        });
        let access = Access::read(&fields, reader);
        let guards = Guards::read(&fields, reader);
        let action = Action::read(&fields, prefixed, reader);
        if let (Some(matcher), Some(rewrite)) = (&matcher, fields.get("rewrite")) {
            captures::warn(rewrite, &matcher.path.value, reader);
        }
        // What a route takes has to be known, or else it would seem to stand against others. What is wrong in the rest is left
        // out, so that what is right is looked at further.
        Some(Self {
            at: At(fields.span()),
            name: name.flatten(),
            matcher: matcher?,
            priority: optional(priority)?,
            allow_encoded_slash: optional(allow_encoded_slash)?.unwrap_or_default(),
            merge_slashes: optional(merge_slashes)?.unwrap_or(true),
            access,
            guards: guards.unwrap_or(Guards::UNREAD),
            action,
        })
    }
}

impl Action {
    fn read(fields: &Fields<'_>, prefixed: bool, reader: &mut Reader<'_>) -> Self {
        let (upstream, redirect) = (fields.entry("upstream"), fields.entry("redirect"));
        match (upstream, redirect) {
            (Some(upstream), Some(redirect)) => {
                let first = reader.place(upstream.key_span);
                reader
                    .error(redirect.key_span, "both `upstream` and `redirect` in one route")
                    .related(first, "`upstream` is here")
                    .help("a redirect is answered by the gateway itself: keep one of them");
            }
            (None, Some(_)) => {
                for entry in FORWARDING.iter().filter_map(|key| fields.entry(key)) {
                    reader
                        .error(entry.key_span, format!("`{}` has no effect on a redirect", entry.key))
                        .help("remove it; what the redirect changes stands in `redirect:`");
                }
            }
            (None, None) if !fields.is_meant(&["upstream", "redirect"]) => {
                reader
                    .error(fields.span(), "a route that leads nowhere")
                    .help("add `upstream:` with a name of `upstreams:` or a `host:port`, or `redirect:`");
            }
            _ => {}
        }
        let read = redirect.map(|entry| Redirect::read(&entry.value, prefixed, reader));
        let forward = Forward::read(fields, prefixed, reader);
        match (read.flatten(), upstream) {
            (Some(redirect), None) => Self::Redirect(Box::new(redirect)),
            _ => Self::Forward(Box::new(forward)),
        }
    }
}

impl Forward {
    fn read(fields: &Fields<'_>, prefixed: bool, reader: &mut Reader<'_>) -> Self {
        let upstream = fields.get("upstream").and_then(|node| UpstreamRef::read(node, reader));
        let rewrite = fields.get("rewrite").map(|node| Rewrite::read(node, prefixed, reader));
        let forwarding = Forwarding::read(fields, reader);
        let preserve_host = fields.get("preserve_host").map(|node| reader.flag(node));
        let method_override = fields.get("method_override").map(|node| {
            let choices = [("remove", false), ("pass", true)];
            reader.choice(node, "what becomes of fields that override the method", &choices)
        });
        Self {
            upstream: upstream.unwrap_or(UpstreamRef::Unread),
            rewrite: rewrite.flatten(),
            forwarding: forwarding.unwrap_or_default(),
            preserve_host: preserve_host.flatten(),
            pass_method_override: method_override.flatten().unwrap_or_default(),
        }
    }
}

fn priority(node: &Node, reader: &mut Reader<'_>) -> Option<i32> {
    let number = reader.number(node, i64::from(i32::MIN)..=i64::from(i32::MAX))?;
    i32::try_from(number).ok()
}
