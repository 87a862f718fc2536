//! What the metrics tell of a gateway beside its requests.
//!
//! Each source has a name, and takes the place of the one that was there before a reload.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use gatewright_auth::token_cache_hits_and_misses;
use gatewright_core::FileStamp;
use gatewright_proxy::{EndpointHealth, PoolStats, Upstream};
use gatewright_rate_limit::LocalStore;
use gatewright_server::ServerHandle;
use gatewright_trace::{AccessLog, Metrics, Observers, Samples};

use super::{Assembly, Parts};
use crate::{Config, settings::Settings};

/// The metrics of a gateway, if somebody asks for them.
pub(super) struct GatewayMetrics(Option<Watched>);

struct Watched {
    metrics: Metrics,
    reloads: Arc<Reloads>,
}

/// How the reloads have gone.
#[derive(Debug)]
struct Reloads {
    accepted: AtomicU64,
    refused: AtomicU64,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    is_accepted: bool,
    success: SystemTime,
    file: PathBuf,
    running: String,
    /// What the file held when it was last looked at.
    seen: Option<(FileStamp, String)>,
}

impl GatewayMetrics {
    pub(super) fn new(assembly: &Assembly, settings: &Settings, config: &Config) -> Self {
        let metrics = match assembly.counted_by() {
            Some(metrics) => Some(metrics.clone()),
            None => settings.admin.is_some().then(Metrics::new),
        };
        Self(metrics.map(|metrics| {
            let last = Last {
                is_accepted: true,
                success: SystemTime::now(),
                file: config.source().path().to_owned(),
                running: config.hash().to_owned(),
                seen: None,
            };
            let reloads = Arc::new(Reloads { accepted: 0.into(), refused: 0.into(), last: Mutex::new(last) });
            let seen = Arc::clone(&reloads);
            metrics.source("config", move |samples| seen.collect(samples));
            metrics.source("tokens", tokens);
            Watched { metrics, reloads }
        }))
    }

    pub(super) fn get(&self) -> Option<&Metrics> {
        self.0.as_ref().map(|watched| &watched.metrics)
    }

    /// Has them see the requests beside these.
    pub(super) fn watch(&self, observers: Observers) -> Observers {
        self.get().into_iter().fold(observers, |observers, metrics| observers.and(Arc::new(metrics.clone())))
    }

    /// Tells of these parts from now on.
    pub(super) fn show(&self, parts: &Parts, access_log: Option<&AccessLog>) {
        let Some(metrics) = self.get() else { return };
        let all: Vec<_> = parts.shared.upstreams.all().cloned().collect();
        metrics.source("upstreams", move |samples| upstreams(samples, &all));
        let stores: Vec<_> = parts.shared.limits.stores().cloned().collect();
        metrics.source("limits", move |samples| limits(samples, &stores));
        match access_log.cloned() {
            None => metrics.remove_source("access_log"),
            Some(log) => metrics.source("access_log", move |samples| {
                let help =
                    "Lines of the access log that were lost, for want of room or because its target failed.";
                samples.counter("gatewright_access_log_lost_total", help, &[], log.lost());
            }),
        }
    }

    /// Tells of this server.
    pub(super) fn serve(&self, server: ServerHandle) {
        if let Some(metrics) = self.get() {
            metrics.source("server", move |samples| collect_server(samples, &server));
        }
    }

    pub(super) fn note_accepted(&self, config: &Config) {
        let Some(Watched { reloads, .. }) = &self.0 else { return };
        reloads.accepted.fetch_add(1, Relaxed);
        let mut last = reloads.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_accepted = true;
        last.success = SystemTime::now();
        config.hash().clone_into(&mut last.running);
    }

    pub(super) fn note_refused(&self) {
        let Some(Watched { reloads, .. }) = &self.0 else { return };
        reloads.refused.fetch_add(1, Relaxed);
        reloads.last.lock().unwrap_or_else(PoisonError::into_inner).is_accepted = false;
    }
}

impl Reloads {
    fn collect(&self, samples: &mut Samples) {
        for (result, count) in [("accepted", &self.accepted), ("refused", &self.refused)] {
            let help = "Reloads of the configuration.";
            samples.counter(
                "gatewright_config_reloads_total",
                help,
                &[("result", result)],
                count.load(Relaxed),
            );
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.look();
        let help = "Whether the last reload was accepted.";
        samples.gauge("gatewright_config_last_reload_ok", help, &[], f64::from(u8::from(last.is_accepted)));
        let success = last.success.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let help = "When the running configuration was accepted, since the epoch.";
        samples.gauge("gatewright_config_last_success_timestamp_seconds", help, &[], success);
        let help = "The SHA-256 of the running configuration, and of its file as it is now.";
        samples.gauge("gatewright_config_hash", help, &[("of", "running"), ("sha256", &last.running)], 1.0);
        // A configuration that is not from a file has no file to differ from.
        if let Some((_, hash)) = &last.seen {
            samples.gauge("gatewright_config_hash", help, &[("of", "file"), ("sha256", hash)], 1.0);
            let help = "Whether the running configuration is what its file holds now.";
            let is_current = f64::from(u8::from(*hash == last.running));
            samples.gauge("gatewright_config_is_current", help, &[], is_current);
        }
    }
}

impl Last {
    /// Reads the file when it is another one than it was.
    fn look(&mut self) {
        let stamp = FileStamp::of(&self.file);
        if self.seen.as_ref().map(|(seen, _)| seen) == stamp.as_ref() {
            return;
        }
        self.seen = stamp.and_then(|stamp| Some((stamp, hash_of(&self.file)?)));
    }
}

/// As [`Config::hash`].
fn hash_of(file: &Path) -> Option<String> {
    crate::config::hash_of_file(file).ok()
}

fn tokens(samples: &mut Samples) {
    let (hits, misses) = token_cache_hits_and_misses();
    let help = "Tokens that had been verified already, and those that had not.";
    for (result, count) in [("hit", hits), ("miss", misses)] {
        samples.counter("gatewright_token_cache_lookups_total", help, &[("result", result)], count);
    }
}

fn upstreams(samples: &mut Samples, all: &[Upstream]) {
    for upstream in all {
        for status in upstream.endpoints() {
            let labels = [("upstream", upstream.name().as_str()), ("endpoint", status.label.as_str())];
            let help = "Whether an endpoint takes requests: 0 when its latest ones have all failed.";
            let is_healthy = f64::from(u8::from(status.health != EndpointHealth::Down));
            samples.gauge("gatewright_endpoint_healthy", help, &labels, is_healthy);
            let help = "Attempts under way at an endpoint.";
            samples.gauge("gatewright_endpoint_in_flight", help, &labels, status.in_flight as f64);
            let help = "Attempts at an endpoint: those that got the head of a response, and those that failed.";
            for (result, count) in [("answered", status.answered), ("failed", status.failed)] {
                let labels = [labels[0], labels[1], ("result", result)];
                samples.counter("gatewright_endpoint_attempts_total", help, &labels, count);
            }
        }
        for (endpoint, stats) in upstream.connections() {
            pool(samples, &[("upstream", upstream.name()), ("endpoint", &endpoint)], &stats);
        }
    }
}

fn pool(samples: &mut Samples, labels: &[(&str, &str); 2], stats: &PoolStats) {
    let help = "Requests that found an open connection to the endpoint.";
    samples.counter("gatewright_pool_hits_total", help, labels, stats.hits);
    let help = "Requests that waited, since all connections that the endpoint may have were in use.";
    samples.counter("gatewright_pool_waits_total", help, labels, stats.waits);
    let help = "Connections to the endpoint that were opened, and those that could not be.";
    for (result, count) in [("ok", stats.connects), ("failed", stats.connect_failures)] {
        let labels = [labels[0], labels[1], ("result", result)];
        samples.counter("gatewright_pool_connects_total", help, &labels, count);
    }
    let help = "Requests that wait for a connection to the endpoint.";
    samples.gauge("gatewright_pool_waiting", help, labels, stats.waiting as f64);
    let help = "Connections to the endpoint that are open or being opened.";
    samples.gauge("gatewright_pool_connections", help, labels, stats.open as f64);
    let help = "HTTP/1 connections to the endpoint that wait for a request.";
    samples.gauge("gatewright_pool_idle", help, labels, stats.idle as f64);
}

fn limits(samples: &mut Samples, stores: &[LocalStore]) {
    let help = "Requests that shared a bucket with others, since the store of a limit was full.";
    let overflowed = stores.iter().map(LocalStore::overflowed).sum();
    samples.counter("gatewright_limit_store_overflow_total", help, &[], overflowed);
    let help = "Buckets in the stores of limits.";
    let keys: usize = stores.iter().map(LocalStore::keys).sum();
    samples.gauge("gatewright_limit_store_keys", help, &[], keys as f64);
}

fn collect_server(samples: &mut Samples, server: &ServerHandle) {
    for (listener, open) in server.connections_by_listener() {
        let help = "Open connections of clients.";
        samples.gauge("gatewright_connections", help, &[("listener", listener)], open as f64);
    }
    for (listener, accepted) in server.accepted_by_listener() {
        let help = "Connections that were accepted.";
        samples.counter("gatewright_connections_accepted_total", help, &[("listener", listener)], accepted);
    }
    for (listener, version, resumed, count) in server.handshakes() {
        let resumed = if resumed { "true" } else { "false" };
        let labels = [("listener", listener), ("version", version), ("resumed", resumed)];
        if count > 0 {
            samples.counter(
                "gatewright_tls_handshakes_total",
                "TLS handshakes that succeeded.",
                &labels,
                count,
            );
        }
    }
    for (listener, reason, count) in server.failed_handshakes() {
        let labels = [("listener", listener), ("reason", reason)];
        samples.counter(
            "gatewright_tls_handshake_failures_total",
            "TLS handshakes that failed.",
            &labels,
            count,
        );
    }
    let (http1, http2) = server.requests_by_version();
    for (version, count) in [("1", http1), ("2", http2)] {
        let help = "Requests that went to a route, by the version of HTTP.";
        samples.counter("gatewright_http_requests_total", help, &[("version", version)], count);
    }
    let help = "Header fields that were left out because of their names (header_names).";
    samples.counter("gatewright_dropped_fields_total", help, &[], server.dropped_fields());
    let help = "Connections that have left HTTP: WebSockets say.";
    samples.gauge("gatewright_upgraded_connections", help, &[], server.upgraded() as f64);
}
