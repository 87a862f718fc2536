//! Names of upstreams that do not resolve.

use std::collections::HashMap;

use gatewright_proxy::Resolver;
use tokio::task::JoinSet;

use crate::{
    diagnostics::Diagnostic,
    read::Reader,
    settings::{Action, Settings, Upstream, WeightedTarget},
};

/// The most names that are looked up at once.
const AT_ONCE: usize = 16;

/// Looks every target's name up, once each, and reports those that are not known.
pub(crate) async fn report(settings: &Settings, reader: &mut Reader<'_>) {
    let targets: Vec<&WeightedTarget> = upstreams(settings).flat_map(|upstream| &upstream.targets).collect();
    let names =
        targets.iter().map(|target| (target.target.value.host().to_owned(), target.target.value.to_string()));
    let unknown = unknown(names.collect()).await;
    for target in targets {
        let host = target.target.value.host();
        if let Some(why) = unknown.get(host) {
            let place = reader.place(target.target.span);
            let message = format!("the name `{host}` does not resolve: {why}");
            let problem = reader.report(Diagnostic::warning(Some(place), message));
            problem.help("its routes answer 502 until it does; check the name, or write an IP address");
        }
    }
}

/// Of hosts, each with a target of that host, those that do not resolve, with the reason.
async fn unknown(names: HashMap<String, String>) -> HashMap<String, String> {
    let resolver = Resolver::new();
    let mut unknown = HashMap::new();
    let mut names = names.into_iter();
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < AT_ONCE
            && let Some((host, target)) = names.next()
        {
            let resolver = resolver.clone();
            asked.spawn(async move {
                let target = target.parse().ok()?;
                let error = resolver.resolve(&target).await.err()?;
                Some((host, error.to_string()))
            });
        }
        match asked.join_next().await {
            Some(answer) => unknown.extend(answer.ok().flatten()),
            None => return unknown,
        }
    }
}

/// The upstreams of the file, and those that its routes write themselves.
fn upstreams(settings: &Settings) -> impl Iterator<Item = &Upstream> {
    let own = settings.routes.iter().filter_map(|route| match &route.action {
        Action::Forward(forward) => forward.upstream.own(),
        Action::Redirect(_) => None,
    });
    settings.upstreams.iter().chain(own)
}
