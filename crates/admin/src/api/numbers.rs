//! Numbers as the API tells them.

use serde_json::{Map, Value, json};

use crate::live::{Class, Counts};

/// Milliseconds with three digits behind the point.
pub(super) fn ms(micros: f64) -> f64 {
    micros.round() / 1000.0
}

/// A number with three digits behind the point.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Counts by class, with its name.
pub(super) fn by_class(counts: &[u64; Class::ALL.len()]) -> Value {
    let named = Class::ALL.iter().zip(counts).map(|(class, count)| (class.as_str().to_owned(), json!(count)));
    Value::Object(named.collect::<Map<_, _>>())
}

/// What is known of the requests of some seconds: rates, the share of errors, latencies.
pub(super) fn figures(counts: &Counts, seconds: f64) -> Value {
    let total = counts.total();
    let errors = counts.of(Class::ServerError);
    let refused = counts.of(Class::Refused) + counts.of(Class::Limited);
    let quantile = |share| counts.latencies.quantile(share).map(ms);
    json!({
        "requests": total,
        "rate": rounded(total as f64 / seconds),
        "errors": errors,
        "error_share": if total == 0 { 0.0 } else { rounded(errors as f64 / total as f64) },
        "client_errors": counts.of(Class::ClientError),
        "refused": refused,
        "limited": counts.of(Class::Limited),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
    })
}

/// One column of the charts.
pub(super) fn column(second: u32, counts: &Counts) -> Value {
    json!({
        "second": second,
        "classes": counts.classes,
        "heat": counts.latencies.heat(),
        "p50": counts.latencies.quantile(0.5).map(ms),
        "p99": counts.latencies.quantile(0.99).map(ms),
    })
}
