//! What is shown, and what was asked for.

use serde_json::Value;

use super::{api::Api, text};
use crate::failure::Failure;

/// In which orders rows can be, as the admin names them.
pub(super) const SORTS: [&str; 7] = ["rate", "errors", "refused", "p50", "p90", "p99", "name"];

/// Which table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Routes,
    Upstreams,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Routes => "routes",
            Self::Upstreams => "upstreams",
        }
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) address: String,
    pub(super) summary: Value,
    pub(super) table: Value,
    pub(super) kind: Kind,
    pub(super) sort: usize,
    pub(super) search: String,
    /// Whether keys go into the search.
    pub(super) typing: bool,
    pub(super) page: u64,
    pub(super) paused: bool,
    /// Why what is shown is not of now.
    pub(super) trouble: Option<String>,
}

impl State {
    pub(super) fn new(address: &str, sort: Option<String>, search: Option<String>) -> Self {
        let sort = sort.and_then(|sort| SORTS.iter().position(|known| *known == sort)).unwrap_or(0);
        Self {
            address: address.to_owned(),
            summary: Value::Null,
            table: Value::Null,
            kind: Kind::Routes,
            sort,
            search: search.unwrap_or_default(),
            typing: false,
            page: 1,
            paused: false,
            trouble: None,
        }
    }

    /// Asks the admin anew.
    pub(super) async fn look(&mut self, api: &Api) -> Result<(), Failure> {
        self.ask(api).await.map_err(|trouble| {
            Failure::new(format!(
                "error: {trouble}\n  help: is there `admin: {}` in the file of a gateway that runs?",
                self.address
            ))
        })
    }

    /// Asks the admin anew, and goes on with what there was when it does not answer.
    pub(super) async fn look_on(&mut self, api: &Api) {
        self.trouble = self.ask(api).await.err();
    }

    async fn ask(&mut self, api: &Api) -> Result<(), String> {
        let summary = api.get("/api/summary").await?;
        let (kind, sort, search) = (self.kind.as_str(), SORTS[self.sort], text::encoded(&self.search));
        let target = format!("/api/{kind}?rows=200&sort={sort}&page={}&search={search}", self.page);
        let table = api.get(&target).await?;
        self.page = table["page"].as_u64().unwrap_or(1);
        (self.summary, self.table) = (summary, table);
        Ok(())
    }

    /// The rows of the table, as columns of text.
    pub(super) fn rows(&self) -> Vec<[String; 8]> {
        let rows = self.table[self.kind.as_str()].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().map(|row| self.row(row)).collect()
    }

    fn row(&self, row: &Value) -> [String; 8] {
        let name = match row["name"].as_str().unwrap_or_default() {
            "" => "(no route)".to_owned(),
            name => text::clean(name),
        };
        let last = match self.kind {
            Kind::Routes => text::clean(row["upstream"].as_str().unwrap_or_default()),
            Kind::Upstreams => endpoints(row),
        };
        [
            name,
            text::rate(row["rate"].as_f64()),
            text::count(&row["errors"]),
            text::count(&row["refused"]),
            text::ms(row["p50"].as_f64()),
            text::ms(row["p90"].as_f64()),
            text::ms(row["p99"].as_f64()),
            last,
        ]
    }

    pub(super) fn heads(&self) -> [String; 8] {
        let last = match self.kind {
            Kind::Routes => "UPSTREAM",
            Kind::Upstreams => "ENDPOINTS",
        };
        let names = [
            ("name", "NAME"),
            ("rate", "REQ/S"),
            ("errors", "ERRORS"),
            ("refused", "REFUSED"),
            ("p50", "P50"),
            ("p90", "P90"),
            ("p99", "P99"),
            ("", last),
        ];
        names.map(|(sort, head)| if sort == SORTS[self.sort] { format!("{head}*") } else { head.to_owned() })
    }

    /// The state of the gateway, and its figures, a line each.
    pub(super) fn lines(&self) -> [String; 2] {
        let (summary, minute) = (&self.summary, &self.summary["minute"]);
        let state = if summary["ready"] == true { "serving" } else { "draining" };
        let config = &summary["config"];
        let hash: String = config["hash"].as_str().unwrap_or_default().chars().take(8).collect();
        let file = text::clean(config["file"].as_str().unwrap_or_default());
        [
            format!(
                "{} {state}  {file} {hash}  {} routes, {} upstreams",
                self.address, summary["routes"], summary["upstreams"]
            ),
            format!(
                "{} req/s  errors {} %  refused {}  p50 {}  p99 {}  in flight {}  endpoints down {} of {}",
                text::rate(minute["rate"].as_f64()),
                (minute["error_share"].as_f64().unwrap_or_default() * 1000.0).round() / 10.0,
                text::count(&minute["refused"]),
                text::ms(minute["p50"].as_f64()),
                text::ms(minute["p99"].as_f64()),
                text::count(&summary["in_flight"]),
                text::count(&summary["down"]),
                text::count(&summary["endpoints"]),
            ),
        ]
    }

    /// The requests of each second of the last minute.
    pub(super) fn seconds(&self) -> Vec<u64> {
        let columns = self.summary["seconds"].as_array().map(Vec::as_slice).unwrap_or_default();
        let total =
            |column: &Value| column["classes"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum();
        columns.iter().map(total).collect()
    }
}

/// Those that are up are counted, and others are named.
fn endpoints(row: &Value) -> String {
    let endpoints = row["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of = |health: &'static str| endpoints.iter().filter(move |endpoint| endpoint["health"] == health);
    let mut parts = vec![format!("{} of {} up", of("up").count(), endpoints.len())];
    for health in ["failing", "down"] {
        parts.extend(
            of(health)
                .map(|it| format!("{} {health}", text::clean(it["address"].as_str().unwrap_or_default()))),
        );
    }
    parts.join(", ")
}
