//! `/api/summary`.

use std::time::SystemTime;

use axum::extract::State;
use gatewright_proxy::EndpointHealth;
use serde_json::{Value, json};

use super::{
    numbers::{by_class, column, figures, ms},
    unix_ms,
};
use crate::{
    Admin,
    answer::Json,
    live::{Class, ROWS, rows},
};

/// Columns of the charts.
const COLUMNS: u32 = 60;

/// The whole gateway: figures of the last minute, and the charts of the last minute and of the last ten.
pub(crate) async fn summary(State(admin): State<Admin>) -> Json {
    let live = admin.live();
    let second = live.now();
    let first = second.saturating_sub(COLUMNS);
    let seconds: Vec<_> = (first..second).map(|second| column(second, &live.totals().second(second))).collect();
    let (last_ten, ten) = (second / 10, COLUMNS);
    let tens = last_ten.saturating_sub(ten)..last_ten;
    let tens: Vec<_> = tens.map(|number| column(number * 10, &live.totals().ten_seconds(number))).collect();
    let reasons = live.reasons().all(first, second.saturating_sub(1).max(first));
    let reasons: Vec<_> = reasons
        .map(|(reason, total, seconds)| json!({"reason": reason, "total": total, "seconds": seconds}))
        .collect();
    let mut summary = now(&admin, second);
    summary["version"] = json!(env!("CARGO_PKG_VERSION"));
    summary["slow_ms"] = json!(ms(live.slow().as_micros() as f64));
    summary["classes"] = json!(Class::ALL.map(Class::as_str));
    summary["heat_from"] = json!(rows().map(|from| ms(from as f64)));
    summary["seconds"] = json!(seconds);
    summary["tens"] = json!(tens);
    summary["reasons"] = json!(reasons);
    summary["left_out"] = json!(live.kept().left_out());
    debug_assert_eq!(summary["heat_from"].as_array().map(Vec::len), Some(ROWS));
    Json(summary)
}

/// What is of the moment.
pub(super) fn now(admin: &Admin, second: u32) -> Value {
    let (view, live) = (admin.view(), admin.live());
    let endpoints: Vec<_> = view.upstreams.iter().flat_map(gatewright_proxy::Upstream::endpoints).collect();
    let down = endpoints.iter().filter(|endpoint| endpoint.health == EndpointHealth::Down).count();
    let in_flight: usize = endpoints.iter().map(|endpoint| endpoint.in_flight).sum();
    let minute = live.totals().minute(second);
    json!({
        "now": unix_ms(SystemTime::now()),
        "second": second,
        "ready": admin.is_ready(),
        "config": view.config.as_ref().map(|config| json!({"file": config.file, "hash": config.hash})),
        "routes": view.routes.len(),
        "upstreams": view.upstreams.len(),
        "endpoints": endpoints.len(),
        "down": down,
        "in_flight": in_flight,
        "totals": by_class(&live.totals().all()),
        "minute": figures(&minute, f64::from(second.clamp(1, 60))),
    })
}

/// The column of the last whole second, with what is of the moment.
pub(super) fn last_second(admin: &Admin) -> Value {
    let live = admin.live();
    let second = live.now();
    let last = second.saturating_sub(1);
    let mut event = now(admin, second);
    event["column"] = column(last, &live.totals().second(last));
    let reasons = live.reasons().all(last, last);
    event["reasons"] = reasons
        .map(|(reason, total, seconds)| json!({"reason": reason, "total": total, "count": seconds.first()}))
        .collect::<Vec<_>>()
        .into();
    event
}
