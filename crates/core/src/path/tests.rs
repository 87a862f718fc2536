use proptest::prelude::*;

use super::*;

#[test]
fn paths_that_mean_the_same_have_one_form() {
    let table = [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("//", "/"),
        ("///a////b//", "/a/b/"),
        ("/.", "/"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/../../c", "/c"),
        ("/a/b/../../../../c", "/c"),
        ("/a//../b", "/b"),
        ("/a/.//../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/%2E/b", "/a/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/%2e.", "/"),
        ("/./././a", "/a"),
        ("/..a/.b/c..", "/..a/.b/c.."),
        ("/.../a", "/.../a"),
        ("/%41%7a%30%2d%5f%7E", "/Az0-_~"),
        ("/%c3%a9", "/%C3%A9"),
        ("/é", "/%C3%A9"),
        ("/日本", "/%E6%97%A5%E6%9C%AC"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/a\"<>^`{|}[]", "/a%22%3C%3E%5E%60%7B%7C%7D%5B%5D"),
        ("/!$&'()*+,;=:@-._~", "/!$&'()*+,;=:@-._~"),
        ("/%21%3b%3D", "/%21%3B%3D"),
        ("/a;x=1/b", "/a;x=1/b"),
        ("/a;/..", "/"),
        ("/..a;x", "/..a;x"),
        ("/...;x", "/...;x"),
        ("/%252f", "/%252f"),
        ("/%252e%252e/a", "/%252e%252e/a"),
        ("/%25252F", "/%25252F"),
        ("/%3f%23", "/%3F%23"),
        ("/%ff%FE%80", "/%FF%FE%80"),
        ("/a:b@c", "/a:b@c"),
        ("/*", "/*"),
    ];
    for (path, expected) in table {
        let found = canonical(path, EncodedSlash::Refuse);
        assert_eq!(found.as_deref(), Ok(expected), "{path}");
        assert!(path != expected || matches!(found, Ok(Cow::Borrowed(_))), "{path} was copied");
    }
}

#[test]
fn what_servers_disagree_about_is_refused() {
    use PathError::*;
    let table = [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a/b", NotAbsolute),
        ("http://a/b", NotAbsolute),
        ("%2Fa", NotAbsolute),
        ("/a%2fb", EncodedSlash),
        ("/a%2Fb", EncodedSlash),
        ("/..%2f..%2fetc", EncodedSlash),
        ("/a%5cb", Backslash),
        ("/a%5Cb", Backslash),
        ("/a\\b", Backslash),
        ("/..\\b", Backslash),
        ("/a%00", Control),
        ("/a\0", Control),
        ("/a%0d%0aHost:x", Control),
        ("/a%0A", Control),
        ("/a\r\n", Control),
        ("/a\tb", Control),
        ("/a%09b", Control),
        ("/a%1fb", Control),
        ("/a%7f", Control),
        ("/a\u{7f}", Control),
        ("/a#b", Fragment),
        ("/a?b", Query),
        ("/%", BadEscape),
        ("/%4", BadEscape),
        ("/%zz", BadEscape),
        ("/%4/", BadEscape),
        ("/%+4", BadEscape),
        ("/%u002e", BadEscape),
        ("/%%34%31", BadEscape),
        ("/%é", BadEscape),
        ("/a/..;/b", DotSegment),
        ("/;/b", DotSegment),
        ("/a/;x", DotSegment),
        ("/a/%3bx", DotSegment),
        ("/a/..;x=1/b", DotSegment),
        ("/.;/b", DotSegment),
        ("/a/..;", DotSegment),
        ("/a/%2e%2e;/b", DotSegment),
        ("/a/..%3b/b", DotSegment),
        ("/a/.%3Bx", DotSegment),
    ];
    for (path, error) in table {
        assert_eq!(canonical(path, super::EncodedSlash::Refuse), Err(error), "{path:?}");
        assert!(!error.to_string().is_empty() && error.reason().starts_with("path_"));
    }
}

#[test]
fn an_encoded_slash_that_is_kept_is_part_of_its_segment() {
    let table = [
        ("/a%2fb", Ok("/a%2Fb")),
        ("/a%2Fb/../c", Ok("/c")),
        ("/a%2F/b", Ok("/a%2F/b")),
        ("/%2f%2F", Ok("/%2F%2F")),
        ("/a%2f...", Ok("/a%2F...")),
        ("/..%2fa", Err(PathError::DotSegment)),
        ("/a%2f..", Err(PathError::DotSegment)),
        ("/a%2f../b", Err(PathError::DotSegment)),
        ("/a%2f.%2fb", Err(PathError::DotSegment)),
        ("/a/..%2f..", Err(PathError::DotSegment)),
        ("/a%2f..;x", Err(PathError::DotSegment)),
        ("/a%2f%2e%2e", Err(PathError::DotSegment)),
        ("/a%5cb", Err(PathError::Backslash)),
    ];
    for (path, expected) in table {
        assert_eq!(
            canonical(path, EncodedSlash::Keep).as_deref(),
            expected.as_ref().map(|path| *path),
            "{path}"
        );
    }
}

#[test]
fn empty_segments_that_are_kept_change_nothing_else() {
    let table = [
        ("//", "//"),
        ("/a//b", "/a//b"),
        ("///a////b//", "///a////b//"),
        ("/plain/https://host/a.jpg", "/plain/https://host/a.jpg"),
        ("/a/", "/a/"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a//.", "/a//"),
        ("/a/.//b", "/a//b"),
        ("/a//./b", "/a//b"),
        ("/a//..", "/a/"),
        ("/a//../b", "/a/b"),
        ("/a/..//b", "//b"),
        ("/a/b/../..//c", "//c"),
        ("//..", "/"),
        ("//../..//a", "//a"),
        ("/../a", "/a"),
        ("/%2e//%2E%2e/%41", "/A"),
    ];
    let rules = PathRules::default().keep_empty_segments();
    for (path, expected) in table {
        let found = canonical(path, rules);
        assert_eq!(found.as_deref(), Ok(expected), "{path}");
        assert!(path != expected || matches!(found, Ok(Cow::Borrowed(_))), "{path} was copied");
        assert_eq!(canonical(expected, rules).as_deref(), Ok(expected), "{path}");
    }
    for (path, error) in [
        ("/a//%2f", PathError::EncodedSlash),
        ("/a//\\", PathError::Backslash),
        ("/a//;x", PathError::DotSegment),
        ("/a//..;x", PathError::DotSegment),
    ] {
        assert_eq!(canonical(path, rules), Err(error), "{path}");
    }
    assert_eq!(rewritten("/a//b", rules).as_deref(), Ok("/a//b"));
    assert_eq!(rewritten("/a//../b", rules), Err(PathError::DotSegment));
}

#[test]
fn a_rewrite_must_not_make_a_dot_segment() {
    for path in ["/a/..", "/a/./b", "/a/%2e%2e/b", "/..", "/.//a"] {
        assert_eq!(rewritten(path, EncodedSlash::Keep), Err(PathError::DotSegment), "{path}");
    }
    assert_eq!(rewritten("/a//b%2f..c", EncodedSlash::Keep).as_deref(), Ok("/a/b%2F..c"));
}

#[test]
fn a_path_without_its_parameters_is_what_stands_before_them() {
    for (path, expected) in [
        ("/", None),
        ("/a/b", None),
        ("/a%20b", None),
        ("/a%3", None),
        ("/a;", Some("/a")),
        ("/a;x", Some("/a")),
        ("/a%3Bx", Some("/a")),
        ("/a;x%3By/b", Some("/a/b")),
        ("/a%3Bx;y/b", Some("/a/b")),
        ("/a;x/b;y/", Some("/a/b/")),
        ("/a%20;x/b%20c", Some("/a%20/b%20c")),
        (";", Some("")),
    ] {
        assert_eq!(without_parameters(path).as_deref(), expected, "{path}");
    }
}

#[test]
fn an_escape_stands_for_the_byte_of_its_two_digits() {
    for byte in 0..=u8::MAX {
        for digits in [format!("{byte:02x}"), format!("{byte:02X}z")] {
            assert_eq!(unescape(digits.as_bytes()), Some(byte), "{digits}");
        }
    }
    for digits in ["", "4", "4g", "g4", "+4", " 4"] {
        assert_eq!(unescape(digits.as_bytes()), None, "{digits}");
    }
}

#[test]
fn a_replaced_path_keeps_the_query_byte_for_byte() {
    let table = [
        ("/a", "/b"),
        ("/a?", "/b?"),
        ("/a?x=%2f&&y=//..?é", "/b?x=%2f&&y=//..?é"),
        ("http://h.test:81/a?x", "http://h.test:81/b?x"),
        ("*", "/b"),
    ];
    for (uri, expected) in table {
        let mut uri: Uri = uri.parse().expect(uri);
        assert_eq!(replace(&mut uri, "/b"), Ok(()));
        assert_eq!(uri.to_string(), expected);
    }
    let mut authority: Uri = "h.test:443".parse().expect("authority form");
    assert_eq!(replace(&mut authority, "/b"), Err(PathError::NotAbsolute));
    let mut long: Uri = "/a?x".parse().expect("a URI");
    assert_eq!(replace(&mut long, &format!("/{}", "a".repeat(70_000))), Err(PathError::TooLong));
    assert_eq!((authority.to_string(), long.to_string()), ("h.test:443".to_owned(), "/a?x".to_owned()));
}

/// Paths made of the pieces that servers disagree about, and any text beside them.
fn paths() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/", "//", ".", "..", "%2e", "%2E%2e", "%2f", "%2F", "%5c", "\\", ";", ";x=1", "%3b", "%25", "%252f",
        "%00", "%0d", "a", "b.", ".c", "%41", "%7E", "é", "%c3%a9", "%ff", "#", "?", "%", "%4", " ", "~", "{",
        "\u{7f}", "\n",
    ]);
    let piece = prop_oneof![9 => pieces.prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn the_canonical_form_is_canonical_and_safe(path in paths(), keep in any::<bool>()) {
        let slash = if keep { EncodedSlash::Keep } else { EncodedSlash::Refuse };
        if let Ok(found) = canonical(&path, slash) {
            let again = canonical(&found, slash);
            prop_assert_eq!(again.as_deref(), Ok(&*found));
            prop_assert!(matches!(again, Ok(Cow::Borrowed(_))));
            let after_a_rewrite = rewritten(&found, slash);
            prop_assert_eq!(after_a_rewrite.as_deref(), Ok(&*found));

            prop_assert!(found.starts_with('/') && found.is_ascii());
            prop_assert!(!found.contains("//"));
            let forbidden = |byte: u8| byte <= b' ' || b"\\#?\"<>{}|^`\x7f".contains(&byte);
            prop_assert!(!found.bytes().any(forbidden), "{}", found);
            prop_assert!(keep || !found.contains("%2F"));
            for bad in ["%2f", "%5C", "%5c", "%00", "%0D", "%0A", "%2E"] {
                prop_assert!(!found.contains(bad), "{}", found);
            }
            // What a server sees that decodes slashes and cuts parameters off.
            for segment in found.replace("%2F", "/").split('/') {
                let name = segment.split(';').next().unwrap_or_default();
                prop_assert!(!matches!(name, "." | ".."), "{}", found);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(path in any::<String>()) {
        let _ = canonical(&path, EncodedSlash::Keep);
        let _ = canonical(&format!("/{path}"), EncodedSlash::Refuse);
    }
}
