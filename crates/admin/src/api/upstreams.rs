//! `/api/upstreams`.

use axum::extract::{Query, State};
use gatewright_proxy::EndpointHealth;
use serde_json::json;

use super::{
    numbers::figures,
    paging::{Paging, Sort},
    routes::weight,
};
use crate::{Admin, answer::Json};

/// The upstreams with their figures of the last minute and the health of their endpoints; searched, ordered and paged as
/// routes are. Latencies are those of the upstream alone.
pub(crate) async fn upstreams(State(admin): State<Admin>, Query(paging): Query<Paging>) -> Json {
    let (view, live) = (admin.view(), admin.live());
    let (second, sort, finds) = (live.now(), paging.sort(), paging.finds());
    let mut rows: Vec<_> = view
        .upstreams
        .iter()
        .map(|upstream| (upstream, live.upstream(upstream.name())))
        .filter(|(upstream, _)| {
            let endpoints = upstream.endpoints();
            let mut texts: Vec<&str> = vec![upstream.name()];
            texts.extend(endpoints.iter().map(|endpoint| &*endpoint.label));
            finds(&texts)
        })
        .map(|(upstream, series)| {
            let weight = match &series {
                _ if sort == Sort::Name => 0.0,
                Some(series) => weight(series, sort, second),
                None => -1.0,
            };
            (upstream, series, weight)
        })
        .collect();
    rows.sort_by(|one, other| {
        other.2.total_cmp(&one.2).then_with(|| one.0.name().as_str().cmp(other.0.name().as_str()))
    });
    Json(paging.page(view.upstreams.len(), rows, "upstreams", |(upstream, series, _)| {
        let (counts, seconds) = series.map_or_else(Default::default, |series| series.minute(second));
        let mut shown = figures(&counts, if seconds > 0.0 { seconds } else { 1.0 });
        let endpoints = upstream.endpoints();
        let down = endpoints.iter().filter(|endpoint| endpoint.health == EndpointHealth::Down).count();
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                json!({
                    "address": &*endpoint.label,
                    "health": endpoint.health.as_str(),
                    "in_flight": endpoint.in_flight,
                    "answered": endpoint.answered,
                    "failed": endpoint.failed,
                })
            })
            .collect();
        shown["name"] = json!(&**upstream.name());
        shown["down"] = json!(down);
        shown["endpoints"] = json!(endpoints);
        shown
    }))
}
