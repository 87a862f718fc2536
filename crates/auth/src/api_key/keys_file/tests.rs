use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn read(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let outcome = super::read(text.as_bytes(), &KeyHasher::new(None), |entry| entries.push(entry));
    outcome.map(|()| entries).map_err(|error| error.to_string())
}

/// A hash that no key has, ending in this digit.
fn hash(digit: char) -> String {
    format!("blake3:{}{digit}", "0".repeat(63))
}

#[test]
fn an_entry_says_all_that_a_key_may_have() {
    let text = format!(
        "# partners\n- name: acme-2027\n  owner: acme\n  hash: {}\n  scopes: [payments:write, orders:read]\n  \
         expires: 2027-06-30\n  limit: [100/min burst 20, 5000/day]\n  disabled: yes\n\
         - {{name: \"null\", hash: {}, scopes: a b, limit: 5/s}}\n",
        hash('1'),
        hash('2'),
    );
    let entries = read(&text).expect("is right");
    let [first, second] = &entries[..] else { panic!("two entries: {entries:?}") };
    assert_eq!((first.name.as_str(), first.owner.as_deref()), ("acme-2027", Some("acme")));
    assert_eq!(first.scopes, ["payments:write", "orders:read"]);
    assert_eq!(first.expires, Some(UNIX_EPOCH + Duration::from_secs(1_814_400_000)));
    assert_eq!(first.limits, [Quota::per_minute(100).burst(20), Quota::per_day(5000)]);
    assert!(first.disabled && !second.disabled);
    assert_eq!((second.name.as_str(), second.owner.as_deref()), ("null", None));
    assert_eq!(
        (&second.scopes[..], &second.limits[..]),
        (&["a".into(), "b".into()][..], &[Quota::per_second(5)][..])
    );
    assert!(first.digest != second.digest);
    assert_eq!(read("[]").expect("nobody").len(), 0);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place_and_how_to_mend_it() {
    let text = format!(
        "- name: one\n  hsh: {one}\n- name: two\n  hash: 0123\n  scopes: ['a\"b', {{}}]\n  expires: never\n- acme\n\
         - name: [a]\n  hash: {one}\n  limit: 0/min\n  disabled: maybe\n  disabled: no\n  owner:\n\
         - name: three\n  hash: {two}\n- name: three\n  hash: {two}\n",
        one = hash('1'),
        two = hash('2'),
    );
    let expected = "\
1:3: this key has no `hash`
  help: `gatewright keys new NAME` prints a key and the entry for it
2:3: unknown field `hsh`
  help: did you mean `hash`?
4:9: a hash is written `blake3:` and 64 hexadecimal digits
  help: `gatewright keys new NAME` prints a key and the entry for it
5:12: this text is no scope
  help: a scope has visible ASCII characters without `\"` and `\\`
5:19: the items of this list must be words
6:12: `never` is neither a date nor a time
  help: write `2027-06-30` (to the end of that day, UTC) or `2027-06-30T12:00:00Z`
7:3: an item of the list must be a map
  help: the file is a list, each item of it `- name: …` and, indented below it, `hash: …`
8:3: `name` is one value, not a list
10:10: `0/min` is no limit
  help: write `100/min`, `5000/day` or `100/min burst 20`
11:13: `maybe` is neither true nor false
12:3: `disabled` is written twice
  help: keep one of them
13:3: `owner` has no value
16:3: line 14 already has a key of the name `three`
  help: give it another name; several keys may have the same `owner`
16:3: line 14 already has the same hash
  help: a key has one entry: remove one of the two";
    assert_eq!(read(&text).expect_err("is wrong"), expected);
}

#[test]
fn what_is_no_list_is_refused_as_a_whole() {
    for (text, expected) in [
        ("", "1:1: the file is empty\n  help: write `[]` if no key should be valid"),
        ("# nobody\n", "1:1: the file is empty"),
        ("keys: []\n", "1:1: a keys file must be a list"),
        ("acme", "1:1: a keys file must be a list"),
        ("- name: a\n\thash: b\n", "1:9: this is not valid YAML"),
        ("- &a {}\n- *a\n", "1:3: YAML anchors are not supported"),
        ("- !x {}\n", "1:3: YAML tags are not supported"),
        ("[]\n---\n[]\n", "2:1: a second document begins here"),
        ("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:17: this is not valid YAML: recursion limit exceeded"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let not_utf8 = super::read(b"[]\n# \xff\n", &KeyHasher::new(None), drop).expect_err("is wrong");
    assert_eq!((not_utf8.problems()[0].line(), not_utf8.problems().len()), (2, 1));
}

/// As `keys new >> keys.yaml` does.
#[test]
fn entries_may_be_added_to_a_list_of_none() {
    let hash = hash('1');
    let entry = format!("- name: acme\n  hash: {hash}\n");
    for before in ["", "[]\n", "# none yet\n\n[]\n", "[] \n# the first one\n", "[]\r\n"] {
        let entries = read(&format!("{before}{entry}")).unwrap_or_else(|error| panic!("{before:?}: {error}"));
        assert_eq!(entries.len(), 1, "{before:?}");
        // Places stay what they are.
        let error = read(&format!("{before}{entry}- hash: x\n")).expect_err("has no name");
        let line = before.lines().count() + 3;
        assert!(error.contains(&format!("{line}:")), "{before:?}: {error}");
    }
    for wrong in ["[]\n[]\n", "[]\nname: a\n", "[a]\n- name: b\n"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn no_error_shows_a_key_or_a_hash() {
    let secret = "gw_0123456789abcdefghijABCDEFGHIJ0123456789abc";
    let digits = "fedcba9876543210".repeat(4);
    for text in [
        format!("- {secret}"),
        format!("- {secret}: x"),
        format!("- name: {secret}\n  hash: {}\n", hash('1')),
        format!("- name: a\n  hash: {secret}\n"),
        format!("- name: a\n  key: {secret}\n"),
        format!("- name: a\n  hash: blake3:{secret}\n"),
        format!("- name: a\n  hash: blake4:{digits}\n"),
        format!("- name: a\n  hash: {digits}\n"),
        format!(
            "- name: a\n  scopes: {secret}\n  limit: {secret}\n  expires: {secret}\n  disabled: {secret}\n"
        ),
        format!("- name: a\n  hash: '{secret}\n"),
        format!("- name: a\n  hash: blake3:{digits}\n- name: b\n  hash: blake3:{digits}\n"),
        secret.to_owned(),
        format!("{secret}: {{"),
    ] {
        let error = read(&text).expect_err(&text);
        assert!(!error.contains("gw_0") && !error.contains("fedcba"), "{text}:\n{error}");
    }
}

#[test]
fn a_file_full_of_mistakes_is_told_of_at_a_length_that_can_be_read() {
    let text = "- name: a\n".repeat(1000);
    let mut problems = 0;
    let error = super::read(text.as_bytes(), &KeyHasher::new(None), |_| problems += 1).expect_err("is wrong");
    assert_eq!((error.problems().len(), problems), (1000, 0));
    let printed = error.to_string();
    assert!(printed.ends_with("\nand 950 more") && printed.lines().count() == 101, "{printed}");
}
