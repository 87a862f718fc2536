//! The file of the log, and the small file beside it that says how far the log has come.
//!
//! 1. `FILE.state` holds the place of the last line, and is locked while the log is open: no two processes write one log.
//! 2. The state is written after the lines. So the file may be ahead of it, by one batch, after the process was killed; it is
//!    never behind, unless somebody has cut or removed the file.
//! 3. A line that the end of the process has torn is moved to `FILE.torn` before anything is written after it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    chain::{AuditCheckpoint, Line},
    record::Event,
};

/// No line of ours is longer: heads of requests are bounded, and what else a line holds is the configuration's.
pub(super) const LONGEST_LINE: u64 = 1 << 20;

pub(super) struct Journal {
    path: PathBuf,
    file: File,
    state: File,
    /// The length that we have given to the file; `None` for what is no regular file.
    length: Option<u64>,
    /// How much of the lines at hand is in the file already, where it could not be taken out again.
    partial: usize,
}

/// What was found when a file was opened, as an event for the log, and for the operator where it should not be.
pub(super) struct Found {
    /// Events to write, the torn line first.
    pub(super) events: Vec<Vec<u8>>,
    pub(super) alarm: Option<String>,
}

/// The end of a file.
enum End {
    Empty,
    Line(AuditCheckpoint),
    /// Something that is no line of a log.
    Other,
}

impl Journal {
    /// Opens a log. The next line follows the place that it gives.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, AuditCheckpoint, Found)> {
        let mut state = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(beside(&path, ".state"))?;
        state.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                ErrorKind::ResourceBusy,
                "another gateway writes this log: each needs a file of its own",
            ),
            TryLockError::Error(error) => error,
        })?;
        let known = read_state(&mut state)?;
        let file = open(&path)?;
        let mut journal = Self { path, file, state, length: None, partial: 0 };
        let (end, torn) = journal.attach()?;
        let (place, cause, alarm) = resume(known, &end);
        let ahead = match (&end, known) {
            (End::Line(end), Some(known)) if end.seq > known.seq && place == *end => Some(end.seq - known.seq),
            _ => None,
        };
        let nonce = format!("{:032x}", gatewright_core::ids::id());
        let open = Event {
            event: "open",
            cause: Some(cause),
            records: ahead,
            nonce: Some(&nonce),
            ..Event::default()
        };
        let alarm = alarm.map(|alarm| format!("{}: {alarm}", journal.path.display()));
        let events = torn.into_iter().chain([open.members()]).collect();
        Ok((journal, place, Found { events, alarm }))
    }

    /// Opens the file anew under its path. `None` when the file there is the one that is open.
    pub(super) fn reopen(&mut self, cause: &str) -> io::Result<Option<Found>> {
        let is_same = std::fs::metadata(&self.path).and_then(|there| {
            let here = self.file.metadata()?;
            Ok((there.dev(), there.ino()) == (here.dev(), here.ino()))
        });
        if is_same.is_ok_and(|same| same) {
            return Ok(None);
        }
        self.file = open(&self.path)?;
        self.partial = 0;
        let (_, torn) = self.attach()?;
        let open = Event { event: "open", cause: Some(cause), ..Event::default() };
        let events = torn.into_iter().chain([open.members()]).collect();
        Ok(Some(Found { events, alarm: None }))
    }

    /// Looks whether somebody has removed, cut or written the file since our last line.
    pub(super) fn inspect(&mut self) -> io::Result<Option<Found>> {
        let Some(length) = self.length else { return Ok(None) };
        let metadata = self.file.metadata()?;
        let path = self.path.display().to_string();
        if metadata.nlink() == 0 {
            let alarm = format!("{path}: the file was deleted; the log goes on in a new one");
            let found = self.reopen("deleted")?;
            return Ok(found.map(|found| Found { alarm: Some(alarm), ..found }));
        }
        if metadata.len() == length || self.partial > 0 {
            return Ok(None);
        }
        let (_, torn) = self.attach()?;
        let alarm = format!(
            "{path}: the file has {} bytes and not {length}: somebody else has cut or written it",
            metadata.len()
        );
        let open = Event { event: "open", cause: Some("altered"), ..Event::default() };
        let events = torn.into_iter().chain([open.members()]).collect();
        Ok(Some(Found { events, alarm: Some(alarm) }))
    }

    /// Appends lines. When that fails, the same lines have to be given again.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        while self.partial < lines.len() {
            let error = match self.file.write(&lines[self.partial..]) {
                Ok(0) => ErrorKind::WriteZero.into(),
                Ok(written) => {
                    self.partial += written;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            // Half a line is taken out again, so that a reader finds whole ones. That needs no room on a full disk.
            if let Some(length) = self.length
                && self.file.set_len(length).is_ok()
            {
                self.partial = 0;
            }
            return Err(error);
        }
        self.partial = 0;
        self.length = self.length.map(|length| length + lines.len() as u64);
        Ok(())
    }

    /// Whether half a line is in the file, which has to be finished before another file can be opened.
    pub(super) fn is_within_a_line(&self) -> bool {
        self.partial > 0
    }

    /// Writes down how far the log has come.
    pub(super) fn note(&mut self, place: AuditCheckpoint) -> io::Result<()> {
        self.state.seek(SeekFrom::Start(0))?;
        // It has always the same length, so that it needs no room on a full disk.
        self.state.write_all(format!("{:020}:{}\n", place.seq, place.hash).as_bytes())
    }

    /// Has the system put the lines on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        match self.length {
            Some(_) => self.file.sync_data(),
            None => Ok(()),
        }
    }

    /// Finds the end of the file, and moves a torn line out of it.
    fn attach(&mut self) -> io::Result<(End, Option<Vec<u8>>)> {
        let metadata = self.file.metadata()?;
        if !metadata.is_file() {
            self.length = None;
            return Ok((End::Empty, None));
        }
        let mut length = metadata.len();
        let mut torn = None;
        let tail = tail(&mut self.file, length)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        if whole < tail.len() {
            let rest = &tail[whole..];
            let kept_in = beside(&self.path, ".torn");
            let mut kept = OpenOptions::new().create(true).append(true).open(&kept_in)?;
            kept.write_all(rest)?;
            kept.write_all(b"\n")?;
            kept.sync_data()?;
            length -= rest.len() as u64;
            self.file.set_len(length)?;
            let file = Path::new(&kept_in).file_name().map(|name| name.to_string_lossy().into_owned());
            let (bytes, file) = (Some(rest.len() as u64), file.as_deref());
            torn = Some(Event { event: "torn", bytes, file, ..Event::default() }.members());
        }
        self.length = Some(length);
        let lines = &tail[..whole];
        let Some(last) = lines.strip_suffix(b"\n") else {
            return Ok((if length == 0 { End::Empty } else { End::Other }, torn));
        };
        let begin = last.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let last = &last[begin..];
        let end = match Line::read(last) {
            Some(line) if line.has_its_hash(last) => End::Line(line.place()),
            _ => End::Other,
        };
        Ok((end, torn))
    }
}

/// The last bytes of a file: its last two lines, or at least as much of the last as a line can have.
fn tail(file: &mut File, length: u64) -> io::Result<Vec<u8>> {
    let begin = length.saturating_sub(2 * LONGEST_LINE);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.take(length - begin).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Where to go on, what the log says of it, and what the operator has to know.
fn resume(known: Option<AuditCheckpoint>, end: &End) -> (AuditCheckpoint, &'static str, Option<String>) {
    match (known, end) {
        (None, End::Empty) => (AuditCheckpoint::ORIGIN, "new", None),
        (None, End::Line(end)) => (*end, "start_without_state", None),
        (None, End::Other) => {
            let alarm = "the file does not end with a line of a log; a new chain begins after it";
            (AuditCheckpoint::ORIGIN, "mismatch", Some(alarm.to_owned()))
        }
        (Some(known), End::Empty) => (known, "start_in_new_file", None),
        (Some(known), End::Line(end)) if *end == known || end.seq > known.seq => (*end, "start", None),
        (Some(known), End::Line(end)) => {
            let alarm = match end.seq == known.seq {
                true => format!("line {} is not the one that was written", end.seq),
                false => format!("the file ends at line {}, and line {} was written", end.seq, known.seq),
            };
            (known, "mismatch", Some(format!("{alarm}: somebody has changed the log while no gateway ran")))
        }
        (Some(known), End::Other) => {
            let alarm = format!("the last line is not line {}, which was written", known.seq);
            (known, "mismatch", Some(alarm))
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path).or_else(|error| match error.kind() {
        // A pipe or a device that can only be written.
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput => OpenOptions::new().append(true).open(path),
        _ => Err(error),
    })
}

/// The file of this name with more at its end.
fn beside(path: &Path, ending: &str) -> OsString {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name
}

/// The place that the state beside a log says; `None` when there is none.
pub(super) fn state_of(path: &Path) -> Option<AuditCheckpoint> {
    read_state(&mut File::open(beside(path, ".state")).ok()?).ok()?
}

fn read_state(state: &mut File) -> io::Result<Option<AuditCheckpoint>> {
    let mut text = String::new();
    match state.take(200).read_to_string(&mut text) {
        Ok(_) => Ok(text.parse().ok()),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}
