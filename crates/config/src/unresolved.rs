//! Names of upstreams that do not resolve.

use std::{net::ToSocketAddrs, sync::Mutex, thread};

use crate::{
    diagnostics::Diagnostic,
    read::{Reader, Target},
    settings::{Action, Settings, Upstream, WeightedTarget},
};

/// The most names that are looked up at once.
const AT_ONCE: usize = 16;

/// Looks every target's name up, once each, and reports those that are not known. It blocks until all have answered.
pub(crate) fn report(settings: &Settings, reader: &mut Reader<'_>) {
    let mut targets: Vec<&WeightedTarget> =
        upstreams(settings).flat_map(|upstream| &upstream.targets).collect();
    targets.sort_by_key(|target| target.target.span.start);
    let mut names: Vec<&Target> = targets.iter().map(|target| &target.target.value).collect();
    names.sort_by(|a, b| a.host().cmp(b.host()));
    names.dedup_by(|a, b| a.host() == b.host());
    let unknown = unknown(&names);
    for target in targets {
        let host = target.target.value.host();
        if let Some((_, why)) = unknown.iter().find(|(unknown, _)| unknown == host) {
            let place = reader.place(target.target.span);
            let mut problem =
                Diagnostic::warning(Some(place), format!("the name `{host}` does not resolve: {why}"));
            problem.help("its routes answer 502 until it does; check the name, or write an IP address");
            reader.report(problem);
        }
    }
}

/// Those whose names do not resolve, each with the reason.
fn unknown(names: &[&Target]) -> Vec<(String, String)> {
    let unknown = Mutex::new(Vec::new());
    let next = Mutex::new(names.iter());
    let take = || next.lock().ok().and_then(|mut names| names.next().copied());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(names.len()) {
            scope.spawn(|| {
                while let Some(target) = take() {
                    if let Err(error) = (target.host(), target.port()).to_socket_addrs()
                        && let Ok(mut unknown) = unknown.lock()
                    {
                        unknown.push((target.host().to_owned(), error.to_string()));
                    }
                }
            });
        }
    });
    unknown.into_inner().unwrap_or_default()
}

/// The upstreams of the file, and those that its routes write themselves.
fn upstreams(settings: &Settings) -> impl Iterator<Item = &Upstream> {
    let inline = settings.routes.iter().filter_map(|route| match &route.action {
        Action::Forward { upstream, .. } => upstream.own(),
        Action::Redirect(_) => None,
    });
    settings.upstreams.iter().chain(inline)
}
