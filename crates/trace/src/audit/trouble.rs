use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

/// What the operator has to know of an audit log.
#[derive(Debug)]
pub struct AuditTrouble(Kind);

#[derive(Debug)]
enum Kind {
    Failing { error: io::Error, refused: u64, lost: u64 },
    Over,
    Lost(u64),
    Altered(String),
}

impl AuditTrouble {
    pub(super) fn failing(error: io::Error, refused: u64, lost: u64) -> Self {
        Self(Kind::Failing { error, refused, lost })
    }

    pub(super) fn over() -> Self {
        Self(Kind::Over)
    }

    pub(super) fn lost(lost: u64) -> Self {
        Self(Kind::Lost(lost))
    }

    pub(super) fn altered(text: String) -> Self {
        Self(Kind::Altered(text))
    }

    /// Whether it says that the file takes lines again.
    pub fn is_over(&self) -> bool {
        matches!(self.0, Kind::Over)
    }

    /// The failure of the file, when there is one.
    pub fn error(&self) -> Option<&io::Error> {
        match &self.0 {
            Kind::Failing { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for AuditTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Failing { error, refused, lost } => write!(
                f,
                "it cannot be written: {error} (so far {refused} requests were refused for it, and {lost} records lost)"
            ),
            Kind::Over => f.write_str("it is written again"),
            Kind::Lost(lost) => write!(f, "{lost} records were lost so far"),
            Kind::Altered(text) => f.write_str(text),
        }
    }
}

pub(super) type Report = Arc<dyn Fn(&AuditTrouble) + Send + Sync>;

/// The default: a sentence on stderr. Should that fail too, there is nobody left to tell.
pub(super) fn report_on_stderr() -> Report {
    Arc::new(|trouble| {
        let _ = writeln!(io::stderr(), "audit log: {trouble}");
    })
}
