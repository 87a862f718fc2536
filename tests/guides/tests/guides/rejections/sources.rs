//! What the sources say where something is refused or fails.

use std::{collections::BTreeMap, fs, path::Path, sync::LazyLock};

use http::StatusCode;
use regex::Regex;

use crate::page::root;

/// Where the words stand that a reason is made of.
#[derive(Clone, Copy)]
pub(super) enum Words {
    /// The rows of `violations!` that answer a client.
    Violations,
    /// The arms of this function in this file.
    Arms(&'static str, &'static str),
    /// The kinds of errors, each with its status.
    Kinds,
    /// The arm of one variant.
    Arm(&'static str, &'static str, &'static str),
    /// What this file gives as an `Err`, and each text of several words in it.
    Errors(&'static str),
    /// Found by themselves, where they are made.
    Made,
}

/// Reasons that are no text where something is refused: the file, the expression, and where its words stand.
pub(super) const ELSEWHERE: &[(&str, &str, Words)] = &[
    ("router/src/refusal.rs", "error.reason()", Words::Arms("core/src/path/error.rs", "reason")),
    ("rewrite/src/rewrite.rs", "error.reason()", Words::Arms("core/src/path/error.rs", "reason")),
    ("auth/src/policy.rs", "reason", Words::Made),
    ("auth/src/jwt/fault.rs", "fault.reason()", Words::Arms("auth/src/jwt/fault.rs", "reason")),
    (
        "auth/src/api_key/authenticator.rs",
        "refused.reason()",
        Words::Arms("auth/src/api_key/table.rs", "reason"),
    ),
    ("auth/src/introspection/authenticator.rs", "reason", Words::Errors("auth/src/introspection/answer.rs")),
    ("auth/src/mtls/authenticator.rs", "reason", Words::Errors("auth/src/mtls/authenticator.rs")),
    (
        "server/src/opening/mod.rs",
        "Kind::PlainHttp.word()",
        Words::Arm("server/src/tls/failures.rs", "word", "PlainHttp"),
    ),
    ("server/src/http2/request.rs", "reason", Words::Violations),
    ("server/src/http2/tracked.rs", "fault.reason()", Words::Violations),
    ("server/src/http1/driver.rs", "refusal.violation().reason()", Words::Violations),
    ("server/src/http1/turns.rs", "Violation::MISDIRECTED.reason()", Words::Violations),
    ("server/src/http1/response.rs", "violation.reason()", Words::Violations),
    ("core/src/body_policy/mod.rs", "policy", Words::Made),
    ("trace/src/ended.rs", "kind.as_str()", Words::Kinds),
    ("trace/src/ended.rs", "refusal.reason()", Words::Made),
    ("trace/src/access_log/line.rs", "refusal.reason()", Words::Made),
    ("trace/src/access_log/refused.rs", "reason", Words::Made),
];

pub(super) struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Each file of the crates without its comments and tests, by its path from `crates`.
    pub(super) fn read() -> Self {
        static TESTS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"#\[cfg\((?:all\()?test\b[^\n]*\n(?:#\[[^\n]*\n)*mod \w+ \{").unwrap()
        });
        let crates = root().join("crates");
        let mut files = BTreeMap::new();
        for package in fs::read_dir(&crates).unwrap().flatten() {
            walk(&package.path().join("src"), &mut |path| {
                let name = path.strip_prefix(&crates).unwrap().to_str().unwrap().to_owned();
                let is_test = name.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "fuzzing.rs"));
                if is_test || !name.ends_with(".rs") {
                    return;
                }
                let text = fs::read_to_string(path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let code = code.map(|line| format!("{line}\n")).collect::<String>();
                let end = TESTS.find(&code).map_or(code.len(), |found| found.start());
                files.insert(name, code[..end].to_owned());
            });
        }
        Self(files)
    }

    fn file(&self, name: &str) -> &str {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("the page of rejections is held to crates/{name}, which is not there"))
    }

    /// What each call of this name is given, with the file that it stands in.
    pub(super) fn calls(&self, name: &str) -> Vec<(&str, Vec<String>)> {
        let mut calls = Vec::new();
        for (file, code) in &self.0 {
            for (at, _) in code.match_indices(name) {
                let before = code[..at].chars().next_back();
                if name.starts_with('.') || !before.is_some_and(|char| char.is_alphanumeric() || char == '_') {
                    calls.push((&**file, arguments(&code[at + name.len()..])));
                }
            }
        }
        calls
    }

    /// The body of a function, up to the line that closes it.
    fn body(&self, file: &str, function: &str) -> &str {
        let code = self.file(file);
        let start =
            code.find(&format!("fn {function}(")).unwrap_or_else(|| panic!("{file} has no `{function}`"));
        let indent = code[..start].rsplit('\n').next().unwrap_or_default();
        let indent = &indent[..indent.len() - indent.trim_start().len()];
        let end = code[start..].find(&format!("\n{indent}}}\n")).expect("the end of a function");
        &code[start..start + end]
    }

    /// What an expression of this file can be.
    pub(super) fn value(&self, file: &str, expression: &str) -> Result<Value, String> {
        let expression = expression.trim().trim_end_matches(".into()").trim_end_matches(".to_owned()");
        if let Some(text) = expression.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
            return Ok(Value::Texts(vec![text.to_owned()]));
        }
        if let Some((.., words)) =
            ELSEWHERE.iter().find(|(at, as_written, _)| (*at, *as_written) == (file, expression))
        {
            return Ok(Value::Elsewhere(*words));
        }
        let name = regex::escape(expression);
        let made =
            Regex::new(&format!(r"(?s)\b(?:const {name}: &(?:'static )?str|let {name}) =(.*?);\n")).unwrap();
        let texts: Vec<_> = made
            .captures_iter(self.file(file))
            .flat_map(|found| literals(found.get(1).unwrap().as_str()))
            .collect();
        if texts.is_empty() {
            return Err(format!("crates/{file}: which words can `{expression}` be? Say it in ELSEWHERE"));
        }
        Ok(Value::Texts(texts))
    }

    /// The status of `ErrorKind::…`.
    fn status_of_kind(&self, kind: &str) -> u16 {
        static CONSTANT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"StatusCode::[A-Z_]+").unwrap());
        let body = self.body("core/src/problem.rs", "status");
        let named = Regex::new(&format!(r"ErrorKind::{kind}\b")).unwrap();
        let at = named.find(body).unwrap_or_else(|| panic!("no status for {kind}")).end();
        CONSTANT.find(&body[at..]).and_then(|found| status(found.as_str())).expect("a status")
    }

    /// The words that stand elsewhere, with the status of each where it is known there.
    pub(super) fn words(&self, words: Words) -> Vec<(String, Option<u16>)> {
        let plain = |texts: Vec<String>| texts.into_iter().map(|text| (text, None)).collect();
        match words {
            Words::Made => Vec::new(),
            Words::Violations => {
                static ROW: LazyLock<Regex> =
                    LazyLock::new(|| Regex::new(r#"\b[A-Z][A-Z0-9_]* = (\d{3}), "([a-z0-9_]+)""#).unwrap());
                let file = self.file("http1/src/violation.rs");
                let rows = file.split("\nviolations! {").nth(1).expect("the macro that makes them");
                let rows: Vec<_> = ROW.captures_iter(rows).collect();
                assert_eq!(
                    rows.len(),
                    file.matches(" = 4").count() + file.matches(" = 5").count(),
                    "a row each"
                );
                // What an endpoint does wrong is the cause of an `error:protocol`.
                let of_clients = rows.iter().filter(|row| &row[1] != "502");
                of_clients.map(|row| (row[2].to_owned(), row[1].parse().ok())).collect()
            }
            Words::Kinds => {
                static ARM: LazyLock<Regex> =
                    LazyLock::new(|| Regex::new(r#"Self::(\w+) => "([a-z_]+)""#).unwrap());
                let arms = ARM.captures_iter(self.body("core/src/error.rs", "as_str"));
                arms.map(|arm| (arm[2].to_owned(), Some(self.status_of_kind(&arm[1])))).collect()
            }
            Words::Arms(file, function) => plain(literals(self.body(file, function))),
            Words::Arm(file, function, variant) => {
                let body = self.body(file, function);
                let (_, arm) = body.split_once(&format!("::{variant} =>")).expect("an arm");
                plain(literals(arm.split(",\n").next().unwrap_or_default()))
            }
            Words::Errors(file) => {
                static ERROR: LazyLock<Regex> = LazyLock::new(|| {
                    Regex::new(r#"(?:Err|ok_or|Refused)\("([a-z0-9_]+)"\)|"([a-z0-9]+(?:_[a-z0-9]+)+)""#)
                        .unwrap()
                });
                let found = ERROR.captures_iter(self.file(file));
                plain(
                    found
                        .map(|found| found.iter().skip(1).flatten().next().unwrap().as_str().to_owned())
                        .collect(),
                )
            }
        }
    }
}

/// What an expression can be.
pub(super) enum Value {
    Texts(Vec<String>),
    Elsewhere(Words),
}

fn walk(folder: &Path, take: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), take);
        } else {
            take(&entry.path());
        }
    }
}

/// The texts in a piece of code.
fn literals(code: &str) -> Vec<String> {
    static TEXT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""([^"\\]*)""#).unwrap());
    TEXT.captures_iter(code).map(|found| found[1].to_owned()).collect()
}

/// The arguments of a call, whose opening parenthesis has been read.
fn arguments(code: &str) -> Vec<String> {
    let (mut all, mut next) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for char in code.chars() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(std::mem::take(&mut next).trim().to_owned());
                continue;
            }
            _ => {}
        }
        next.push(char);
    }
    if !next.trim().is_empty() {
        all.push(next.trim().to_owned());
    }
    all
}

/// `StatusCode::BAD_REQUEST` as a number.
pub(super) fn status(constant: &str) -> Option<u16> {
    let name = constant.strip_prefix("StatusCode::").or_else(|| constant.strip_prefix("http::StatusCode::"))?;
    (100..600).find(|code| {
        let reason = StatusCode::from_u16(*code).ok().and_then(|status| status.canonical_reason());
        reason.is_some_and(|reason| reason.to_uppercase().replace([' ', '-'], "_") == name)
    })
}

#[test]
fn arguments_are_told_apart() {
    for (code, expected) in [
        ("StatusCode::OK, NAME, \"a\").detail(x)", &["StatusCode::OK", "NAME", "\"a\""][..]),
        ("\n  f(a, b),\n  [c, d],\n)", &["f(a, b)", "[c, d]"]),
        ("\"a, (b\", \"\\\"c\")", &["\"a, (b\"", "\"\\\"c\""]),
        ("by: \"client\", reason: \"gone\" };", &["by: \"client\"", "reason: \"gone\""]),
        (")", &[]),
    ] {
        assert_eq!(arguments(code), expected, "{code}");
    }
    assert_eq!((status("StatusCode::LOOP_DETECTED"), status("code")), (Some(508), None));
}
