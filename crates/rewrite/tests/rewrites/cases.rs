//! The table.

use gatewright_rewrite::{Redirect, RewriteLayer};

use super::Group;

pub(super) const GROUPS: &[Group] = &[
    Group {
        about: "no rule",
        layer: || Ok(RewriteLayer::new()),
        cases: &[
            ("/a/b?x=1&y=%2f", "-> /a/b?x=1&y=%2f"),
            ("http://h.test/a host=other.test", "-> http://h.test/a @ other.test"),
        ],
    },
    Group {
        about: "a prefix (Gateway API, ReplacePrefixMatch)",
        layer: || Ok(RewriteLayer::new().replace_prefix("/foo", "/xyz")),
        cases: &[
            ("/foo/bar", "-> /xyz/bar"),
            ("/foo", "-> /xyz"),
            ("/foo/", "-> /xyz/"),
            ("/foo/bar?x=%2f&&y=a+b", "-> /xyz/bar?x=%2f&&y=a+b"),
            ("/foo?", "-> /xyz?"),
            ("/foobar", "-> /foobar"),
            ("/x/foo", "-> /x/foo"),
            ("/foo/foo", "-> /xyz/foo"),
            ("/foo//bar", "-> /xyz/bar"),
            ("/foo/../bar", "-> /bar"),
            ("/foo/%2e%2e/bar", "-> /bar"),
            ("/%66oo/bar", "-> /xyz/bar"),
            ("/foo/..;/bar", "400"),
            ("/foo/a%2fb", "-> /xyz/a%2Fb"),
            ("/foo/..%2fb", "400"),
            ("/foo/a%5cb", "400"),
            ("http://h.test:81/foo/bar?x", "-> http://h.test:81/xyz/bar?x"),
        ],
    },
    Group {
        about: "a prefix and its replacement with slashes at their ends",
        layer: || Ok(RewriteLayer::new().replace_prefix("/foo/", "/xyz/")),
        cases: &[("/foo/bar", "-> /xyz/bar"), ("/foo", "-> /xyz"), ("/foo/", "-> /xyz/")],
    },
    Group {
        about: "a prefix that is taken off, by nothing",
        layer: || Ok(RewriteLayer::new().replace_prefix("/foo", "")),
        cases: &[("/foo/bar", "-> /bar"), ("/foo/", "-> /"), ("/foo", "-> /"), ("/foo//bar", "-> /bar")],
    },
    Group {
        about: "a prefix that is taken off, by the root",
        layer: || Ok(RewriteLayer::new().replace_prefix("/foo", "/")),
        cases: &[("/foo/bar", "-> /bar"), ("/foo/", "-> /"), ("/foo", "-> /"), ("/foo?q", "-> /?q")],
    },
    Group {
        about: "a prefix put before all paths",
        layer: || Ok(RewriteLayer::new().replace_prefix("/", "/api")),
        cases: &[("/", "-> /api/"), ("/a", "-> /api/a"), ("/a/", "-> /api/a/")],
    },
    Group {
        about: "prefixes as text: canonical, whatever is written",
        layer: || {
            let layer = RewriteLayer::new().replace_prefix("a b", "é?#");
            Ok(layer.replace_prefix("/bad", "/x\\y").replace_prefix("/%7e/./x", "/%zz"))
        },
        cases: &[("/a%20b/c?q", "-> /%C3%A9%3F%23/c?q"), ("/bad/c", "400"), ("/~/x/c", "-> /%25zz/c")],
    },
    Group {
        about: "a full path",
        layer: || Ok(RewriteLayer::new().replace_path("/fixed")),
        cases: &[("/", "-> /fixed"), ("/a/b?x=1", "-> /fixed?x=1"), ("/a%00", "400")],
    },
    Group {
        about: "a full path that is empty is the root",
        layer: || Ok(RewriteLayer::new().replace_path("")),
        cases: &[("/a/b?x=1", "-> /?x=1")],
    },
    Group {
        about: "a pattern",
        layer: || RewriteLayer::new().path_pattern("/v1/users/{id}/avatar", "/internal/avatars/{id}"),
        cases: &[
            ("/v1/users/42/avatar", "-> /internal/avatars/42"),
            ("/v1/users/42/avatar?size=1&size=2", "-> /internal/avatars/42?size=1&size=2"),
            ("/v1/users/42/avatar/", "-> /v1/users/42/avatar/"),
            ("/v1/users/42", "-> /v1/users/42"),
            ("/v1/users/%3Fx%23/avatar", "-> /internal/avatars/%3Fx%23"),
            ("/v1/users/%2e%2e/avatar", "-> /v1/avatar"),
            ("/v1/users/a%2fb/avatar", "-> /internal/avatars/a%2Fb"),
            ("/v1/users/..%2f/avatar", "400"),
            ("/v1/users/%252e%252e/avatar", "-> /internal/avatars/%252e%252e"),
        ],
    },
    Group {
        about: "a pattern with a rest, and a template that joins",
        layer: || RewriteLayer::new().path_pattern("/{a}/{b}/{*rest}", "/{rest}/{a}{b}"),
        cases: &[
            ("/x/y/z/w", "-> /z/w/xy"),
            ("/x/y/z/", "-> /z/xy"),
            ("/x/y", "-> /x/y"),
            ("/.a/.b/z", "-> /z/.a.b"),
        ],
    },
    Group {
        about: "captures cannot be joined into dot segments or escapes",
        layer: || RewriteLayer::new().replace_regex("/x/([^/])[^/]*/([^/])[^/]*/([^/]*)", "/safe/$1$2$3"),
        cases: &[
            ("/x/a/b/c", "-> /safe/abc"),
            ("/x/.a/.b/", "400"),
            ("/x/.a/.b/c", "-> /safe/..c"),
            ("/x/.a/.b/;c", "400"),
            ("/x/%20/2/e", "400"),
            ("/x/%20/2/f..", "400"),
            ("/x/%20/5/c", "400"),
            ("/x/%20/4/1", "-> /safe/A"),
        ],
    },
    Group {
        about: "a regex matches the whole path",
        layer: || RewriteLayer::new().replace_regex(r"^/legacy/(?P<id>\d+?)(/.*)?$", "/v1/orders/${id}$2"),
        cases: &[
            ("/legacy/12", "-> /v1/orders/12"),
            ("/legacy/12/items?x=$1", "-> /v1/orders/12/items?x=$1"),
            ("/legacy/12x", "-> /legacy/12x"),
            ("/x/legacy/12", "-> /x/legacy/12"),
            ("/legacy/", "-> /legacy/"),
        ],
    },
    Group {
        about: "a regex without anchors matches the whole path all the same, and `$$` is a dollar sign",
        layer: || RewriteLayer::new().replace_regex("/a|/b/(.)", "/$$x/${1}1/$0"),
        cases: &[("/a", "-> /$x/1/a"), ("/b/x", "-> /$x/x1/b/x"), ("/ab", "-> /ab")],
    },
    Group {
        about: "the first rule that fits",
        layer: || {
            let layer = RewriteLayer::new().replace_prefix("/a/b", "/first").replace_prefix("/a", "/second");
            layer.path_pattern("/{x}", "/third/{x}")
        },
        cases: &[
            ("/a/b", "-> /first"),
            ("/a/c", "-> /second/c"),
            ("/first", "-> /third/first"),
            ("/x/y", "-> /x/y"),
        ],
    },
    Group {
        about: "another host, wherever the request says it",
        layer: || RewriteLayer::new().host("users.internal:8080"),
        cases: &[
            ("/a?x host=api.test", "-> /a?x @ users.internal:8080"),
            ("/a", "-> /a @ users.internal:8080"),
            ("https://api.test/a?x", "-> https://users.internal:8080/a?x @ users.internal:8080"),
            ("http://api.test:81/a host=api.test:81", "-> http://users.internal:8080/a @ users.internal:8080"),
            ("/a host=one.test host=two.test", "-> /a @ users.internal:8080"),
        ],
    },
    Group {
        about: "to https (Gateway API: the scheme's own port)",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::new(301)?.scheme("https")?)),
        cases: &[
            ("/a/b?x=%2f&&y host=h.test plain", "301 https://h.test/a/b?x=%2f&&y"),
            ("/a host=h.test:8080 plain", "301 https://h.test/a"),
            ("/a host=h.test", "301 https://h.test/a"),
            ("http://h.test:8080/a", "301 https://h.test/a"),
            ("//evil.test/%2e%2e/x host=h.test plain", "301 https://h.test/x"),
            ("/a plain", "400"),
            ("/a%2e;x host=h.test plain", "301 https://h.test/a.;x"),
            ("/.%2e;x host=h.test plain", "400"),
            ("/a host=h.test tls", "-> /a"),
            ("https://h.test/a", "-> https://h.test/a"),
        ],
    },
    Group {
        about: "to another host (the scheme and port of the request)",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::new(302)?.host("new.test")?)),
        cases: &[
            ("/a?q host=old.test plain", "302 http://new.test/a?q"),
            ("/a?q host=old.test tls", "302 https://new.test/a?q"),
            ("/a host=old.test:8443 tls", "302 https://new.test:8443/a"),
            ("/a host=old.test:443 tls", "302 https://new.test/a"),
            ("/a host=old.test:80 plain", "302 http://new.test/a"),
            ("/a host=old.test:80 tls", "302 https://new.test:80/a"),
            ("/a host=old.test", "302 //new.test/a"),
            ("/a", "302 //new.test/a"),
            ("/a host=NEW.test plain", "-> /a"),
        ],
    },
    Group {
        about: "to another port",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::temporary().port(8443))),
        cases: &[
            ("/a host=h.test plain", "307 http://h.test:8443/a"),
            ("/a host=h.test:81 tls", "307 https://h.test:8443/a"),
            ("/a host=[::1]:81 tls", "307 https://[::1]:8443/a"),
            ("/a host=h.test:8443 tls", "-> /a"),
        ],
    },
    Group {
        about: "to scheme, host and port, a default port not written",
        layer: || {
            let redirect = Redirect::see_other().scheme("HTTPS")?.host("new.test")?.port(443);
            Ok(RewriteLayer::new().redirect(redirect))
        },
        cases: &[("/a host=old.test:81 plain", "303 https://new.test/a"), ("/a?q", "303 https://new.test/a?q")],
    },
    Group {
        about: "to scheme and an unusual port",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::permanent().scheme("http")?.port(443))),
        cases: &[("/a host=h.test tls", "308 http://h.test:443/a")],
    },
    Group {
        about: "to a full path",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::permanent().path("/new"))),
        cases: &[
            ("/old?x=1 host=h.test plain", "308 http://h.test/new?x=1"),
            ("/old host=h.test:81 tls", "308 https://h.test:81/new"),
            ("/old host=h.test", "308 //h.test/new"),
            ("/old?x=//y", "308 /new?x=//y"),
            ("/new?x=1 host=h.test plain", "-> /new?x=1"),
        ],
    },
    Group {
        about: "to another prefix",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::new(302)?.prefix("/foo", "/"))),
        cases: &[
            ("/foo/bar host=h.test plain", "302 http://h.test/bar"),
            ("/foo host=h.test plain", "302 http://h.test/"),
            ("/foo//evil.test/ host=h.test plain", "302 http://h.test/evil.test/"),
            ("/foo//evil.test/", "302 /evil.test/"),
            ("/other host=h.test plain", "-> /other"),
        ],
    },
    Group {
        about: "with empty segments kept",
        layer: || {
            let redirect = Redirect::new(302)?.prefix("/foo", "/");
            Ok(RewriteLayer::new().redirect(redirect).keep_empty_segments())
        },
        cases: &[
            ("/foo/https://x/a.jpg host=h.test plain", "302 http://h.test/https://x/a.jpg"),
            ("/foo//evil.test/ host=h.test plain", "302 http://h.test//evil.test/"),
            ("/foo//evil.test/ host=h.test", "302 //h.test//evil.test/"),
            // Without a host before them, two slashes would name one.
            ("/foo//evil.test/", "302 /.//evil.test/"),
            ("/foo/../foo//evil.test/", "302 /.//evil.test/"),
        ],
    },
    Group {
        about: "to what a pattern captures",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::new(301)?.pattern("/u/{id}", "/v2/users/{id}")?)),
        cases: &[("/u/7?x host=h.test tls", "301 https://h.test/v2/users/7?x"), ("/u/7/8", "-> /u/7/8")],
    },
    Group {
        about: "to what a regex captures",
        layer: || {
            let redirect = Redirect::new(308)?.host("api.test")?.regex(r"^/legacy/(\d+)$", "/v1/orders/$1")?;
            Ok(RewriteLayer::new().redirect(redirect).replace_prefix("/legacy", "/kept"))
        },
        cases: &[
            ("/legacy/12?x=1 host=h.test tls", "308 https://api.test/v1/orders/12?x=1"),
            ("/legacy/x host=h.test tls", "-> /kept/x"),
            ("/legacy/%31%32 host=h.test tls", "308 https://api.test/v1/orders/12"),
        ],
    },
    Group {
        about: "to where the request is, where nothing else could answer",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::see_other().path("/a").always())),
        cases: &[
            ("/a host=h.test tls", "303 https://h.test/a"),
            ("/a?x host=h.test plain", "303 http://h.test/a?x"),
            ("/b host=h.test tls", "303 https://h.test/a"),
        ],
    },
    Group {
        about: "to the scheme that the client speaks",
        layer: || Ok(RewriteLayer::new().redirect(Redirect::temporary().scheme("https")?.always())),
        cases: &[
            ("/a host=h.test plain", "307 https://h.test/a"),
            ("/a host=h.test tls", "307 https://h.test/a"),
        ],
    },
];
