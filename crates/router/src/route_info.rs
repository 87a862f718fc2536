use std::{fmt, sync::Arc};

use gatewright_core::{Label, LabelKind};

/// A route of a router, as logs, errors and [`Explanation`](crate::Explanation) name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    index: usize,
    name: Label,
    description: Arc<str>,
}

impl RouteInfo {
    pub(crate) fn new(index: usize, name: &str, description: String) -> Self {
        Self { index, name: Label::new(LabelKind::Route, name), description: description.into() }
    }

    /// The position of the route, counted from 0 in the order in which the routes were added.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name of the route in logs and metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The conditions of the route in the words of its configuration:
    /// `orders: path_prefix /v1/orders, methods GET POST`.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The name as records carry it.
    pub fn label(&self) -> &Label {
        &self.name
    }
}

/// The [description](RouteInfo::description).
impl fmt::Display for RouteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}
