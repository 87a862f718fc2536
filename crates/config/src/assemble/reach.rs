//! Which requests can come to a route at all, by the listeners that they come by.

use super::rewriting;
use crate::{
    diagnostics::Diagnostic,
    read::Reader,
    settings::{self, Action, Listener, PathMatch, Redirect, Settings, UrlScheme},
    syntax::shorten,
};

/// Warns of routes that no request can come to, and reports redirects that can only lead to where a request is.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    // What could not be read may have been a listener.
    let is_whole = !reader.has_errors();
    for route in &settings.routes {
        let ways = ways(route, settings);
        if ways.is_empty() && is_whole {
            warn(route, settings, reader);
        } else if let Action::Redirect(redirect) = &route.action
            && !ways.is_empty()
            && rewriting::keeps_place(redirect, &route.matcher)
            && ways.iter().all(|way| way.is_kept_by(redirect))
        {
            let (PathMatch::Exact(path) | PathMatch::Prefix(path) | PathMatch::Regex(path)) =
                &route.matcher.path.value;
            reader
                .error(
                    redirect.at.0,
                    format!("the redirect of `{}` leads to where each request already is", shorten(path)),
                )
                .help("say what changes: another `scheme`, `host`, `port`, `path` or `prefix`");
        }
    }
}

/// A scheme by which requests come, and the port that their clients see, where it is known.
struct Way {
    scheme: UrlScheme,
    port: Option<u16>,
}

impl Way {
    /// Whether a client of this way that follows the redirect comes by the same way again.
    fn is_kept_by(&self, redirect: &Redirect) -> bool {
        let (scheme, port) = (redirect.scheme.as_ref().map(|it| it.value), redirect.port.as_ref());
        let own = match self.scheme {
            UrlScheme::Http => ("http", 80),
            UrlScheme::Https => ("https", 443),
        };
        let keeps_port = match (port, scheme) {
            (Some(port), _) => self.port == Some(port.value),
            // The port of the new scheme.
            (None, Some(_)) => self.port == Some(own.1),
            (None, None) => true,
        };
        keeps_port && scheme.is_none_or(|scheme| scheme == own.0)
    }
}

/// The ways by which requests may come to a route.
fn ways(route: &settings::Route, settings: &Settings) -> Vec<Way> {
    // A trusted proxy says itself what its clients speak, and to which port.
    let is_told = !settings.trusted_proxies.is_empty();
    let listeners = settings.listeners.iter().filter(|listener| is_of(route, listener));
    let ways = listeners.flat_map(|listener| {
        let own = if listener.tls.is_some() { UrlScheme::Https } else { UrlScheme::Http };
        let schemes =
            [UrlScheme::Http, UrlScheme::Https].into_iter().filter(move |scheme| is_told || *scheme == own);
        let is_sent_away = |scheme: &UrlScheme| *scheme == UrlScheme::Http && listener.redirect_https.is_some();
        let is_known = !is_told && listener.proxy_protocol.from.is_empty();
        let port = Some(listener.address.value.port()).filter(|port| is_known && *port != 0);
        schemes.filter(move |scheme| !is_sent_away(scheme)).map(move |scheme| Way { scheme, port })
    });
    ways.filter(|way| route.matcher.scheme.is_none_or(|scheme| scheme == way.scheme)).collect()
}

fn is_of(route: &settings::Route, listener: &Listener) -> bool {
    let named = &route.matcher.listeners;
    named.is_empty() || named.iter().any(|name| name.value == listener.called())
}

/// Says why no request comes to a route.
fn warn(route: &settings::Route, settings: &Settings, reader: &mut Reader<'_>) {
    let listeners: Vec<_> = settings.listeners.iter().filter(|listener| is_of(route, listener)).collect();
    let mut sent_away = listeners.iter().filter_map(|listener| listener.redirect_https.as_ref());
    let (why, help) = match route.matcher.scheme {
        _ if listeners.is_empty() => return,
        _ if listeners.iter().all(|listener| listener.redirect_https.is_some()) => (
            "each listener that it has sends its clients to HTTPS",
            "name a listener with TLS in `listener`, or leave `redirect_https` out",
        ),
        Some(UrlScheme::Https) => (
            "it takes `https` alone, and no listener that it has speaks TLS",
            "leave `scheme` out; or give a listener `tls`, or name the proxy that ends TLS in `trusted_proxies`",
        ),
        Some(UrlScheme::Http) => (
            "it takes `http` alone, and no listener that it has serves cleartext",
            "leave `scheme` out, or name a listener without TLS in `listener`",
        ),
        None => return,
    };
    let place = Some(reader.place(route.at.0));
    let sent_away = sent_away.next().map(|redirect| reader.place(redirect.span));
    let problem = reader.report(Diagnostic::warning(place, format!("no request comes to this route: {why}")));
    problem.help(help);
    if let Some(place) = sent_away {
        problem.related(place, "clients are sent away here");
    }
}
