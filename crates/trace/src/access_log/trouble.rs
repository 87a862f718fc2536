use std::{
    fmt,
    io::{self, Write},
    sync::Arc,
};

/// What went wrong with the log since the last report.
#[derive(Debug)]
pub struct LogTrouble {
    pub(super) lost: u64,
    pub(super) error: Option<io::Error>,
}

impl LogTrouble {
    /// The lines that were not written, for want of room in the buffers or because the target failed.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The last failure of the target; `None` when it was only too slow.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }
}

impl fmt::Display for LogTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines were not written: ", self.lost)?;
        match &self.error {
            Some(error) => error.fmt(f),
            None => f.write_str("they came faster than the target takes them"),
        }
    }
}

pub(super) type Report = Arc<dyn Fn(&LogTrouble) + Send + Sync>;

/// The default: a sentence on stderr. Should that fail too, there is nobody left to tell.
pub(super) fn report_on_stderr() -> Report {
    Arc::new(|trouble| {
        let _ = writeln!(io::stderr(), "access log: {trouble}");
    })
}
