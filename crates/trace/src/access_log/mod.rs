//! The access log: lines into a buffer, a thread that writes them.

mod buffers;
mod fields;
pub(crate) mod line;
mod refused;
mod target;
mod template;
pub(crate) mod timestamp;
mod trouble;
mod writer;

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    thread::{self, Thread},
    time::Duration,
};

pub use fields::LogFields;
pub use refused::RefusedRequest;
pub use template::{LogTemplate, NotATemplate};
pub use trouble::LogTrouble;

use buffers::Appended;
use line::Line;
use target::Target;
use trouble::Report;
use writer::{Shared, Writer};

use crate::{EndedRequest, Observer, StartedResponse, WatchedHeaders};

/// How long a flush, and the end of the log, wait for the target.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// The access log: one JSON object a line, written by a thread of its own.
///
/// Clones share the log. A request never waits for it: lines go into bounded buffers, one for each thread that serves, and
/// what finds its buffer full is counted ([`AccessLog::lost`]) and reported. A target that fails (a full disk, a
/// closed pipe) loses lines, but it neither stops the program nor leaves half a line behind.
///
/// The last clone writes what is left when it is dropped, and waits for that up to 5 seconds.
#[derive(Clone)]
pub struct AccessLog {
    handle: Arc<Handle>,
    fields: Option<Arc<LogFields>>,
}

struct Handle {
    shared: Arc<Shared>,
    writer: Thread,
}

impl AccessLog {
    /// A log on the standard output.
    ///
    /// # Errors
    ///
    /// When its thread cannot be started.
    pub fn stdout() -> io::Result<Self> {
        Self::builder().stdout()
    }

    /// A log in a file, which is made when absent and appended to when not.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or the log's thread cannot be started.
    pub fn file(path: impl Into<PathBuf>) -> io::Result<Self> {
        Self::builder().file(path)
    }

    /// A log with settings of one's own.
    pub fn builder() -> AccessLogBuilder {
        AccessLogBuilder { capacity: 1 << 20, report: trouble::report_on_stderr() }
    }

    /// The same log, with lines of these fields. Clones that were made before go on as they are, into the same target.
    #[must_use]
    pub fn with_fields(mut self, fields: LogFields) -> Self {
        self.fields = (!fields.is_usual()).then(|| Arc::new(fields));
        self
    }

    fn append(&self, line: &Line<'_>) {
        let shared = &self.handle.shared;
        let template = self.fields.as_ref().and_then(|fields| fields.template.as_ref());
        match shared.buffers.append(line, template) {
            Appended::First if shared.takes_from_idle() => self.handle.writer.unpark(),
            Appended::HalfFull => self.handle.writer.unpark(),
            Appended::First | Appended::Done => {}
            Appended::Dropped => {
                shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes out what has been logged so far. It blocks until that is done, or for 5 seconds; false when that was not
    /// enough.
    pub fn flush(&self) -> bool {
        self.handle.flush()
    }

    /// Opens the file anew under its path, once what has been logged so far is written: call it after the file was
    /// moved away. A target that is no file goes on as it is.
    pub fn reopen(&self) {
        self.handle.shared.ask_to_reopen();
        self.handle.writer.unpark();
    }

    /// The lines that were lost since the log began, for want of room or because the target failed.
    pub fn lost(&self) -> u64 {
        self.handle.shared.lost()
    }
}

/// Writes a line for each request.
impl Observer for AccessLog {
    fn watched_headers(&self) -> WatchedHeaders {
        self.fields.as_ref().map(|fields| fields.headers.clone()).unwrap_or_default()
    }

    fn watches_starts(&self) -> bool {
        self.fields.as_ref().is_some_and(|fields| fields.start_lines)
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        match &self.fields {
            None => self.append(&Line::of(request)),
            Some(fields) if fields.includes(request) => self.append(&Line::of(request).with(request, fields)),
            Some(_) => {}
        }
    }

    fn response_started(&self, request: &StartedResponse<'_>) {
        if self.watches_starts() && request.stream().is_some() {
            self.request_ended(request.request);
        }
    }

    fn request_refused(&self, request: &RefusedRequest<'_>) {
        self.append(&request.0);
    }
}

impl Handle {
    fn flush(&self) -> bool {
        let asked = self.shared.ask_to_flush();
        self.writer.unpark();
        self.shared.wait(asked, FLUSH_LIMIT)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.ask_to_close();
        self.flush();
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

/// Builds an [`AccessLog`].
pub struct AccessLogBuilder {
    capacity: usize,
    report: Report,
}

impl AccessLogBuilder {
    /// Sets the most bytes that wait to be written, for each core; 1 MiB by default. The log may hold twice that
    /// while it writes.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }

    /// Sets what is called when lines were lost, on the log's own thread and at most every 10 seconds. By default a
    /// sentence goes to stderr.
    #[must_use]
    pub fn on_trouble(mut self, report: impl Fn(&LogTrouble) + Send + Sync + 'static) -> Self {
        self.report = Arc::new(report);
        self
    }

    /// Starts a log on the standard output.
    ///
    /// # Errors
    ///
    /// When its thread cannot be started.
    pub fn stdout(self) -> io::Result<AccessLog> {
        self.writer(io::stdout())
    }

    /// Starts a log in a file, which is made when absent and appended to when not.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or the log's thread cannot be started.
    pub fn file(self, path: impl Into<PathBuf>) -> io::Result<AccessLog> {
        let target = Target::file(path.into())?;
        self.start(target)
    }

    /// Starts a log on any writer, which is flushed after each batch of lines.
    ///
    /// # Errors
    ///
    /// When the log's thread cannot be started.
    pub fn writer(self, writer: impl Write + Send + 'static) -> io::Result<AccessLog> {
        self.start(Target::stream(writer))
    }

    fn start(self, target: Target) -> io::Result<AccessLog> {
        let shared = Arc::new(Shared::new(self.capacity));
        let writer = Writer::new(Arc::clone(&shared), target, self.report);
        let thread = thread::Builder::new().name("access-log".into()).spawn(|| writer.run())?;
        Ok(AccessLog { handle: Arc::new(Handle { shared, writer: thread.thread().clone() }), fields: None })
    }
}

impl fmt::Debug for AccessLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLogBuilder").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
