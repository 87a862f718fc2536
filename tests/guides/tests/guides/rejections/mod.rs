//! `docs/reference/rejections.md` has every word that `rejection` can have in the access log, and no other.
//!
//! The words are found in the sources of the crates, where something is refused or fails:
//!
//! 1. `Rejection::new(status, policy, reason)`, and in `auth` `Refusal::invalid(reason)` and its like.
//! 2. `.refused(shared, Some(response), reason, …)` in `server`, whose policy is `framing`.
//! 3. `Obstacle { by, reason }` in `trace`, which is what a line says of the end of a request.
//!
//! A policy or reason is a text, a constant, or what a `let` of the same file can make of it. Any other has an entry in
//! [`sources::ELSEWHERE`], which says where its words stand; one without an entry fails the test.

mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use regex::Regex;
use sources::{Sources, Value, status};

use crate::page::{pages, root};

const PAGE: &str = "docs/reference/rejections.md";

/// What a guide writes that is no word of ours: the form of one, and the reason of an example's own authenticator.
const OF_THE_GUIDES: &[&str] = &["error:kind", "auth:badge_refused"];

/// Each word, with the statuses that the sources name beside it.
type Found = BTreeMap<String, BTreeSet<u16>>;

/// All words that the sources have, or what of them cannot be told.
fn in_the_sources() -> Result<Found, Vec<String>> {
    let sources = Sources::read();
    let (mut found, mut problems) = (Found::new(), Vec::new());
    let mut add = |file: &str, policy: &str, reason: &str, status: Option<u16>| {
        let policies = match sources.value(file, policy) {
            Ok(Value::Texts(policies)) => policies,
            Ok(Value::Elsewhere(_)) => return,
            Err(problem) => return problems.push(problem),
        };
        let reasons = match sources.value(file, reason) {
            Ok(Value::Texts(reasons)) => reasons.into_iter().map(|reason| (reason, None)).collect(),
            Ok(Value::Elsewhere(words)) => sources.words(words),
            Err(problem) => return problems.push(problem),
        };
        for policy in &policies {
            for (reason, own) in &reasons {
                found.entry(format!("{policy}:{reason}")).or_default().extend(own.or(status));
            }
        }
    };
    for (file, given) in sources.calls("Rejection::new(") {
        let [code, policy, reason] = &given[..] else { panic!("crates/{file}: Rejection::new({given:?})") };
        add(file, policy, reason, status(code));
    }
    for (kind, code) in [("invalid", 401), ("forbidden", 403), ("unavailable", 503)] {
        for (file, given) in sources.calls(&format!("Refusal::{kind}(")) {
            add(file, "\"auth\"", &given[0], Some(code));
        }
    }
    // `Self::…` in `impl From<Fault> for Refusal`.
    add("auth/src/jwt/fault.rs", "\"auth\"", "fault.reason()", None);
    add("auth/src/policy.rs", "\"auth\"", "\"no_credential\"", Some(401));
    // A body policy gives its name to the refusal that all of them share.
    add("guard/src/body_limit.rs", "\"body-limit\"", "\"body_too_large\"", Some(413));
    for (file, given) in sources.calls(".add_claim(") {
        add(file, "\"auth\"", &given[2], Some(403));
    }
    for (file, given) in sources.calls("Unmet { ") {
        // A claim's own has been found where the claim is added.
        if let Some(reason) = field(&given, "reason: ").filter(|reason| *reason != "claim.reason") {
            add(file, "\"auth\"", reason, Some(403));
        }
    }
    for (file, given) in sources.calls(".refused(") {
        // A connection that is closed without a response leaves no line.
        if given.len() == 4 && given[1] != "None" {
            add(file, "\"framing\"", &given[2], None);
        }
    }
    for (file, given) in sources.calls("RefusedRequest::new(") {
        assert_eq!(&given[2..], ["\"framing\"", "refused.reason()"], "crates/{file}: whose words are these?");
    }
    for (file, given) in sources.calls("Obstacle { ") {
        // Refusals have been found where they are made.
        match field(&given, "by: ") {
            None | Some("refusal.policy()" | "policy") => {}
            Some(by) => add(file, by, field(&given, "reason: ").unwrap_or("reason"), None),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

/// The value of a field, among those of a struct.
fn field<'a>(given: &'a [String], name: &str) -> Option<&'a str> {
    given.iter().find_map(|field| field.strip_prefix(name))
}

/// The words of the page, with the statuses that stand beside each.
fn on_the_page() -> BTreeMap<String, String> {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let mut told = BTreeMap::new();
    for row in
        page.lines().filter_map(|line| line.strip_prefix("| `")).filter(|row| !row.starts_with("rejection`"))
    {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        assert!(cells.len() == 4 && cells[2].len() > 10 && cells[3].len() > 2, "a row of four cells: {row}");
        for word in cells[0].split('`').step_by(2).filter(|word| !word.is_empty()) {
            let before = told.insert(word.to_owned(), cells[1].to_owned());
            assert!(before.is_none(), "{word} has two rows");
        }
    }
    told
}

#[test]
fn the_page_of_rejections_has_every_word_and_no_other() {
    let found = in_the_sources().unwrap_or_else(|problems| panic!("\n{}", problems.join("\n")));
    let told = on_the_page();
    let mut problems = Vec::new();
    for (word, statuses) in &found {
        match told.get(word) {
            None => problems.push(format!("`{word}` {statuses:?} can stand in the log, and has no row")),
            Some(cell) => problems.extend(
                statuses
                    .iter()
                    .filter(|status| !cell.contains(&status.to_string()))
                    .map(|status| format!("`{word}` is {status}, and its row says {cell}")),
            ),
        }
    }
    let unknown = told.keys().filter(|word| !found.contains_key(*word));
    problems.extend(unknown.map(|word| format!("`{word}` has a row, and nothing writes it")));
    assert!(problems.is_empty(), "{PAGE}:\n{}", problems.join("\n"));
    assert!(found.len() > 100, "{} words in the sources", found.len());
}

/// A guide that names a word names one that there is.
#[test]
fn the_words_of_the_guides_have_rows() {
    let told = on_the_page();
    let policies: BTreeSet<&str> = told.keys().filter_map(|word| Some(word.split_once(':')?.0)).collect();
    let policies: Vec<_> = policies.into_iter().collect();
    let word = Regex::new(&format!(r"[`\x22]((?:{}):[a-z0-9_]+)[`\x22]", policies.join("|"))).unwrap();
    let mut problems = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for found in word.captures_iter(&page.text) {
            seen += 1;
            if !told.contains_key(&found[1]) && !OF_THE_GUIDES.contains(&&found[1]) {
                problems.push(format!("{} says `{}`, which is no word", page.name, &found[1]));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(seen >= 40, "{seen} words in the guides");
}
