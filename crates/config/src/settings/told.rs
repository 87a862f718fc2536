//! Headers in which services are told who calls.

use http::HeaderName;

use super::Settings;
use crate::read::Reader;

/// Reports routes that match such headers: what a client writes into them is removed only behind the choice of the route.
pub(super) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    let told: Vec<HeaderName> = settings.auth.iter().flatten().flat_map(|it| it.kind.told_in()).collect();
    for route in &settings.routes {
        for (name, _) in route.matcher.values.headers.iter().filter(|(name, _)| told.contains(name)) {
            reader
                .error(
                    route.at.0,
                    format!("a route that matches `{name}`, in which services are told who calls"),
                )
                .help(
                    "a client may write it as it likes: match another header, or ask for `scopes` or `roles`",
                );
        }
    }
}
