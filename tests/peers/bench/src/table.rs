//! What a scenario tells: tables, and goals with whether they were met.

use serde_json::Value;

use crate::{
    contest::{Results, Sample},
    proxy::Peer,
    statistics::Summary,
};

/// A scenario's part of the report.
#[derive(Default)]
pub(crate) struct Section {
    pub(crate) tables: Vec<Table>,
    pub(crate) goals: Vec<Goal>,
    /// Who did not take part or failed, and why.
    pub(crate) notes: Vec<String>,
    /// Every single measurement.
    pub(crate) raw: Vec<Value>,
}

pub(crate) struct Table {
    /// Of files.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) digits: usize,
    /// The name of its picture, when there is one.
    pub(crate) picture: Option<&'static str>,
}

pub(crate) struct Row {
    pub(crate) label: String,
    /// One for each column.
    pub(crate) cells: Vec<Option<Summary>>,
    /// Requests that failed in all rounds; `None` where nothing can.
    pub(crate) failed: Option<u64>,
    /// Whether this is the gateway's own.
    pub(crate) ours: bool,
}

/// What was promised.
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) limit: Limit,
    pub(crate) measured: Option<Summary>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// Whether the median keeps to the limit; `None` when nothing was measured.
    pub(crate) fn met(&self) -> Option<bool> {
        let median = self.measured?.median;
        Some(match self.limit {
            Limit::AtMost(limit) => median <= limit,
            Limit::AtLeast(limit) => median >= limit,
        })
    }
}

impl Limit {
    pub(crate) fn show(self) -> String {
        match self {
            Self::AtMost(limit) => format!("at most {limit}"),
            Self::AtLeast(limit) => format!("at least {limit}"),
        }
    }
}

/// A figure of a turn, as a column.
#[derive(Clone, Copy)]
pub(crate) struct Measure {
    title: &'static str,
    digits: usize,
    picture: Option<&'static str>,
    value: fn(&Sample) -> Option<f64>,
}

impl Measure {
    pub(crate) const CPU: Self =
        Self {
            title: "µs CPU a request", digits: 2, picture: Some("cpu"), value: |sample| Some(sample.cpu())
        };
    pub(crate) const USER: Self =
        Self { title: "user", digits: 2, picture: None, value: |sample| Some(sample.user()) };
    pub(crate) const SYSTEM: Self =
        Self { title: "system", digits: 2, picture: None, value: |sample| Some(sample.system()) };
    pub(crate) const RATE: Self =
        Self { title: "requests/s", digits: 0, picture: Some("rate"), value: |sample| Some(sample.rate()) };
    pub(crate) const P99: Self =
        Self { title: "p99, ms", digits: 2, picture: Some("p99"), value: Sample::p99_ms };
    pub(crate) const BUSY: Self =
        Self { title: "cores busy", digits: 2, picture: None, value: |sample| Some(sample.busy()) };
    pub(crate) const MIB: Self =
        Self { title: "MiB/s", digits: 0, picture: Some("rate"), value: |sample| Some(sample.rate()) };
    pub(crate) const HANDSHAKE_CPU: Self = Self { title: "µs CPU a connection", ..Self::CPU };
    pub(crate) const HANDSHAKE_RATE: Self = Self { title: "connections/s", ..Self::RATE };
    pub(crate) const RESUMED: Self =
        Self { title: "share resumed", digits: 2, picture: None, value: Sample::resumed };
}

/// What a contest's table looks like.
pub(crate) struct Outline {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) measures: &'static [Measure],
}

impl Section {
    /// Adds a contest: its table, its problems and all of its measurements.
    pub(crate) fn contest(&mut self, outline: Outline, results: &Results) {
        let mut columns: Vec<_> = outline
            .measures
            .iter()
            .map(|measure| Column { title: measure.title, digits: measure.digits, picture: measure.picture })
            .collect();
        columns.insert(1, Column { title: "Gatewright = 1", digits: 2, picture: None });
        let ours = results.position(Peer::Gateway);
        let rows = results.entrants.iter().enumerate().map(|(index, entrant)| {
            let mut cells: Vec<_> =
                outline.measures.iter().map(|measure| results.summary(index, measure.value)).collect();
            cells.insert(1, results.ratio(Some(index), ours, |sample| Some(sample.cpu())));
            let ours = entrant.peer == Peer::Gateway;
            Row { label: entrant.label.clone(), cells, failed: Some(results.failed(index)), ours }
        });
        let rows = rows.collect();
        self.tables.push(Table { name: outline.name, title: outline.title, columns, rows });
        self.notes.extend(results.problems.iter().cloned());
        self.raw.push(results.to_json());
    }

    pub(crate) fn goal(&mut self, what: impl Into<String>, limit: Limit, measured: Option<Summary>) {
        self.goals.push(Goal { what: what.into(), limit, measured });
    }
}
