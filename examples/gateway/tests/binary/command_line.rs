//! The command line: exit codes, and messages that one can act upon.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::running::{Running, TestFile, output, stderr};

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").expect("writes");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("reads");
    response
}

#[test]
fn a_bad_command_line_exits_with_2() {
    for arguments in [&["sing"][..], &["run"], &["run", "a", "b"], &["check", "--frobnicate", "a"], &[]] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(output(&["--version"]).status.code(), Some(0));
}

#[test]
fn whoever_does_not_know_how_to_begin_is_told() {
    let help = output(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let file: String =
        help.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect();
    let file = TestFile::new("help.yaml", &file);
    assert_eq!(output(&["check", file.path()]).status.code(), Some(0), "{help}");
    let mistaken = output(&["gateway.yaml"]);
    assert!(stderr(&mistaken).contains("gatewright run gateway.yaml"), "{}", stderr(&mistaken));
    assert_eq!(mistaken.status.code(), Some(2));
}

#[test]
fn a_right_file_passes_the_check() {
    let file =
        TestFile::new("right.yaml", "routes:\n- path_prefix: /v1/orders\n  upstream: order-service:8080\n");
    let output = output(&["check", file.path()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("no errors"));
}

#[test]
fn a_misspelt_key_exits_with_1_and_names_the_place_and_the_nearest_key() {
    let file = TestFile::new("misspelt.yaml", "routes:\n- path_prefx: /v1\n  upstream: orders:8080\n");
    for command in ["check", "run"] {
        let output = output(&[command, file.path()]);
        assert_eq!(output.status.code(), Some(1));
        let message = stderr(&output);
        assert!(message.contains("misspelt.yaml:2:3: error: unknown key `path_prefx`"), "{message}");
        assert!(message.contains("did you mean `path_prefix`?"), "{message}");
    }
}

#[test]
fn a_check_can_be_told_as_one_json_document() {
    let check = |file: &TestFile| {
        let output = output(&["check", "--format", "json", file.path()]);
        assert!(stderr(&output).is_empty(), "{}", stderr(&output));
        let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        (output.status.code(), found)
    };
    let text =
        "routes:\n- path_prefx: /v1\n  upstream: orders:8080\n- {path: /a, path: /b, upstream: \"a:80\"}\n";
    let file = TestFile::new("wrong.json.yaml", text);
    let (code, found) = check(&file);
    let place = |line: u64, from: u64, to: u64| json!({"line": line, "column": from, "end": {"line": line, "column": to}});
    let mut unknown = json!({
        "severity": "error",
        "message": "unknown key `path_prefx` in a route",
        "help": "did you mean `path_prefix`?",
        "file": file.path(),
        "related": [],
    });
    unknown.as_object_mut().expect("a map").extend(place(2, 3, 13).as_object().expect("a map").clone());
    assert_eq!((code, &found["errors"], &found["warnings"]), (Some(1), &json!(2), &json!(0)));
    assert_eq!(found["diagnostics"][0], unknown);
    let related = &found["diagnostics"][1]["related"][0];
    assert_eq!((&related["line"], &related["column"]), (&json!(4), &json!(4)), "{found:#}");

    let text = "upstreams: {unused: \"127.0.0.1:80\"}\nroutes: [{path: /a, upstream: \"name.invalid:80\"}]\n";
    let file = TestFile::new("right.json.yaml", text);
    let (code, found) = check(&file);
    assert_eq!((code, &found["errors"], &found["warnings"]), (Some(0), &json!(0), &json!(1)), "{found:#}");
    let output = output(&["check", "--resolve", "--format", "json", file.path()]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    let errors = (output.status.code(), &found["errors"], &found["warnings"]);
    assert_eq!(errors, (Some(1), &json!(1), &json!(1)), "{found:#}");
}

#[test]
fn the_schema_is_json_and_knows_every_key_of_a_route() {
    let output = output(&["schema"]);
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let route = &schema["$defs"]["route"]["properties"];
    assert!(route["path_prefix"]["description"].is_string(), "{route:#}");
    assert_eq!(route["upstream"]["examples"], json!(["order-service:8080"]));
}

#[test]
fn shells_can_complete_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = output(&["completions", shell]);
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0));
        for word in ["gatewright", "check", "schema", "--resolve"] {
            // Fish writes long options without their dashes.
            assert!(script.contains(word.trim_start_matches('-')), "{shell}: no {word}");
        }
    }
    let mut bash = std::process::Command::new("bash");
    let script = output(&["completions", "bash"]).stdout;
    let ask = "COMP_WORDS=(gatewright ch); COMP_CWORD=1; _gatewright gatewright ch gatewright; echo \"${COMPREPLY[@]}\"";
    bash.args(["-c", &format!("{}\n{ask}", String::from_utf8_lossy(&script))]);
    let completed = bash.output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "check", "{}", stderr(&completed));
}

#[test]
fn an_unreadable_file_exits_with_1_and_says_why() {
    for command in ["check", "run"] {
        let output = output(&[command, "/nowhere/gateway.yaml"]);
        assert_eq!(output.status.code(), Some(1));
        let message = stderr(&output);
        assert!(
            message.contains("/nowhere/gateway.yaml: error: cannot be read: there is no such file"),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_upstream_exits_with_1_and_names_the_nearest() {
    let text = "upstreams: {orders: {target: \"a:80\"}}\nroutes:\n- {path_prefix: /v1, upstream: order}\n";
    let file = TestFile::new("upstream.yaml", text);
    let output = output(&["run", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("upstream.yaml:3:32: error: there is no upstream `order`"), "{message}");
    assert!(message.contains("did you mean `orders`?"), "{message}");
}

#[test]
fn a_port_that_is_taken_exits_with_1_and_names_the_address() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = taken.local_addr().expect("an address");
    let text = format!("listen: {address}\nroutes: [{{path_prefix: /, upstream: \"127.0.0.1:1\"}}]\n");
    let file = TestFile::new("taken.yaml", &text);
    let output = output(&["run", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains(&address.to_string()) && message.contains("in use"), "{message}");
}

#[test]
fn a_name_that_does_not_resolve_is_a_warning_and_an_error_with_resolve() {
    let text = "routes: [{path_prefix: /, upstream: \"name.invalid:80\"}]\n";
    let file = TestFile::new("unresolved.yaml", text);
    assert_eq!(output(&["check", file.path()]).status.code(), Some(0));
    let output = output(&["check", "--resolve", file.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("the name `name.invalid` does not resolve"), "{}", stderr(&output));
}

#[test]
fn a_gateway_says_where_it_listens_serves_and_drains_at_sigterm() {
    let text = "listen: 127.0.0.1:0\nworkers: 2\nroutes:\n- {path_prefix: /, upstream: \"name.invalid:80\"}\n";
    let file = TestFile::new("serves.yaml", text);
    for signal in ["TERM", "INT"] {
        let mut gateway = Running::start(file.path(), &[]);
        let address = gateway.address();
        let response = get(&address, "/x");
        assert!(response.starts_with("HTTP/1.1 502 "), "{response}");
        assert!(response.contains("application/problem+json"), "{response}");
        gateway.signal(signal);
        let started = Instant::now();
        let status = gateway.wait();
        assert_eq!(status.code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_gateway_whose_stderr_is_closed_goes_on() {
    let routes: String =
        (1..6).map(|port| format!("- {{path_prefix: /{port}, upstream: \"127.0.0.1:{port}\"}}\n")).collect();
    let file = TestFile::new("unheard.yaml", &format!("listen: 127.0.0.1:0\nroutes:\n{routes}"));
    let mut gateway = Running::start(file.path(), &[]);
    let address = gateway.address();
    gateway.stop_listening();
    // Each upstream that is down is a line in the log.
    for port in 1..6 {
        let response = get(&address, &format!("/{port}"));
        assert!(response.starts_with("HTTP/1.1 502 "), "{port}: {response}");
    }
    gateway.signal("TERM");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_request_that_is_under_way_at_sigterm_is_answered() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("binds");
    let text = format!(
        "listen: 127.0.0.1:0\nroutes: [{{path_prefix: /, upstream: \"{}\"}}]\n",
        upstream.local_addr().expect("an address")
    );
    let file = TestFile::new("drains.yaml", &text);
    let mut gateway = Running::start(file.path(), &[]);
    let address = gateway.address();
    let client = std::thread::spawn(move || get(&address, "/slow"));
    let (mut stream, _) = upstream.accept().expect("the gateway connects");
    let mut head = [0; 4096];
    assert!(stream.read(&mut head).expect("the request") > 0);
    gateway.signal("TERM");
    gateway.until("draining");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").expect("answers");
    let response = client.join().expect("the client ends");
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("done"), "{response}");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn a_second_signal_cuts_what_is_under_way() {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("binds");
    let text = format!(
        "listen: 127.0.0.1:0\nroutes: [{{path_prefix: /, upstream: \"{}\"}}]\n",
        upstream.local_addr().expect("an address")
    );
    let file = TestFile::new("cuts.yaml", &text);
    let mut gateway = Running::start(file.path(), &[]);
    let address = gateway.address();
    let mut client = TcpStream::connect(&address).expect("connects");
    write!(client, "GET / HTTP/1.1\r\nhost: {address}\r\n\r\n").expect("writes");
    let (_stream, _) = upstream.accept().expect("the gateway connects");
    gateway.signal("INT");
    gateway.until("draining");
    gateway.signal("INT");
    gateway.until("1 connections were cut");
    assert_eq!(gateway.wait().code(), Some(0));
}

#[test]
fn what_the_process_says_of_its_life_has_time_and_level() {
    let text = "listen: 127.0.0.1:0\nroutes: [{path_prefix: /, upstream: \"127.0.0.1:1\"}]\n";
    let file = TestFile::new("stamped.yaml", text);
    let mut gateway = Running::start(file.path(), &[]);
    let mut said = gateway.until("listening on");
    said += &gateway.reload();
    gateway.signal("TERM");
    said += &gateway.until("draining");
    let lines: Vec<_> = said.lines().map(|line| line.splitn(3, ' ').collect::<Vec<_>>()).collect();
    let texts = ["no `auth:`", "listening", "SIGHUP: reloaded", "SIGTERM: draining"];
    assert_eq!(lines.len(), texts.len(), "{said}");
    for (line, text) in lines.iter().zip(texts) {
        let time = line[0].as_bytes();
        assert!(time.len() >= 20 && time[4] == b'-' && time[10] == b'T' && time.ends_with(b"Z"), "{said}");
        let level = if text.starts_with("no") { "WARN" } else { "INFO" };
        assert!(line[1..].join(" ").trim_start().starts_with(&format!("{level} {text}")), "{said}");
    }
}

#[test]
fn an_open_gateway_says_so() {
    let text = "listen: 127.0.0.1:0\nroutes: [{path_prefix: /, upstream: \"127.0.0.1:1\"}]\n";
    let file = TestFile::new("open.yaml", text);
    let mut gateway = Running::start(file.path(), &[]);
    let line = gateway.until("no `auth:` section");
    assert!(line.contains("openly"), "{line}");
}

#[test]
fn the_demo_answers_every_command_that_it_prints() {
    let output = output(&["demo", "--once", "--port", "0"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}\n{}", stderr(&output));
    assert!(printed.contains("curl -i http://127.0.0.1:"), "{printed}");
    assert!(printed.contains("admin: 127.0.0.1:0"), "{printed}");
    for refused in ["401", "403", "429"] {
        assert!(printed.contains(&format!("HTTP/1.1 {refused} ")), "{printed}");
    }
}

#[test]
fn a_demo_whose_port_is_taken_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = output(&["demo", "--once", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("127.0.0.1:{port}")), "{}", stderr(&output));
    assert!(stderr(&output).contains("--port"), "{}", stderr(&output));
}

#[test]
fn a_new_key_is_shown_once_on_stderr_and_its_entry_is_all_of_stdout() {
    let made = output(&[
        "keys",
        "new",
        "acme-2027",
        "--owner",
        "acme",
        "--scope",
        "a:b",
        "--limit",
        "5/s",
        "--expires",
        "2027-12-31",
    ]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    let entry = String::from_utf8(made.stdout.clone()).expect("text");
    assert!(entry.starts_with("- name: acme-2027\n  owner: acme\n  hash: blake3:"), "{entry}");
    assert!(entry.ends_with("\n  scopes: [a:b]\n  expires: 2027-12-31\n  limit: 5/s\n"), "{entry}");
    let key = stderr(&made).split_whitespace().find(|word| word.starts_with("gw_")).expect("a key").to_owned();
    assert!(key.len() == 46 && !entry.contains(&key));
}

#[test]
fn a_key_that_has_ended_already_is_made_with_a_warning() {
    let made = |end: &str| output(&["keys", "new", "acme", "--expires", end]);
    for (end, ended) in [("2020-06-30", true), ("2020-06-30T12:00:00Z", true), ("9999-12-31", false)] {
        let made = made(end);
        assert_eq!(made.status.code(), Some(0), "{end}");
        assert_eq!(stderr(&made).contains("warning: this key has ended already"), ended, "{}", stderr(&made));
    }
}

#[test]
fn a_key_that_cannot_be_is_refused_and_nothing_is_printed() {
    let made = output(&["keys", "new", "acme", "--limit", "many", "--expires", "soon"]);
    assert_eq!((made.status.code(), made.stdout.len()), (Some(1), 0));
    let message = stderr(&made);
    assert!(message.contains("error: `many` is no limit\n  help: write `100/min`"), "{message}");
    assert!(message.contains("error: `soon` is neither a date nor a time"), "{message}");
    let made = output(&["keys", "new", "acme", "--pepper-file", "/nonexistent/pepper"]);
    assert!(stderr(&made).contains("cannot read /nonexistent/pepper"), "{}", stderr(&made));
}
