mod script;
mod server;

use std::hash::Hasher;

use gatewright_core::Quota;

use self::server::Server;
use super::*;

fn key(name: &str) -> KeyBytes {
    let mut key = KeyBytes::default();
    key.write(name.as_bytes());
    key
}

fn limits(quotas: &[Quota]) -> Limits {
    Limits::new("", "", quotas)
}

fn builder(server: &Server) -> RedisStoreBuilder {
    RedisStore::builder(server.url()).timeout(Duration::from_secs(5))
}

fn store(server: &Server) -> RedisStore {
    builder(server).build().expect("a URL")
}

async fn decide(store: &RedisStore, name: &str, limits: &Limits, cost: u32) -> Verdict {
    store.decide(&key(name), limits, cost).await.expect("Redis answers")
}

#[tokio::test]
async fn it_admits_the_burst_and_refuses_what_is_beyond() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_hour(3)]);
    for left in [2, 1, 0] {
        let verdict = decide(&store, "a", &limits, 1).await;
        assert_eq!((verdict.admitted, verdict.readings[0].remaining), (true, left));
    }
    let refused = decide(&store, "a", &limits, 1).await;
    assert!(!refused.admitted);
    let wait = refused.wait.expect("it need not wait for ever");
    assert!((1_190_000_000_000..=1_200_000_000_000).contains(&wait), "{wait}");
    assert!(decide(&store, "b", &limits, 1).await.admitted, "another key");
    assert_eq!(decide(&store, "b", &limits, 4).await.wait, None, "it never fits");
}

#[tokio::test]
async fn a_refusal_by_one_limit_takes_nothing_from_the_others() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_minute(2), Quota::per_day(100)]);
    for _ in 0..2 {
        assert!(decide(&store, "a", &limits, 1).await.admitted);
    }
    for _ in 0..20 {
        let refused = decide(&store, "a", &limits, 1).await;
        assert_eq!((refused.admitted, refused.readings[1].remaining), (false, 98));
    }
}

#[tokio::test]
async fn a_key_that_has_to_wait_is_known_here_and_costs_no_call() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_hour(1).burst(4)]);
    assert!(store.decide_here(&key("a"), &limits, 1).is_none());
    assert!(decide(&store, "a", &limits, 3).await.admitted);
    assert!(!decide(&store, "a", &limits, 2).await.admitted);
    let known = store.decide_here(&key("a"), &limits, 2).expect("a refusal");
    assert!(!known.admitted && known.wait.is_some_and(|wait| wait > 3_500_000_000_000));
    assert_eq!(known.readings[0].remaining, 1);
    assert!(store.decide_here(&key("a"), &limits, 1).is_none(), "what costs less may fit");
    assert!(store.decide_here(&key("b"), &limits, 2).is_none());
    let without = builder(&server).without_local_check().build().expect("a URL");
    assert!(!decide(&without, "a", &limits, 2).await.admitted);
    assert!(without.decide_here(&key("a"), &limits, 2).is_none());
}

#[tokio::test]
async fn buckets_expire_when_they_are_full() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_second(10), Quota::per_second(20)]);
    assert!(decide(&store, "a", &limits, 5).await.admitted);
    assert_eq!(server.send("DBSIZE"), ":2\r\n");
    tokio::task::spawn_blocking(move || server::until("both are gone", || server.send("DBSIZE") == ":0\r\n"))
        .await
        .expect("they go");
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_script_is_told_it_again() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_hour(10)]);
    for _ in 0..3 {
        assert!(decide(&store, "a", &limits, 1).await.admitted);
        assert_eq!(server.send("SCRIPT FLUSH"), "+OK\r\n");
    }
    assert_eq!(store.failures(), 0);
}

#[tokio::test]
async fn a_decision_is_one_call_and_none_waits_for_another() {
    let server = Server::start();
    let store = store(&server);
    let limits = Arc::new(limits(&[Quota::per_hour(1_000), Quota::per_day(5_000), Quota::per_minute(900)]));
    assert!(decide(&store, "a", &limits, 1).await.admitted);
    assert_eq!(server.send("CONFIG RESETSTAT"), "+OK\r\n");
    // For this long the server takes what comes and answers nothing.
    assert_eq!(server.send("CLIENT PAUSE 300 ALL"), "+OK\r\n");
    let started = Instant::now();
    let asking = (0..200).map(|_| {
        let (store, limits) = (store.clone(), Arc::clone(&limits));
        tokio::spawn(async move { decide(&store, "a", &limits, 1).await.admitted })
    });
    for asked in asking.collect::<Vec<_>>() {
        assert!(asked.await.expect("it asks"));
    }
    let took = started.elapsed();
    println!("200 decisions over a pause of 300 ms took {took:?}");
    assert!(took < Duration::from_secs(10), "one pause for all, not 200 in turn: {took:?}");
    let commands = server.send("INFO commandstats");
    assert!(commands.contains("cmdstat_evalsha:calls=200,"), "{commands}");
    assert!(!commands.contains("cmdstat_eval:"), "{commands}");
    let connections = server.send("INFO stats");
    let received = connections.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    // Ours that was there before, and those of this test's own questions.
    assert!(received.is_some_and(|number| number.parse().is_ok_and(|number: u32| number <= 4)), "{received:?}");
}

#[tokio::test]
async fn a_master_that_has_become_a_replica_is_left_for_the_one_that_its_name_leads_to() {
    let server = Server::start();
    let store = builder(&server).timeout(TIMEOUT).build().expect("a URL");
    assert_eq!(ask(&store, 5).await.0, 5);
    assert_eq!(server.send("REPLICAOF 127.0.0.1 1"), "+OK\r\n");
    assert_eq!(ask(&store, 1).await.0, 0);
    let connections = || {
        let stats = server.send("INFO stats");
        let line = stats.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.and_then(|number| number.parse::<u32>().ok()).expect("a number")
    };
    let before = connections();
    assert_eq!(ask(&store, 3).await.0, 0, "it does not decide, and it does not hang");
    time::sleep(TIMEOUT).await;
    assert!(connections() > before + 1, "it has connected anew");
    assert_eq!(server.send("REPLICAOF NO ONE"), "+OK\r\n");
    assert!(recovery(&store).await < TIMEOUT + GRACE);
}

#[tokio::test]
async fn whatever_stands_where_a_bucket_should_be_is_no_bucket() {
    let server = Server::start();
    let store = store(&server);
    let limits = limits(&[Quota::per_hour(2)]);
    let name = &name::names("gatewright", &key("a"), &limits)[0];
    for junk in ["junk", "-1", "99999999999999999999999999", "1e300"] {
        assert_eq!(server.send(&format!("SET {name} {junk}")), "+OK\r\n");
        assert!(decide(&store, "a", &limits, 1).await.admitted, "{junk}");
        assert!(decide(&store, "a", &limits, 1).await.admitted, "{junk}");
        assert!(!decide(&store, "a", &limits, 1).await.admitted, "{junk}");
    }
    // Of another type, it is an error like any other; the connection is not to blame.
    assert_eq!(server.send(&format!("DEL {name}")), ":1\r\n");
    assert_eq!(server.send(&format!("LPUSH {name} x")), ":1\r\n");
    let without = builder(&server).without_local_check().fail_closed().build().expect("a URL");
    let undecided = without.decide(&key("a"), &limits, 1).await.expect_err("no bucket");
    assert!(!undecided.is_admitted());
    assert!(decide(&without, "b", &limits, 1).await.admitted);
}

/// Asks for more than the limit gives, for a while, over two stores: what they admit together, and the time it took.
async fn ask_in_excess(stores: [RedisStore; 2], quota: Quota, lasting: Duration) -> (u64, Duration) {
    let limits = Arc::new(limits(&[quota]));
    let started = Instant::now();
    let askers = (0..16).map(|number| {
        let (store, limits) = (stores[number % 2].clone(), Arc::clone(&limits));
        tokio::spawn(async move {
            let mut admitted = 0;
            while started.elapsed() < lasting {
                match store.decide_here(&key("a"), &limits, 1) {
                    // As a client would that is refused, and so that others get their turn.
                    Some(_) => time::sleep(Duration::from_millis(1)).await,
                    None => admitted += u64::from(decide(&store, "a", &limits, 1).await.admitted),
                }
            }
            admitted
        })
    });
    let mut admitted = 0;
    for asker in askers.collect::<Vec<_>>() {
        admitted += asker.await.expect("it asks");
    }
    (admitted, started.elapsed())
}

#[tokio::test]
async fn two_nodes_together_admit_what_one_limit_gives() {
    let server = Server::start();
    let stores = [store(&server), store(&server)];
    // It takes a second to be full, so that a pause of the machine's costs nothing.
    let quota = Quota::per_second(200);
    let lasting = Duration::from_secs(if std::env::var_os("GATEWRIGHT_SOAK").is_some() { 10 } else { 3 });
    let (admitted, elapsed) = ask_in_excess(stores, quota, lasting).await;
    let most = 200.0 + 200.0 * elapsed.as_secs_f64();
    println!("{admitted} admitted of {most:.0} in {elapsed:?}");
    assert!(admitted as f64 <= most + 1.0, "{admitted} of {most}");
    assert!(admitted as f64 >= (200.0 + 200.0 * lasting.as_secs_f64()) * 0.99, "{admitted} of {most}");
}

/// How many of so many requests are decided, and what the longest took.
async fn ask(store: &RedisStore, times: usize) -> (usize, Duration) {
    let limits = limits(&[Quota::per_second(1_000_000)]);
    let (mut decided, mut longest) = (0, Duration::ZERO);
    for _ in 0..times {
        let started = Instant::now();
        decided += usize::from(store.decide(&key("a"), &limits, 1).await.is_ok());
        longest = longest.max(started.elapsed());
    }
    (decided, longest)
}

/// Until requests are decided again.
async fn recovery(store: &RedisStore) -> Duration {
    let started = Instant::now();
    while ask(store, 1).await.0 == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not recover");
        time::sleep(Duration::from_millis(1)).await;
    }
    started.elapsed()
}

const TIMEOUT: Duration = Duration::from_millis(400);
/// What a busy machine may add.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn killed_and_started_again_it_costs_no_hang_and_no_error_for_longer_than_the_timeout() {
    let mut server = Server::start();
    for fail_closed in [false, true] {
        let builder = RedisStore::builder(server.url()).timeout(TIMEOUT);
        let builder = if fail_closed { builder.fail_closed() } else { builder };
        let store = builder.build().expect("a URL");
        assert_eq!(ask(&store, 50).await.0, 50);
        server.kill();
        let (decided, longest) = ask(&store, 500).await;
        println!("while it is away: {decided} of 500 decided, the longest took {longest:?}");
        assert_eq!(decided, 0);
        assert!(longest < TIMEOUT + GRACE, "{longest:?}");
        let undecided =
            store.decide(&key("a"), &limits(&[Quota::per_second(1)]), 1).await.expect_err("it is away");
        assert_eq!(undecided.is_admitted(), !fail_closed);
        assert_eq!(store.failures(), 501);
        server.run();
        let took = recovery(&store).await;
        println!("decided again after {took:?}");
        assert!(took < TIMEOUT + GRACE, "{took:?}");
        assert_eq!(ask(&store, 50).await.0, 50);
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_only_who_is_waiting_already() {
    let server = Server::start();
    let store = RedisStore::builder(server.url()).timeout(TIMEOUT).build().expect("a URL");
    assert_eq!(ask(&store, 10).await.0, 10);
    server.signal("-STOP");
    let started = Instant::now();
    let (decided, _) = ask(&store, 200).await;
    let took = started.elapsed();
    println!("200 requests while it hangs took {took:?}");
    assert_eq!(decided, 0);
    assert!(took < TIMEOUT + GRACE, "only the first waits: {took:?}");
    server.signal("-CONT");
    assert!(recovery(&store).await < TIMEOUT + GRACE);
}

#[tokio::test]
async fn a_server_that_was_never_there_holds_nobody_up_for_longer_than_the_timeout() {
    let mut server = Server::start();
    server.kill();
    let store = RedisStore::builder(server.url()).timeout(TIMEOUT).build().expect("a URL");
    let (decided, longest) = ask(&store, 100).await;
    assert_eq!((decided, store.failures()), (0, 100));
    assert!(longest < TIMEOUT + GRACE, "{longest:?}");
    server.run();
    assert!(recovery(&store).await < TIMEOUT + GRACE);
}

#[test]
fn runtimes_of_one_thread_each_share_a_store_and_may_end() {
    let server = Server::start();
    let store = store(&server);
    let limits = Arc::new(limits(&[Quota::per_hour(10)]));
    for round in 0..3 {
        let workers = (0..2).map(|_| {
            let (store, limits) = (store.clone(), Arc::clone(&limits));
            thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let mut admitted = 0;
                    for _ in 0..20 {
                        let verdict = store.decide(&key(&format!("round {round}")), &limits, 1).await;
                        // The first request after a runtime's end finds its connection gone.
                        admitted += u32::from(verdict.is_ok_and(|verdict| verdict.admitted));
                        time::sleep(Duration::from_millis(2)).await;
                    }
                    admitted
                })
            })
        });
        let admitted = workers.collect::<Vec<_>>().into_iter().map(|worker| worker.join().expect("works"));
        assert_eq!(admitted.sum::<u32>(), 10);
    }
}

#[tokio::test]
async fn a_cluster_of_three_nodes_holds_limits_on_each_and_goes_on_without_one() {
    let mut nodes = server::start_cluster();
    let urls: Vec<_> = nodes.iter().map(Server::url).collect();
    let store = RedisStore::cluster(urls).timeout(Duration::from_secs(5)).build().expect("URLs");
    let limits = limits(&[Quota::per_hour(2), Quota::per_day(5)]);
    for number in 0..60 {
        let name = format!("user {number}");
        for admitted in [true, true, false] {
            let verdict = decide(&store, &name, &limits, 1).await;
            assert_eq!(verdict.admitted, admitted, "{name}");
            assert_eq!(verdict.readings.len(), 2);
        }
    }
    let sizes: Vec<_> = nodes.iter().map(|node| node.send("DBSIZE")).collect();
    assert!(sizes.iter().all(|size| size != ":0\r\n"), "each node has some: {sizes:?}");
    assert_eq!(store.failures(), 0);

    // Without one node the cluster is told to serve what the others have.
    for node in &nodes {
        assert_eq!(node.send("CONFIG SET cluster-require-full-coverage no"), "+OK\r\n");
    }
    nodes[2].kill();
    let urls: Vec<_> = nodes[..2].iter().map(Server::url).collect();
    let store = RedisStore::cluster(urls).timeout(TIMEOUT).fail_closed().build().expect("URLs");
    let (mut decided, mut longest) = (0, Duration::ZERO);
    for number in 0..60 {
        let started = Instant::now();
        decided += usize::from(store.decide(&key(&format!("user {number}")), &limits, 1).await.is_ok());
        longest = longest.max(started.elapsed());
    }
    println!("without a node of three: {decided} of 60 decided, the longest took {longest:?}");
    assert!(decided >= 20, "{decided}");
    assert!(longest < TIMEOUT + GRACE, "{longest:?}");

    // All of it away, and back.
    nodes[0].kill();
    nodes[1].kill();
    let (decided, longest) = ask(&store, 5).await;
    println!("without any: {decided} of 5 decided, the longest took {longest:?}");
    assert_eq!(decided, 0);
    assert!(longest < TIMEOUT + GRACE, "{longest:?}");
    let started = Instant::now();
    nodes.iter_mut().for_each(Server::run);
    let took = recovery(&store).await;
    println!(
        "decided again {took:?} after the last one answered, {:?} after the first was started",
        started.elapsed()
    );
}

#[test]
fn what_is_no_url_is_refused_and_no_password_is_printed() {
    for url in ["", "127.0.0.1:6379", "http://127.0.0.1", "redis://:secret@"] {
        let error = RedisStore::builder(url).build().expect_err(url);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(RedisStore::cluster([url]).build().is_err(), "{url}");
    }
    let tls = RedisStore::builder("rediss://127.0.0.1").build().expect_err("TLS");
    assert_eq!(tls.to_string(), "expected a URL such as redis://127.0.0.1:6379 (TLS is not supported)");
    let builder = RedisStore::builder("redis://:secret@127.0.0.1:1");
    assert!(!format!("{builder:?}").contains("secret"));
    assert!(!format!("{:?}", builder.build().expect("a URL")).contains("secret"));
}

#[test]
fn each_thread_has_a_number_of_its_own_and_keeps_it() {
    let of_another = || std::thread::spawn(thread_number).join().expect("a number");
    let own = thread_number();
    let (one, other) = (of_another(), of_another());
    assert!(own != one && own != other && one != other);
    assert_eq!(thread_number(), own);
}
