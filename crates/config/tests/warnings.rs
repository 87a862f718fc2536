//! What is taken, and may not be meant.

use gatewright_config::Config;

fn parse(text: &str) -> Config {
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// The warnings of a file of one route, each with its help.
fn of_route(route: &str) -> Vec<(String, String)> {
    let warnings = parse(&format!("routes:\n- {{upstream: 'a:80', {route}}}\n")).warnings();
    let told = warnings.iter().map(|it| (it.message().to_owned(), it.hint().unwrap_or_default().to_owned()));
    told.collect()
}

#[test]
fn a_wildcard_of_another_gateway_is_a_warning_that_says_what_is_written_here() {
    for (path, help) in [
        ("path: /v1/*", "for all paths below write `path_prefix`, for any one segment `{name}`"),
        ("path_prefix: /v1/**", "leave it out: a prefix takes all paths below it"),
        ("path: /users/:id/avatar", "for any segment write `{id}`"),
    ] {
        let warnings = parse(&format!("routes: [{{{path}, upstream: 'a:80'}}]")).warnings();
        let told: Vec<_> = warnings.iter().map(|warning| warning.hint()).collect();
        assert_eq!(told, [Some(help)], "{path}");
    }
    for path in ["/v1/{*rest}", "/v1/a:b", "/:"] {
        let config = parse(&format!("routes: [{{path: \"{path}\", upstream: 'a:80'}}]"));
        assert!(config.warnings().is_empty(), "{path}");
    }
}

#[test]
fn listeners_of_one_port_are_a_warning_where_one_takes_what_the_other_leaves() {
    for (one, other, is_told) in [
        ("0.0.0.0", "127.0.0.1", true),
        ("127.0.0.1", "0.0.0.0", true),
        ("[::]", "[::1]", true),
        ("[::]", "127.0.0.1", true),
        ("[::]", "0.0.0.0", false),
        ("0.0.0.0", "[::1]", false),
        ("127.0.0.1", "127.0.0.2", false),
    ] {
        let text =
            format!("listeners: ['{one}:8080', '{other}:8080']\nroutes: [{{path: /a, upstream: 'a:80'}}]");
        let warnings = parse(&text).warnings();
        let told: Vec<_> = warnings.iter().map(|warning| warning.message().to_owned()).collect();
        let expected = is_told.then(|| format!("`{one}:8080` and `{other}:8080` share a port"));
        assert_eq!(told, Vec::from_iter(expected), "{one} {other}");
    }
}

#[test]
fn a_route_that_no_request_comes_to_is_a_warning() {
    const LISTENERS: &str = "listeners: [{address: '127.0.0.1:8080', redirect_https: 443}, {address: '127.0.0.1:8081', name: plain}]";
    let warnings = |more: &str, route: &str| {
        let text = format!("{more}\n{LISTENERS}\nroutes: [{{path: /a, upstream: 'a:80', {route}}}]");
        parse(&text).warnings().iter().map(|warning| warning.message().to_owned()).collect::<Vec<_>>()
    };
    let tls = "no request comes to this route: it takes `https` alone, and no listener that it has speaks TLS";
    let away = "no request comes to this route: each listener that it has sends its clients to HTTPS";
    assert_eq!(warnings("", "scheme: https"), [tls]);
    assert_eq!(warnings("", "listener: plain, scheme: https"), [tls]);
    assert_eq!(warnings("", "listener: '127.0.0.1:8080'"), [away]);
    for route in ["scheme: http", "listener: plain", "listener: ['127.0.0.1:8080', plain]"] {
        assert!(warnings("", route).is_empty(), "{route}");
    }
    let proxies = "trusted_proxies: [10.0.0.0/8]";
    assert!(warnings(proxies, "listener: '127.0.0.1:8080', scheme: https").is_empty());
    assert_eq!(warnings(proxies, "listener: '127.0.0.1:8080', scheme: http"), [away]);
}

#[test]
fn to_trust_everybody_is_a_warning() {
    let warnings = |networks: &str| {
        let config = parse(&format!("trusted_proxies: {networks}\nroutes: [{{path: /a, upstream: 'a:80'}}]\n"));
        config.warnings().iter().map(|warning| warning.message().to_owned()).collect::<Vec<_>>()
    };
    for networks in ["0.0.0.0/0", "[10.0.0.0/8, '::/0']"] {
        assert_eq!(warnings(networks), ["every client is trusted to say itself which address it has"]);
    }
    assert!(warnings("[10.0.0.0/8]").is_empty());
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    let route = "routes:\n- {path_prefix: /, upstream: 'a:80'}\n";
    let upstream = |upstream: &str| format!("routes:\n- {{path_prefix: /, upstream: {upstream}}}\n");
    let matched =
        |matched: &str| format!("routes:\n- {{path_prefix: /, upstream: 'a:80', match: {{{matched}}}}}\n");
    let set = |name: &str, value: &str| {
        format!(
            "routes:\n- {{path_prefix: /, upstream: 'a:80', rewrite: {{request_headers: {{set: {{{name}: '{value}'}}}}}}}}\n"
        )
    };
    for (file, warning) in [
        (format!("listen: 0.0.0.0:443\n{route}"), Some("port 443 without TLS")),
        (format!("listen: 0.0.0.0:8443\n{route}"), None),
        (upstream("a:443"), Some("`a:443` without TLS: services speak HTTPS there")),
        (upstream("{targets: ['a:80', 'b:443']}"), Some("`b:443` without TLS")),
        (upstream("{target: 'a:443', tls: off}"), None),
        (upstream("{target: 'a:443', tls: on}"), None),
        (matched("headers: {authorization: abc}"), Some("stands in this file for all to read")),
        (matched("headers: {x-api-key: {exact: abc}}"), Some("stands in this file for all to read")),
        (matched("query: {access_token: abc}"), Some("stands in this file for all to read")),
        (matched("query: {beta: abc}"), None),
        (matched("query: {token: '${env:CARGO_PKG_VERSION_MAJOR}'}"), None),
        (format!("listeners: [127.0.0.1:80, 0.0.0.0:80]\n{route}"), Some("share a port")),
        (format!("listeners: ['[::]:80', 0.0.0.0:80]\n{route}"), None),
        (format!("listeners: [127.0.0.1:80, 127.0.0.2:80]\n{route}"), None),
        (set("Authorization", "Bearer abc"), Some("stands in this file for all to read")),
        (set("x-api-key", "abc"), Some("stands in this file for all to read")),
        (set("x-api-key", "file:/dev/null"), None),
        (set("authorization", "Bearer ${env:CARGO_PKG_VERSION_MAJOR}"), None),
        (set("x-via", "abc"), None),
    ] {
        let config = Config::parse("gateway.yaml", file.as_str()).unwrap_or_else(|errors| panic!("{errors}"));
        let warnings = config.warnings();
        match warning {
            Some(warning) => assert!(warnings.to_string().contains(warning), "{file}{warnings}"),
            None => assert!(warnings.is_empty(), "{file}{warnings}"),
        }
        assert!(!warnings.to_string().contains("abc"), "a secret is shown: {warnings}");
    }
}

#[test]
fn a_word_for_every_method_is_a_warning() {
    let help = "leave `methods` out to take every method";
    for (methods, word) in [("[\"*\"]", "*"), ("[ANY]", "ANY"), ("[GET, ALL]", "ALL"), ("ALL", "ALL")] {
        let expected = (format!("`{word}` is taken for a method of this name"), help.to_owned());
        assert_eq!(of_route(&format!("path: /a, methods: {methods}")), [expected], "{methods}");
    }
    assert_eq!(of_route("path: /a, methods: [GET, PURGE]"), []);
}

#[test]
fn a_star_for_any_value_is_a_warning() {
    let expected = (
        "`*` as a value stands for itself".to_owned(),
        "for any value write `{regex: '.+'}`; for the star itself `{exact: \"*\"}`".to_owned(),
    );
    for matched in ["headers: {x-tenant: \"*\"}", "query: {beta: \"*\"}"] {
        assert_eq!(of_route(&format!("path: /a, match: {{{matched}}}")), std::slice::from_ref(&expected));
    }
    for matched in
        ["headers: {x-tenant: {exact: \"*\"}}", "query: {beta: {regex: '.+'}}", "query: {beta: \"*a\"}"]
    {
        assert_eq!(of_route(&format!("path: /a, match: {{{matched}}}")), [], "{matched}");
    }
}

#[test]
fn a_capture_in_the_value_of_a_header_is_a_warning() {
    let route = |path: &str, edit: &str| of_route(&format!("{path}, rewrite: {{{edit}}}"));
    let set = |value: &str| format!("request_headers: {{set: {{x-id: '{value}'}}}}");
    for (path, edit, capture) in [
        ("path: '/u/{id}'", set("{id}"), "{id}"),
        ("path: '/u/{id}'", set("user-{id}!"), "{id}"),
        ("path_prefix: '/u/{id}'", "request_headers: {add: {x-id: '{id}'}}".to_owned(), "{id}"),
        ("path: '/u/{*rest}'", "response_headers: {set: {x-rest: '{rest}'}}".to_owned(), "{rest}"),
        ("path_regex: '/u/(.+)'", "response_headers: {add: {x-id: $1}}".to_owned(), "$1"),
    ] {
        let told = route(path, &edit);
        let expected = format!("`{capture}` in the value of a header stands for itself");
        assert!(
            matches!(&*told, [(message, help)] if *message == expected && help.contains("fixed texts")),
            "{told:?}"
        );
    }
    for (path, value) in [
        ("path: '/u/{id}'", "{name}"),
        ("path: /u", "{id}"),
        ("path_regex: '/u/.+'", "$1"),
        ("path_regex: '/u/(.+)'", "USD $100"),
        ("path_regex: '/u/(.+)'", "$1.99"),
    ] {
        assert_eq!(route(path, &set(value)), [], "{path} {value}");
    }
}
