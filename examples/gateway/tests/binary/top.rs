//! `gatewright top`, before a gateway that serves.

use std::process::Command;

use crate::running::{Running, TestFile, output, stderr};

fn gateway(name: &str) -> (TestFile, Running, String) {
    let text = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\naccess_log: off\nworkers: 1\nroutes:\n- {path_prefix: /v1/orders, upstream: \"127.0.0.1:1\"}\n- {path: /moved, redirect: {path: /there}}\n";
    let file = TestFile::new(name, text);
    let mut gateway = Running::start(file.path(), &[]);
    let said = gateway.until("the status page is at");
    let admin = said.lines().last().and_then(|line| line.rsplit_once("http://")).expect("an address").1;
    let admin = admin.trim().trim_end_matches('/').to_owned();
    (file, gateway, admin)
}

#[test]
fn a_table_is_printed_once() {
    let (_file, _gateway, admin) = gateway("top-once.yaml");
    let all = output(&["top", &format!("http://{admin}/"), "--once", "--sort", "name"]);
    let printed = String::from_utf8_lossy(&all.stdout);
    assert_eq!(all.status.code(), Some(0), "{printed}{}", stderr(&all));
    let rows: Vec<_> = printed.lines().filter(|line| line.starts_with('/')).collect();
    assert_eq!(rows.len(), 2, "{printed}");
    assert!(
        printed.contains("serving") && printed.contains("NAME*") && rows[1].ends_with("127.0.0.1:1"),
        "{printed}"
    );
    let some = output(&["top", &admin, "--once", "--search", "moved"]);
    let printed = String::from_utf8_lossy(&some.stdout);
    assert_eq!(printed.lines().filter(|line| line.starts_with('/')).count(), 1, "{printed}");
}

#[test]
fn an_admin_that_is_not_there_is_told_with_what_to_do() {
    let none = output(&["top", "127.0.0.1:1", "--once"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("help: is there `admin: 127.0.0.1:1`"), "{}", stderr(&none));
}

/// Runs `top` in a terminal of Python's making: presses the keys, or sends SIGTERM, and prints the status and what the terminal got.
const TERMINAL: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "top", sys.argv[2]])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
before = termios.tcgetattr(terminal)
seen, sent, end = b"", False, time.time() + 50
while time.time() < end:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    if not sent and b"/v1/orders" in seen:
        sent = True
        if sys.argv[3] == "SIGTERM":
            os.kill(pid, signal.SIGTERM)
        else:
            os.write(terminal, sys.argv[3].encode())
    if sent and b"\x1b[?1049l" in seen:
        break
_, status = os.waitpid(pid, 0)
raw = not termios.tcgetattr(terminal)[3] & termios.ICANON
print(os.waitstatus_to_exitcode(status), b"\x1b[?1049h" in seen, b"\x1b[?1049l" in seen, raw)
"#;

#[test]
fn the_terminal_is_as_before_after_a_key_and_after_sigterm() {
    let (_file, _gateway, admin) = gateway("top-terminal.yaml");
    for end in ["sp\tq", "SIGTERM"] {
        let ended = Command::new("python3")
            .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_gatewright"), &admin, end])
            .env("TERM", "xterm-256color")
            .output()
            .expect("python runs");
        let told = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(told.trim(), "0 True True False", "{end}: {}", stderr(&ended));
    }
}
