use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use super::*;

const SOON: Duration = Duration::from_millis(20);

/// A folder that is removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-watched-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("writes");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn number(content: &[u8]) -> Result<u32, BoxError> {
    Ok(std::str::from_utf8(content)?.trim().parse()?)
}

/// Waits until it holds; a hang fails the test.
#[track_caller]
#[allow(clippy::disallowed_methods, reason = "no runtime is held up here")]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn another_content_is_taken_by_itself_and_a_bad_one_is_not() {
    let folder = Folder::new("content");
    let path = folder.write("number", "1");
    let file = WatchedFile::open_every(&path, SOON, number).expect("is right");
    assert_eq!((*file.load(), file.generation()), (1, 1));

    folder.write("number", "22");
    eventually("the new content is taken", || *file.load() == 22);
    assert_eq!((file.generation(), file.status().accepted), (2, 1));

    folder.write("number", "many");
    eventually("the bad content is refused", || file.status().refused == 1);
    assert_eq!((*file.load(), file.generation()), (22, 2));
    let error = file.status().error.expect("it was refused");
    assert!(error.is_content() && error.to_string() == format!("{} cannot be used", path.display()));

    fs::remove_file(&path).expect("removes");
    eventually("the missing file is noticed", || file.status().refused == 2);
    assert_eq!(*file.load(), 22);

    // As an editor does it.
    let other = folder.write("other", "3");
    fs::rename(other, &path).expect("renames");
    eventually("the file that came back is taken", || *file.load() == 3);
    assert!(file.status().error.is_none());
}

#[test]
fn what_is_refused_is_told_of_once() {
    let folder = Folder::new("once");
    let path = folder.write("number", "1");
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let parse = move |content: &[u8]| {
        counted.fetch_add(1, Ordering::Relaxed);
        number(content)
    };
    let file = WatchedFile::open_every(&path, SOON, parse).expect("is right");
    folder.write("number", "many");
    eventually("the bad content is refused", || file.status().refused == 1);
    std::thread::park_timeout(SOON * 10);
    assert_eq!((tries.load(Ordering::Relaxed), file.status().refused), (2, 1));
}

#[test]
fn a_look_at_once_says_what_it_found() {
    let folder = Folder::new("refresh");
    let path = folder.write("number", "1");
    let file = WatchedFile::open_every(&path, Duration::from_secs(3600), number).expect("is right");
    assert!(!file.refresh().expect("nothing has changed"));
    folder.write("number", "22");
    assert!(file.refresh().expect("is right"));
    assert_eq!(*file.load_full(), 22);
    folder.write("number", "many");
    assert!(file.refresh().is_err());
    assert!(!file.refresh().expect("it is the one that was refused"));
    assert_eq!(*file.load(), 22);
}

#[test]
fn a_file_that_cannot_be_used_is_not_opened() {
    let folder = Folder::new("unusable");
    let open = |path: PathBuf| WatchedFile::open(path, number).expect_err("it cannot be used");
    let missing = folder.0.join("missing");
    assert_eq!(
        open(missing.clone()).to_string(),
        format!("cannot read {}: entity not found", missing.display())
    );
    let folder_itself = open(folder.0.clone()).to_string();
    assert!(folder_itself.ends_with("it is not a regular file"), "{folder_itself}");
    assert!(open(folder.write("number", "many")).is_content());
}

#[cfg(unix)]
#[test]
fn a_folder_that_a_symlink_swaps_is_noticed() {
    use std::os::unix::fs::symlink;

    // As Kubernetes replaces a ConfigMap: `number -> ..data/number`, and `..data` is swapped by a rename.
    let folder = Folder::new("swap");
    for version in ["1", "2"] {
        fs::create_dir(folder.0.join(version)).expect("a folder");
        folder.write(&format!("{version}/number"), version);
    }
    symlink("1", folder.0.join("..data")).expect("links");
    symlink("..data/number", folder.0.join("number")).expect("links");
    let file = WatchedFile::open_every(folder.0.join("number"), SOON, number).expect("is right");
    symlink("2", folder.0.join("..new")).expect("links");
    fs::rename(folder.0.join("..new"), folder.0.join("..data")).expect("renames");
    eventually("the swapped file is taken", || *file.load() == 2);
}

#[test]
fn a_parser_that_panics_keeps_the_content_and_the_watch() {
    let folder = Folder::new("panic");
    let path = folder.write("number", "1");
    let parse = |content: &[u8]| match content {
        b"panic" => panic!("told to"),
        content => number(content),
    };
    let file = WatchedFile::open_every(&path, SOON, parse).expect("is right");
    folder.write("number", "panic");
    std::thread::park_timeout(SOON * 10);
    assert_eq!(*file.load(), 1);
    folder.write("number", "22");
    eventually("the next content is taken", || *file.load() == 22);
}

#[test]
fn a_file_is_watched_no_longer_than_it_is_held() {
    let folder = Folder::new("drop");
    let path = folder.write("number", "1");
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let file = WatchedFile::open_every(&path, SOON, move |_: &[u8]| Ok::<_, BoxError>(Arc::clone(&held)));
    let file = file.expect("is right");
    drop(file.clone());
    assert_eq!(Arc::strong_count(&alive), 3, "the parser's and the content's");
    drop(file);
    eventually("nothing holds what the file held", || Arc::strong_count(&alive) == 1);
}
