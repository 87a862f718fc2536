#![allow(clippy::disallowed_methods, reason = "no runtime runs here whose thread could be blocked")]

use std::{
    fs,
    sync::{Condvar, Mutex},
    time::Instant,
};

use http::StatusCode;

use super::*;

/// What was written so far.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn lines(&self) -> Vec<serde_json::Value> {
        let text = self.0.lock().expect("no panic");
        text.split_inclusive(|byte| *byte == b'\n')
            .map(|line| {
                assert_eq!(line.last(), Some(&b'\n'), "lines are whole");
                serde_json::from_slice(line).expect("a line is JSON")
            })
            .collect()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe that nobody reads until it is opened.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<bool>, Condvar)>, Memory);

impl Stuck {
    fn open(&self) {
        *self.0.0.lock().expect("no panic") = true;
        self.0.1.notify_all();
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(self.0.1.wait_while(self.0.0.lock().expect("no panic"), |open| !*open).expect("no panic"));
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_path(log: &AccessLog, path: &str) {
    log.append(&Line { path: Some(path), ..Line::default() });
}

fn silent() -> AccessLogBuilder {
    AccessLog::builder().on_trouble(|_| {})
}

#[test]
fn a_flush_leaves_nothing_behind_whoever_logged_it() {
    let memory = Memory::default();
    let log = silent().writer(memory.clone()).expect("starts");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| log_path(&log, "/")));
        }
    });
    assert!(log.flush());
    assert_eq!(memory.lines().len(), 2000);
    assert_eq!(log.lost(), 0);
}

#[test]
fn lines_are_written_without_a_flush_also_after_a_pause() {
    let memory = Memory::default();
    let log = silent().writer(memory.clone()).expect("starts");
    for expected in 1..=3 {
        log_path(&log, "/");
        let began = Instant::now();
        while memory.lines().len() < expected {
            assert!(began.elapsed() < Duration::from_secs(10), "line {expected} never came");
            thread::sleep(Duration::from_millis(5));
        }
        // Long enough for the writer to fall asleep.
        thread::sleep(Duration::from_millis(120));
    }
}

#[test]
fn the_last_clone_writes_what_is_left() {
    let memory = Memory::default();
    let log = silent().writer(memory.clone()).expect("starts");
    let clone = log.clone();
    log_path(&log, "/");
    drop(log);
    log_path(&clone, "/");
    drop(clone);
    assert_eq!(memory.lines().len(), 2);
}

#[test]
fn a_target_that_takes_nothing_costs_lines_and_not_time() {
    let stuck = Stuck::default();
    let log = silent().capacity(4096).writer(stuck.clone()).expect("starts");
    for _ in 0..100_000 {
        log_path(&log, "/");
    }
    assert!(log.lost() > 90_000, "{} lines were lost", log.lost());
    stuck.open();
    assert!(log.flush());
    assert_eq!(stuck.1.lines().len() as u64 + log.lost(), 100_000);
}

#[test]
fn a_broken_pipe_is_reported_once_in_a_while_and_stops_nothing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let told = Arc::clone(&told);
        let builder = AccessLog::builder().on_trouble(move |trouble| {
            told.lock().expect("no panic").push((trouble.lost(), trouble.to_string()));
        });
        builder.writer(Broken).expect("starts")
    };
    for _ in 0..3 {
        log_path(&log, "/");
        assert!(log.flush());
    }
    assert_eq!(log.lost(), 3);
    let told = told.lock().expect("no panic").clone();
    assert_eq!(told, [(1, "1 lines were not written: broken pipe".to_owned())]);
}

#[test]
fn a_panic_in_the_target_ends_the_log_and_not_the_program() {
    struct Panics;
    impl Write for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("on purpose");
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = silent().writer(Panics).expect("starts");
    log_path(&log, "/");
    assert!(log.flush(), "nobody waits for a log that is gone");
    log_path(&log, "/");
}

#[test]
fn a_moved_file_is_opened_anew_and_nothing_is_lost() {
    let folder = std::env::temp_dir().join(format!("gatewright-trace-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (path, moved) = (folder.join("access.log"), folder.join("access.log.1"));
    fs::write(&path, "{\"earlier\":true}\n").expect("written");
    let log = silent().file(&path).expect("opens");
    log_path(&log, "/before");
    fs::rename(&path, &moved).expect("moved");
    log.reopen();
    assert!(log.flush());
    log_path(&log, "/after");
    drop(log);
    let before = fs::read_to_string(&moved).expect("the old file");
    let after = fs::read_to_string(&path).expect("the new file");
    assert!(before.starts_with("{\"earlier\":true}\n") && before.contains("/before"), "{before}");
    assert!(after.contains("/after") && !after.contains("/before"), "{after}");
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    assert!(silent().file("/no-such-folder/access.log").is_err());
}

#[test]
fn a_request_refused_before_any_layer_leaves_a_line() {
    let memory = Memory::default();
    let log = silent().writer(memory.clone()).expect("starts");
    let client = "192.0.2.7".parse().expect("an address");
    log.request_refused(&RefusedRequest::new(client, StatusCode::BAD_REQUEST, "framing", "bare_lf"));
    let known = RefusedRequest::new(client, StatusCode::URI_TOO_LONG, "framing", "target_too_long");
    log.request_refused(&known.request_id(Some("abc")).method(Some("GET")).target(Some("/a?token=hunter2")));
    drop(log);
    let lines = memory.lines();
    let line = &lines[0];
    assert_eq!(line["client"], "192.0.2.7");
    assert_eq!(line["status"], 400);
    assert_eq!(line["rejection"], "framing:bare_lf");
    assert_eq!(line.as_object().expect("an object").len(), 4);
    let line = &lines[1];
    assert_eq!(
        (&line["request_id"], &line["method"], &line["path"]),
        (&"abc".into(), &"GET".into(), &"/a".into())
    );
    assert!(!line.to_string().contains("hunter2"));
}
