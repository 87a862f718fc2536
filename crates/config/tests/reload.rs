//! What a reload keeps, what it refuses, and that a refusal changes nothing.

use gatewright_config::{Config, Gateway, Reloaded};
use gatewright_core::Body;
use http::Request;
use tower::ServiceExt;

fn read(text: &str) -> Config {
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn assemble(text: &str) -> Gateway {
    Gateway::assemble(&read(text)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn reload(gateway: &mut Gateway, text: &str) -> Reloaded {
    gateway.reload(&read(text)).unwrap_or_else(|errors| panic!("{errors}"))
}

fn errors(gateway: &mut Gateway, text: &str) -> String {
    gateway.reload(&read(text)).expect_err("is refused").to_string()
}

/// Kept, added and removed.
fn routes(reloaded: &Reloaded) -> (usize, usize, usize) {
    let routes = reloaded.routes();
    (routes.kept(), routes.added(), routes.removed())
}

fn upstreams(reloaded: &Reloaded) -> (usize, usize, usize) {
    let upstreams = reloaded.upstreams();
    (upstreams.kept(), upstreams.added(), upstreams.removed())
}

/// The status of a request to the gateway that needs no upstream.
async fn status(gateway: &Gateway, path: &str) -> u16 {
    let request = Request::get(path).header("host", "x").body(Body::empty()).expect("a request");
    gateway.service().oneshot(request).await.expect("never fails").status().as_u16()
}

const TOP: &str = "access_log: off\n";

#[tokio::test]
async fn what_says_the_same_is_kept_wherever_it_stands() {
    let mut gateway = assemble(&format!(
        "{TOP}upstreams:
  orders: {{targets: [\"a:80\", \"b:80\"]}}
routes:
- {{path: /orders, upstream: orders, rewrite: {{path: /new, request_headers: {{set: {{x-a: b}}}}}}}}
- {{path: /plain, upstream: \"c:80\"}}
- {{path: /moved, redirect: {{path: /there}}}}
"
    ));
    let same = reload(
        &mut gateway,
        &format!(
            "# The same in other words.
routes:
- {{redirect: {{path: /there}}, path: /moved}}
- path: /plain
  upstream: c:80
- rewrite:
    request_headers:
      set:
        x-a: b
    path: /new
  path: /orders
  upstream: orders
upstreams:
  orders:
    targets: [\"a:80\", {{address: \"b:80\"}}]
    balance: round_robin
{TOP}"
        ),
    );
    assert!(!same.has_changes(), "{same:?}");
    assert_eq!((routes(&same), upstreams(&same)), ((3, 0, 0), (2, 0, 0)));
    assert_eq!(same.to_string(), "nothing has changed");
}

#[tokio::test]
async fn what_says_something_else_is_not() {
    let text = |defaults: &str, timeout: &str, target: &str| {
        format!(
            "{TOP}{defaults}upstreams: {{orders: {{target: \"{target}\"}}}}
routes:
- {{path: /orders, upstream: orders}}
- {{path: /slow, upstream: orders, timeout: {timeout}}}
- {{path: /moved, redirect: {{path: /there}}}}
"
        )
    };
    let mut gateway = assemble(&text("", "10s", "a:80"));
    let one_route = reload(&mut gateway, &text("", "20s", "a:80"));
    assert_eq!((routes(&one_route), upstreams(&one_route)), ((2, 1, 1), (1, 0, 0)));

    // Of the defaults, each route feels those that it does not set itself.
    let defaults = reload(&mut gateway, &text("defaults: {timeout: 5s}\n", "20s", "a:80"));
    assert_eq!((routes(&defaults), upstreams(&defaults)), ((2, 1, 1), (1, 0, 0)));

    let target = reload(&mut gateway, &text("defaults: {timeout: 5s}\n", "20s", "b:80"));
    assert_eq!((routes(&target), upstreams(&target)), ((1, 2, 2), (0, 1, 1)));

    let connect = reload(&mut gateway, &text("defaults: {timeout: 5s, connect_timeout: 1s}\n", "20s", "b:80"));
    assert_eq!((routes(&connect), upstreams(&connect)), ((1, 2, 2), (0, 1, 1)));

    let trusted = format!("trusted_proxies: [10.0.0.0/8]\n{}", text("", "20s", "b:80"));
    assert!(reload(&mut gateway, &trusted).has_changes());
}

#[tokio::test]
async fn routes_that_write_the_same_upstream_share_it() {
    let text = "routes:
- {path: /a, upstream: {target: \"a:80\", keep_alive: 9s}}
- {path: /b, upstream: {target: \"a:80\", keep_alive: 9s}}
- {path: /c, upstream: \"a:80\"}
- {path: /d, upstream: {target: \"a:80\"}}
";
    let mut gateway = assemble(&format!("{TOP}{text}"));
    let same = reload(&mut gateway, &format!("{TOP}{text}"));
    assert_eq!((routes(&same), upstreams(&same)), ((4, 0, 0), (2, 0, 0)));
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_with_all_that_does() {
    let route = "routes: [{path: /old, redirect: {path: /there}}]";
    let mut gateway = assemble(&format!("{TOP}listen: 127.0.0.1:0\n{route}\n"));
    let found = errors(
        &mut gateway,
        "access_log: off
workers: 3
timeouts: {head: 1s, drain: 1s}
client_limits:
  max_headers: 7
listeners:
- 127.0.0.1:9000
- address: 127.0.0.1:9001
  proxy_protocol: {from: [10.0.0.0/8]}
routes: [{path: /new, redirect: {path: /there}}]
",
    );
    let expected = "\
gateway.yaml:2:1: error: `workers` cannot change while the gateway runs
    workers: 3
    ^^^^^^^
  help: there is one a core now: restart it, or take this change back so that the others can be reloaded

gateway.yaml:3:1: error: `timeouts` other than `drain` cannot change while the gateway runs
    timeouts: {head: 1s, drain: 1s}
    ^^^^^^^^
  help: restart it, or take this change back so that the others can be reloaded

gateway.yaml:4:1: error: `client_limits` cannot change while the gateway runs
    client_limits:
    ^^^^^^^^^^^^^
  help: restart it, or take this change back so that the others can be reloaded

gateway.yaml:6:1: error: the gateway listens on `127.0.0.1:0`, and cannot leave it while it runs
    listeners:
    ^^^^^^^^^
  help: restart it, or take this change back so that the others can be reloaded

gateway.yaml:7:3: error: the gateway cannot begin to listen on `127.0.0.1:9000` while it runs
    - 127.0.0.1:9000
      ^^^^^^^^^^^^^^
  help: restart it, or take this change back so that the others can be reloaded

gateway.yaml:8:12: error: the gateway cannot begin to listen on `127.0.0.1:9001` while it runs
    - address: 127.0.0.1:9001
               ^^^^^^^^^^^^^^
  help: restart it, or take this change back so that the others can be reloaded
";
    assert_eq!(found, expected);
    assert_eq!((status(&gateway, "/old").await, status(&gateway, "/new").await), (302, 404));

    // What is taken out of the file has no place in it.
    let mut gateway = assemble(&format!("{TOP}workers: 2\n{route}\n"));
    let found = errors(&mut gateway, &format!("{TOP}{route}\n"));
    assert!(found.starts_with("gateway.yaml: error: `workers` cannot change"), "{found}");
    assert!(found.contains("help: there are 2 now: restart it"), "{found}");
}

#[tokio::test]
async fn a_drain_may_take_longer_from_now_on_and_listeners_may_stand_in_another_order() {
    let route = "routes: [{path: /old, redirect: {path: /there}}]";
    let mut gateway = assemble(&format!("{TOP}listeners: [\"127.0.0.1:9000\", \"127.0.0.1:9001\"]\n{route}\n"));
    let text =
        format!("{TOP}timeouts: {{drain: 7s}}\nlisteners: [\"127.0.0.1:9001\", \"127.0.0.1:9000\"]\n{route}\n");
    assert!(reload(&mut gateway, &text).has_changes());
    assert_eq!(gateway.drain_deadline().as_secs(), 7);
    assert!(!reload(&mut gateway, &text).has_changes());
}

#[tokio::test]
async fn an_access_log_that_cannot_be_opened_refuses_the_whole() {
    let folder = std::env::temp_dir().join(format!("gatewright-reload-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut gateway = assemble(&format!("{TOP}routes: [{{path: /old, redirect: {{path: /there}}}}]\n"));
    let log = folder.join("access.log");
    let text =
        format!("access_log: {{file: {}}}\nroutes: [{{path: /new, redirect: {{path: /x}}}}]\n", log.display());
    let config = read(&text);
    // What was right at the check is no longer when the log is opened.
    std::fs::create_dir(&log).expect("a folder in its place");
    let found = gateway.reload(&config).expect_err("is refused").to_string();
    std::fs::remove_dir_all(&folder).expect("removes the folder");
    assert!(found.contains("gateway.yaml:1:20: error: cannot write"), "{found}");
    assert_eq!((status(&gateway, "/old").await, status(&gateway, "/new").await), (302, 404));
    assert!(gateway.access_log().is_none());
}
