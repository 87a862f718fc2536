//! What lines hold beside the usual fields, and which requests leave one.

use gatewright_core::{Label, redact::Redaction};
use http::HeaderName;

use super::template::LogTemplate;
use crate::{EndedRequest, WatchedHeaders};

/// What the lines of an [`AccessLog`](super::AccessLog) hold beside the usual fields, how they are written, and which requests
/// leave one. By default each request leaves a line of JSON without its query and its headers.
///
/// ```
/// use gatewright_core::{Label, LabelKind};
/// use gatewright_trace::{AccessLog, LogFields, TraceLayer};
/// use http::header::USER_AGENT;
///
/// # fn main() -> std::io::Result<()> {
/// let fields = LogFields::new()
///     .request_header(USER_AGENT)
///     .query(true)
///     .sample(&Label::new(LabelKind::Route, "health"), 0.01);
/// let layer = TraceLayer::new().access_log(AccessLog::stdout()?.with_fields(fields));
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LogFields {
    pub(super) headers: WatchedHeaders,
    pub(super) query: bool,
    pub(super) redaction: Redaction,
    pub(super) start_lines: bool,
    pub(super) template: Option<LogTemplate>,
    /// By the number of the route.
    routes: Vec<Lines>,
}

/// Which requests of a route leave a line.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Lines {
    #[default]
    All,
    /// A share of those that went well, and all others.
    Share(f64),
    None,
}

impl LogFields {
    /// The usual fields, in JSON, of each request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Logs this header of requests, as the client wrote it. The value of a header with credentials is written as
    /// `REDACTED`, whatever else is set ([`Redaction::hides_header`]).
    #[must_use]
    pub fn request_header(mut self, name: HeaderName) -> Self {
        self.headers = self.headers.request(name);
        self
    }

    /// Logs this header of responses, under the same rule.
    #[must_use]
    pub fn response_header(mut self, name: HeaderName) -> Self {
        self.headers = self.headers.response(name);
        self
    }

    /// Sets whether the query is logged, without the values that the [redaction](Self::redaction) hides; off by default.
    #[must_use]
    pub fn query(mut self, logged: bool) -> Self {
        self.query = logged;
        self
    }

    /// Sets which values are hidden in queries and in headers.
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Sets whether a stream leaves a line at its start too, with `"event":"start"`, when the head of its response is sent. A
    /// stream is an upgraded connection (a WebSocket), a tunnel by CONNECT, or a response of the type `text/event-stream`. Off
    /// by default.
    #[must_use]
    pub fn start_lines(mut self, written: bool) -> Self {
        self.start_lines = written;
        self
    }

    /// Writes lines by this template in place of JSON. The headers and the query that it names are logged.
    #[must_use]
    pub fn template(mut self, template: LogTemplate) -> Self {
        self.headers = self.headers.and(&template.headers());
        self.query |= template.names_query();
        self.template = Some(template);
        self
    }

    /// Of this route's requests, logs this share, from 0 to 1, of those that went well. A request that was refused, that
    /// failed, whose client left, or whose status is 400 or more always leaves its line.
    #[must_use]
    pub fn sample(self, route: &Label, share: f64) -> Self {
        self.route(route, Lines::Share(share))
    }

    /// Logs no request of this route, whatever became of it.
    #[must_use]
    pub fn silence(self, route: &Label) -> Self {
        self.route(route, Lines::None)
    }

    fn route(mut self, route: &Label, lines: Lines) -> Self {
        if self.routes.len() <= route.index() {
            self.routes.resize(route.index() + 1, Lines::All);
        }
        self.routes[route.index()] = lines;
        self
    }

    /// Whether nothing is asked for beside the usual lines.
    pub(super) fn is_usual(&self) -> bool {
        self.headers.is_empty()
            && !self.query
            && !self.start_lines
            && self.template.is_none()
            && self.routes.iter().all(|lines| *lines == Lines::All)
    }

    /// Whether the request leaves its lines: at its start and at its end alike, so far as it goes well.
    pub(super) fn includes(&self, request: &EndedRequest<'_>) -> bool {
        let lines = request.route().and_then(|route| self.routes.get(route.index()));
        match lines.copied().unwrap_or_default() {
            Lines::All => true,
            Lines::None => false,
            Lines::Share(share) => {
                let went_well = request.obstacle().is_none()
                    && request.would_reject().is_none()
                    && request.logged_status().is_some_and(|status| status < 400);
                !went_well || request.span().is_none_or(|span| drawn(span.span_id(), share))
            }
        }
    }
}

/// Whether a request is in the share, by the id of its span: random, and never chosen by a client.
fn drawn(span: u64, share: f64) -> bool {
    // The upper 53 bits are a number from 0 to below 1.
    ((span >> 11) as f64) / ((1_u64 << 53) as f64) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share_of_the_ids() {
        let ids = (0..1000_u64).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let drawn_of = |share: f64| ids.clone().filter(|id| drawn(*id, share)).count();
        assert_eq!((drawn_of(0.0), drawn_of(1.0)), (0, 1000));
        assert!((80..120).contains(&drawn_of(0.1)), "{}", drawn_of(0.1));
        assert!(drawn(u64::MAX, 1.0) && !drawn(0, 0.0));
    }
}
