//! A file that does not take what is written: `/dev/full` is a disk without room.

use std::{
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use gatewright_trace::audit::OnFailure;

use super::*;

/// Waits until something is so.
async fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never was so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A log on a full disk, which says how it fails.
fn full(folder: &Folder, capacity: usize) -> AuditLog {
    symlink("/dev/full", folder.log()).expect("links it");
    let log = quiet().capacity(capacity).file(folder.log()).expect("opens");
    log.on_failure(OnFailure::Refuse)
}

/// The disk has room again.
fn make_room(folder: &Folder, log: &AuditLog) {
    fs::remove_file(folder.log()).expect("removes the link");
    log.reopen();
}

#[tokio::test]
async fn requests_are_refused_while_the_disk_is_full_and_admitted_when_it_has_room() {
    let folder = Folder::new();
    let log = full(&folder, 1 << 20);
    let stack = stack(&log);
    until(|| log.is_failing()).await;
    for _ in 0..3 {
        assert_eq!(get(&stack, "/open").await, "503");
        assert_eq!(get(&stack, "/closed").await, "503");
    }
    assert_eq!((log.refused(), log.lost()), (6, 0));
    make_room(&folder, &log);
    until(|| !log.is_failing()).await;
    assert_eq!(get(&stack, "/open").await, "200");
    assert_eq!(get(&stack, "/closed").await, "403");
    assert!(log.close());
    let lines = lines(&folder.log());
    let failure = lines.iter().find(|line| line["event"] == "failure").expect("is told");
    assert_eq!((&failure["requests"], &failure["records"]), (&6.into(), &0.into()));
    assert_eq!(lines.iter().filter(|line| line["decision"] == "refused").count(), 1);
    assert_whole(&verify(&[&folder.log()]));
}

#[tokio::test]
async fn what_was_admitted_before_the_disk_was_full_is_not_lost_however_full_the_queue_is() {
    let folder = Folder::new();
    // Room for less than one record.
    let log = quiet().capacity(100).file(folder.log()).expect("opens");
    let (release, held) = tokio::sync::watch::channel(false);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new().observer(log.clone().admissions(gatewright_trace::audit::Admissions::All)))
        .layer(PolicyLayer::new(log.policy()))
        .layer(PolicyLayer::new(policy_fn("door", |_: &mut Parts| Ok(()))))
        .service(service_fn(move |_: Request<Body>| {
            let mut held = held.clone();
            async move {
                let _ = held.wait_for(|released| *released).await;
                Ok::<_, Infallible>(Response::new(Body::default()))
            }
        }));
    let requests: Vec<_> =
        (0..20).map(|_| tokio::spawn(service.clone().oneshot(Request::new(Body::default())))).collect();
    tokio::task::yield_now().await;
    assert!(log.flush());
    fs::rename(folder.log(), folder.path("audit.log.1")).expect("moves it");
    symlink("/dev/full", folder.log()).expect("links it");
    log.reopen();
    until(|| log.is_failing()).await;
    release.send(true).expect("they wait");
    for request in requests {
        assert_eq!(request.await.expect("no panic").expect("never fails").status(), 200);
    }
    let refused = service.clone().oneshot(Request::new(Body::default())).await.expect("never fails");
    assert_eq!((refused.status().as_u16(), log.lost()), (503, 0));
    make_room(&folder, &log);
    until(|| !log.is_failing()).await;
    assert!(log.close());
    let admitted = lines(&folder.log()).iter().filter(|line| line["decision"] == "admitted").count();
    assert_eq!(admitted, 20);
    assert_whole(&verify(&[&folder.log(), &folder.path("audit.log.1")]));
}

#[tokio::test]
async fn requests_go_on_where_that_was_asked_for_and_what_is_lost_is_counted_and_told() {
    let folder = Folder::new();
    let log = full(&folder, 1000).on_failure(OnFailure::GoOn);
    let stack = stack(&log);
    until(|| log.is_failing()).await;
    for _ in 0..20 {
        assert_eq!(get(&stack, "/closed").await, "403");
    }
    let lost = log.lost();
    assert!(lost > 10 && lost < 20, "{lost}");
    make_room(&folder, &log);
    until(|| !log.is_failing()).await;
    assert!(log.close());
    let lines = lines(&folder.log());
    let refused = lines.iter().filter(|line| line["decision"] == "refused").count() as u64;
    let told = lines.iter().find(|line| line["event"] == "failure").expect("is told");
    assert_eq!((refused + lost, &told["records"]), (20, &lost.into()));
    let verdict = verify(&[&folder.log()]);
    assert_whole(&verdict);
    assert!(verdict.to_string().contains(&format!("{lost} records were lost")), "{verdict}");
}

#[tokio::test]
async fn a_log_that_ends_while_its_disk_is_full_says_how_much_it_lost() {
    let folder = Folder::new();
    let log = full(&folder, 1 << 20).on_failure(OnFailure::GoOn);
    until(|| log.is_failing()).await;
    assert_eq!(get(&stack(&log), "/closed").await, "403");
    assert!(!log.close());
    assert!(log.lost() >= 1);
}
