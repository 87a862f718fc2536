//! Logs that somebody has changed.

use std::{sync::LazyLock, time::Duration};

use gatewright_trace::audit::{AuditCheckpoint, AuditKey};
use proptest::prelude::*;

use super::*;

/// A log of some 40 lines, with a signed checkpoint after every tenth.
struct Whole {
    lines: Vec<String>,
    key: AuditKey,
    end: AuditCheckpoint,
}

fn write(signer: AuditSigner, count: usize) -> Vec<String> {
    let folder = Folder::new();
    let log = quiet().signer(signer).checkpoint_every(10, Duration::from_secs(3600));
    let log = log.file(folder.log()).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let stack = stack(&log);
        for _ in 0..count {
            assert_eq!(get(&stack, "/closed").await, "403");
        }
    });
    assert!(log.close());
    let text = fs::read_to_string(folder.log()).expect("the log");
    text.lines().map(str::to_owned).collect()
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    let signer = signer();
    let (key, lines) = (signer.public(), write(signer, 33));
    let folder = Folder::new();
    let end = check(&folder, &lines, &AuditVerifier::new()).last().expect("a line");
    Whole { lines, key, end }
});

/// The verdict on lines, in a folder without a `.state`.
fn check(folder: &Folder, lines: &[String], verifier: &AuditVerifier) -> AuditVerdict {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.log(), text).expect("writes");
    verifier.verify([folder.log()]).expect("can be read")
}

/// Gives lines from `from` on the hashes that fit, as somebody who knows how would.
fn forge(lines: &mut [String], from: usize) {
    let hash = |line: &str| line[line.len() - 66..line.len() - 2].to_owned();
    for at in from..lines.len() {
        let prev = match at {
            0 => "0".repeat(64),
            _ => hash(&lines[at - 1]),
        };
        let body = &lines[at][..lines[at].len() - 75];
        let (start, _) = body.split_at(body.len() - 65);
        let body = format!("{start}{prev}\"");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.as_bytes());
        let hash: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        lines[at] = format!("{body},\"hash\":\"{hash}\"}}");
    }
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let folder = Folder::new();
    let Whole { lines, key, end } = &*WHOLE;
    let verdict = check(&folder, lines, &AuditVerifier::new());
    assert_whole(&verdict);
    assert!(verdict.to_string().contains("neither a key nor a checkpoint was given"), "{verdict}");
    assert_whole(&check(&folder, lines, &AuditVerifier::new().key(key.clone())));
    assert_whole(&check(&folder, lines, &AuditVerifier::new().checkpoint(*end)));
    // What the tests below do to change a log leaves one that is not changed as it is.
    let mut same = lines.clone();
    forge(&mut same, 0);
    assert_eq!(&same, lines);
}

#[test]
fn a_line_removed_changed_or_moved_is_found_by_the_chain_alone() {
    let (folder, Whole { lines, .. }) = (Folder::new(), &*WHOLE);
    let found = |lines: &[String], text: &str| {
        let verdict = check(&folder, lines, &AuditVerifier::new());
        assert_found(&verdict, text);
        verdict
    };
    let mut removed = lines.clone();
    removed.remove(7);
    let verdict = found(&removed, "line 8 is missing before line 9");
    assert_eq!((verdict.findings().len(), verdict.findings()[0].line()), (1, 8), "{verdict}");

    let mut changed = lines.clone();
    changed[7] = changed[7].replace("refused", "admitted");
    let verdict = found(&changed, "line 8 was changed");
    assert_eq!((verdict.findings().len(), verdict.findings()[0].line()), (1, 8), "{verdict}");

    forge(&mut changed[..8], 7);
    found(&changed, "line 9 does not follow the line 8 that is here");

    let mut moved = lines.clone();
    moved.swap(6, 7);
    found(&moved, "line 7 is missing before line 8");

    let mut repeated = lines.clone();
    repeated.insert(9, repeated[7].clone());
    found(&repeated, "line 8 stands after line 9");

    found(&lines[1..], "the log begins at line 2");
    let mut foreign = lines.clone();
    foreign[7] = "hello".into();
    found(&foreign, "this is no line of an audit log");
}

#[test]
fn a_suffix_written_anew_is_found_by_signatures_or_by_a_checkpoint() {
    let (folder, Whole { lines, key, end }) = (Folder::new(), &*WHOLE);
    let signed = AuditVerifier::new().key(key.clone());
    let mut rewritten = lines.clone();
    rewritten[15] = rewritten[15].replace("refused", "admitted");
    forge(&mut rewritten, 15);
    // Its chain is right, which is all that the chain can say.
    assert_whole(&check(&folder, &rewritten, &AuditVerifier::new()));
    assert_found(&check(&folder, &rewritten, &signed), "the signature of the checkpoint");
    assert_found(
        &check(&folder, &rewritten, &AuditVerifier::new().checkpoint(*end)),
        "the log was written anew",
    );

    // Without its checkpoints.
    let mut unsigned: Vec<_> =
        rewritten.iter().enumerate().filter(|(at, line)| *at < 15 || !line.contains("checkpoint")).collect();
    let mut unsigned: Vec<_> = unsigned.drain(..).map(|(_, line)| line.clone()).collect();
    for (at, line) in unsigned.iter_mut().enumerate() {
        let rest = line.split_once(',').expect("more than its number").1.to_owned();
        *line = format!("{{\"seq\":{},{rest}", at + 1);
    }
    forge(&mut unsigned, 15);
    assert_whole(&check(&folder, &unsigned, &AuditVerifier::new()));
    assert_found(&check(&folder, &unsigned, &signed), "lines without a checkpoint, and one was due");

    // By another key.
    let other = write(signer(), 12);
    assert_found(&check(&folder, &other, &signed), "is signed by another key");
}

#[test]
fn a_tail_cut_off_is_found_by_a_checkpoint() {
    let (folder, Whole { lines, key, end }) = (Folder::new(), &*WHOLE);
    let cut = &lines[..lines.len() - 8];
    assert_found(&check(&folder, cut, &AuditVerifier::new().checkpoint(*end)), "its end was cut off");
    let verdict = check(&folder, cut, &AuditVerifier::new().key(key.clone()));
    assert!(verdict.to_string().contains("no signature covers them yet"), "{verdict}");
}

#[derive(Debug, Clone)]
enum Edit {
    Remove(usize),
    Swap(usize, usize),
    Repeat(usize, usize),
    Byte(usize, usize, u8),
    Forge(usize, usize, u8),
    Cut(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..1000usize;
    prop_oneof![
        at().prop_map(Edit::Remove),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
        (at(), at()).prop_map(|(one, other)| Edit::Repeat(one, other)),
        (at(), at(), any::<u8>()).prop_map(|(line, byte, value)| Edit::Byte(line, byte, value)),
        (at(), at(), any::<u8>()).prop_map(|(line, byte, value)| Edit::Forge(line, byte, value)),
        (0..20_000usize).prop_map(Edit::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_edit_is_found_when_the_end_was_kept(edit in edit()) {
        let Whole { lines, end, .. } = &*WHOLE;
        let mut text = lines.iter().map(|line| format!("{line}\n").into_bytes()).collect::<Vec<_>>();
        let count = text.len();
        match &edit {
            Edit::Remove(at) => drop(text.remove(at % count)),
            Edit::Swap(one, other) => text.swap(one % count, other % count),
            Edit::Repeat(one, other) => text.insert(other % count, text[one % count].clone()),
            Edit::Byte(line, byte, value) => {
                let line = &mut text[line % count];
                let length = line.len();
                line[byte % length] = *value;
            }
            Edit::Forge(line, byte, value) => {
                // Somewhere in a request's id, with all hashes made anew.
                let mut forged = lines.clone();
                let at = line % (count - 1);
                let length = forged[at].len() - 150;
                let place = byte % length;
                if forged[at].as_bytes()[place].is_ascii_alphanumeric() && place > 20 {
                    let letter = char::from(b'a' + value % 26).to_string();
                    forged[at].replace_range(place..place + 1, &letter);
                    forge(&mut forged, at);
                }
                text = forged.iter().map(|line| format!("{line}\n").into_bytes()).collect();
            }
            Edit::Cut(at) => {
                let mut whole = text.concat();
                whole.truncate(at % whole.len());
                text = vec![whole];
            }
        }
        let text = text.concat();
        let whole: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        prop_assume!(text != whole);
        let folder = Folder::new();
        fs::write(folder.log(), text).expect("writes");
        let verdict = AuditVerifier::new().checkpoint(*end).verify([folder.log()]).expect("can be read");
        prop_assert!(!verdict.is_whole(), "{:?} was not found\n{}", edit, verdict);
    }
}
