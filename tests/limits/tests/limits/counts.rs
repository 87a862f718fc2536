//! Whose requests count together, and what a reload does to the counts.

use harness::{Gateway, H2Client, Origin, RawClient};
use http::StatusCode;

use crate::{
    file::{admitted, assemble, from, get, reload, send},
    redis,
};

const A: &str = "192.0.2.1";
const B: &str = "198.51.100.7";

#[tokio::test]
async fn routes_that_name_one_limit_share_its_counts_and_routes_that_write_one_do_not() {
    let gateway = assemble(
        "limits: {shared: {rate: 4/hour, key: client_ip}}
routes:
- {path: /a, redirect: {path: /x}, limit: shared}
- {path: /b, redirect: {path: /x}, limit: shared}
- {path: /c, redirect: {path: /x}, limit: {rate: 4/hour, key: client_ip}}
- {path: /d, redirect: {path: /x}, limit: {rate: 4/hour, key: client_ip}}
",
    );
    assert_eq!(admitted(&gateway, 3, || from(A, "/a")).await, 3);
    assert_eq!(admitted(&gateway, 9, || from(A, "/b")).await, 1);
    assert_eq!(admitted(&gateway, 9, || from(B, "/b")).await, 4, "another caller");
    assert_eq!(admitted(&gateway, 9, || from(A, "/c")).await, 4);
    assert_eq!(admitted(&gateway, 9, || from(A, "/d")).await, 4);
}

#[tokio::test]
async fn in_redis_too_and_another_prefix_is_another_limit() {
    let redis = redis::Server::start();
    let store = |prefix: &str| format!("store: {{redis: \"{}\", timeout: 10s, prefix: {prefix}}}", redis.url());
    let text = |prefix: &str| {
        format!(
            "limits: {{shared: {{rate: 4/hour, key: client_ip, {store}}}}}
routes:
- {{path: /a, redirect: {{path: /x}}, limit: shared}}
- {{path: /b, redirect: {{path: /x}}, limit: shared}}
- {{path: /c, redirect: {{path: /x}}, limit: {{rate: 4/hour, key: client_ip, {store}}}}}
- {{path: /c, methods: [POST], redirect: {{path: /x}}, limit: {{rate: 4/hour, key: client_ip, {store}}}}}
",
            store = store(prefix)
        )
    };
    let nodes = [assemble(&text("one")), assemble(&text("one"))];
    assert_eq!(admitted(&nodes[0], 3, || from(A, "/a")).await, 3);
    assert_eq!(admitted(&nodes[1], 9, || from(A, "/b")).await, 1, "of another node and another route");
    assert_eq!(admitted(&nodes[0], 2, || from(A, "/c")).await, 2);
    assert_eq!(admitted(&nodes[1], 9, || from(A, "/c")).await, 2, "of another node");
    assert_eq!(admitted(&nodes[1], 9, || from(A, "/c").method("POST")).await, 4, "of another route");
    assert_eq!(admitted(&assemble(&text("two")), 9, || from(A, "/a")).await, 4);
}

#[tokio::test]
async fn a_limit_by_a_header_counts_each_value_or_refuses_those_without() {
    let gateway = assemble(
        "routes:
- {path: /lax, redirect: {path: /x}, limit: {rate: 2/hour, key: \"header:x-tenant\"}}
- {path: /strict, redirect: {path: /x}, limit: {rate: 2/hour, key: \"header:x-tenant\", missing: refuse}}
- {path: /each, redirect: {path: /x}, limit: {rate: 2/hour, key: [client_ip, \"header:x-tenant\"]}}
",
    );
    for tenant in ["a", "b", "ä", "", &"x".repeat(60_000)] {
        let by_tenant = || from(A, "/lax").header("x-tenant", tenant);
        assert_eq!(admitted(&gateway, 5, by_tenant).await, 2, "{tenant:.9}");
    }
    assert_eq!(admitted(&gateway, 5, || from(A, "/lax")).await, 2, "by address");
    assert_eq!(get(&gateway, A, "/strict").await, StatusCode::FORBIDDEN);
    assert_eq!(admitted(&gateway, 5, || from(A, "/strict").header("x-tenant", "a")).await, 2);
    for peer in [A, B] {
        assert_eq!(admitted(&gateway, 5, || from(peer, "/each").header("x-tenant", "a")).await, 2);
    }
}

#[tokio::test]
async fn several_limits_hold_at_once_and_each_says_its_own() {
    let gateway = assemble(
        "limits:
  per_address: {rate: [3/min, 100/day], key: client_ip}
  whole_route: {rate: 5/hour, key: route}
routes:
- {path: /a, redirect: {path: /x}, limit: [per_address, {name: whole_route, cost: 1}]}
- {path: /dear, redirect: {path: /x}, limit: {name: per_address, cost: 3}}
",
    );
    assert_eq!(admitted(&gateway, 50, || from(A, "/a")).await, 3);
    assert_eq!(admitted(&gateway, 50, || from(B, "/a")).await, 2, "the route's last two");
    let response = send(&gateway, from("203.0.113.1", "/a")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["ratelimit-policy"], "\"whole_route\";q=5;w=3600");
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((715..=720).contains(&wait), "a fifth of an hour: {wait}");
    // B still has the one that the route refused.
    assert_eq!(get(&gateway, B, "/dear").await, StatusCode::TOO_MANY_REQUESTS);
    let response = send(&gateway, from("203.0.113.2", "/dear")).await;
    assert_eq!(
        response.headers()["ratelimit-policy"],
        "\"per_address-minute\";q=3;w=60, \"per_address-day\";q=100;w=86400"
    );
    assert_eq!(
        response.headers()["ratelimit"],
        "\"per_address-minute\";r=0;t=60, \"per_address-day\";r=97;t=2592"
    );
}

#[tokio::test]
async fn a_reload_keeps_what_was_counted_unless_the_rate_itself_is_another() {
    let text = |limit: &str, route: &str| {
        format!(
            "limits: {{shared: {limit}}}
routes:
- {{path: /a, redirect: {{path: /x}}, limit: shared}}
- {{path: /b, redirect: {{path: {route}}}, limit: {{rate: 4/hour, key: client_ip}}}}
"
        )
    };
    let limit = "{rate: [4/hour, 9/day], key: client_ip}";
    let mut gateway = assemble(&text(limit, "/x"));
    assert_eq!(admitted(&gateway, 3, || from(A, "/a")).await, 3);
    assert_eq!(admitted(&gateway, 3, || from(A, "/b")).await, 3);
    for same in [
        limit,
        "{rate: [4/hour, 9/day], key: client_ip, headers: legacy}",
        "{rate: [9/day, 4/hour], key: client_ip, consumers: {acme: 50/s}}",
    ] {
        reload(&mut gateway, &text(same, "/other"));
        let response = send(&gateway, from(A, "/a")).await;
        let left = response.headers()["ratelimit"].to_str().unwrap().to_owned();
        assert!(left.contains("-hour\";r=0;") && left.contains("-day\";r=5;"), "{left}");
        assert_eq!(admitted(&gateway, 9, || from(A, "/b")).await, usize::from(same == limit));
    }
    // An hour's other rate begins anew; the day's goes on.
    reload(&mut gateway, &text("{rate: [50/hour, 9/day], key: client_ip}", "/x"));
    assert_eq!(admitted(&gateway, 20, || from(A, "/a")).await, 5);
}

#[tokio::test]
async fn streams_of_one_connection_each_count() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "routes:\n- path_prefix: /\n  upstream: {}\n  limit: {{rate: 7/hour, key: client_ip}}\n",
        origin.address()
    ))
    .start();
    let mut client = H2Client::connect(gateway.address()).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let request = http::Request::get(format!("http://{}/", gateway.address())).body(String::new()).unwrap();
        statuses.push(client.exchange(request).await.unwrap().status());
    }
    assert_eq!(statuses[..7], [200; 7]);
    assert_eq!(statuses[7..], [429; 5]);
    // By HTTP/1.1 it is the same client.
    let response = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(response.status(), 429);
    assert_eq!(origin.requests().len(), 7);
    let log = gateway.access_log(13).await;
    assert_eq!(log[12]["rejection"], "rate-limit:over_limit");
}

#[tokio::test]
async fn a_dry_run_refuses_nobody_and_the_log_says_whom_it_would_have() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "routes:\n- path_prefix: /\n  upstream: {}\n  limit: {{rate: 1/hour, key: client_ip, dry_run: on}}\n",
        origin.address()
    ))
    .start();
    for _ in 0..3 {
        let response = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(response.status(), 200);
        assert!(!String::from_utf8_lossy(&response.head.bytes).to_ascii_lowercase().contains("ratelimit"));
    }
    let log = gateway.access_log(3).await;
    assert!(!log[0].contains_key("would_reject"));
    for line in &log[1..] {
        assert_eq!(line["would_reject"], "rate-limit:over_limit");
        assert!(!line.contains_key("rejection"));
    }
}

#[tokio::test]
async fn a_store_without_room_shares_one_limit_and_warns() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "routes:\n- path_prefix: /\n  upstream: {}\n  limit: {{rate: 2/hour, key: \"header:x-tenant\", max_keys: 5}}\n",
        origin.address()
    ))
    .start();
    let mut client = RawClient::connect(gateway.address()).await;
    let mut admitted = 0;
    for user in 0..50 {
        let response = client.exchange(format!("GET / HTTP/1.1\r\nHost: x\r\nX-Tenant: {user}\r\n\r\n")).await;
        admitted += usize::from(response.status() == 200);
    }
    assert_eq!(admitted, 5 + 2, "five with a bucket of their own, and two of all others");
    let said = gateway.stderr();
    assert!(said.contains("a store of rate limits is at its cap"), "{said}");
}
