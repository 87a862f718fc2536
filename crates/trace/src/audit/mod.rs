//! The audit log: one record for each decision of a policy, in a chain of hashes.
//!
//! 1. Refusals are recorded, and answers that a policy gave in the place of the service; admissions where they are asked for
//!    ([`Admissions`]). So is what a policy on trial would have refused, and what the server refused before any layer.
//! 2. A record is one line, a JSON object. Headers and queries are never in it.
//! 3. Each line has a number and, in a chain, the hash of the line before it: who removes, changes or moves a line breaks the
//!    chain. The chain goes on when the file is [reopened](AuditLog::reopen) and over a restart.
//! 4. [Checkpoints](AuditLogBuilder::signer) are signed, or [told](AuditLogBuilder::on_checkpoint) for keeping elsewhere. They show
//!    that the end was cut off, and that a part was written anew with right hashes.
//! 5. A request never waits for the file. Records go into a bounded queue, and a thread of the log's own writes them. A request
//!    that the [`AuditPolicy`] has admitted always has room there: when the file fails or the queue is full, it refuses the
//!    requests to come with 503 ([`OnFailure`]). Memory is bounded by the queue's capacity and by the records of the requests
//!    that are under way.
//! 6. [`AuditVerifier`] says whether a log is whole.
//!
//! Records are written when their requests end. A process that is killed loses those of requests under way; the log then
//! has no `close` before the next `open`, and the verifier says so.
//!
//! | field | |
//! | --- | --- |
//! | `seq` | the number of the line, from 1 |
//! | `ts` | when the request began, RFC 3339, UTC, milliseconds; when the event happened |
//! | `request_id`, `trace_id` | |
//! | `route` | the name of the route, where one had taken the request |
//! | `policy` | who decided |
//! | `decision` | `admitted`, `refused`, `answered`, or `would_refuse` of a policy on trial |
//! | `reason` | of a refusal |
//! | `principal` | who called, where it is known |
//! | `client` | the client's address, after trusted hops |
//! | `config` | which configuration served: the first 16 hex digits of its SHA-256 |
//! | `prev`, `hash` | of the chain |
//!
//! A line with `event` in the place of `decision` is about the log itself: `open` and its `cause`, `config` and its whole hash,
//! `checkpoint`, `torn` (a torn last line was moved to another file), `failure` (how many records were lost and how many
//! requests were refused), `close`.
//!
//! ```
//! use gatewright_core::PolicyLayer;
//! use gatewright_trace::{TraceLayer, audit::{Admissions, AuditLog, AuditVerifier}};
//! use tower::ServiceBuilder;
//!
//! # fn main() -> std::io::Result<()> {
//! # let directory = std::env::temp_dir().join(format!("gatewright-audit-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("audit.log");
//! let audit = AuditLog::file(&path)?.admissions(Admissions::All);
//! let stack = ServiceBuilder::new()
//!     .layer(TraceLayer::new().observer(audit.clone()))
//!     // Refuses requests while the log cannot be written.
//!     .layer(PolicyLayer::new(audit.policy()));
//! // Before the program ends:
//! assert!(audit.close());
//! assert!(AuditVerifier::new().verify([&path])?.is_whole());
//! # let _ = stack;
//! # std::fs::remove_dir_all(directory)
//! # }
//! ```

mod chain;
mod journal;
mod key;
mod policy;
mod queue;
mod record;
mod trouble;
mod verify;
mod writer;

use std::{fmt, io, path::PathBuf, sync::Arc, thread, time::Duration};

use gatewright_core::{Label, LabelKind, PolicyDecision, PolicyVerdict};

pub use chain::{AuditCheckpoint, InvalidCheckpoint};
pub use key::{AuditKey, AuditSigner};
pub use policy::AuditPolicy;
pub use trouble::AuditTrouble;
pub use verify::{AuditFinding, AuditVerdict, AuditVerifier};

use chain::Hash;
use journal::Journal;
use queue::Queue;
use record::{Event, Request};
use writer::{Settings, Writer};

use crate::{EndedRequest, Observer, RefusedRequest};

/// How long a flush, and the end of the log, wait for the file.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// An audit log in a file. Clones share the file; see [the module](self).
#[derive(Clone)]
pub struct AuditLog {
    handle: Arc<Handle>,
    view: Arc<View>,
}

struct Handle {
    queue: Arc<Queue>,
}

/// What a clone may have of its own.
#[derive(Clone, Default)]
struct View {
    admissions: Admissions,
    on_failure: OnFailure,
    config: Option<Box<str>>,
}

/// Which admissions have a record. Refusals always have one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admissions {
    /// None.
    #[default]
    None,
    /// Those of every policy.
    All,
    /// Those of these policies.
    Of(Vec<Label>),
}

/// What becomes of requests while the log cannot be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// They are refused with 503, by the [`AuditPolicy`], until the log is written again.
    #[default]
    Refuse,
    /// They go on. Records wait as long as there is room, and what finds none is counted ([`AuditLog::lost`]) and reported.
    GoOn,
}

impl Admissions {
    /// Those of the policies of these names.
    pub fn of<'a>(policies: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Of(policies.into_iter().map(|name| Label::new(LabelKind::Policy, name)).collect())
    }

    fn include(&self, policy: &Label) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Of(labels) => labels.contains(policy),
        }
    }
}

impl AuditLog {
    /// A chained log in a file, without signatures. It goes on where the file ends.
    ///
    /// # Errors
    ///
    /// Those of [`AuditLogBuilder::file`].
    pub fn file(path: impl Into<PathBuf>) -> io::Result<Self> {
        Self::builder().file(path)
    }

    /// A log with settings of one's own.
    pub fn builder() -> AuditLogBuilder {
        AuditLogBuilder {
            capacity: 16 << 20,
            settings: Settings {
                chained: true,
                sync: true,
                signer: None,
                every: 1000,
                interval: Duration::from_secs(60),
                on_checkpoint: None,
                report: trouble::report_on_stderr(),
            },
        }
    }

    /// This log, with records of these admissions too; of none by default.
    #[must_use]
    pub fn admissions(self, admissions: Admissions) -> Self {
        self.with(|view| view.admissions = admissions)
    }

    /// This log, with another behaviour while it cannot be written; [`OnFailure::Refuse`] by default.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        self.with(|view| view.on_failure = on_failure)
    }

    /// This log for the requests of one configuration, which is written down now. `config` is the text of the configuration.
    #[must_use]
    pub fn config(self, config: &[u8]) -> Self {
        let hash = Hash::of(config).to_string();
        let event = Event { event: "config", config: Some(&hash), ..Event::default() };
        let mut record = event.members();
        record.push(b'\n');
        self.handle.queue.add(&record, true);
        self.with(|view| view.config = Some(hash[..16].into()))
    }

    fn with(mut self, change: impl FnOnce(&mut View)) -> Self {
        change(Arc::make_mut(&mut self.view));
        self
    }

    /// The policy that refuses requests while the log cannot be written.
    pub fn policy(&self) -> AuditPolicy {
        AuditPolicy { log: self.clone() }
    }

    /// Whether the file does not take what is written to it.
    pub fn is_failing(&self) -> bool {
        self.handle.queue.is_failing()
    }

    /// The records that were lost since the log was opened. With [`OnFailure::Refuse`], and the [`AuditPolicy`] in its place, no
    /// record of an admitted request is among them, unless the program ends while the file fails.
    pub fn lost(&self) -> u64 {
        self.handle.queue.lost()
    }

    /// The requests that were refused since the log could not be written.
    pub fn refused(&self) -> u64 {
        self.handle.queue.refused()
    }

    /// Opens the file anew under its path: call it after the file was moved away. The chain goes on in the new file.
    pub fn reopen(&self) {
        self.handle.queue.ask_to_reopen();
    }

    /// Writes out what has been recorded so far. It blocks until that is done, or for 5 seconds; false when that was not
    /// enough.
    pub fn flush(&self) -> bool {
        self.handle.queue.flush(false, FLUSH_LIMIT)
    }

    /// Ends the log, for all its clones: writes out what has been recorded, a line that says so, and a checkpoint. It blocks as
    /// [`flush`](Self::flush) does. The last clone does the same when it is dropped.
    pub fn close(&self) -> bool {
        self.handle.queue.flush(true, FLUSH_LIMIT)
    }
}

/// Records the decisions of policies.
impl Observer for AuditLog {
    fn watches_decisions(&self) -> bool {
        true
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        // The log's own refusals are counted, for nothing can be written then; and nobody has decided anything before.
        if request.rejection().is_some_and(|refusal| refusal.policy() == policy::NAME) {
            return;
        }
        let View { admissions, config, .. } = &*self.view;
        let about = Request::ended(request, config.as_deref());
        let mut records = Vec::new();
        let mut add = |decision: &PolicyDecision| {
            let is_own = *decision.policy == *policy::NAME;
            let is_wanted = decision.verdict != PolicyVerdict::Admitted || admissions.include(&decision.policy);
            if is_wanted && !is_own {
                about.decided(decision, &mut records);
            }
        };
        request.decisions().iter().for_each(&mut add);
        for (_, leg) in request.legs() {
            leg.decisions().iter().for_each(&mut add);
        }
        // The router refuses too, and so do layers that are no policies.
        if let Some(refusal) = request.rejection() {
            let is_told = request.decisions().iter().any(|decision| {
                decision.verdict == PolicyVerdict::Refused
                    && decision.reason.as_deref() == Some(refusal.reason())
            });
            if !is_told {
                about.append(refusal.policy(), "refused", Some(refusal.reason()), &mut records);
            }
        }
        if let Some(refusal) = request.would_reject() {
            about.append(refusal.policy(), "would_refuse", Some(refusal.reason()), &mut records);
        }
        if !records.is_empty() {
            self.handle.queue.add(&records, request.layers.is_audited);
        }
    }

    fn request_refused(&self, request: &RefusedRequest<'_>) {
        let Some(obstacle) = request.0.rejection else { return };
        let mut records = Vec::new();
        let about = Request::refused(request, self.view.config.as_deref());
        about.append(obstacle.by, "refused", Some(obstacle.reason), &mut records);
        self.handle.queue.add(&records, false);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.flush(true, FLUSH_LIMIT);
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("failing", &self.is_failing())
            .field("lost", &self.lost())
            .field("refused", &self.refused())
            .finish_non_exhaustive()
    }
}

/// Builds an [`AuditLog`].
pub struct AuditLogBuilder {
    capacity: usize,
    settings: Settings,
}

impl AuditLogBuilder {
    /// Sets the most bytes of records that wait to be written; 16 MiB by default. When as many wait, requests are refused, or
    /// records lost, as [`OnFailure`] says.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Sets whether lines are chained by hashes; they are by default. Without a chain there are no checkpoints either.
    #[must_use]
    pub fn chain(mut self, chained: bool) -> Self {
        self.settings.chained = chained;
        self
    }

    /// Sets whether the system is asked to put lines on the disk after each batch (`fdatasync`); it is by default. No request
    /// waits for it.
    #[must_use]
    pub fn sync(mut self, sync: bool) -> Self {
        self.settings.sync = sync;
        self
    }

    /// Sets the key that signs checkpoints. One is written at the start, at the end, after
    /// [`checkpoint_every`](Self::checkpoint_every) lines, and after a time also when there is no new line.
    #[must_use]
    pub fn signer(mut self, signer: AuditSigner) -> Self {
        self.settings.signer = Some(signer);
        self
    }

    /// Sets after how many lines and how much time the next checkpoint is due; 1,000 lines and 60 seconds by default.
    #[must_use]
    pub fn checkpoint_every(mut self, lines: u64, interval: Duration) -> Self {
        self.settings.every = lines.max(2);
        self.settings.interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Sets what is called with each checkpoint once it is written, on the log's own thread: keep them where nobody who can
    /// write the log can change them.
    #[must_use]
    pub fn on_checkpoint(mut self, call: impl Fn(AuditCheckpoint) + Send + Sync + 'static) -> Self {
        self.settings.on_checkpoint = Some(Arc::new(call));
        self
    }

    /// Sets what is called when something is wrong with the log, on the log's own thread. By default a sentence goes to stderr.
    #[must_use]
    pub fn on_trouble(mut self, report: impl Fn(&AuditTrouble) + Send + Sync + 'static) -> Self {
        self.settings.report = Arc::new(report);
        self
    }

    /// Opens the log. The file is made when absent, and else goes on where it ended: what `FILE.state` beside it says of that
    /// is compared.
    ///
    /// # Errors
    ///
    /// When the file or `FILE.state` cannot be opened, or another log has them open, or the log's thread cannot be started.
    pub fn file(self, path: impl Into<PathBuf>) -> io::Result<AuditLog> {
        let (journal, place, found) = Journal::open(path.into())?;
        let queue = Arc::new(Queue::new(self.capacity));
        let writer = Writer::new(Arc::clone(&queue), journal, place, found, self.settings);
        thread::Builder::new().name("audit-log".into()).spawn(|| writer.run())?;
        Ok(AuditLog { handle: Arc::new(Handle { queue }), view: Arc::default() })
    }
}

impl fmt::Debug for AuditLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLogBuilder").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
