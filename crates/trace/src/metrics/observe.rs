//! Counts requests. No part of it locks, hashes a name, or allocates but at the first use of a label.

use std::{
    sync::{OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use gatewright_core::Label;

use super::{
    Metrics,
    cells::{Route, Shard},
    counts::CountKey,
    reasons::Reasons,
};
use crate::{EndedRequest, Observer, RefusedRequest, StartedResponse, ended::Obstacle};

impl Metrics {
    #[inline]
    fn shard(&self) -> &Shard {
        self.0.shards.mine(|| Shard::new(self.0.labels))
    }
}

impl Shard {
    #[inline]
    fn route(&self, route: Option<&Label>) -> &Route {
        let Some(route) = route else { return &self.no_route };
        let (cell, is_own) = self.routes.of(route);
        self.count_overflow(is_own);
        cell
    }

    fn add_upstream(&self, upstream: &Label, time: Duration) {
        let (cell, is_own) = self.upstreams.of(upstream);
        self.count_overflow(is_own);
        cell.seconds.observe(time);
    }

    fn add_reason(&self, reasons: &OnceLock<Box<Reasons>>, by: &str, reason: &str) {
        self.count_overflow(reasons.get_or_init(Box::default).add(by, reason));
    }

    #[inline]
    fn count_overflow(&self, found_place: bool) {
        if !found_place {
            self.overflowed.fetch_add(1, Relaxed);
        }
    }
}

/// Counts each request.
impl Observer for Metrics {
    fn request_started(&self) {
        self.shard().in_flight.fetch_add(1, Relaxed);
    }

    fn response_started(&self, request: &StartedResponse<'_>) {
        let route = self.shard().route(request.route());
        let elapsed = request.elapsed();
        route.own.observe(elapsed.saturating_sub(request.upstream_time().unwrap_or_default()));
        if let Some(kind) = request.stream() {
            // A stream is as fast as its first byte.
            route.whole.observe(elapsed);
            route.streams(kind).open.fetch_add(1, Relaxed);
        }
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        let shard = self.shard();
        shard.in_flight.fetch_sub(1, Relaxed);
        let route = shard.route(request.route());
        shard.count_overflow(route.counts.add(CountKey::new(request.method(), request.logged_status())));
        let duration = request.duration();
        match request.stream() {
            Some(kind) => {
                let streams = route.streams(kind);
                streams.open.fetch_sub(1, Relaxed);
                streams.lifetime.observe(duration);
            }
            None => {
                let bucket = route.whole.observe(duration);
                if let Some(span) = request.span().filter(|span| span.is_sampled()) {
                    let at = (request.started() + duration).saturating_duration_since(self.0.began);
                    route.whole.exemplify(bucket, span, duration, at);
                }
            }
        }
        route.bytes_in.fetch_add(request.bytes_in(), Relaxed);
        route.bytes_out.fetch_add(request.bytes_out(), Relaxed);
        if let (Some(upstream), Some(time)) = (request.upstream(), request.upstream_time()) {
            shard.add_upstream(upstream, time);
        }
        for (_, leg) in request.legs() {
            leg.with(|known| {
                if let (Some(upstream), Some(time)) = (&known.upstream, known.upstream_time) {
                    shard.add_upstream(upstream, time);
                }
            });
        }
        if let Some(Obstacle { by, reason }) = request.obstacle() {
            // A panic is answered as a refusal is.
            let is_failure = matches!(by, "error" | "client" | "server");
            let reasons = if is_failure { &route.failures } else { &route.rejections };
            shard.add_reason(reasons, by, reason);
        }
        if let Some(rejection) = request.would_reject() {
            shard.add_reason(&route.would_reject, rejection.policy(), rejection.reason());
        }
    }

    fn request_refused(&self, request: &RefusedRequest<'_>) {
        let shard = self.shard();
        let (method, status, rejection) = request.counted();
        let key = CountKey::of_text(method.unwrap_or_default(), status);
        shard.count_overflow(shard.no_route.counts.add(key));
        if let Some(Obstacle { by, reason }) = rejection {
            shard.add_reason(&shard.no_route.rejections, by, reason);
        }
    }
}
