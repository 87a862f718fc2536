//! What the reader takes.

use std::path::Path;

use gatewright_config::Config;
use proptest::prelude::*;

fn parse(text: &str) -> Config {
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

#[test]
fn the_seed_file_is_taken_unchanged() {
    let config = parse(
        "listen: 127.0.0.1:8080
routes:
- path_prefix: /v1/orders
  upstream: order-service:8080
- path_prefix: /v1/payments
  upstream: payment-service:8080
",
    );
    assert!(config.warnings().is_empty());
    assert_eq!(config.workers(), None);
}

#[test]
fn every_key_has_its_place() {
    let config = parse(
        r#"
workers: 2
trusted_proxies: [10.0.0.0/8, "2001:db8::/32", 192.0.2.7]
access_log: off
timeouts: {head: 10s, idle: 60s, body: 30s, write: 30s, stream: 5m, drain: 30s}
client_limits: {max_head: 32KiB, max_target: 4KiB, max_headers: 50, max_connections: 1000, max_streams: 50, header_names: pass}
listeners:
- 127.0.0.1:8080
- address: "[::1]:8081"
  proxy_protocol: {from: 10.0.0.0/8}
upstreams:
  orders:
    targets: [10.0.1.4:8080, {address: 10.0.1.5:8080, weight: 2}]
    balance: round_robin
    protocol: http1
    connect_timeout: 1s
    keep_alive: 2s
    max_connections: 100
  short: orders:8080
  ipv6: {target: "[::1]:8080", protocol: http2, tls: off}
defaults: {timeout: 10s, idle_timeout: 1m, connect_timeout: 2s, retries: 1}
routes:
- path_prefix: /v1/orders
  upstream: orders
  rewrite: {prefix: /internal/orders}
- path_prefix: /v1/payments
  name: payments
  methods: [POST]
  upstream: payment-service:8080
  match: {headers: {x-api-version: "2", x-tier: {regex: gold|silver}}, query: {beta: 1}}
  retries: {attempts: 2, on: [connect, 503, timeout]}
  priority: 7
- path: "/v1/users/{id}/avatar"
  upstream: {targets: ["users:8080", "users:8081"]}
  rewrite: {path: "/internal/avatars/{id}", host: users.internal, request_headers: {set: {x-via: gw}, remove: [cookie]}, response_headers: {remove: [server]}}
- path_regex: "^/legacy/(\\d+)$"
  redirect: {path: "/v1/orders/$1", status: 308}
- host: ["*.example.com", api.example.org]
  path: /mobile
  upstream: ipv6
  timeout: off
  idle_timeout: 1h
  retries: no
  allow_encoded_slash: true
  preserve_host: no
  method_override: pass
  unknown_ips: allow
- path_prefix: /old
  redirect: {scheme: https, host: new.example.com, port: 8443, prefix: /new}
"#,
    );
    assert_eq!(config.workers(), Some(2));
}

#[test]
fn off_no_and_false_mean_the_same() {
    for word in ["off", "no", "false", "\"off\""] {
        parse(&format!("access_log: {word}\nroutes: [{{path: /a, upstream: a:80, retries: {word}}}]\n"));
    }
}

#[test]
fn a_scalar_is_the_text_that_was_written() {
    // YAML's own reading would make numbers and booleans of these.
    parse("routes: [{path: /a, upstream: a:80, match: {headers: {x-v: 1.10, x-w: no}, query: {n: 0x10}}}]");
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = std::env::temp_dir().join(format!("gatewright-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("token"), "abc\n").expect("a file");
    let text =
        "routes: [{path: /a, upstream: a:80, rewrite: {request_headers: {set: {x-token: \"file:token\"}}}}]";
    let read = Config::parse(folder.join("gateway.yaml"), text);
    let elsewhere = Config::parse(Path::new("/nowhere/gateway.yaml"), text);
    std::fs::remove_dir_all(&folder).expect("removes the folder");
    assert!(read.is_ok(), "{read:?}");
    let errors = elsewhere.expect_err("there is no such file").to_string();
    assert!(errors.contains("cannot read `/nowhere/token`: there is no such file"), "{errors}");
}

#[test]
fn a_secret_does_not_show_in_what_is_printed() {
    let folder = std::env::temp_dir().join(format!("gatewright-secret-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("token"), "hunter2\n").expect("a file");
    let text =
        "routes: [{path: /a, upstream: a:80, rewrite: {request_headers: {set: {x-token: \"file:token\"}}}}]";
    let config = Config::parse(folder.join("gateway.yaml"), text).expect("is taken");
    std::fs::write(folder.join("token"), "hunter2\u{7}\n").expect("a file");
    let errors = Config::parse(folder.join("gateway.yaml"), text).expect_err("is no header value");
    std::fs::remove_dir_all(&folder).expect("removes the folder");
    assert!(!format!("{config:?} {config:#?} {errors}").contains("hunter2"));
}

#[test]
fn a_place_is_a_line_a_column_and_bytes() {
    let text = "# é\nlisten: 127.0.0.1:8080\nroutes:\n- {path: /é, upstrem: \"a:80\"}\n";
    let errors = Config::parse("gateway.yaml", text).expect_err("a key is misspelt");
    let error = errors.iter().next().expect("an error");
    let place = error.place().expect("a place");
    assert_eq!((place.line(), place.column()), (4, 14));
    assert_eq!(&text[place.bytes()], "upstrem");
    assert_eq!(error.hint(), Some("did you mean `upstream`?"));
}

#[test]
fn an_unreadable_file_is_an_error() {
    let errors = Config::load("/nowhere/gateway.yaml").expect_err("there is none");
    assert!(
        errors.to_string().starts_with("/nowhere/gateway.yaml: error: cannot be read: there is no such file")
    );
    let errors = Config::load(std::env::temp_dir()).expect_err("it is a directory");
    assert!(errors.to_string().contains("it is a directory"), "{errors}");
}

#[test]
fn a_file_that_is_no_text_says_where() {
    let path = std::env::temp_dir().join(format!("gatewright-binary-{}.yaml", std::process::id()));
    std::fs::write(&path, b"routes:\n- path: \"/\xff\"\n").expect("a file");
    let errors = Config::load(&path).expect_err("it is no text").to_string();
    std::fs::remove_file(&path).expect("removes the file");
    assert!(errors.contains("it is not UTF-8 text (line 2)"), "{errors}");
}

#[test]
fn a_file_in_another_encoding_says_how_to_mend_it() {
    let path = std::env::temp_dir().join(format!("gatewright-utf16-{}.yaml", std::process::id()));
    let utf16: Vec<u8> = "\u{feff}routes: []\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, why) in
        [(&utf16[..], "it is UTF-16, and not UTF-8"), (b"a: \xe9\n", "it is not UTF-8 text (line 1)")]
    {
        std::fs::write(&path, bytes).expect("a file");
        let errors = Config::load(&path).expect_err("it is no UTF-8");
        let error = errors.iter().next().expect("an error");
        assert!(error.message().contains(why), "{errors}");
        assert!(error.hint().is_some_and(|hint| hint.contains("iconv")), "{errors}");
    }
    std::fs::remove_file(&path).expect("removes the file");
}

#[test]
fn the_help_for_an_upstream_is_taken_as_it_stands() {
    let route = |upstream: &str| format!("routes:\n- path_prefix: /\n  upstream: {upstream}\n");
    for text in [
        "http://x",
        "https://x",
        "https://x/",
        "wss://x",
        "ws://x/a",
        "grpcs://x",
        "grpc://x:50051",
        "h2c://x",
        "h2://x",
        "HTTPS://X:8443/a/?b=c#d",
        "https://[::1]/",
        "http://[::1]:80",
        "::1:80",
        "::1",
        "[::1]",
        "x",
        "x:",
        "x:8080/api",
        "http://x/api?a=b",
        "x:80#f",
        "http://x?a=b",
        "http://",
        "http://x:/",
        "unix:/tmp/x",
        "/tmp/x",
        "user:pw@x:80",
        "https://user:pw@x/a",
        "http://x/a@b",
        "tcp://x:80",
        "dns:///x:80",
        "*.example.com:80",
        "x :80",
    ] {
        // A word by itself names an upstream.
        let text = if text == "x" { "{target: x}".to_owned() } else { format!("\"{text}\"") };
        let errors = Config::parse("gateway.yaml", route(&text)).expect_err(&text);
        let help = errors.iter().next().and_then(|error| error.hint()).expect("a help").to_owned();
        // What follows the first semicolon is about the route.
        let mended = help
            .split(';')
            .next()
            .and_then(|help| help.split('`').nth(1))
            .unwrap_or_else(|| panic!("{text}: {help}"));
        let config =
            Config::parse("gateway.yaml", route(mended)).unwrap_or_else(|errors| panic!("{text}: {errors}"));
        assert!(config.warnings().is_empty(), "{text}: {}", config.warnings());
    }
}

#[test]
fn a_secrets_file_is_found_through_the_environment() {
    let folder = std::env::temp_dir().join(format!("gatewright-through-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("v0")).expect("a folder");
    std::fs::write(folder.join("v0/token"), "abc\n").expect("a file");
    let value = "\"file:v${env:CARGO_PKG_VERSION_MAJOR}/token\"";
    let text = format!(
        "routes: [{{path: /a, upstream: 'a:80', rewrite: {{request_headers: {{set: {{x-token: {value}}}}}}}}}]"
    );
    let read = Config::parse(folder.join("gateway.yaml"), text);
    std::fs::remove_dir_all(&folder).expect("removes the folder");
    assert!(read.is_ok(), "{read:?}");
}

#[test]
fn a_listener_without_a_name_is_named_by_its_address() {
    parse(
        "listeners: ['127.0.0.1:8443', '[::1]:8443']
routes:
- {path: /a, upstream: 'a:80', listener: '127.0.0.1:8443'}
- {path: /b, upstream: 'a:80', listener: ['[::1]:8443', '127.0.0.1:8443']}",
    );
}

#[test]
fn an_alias_bomb_is_refused_without_growing() {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for level in 1..60 {
        let below = level - 1;
        text.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}, *a{below}]\n"));
    }
    let errors = Config::parse("bomb.yaml", text).expect_err("aliases are refused");
    assert!(errors.iter().any(|error| error.message() == "YAML aliases are not supported"));
}

/// Pieces of which a file may be made, so that random files come near to right ones.
const PIECES: &[&str] = &[
    "routes:",
    "listen: ",
    "upstreams:",
    "- ",
    "path: ",
    "path_prefix: /a",
    "upstream: ",
    "a:80",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "\n",
    "\n  ",
    "\n- ",
    "\"",
    "'",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "# c",
    "${env:X}",
    "file:x",
    "10s",
    "64KiB",
    "off",
    "~",
    "\t",
    "é",
    "\u{feff}",
    "\u{0}",
    "---",
    "...",
    "%YAML 1.2",
    "? ",
    "rewrite: ",
    "redirect: ",
    "match: ",
    "headers: ",
    "tls: ",
    "listeners:",
    "defaults: ",
    "timeout: ",
    "retries: ",
    "\\",
    "\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*") {
        let read = Config::parse("any.yaml", text);
        let _ = read.map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_text_made_of_pieces_makes_the_reader_panic(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..60)
    ) {
        let read = Config::parse("any.yaml", pieces.concat());
        if let Err(errors) = read {
            prop_assert!(!errors.is_empty());
            prop_assert!(errors.to_string().contains("error: "));
        }
    }
}

#[test]
fn a_reference_that_begins_with_a_character_of_four_bytes_is_an_error() {
    let told = Config::parse("any.yaml", "listen: \"${\u{1f6e6}}\"").expect_err("is wrong").to_string();
    assert!(told.contains("does not say what it stands for"), "{told}");
}

#[test]
fn a_message_holds_nothing_that_a_terminal_would_obey() {
    let text = "rou\u{202e}tes: \u{2066}x\nlisten: \"127.0.0.1:\u{1b}[2J\u{200f}\"\nb\u{0}d: 1\n";
    let told = Config::parse("gateway.yaml", text).expect_err("is wrong").to_string();
    let obeyed = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{200f}".contains(c);
    assert!(!told.contains(obeyed), "{told:?}");
}

#[test]
fn an_environment_variable_stands_for_a_part_of_any_value() {
    // cargo sets it for tests: 0 for version 0.1.0.
    let file = "listen: \"127.0.0.1:808${env:CARGO_PKG_VERSION_MAJOR}\"\n\
                routes:\n\
                - path_prefix: /v${env:CARGO_PKG_VERSION_MAJOR}\n  \
                  timeout: 1${env:CARGO_PKG_VERSION_MAJOR}s\n  \
                  upstream: a${env:CARGO_PKG_VERSION_MAJOR}:8${env:CARGO_PKG_VERSION_MAJOR}\n  \
                  rewrite: {regex: '/v(?<rest>.*)', path: '/w${rest}'}\n";
    let config = Config::parse("gateway.yaml", file);
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    assert!(config.warnings().is_empty(), "{}", config.warnings());
    let wrong =
        Config::parse("gateway.yaml", file.replace("env:CARGO_PKG_VERSION_MAJOR", "env:GATEWRIGHT_NOT_SET"));
    let wrong = wrong.expect_err("no variable is set");
    assert_eq!(wrong.iter().count(), 4, "{wrong}");
    assert!(wrong.iter().all(|error| error.message().contains("`GATEWRIGHT_NOT_SET` is not set")), "{wrong}");
}
