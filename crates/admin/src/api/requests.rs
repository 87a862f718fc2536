//! `/api/requests`.

use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    numbers::{ms, rounded},
    unix_ms,
};
use crate::{
    Admin,
    answer::Json,
    live::{KeptRequest, Kind},
};

/// How many requests one answer holds.
const MOST: usize = 100;

/// `?slow`, `?failed`, `?refused`, or `?id=`, which is a request id or a trace id.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    id: Option<String>,
    slow: Option<String>,
    failed: Option<String>,
    refused: Option<String>,
}

/// Recent requests that failed, were refused or were slow, the newest first, with the parts of their time. Without a kind, those
/// that failed.
pub(crate) async fn requests(State(admin): State<Admin>, Query(wanted): Query<Wanted>) -> Json {
    let kept = admin.live().kept();
    let found = match (&wanted.id, &wanted.slow, &wanted.failed, &wanted.refused) {
        (Some(id), ..) => kept.find(id.trim()),
        (_, Some(_), ..) => kept.of(Kind::Slow),
        (.., Some(_)) => kept.of(Kind::Refused),
        _ => kept.of(Kind::Failed),
    };
    let shown: Vec<_> = found.iter().take(MOST).map(json_of).collect();
    Json(json!({
        "requests": shown,
        "slow_ms": ms(admin.live().slow().as_micros() as f64),
        "left_out": kept.left_out(),
    }))
}

fn json_of(request: &KeptRequest) -> Value {
    json!({
        "kind": request.kind.as_str(),
        "began": unix_ms(request.began),
        "id": request.id,
        "trace_id": request.trace_id.map(|trace| format!("{trace:032x}")),
        "client": request.client,
        "method": request.method,
        "host": request.host,
        "target": request.target,
        "route": request.route.as_deref(),
        "upstream": request.upstream.as_deref(),
        "endpoint": request.endpoint.as_deref(),
        "status": request.status,
        "why": request.why,
        "bytes_in": request.bytes_in,
        "bytes_out": request.bytes_out,
        "duration": ms(request.duration.as_micros() as f64),
        "parts": parts(request),
    })
}

/// The parts of the request's time in milliseconds, in order and without gaps: each wait for a policy, what else the gateway
/// took, the upstream up to its head, and the rest, which is the body.
fn parts(request: &KeptRequest) -> Vec<Value> {
    let micros = |duration: std::time::Duration| duration.as_micros() as f64;
    let total = micros(request.duration);
    let mut at = 0.0;
    let mut parts = Vec::new();
    let mut part = |kind: &str, name: &str, length: f64| {
        let length = length.clamp(0.0, total - at);
        parts.push(json!({"kind": kind, "name": name, "at": ms(at), "length": ms(length), "share": rounded(length / total.max(1.0))}));
        at += length;
    };
    let mut waited = 0.0;
    for (policy, wait) in &request.waits {
        waited += micros(*wait);
        part("policy", policy, micros(*wait));
    }
    match (request.upstream_after.map(micros), request.upstream_time.map(micros)) {
        (Some(after), time) => {
            part("gateway", "gateway", after - waited);
            let name = request.upstream.as_deref().unwrap_or_default();
            match time {
                Some(time) => {
                    part("upstream", name, time);
                    part("body", "body", f64::MAX);
                }
                None => part("upstream", name, f64::MAX),
            }
        }
        (None, _) => part("gateway", "gateway", f64::MAX),
    }
    parts
}
