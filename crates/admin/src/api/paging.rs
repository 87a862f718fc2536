//! Search, order and pages, so that a browser never holds ten thousand rows.

use serde::Deserialize;
use serde_json::{Value, json};

/// Rows of a page, unless asked otherwise, and at most.
const ROWS: usize = 25;
const MOST_ROWS: usize = 200;

/// `?search=&page=&rows=&sort=`. A number that is none counts as absent.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Paging {
    #[serde(default)]
    search: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    rows: String,
    #[serde(default)]
    sort: String,
}

/// In which order rows come. All but names begin with the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Name,
    Rate,
    Errors,
    Refused,
    P50,
    P90,
    P99,
}

impl Sort {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Rate => "rate",
            Self::Errors => "errors",
            Self::Refused => "refused",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
        }
    }

    /// The share of requests whose latency decides, if one does.
    pub(super) fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P99 => Some(0.99),
            _ => None,
        }
    }
}

impl Paging {
    pub(super) fn sort(&self) -> Sort {
        let all = [Sort::Name, Sort::Rate, Sort::Errors, Sort::Refused, Sort::P50, Sort::P90, Sort::P99];
        all.into_iter().find(|sort| sort.as_str() == self.sort).unwrap_or(Sort::Rate)
    }

    /// What tells whether one of these texts holds what is searched for, whatever its case.
    pub(super) fn finds(&self) -> impl Fn(&[&str]) -> bool + use<> {
        let wanted = self.search.trim().to_lowercase();
        move |texts| wanted.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&wanted))
    }

    /// The page of these rows, which `show` makes JSON of, with where it stands.
    pub(super) fn page<R>(
        &self,
        total: usize,
        rows: Vec<R>,
        name: &str,
        show: impl FnMut(R) -> Value,
    ) -> Value {
        let per_page = self.rows.parse().unwrap_or(ROWS).clamp(1, MOST_ROWS);
        let (matched, pages) = (rows.len(), rows.len().div_ceil(per_page).max(1));
        let page = self.page.parse().unwrap_or(1_usize).clamp(1, pages);
        let shown: Vec<_> = rows.into_iter().skip((page - 1) * per_page).take(per_page).map(show).collect();
        json!({
            "total": total,
            "matched": matched,
            "page": page,
            "pages": pages,
            "rows": per_page,
            "sort": self.sort().as_str(),
            name: shown,
        })
    }
}
