//! The audit log of the binary: over rotation, kill -9 and restart, on a full disk, and what `audit verify` says of it.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Origin, RawClient, TempDir, eventually};

use crate::running::{Running, output, stderr};

/// A gateway with an audit log. It may be started again in the same folder.
struct Audited {
    folder: TempDir,
    origin: Origin,
    audit: String,
    gateway: Option<Running>,
}

impl Audited {
    /// `audit` are the keys beside `file`.
    async fn new(audit: &str) -> Self {
        let folder = TempDir::new();
        Self { folder, origin: Origin::ok().await, audit: audit.to_owned(), gateway: None }
    }

    fn write(&self) -> PathBuf {
        let Self { audit, origin, .. } = self;
        let target = origin.address();
        let text = format!(
            "listen: 127.0.0.1:0\naccess_log: off\naudit: {{file: audit.log{audit}}}\nroutes:\n- path: /a\n  upstream: {target}\n- path: /b\n  upstream: {target}\n  allow_ips: [192.0.2.0/24]\n"
        );
        self.folder.write("gateway.yaml", text)
    }

    fn start(&mut self) -> SocketAddr {
        let mut gateway = Running::start(self.write(), &["--no-watch"]);
        let address = gateway.address().parse().expect("an address");
        self.gateway = Some(gateway);
        address
    }

    fn gateway(&mut self) -> &mut Running {
        self.gateway.as_mut().expect("it was started")
    }

    /// Ends it by a signal, and waits.
    fn end(&mut self, signal: &str) {
        let mut gateway = self.gateway.take().expect("it was started");
        gateway.signal(signal);
        gateway.wait();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("audit.log")).unwrap_or_default()
    }

    fn key(&self) {
        let run = |arguments: &[&str]| {
            let ran = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output();
            assert!(ran.expect("openssl runs").status.success());
        };
        run(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]);
        run(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    }

    /// `gatewright audit verify`, its status and what it prints.
    fn verify(&self, names: &[&str], more: &[&str]) -> (Option<i32>, String) {
        let files: Vec<_> = names.iter().map(|name| self.path(name).display().to_string()).collect();
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        let output = output(&[&["audit", "verify"], &files[..], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
    }
}

async fn status(address: SocketAddr, path: &str) -> u16 {
    let mut client = RawClient::connect(address).await;
    client.exchange(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await.status()
}

fn refusals(text: &str) -> usize {
    text.matches("\"decision\":\"refused\"").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_goes_on_over_rotation_kill_and_restart() {
    let mut audited = Audited::new(", checkpoint: {key: key.pem, print: on, lines: 5}").await;
    audited.key();
    let address = audited.start();
    for _ in 0..3 {
        assert_eq!(status(address, "/b").await, 403);
    }
    eventually("three records", || refusals(&audited.text()) == 3).await;
    fs::rename(audited.path("audit.log"), audited.path("audit.log.1")).expect("moves it");
    assert_eq!(status(address, "/b").await, 403);
    audited.gateway().signal("USR1");
    eventually("a new file", || audited.text().contains("\"cause\":\"reopened\"")).await;
    assert_eq!(status(address, "/b").await, 403);
    eventually("its record", || refusals(&audited.text()) == 1).await;

    audited.end("KILL");
    // As if it had been killed within a line.
    let torn = audited.text() + "{\"seq\":12,\"ts\":";
    fs::write(audited.path("audit.log"), torn).expect("writes");
    let address = audited.start();
    assert_eq!(status(address, "/b").await, 403);
    eventually("its record", || refusals(&audited.text()) == 2).await;
    let said = audited.gateway().until("audit checkpoint");
    let printed = said.trim_end().rsplit(' ').next().expect("a checkpoint").to_owned();
    audited.end("TERM");

    let public = audited.path("public.pem").display().to_string();
    let (code, said) =
        audited.verify(&["audit.log", "audit.log.1"], &["--key", &public, "--checkpoint", &printed]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("had ended without notice") && said.contains("2 files: whole: lines 1 to"), "{said}");
    assert!(said.contains("15 bytes of a line were moved"), "{said}");
    assert!(audited.text().contains("\"event\":\"close\""));
    let all = fs::read_to_string(audited.path("audit.log.1")).expect("was moved") + &audited.text();
    assert_eq!(refusals(&all), 6);
    assert!(all.contains("\"policy\":\"ip-filter\"") && all.contains("\"client\":\"127.0.0.1\""), "{all}");

    let (code, said) = audited.verify(&["audit.log"], &["--key", &public]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the log begins at line"), "{said}");
    // A line of the file that was moved away.
    let moved = fs::read_to_string(audited.path("audit.log.1")).expect("was moved");
    fs::write(audited.path("audit.log.1"), moved.replacen("\"refused\"", "\"admitted\"", 1)).expect("writes");
    let (code, said) = audited.verify(&["audit.log", "audit.log.1"], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("audit.log.1:") && said.contains("was changed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_cut_off_is_found_at_the_next_start_and_by_the_verifier() {
    let mut audited = Audited::new("").await;
    let address = audited.start();
    for _ in 0..3 {
        assert_eq!(status(address, "/b").await, 403);
    }
    audited.end("TERM");
    let (code, said) = audited.verify(&["audit.log"], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("neither a key nor a checkpoint was given"), "{said}");
    let text = audited.text();
    let kept: String = text.split_inclusive('\n').take(3).collect();
    fs::write(audited.path("audit.log"), kept).expect("cuts it");
    let (code, said) = audited.verify(&["audit.log"], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("its end was cut off"), "{said}");
    let mut gateway = Running::start(audited.write(), &["--no-watch"]);
    gateway.until("the file ends at line 3, and line 6 was written");
}

#[test]
fn a_wrong_command_line_has_status_2_and_a_missing_file_1() {
    for arguments in [&["audit", "verify"][..], &["audit", "verify", "x", "--checkpoint", "7"]] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let missing = output(&["audit", "verify", "/no/such/audit.log"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/no/such/audit.log"), "{}", stderr(&missing));
}

fn fill(audited: &Audited) {
    symlink("/dev/full", audited.path("audit.log")).expect("links it");
}

fn make_room(audited: &mut Audited) {
    fs::remove_file(audited.path("audit.log")).expect("removes the link");
    audited.gateway().signal("USR1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_requests_until_there_is_room() {
    let mut audited = Audited::new("").await;
    fill(&audited);
    let address = audited.start();
    // The log learns of the full disk by its first line, which is written while the gateway starts. What is admitted before
    // that has a place in memory.
    let mut asked = 0;
    while status(address, "/a").await != 503 {
        asked += 1;
        assert!(asked < 250, "the full disk is never noticed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let served = audited.origin.requests().len();
    assert_eq!(status(address, "/b").await, 503);
    assert_eq!((served, audited.origin.requests().len()), (asked, asked));
    make_room(&mut audited);
    audited.gateway().until("audit log: it is written again");
    assert_eq!((status(address, "/a").await, status(address, "/b").await), (200, 403));
    audited.end("TERM");
    let text = audited.text();
    assert!(text.contains("\"event\":\"failure\",\"records\":0,\"requests\":2"), "{text}");
    assert_eq!(refusals(&text), 1);
    let (code, said) = audited.verify(&["audit.log"], &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_lets_requests_go_on_where_the_file_says_so() {
    let mut audited = Audited::new(", on_failure: go_on, admissions: [ip-filter]").await;
    fill(&audited);
    let address = audited.start();
    assert_eq!((status(address, "/a").await, status(address, "/b").await), (200, 403));
    make_room(&mut audited);
    audited.gateway().until("audit log: it is written again");
    audited.end("TERM");
    // There was room in memory, so none was lost.
    assert_eq!(refusals(&audited.text()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_indeed_refuses_requests_and_loses_nothing() {
    // Only root can mount a disk as small as that.
    let mut audited = Audited::new("").await;
    let disk = audited.path("disk");
    fs::create_dir(&disk).expect("makes it");
    let mounted = Mounted::at(&disk);
    let Some(_mounted) = mounted else { return };
    symlink(disk.join("audit.log"), audited.path("audit.log")).expect("links it");
    let address = audited.start();
    let mut refused = 0;
    let mut client = RawClient::connect(address).await;
    while refused < 5000 {
        match client.exchange("GET /b HTTP/1.1\r\nhost: x\r\n\r\n").await.status() {
            403 => refused += 1,
            503 => break,
            other => panic!("{other}"),
        }
    }
    assert!(refused < 5000, "the disk was never full");
    let (code, said) = audited.verify(&["audit.log"], &[]);
    assert_eq!(code, Some(0), "only whole lines stand on a full disk: {said}");
    // Somebody moves the log to another place.
    fs::remove_file(audited.path("audit.log")).expect("removes the link");
    audited.gateway().signal("USR1");
    audited.gateway().until("audit log: it is written again");
    assert_eq!(status(address, "/a").await, 200);
    audited.end("TERM");
    let before = fs::read_to_string(disk.join("audit.log")).expect("the full one");
    assert_eq!(refusals(&before) + refusals(&audited.text()), refused);
    let first = disk.join("audit.log").display().to_string();
    let (code, said) = audited.verify(&["audit.log"], &[&first]);
    assert_eq!(code, Some(0), "{said}");
}

/// A disk of 64 KiB in memory.
struct Mounted(PathBuf);

impl Mounted {
    fn at(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "audit-test"]).arg(folder);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
