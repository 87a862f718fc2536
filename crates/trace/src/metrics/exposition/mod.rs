//! Metrics as text: OpenMetrics 1.0, and the text format 0.0.4 of Prometheus.

mod accept;
mod text;

pub(super) use accept::Format;
pub(super) use text::render;

/// The metrics, as a scraper gets them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exposition {
    /// The value of `content-type`.
    pub content_type: &'static str,
    /// The text.
    pub body: String,
}
