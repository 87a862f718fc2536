//! One pass over the lines of a log.
//!
//! After a line that does not fit, the pass goes on from what that line says of itself, so that one edit is not found again in
//! every line that follows.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    AuditVerdict,
    lines::{Lines, Next},
};
use crate::audit::{
    AuditCheckpoint, AuditKey,
    chain::{Hash, Line},
};

pub(super) struct Scan<'a> {
    keys: &'a [AuditKey],
    /// Places that lines have to have.
    kept: Vec<Kept>,
    verdict: AuditVerdict,
    file: PathBuf,
    /// The line of the file.
    at: u64,
    /// The last line; its hash is not known when it could not be read.
    last: Option<(u64, Option<Hash>)>,
    unchained: u64,
    /// Whether there is a checkpoint from elsewhere.
    has_given: bool,
    closed: bool,
    signatures: Signatures,
}

/// A checkpoint from elsewhere.
struct Kept {
    source: String,
    place: AuditCheckpoint,
    is_given: bool,
}

#[derive(Default)]
struct Signatures {
    seen: u64,
    /// The last line that a right signature covers, and when it was signed.
    covered: Option<(u64, String)>,
    /// Lines since, and after how many a checkpoint was due.
    since: u64,
    every: Option<u64>,
    overdue: bool,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        keys: &'a [AuditKey],
        given: &[AuditCheckpoint],
        states: Vec<(PathBuf, AuditCheckpoint)>,
    ) -> Self {
        let has_given = !given.is_empty();
        let given = given.iter().map(|place| Kept {
            source: "the checkpoint that was given".to_owned(),
            place: *place,
            is_given: true,
        });
        let states = states.into_iter().map(|(file, place)| Kept {
            source: format!("{}.state", file.display()),
            place,
            is_given: false,
        });
        Self {
            keys,
            kept: given.chain(states).collect(),
            verdict: AuditVerdict::default(),
            file: PathBuf::new(),
            at: 0,
            last: None,
            unchained: 0,
            has_given,
            closed: true,
            signatures: Signatures::default(),
        }
    }

    /// Goes through the next file. `is_live` says that a gateway may write it just now.
    pub(super) fn file(&mut self, file: &Path, is_live: bool) -> io::Result<()> {
        (self.file, self.at) = (file.to_owned(), 0);
        self.verdict.files.push(file.to_owned());
        let mut lines = Lines::of(file)?;
        loop {
            let next = lines.next(is_live)?;
            self.at += 1;
            match next {
                Next::Line => self.line(lines.line()),
                Next::End => break,
                Next::TooLong => self.unreadable("no line of a log is that long: it was changed"),
                Next::Torn => self.find(
                    "the last line has no end: the process was killed while it wrote, or the file was cut within the line",
                ),
            }
        }
        if self.at == 1 {
            self.verdict.notes.push(format!("{}: the file is empty", file.display()));
        }
        self.at -= 1;
        Ok(())
    }

    fn find(&mut self, text: impl Into<String>) {
        let file = self.file.clone();
        self.verdict.find(&file, self.at, text.into());
    }

    /// A line that tells nothing of its place.
    fn unreadable(&mut self, text: &str) {
        self.verdict.lines += 1;
        self.find(text);
        self.last = self.last.map(|(seq, _)| (seq + 1, None));
    }

    fn line(&mut self, bytes: &[u8]) {
        let Some(line) = Line::read(bytes) else {
            return self
                .unreadable("this is no line of an audit log: it was changed, or written by somebody else");
        };
        self.verdict.lines += 1;
        let has_its_hash = line.has_its_hash(bytes);
        if !has_its_hash {
            self.find(format!("line {} was changed: its hash is not that of its text", line.seq));
        }
        match self.last {
            None => self.first(&line),
            Some((seq, hash)) => self.follows(seq, hash, &line),
        }
        if line.hash.is_none() {
            if self.unchained == 0 {
                self.find(format!(
                    "line {} has no hash (`chain: off`, or it was taken away): nothing shows whether it was changed",
                    line.seq
                ));
            }
            self.unchained += 1;
        }
        let place = line.place();
        for at in 0..self.kept.len() {
            let Kept { source, place: kept, .. } = &self.kept[at];
            if kept.seq == place.seq && kept.hash != place.hash {
                let text = format!("line {} is not the one of {source}: the log was written anew", place.seq);
                self.find(text);
            }
        }
        self.event(&line);
        self.last = Some((line.seq, Some(place.hash)));
        self.verdict.last = Some(place);
    }

    fn first(&mut self, line: &Line) {
        self.verdict.first = line.seq;
        let before = AuditCheckpoint {
            seq: line.seq.wrapping_sub(1),
            hash: line.prev.unwrap_or(AuditCheckpoint::ORIGIN.hash),
        };
        if line.seq == 1 {
            if before.hash != AuditCheckpoint::ORIGIN.hash {
                self.find("line 1 follows another line: it was changed");
            }
            return;
        }
        // Nobody looks among older lines for what checkpoints say of them.
        let is_kept = self.kept.iter().any(|kept| kept.is_given && kept.place == before);
        if is_kept {
            self.verdict
                .notes
                .push(format!("the log begins after the checkpoint at line {}, as given", before.seq));
        } else {
            self.find(format!(
                "the log begins at line {}: the file with the lines before is gone, or was not given. Where it was discarded on purpose, give the checkpoint that was kept of its last line",
                line.seq
            ));
        }
        self.closed = true;
    }

    fn follows(&mut self, seq: u64, hash: Option<Hash>, line: &Line) {
        let expected = seq.saturating_add(1);
        if line.seq > expected {
            let missing = line.seq - 1;
            let lines = if missing == expected {
                format!("line {expected} is")
            } else {
                format!("lines {expected} to {missing} are")
            };
            self.find(format!("{lines} missing before line {}: removed, moved or cut off", line.seq));
        } else if line.seq < expected {
            self.find(format!(
                "line {} stands after line {seq}: lines were moved or repeated, or a second log was begun",
                line.seq
            ));
        } else if line.prev.is_some_and(|prev| hash.is_some_and(|hash| hash != prev)) {
            self.find(format!(
                "line {} does not follow the line {seq} that is here: that one was changed, or the log was written anew from there or up to there",
                line.seq
            ));
        }
    }

    fn event(&mut self, line: &Line) {
        let ts = line.ts.as_deref().unwrap_or_default();
        let at = format!("line {} ({ts})", line.seq);
        let event = line.event.as_deref();
        self.signatures.since += 1;
        match event {
            Some("checkpoint") => self.signature(line),
            Some("open") => self.opened(line, &at),
            Some("torn") => {
                let bytes = line.bytes.unwrap_or_default();
                self.note(format!("{at}: the process was killed while it wrote; {bytes} bytes of a line were moved to the `.torn` file"));
            }
            Some("failure") => {
                let (lost, refused) = (line.records.unwrap_or_default(), line.requests.unwrap_or_default());
                self.note(format!(
                    "{at}: the log could not be written: {lost} records were lost, {refused} requests refused"
                ));
            }
            _ => {}
        }
        match event {
            Some("close") => self.closed = true,
            Some("checkpoint" | "torn") => {}
            _ => self.closed = false,
        }
        let Signatures { since, every, overdue, .. } = &mut self.signatures;
        if !self.keys.is_empty() && every.is_some_and(|every| *since > every) && !*overdue {
            *overdue = true;
            let since = *since;
            self.find(format!(
                "line {}: {since} lines without a checkpoint, and one was due: the log was written anew by somebody without the key, or signing was turned off",
                line.seq
            ));
        }
    }

    fn opened(&mut self, line: &Line, at: &str) {
        match line.cause.as_deref() {
            Some("reopened") => {}
            Some("altered") => {
                self.note(format!("{at}: somebody else had written or cut the file while the gateway ran"))
            }
            Some("deleted") => self.note(format!(
                "{at}: the file had been deleted while the gateway ran; the log went on in a new one"
            )),
            cause => {
                if !self.closed && line.seq > 1 {
                    self.note(format!("{at}: the process before had ended without notice; records of requests that were under way are missing"));
                }
                if let Some(ahead) = line.records {
                    self.note(format!("{at}: {ahead} lines before were in the file when it was opened, and not in its `.state`: written as the process was killed, or added while none ran"));
                }
                match cause {
                    Some("mismatch") => self
                        .note(format!("{at}: the file did not end with the last line that had been written")),
                    Some("start_without_state") => self
                        .note(format!("{at}: there was no `.state` file to compare the end of the file with")),
                    _ => {}
                }
            }
        }
    }

    fn note(&mut self, text: String) {
        if self.verdict.notes.len() < 10 * super::MOST_FINDINGS {
            self.verdict.notes.push(text);
        }
    }

    fn signature(&mut self, line: &Line) {
        self.signatures.seen += 1;
        let (Some(sig), Some(id), Some(prev)) = (&line.sig, &line.key, line.prev) else {
            return self.find(format!("line {} is a checkpoint without a signature", line.seq));
        };
        if self.keys.is_empty() {
            return;
        }
        let place = AuditCheckpoint { seq: line.seq.wrapping_sub(1), hash: prev };
        match self.keys.iter().find(|key| key.id() == *id) {
            None => self.find(format!("the checkpoint of line {} is signed by another key, {id}", line.seq)),
            Some(key) if !key.verifies(place, sig) => {
                self.find(format!("the signature of the checkpoint at line {} is wrong", line.seq));
            }
            Some(_) => {
                let ts = line.ts.clone().unwrap_or_default();
                self.signatures.covered = Some((place.seq, ts));
                (self.signatures.since, self.signatures.every) = (0, line.every);
                self.signatures.overdue = false;
            }
        }
    }

    /// What the whole tells.
    pub(super) fn end(mut self) -> AuditVerdict {
        let last = self.verdict.last.map_or(0, |last| last.seq);
        for kept in std::mem::take(&mut self.kept) {
            if kept.place.seq > last {
                let (seq, source) = (kept.place.seq, &kept.source);
                self.find(format!(
                    "the log ends at line {last}, and line {seq} was written ({source}): its end was cut off"
                ));
            } else if kept.is_given && kept.place.seq + 1 < self.verdict.first {
                self.find(format!(
                    "line {} of the checkpoint that was given is in none of the files",
                    kept.place.seq
                ));
            }
        }
        if self.keys.is_empty() && !self.has_given {
            self.note(
                "neither a key nor a checkpoint was given: nothing here shows whether somebody who can write this folder has written the log anew, or cut off its end and changed its `.state`".to_owned(),
            );
        }
        self.signatures_at_end(last);
        self.verdict
    }

    fn signatures_at_end(&mut self, last: u64) {
        let Signatures { seen, covered, .. } = &self.signatures;
        let (seen, covered) = (*seen, covered.clone());
        match (self.keys.is_empty(), covered) {
            (false, Some((covered, ts))) if covered + 1 < last => self.note(format!(
                "lines {} to {last} stand after the last signed checkpoint ({ts}): no signature covers them yet",
                covered + 2
            )),
            (false, Some((_, ts))) => self.note(format!(
                "the last line is a signed checkpoint, of {ts}; that nothing came after it only a later checkpoint can show"
            )),
            (false, None) => self.find("no checkpoint in the log is signed by the key that was given"),
            (true, _) => {}
        }
        if self.keys.is_empty() && seen > 0 {
            self.note(format!("{seen} signed checkpoints were not checked: give the public key"));
        }
    }
}
