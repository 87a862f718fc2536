//! Allow and deny lists of the file, over what the client says of itself.

use std::{fmt::Write, time::Duration};

use gatewright::config::Config;
use harness::{RawClient, Tally, TempDir};
use http::StatusCode;

use crate::file::{assemble, from, get, send};

const REDIRECT: &str = "redirect: {path: /x}";

#[tokio::test]
async fn the_longest_prefix_decides_over_networks_and_files() {
    let dir = TempDir::new();
    let partners = dir.write("partners.txt", "203.0.113.0/24 # Acme\n2001:db8:7::/48\n");
    let gateway = assemble(&format!(
        "routes:
- {{path: /in, {REDIRECT}, allow_ips: [192.0.2.0/24, {{file: \"{file}\"}}], deny_ips: [192.0.2.128/25, 203.0.113.7]}}
- {{path: /out, {REDIRECT}, deny_ips: [{{file: \"{file}\"}}, \"::ffff:0:0/96\"]}}
- {{path: /all, {REDIRECT}, allow_ips: [0.0.0.0/0]}}
- {{path: /open, {REDIRECT}}}
",
        file = partners.display()
    ));
    let mut tally = Tally::new();
    for (path, peer, admitted) in [
        ("/in", "192.0.2.1", true),
        ("/in", "::ffff:192.0.2.1", true),
        ("/in", "192.0.2.200", false),
        ("/in", "203.0.113.1", true),
        ("/in", "203.0.113.7", false),
        ("/in", "2001:db8:7::1", true),
        ("/in", "2001:db8:8::1", false),
        ("/in", "8.8.8.8", false),
        ("/out", "203.0.113.1", false),
        ("/out", "8.8.8.8", false),
        ("/out", "::ffff:8.8.8.8", false),
        ("/out", "2001:db8:8::1", true),
        ("/all", "8.8.8.8", true),
        ("/all", "2001:db8:8::1", false),
        ("/open", "8.8.8.8", true),
    ] {
        let status = get(&gateway, peer, path).await;
        let expected = if admitted { StatusCode::FOUND } else { StatusCode::FORBIDDEN };
        tally.equal(format!("{path} from {peer}"), status, expected);
    }
    tally.finish(15);
}

#[tokio::test]
async fn what_a_client_writes_into_a_forwarding_header_moves_it_nowhere() {
    let gateway = assemble(&format!(
        "trusted_proxies: [10.0.0.0/8]
routes:
- {{path: /in, {REDIRECT}, allow_ips: [192.0.2.0/24], limit: {{rate: 2/hour, key: client_ip}}}}
"
    ));
    let mut tally = Tally::new();
    for (peer, hops, expected) in [
        ("6.6.6.6", "192.0.2.1", 403),
        ("6.6.6.6", "192.0.2.1, 10.0.0.1", 403),
        ("10.0.0.1", "192.0.2.1, 6.6.6.6", 403),
        ("10.0.0.1", "192.0.2.1, 6.6.6.6, 10.0.0.2", 403),
        ("10.0.0.1", "192.0.2.1, nonsense", 403),
        ("10.0.0.1", "", 403),
        ("10.0.0.1", "192.0.2.300", 403),
        ("10.0.0.1", "192.0.2.1:99", 302),
        ("10.0.0.1", "6.6.6.6, ::ffff:192.0.2.1", 302),
        // The third from there, whatever is written before it.
        ("10.0.0.1", "192.0.2.99, 192.0.2.1", 429),
        ("192.0.2.1", "192.0.2.98", 429),
    ] {
        for name in ["forwarded", "x-real-ip"] {
            let request = from(peer, "/in").header("x-forwarded-for", hops).header(name, "for=192.0.2.77");
            if name == "forwarded" || expected == 403 {
                let status = send(&gateway, request).await.status().as_u16();
                tally.equal(format!("{hops} by {peer}"), status, expected);
            }
        }
    }
    tally.finish(11);
}

/// Asks the real binary with these bytes in `X-Forwarded-For`, and gives the status.
async fn forwarded_for(gateway: &harness::Gateway, path: &str, hops: &[u8]) -> u16 {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ");
    let request = [head.as_bytes(), hops, b"\r\n\r\n"].concat();
    RawClient::once(gateway.address(), request).await.status()
}

#[tokio::test]
async fn a_byte_in_the_clients_part_of_a_list_switches_no_check_off() {
    let gateway = harness::Gateway::builder(&format!(
        "trusted_proxies: [127.0.0.1, 10.0.0.0/8]
routes:
- {{path: /out, {REDIRECT}, deny_ips: [203.0.113.9]}}
- {{path: /in, {REDIRECT}, allow_ips: [203.0.113.9]}}
- {{path: /unknown, {REDIRECT}, deny_ips: [203.0.113.9], unknown_ips: allow}}
- {{path: /limited, {REDIRECT}, limit: {{rate: 1/day, key: client_ip}}}}
"
    ))
    .start();
    let mut tally = Tally::new();
    for (hops, known) in [
        (&b"203.0.113.9"[..], true),
        (b"\xff, 203.0.113.9", true),
        (b"6.6.6.6\xff\x80, 203.0.113.9, 10.0.0.7", true),
        (b"\"6.6.6.6, 203.0.113.9:4711", true),
        (b"203.0.113.9,", true),
        (b", 6.6.6.6, 203.0.113.9 , ,\t", true),
        (b"203.0.113.9\xff", false),
        (b"203.0.113.9, \xff", false),
        (b"203.0.113.9, unknown", false),
        (b"6.6.6.6, _hidden, 10.0.0.7", false),
    ] {
        let shown = hops.escape_ascii().to_string();
        tally.equal(format!("/out {shown}"), forwarded_for(&gateway, "/out", hops).await, 403);
        let admitted = if known { 302 } else { 403 };
        tally.equal(format!("/in {shown}"), forwarded_for(&gateway, "/in", hops).await, admitted);
        let admitted = if known { 403 } else { 302 };
        tally.equal(format!("/unknown {shown}"), forwarded_for(&gateway, "/unknown", hops).await, admitted);
    }
    // Each client has its own count, whatever it writes before what the proxy writes.
    for client in ["198.51.100.1", "198.51.100.2"] {
        for (before, status) in [("", 302), ("\u{ff}, ", 429), ("6.6.6.6, ", 429), (", ,", 429), ("\", ", 429)]
        {
            let hops = [before.as_bytes(), client.as_bytes()].concat();
            let shown = hops.escape_ascii().to_string();
            tally.equal(format!("/limited {shown}"), forwarded_for(&gateway, "/limited", &hops).await, status);
        }
    }
    // Those whom the proxy cannot name share one, and the proxy's own is another.
    for (hops, status) in
        [(&b"unknown"[..], 302), (b"198.51.100.3, \xff", 429), (b"127.0.0.1", 302), (b"", 429)]
    {
        let shown = hops.escape_ascii().to_string();
        tally.equal(format!("/limited {shown}"), forwarded_for(&gateway, "/limited", hops).await, status);
    }
    tally.finish(44);
}

#[tokio::test]
async fn a_list_file_is_read_again_by_itself_and_a_wrong_one_changes_nothing() {
    let dir = TempDir::new();
    let path = dir.write("partners.txt", "192.0.2.0/24\n");
    let gateway = assemble(&format!(
        "routes: [{{path: /in, {REDIRECT}, allow_ips: {{file: \"{}\"}}}}]\n",
        path.display()
    ));
    let admits = async |peer: &str| get(&gateway, peer, "/in").await == StatusCode::FOUND;
    assert!(admits("192.0.2.1").await && !admits("203.0.113.1").await);
    dir.write("partners.txt", "203.0.113.0/24\n");
    for _ in 0..200 {
        if admits("203.0.113.1").await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(admits("203.0.113.1").await && !admits("192.0.2.1").await);
    dir.write("partners.txt", "192.0.2.0/24\n10.1.2.3/8\n");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(admits("203.0.113.1").await && !admits("192.0.2.1").await);
}

#[test]
fn fifty_thousand_networks_are_read_within_two_seconds() {
    let dir = TempDir::new();
    let mut lines = String::new();
    for i in 0..50_000_u32 {
        writeln!(lines, "{}.{}.{}.0/{}", 1 + i % 200, i / 256 % 256, i % 256, 24 + i % 8).unwrap();
    }
    let path = dir.write("many.txt", lines);
    let text = format!("routes: [{{path: /in, {REDIRECT}, deny_ips: {{file: \"{}\"}}}}]\n", path.display());
    let started = std::time::Instant::now();
    let gateway = assemble(&text);
    let took = started.elapsed();
    println!("a gateway with 50,000 networks was assembled in {took:?}");
    drop(gateway);
    // Measured with optimisation it is some hundredths of a second; here a debug build may run on a busy machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn networks_that_can_be_read_in_two_ways_are_refused() {
    for (text, message) in [
        ("10.1.2.3/8", "`10.1.2.3/8` has bits beyond its prefix"),
        ("\"2001:db8::1/32\"", "`2001:db8::1/32` has bits beyond its prefix"),
        ("010.0.0.0/8", "`010.0.0.0/8` is not a network"),
        ("10.0.0.0/08", "`10.0.0.0/08` is not a network"),
        ("10.0.0.0/33", "`10.0.0.0/33` is not a network"),
        ("10.0.0.0-10.0.0.9", "`10.0.0.0-10.0.0.9` is not a network"),
        ("example.com", "`example.com` is not a network"),
    ] {
        let yaml = format!("routes: [{{path: /in, {REDIRECT}, allow_ips: [{text}]}}]\n");
        let errors = Config::parse("gateway.yaml", yaml).expect_err(text).to_string();
        assert!(errors.contains(message), "{errors}");
    }
}
