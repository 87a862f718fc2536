//! What runs, as the page shows it.

use std::time::SystemTime;

use gatewright_core::Label;
use gatewright_proxy::Upstream;

/// What runs: routes, upstreams and the configuration that they come from.
#[derive(Debug, Clone, Default)]
pub struct View {
    pub(crate) routes: Vec<RouteView>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) config: Option<ConfigView>,
}

#[derive(Debug, Clone)]
pub(crate) struct RouteView {
    pub(crate) label: Label,
    pub(crate) upstream: Option<String>,
    pub(crate) layers: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct ConfigView {
    pub(crate) file: String,
    pub(crate) hash: String,
    pub(crate) settings: serde_json::Value,
    pub(crate) since: SystemTime,
}

impl View {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route, with its upstream unless it has none, and the names of its layers, outermost first.
    #[must_use]
    pub fn route(mut self, label: Label, upstream: Option<&str>, layers: &[&'static str]) -> Self {
        let upstream = upstream.map(str::to_owned);
        self.routes.push(RouteView { label, upstream, layers: layers.to_vec() });
        self
    }

    /// Adds an upstream. Its endpoints are asked how they fare whenever somebody looks.
    #[must_use]
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstreams.push(upstream);
        self
    }

    /// The configuration: its file, its hash, and its settings as a JSON text, without secrets. A text that is no JSON is shown
    /// as it is.
    #[must_use]
    pub fn config(mut self, file: &str, hash: &str, settings: &str) -> Self {
        let settings = serde_json::from_str(settings).unwrap_or_else(|_| settings.into());
        self.config = Some(ConfigView {
            file: file.to_owned(),
            hash: hash.to_owned(),
            settings,
            since: SystemTime::now(),
        });
        self
    }
}
