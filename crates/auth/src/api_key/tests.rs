use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use gatewright_core::Quota;
use http::{HeaderName, HeaderValue, Request, request::Parts};

use super::*;
use crate::{Attempt, Authenticate, Cause, Clock, Outcome};

fn request(uri: &str, key: Option<&str>) -> Parts {
    let mut request = Request::get(uri);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    request.body(()).expect("valid").into_parts().0
}

/// The principal's id, or why there is none.
fn ask(keys: &ApiKeys, request: &Parts) -> Result<String, String> {
    match keys.authenticate(request) {
        Attempt::Now(Outcome::Authenticated(identity)) => Ok(identity.principal().id().to_owned()),
        Attempt::Now(Outcome::Refused(refusal)) => Err(refusal.reason().to_owned()),
        Attempt::Now(Outcome::NoCredential) => Err("nothing".to_owned()),
        other => panic!("{other:?}"),
    }
}

fn reason(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

fn new(name: &str) -> NewApiKey {
    NewApiKey::builder(name).generate().expect("a key")
}

#[test]
fn a_key_says_who_calls_and_what_it_is_good_for() {
    let key = NewApiKey::builder("acme-2027").owner("acme").scope("payments:write").limit("5/s");
    let key = key.generate().expect("a key");
    let owner_header = HeaderName::from_static("x-partner");
    let keys = ApiKeys::from_yaml(key.entry()).owner_header(owner_header.clone()).build().expect("is right");
    let Attempt::Now(Outcome::Authenticated(identity)) = keys.authenticate(&request("/", Some(key.secret())))
    else {
        panic!("the key is good");
    };
    let principal = identity.principal();
    assert_eq!(
        (principal.id(), principal.method(), principal.credential()),
        ("acme", "api_key", Some("acme-2027"))
    );
    assert!(principal.has_scope("payments:write") && principal.quotas() == [Quota::per_second(5)]);
    assert_eq!(identity.header_fields(), [(owner_header, HeaderValue::from_static("acme"))]);
}

#[test]
fn keys_that_have_ended_are_told_of_in_the_order_of_their_ends() {
    let key = |name: &str, end: &str, more: &str| {
        let key = NewApiKey::builder(name).expires(end).generate().expect("a key");
        format!("{}  {more}\n", key.entry())
    };
    let text = [
        key("later", "2027-06-30T00:00:01Z", ""),
        key("good", "2027-07-01", ""),
        key("earlier", "2026-11-26", ""),
        key("off", "2026-11-26", "disabled: true"),
    ];
    let clock = Clock::from_fn(|| UNIX_EPOCH + Duration::from_secs(1_814_400_000));
    let keys = ApiKeys::from_yaml(text.concat()).clock(clock).build().expect("is right");
    assert_eq!(keys.doubts(), ["the key `earlier` ended on 2026-11-26", "the key `later` ended on 2027-06-30"]);
}

#[test]
fn what_is_no_good_key_is_refused_with_its_reason() {
    let (good, off) = (new("good"), NewApiKey::builder("off").disabled().generate().expect("a key"));
    let ending = NewApiKey::builder("ending").expires("2027-06-30T12:00:00Z").generate().expect("a key");
    let text = format!("{}{}{}", good.entry(), off.entry(), ending.entry());
    let at = |seconds| {
        let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds));
        ApiKeys::from_yaml(&*text).query("key").header(HeaderName::from_static("x-api-key")).clock(clock)
    };
    let (before, after) =
        (at(1_814_356_799).build().expect("right"), at(1_814_356_800).build().expect("right"));
    let short = &good.secret()[..45];
    let long = "k".repeat(513);
    for (uri, key, expected) in [
        ("/", Some(good.secret()), Ok("good".to_owned())),
        ("/", Some(ending.secret()), reason("key_expired")),
        ("/", Some(off.secret()), reason("key_disabled")),
        ("/", Some(short), reason("unknown_key")),
        ("/", Some("gw_"), reason("unknown_key")),
        ("/", Some(""), reason("malformed_key")),
        ("/", Some(&*long), reason("malformed_key")),
        ("/?key=x", Some(good.secret()), reason("several_keys")),
        ("/", None, reason("nothing")),
        // A hash of the file is no key.
        ("/", good.entry().split("hash: ").nth(1).map(str::trim), reason("unknown_key")),
    ] {
        assert_eq!(ask(&after, &request(uri, key)), expected, "{uri} {key:?}");
    }
    assert_eq!(ask(&before, &request("/", Some(ending.secret()))), Ok("ending".to_owned()));
    let uri = format!("/?key={}", good.secret());
    assert_eq!(ask(&before, &request(&uri, None)), Ok("good".to_owned()));
}

#[test]
fn a_pepper_belongs_to_the_hashes_that_were_made_with_it() {
    let pepper = b"an example of 16+";
    let key = NewApiKey::builder("a").pepper(pepper).generate().expect("a key");
    let keys = ApiKeys::from_yaml(key.entry()).pepper(*pepper).build().expect("is right");
    assert_eq!(ask(&keys, &request("/", Some(key.secret()))), Ok("a".to_owned()));
    let other = ApiKeys::from_yaml(key.entry()).pepper(*b"another one of 16").build().expect("is right");
    assert_eq!(ask(&other, &request("/", Some(key.secret()))), reason("unknown_key"));
    assert!(ApiKeys::from_yaml(key.entry()).build().is_err());
    assert!(ApiKeys::from_yaml(new("b").entry()).pepper(*pepper).build().is_err());
    let short = ApiKeys::from_yaml("[]").pepper(*b"too short").build().expect_err("is short");
    assert_eq!(short.to_string(), "a pepper has 16 octets at least");
    assert!(!format!("{:?}", ApiKeys::from_yaml(key.entry()).pepper(*pepper)).contains("example"));
}

#[test]
fn keys_are_removed_wherever_they_stand_and_the_owner_s_field_is_ours() {
    let keys = ApiKeys::from_yaml("[]")
        .header(HeaderName::from_static("x-api-key"))
        .query("key")
        .owner_header(HeaderName::from_static("x-partner"))
        .build()
        .expect("is right");
    let mut request = request("/a?key=k&b=1", Some("k"));
    request.headers.append("x_api_key", HeaderValue::from_static("forged"));
    assert_eq!(keys.header_names(), [HeaderName::from_static("x-partner")]);
    keys.remove_credentials(&mut request);
    assert_eq!(request.uri, "/a?b=1");
    assert!(request.headers.is_empty(), "{:?}", request.headers);
    let challenges = keys.challenges(Cause::NoCredential);
    let texts: Vec<_> = challenges.iter().map(ToString::to_string).collect();
    assert_eq!(texts, [r#"ApiKey in="header", name="x-api-key""#]);
}

#[test]
fn what_is_wrong_with_a_file_is_told_and_names_it() {
    let missing = ApiKeys::from_file("/nonexistent/keys.yaml").build().expect_err("is missing");
    assert_eq!(missing.to_string(), "cannot read /nonexistent/keys.yaml: entity not found");
    assert!(missing.content().is_none());
    let file = File::new("wrong", "- name: a\n");
    let wrong = ApiKeys::from_file(&file.0).build().expect_err("is wrong");
    assert_eq!(wrong.to_string(), format!("{} cannot be used", file.0.display()));
    assert_eq!(wrong.content().expect("of the content").problems()[0].message(), "this key has no `hash`");
}

/// A keys file that is removed when the test ends.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-keys-{name}-{}", std::process::id()));
        fs::write(&path, text).expect("writes");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_file_is_replaced_under_load_and_no_good_key_is_refused() {
    let (stays, goes, comes) = (new("stays"), new("goes"), new("comes"));
    let (first, second) =
        (format!("{}{}", stays.entry(), goes.entry()), format!("{}{}", comes.entry(), stays.entry()));
    let file = File::new("reload", &first);
    let keys = Arc::new(ApiKeys::from_file(&file.0).build().expect("is right"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (keys, stop, key) = (Arc::clone(&keys), Arc::clone(&stop), stays.secret().to_owned());
            std::thread::spawn(move || {
                let request = request("/", Some(&key));
                let mut asked = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    assert_eq!(ask(&keys, &request), Ok("stays".to_owned()));
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    };
    let answer = |key: &NewApiKey| ask(&keys, &request("/", Some(key.secret())));
    fs::write(&file.0, &second).expect("writes");
    until("the new file is taken", &|| answer(&comes).is_ok());
    assert_eq!(answer(&goes), reason("unknown_key"));
    // A file that is wrong changes nothing, however much of it is right.
    fs::write(&file.0, format!("{first}- name: broken\n")).expect("writes");
    until("the broken file is refused", &|| keys.status().is_some_and(|status| status.refused == 1));
    assert_eq!((answer(&comes), answer(&goes)), (Ok("comes".to_owned()), reason("unknown_key")));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        assert!(caller.join().expect("no good key was refused") > 0);
    }
}

#[test]
fn keys_in_the_place_of_bearer_tokens_are_asked_for_as_those_are() {
    let keys = ApiKeys::from_yaml("[]").header(http::header::AUTHORIZATION).build().expect("is right");
    let texts: Vec<_> = keys.challenges(Cause::NoCredential).iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["Bearer"]);
}

#[test]
fn it_is_known_whether_some_key_has_limits_of_its_own() {
    let limited = NewApiKey::builder("limited").limit("100/min").generate().expect("a key");
    let some = |entries: &[&NewApiKey]| {
        let text: String = entries.iter().map(|key| key.entry()).collect();
        ApiKeys::from_yaml(text).build().expect("is right").limits_some()
    };
    assert!(!some(&[&new("a"), &new("b")]));
    assert!(some(&[&new("a"), &limited]));
}
