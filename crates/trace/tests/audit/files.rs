//! The chain over rotation, restart, and what others do to the files.

use gatewright_trace::audit::AuditKey;

use super::*;

async fn some(log: &AuditLog, count: usize) {
    let stack = stack(log);
    for _ in 0..count {
        assert_eq!(get(&stack, "/closed").await, "403");
    }
    assert!(log.flush());
}

#[tokio::test]
async fn the_chain_goes_on_over_rotation_and_restart() {
    let folder = Folder::new();
    let (live, first, second) = (folder.log(), folder.path("audit.log.2"), folder.path("audit.log.1"));
    let log = quiet().file(&live).expect("opens");
    some(&log, 3).await;
    fs::rename(&live, &first).expect("moves it");
    some(&log, 2).await;
    log.reopen();
    some(&log, 2).await;
    // A second signal without a move changes nothing.
    log.reopen();
    assert!(log.flush());
    assert!(log.close());
    let begun = lines(&live).len();
    drop(log);
    let log = quiet().file(&live).expect("opens again");
    some(&log, 1).await;
    assert!(log.close());
    drop(log);
    assert!(lines(&live).len() > begun);
    // Moved while nothing runs.
    fs::rename(&live, &second).expect("moves it");
    let log = quiet().file(&live).expect("opens a third time");
    some(&log, 1).await;
    assert!(log.close());

    let verdict = verify(&[&live, &first, &second]);
    assert_whole(&verdict);
    assert_eq!(
        verdict.lines(),
        [&live, &first, &second].iter().map(|file| lines(file).len() as u64).sum::<u64>()
    );
    assert_eq!(verdict.lines(), verdict.last().expect("a line").seq());
    // One of them is gone.
    assert_found(&verify(&[&live, &first]), "are missing before line");
    assert_found(&verify(&[&live, &second]), "the log begins at line");
    // Of older files only what was kept of their end.
    let kept = verify(&[&first]).last().expect("a line");
    let verifier = AuditVerifier::new().checkpoint(kept);
    assert_whole(&verifier.verify([&live, &second]).expect("can be read"));
}

#[tokio::test]
async fn a_torn_last_line_is_moved_away_and_told() {
    let folder = Folder::new();
    let log = quiet().file(folder.log()).expect("opens");
    some(&log, 3).await;
    // As a process that is killed leaves it: no `close`, and half a line.
    let (file, state) = (folder.log(), folder.path("audit.log.state"));
    let (text, known) = (fs::read(&file).expect("the log"), fs::read(&state).expect("its state"));
    assert!(log.close());
    drop(log);
    fs::write(&file, [&text[..], b"{\"seq\":5,\"ts\":\"2026"].concat()).expect("writes");
    fs::write(&state, known).expect("writes");
    assert_found(&verify(&[&file]), "the last line has no end");

    let log = quiet().file(&file).expect("opens again");
    some(&log, 1).await;
    assert!(log.close());
    assert_eq!(
        fs::read_to_string(folder.path("audit.log.torn")).expect("is kept"),
        "{\"seq\":5,\"ts\":\"2026\n"
    );
    let torn = lines(&file).into_iter().find(|line| line["event"] == "torn").expect("is told");
    assert_eq!((&torn["bytes"], &torn["file"]), (&19.into(), &"audit.log.torn".into()));
    let verdict = verify(&[&file]);
    assert_whole(&verdict);
    let notes = verdict.notes().join("\n");
    assert!(notes.contains("19 bytes of a line were moved"), "{notes}");
    assert!(notes.contains("had ended without notice"), "{notes}");
}

#[tokio::test]
async fn what_is_cut_or_removed_while_nothing_runs_is_found_at_the_start_and_by_the_verifier() {
    let (folder, told) = (Folder::new(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let open = || {
        let told = told.clone();
        let log = quiet().on_trouble(move |trouble| told.lock().expect("no panic").push(trouble.to_string()));
        log.file(folder.log()).expect("opens")
    };
    let log = open();
    some(&log, 5).await;
    assert!(log.close());
    drop(log);
    let text = fs::read_to_string(folder.log()).expect("the log");
    let kept: String = text.split_inclusive('\n').take(4).collect();
    fs::write(folder.log(), kept).expect("cuts it");
    assert_found(&verify(&[&folder.log()]), "its end was cut off");
    let log = open();
    assert!(log.close());
    drop(log);
    assert!(told.lock().expect("no panic")[0].contains("the file ends at line 4, and line 7 was written"));
    assert_found(&verify(&[&folder.log()]), "lines 5 to 7 are missing");

    fs::remove_file(folder.log()).expect("removes it");
    let log = open();
    assert!(log.close());
    assert_found(&verify(&[&folder.log()]), "the log begins at line");
}

#[tokio::test]
async fn what_is_cut_or_removed_while_it_is_open_is_told() {
    let folder = Folder::new();
    let log = quiet().file(folder.log()).expect("opens");
    some(&log, 3).await;
    fs::write(folder.log(), "").expect("cuts it");
    some(&log, 1).await;
    assert_found(&verify(&[&folder.log()]), "the log begins at line 5");
    fs::remove_file(folder.log()).expect("removes it");
    some(&log, 1).await;
    assert!(log.close());
    let causes: Vec<_> = lines(&folder.log()).iter().map(|line| line["cause"].clone()).collect();
    assert!(causes.contains(&"deleted".into()), "{causes:?}");
}

#[tokio::test]
async fn a_checkpoint_for_keeping_is_told_in_time_also_when_nothing_follows() {
    let (folder, told) = (Folder::new(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let keep = told.clone();
    let log = quiet()
        .on_checkpoint(move |place| keep.lock().expect("no panic").push(place))
        .checkpoint_every(1000, std::time::Duration::from_millis(20))
        .file(folder.log())
        .expect("opens");
    some(&log, 1).await;
    let last = lines(&folder.log()).len() as u64;
    let begun = std::time::Instant::now();
    while told.lock().expect("no panic").last().is_none_or(|place| place.seq() < last) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "it was never told");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(log.close());
    let kept = told.lock().expect("no panic").clone();
    let verifier = kept.into_iter().fold(AuditVerifier::new(), AuditVerifier::checkpoint);
    assert_whole(&verifier.verify([folder.log()]).expect("can be read"));
}

#[tokio::test]
async fn two_logs_do_not_share_a_file() {
    let folder = Folder::new();
    let log = quiet().file(folder.log()).expect("opens");
    let error = quiet().file(folder.log()).expect_err("is open already");
    assert!(error.to_string().contains("another gateway writes this log"), "{error}");
    assert!(log.close());
    drop(log);
    let log = quiet().file(folder.log()).expect("opens again");
    assert!(log.close());
}

#[tokio::test]
async fn without_a_chain_the_verifier_does_not_call_a_log_whole() {
    let folder = Folder::new();
    let log = quiet().chain(false).file(folder.log()).expect("opens");
    some(&log, 2).await;
    assert!(log.close());
    drop(log);
    assert!(lines(&folder.log()).iter().all(|line| line.get("hash").is_none()));
    assert_found(&verify(&[&folder.log()]), "has no hash");
    // It may become one.
    let log = quiet().file(folder.log()).expect("opens again");
    assert!(log.close());
    let numbers: Vec<_> =
        lines(&folder.log()).iter().map(|line| line["seq"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[test]
fn keys_are_those_of_openssl() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let ran = std::process::Command::new("openssl").args(arguments).current_dir(&folder.0).output();
        assert!(ran.expect("openssl runs").status.success(), "{arguments:?}");
    };
    run(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]);
    run(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    run(&["genpkey", "-algorithm", "RSA", "-out", "rsa.pem"]);
    let read = |name| fs::read(folder.path(name)).expect("was written");
    let (signer, key) = (AuditSigner::from_pem(&read("key.pem")), AuditKey::from_pem(&read("public.pem")));
    assert_eq!(signer.expect("is one").public(), key.expect("is one"));
    assert!(AuditSigner::from_pem(&read("rsa.pem")).is_err());
    assert!(AuditSigner::from_pem(&read("public.pem")).is_err());
    assert!(AuditKey::from_pem(&read("key.pem")).is_err());
}
