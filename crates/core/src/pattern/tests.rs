use super::*;

fn captured<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let pattern = PathPattern::parse(pattern).expect(pattern);
    pattern.matches(path).map(|captures| captures.iter().map(|place| &path[place]).collect())
}

#[test]
fn a_pattern_matches_the_whole_path_and_captures_its_names() {
    let table: [(&str, &str, Option<&[&str]>); 32] = [
        ("/", "/", Some(&[])),
        ("/", "/a", None),
        ("/", "", None),
        ("/a", "/a", Some(&[])),
        ("/a", "/a/", None),
        ("/a", "/ab", None),
        ("/a", "/", None),
        ("/a/", "/a/", Some(&[])),
        ("/a/", "/a", None),
        ("/a/", "/a/b", None),
        ("/{id}", "/7", Some(&["7"])),
        ("/{id}", "/", None),
        ("/{id}", "/7/", None),
        ("/{id}", "/7/8", None),
        ("/{id}/", "/7/", Some(&["7"])),
        ("/v1/users/{id}/avatar", "/v1/users/42/avatar", Some(&["42"])),
        ("/v1/users/{id}/avatar", "/v1/users/42/avatars", None),
        ("/v1/users/{id}/avatar", "/v1/users/42", None),
        ("/v1/users/{id}/avatar", "/v1/users//avatar", None),
        ("/{a}/{b}/{c}/{d}/{e}", "/1/2/3/4/5", Some(&["1", "2", "3", "4", "5"])),
        ("/{a-b}/{c_1}", "/x/y%2Fz", Some(&["x", "y%2Fz"])),
        ("/f/{*rest}", "/f/a", Some(&["a"])),
        ("/f/{*rest}", "/f/a/b/", Some(&["a/b/"])),
        ("/f/{*rest}", "/f/", None),
        ("/f/{*rest}", "/f", None),
        ("/f/{*rest}", "/g/a", None),
        ("/{*all}", "/a/b", Some(&["a/b"])),
        ("/{*all}", "/", None),
        ("/{x}/{*all}", "/a/b/c", Some(&["a", "b/c"])),
        ("/café", "/caf%C3%A9", Some(&[])),
        ("/%7euser/a;v=1", "/~user/a;v=1", Some(&[])),
        ("/a%2fb", "/a%2Fb", Some(&[])),
    ];
    for (pattern, path, expected) in table {
        assert_eq!(captured(pattern, path).as_deref(), expected, "{pattern} on {path}");
    }
}

#[test]
fn an_error_says_where_and_how_to_mend_it() {
    let table = [
        ("", 0..0, "start it with `/`"),
        ("a/b", 0..0, "start it with `/`"),
        ("/a//b", 3..3, "remove the second slash"),
        ("/a/../b", 3..5, "without `.` and `..`"),
        ("/a/%2e", 3..6, "without `.` and `..`"),
        ("/a/{}", 3..5, "write a name"),
        ("/a/{*}", 3..6, "write a name"),
        ("/a/{i d}", 3..8, "use letters"),
        ("/a/x{id}", 3..8, "fills a whole segment"),
        ("/a/{id", 3..6, "fills a whole segment"),
        ("/{a}/{b}/{a}", 9..12, "another name"),
        ("/{*rest}/b", 1..8, "make it the last segment"),
        ("/a?b=1", 1..6, "match the query apart"),
        ("/50%", 1..4, "`%25`"),
        ("/a\\b", 1..4, "remove what no request"),
        ("/a#b", 1..4, "remove what no request"),
    ];
    for (text, place, hint) in table {
        let error = PathPattern::parse(text).expect_err(text);
        assert_eq!(error.place(), place, "{text}");
        assert!(error.to_string().contains(hint), "{text}: {error}");
    }
}

#[test]
fn a_template_is_filled_with_what_was_captured() {
    let pattern = PathPattern::parse("/u/{id}/{*rest}").expect("a pattern");
    let path = "/u/42/a/b";
    let captures = pattern.matches(path).expect("a match");
    for (template, expected) in [
        ("/x/{id}", "/x/42"),
        ("/{rest}/{id}-{id}", "/a/b/42-42"),
        ("/{id}{rest}.json", "/42a/b.json"),
        ("/plain", "/plain"),
    ] {
        let template = PathTemplate::parse(template, &pattern).expect(template);
        assert_eq!(template.expand(path, &captures), expected);
    }
}

#[test]
fn a_template_that_cannot_be_filled_is_an_error() {
    let pattern = PathPattern::parse("/u/{id}").expect("a pattern");
    for (text, place, hint) in [
        ("x/{id}", 0..0, "start it with `/`"),
        ("/x/{name}", 3..9, "captures `{id}` only"),
        ("/x/{id", 3..6, "pairs"),
        ("/x}/{id}", 2..8, "pairs"),
        ("/x/{}", 3..5, "write a name"),
        ("/x/{*id}", 3..8, "write `{id}`"),
        ("/x?id={id}", 2..10, "the query is kept"),
    ] {
        let error = PathTemplate::parse(text, &pattern).expect_err(text);
        assert_eq!(error.place(), place, "{text}");
        assert!(error.to_string().contains(hint), "{text}: {error}");
    }
    let literal = PathPattern::parse("/u").expect("a pattern");
    let error = PathTemplate::parse("/{id}", &literal).expect_err("no such name");
    assert!(error.to_string().contains("captures nothing"), "{error}");
}
