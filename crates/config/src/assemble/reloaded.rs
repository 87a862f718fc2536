use std::fmt;

/// What a reload came to.
///
/// `Display` says it in one sentence, for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    pub(super) routes: Changes,
    pub(super) upstreams: Changes,
    pub(super) certificates: usize,
    pub(super) others: bool,
}

/// How many of one kind a reload has kept, added and removed. One that was changed counts as removed and added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    kept: usize,
    added: usize,
    removed: usize,
}

impl Reloaded {
    /// The routes; one that is kept has the stack that it had, with its state.
    pub fn routes(&self) -> Changes {
        self.routes
    }

    /// The upstreams; one that is kept has the connections that it had.
    pub fn upstreams(&self) -> Changes {
        self.upstreams
    }

    /// The listeners whose certificates, client authorities or revocation lists were replaced.
    pub fn certificates(&self) -> usize {
        self.certificates
    }

    /// Whether there was anything to change.
    pub fn has_changes(&self) -> bool {
        self.others || self.certificates > 0 || self.routes.any() || self.upstreams.any()
    }
}

impl Changes {
    pub(super) fn new(before: usize, kept: usize, after: usize) -> Self {
        Self { kept, added: after.saturating_sub(kept), removed: before.saturating_sub(kept) }
    }

    /// Those that went on as they were.
    pub fn kept(&self) -> usize {
        self.kept
    }

    /// Those that are new, or not what they were.
    pub fn added(&self) -> usize {
        self.added
    }

    /// Those that are gone, or not what they were.
    pub fn removed(&self) -> usize {
        self.removed
    }

    fn any(self) -> bool {
        self.added + self.removed > 0
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_changes() {
            return f.write_str("nothing has changed");
        }
        write!(f, "routes: {}; upstreams: {}", self.routes, self.upstreams)?;
        match self.certificates {
            0 => Ok(()),
            1 => f.write_str("; the certificates of 1 listener replaced"),
            count => write!(f, "; the certificates of {count} listeners replaced"),
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kept, added, removed } = self;
        write!(f, "{kept} kept, {added} added, {removed} removed")
    }
}
