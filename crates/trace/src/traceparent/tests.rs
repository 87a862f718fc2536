//! A table of Trace Context, levels 1 and 2: what a request brings, and what it carries on.

use http::HeaderValue;

use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// What becomes of a request's trace context.
#[derive(Debug, PartialEq)]
enum Fate {
    /// The trace goes on with these flags and this list.
    Goes(&'static str, Option<String>),
    /// A new trace begins, without a list.
    Begins,
}

use Fate::{Begins, Goes};

struct Case {
    name: &'static str,
    brought: Vec<(&'static str, String)>,
    trusted: bool,
    fate: Fate,
}

/// Settles the headers, checks what holds always, and says what became of the context.
fn settled(case: &Case) -> (String, Option<String>, Settled) {
    let Case { name, brought, trusted, .. } = case;
    let mut headers = HeaderMap::new();
    for (field, value) in brought {
        let field = HeaderName::from_bytes(field.as_bytes()).expect("a field name");
        headers.append(field, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
    }
    let settled = settle(&mut headers, *trusted, || false);
    let carried = headers[TRACEPARENT].to_str().expect("text").to_owned();
    assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1, "{name}");
    assert!(Traceparent::parse(carried.as_bytes()).is_some(), "{name}: {carried} is valid");
    assert_eq!(settled.span.traceparent(), carried, "{name}: the span is the one that is carried");
    assert!(!carried.contains(PARENT), "{name}: the parent is the gateway, not its caller");
    let lines: Vec<_> = headers.get_all(TRACESTATE).iter().map(|line| line.to_str().expect("text")).collect();
    (carried, (!lines.is_empty()).then(|| lines.join("|")), settled)
}

fn check(case: &Case) {
    let Case { name, trusted, fate, .. } = case;
    let (carried, state, Settled { span, replaced }) = settled(case);
    match fate {
        Goes(flags, list) => {
            assert!(carried.starts_with(&format!("00-{TRACE}-")), "{name}: the trace id stays: {carried}");
            assert!(carried.ends_with(&format!("-{flags}")), "{name}: the flags are {flags}: {carried}");
            assert_eq!(state, *list, "{name}");
            assert_eq!(span.parent_id(), u64::from_str_radix(PARENT, 16).ok(), "{name}");
            assert!(replaced.is_none(), "{name}");
        }
        Begins => {
            assert!(!carried.contains(TRACE), "{name}: the trace is a new one: {carried}");
            assert!(carried.ends_with("-02"), "{name}: the id of a new trace is random: {carried}");
            assert_eq!((state, span.parent_id()), (None, None), "{name}");
            assert!(replaced.is_none() || !trusted, "{name}");
        }
    }
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A trusted request with this `traceparent`, and a list.
fn trusted(name: &'static str, traceparent: &str, fate: Fate) -> Case {
    let list = ("tracestate", "vendor=1".to_owned());
    Case { name, brought: vec![("traceparent", traceparent.to_owned()), list], trusted: true, fate }
}

/// A trusted request with a valid `traceparent` and these lines of `tracestate`.
fn state(name: &'static str, lines: &[&str], carried: Option<&str>) -> Case {
    let lines = lines.iter().map(|line| ("tracestate", (*line).to_owned()));
    let brought = [("traceparent", parent("01"))].into_iter().chain(lines).collect();
    Case { name, brought, trusted: true, fate: Goes("01", carried.map(str::to_owned)) }
}

fn goes(flags: &'static str) -> Fate {
    Goes(flags, Some("vendor=1".to_owned()))
}

#[test]
fn flags_of_levels_1_and_2_go_on_and_others_are_cleared() {
    for (name, flags, carried) in [
        ("not sampled", "00", "00"),
        ("sampled", "01", "01"),
        ("random, of level 2", "02", "02"),
        ("sampled and random", "03", "03"),
        ("one that nobody knows", "04", "00"),
        ("all", "ff", "03"),
        ("all that nobody knows", "fc", "00"),
        ("sampled among unknown ones", "f9", "01"),
    ] {
        check(&trusted(name, &parent(flags), goes(carried)));
    }
}

#[test]
fn versions_to_come_are_read_as_far_as_they_are_known() {
    for (name, text, fate) in [
        ("01, as long as ours", format!("01-{TRACE}-{PARENT}-01"), goes("01")),
        ("01, with a dash after it", format!("01-{TRACE}-{PARENT}-01-"), goes("01")),
        ("cc, as long as ours", format!("cc-{TRACE}-{PARENT}-01"), goes("01")),
        ("cc, longer after a dash", format!("cc-{TRACE}-{PARENT}-01-what-will-be"), goes("01")),
        ("fe, the last one", format!("fe-{TRACE}-{PARENT}-01"), goes("01")),
        ("its flags are ours", format!("cc-{TRACE}-{PARENT}-f2-x"), goes("02")),
        ("cc, longer without a dash", format!("cc-{TRACE}-{PARENT}-01what"), Begins),
        ("cc, longer after a dot", format!("cc-{TRACE}-{PARENT}-01.what"), Begins),
        ("cc, shorter", format!("cc-{TRACE}-{PARENT}"), Begins),
        ("cc, all zero", format!("cc-{}-{PARENT}-01", "0".repeat(32)), Begins),
        ("ff is none", format!("ff-{TRACE}-{PARENT}-01"), Begins),
        ("ff with more", format!("ff-{TRACE}-{PARENT}-01-x"), Begins),
        ("00 has no more", format!("00-{TRACE}-{PARENT}-01-"), Begins),
        ("00 has nothing after a dash", format!("00-{TRACE}-{PARENT}-01-what"), Begins),
        ("00 ends there", format!("00-{TRACE}-{PARENT}-01."), Begins),
        ("one digit", format!("0-{TRACE}-{PARENT}-01"), Begins),
        ("three digits", format!("000-{TRACE}-{PARENT}-01"), Begins),
        ("no digit first", format!(".0-{TRACE}-{PARENT}-01"), Begins),
        ("no digit second", format!("0.-{TRACE}-{PARENT}-01"), Begins),
        ("upper case", format!("FE-{TRACE}-{PARENT}-01"), Begins),
        ("none", format!("-{TRACE}-{PARENT}-01"), Begins),
    ] {
        check(&trusted(name, &text, fate));
    }
}

#[test]
fn ids_and_flags_are_of_one_length_and_lower_case() {
    let (zeroes, upper) = ("0".repeat(32), TRACE.to_uppercase());
    for (name, text) in [
        ("empty", String::new()),
        ("only a version", "00".to_owned()),
        ("no hex at all", "garbage".to_owned()),
        ("trace id all zero", format!("00-{zeroes}-{PARENT}-01")),
        ("trace id in upper case", format!("00-{upper}-{PARENT}-01")),
        ("trace id too short", format!("00-{}-{PARENT}-01", &TRACE[1..])),
        ("trace id too long", format!("00-{TRACE}6-{PARENT}-01")),
        ("trace id of 16 digits", format!("00-{}-{PARENT}-01", &TRACE[16..])),
        ("trace id with a dot first", format!("00-.{}-{PARENT}-01", &TRACE[1..])),
        ("trace id with a dot last", format!("00-{}.-{PARENT}-01", &TRACE[1..])),
        ("trace id with a sign", format!("00-+{}-{PARENT}-01", &TRACE[1..])),
        ("parent id all zero", format!("00-{TRACE}-{}-01", &zeroes[16..])),
        ("parent id in upper case", format!("00-{TRACE}-{}-01", PARENT.to_uppercase())),
        ("parent id too short", format!("00-{TRACE}-{}-01", &PARENT[1..])),
        ("parent id too long", format!("00-{TRACE}-{PARENT}7-01")),
        ("parent id with a dot", format!("00-{TRACE}-.{}-01", &PARENT[1..])),
        ("no parent id", format!("00-{TRACE}-01")),
        ("no flags", format!("00-{TRACE}-{PARENT}")),
        ("no flags after the dash", format!("00-{TRACE}-{PARENT}-")),
        ("flags too short", format!("00-{TRACE}-{PARENT}-1")),
        ("flags too long", format!("00-{TRACE}-{PARENT}-001")),
        ("flags in upper case", format!("00-{TRACE}-{PARENT}-0A")),
        ("flags with a dot first", format!("00-{TRACE}-{PARENT}-.0")),
        ("flags with a dot last", format!("00-{TRACE}-{PARENT}-0.")),
        ("underscores for dashes", format!("00_{TRACE}_{PARENT}_01")),
        ("spaces for dashes", format!("00 {TRACE} {PARENT} 01")),
        ("a list", format!("00-{TRACE}-{PARENT}-01, 00")),
        ("two of them in a list", format!("00-{TRACE}-{PARENT}-01,00-{TRACE}-{PARENT}-01")),
        ("quoted", format!("\"00-{TRACE}-{PARENT}-01\"")),
        ("another text", format!("00-{TRACE}-{PARENT}-h\u{e9}")),
    ] {
        check(&trusted(name, &text, Begins));
    }
    check(&trusted("white space around it", &format!(" \t{} ", parent("01")), goes("01")));
}

#[test]
fn the_field_stands_there_once_and_under_its_name() {
    let list = || ("tracestate", "a=1".to_owned());
    let other = format!("00-{}-{PARENT}-01", "1".repeat(32));
    for (name, brought, fate) in [
        ("nothing", vec![], Begins),
        ("a list alone", vec![list()], Begins),
        ("twice the same", vec![("traceparent", parent("01")), ("traceparent", parent("01")), list()], Begins),
        ("two different ones", vec![("traceparent", parent("01")), ("traceparent", other), list()], Begins),
        (
            "a good one and an empty one",
            vec![("traceparent", parent("01")), ("traceparent", "".into())],
            Begins,
        ),
        ("capitals in the name", vec![("TrAcEpArEnT", parent("01"))], Goes("01", None)),
        ("a hyphen in the name", vec![("trace-parent", parent("01"))], Begins),
        ("a dot in the name", vec![("trace.parent", parent("01"))], Begins),
        ("an underscore in the name", vec![("trace_parent", parent("01"))], Begins),
        ("a bang in the name", vec![("traceparent!", parent("01"))], Begins),
        (
            "the list's name in capitals",
            vec![("traceparent", parent("01")), ("TraceState", "a=1".into())],
            Goes("01", Some("a=1".into())),
        ),
        (
            "a hyphen in the list's name",
            vec![("traceparent", parent("01")), ("trace-state", "a=1".into())],
            Goes("01", None),
        ),
    ] {
        check(&Case { name, brought, trusted: true, fate });
    }
}

#[test]
fn a_list_goes_on_as_it_came_or_not_at_all() {
    let members = |count: usize| (1..=count).map(|n| format!("k{n}=1")).collect::<Vec<_>>();
    let (most, too_many) = (members(32).join(","), members(33).join(","));
    let (half, rest) = (members(33)[..16].join(","), members(33)[16..].join(","));
    let key = "k".repeat(256);
    let (longest_key, long_key) = (format!("{key}=1"), format!("{key}k=1"));
    let (longest_value, long_value) = (format!("a={}", "v".repeat(256)), format!("a={}", "v".repeat(257)));
    let vendor = format!("{}@{}=1", "t".repeat(241), "v".repeat(14));
    let (tenant, system) = (format!("{}@v=1", "t".repeat(242)), format!("t@{}=1", "v".repeat(15)));
    let allowed: String = (b' '..=b'~').filter(|byte| !b",=".contains(byte)).map(char::from).collect();
    let allowed = format!("abcxyz0189_-*/@a-z0-9_-*/={allowed}");
    for (name, lines, carried) in [
        ("one member", &["rojo=00f067aa0ba902b7"][..], Some("rojo=00f067aa0ba902b7")),
        ("two members", &["rojo=00f0,congo=t61r"], Some("rojo=00f0,congo=t61r")),
        ("two lines, in order", &["a=1", "b=2"], Some("a=1|b=2")),
        ("an empty line", &["", "b=2"], Some("|b=2")),
        ("nothing but empty lines", &["", " ,"], None),
        ("white space and an empty member", &["a=1 ,\tb=2,,"], Some("a=1 ,\tb=2,,")),
        ("a key that begins with a digit", &["1a=1"], Some("1a=1")),
        ("a key with a vendor", &["1tenant@sys/x*=v al:ue"], Some("1tenant@sys/x*=v al:ue")),
        ("all characters", &[&allowed], Some(&allowed)),
        ("32 members", &[&most], Some(&most)),
        ("the longest key", &[&longest_key], Some(&longest_key)),
        ("the longest value", &[&longest_value], Some(&longest_value)),
        ("the longest key with a vendor", &[&vendor], Some(&vendor)),
        ("33 members", &[&too_many], None),
        ("33 members in two lines", &[&half, &rest], None),
        ("a key twice", &["a=1,a=2"], None),
        ("a key twice, in two lines", &["a=1", "a=1"], None),
        ("a key that is too long", &["foo=1", &long_key], None),
        ("a value that is too long", &["foo=1", &long_value], None),
        ("a tenant that is too long", &["foo=1", &tenant], None),
        ("a vendor that is too long", &["foo=1", &system], None),
        ("no tenant", &["@foo=1,bar=2"], None),
        ("no vendor", &["foo@=1,bar=2"], None),
        ("two at signs together", &["foo@@bar=1,bar=2"], None),
        ("two vendors", &["foo@bar@baz=1,bar=2"], None),
        ("a key in capitals", &["FOO=1"], None),
        ("a key with a space", &["foo =1"], None),
        ("a key with a dot", &["foo.bar=1"], None),
        ("no key", &["=1"], None),
        ("no value", &["a="], None),
        ("no equals sign", &["a"], None),
        ("two equals signs", &["a=1=2"], None),
        ("a tab in the value", &["a=1\t2"], None),
        ("a value that is not ASCII", &["a=h\u{e9}"], None),
        ("a good line and a bad one", &["a=1", "B=2"], None),
    ] {
        check(&state(name, lines, carried));
    }
}

#[test]
fn a_list_of_more_than_512_characters_loses_long_members_first_and_then_the_last() {
    let member = |key: &str, length: usize| format!("{key}={}", "v".repeat(length - key.len() - 1));
    let join = |members: &[&String]| members.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(",");
    let (small, first, second) = (member("s", 20), member("a", 250), member("b", 250));
    let fits = member("c", 240);
    // 250 and 1 and 240 and 1 and 20.
    check(&state("exactly 512", &[&join(&[&first, &fits, &small])], Some(&join(&[&first, &fits, &small]))));
    check(&state("one long one goes", &[&join(&[&first, &second, &small])], Some(&join(&[&first, &small]))));
    check(&state("over lines", &[&first, &second, &small], Some(&join(&[&first, &small]))));
    let shorts: Vec<String> = (10..20).map(|key| member(&format!("k{key}"), 60)).collect();
    let all: Vec<&String> = shorts.iter().collect();
    check(&state("the last ones go", &[&join(&all)], Some(&join(&all[..8]))));
    let longest = format!("{}={}", "k".repeat(256), "v".repeat(256));
    check(&state("nothing is left", &[&longest], None));
}

#[test]
fn a_caller_that_is_not_trusted_is_told_of_and_not_followed() {
    for flags in ["00", "01", "02", "03"] {
        let brought = vec![("traceparent", parent(flags)), ("tracestate", "vendor=1".to_owned())];
        let case = Case { name: "not trusted", brought, trusted: false, fate: Begins };
        check(&case);
        let replaced = settled(&case).2.replaced.expect("its context is known");
        assert_eq!(replaced.traceparent(), parent(flags));
    }
    for text in ["", "garbage", &format!("ff-{TRACE}-{PARENT}-01")] {
        let brought = vec![("traceparent", (*text).to_owned()), ("tracestate", "vendor=1".to_owned())];
        let case = Case { name: "not trusted and not valid", brought, trusted: false, fate: Begins };
        check(&case);
        assert!(settled(&case).2.replaced.is_none());
    }
}

#[test]
fn a_new_trace_is_marked_sampled_when_it_is_and_a_continued_one_keeps_its_mark() {
    let mut headers = HeaderMap::new();
    settle(&mut headers, true, || true);
    assert!(headers[TRACEPARENT].to_str().expect("text").ends_with("-03"));
    headers.insert(TRACEPARENT, HeaderValue::from_str(&parent("00")).expect("a value"));
    settle(&mut headers, true, || panic!("the caller has decided"));
    assert!(headers[TRACEPARENT].to_str().expect("text").ends_with("-00"));
}
