//! Rewrites and redirects, read against what their route captures.

use std::borrow::Cow;

use gatewright_core::{
    PolicyLayer,
    path::{EncodedSlash, canonical},
    pattern::{PathPattern, PathTemplate, Segment},
};
use gatewright_rewrite::{Redirect, Rewrite, RewriteError, RewriteLayer};

use crate::{
    diagnostics::{Span, Spanned},
    read::Reader,
    settings::{self, HeaderEdits, Matcher, PathMatch, PathRewrite},
    syntax::shorten,
};

/// The status of a redirect that names none.
const FOUND: u16 = 302;

/// A route's rewrite, where it has one.
pub(super) fn policy(
    rewrite: Option<&settings::Rewrite>,
    matcher: &Matcher,
    merge_slashes: bool,
    reader: &mut Reader<'_>,
) -> Option<Rewrite> {
    let layer = build(rewrite?, matcher, reader);
    Some(if merge_slashes { layer } else { layer.keep_empty_segments() }.into_policy())
}

fn build(rewrite: &settings::Rewrite, matcher: &Matcher, reader: &mut Reader<'_>) -> RewriteLayer {
    let mut layer = RewriteLayer::new();
    if let Some(path) = &rewrite.change() {
        let changed = PathChange::of(path, matcher).and_then(|change| match change {
            PathChange::Prefix { from, to } => Ok(layer.clone().replace_prefix(from, to)),
            PathChange::Whole(to) => Ok(layer.clone().replace_path(to)),
            PathChange::Pattern { pattern, to } => Ok(layer.clone().path_pattern(pattern, to)?),
            PathChange::Regex { regex, to } => Ok(layer.clone().replace_regex(&regex, &to)?),
        });
        layer = settle(changed, layer, place(path), reader);
    }
    if let Some(host) = &rewrite.host {
        let changed = layer.clone().host(&host.value).map_err(Wrong::from);
        layer = settle(changed, layer, host.span, reader);
    }
    layer = edit(layer, &rewrite.request_headers, &REQUEST, reader);
    edit(layer, &rewrite.response_headers, &RESPONSE, reader)
}

/// The methods of a side's headers.
struct Side {
    set: fn(RewriteLayer, &str, &str) -> Result<RewriteLayer, RewriteError>,
    add: fn(RewriteLayer, &str, &str) -> Result<RewriteLayer, RewriteError>,
    remove: fn(RewriteLayer, &str) -> Result<RewriteLayer, RewriteError>,
}

const REQUEST: Side = Side {
    set: RewriteLayer::set_request_header,
    add: RewriteLayer::add_request_header,
    remove: RewriteLayer::remove_request_header,
};

const RESPONSE: Side = Side {
    set: RewriteLayer::set_response_header,
    add: RewriteLayer::add_response_header,
    remove: RewriteLayer::remove_response_header,
};

/// What is removed goes first, so that a header can be removed and added anew.
fn edit(mut layer: RewriteLayer, edits: &HeaderEdits, side: &Side, reader: &mut Reader<'_>) -> RewriteLayer {
    for name in &edits.remove {
        let changed = (side.remove)(layer.clone(), name.value.as_str());
        layer = settle(changed.map_err(Wrong::from), layer, name.span, reader);
    }
    for (change, lines) in [(side.set, &edits.set), (side.add, &edits.add)] {
        for (name, value) in lines {
            let changed = change(layer.clone(), name.value.as_str(), value.expose());
            layer = settle(changed.map_err(Wrong::from), layer, name.span, reader);
        }
    }
    layer
}

/// A route's redirect.
pub(super) fn redirect(
    redirect: &settings::Redirect,
    matcher: &Matcher,
    merge_slashes: bool,
    reader: &mut Reader<'_>,
) -> PolicyLayer<Rewrite> {
    let status = redirect.status.as_ref().map_or(FOUND, |status| status.value);
    let mut built =
        settle(Redirect::new(status).map_err(Wrong::from), Redirect::temporary(), redirect.at.0, reader);
    if let Some(scheme) = &redirect.scheme {
        let changed = built.clone().scheme(scheme.value).map_err(Wrong::from);
        built = settle(changed, built, scheme.span, reader);
    }
    if let Some(host) = &redirect.host {
        let changed = built.clone().host(&host.value).map_err(Wrong::from);
        built = settle(changed, built, host.span, reader);
    }
    if let Some(port) = &redirect.port {
        built = built.port(port.value);
    }
    if let Some(path) = &redirect.change() {
        let changed = PathChange::of(path, matcher).and_then(|change| match change {
            PathChange::Prefix { from, to } => Ok(built.clone().prefix(from, to)),
            PathChange::Whole(to) => Ok(built.clone().path(to)),
            PathChange::Pattern { pattern, to } => Ok(built.clone().pattern(pattern, to)?),
            PathChange::Regex { regex, to } => Ok(built.clone().regex(&regex, &to)?),
        });
        built = settle(changed, built, place(path), reader);
    }
    // Nothing stands behind it that could answer instead.
    let layer = RewriteLayer::new().redirect(built.always());
    PolicyLayer::new(if merge_slashes { layer } else { layer.keep_empty_segments() }.into_policy())
}

/// Whether a redirect leaves the host and the path of every request of its route as they are.
pub(super) fn keeps_place(redirect: &settings::Redirect, matcher: &Matcher) -> bool {
    let (host, path) = (&redirect.host, redirect.change());
    let keeps_host = host.as_ref().is_none_or(|host| {
        let is_host = |other: &Spanned<String>| other.value.eq_ignore_ascii_case(&host.value);
        !matcher.hosts.is_empty() && matcher.hosts.iter().all(is_host)
    });
    keeps_host && path.as_ref().is_none_or(|path| keeps_path(path, &matcher.path.value))
}

/// Whether every path of a route stays as it is.
fn keeps_path(rewrite: &PathRewrite, path: &PathMatch) -> bool {
    let canonical = |path: &str| canonical(path, EncodedSlash::Keep).map(Cow::into_owned).ok();
    let is_same = |one: &str, other: &str| {
        one == other || canonical(one).is_some_and(|one| Some(one) == canonical(other))
    };
    match (rewrite, path) {
        (PathRewrite::Prefix(to), PathMatch::Prefix(from)) => {
            // A slash at a prefix's end is of no account.
            is_same(to.value.trim_end_matches('/'), from.trim_end_matches('/'))
        }
        // What `{*rest}` matched is written `{rest}`.
        (PathRewrite::Path(to), PathMatch::Exact(from)) => is_same(&to.value, &from.replace("{*", "{")),
        (PathRewrite::Path(to), PathMatch::Regex(regex)) => {
            let bare = regex.strip_prefix('^').unwrap_or(regex);
            let bare = bare.strip_suffix('$').unwrap_or(bare);
            matches!(&*to.value, "$0" | "${0}") || regex::escape(bare) == bare && is_same(&to.value, bare)
        }
        _ => false,
    }
}

/// What is wrong with a text, and how to mend it.
struct Wrong(String);

impl From<RewriteError> for Wrong {
    fn from(error: RewriteError) -> Self {
        Self(error.hint().to_owned())
    }
}

/// What was made, or what was there before and a report.
fn settle<T>(made: Result<T, Wrong>, before: T, span: Span, reader: &mut Reader<'_>) -> T {
    match made {
        Ok(made) => made,
        Err(Wrong(hint)) => {
            let text = reader.source().slice(span).trim_matches(['"', '\'']);
            reader.error(span, format!("`{}` does not fit here", shorten(text))).help(hint);
            before
        }
    }
}

fn place(path: &PathRewrite) -> Span {
    match path {
        PathRewrite::Prefix(to) | PathRewrite::Path(to) | PathRewrite::Regex(_, to) => to.span,
    }
}

/// A change of the path, by the means that its route allows.
enum PathChange<'a> {
    Prefix { from: &'a str, to: &'a str },
    Whole(&'a str),
    Pattern { pattern: &'a str, to: &'a str },
    Regex { regex: String, to: String },
}

impl<'a> PathChange<'a> {
    fn of(rewrite: &'a PathRewrite, matcher: &'a Matcher) -> Result<Self, Wrong> {
        let (to, keeps_rest) = match rewrite {
            PathRewrite::Regex(regex, to) => {
                return Self::of_regex(&regex.value, to);
            }
            PathRewrite::Prefix(to) => (to, true),
            PathRewrite::Path(to) => (to, false),
        };
        let (pattern, is_prefix) = match &matcher.path.value {
            PathMatch::Regex(regex) => return Self::of_regex(regex, to),
            PathMatch::Exact(pattern) => (pattern, false),
            PathMatch::Prefix(pattern) => (pattern, true),
        };
        let to = to.value.as_str();
        if let Some((_, after)) = to.split_once('$')
            && after.starts_with(|c: char| c.is_ascii_digit() || c == '{')
        {
            let hint = "`$1` is what a regex captured: write `{name}`, or match by `path_regex`";
            return Err(Wrong(hint.to_owned()));
        }
        let read = PathPattern::parse(pattern).map_err(|error| Wrong(error.hint().to_owned()))?;
        PathTemplate::parse(to, &read).map_err(|error| Wrong(error.hint().to_owned()))?;
        Ok(match (keeps_rest, is_prefix) {
            (true, _) if read.is_literal() => Self::Prefix { from: pattern, to },
            (false, _) if !to.contains('{') => Self::Whole(to),
            (false, false) => Self::Pattern { pattern, to },
            (keeps_rest, _) => Self::of_prefix(&read, to, keeps_rest),
        })
    }

    fn of_regex(regex: &str, to: &Spanned<String>) -> Result<Self, Wrong> {
        let brace = to.value.find('{').filter(|at| !to.value[..*at].ends_with('$'));
        if brace.is_some() {
            return Err(Wrong("what a regex captured is written `$1` or `${name}`".to_owned()));
        }
        Ok(Self::Regex { regex: regex.to_owned(), to: to.value.clone() })
    }

    /// A prefix with names fits paths of any length, which only a regex can say.
    fn of_prefix(prefix: &PathPattern, to: &str, keeps_rest: bool) -> Self {
        let mut regex = String::new();
        for segment in prefix.segments() {
            match segment {
                // A slash at a prefix's end is of no account.
                Segment::Literal(text) if text.is_empty() => {}
                Segment::Literal(text) => {
                    regex.push('/');
                    regex.push_str(&regex::escape(text));
                }
                Segment::Name(_) | Segment::Rest(_) => regex.push_str("/([^/]+)"),
            }
        }
        regex.push_str("(/.*)?");
        let mut replacement = to.replace('$', "$$");
        for (index, name) in prefix.names().enumerate() {
            replacement = replacement.replace(&format!("{{{name}}}"), &format!("${{{}}}", index + 1));
        }
        if keeps_rest {
            let rest = prefix.names().count() + 1;
            let trimmed = replacement.trim_end_matches('/').len();
            replacement.truncate(trimmed);
            replacement.push_str(&format!("${{{rest}}}"));
        }
        Self::Regex { regex, to: replacement }
    }
}
