//! Whether a log is whole.

mod lines;
mod scan;

use std::{
    collections::BTreeSet,
    fmt, io,
    path::{Path, PathBuf},
};

use super::{AuditCheckpoint, AuditKey, journal::state_of};
use lines::Lines;
use scan::Scan;

/// So many findings are told; the others are counted.
const MOST_FINDINGS: usize = 20;

/// Checks that nothing was removed from a log, changed, moved or cut off.
///
/// The chain by itself shows what was removed, changed or moved within the log. That the end was cut off, or a part written
/// anew with right hashes, shows only by what its author could not write: signed [checkpoints](super::AuditLogBuilder::signer), or
/// checkpoints that were kept elsewhere. Without these the verifier uses `FILE.state`, which stands beside the log, and says
/// what it cannot prove.
///
/// [`AuditLogBuilder`]: super::AuditLogBuilder
/// [AuditLogBuilder::signer]: super::AuditLogBuilder::signer
#[derive(Debug, Clone, Default)]
pub struct AuditVerifier {
    keys: Vec<AuditKey>,
    checkpoints: Vec<AuditCheckpoint>,
}

/// Something that a whole log does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFinding {
    file: PathBuf,
    line: u64,
    text: String,
}

/// What became of a verification. Its `Display` is for people.
#[derive(Debug, Default)]
pub struct AuditVerdict {
    findings: Vec<AuditFinding>,
    more: u64,
    notes: Vec<String>,
    files: Vec<PathBuf>,
    lines: u64,
    first: u64,
    last: Option<AuditCheckpoint>,
}

impl AuditVerifier {
    /// A verifier without keys and checkpoints.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the public key of a signer. From the first key on, every checkpoint must be signed by one of the keys.
    #[must_use]
    pub fn key(mut self, key: AuditKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds a checkpoint that was kept elsewhere.
    #[must_use]
    pub fn checkpoint(mut self, checkpoint: AuditCheckpoint) -> Self {
        self.checkpoints.push(checkpoint);
        self
    }

    /// Reads the files of a log, in any order, in bounded memory.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn verify(&self, files: impl IntoIterator<Item = impl AsRef<Path>>) -> io::Result<AuditVerdict> {
        let mut seen = BTreeSet::new();
        let mut ordered = Vec::new();
        let mut states = Vec::new();
        for file in files {
            let file = file.as_ref();
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
            if !seen.insert(file.canonicalize().map_err(named)?) {
                continue;
            }
            // The states are read before the lines, so that a log that is being written is ahead of them.
            let state = state_of(file);
            states.extend(state.map(|state| (file.to_owned(), state)));
            ordered.push((Lines::first_seq(file).map_err(named)?, file.to_owned(), state.is_some()));
        }
        ordered.sort();
        let mut scan = Scan::new(&self.keys, &self.checkpoints, states);
        let last = ordered.len().saturating_sub(1);
        for (index, (_, file, has_state)) in ordered.into_iter().enumerate() {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
            scan.file(&file, index == last && has_state).map_err(named)?;
        }
        Ok(scan.end())
    }
}

impl AuditFinding {
    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line of the file, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }
}

impl fmt::Display for AuditFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

impl AuditVerdict {
    /// Whether nothing was found that a whole log does not have.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// What was found, in the order of the lines; 20 at most.
    pub fn findings(&self) -> &[AuditFinding] {
        &self.findings
    }

    /// What an auditor should know besides: ends of the process without notice, torn lines, and what could not be proven.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The lines that were read.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The place of the last line.
    pub fn last(&self) -> Option<AuditCheckpoint> {
        self.last
    }

    fn find(&mut self, file: &Path, line: u64, text: String) {
        if self.findings.len() == MOST_FINDINGS {
            self.more += 1;
        } else {
            self.findings.push(AuditFinding { file: file.to_owned(), line, text });
        }
    }
}

impl fmt::Display for AuditVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let files = match &*self.files {
            [file] => file.display().to_string(),
            files => format!("{} files", files.len()),
        };
        let result = if self.is_whole() { "whole" } else { "NOT whole" };
        match self.last {
            Some(last) => write!(f, "{files}: {result}: lines {} to {last}", self.first),
            None => write!(f, "{files}: {result}: no lines"),
        }
    }
}
