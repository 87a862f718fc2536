//! Listeners without TLS that send their clients to HTTPS, before any route is asked.

use gatewright_core::{Decision, Immediate, Policy, RequestRecord};
use gatewright_rewrite::{Redirect, Rewrite, RewriteLayer};
use http::request;

use crate::{
    read::Reader,
    settings::{HttpsPort, Settings},
};

/// The policy of a gateway that sends the clients of some listeners (`redirect_https`) to HTTPS.
#[derive(Debug, Clone)]
pub struct RedirectHttps(Box<[(Box<str>, Rewrite)]>);

/// The policy for these settings; `None` when every listener serves what comes.
pub(super) fn build(settings: &Settings, reader: &mut Reader<'_>) -> Option<RedirectHttps> {
    let mut redirects = Vec::new();
    for listener in &settings.listeners {
        let Some(https) = &listener.redirect_https else { continue };
        let port = match https.value {
            HttpsPort::Named(port) => Some(port),
            HttpsPort::OfListener => settings.https_port(),
        };
        let Some(port) = port else {
            reader
                .error(
                    https.span,
                    "`redirect_https` leads to no port: no listener speaks TLS on a port that is known",
                )
                .help("name the port where clients find HTTPS: `redirect_https: 443`");
            continue;
        };
        match Redirect::permanent().scheme("https") {
            Ok(redirect) => {
                let layer = RewriteLayer::new().redirect(redirect.port(port).always()).keep_empty_segments();
                redirects.push((listener.called().into(), layer.into_policy()));
            }
            Err(error) => drop(reader.error(https.span, error.to_string())),
        }
    }
    (!redirects.is_empty()).then(|| RedirectHttps(redirects.into()))
}

impl Policy for RedirectHttps {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "redirect_https"
    }

    fn decide(&self, head: &mut request::Parts) -> Decision<(), Immediate> {
        // `OPTIONS *` asks about the server, and no other place answers for it.
        if head.uri.path() == "*" {
            return Decision::Allow(());
        }
        let redirect = RequestRecord::of(&head.extensions).and_then(|record| {
            let came_by = record.connection()?.listener();
            let (_, redirect) = self.0.iter().find(|(name, _)| **name == **came_by)?;
            // A trusted proxy may have ended TLS before us.
            let is_secure =
                record.with(|summary| summary.client.as_ref().is_some_and(|client| client.is_secure()));
            (!is_secure).then_some(redirect)
        });
        match redirect {
            Some(redirect) => redirect.decide(head),
            None => Decision::Allow(()),
        }
    }
}
