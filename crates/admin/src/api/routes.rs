//! `/api/routes`.

use std::sync::Arc;

use axum::extract::{Query, State};
use serde_json::{Map, Value, json};

use super::{
    numbers::{by_class, figures},
    paging::{Paging, Sort},
};
use crate::{
    Admin,
    answer::Json,
    live::{Class, Live, Series},
    view::RouteView,
};

/// A route, and what orders it.
struct Row<'a> {
    route: Option<&'a RouteView>,
    series: Option<Arc<Series>>,
    weight: f64,
}

impl Row<'_> {
    fn name(&self) -> &str {
        self.route.map_or("", |route| &route.label)
    }

    fn series<'a>(&'a self, live: &'a Live) -> Option<&'a Series> {
        match self.route {
            Some(_) => self.series.as_deref(),
            None => Some(live.unmatched()),
        }
    }
}

/// What orders a series among others.
pub(super) fn weight(series: &Series, sort: Sort, second: u32) -> f64 {
    if let Some(share) = sort.quantile() {
        return series.minute(second).0.latencies.quantile(share).unwrap_or(-1.0);
    }
    let (classes, _) = series.classes(second);
    let of = |class: Class| classes[class as usize];
    let count = match sort {
        Sort::Errors => of(Class::ServerError),
        Sort::Refused => of(Class::Limited) + of(Class::Refused),
        _ => classes.iter().sum(),
    };
    count as f64
}

/// The refusals of a series by reason, since the beginning.
pub(super) fn reasons(live: &Live, series: &Series) -> Value {
    let named =
        series.reasons().filter_map(|(number, count)| Some((live.reasons().name(number)?, json!(count))));
    Value::Object(named.collect::<Map<_, _>>())
}

/// The routes with their figures of the last minute: `?search=`, `sort=` (`rate`, `errors`, `refused`, `p50`, `p90`, `p99`,
/// `name`), `page=`, `rows=`. A row without a name holds the requests that no route took.
pub(crate) async fn routes(State(admin): State<Admin>, Query(paging): Query<Paging>) -> Json {
    let (view, live) = (admin.view(), admin.live());
    let (second, sort, finds) = (live.now(), paging.sort(), paging.finds());
    let wanted = view
        .routes
        .iter()
        .filter(|route| finds(&[&route.label, route.upstream.as_deref().unwrap_or_default()]))
        .map(|route| Row { route: Some(route), series: live.route(&route.label), weight: 0.0 });
    let unmatched = live.unmatched().totals().iter().any(|count| *count > 0) && finds(&["(no route)"]);
    let mut rows: Vec<_> =
        wanted.chain(unmatched.then_some(Row { route: None, series: None, weight: 0.0 })).collect();
    if sort != Sort::Name {
        for row in &mut rows {
            row.weight = row.series(live).map_or(-1.0, |series| weight(series, sort, second));
        }
    }
    rows.sort_by(|one, other| other.weight.total_cmp(&one.weight).then_with(|| one.name().cmp(other.name())));
    Json(paging.page(view.routes.len(), rows, "routes", |row| {
        let mut shown = match row.series(live) {
            Some(series) => {
                let (counts, seconds) = series.minute(second);
                let mut shown = figures(&counts, seconds);
                shown["totals"] = by_class(&series.totals());
                shown["reasons"] = reasons(live, series);
                shown
            }
            None => figures(&Default::default(), 1.0),
        };
        shown["name"] = json!(row.name());
        shown["upstream"] = json!(row.route.and_then(|route| route.upstream.as_deref()));
        shown["layers"] = json!(row.route.map(|route| &route.layers));
        shown
    }))
}
