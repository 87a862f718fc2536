//! The last reloads, and what they changed.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use serde_json::{Value, json};

/// How many reloads are kept, and how many changes of each are named.
const KEPT: usize = 32;
const NAMED: usize = 100;

/// How long the text of an error is kept, in bytes.
const ERROR: usize = 16 * 1024;

/// A reload of the configuration: what it changed, or why it was refused.
#[derive(Debug, Clone)]
pub struct Reload {
    at: SystemTime,
    error: Option<String>,
    hashes: Option<(String, String)>,
    changes: Vec<(ChangeKind, &'static str, String)>,
    unnamed: usize,
}

/// What a reload did with something that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is not what it was.
    Changed,
}

impl ChangeKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

impl Reload {
    /// A reload that was accepted, with the hashes of the configuration before and after.
    pub fn accepted(before: &str, after: &str) -> Self {
        let hashes = Some((before.to_owned(), after.to_owned()));
        Self { at: SystemTime::now(), error: None, hashes, changes: Vec::new(), unnamed: 0 }
    }

    /// A reload that was refused. The text is shown, so it must hold no secret.
    pub fn refused(error: impl Into<String>) -> Self {
        let mut error = error.into();
        if error.len() > ERROR {
            error.truncate((0..=ERROR).rev().find(|end| error.is_char_boundary(*end)).unwrap_or(0));
        }
        Self { at: SystemTime::now(), error: Some(error), hashes: None, changes: Vec::new(), unnamed: 0 }
    }

    /// Adds what was changed: a `route` or an `upstream` say, by its name.
    #[must_use]
    pub fn change(mut self, kind: ChangeKind, what: &'static str, name: &str) -> Self {
        if self.changes.len() < NAMED {
            self.changes.push((kind, what, name.chars().take(256).collect()));
        } else {
            self.unnamed += 1;
        }
        self
    }

    fn json(&self) -> Value {
        let changes: Vec<_> = self
            .changes
            .iter()
            .map(|(kind, what, name)| json!({"change": kind.as_str(), "what": what, "name": name}))
            .collect();
        json!({
            "at": crate::api::unix_ms(self.at),
            "ok": self.error.is_none(),
            "error": self.error,
            "hash_before": self.hashes.as_ref().map(|(before, _)| before),
            "hash_after": self.hashes.as_ref().map(|(_, after)| after),
            "changes": changes,
            "more_changes": self.unnamed,
        })
    }
}

/// The last reloads, the newest last, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Reloads(Mutex<History>);

#[derive(Debug, Default)]
struct History {
    last: VecDeque<Reload>,
    accepted: u64,
    refused: u64,
}

impl Reloads {
    pub(crate) fn note(&self, reload: Reload) {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reload.error {
            None => history.accepted += 1,
            Some(_) => history.refused += 1,
        }
        if history.last.len() == KEPT {
            history.last.pop_front();
        }
        history.last.push_back(reload);
    }

    pub(crate) fn json(&self) -> Value {
        let history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last: Vec<_> = history.last.iter().rev().map(Reload::json).collect();
        json!({"accepted": history.accepted, "refused": history.refused, "reloads": last})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_and_the_changes_of_a_reload_are_bounded() {
        let reloads = Reloads::default();
        for number in 0..100 {
            reloads.note(Reload::accepted(&number.to_string(), "after"));
        }
        let mut large = Reload::accepted("99", "100");
        for number in 0..10_000 {
            large = large.change(ChangeKind::Added, "route", &number.to_string());
        }
        reloads.note(large);
        reloads.note(Reload::refused("é".repeat(ERROR)));
        let json = reloads.json();
        assert_eq!((&json["accepted"], &json["refused"]), (&json!(101), &json!(1)));
        assert_eq!(json["reloads"].as_array().map(Vec::len), Some(KEPT));
        assert_eq!(json["reloads"][0]["ok"], false);
        assert!(json["reloads"][0]["error"].as_str().is_some_and(|error| error.len() <= ERROR));
        assert_eq!(json["reloads"][1]["changes"].as_array().map(Vec::len), Some(NAMED));
        assert_eq!(json["reloads"][1]["more_changes"], 9_900);
    }
}
