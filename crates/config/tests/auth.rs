//! Who may come to a route: what a file says of it, assembled and asked.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatewright_auth::NewApiKey;
use gatewright_config::{Config, Gateway, Reloaded};
use gatewright_core::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// A folder with a keys file of two keys, which is removed when the test ends.
struct Folder {
    path: PathBuf,
    clerk: NewApiKey,
    guest: NewApiKey,
}

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatewright-auth-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        let clerk = NewApiKey::builder("clerk").scope("orders:write").generate().expect("a key");
        let guest = NewApiKey::builder("guest").generate().expect("a key");
        let folder = Self { path, clerk, guest };
        folder.write("keys.yaml", &(folder.clerk.entry().to_owned() + folder.guest.entry()));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).expect("a file");
    }

    fn config(&self, text: &str) -> Config {
        let text = format!("access_log: off\n{text}");
        Config::parse(self.path.join("gateway.yaml"), text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    fn assemble(&self, text: &str) -> Gateway {
        Gateway::assemble(&self.config(text)).unwrap_or_else(|errors| panic!("{errors}"))
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

async fn ask(gateway: &Gateway, path: &str, fields: &[(&str, &str)]) -> Response<String> {
    let request = Request::get(path).header("host", "x");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response =
        gateway.service().oneshot(request.body(Body::empty()).expect("a request")).await.expect("never fails");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
}

async fn status(gateway: &Gateway, path: &str, key: Option<&NewApiKey>) -> u16 {
    let fields: Vec<_> = key.iter().map(|key| ("x-api-key", key.secret())).collect();
    ask(gateway, path, &fields).await.status().as_u16()
}

const KEYS: &str = "auth:
  partner: {api_key: {keys_file: keys.yaml}}
  legacy: {api_key: {keys_file: keys.yaml, header: x-legacy-key}}
";

#[tokio::test]
async fn a_route_asks_whom_it_names_and_else_whom_the_defaults_name() {
    let folder = Folder::new("whom");
    // A redirect is what a route may lead to without a service behind it.
    let gateway = folder.assemble(&format!(
        "{KEYS}defaults: {{auth: partner}}
routes:
- {{path: /default, redirect: {{path: /x}}}}
- {{path: /open, redirect: {{path: /x}}, auth: none}}
- {{path: /legacy, redirect: {{path: /x}}, auth: legacy}}
- {{path: /any, redirect: {{path: /x}}, auth: {{any: [legacy, partner]}}}}
- {{path: /all, redirect: {{path: /x}}, auth: {{all: [partner, legacy]}}}}
- {{path: /optional, redirect: {{path: /x}}, auth: {{any: [partner, none]}}}}
- {{path: /nested, redirect: {{path: /x}}, auth: {{any: [legacy, {{all: [partner]}}]}}}}
- {{path: /scoped, redirect: {{path: /x}}, scopes: [orders:write]}}
"
    ));
    let forged = NewApiKey::builder("forged").generate().expect("a key");
    let (clerk, guest) = (&folder.clerk, &folder.guest);
    for (path, nobody, a_guest, a_clerk, a_forger) in [
        ("/default", 401, 302, 302, 401),
        ("/open", 302, 302, 302, 302),
        ("/legacy", 401, 401, 401, 401),
        ("/any", 401, 302, 302, 401),
        ("/all", 401, 401, 401, 401),
        ("/optional", 302, 302, 302, 401),
        ("/nested", 401, 302, 302, 401),
        ("/scoped", 401, 403, 302, 401),
    ] {
        let mut found = Vec::new();
        for key in [None, Some(guest), Some(clerk), Some(&forged)] {
            found.push(status(&gateway, path, key).await);
        }
        assert_eq!(found, [nobody, a_guest, a_clerk, a_forger], "{path}");
    }
    let both = [("x-api-key", clerk.secret()), ("x-legacy-key", guest.secret())];
    assert_eq!(ask(&gateway, "/all", &both).await.status(), 302);
}

#[tokio::test]
async fn a_refusal_is_a_problem_with_a_challenge_and_without_a_reason() {
    let folder = Folder::new("refusal");
    let gateway = folder.assemble(&format!(
        "{KEYS}routes: [{{path: /a, redirect: {{path: /x}}, auth: {{any: [partner, legacy]}}}}]\n"
    ));
    let response = ask(&gateway, "/a", &[("x-api-key", "gw_wrong")]).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
    assert_eq!(
        challenges,
        [r#"ApiKey in="header", name="x-api-key""#, r#"ApiKey in="header", name="x-legacy-key""#]
    );
    assert!(!response.body().contains("unknown"), "{}", response.body());
}

fn routes(reloaded: &Reloaded) -> (usize, usize, usize) {
    let routes = reloaded.routes();
    (routes.kept(), routes.added(), routes.removed())
}

#[tokio::test]
async fn a_reload_keeps_what_asks_the_same_and_replaces_what_asks_otherwise() {
    let folder = Folder::new("reload");
    let tail = "routes:
- {path: /partner, redirect: {path: /x}, auth: partner}
- {path: /legacy, redirect: {path: /x}, auth: legacy}
- {path: /open, redirect: {path: /x}, auth: none}
";
    let mut gateway = folder.assemble(&format!("{KEYS}{tail}"));
    let mut reload = |text: &str| {
        let config = folder.config(text);
        gateway.reload(&config).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let turned = "auth:
  legacy: {api_key: {header: [x-legacy-key], keys_file: keys.yaml}}
  partner:
    api_key:
      keys_file: keys.yaml
";
    assert!(!reload(&format!("{turned}{tail}")).has_changes(), "the same in other words");
    let renamed = KEYS.replace("x-legacy-key", "x-old-key");
    assert_eq!(routes(&reload(&format!("{renamed}{tail}"))), (2, 1, 1));
    let stricter = tail.replace("auth: partner", "auth: partner, scopes: [orders:write]");
    assert_eq!(routes(&reload(&format!("{renamed}{stricter}"))), (2, 1, 1));
    // A header in which one route tells who calls is closed to clients on all of them.
    let telling = renamed.replace("keys.yaml}", "keys.yaml, id_header: x-partner}");
    assert_eq!(routes(&reload(&format!("{telling}{stricter}"))), (0, 3, 3));
}

#[tokio::test]
async fn a_reload_that_opens_or_closes_a_gateway_does_so_at_once() {
    let folder = Folder::new("opens");
    let open = "routes: [{path: /a, redirect: {path: /x}}]\n";
    let closed = format!("{KEYS}defaults: {{auth: partner}}\n{open}");
    let mut gateway = folder.assemble(open);
    assert_eq!(status(&gateway, "/a", None).await, 302);
    let config = folder.config(&closed);
    assert!(!config.is_open() && folder.config(open).is_open());
    assert!(gateway.reload(&config).expect("is taken").has_changes());
    assert_eq!(
        (status(&gateway, "/a", None).await, status(&gateway, "/a", Some(&folder.guest)).await),
        (401, 302)
    );

    // What is wrong is refused, and the gateway stays closed.
    folder.write("keys.yaml", "- name: broken\n");
    assert!(Config::parse(folder.path.join("gateway.yaml"), closed.clone()).is_err());
    assert_eq!(status(&gateway, "/a", None).await, 401);
}

#[tokio::test]
async fn what_was_right_at_the_check_and_is_no_longer_is_not_served() {
    let folder = Folder::new("meanwhile");
    let config = folder.config(&format!(
        "{KEYS}defaults: {{auth: partner}}\nroutes: [{{path: /a, redirect: {{path: /x}}}}]\n"
    ));
    fs::remove_file(folder.path.join("keys.yaml")).expect("removes it");
    let errors = Gateway::assemble(&config).expect_err("is refused").to_string();
    assert!(errors.contains("keys.yaml`: there is no such file"), "{errors}");
}

#[test]
fn an_authenticator_that_no_route_asks_is_a_warning() {
    let folder = Folder::new("unused");
    let config =
        folder.config(&format!("{KEYS}routes: [{{path: /a, redirect: {{path: /x}}, auth: partner}}]\n"));
    let warnings: Vec<_> = config.warnings().iter().map(|warning| warning.message().to_owned()).collect();
    assert_eq!(warnings, ["no route uses the authenticator `legacy`"]);
}

#[test]
fn no_error_shows_a_secret() {
    let folder = Folder::new("secrets");
    folder.write("short.secret", "hunter2\n");
    for value in ["hunter2", "file:short.secret"] {
        let text = format!(
            "auth: {{app: {{jwt: {{issuer: i, audiences: api, secret: \"{value}\", leewai: 1s}}}}}}\nroutes: [{{path: /a, redirect: {{path: /x}}, auth: app}}]\n"
        );
        let errors = Config::parse(folder.path.join("gateway.yaml"), text).expect_err("is refused");
        let shown = errors.to_string() + &errors.to_json();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn no_error_shows_a_secret_that_stands_where_none_belongs() {
    for line in [
        "  app: {introspect: {url: \"https://id.example/\", client: gw, client_secret: hunter2}}",
        "  app: {jwt: {issuer: i, audiences: api, shared_secret: hunter2}}",
        "  app: {jwt: {issuer: i, audiences: api, secret: {hunter2: }}}",
        "  app: {jwt: {issuer: i, audiences: api, secret: [hunter2]}}",
        "  app: {jwt: {issuer: i, audiences: api, secret: hunter2, secret: hunter2}}",
        "  app: {jwt: {issuer: i, audiences: api, secret: \"hunter2${\"}}",
        "  app: {jwt: {issuer: i, audiences: api, secret: \"hunter2}}",
        "  app: {api_key: {keys_file: nowhere.yaml, pepper: \"hunter2${env\"}}",
        "limits: {a: {rate: 1/s, store: {redis: \"redis://:hunter2@a:6379\"}}}",
        "limits: {a: {rate: 1/s, store: {redis: \"redis://user:hunter2${X}@a:6379\"}}}",
    ] {
        let text = format!("auth:\n{line}\nroutes: [{{path: /a, redirect: {{path: /x}}, auth: none}}]\n");
        let errors = Config::parse("gateway.yaml", text).expect_err("is refused");
        let shown = errors.to_string() + &errors.to_json();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_route_that_does_not_hold_the_limits_of_single_keys_is_a_warning() {
    let folder = Folder::new("limited");
    let limited = NewApiKey::builder("limited").limit("1/min").generate().expect("a key");
    folder.write("limited.yaml", limited.entry());
    let warnings = |limits: &str| {
        let config = folder.config(&format!(
            "auth: {{limited: {{api_key: {{keys_file: limited.yaml}}}}, plain: {{api_key: {{keys_file: keys.yaml}}}}}}
routes:
- {{path: /a, redirect: {{path: /x}}, auth: {{any: [plain, limited]}}, limit: {limits}}}
- {{path: /b, redirect: {{path: /x}}, auth: plain}}
"
        ));
        config.warnings().iter().map(|warning| warning.message().to_owned()).collect::<Vec<_>>()
    };
    let warning = "the limits of single API keys hold nobody on this route";
    for limits in ["off", "{rate: 9/min, key: client_ip}", "{concurrent: 9}"] {
        assert_eq!(warnings(limits), [warning], "{limits}");
    }
    for limits in ["9/min", "[{concurrent: 9}, {rate: 9/min, key: [principal, route]}]"] {
        assert!(warnings(limits).is_empty(), "{limits}");
    }
}

#[tokio::test]
async fn a_limit_by_what_services_are_told_counts_that_and_not_what_clients_say() {
    let folder = Folder::new("told");
    let gateway = folder.assemble(
        "auth: {partner: {api_key: {keys_file: keys.yaml, id_header: x-partner}}}
limits: {each: {rate: 1/h, key: header:x-partner}}
routes:
- {path: /a, redirect: {path: /x}, auth: partner, limit: each}
",
    );
    let ask = async |key: &NewApiKey, said: &str| {
        let fields = [("x-api-key", key.secret()), ("x-partner", said)];
        ask(&gateway, "/a", &fields).await.status().as_u16()
    };
    assert_eq!(ask(&folder.clerk, "one").await, 302);
    assert_eq!(ask(&folder.clerk, "another").await, 429);
    assert_eq!(ask(&folder.guest, "one").await, 302);
    assert_eq!(ask(&folder.guest, "guest").await, 429);
}

#[test]
fn a_shared_secret_that_does_not_say_its_algorithm_is_for_the_one_that_is_listed() {
    let folder = Folder::new("oct");
    folder.write("jwks.json", r#"{"keys":[{"kty":"oct","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}]}"#);
    let config = folder.config(
        "auth: {app: {jwt: {issuer: i, audiences: [api], jwks_file: jwks.json, algorithms: [HS256]}}}
routes: [{path: /a, upstream: 'a:80', auth: app}]",
    );
    assert!(config.warnings().is_empty(), "{}", config.warnings());
}

#[test]
fn keys_that_have_ended_are_a_warning_at_their_file() {
    let folder = Folder::new("ended");
    let key = |name: &str, end: &str| {
        NewApiKey::builder(name).expires(end).generate().expect("a key").entry().to_owned()
    };
    folder.write("keys.yaml", &[key("good", "2999-12-31"), key("old-one", "2020-02-29")].concat());
    let text = "auth: {partner: {api_key: {keys_file: keys.yaml}}}\nroutes: [{path: /a, auth: partner, upstream: 'u:80'}]\n";
    let warnings = folder.config(text).warnings();
    let told: Vec<_> = warnings.iter().map(|it| (it.message().to_owned(), it.hint())).collect();
    let file = folder.path.join("keys.yaml");
    let expected = format!("{}: the key `old-one` ended on 2020-02-29", file.display());
    let help = "remove its entry; a new key is made by `gatewright keys new NAME --expires DATE`";
    assert_eq!(told, [(expected, Some(help))]);
    assert_eq!(warnings.iter().next().and_then(|it| it.place()).map(|place| place.line()), Some(2));

    let many: String = (0..12).map(|number| key(&format!("key-{number:02}"), "2020-02-29")).collect();
    folder.write("keys.yaml", &many);
    let warnings = folder.config(text).warnings();
    assert_eq!(warnings.len(), 11);
    assert!(warnings.to_string().contains("and 2 more keys of `"), "{warnings}");
}
