//! The tables, the reader and the schema say the same.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::{
    Key, Relation, Section, Shape,
    json::json as to_json,
    prose,
    reference::sections,
    schema::{parse, schema},
};
use crate::{
    Config,
    diagnostics::{Diagnostic, Source},
    read::Reader,
    settings::{GATEWAY, Settings},
    syntax,
};

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&schema()).expect("JSON");
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::validator_for(&schema).expect("a schema")
}

fn example(key: &Key) -> Value {
    to_json(&parse(key.example))
}

fn smallest(section: &Section) -> Value {
    to_json(&parse(section.smallest))
}

fn key_of(section: &Section, name: &str) -> &'static Key {
    section.key(name).unwrap_or_else(|| panic!("`{name}` is a key"))
}

fn remove(map: &mut Value, name: &str) {
    map.as_object_mut().expect("a map").remove(name);
}

/// The smallest map of a section with this key in it, without those that cannot stand beside it and with those that it needs.
fn with(section: &Section, key: &str, value: Value) -> Value {
    let mut map = smallest(section);
    for rule in section.rules {
        match rule.relation {
            Relation::ExactlyOne(keys) | Relation::AtMostOne(keys) if keys.contains(&key) => {
                keys.iter().for_each(|other| remove(&mut map, other));
            }
            Relation::Excludes(one, others) if one == key => {
                others.iter().for_each(|other| remove(&mut map, other))
            }
            Relation::Excludes(one, others) if others.contains(&key) => remove(&mut map, one),
            _ => {}
        }
    }
    for rule in section.rules {
        match rule.relation {
            Relation::Together(one, other) if one == key => map[other] = example(key_of(section, other)),
            Relation::Together(one, other) if other == key => map[one] = example(key_of(section, one)),
            // What stands alone now has lost the one that it goes with.
            Relation::Together(one, other) if map.get(one).is_none() => remove(&mut map, other),
            Relation::Needs(one, other) | Relation::NeedsUnlessOff(one, other) if one == key => {
                map[other] = example(key_of(section, other));
            }
            _ => {}
        }
    }
    map[key] = value;
    map
}

/// A whole file that holds this map of a section.
fn around(section: &Section, map: Value) -> Value {
    if section.name == GATEWAY.name {
        return map;
    }
    let holds = |key: &Key| key.shape.sections().iter().any(|inner| inner.name == section.name);
    let parents = sections();
    let (parent, key) = parents
        .iter()
        .find_map(|parent| Some((parent, parent.keys().find(|key| holds(key))?)))
        .unwrap_or_else(|| panic!("{} stands somewhere", section.title));
    let value = wrap(key.shape, section, map);
    around(parent, with(parent, key.name, value))
}

fn wrap(shape: Shape, section: &Section, map: Value) -> Value {
    match shape {
        Shape::List(item) | Shape::Items(item) => json!([wrap(*item, section, map)]),
        Shape::Named(_, item) => json!({"x-some": wrap(*item, section, map)}),
        Shape::Any(shapes) => {
            let holds = |shape: &&Shape| shape.sections().iter().any(|inner| inner.name == section.name);
            wrap(*shapes.iter().find(holds).expect("the one that holds it"), section, map)
        }
        _ => map,
    }
}

/// What is wrong with the shape of a file, by the reader: not which names lead somewhere, or what a regular expression holds.
fn errors(file: &Value) -> Vec<Diagnostic> {
    let source = Source::new("gateway.yaml", file.to_string());
    let mut reader = Reader::new(&source);
    if let Some(root) = syntax::parse(&source, reader.problems()) {
        let _ = Settings::read(&root, &mut reader);
    }
    shape_errors(&reader.finish().0)
}

fn shape_errors(problems: &[Diagnostic]) -> Vec<Diagnostic> {
    let other = [
        "there is no upstream",
        "there is no limit",
        "there is no authenticator",
        "there is no listener",
        "the limit `GET` is there twice",
        "is not a regular expression",
        "cannot read",
        "leads back to this gateway",
        "other machines can reach the admin",
        "the admin has the port of a listener",
        "the `format` is not valid",
    ];
    let is_shape = |problem: &&Diagnostic| {
        problem.severity() == crate::Severity::Error
            && !other.iter().any(|text| problem.message().contains(text))
    };
    problems.iter().filter(is_shape).cloned().collect()
}

/// Every section with each of its keys.
fn keys() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    sections().into_iter().flat_map(|section| section.keys().map(move |key| (section, key)))
}

/// A folder with the files that the examples name.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let write = |name: &str, text: String| fs::write(path.join(name), text).expect("a file");
        for name in ["api", "www", "gw", "internal", "partners", "collector-ca"] {
            let made =
                rcgen::generate_simple_self_signed(vec![format!("{name}.example")]).expect("a certificate");
            write(&format!("{name}.pem"), made.cert.pem());
            write(&format!("{name}.key"), made.signing_key.serialize_pem());
        }
        let mut params = rcgen::CertificateParams::new(vec!["partners.example".to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
        let issuer = rcgen::Issuer::new(params, rcgen::KeyPair::generate().expect("a key"));
        let crl = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(2100, 1, 1),
            crl_number: rcgen::SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        write(
            "jwks.json",
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#.to_owned(),
        );
        write(
            "issuer.pem",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n"
                .to_owned(),
        );
        // Keys are made with a pepper or without one, and this is right for both.
        write("keys.yaml", "[]\n".to_owned());
        write(
            "users.htpasswd",
            "anna:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n".to_owned(),
        );
        for name in ["jwt.secret", "key.pepper", "introspect.secret", "otlp.token"] {
            write(name, format!("{}\n", "s3cret".repeat(8)));
        }
        let audit = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        write("audit-key.pem", audit.serialize_pem());
        write("partners.txt", "192.0.2.0/24 # the office\n".to_owned());
        write("partners.crl", crl.signed_by(&issuer).and_then(|crl| crl.pem()).expect("a list"));
        Self(path)
    }

    /// What is wrong with a shape by the whole check, which looks at hosts and certificates too.
    fn errors(&self, file: &Value) -> Vec<Diagnostic> {
        match Config::parse(self.0.join("gateway.yaml"), file.to_string()) {
            Ok(_) => Vec::new(),
            Err(errors) => shape_errors(&errors.iter().cloned().collect::<Vec<_>>()),
        }
    }

    /// The names that examples use are given to the file, and what certificates need.
    fn check(&self, what: &str, file: &Value) {
        let mut file = file.clone();
        if file.get("listeners").is_none() && file.get("listen").is_none() {
            file["listeners"] = json!([{"address": "127.0.0.1:8080", "name": "public"}]);
        }
        if file.get("limits").is_none() {
            file["limits"] = json!({"per_user": "100/min"});
        }
        if file.get("auth").is_none() {
            let jwt = json!({"issuer": "i", "audiences": "api", "jwks_file": "jwks.json"});
            file["auth"] = json!({
                "app": {"jwt": jwt},
                "partner": {"api_key": {"keys_file": "keys.yaml"}},
            });
            if file["routes"]
                .as_array()
                .is_some_and(|routes| routes.iter().all(|route| route.get("auth").is_none()))
            {
                file["defaults"]["auth"] = file["defaults"].get("auth").cloned().unwrap_or(json!("app"));
            }
        } else {
            file["defaults"]["auth"] = json!("none");
        }
        if file["auth"].to_string().contains("mtls") {
            let tls = json!({"cert": "api.pem", "key": "api.key", "client_ca": "partners.pem"});
            file["listeners"] = json!([{"address": "127.0.0.1:8443", "tls": tls}]);
        }
        if let Err(errors) = Config::parse(self.0.join("gateway.yaml"), file.to_string()) {
            panic!("{what}:\n{errors}");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_example_is_taken_by_the_reader_and_by_the_schema() {
    let (folder, validator) = (Folder::new("examples"), validator());
    for section in sections() {
        let file = around(section, smallest(section));
        folder.check(section.title, &file);
        assert!(validator.is_valid(&file), "{}: {file:#}", section.title);
    }
    for (section, key) in keys() {
        let file = around(section, with(section, key.name, example(key)));
        folder.check(&format!("`{}` of {}", key.name, section.title), &file);
        let wrong: Vec<_> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "`{}` of {}: {wrong:#?}\n{file:#}", key.name, section.title);
    }
}

#[test]
fn every_key_says_what_it_is() {
    for section in sections() {
        assert!(prose(section.about).ends_with('.'), "{}", section.title);
        assert!(!section.names().any(|name| section.later.contains(&name)), "{}", section.title);
        for (_, name) in section.aliases {
            let known = section.known(name).is_some() || section.later.contains(name);
            assert!(known, "the alias `{name}` in {}", section.title);
        }
    }
    for (section, key) in keys() {
        let name = format!("`{}` of {}", key.name, section.title);
        let about = prose(key.about);
        assert!(about.ends_with('.') && about.len() > 8, "{name}: {about}");
        assert!(!key.absent.is_some_and(|absent| absent.ends_with('.')), "{name}");
        assert!(!key.example.is_empty(), "{name}");
    }
}

/// A table that the schema does not reach would be read and not be told of.
#[test]
fn every_table_is_part_of_the_schema() {
    fn tables(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
        let of = |path: PathBuf| match path.is_dir() {
            true => tables(&path),
            false => fs::read_to_string(&path).expect("a file").matches(" title: \"").count(),
        };
        entries.map(of).sum()
    }
    let tables = tables(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/settings"));
    assert_eq!(tables, sections().len());
    assert!(tables > 15);
}

#[test]
fn every_key_of_the_schema_is_read_and_nonsense_is_refused_at_its_place() {
    const NONSENSE: &str = "[[[]]]";
    let validator = validator();
    for (section, key) in keys() {
        let file = around(section, with(section, key.name, json!([[[]]])));
        let text = file.to_string();
        let start = text.find(NONSENSE).expect("the nonsense");
        let range = start..start + NONSENSE.len();
        let found = errors(&file);
        let there =
            found.iter().filter_map(Diagnostic::place).any(|place| range.contains(&place.bytes().start));
        assert!(there, "`{}` of {}: {found:#?}", key.name, section.title);
        assert!(!validator.is_valid(&file), "`{}` of {}", key.name, section.title);
    }
}

#[test]
fn unknown_keys_and_those_of_later_versions_are_refused_by_both() {
    let validator = validator();
    for section in sections() {
        for name in section.later.iter().chain(&["frobnicate"]) {
            let mut map = smallest(section);
            map[*name] = json!(1);
            let file = around(section, map);
            assert!(!errors(&file).is_empty(), "`{name}` in {}", section.title);
            assert!(!validator.is_valid(&file), "`{name}` in {}", section.title);
        }
    }
}

#[test]
fn what_does_not_go_together_is_refused_by_both() {
    let validator = validator();
    let mut tried = 0;
    for section in sections() {
        let all = |keys: &[&str]| {
            let mut map = smallest(section);
            keys.iter().for_each(|key| map[*key] = example(key_of(section, key)));
            map
        };
        let without = |mut map: Value, keys: &[&str]| {
            keys.iter().for_each(|key| remove(&mut map, key));
            map
        };
        let pairs = |keys: &'static [&'static str]| {
            keys.iter()
                .enumerate()
                .flat_map(move |(index, one)| keys[index + 1..].iter().map(move |two| [*one, *two]))
        };
        let required = section.keys().filter(|key| key.is_required);
        let mut wrong: Vec<_> = required.map(|key| without(smallest(section), &[key.name])).collect();
        for rule in section.rules {
            match rule.relation {
                Relation::AtLeastOne(keys) => wrong.push(without(smallest(section), keys)),
                Relation::ExactlyOne(keys) => {
                    wrong.push(without(smallest(section), keys));
                    wrong.extend(pairs(keys).map(|pair| all(&pair)));
                }
                Relation::AtMostOne(keys) => wrong.extend(pairs(keys).map(|pair| all(&pair))),
                Relation::Needs(key, other) => wrong.push(without(all(&[key]), &[other])),
                Relation::Together(one, other) => {
                    wrong.push(without(all(&[one]), &[other]));
                    wrong.push(without(all(&[other]), &[one]));
                }
                Relation::NeedsUnlessOff(key, other) => {
                    wrong.push(without(all(&[key]), &[other]));
                    let mut off = smallest(section);
                    off[key] = json!("off");
                    let file = around(section, off);
                    assert!(errors(&file).is_empty() && validator.is_valid(&file), "{file}");
                }
                Relation::Excludes(key, others) => {
                    let base = with(section, key, example(key_of(section, key)));
                    wrong.extend(others.iter().map(|other| {
                        let mut map = base.clone();
                        map[*other] = example(key_of(section, other));
                        map
                    }));
                }
            }
        }
        for map in wrong {
            let file = around(section, map);
            assert!(!errors(&file).is_empty(), "the reader takes {file}");
            assert!(!validator.is_valid(&file), "the schema takes {file}");
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}

/// The first and the last number that a shape takes, and the next ones beyond.
fn bounds(shape: Shape) -> Vec<Value> {
    match shape {
        Shape::Number(least, most) => [least - 1, least, most, most + 1].map(|number| json!(number)).into(),
        Shape::Any(shapes) => shapes.iter().flat_map(|shape| bounds(*shape)).collect(),
        _ => Vec::new(),
    }
}

/// Values of every kind, each tried for every key.
fn values() -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(false),
        json!("on"),
        json!("off"),
        json!("yes"),
        json!("no"),
        json!(-1),
        json!(0),
        json!(1),
        json!(7),
        json!(100),
        json!(101),
        json!(503),
        json!(65_535),
        json!(65_536),
        json!(2_000_000),
        json!(99_999_999_999_i64),
        json!(1.5),
        json!("10s"),
        json!("1.5h"),
        json!("0s"),
        json!("10 s"),
        json!("10 sec"),
        json!("64KiB"),
        json!("0B"),
        json!("10kb"),
        json!("GET"),
        json!("get"),
        json!("x-header"),
        json!("two words"),
        json!("/path"),
        json!("path/"),
        json!("/path?query"),
        json!("$1"),
        json!("host:80"),
        json!("host:0"),
        json!("host"),
        json!("http://host:80"),
        json!("10.0.0.1:80"),
        json!("10.0.0.0/8"),
        json!("[::1]:80"),
        json!("::1"),
        json!([]),
        json!([[]]),
        json!({}),
        json!({"a": "b"}),
        json!({"a": 1}),
        json!({"a": {"exact": "b"}}),
        json!({"a b": "c"}),
        json!({"a:b": {"target": "c:80"}}),
    ];
    values.extend(keys().map(|(_, key)| example(key)));
    values.extend(keys().flat_map(|(_, key)| bounds(key.shape)));
    values.extend(sections().into_iter().map(smallest));
    let scalars = values.iter().filter(|value| !value.is_array() && !value.is_object());
    let lists: Vec<_> = scalars.flat_map(|value| [json!([value]), json!(["GET", value])]).collect();
    values.extend(lists);
    let mut seen = std::collections::BTreeSet::new();
    values.retain(|value| seen.insert(value.to_string()));
    values
}

#[test]
fn reader_and_schema_take_and_refuse_the_same_values() {
    let (folder, validator) = (Folder::new("values"), validator());
    let mut different = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    let values = values();
    for (section, key) in keys() {
        // The file around the value is made once a key.
        let frame = around(section, with(section, key.name, json!("VALUE"))).to_string();
        for value in &values {
            let text = frame.replacen("\"VALUE\"", &value.to_string(), 1);
            let file = serde_json::from_str(&text).expect("JSON");
            let (mut read, valid) = (errors(&file), validator.is_valid(&file));
            if read.is_empty() && !valid {
                read = folder.errors(&file);
            }
            if read.is_empty() != valid {
                let by = if valid { "the schema" } else { "the reader" };
                different.push(format!("`{}` of {}: only {by} takes {value}", key.name, section.title));
            }
            if valid { taken += 1 } else { refused += 1 }
        }
    }
    assert!(different.is_empty(), "{} differences:\n{}", different.len(), different.join("\n"));
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}
