use super::*;

/// Where the fields of a head stand, found the plain way.
fn spans(head: &[u8]) -> Vec<FieldSpan> {
    let text = std::str::from_utf8(head).expect("text");
    let (mut spans, mut at) = (Vec::new(), 0);
    for line in text.split("\r\n") {
        if let Some((name, value)) = line.split_once(':').filter(|_| at > 0) {
            let value_at = at + name.len() + 1 + value.len() - value.trim_start_matches([' ', '\t']).len();
            let value = value.trim_matches([' ', '\t']);
            spans.push(FieldSpan { name: at..at + name.len(), value: value_at..value_at + value.len() });
        }
        at += line.len() + 2;
    }
    spans
}

fn role(name: &[u8], value: &[u8]) -> Role {
    match name {
        b"content-length" => Role::Length,
        b"host" => Role::Framing,
        b"connection" if value == b"close" => Role::Unmapped,
        _ => Role::Other,
    }
}

fn kept(head: &str) -> Option<KeptHead> {
    KeptHead::new(head.as_bytes(), &spans(head.as_bytes()), role)
}

const HEAD: &str = "S\r\nhost: a\r\nx: 1\r\nconnection: close\r\ncontent-length: 3\r\ny: 2\r\nz: 3\r\n\r\n";

/// The length of a head, the value of its length where that differs, and its fields.
type Compared = (usize, Option<String>, Vec<(String, String)>);

/// What is made of a head that resembles the one kept.
fn compare(kept: &KeptHead, received: &str, at: usize) -> Option<Compared> {
    let changes = kept.compare(received.as_bytes(), at)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let length = kept.changed_length(received.as_bytes(), &changes).map(text);
    let headers = kept.headers(&Bytes::copy_from_slice(received.as_bytes()), &changes);
    let fields = headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    Some((changes.length, length, fields))
}

fn fields(values: [&str; 5]) -> Vec<(String, String)> {
    let names = ["host", "x", "content-length", "y", "z"];
    names.iter().zip(values).map(|(name, value)| (name.to_string(), value.to_owned())).collect()
}

#[test]
fn a_head_that_resembles_the_one_kept_gives_its_own_values() {
    let kept = kept(HEAD).expect("it is kept");
    assert_eq!(kept.start_line(), b"S\r\n");
    let same = fields(["a", "1", "3", "2", "3"]);
    for start in ["S\r\n", "another start line\r\n", ""] {
        let head = |from: &str, to: &str| format!("{start}{}", HEAD[3..].replacen(from, to, 1));
        for (from, to, length, expected) in [
            ("", "", None, same.clone()),
            ("x: 1", "x: two", None, fields(["a", "two", "3", "2", "3"])),
            ("x: 1", "x:\t \t1 2 \t", None, fields(["a", "1 2", "3", "2", "3"])),
            ("x: 1", "x:1", None, same.clone()),
            ("x: 1", "x:", None, fields(["a", "", "3", "2", "3"])),
            ("x: 1", "x: \t ", None, fields(["a", "", "3", "2", "3"])),
            ("x: 1", "x: \u{e9}", None, fields(["a", "\u{e9}", "3", "2", "3"])),
            ("x: 1", "x: a\tb", None, fields(["a", "a\tb", "3", "2", "3"])),
            ("z: 3", "z: 33", None, fields(["a", "1", "3", "2", "33"])),
            ("length: 3", "length:  44 ", Some("44"), fields(["a", "1", "44", "2", "3"])),
            (
                "1\r\nconnection: close\r\ncontent-length: 3\r\ny: 2",
                "11\r\nconnection: close\r\ncontent-length: 5\r\ny: 22",
                Some("5"),
                fields(["a", "11", "5", "22", "3"]),
            ),
            ("2\r\nz: 3", "22\r\nz: 33", None, fields(["a", "1", "3", "22", "33"])),
        ] {
            let head = head(from, to);
            let expected = Some((head.len(), length.map(str::to_owned), expected));
            assert_eq!(compare(&kept, &head, start.len()), expected, "{head:?}");
            assert_eq!(compare(&kept, &format!("{head}what follows"), start.len()), expected, "{head:?}");
        }
        for (from, to) in [
            // These fields say where the message goes or ends.
            ("host: a", "host: b"),
            ("close", "keep-alive"),
            // Others lines, other places, more and fewer of them.
            ("x: 1", "X: 1"),
            ("x: 1", "w: 1"),
            ("x: 1\r\n", ""),
            ("z: 3\r\n", ""),
            ("x: 1\r\n", "x: 1\r\nw: 1\r\n"),
            ("z: 3\r\n", "z: 3\r\nw: 1\r\n"),
            ("z: 3\r\n", "z: 3\r\n\n"),
            ("z: 3\r\n\r\n", "z: 4\r\n\r"),
            ("z: 3\r\n\r\n", "z: 4\r\n"),
            // What the long way refuses.
            ("x: 1\r\n", "x: 2\n"),
            ("x: 1\r\n", "x:\n"),
            ("x: 1\r\n", "x: 1\r"),
            ("x: 1", "x: \0"),
            ("x: 1", "x: \u{7f}"),
            ("x: 1", "x: a\rb"),
            ("x: 1", "x: a\u{1f}"),
        ] {
            let head = head(from, to);
            assert_eq!(compare(&kept, &head, start.len()), None, "{head:?}");
        }
    }
    assert_eq!(compare(&kept, HEAD, HEAD.len() + 1), None, "it has no such place");
    for end in 0..HEAD.len() {
        assert_eq!(compare(&kept, &HEAD[..end].replace("x: 1", "x: 2"), 3.min(end)), None, "{end}");
    }
}

#[test]
fn sixteen_values_of_a_head_may_change() {
    let head = |value: &str, changed: usize| {
        let field = |place| format!("x-{place}: {}\r\n", if place < changed { value } else { "a" });
        format!("S\r\n{}\r\n", (0..20).map(field).collect::<String>())
    };
    let kept = kept(&head("a", 0)).expect("it is kept");
    for (changed, taken) in [(1, true), (15, true), (16, true), (17, false), (20, false)] {
        let read = compare(&kept, &head("b", changed), 3);
        let expected =
            (0..20).map(|place| (format!("x-{place}"), if place < changed { "b" } else { "a" }.to_owned()));
        let expected = taken.then(|| (head("b", changed).len(), None, expected.collect()));
        assert_eq!(read, expected, "{changed}");
    }
}

#[test]
fn a_head_of_four_kibibytes_with_no_field_twice_is_kept() {
    let long = |length: usize| {
        let rest = "S\r\nx: \r\n\r\n".len();
        format!("S\r\nx: {}\r\n\r\n", "a".repeat(length - rest))
    };
    assert!(kept(&long(4096)).is_some() && kept(&long(4097)).is_none());
    assert!(kept("S\r\n\r\n").is_none(), "without a field nothing is won");
    for twice in ["S\r\nx: 1\r\nx: 2\r\n\r\n", "S\r\nx: 1\r\ny: 2\r\nX: 1\r\n\r\n"] {
        assert!(kept(twice).is_none(), "{twice:?}");
    }
    // What does not stand in the map may come twice, and still decides.
    let twice =
        kept("S\r\nconnection: close\r\nx: 1\r\nconnection: close\r\ny: 2\r\n\r\n").expect("it is kept");
    let changed = "S\r\nconnection: close\r\nx: 3\r\nconnection: close\r\ny: 4\r\n\r\n";
    let values = [("x", "3"), ("y", "4")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(compare(&twice, changed, 3), Some((changed.len(), None, values.to_vec())));
}

#[test]
fn layers_may_add_eight_fields_to_a_map_that_does_not_grow() {
    let kept = kept(HEAD).expect("it is kept");
    for head in [HEAD.to_owned(), HEAD.replace("x: 1", "x: 2")] {
        let changes = kept.compare(head.as_bytes(), 3).expect("it resembles");
        let headers = kept.headers(&Bytes::from(head), &changes);
        assert!(headers.capacity() >= headers.len() + 8, "{}", headers.capacity());
    }
}

#[test]
fn a_line_ends_in_crlf() {
    for (bytes, length) in [
        (&b"\r\n"[..], Some(2)),
        (b"a\r\n", Some(3)),
        (b"ab\r\ncd\r\n", Some(4)),
        (b"a\r\r\n", Some(4)),
        (b"", None),
        (b"\n", None),
        (b"a\n", None),
        (b"a\nb\r\n", None),
        (b"\r", None),
        (b"a", None),
    ] {
        assert_eq!(line_length(bytes), length, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_value_is_trimmed_within_its_place() {
    for (text, place, expected) in [
        ("x a y", 1..4, 2..3),
        ("x:\t a b \t;", 2..9, 4..7),
        ("x:ab;", 2..4, 2..4),
        ("x: \t ;", 2..5, 5..5),
        ("x:;", 2..2, 2..2),
        (" a ", 0..3, 1..2),
    ] {
        assert_eq!(trimmed(text.as_bytes(), place), expected, "{text:?}");
    }
}

fn numbered(number: usize) -> Option<(KeptHead, usize)> {
    Some((kept(&format!("S\r\nx-{number}: 1\r\n\r\n"))?, number))
}

#[test]
fn the_more_seldom_a_head_fits_the_more_seldom_one_is_kept() {
    let kept = |mut cache: HeadCache<usize, 1>, makes: bool| {
        let mut kept = Vec::new();
        for number in 0..330 {
            cache.keep(|| {
                kept.push(number);
                numbered(number).filter(|_| makes)
            });
        }
        assert_eq!(cache.kept.len(), usize::from(makes));
        kept
    };
    // Each time twice as many pass and one more, up to 63.
    let places = [0, 2, 6, 14, 30, 62, 126, 190, 254, 318];
    assert_eq!(kept(HeadCache::after(0), true), places);
    assert_eq!(kept(HeadCache::after(0), false), places);
    assert_eq!(kept(HeadCache::after(3), true), places.map(|place| place + 3));
}

#[test]
fn a_head_that_fits_makes_the_cache_less_patient() {
    let mut cache = HeadCache::<usize, 1>::after(0);
    let keep = |cache: &mut HeadCache<usize, 1>| {
        let mut made = false;
        cache.keep(|| {
            made = true;
            numbered(1)
        });
        made
    };
    let kept: Vec<_> = (0..14).map(|_| keep(&mut cache)).collect();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 3);
    assert_eq!((cache.skip, cache.backoff), (0, 7));
    for backoff in [6, 5, 4] {
        assert!(cache.find(|_, number| (*number == 1).then_some(())).is_some());
        assert_eq!(cache.backoff, backoff);
    }
    assert!(cache.find(|_, _| None::<()>).is_none());
    assert_eq!(cache.backoff, 4, "only one that fits does");
    assert!(keep(&mut cache));
    assert_eq!((cache.skip, cache.backoff), (9, 9));
    for _ in 0..20 {
        cache.find(|_, _| Some(()));
    }
    assert_eq!(cache.backoff, 0);
}

#[test]
fn heads_are_kept_side_by_side_and_then_in_turn() {
    let mut cache = HeadCache::<usize, 3>::after(0);
    assert!(cache.newest().is_none() && cache.find(|_, _| Some(())).is_none());
    let asked = |cache: &mut HeadCache<usize, 3>, wanted: usize| {
        let asked = std::cell::RefCell::new(Vec::new());
        let found = cache.find(|kept, number| {
            assert_eq!(&*kept.text, format!("S\r\nx-{number}: 1\r\n\r\n").as_bytes());
            asked.borrow_mut().push(*number);
            (*number == wanted).then(|| wanted * 10)
        });
        if let Some((kept, number, ten)) = found {
            assert_eq!((*number, ten), (wanted, wanted * 10));
            assert_eq!(&*kept.text, format!("S\r\nx-{wanted}: 1\r\n\r\n").as_bytes());
            assert_eq!(cache.newest(), Some(format!("S\r\nx-{wanted}: 1\r\n\r\n").as_bytes()));
        }
        asked.into_inner()
    };
    let keep = |cache: &mut HeadCache<usize, 3>, number| {
        cache.skip = 0;
        cache.keep(|| numbered(number));
    };
    for (number, kept) in
        [(1, vec![1]), (2, vec![2, 1]), (3, vec![3, 1, 2]), (4, vec![4, 2, 3]), (5, vec![5, 4, 3])]
    {
        keep(&mut cache, number);
        assert_eq!(asked(&mut cache, 0), kept, "the newest is asked first");
        assert_eq!(cache.kept.len(), kept.len());
    }
    assert_eq!(asked(&mut cache, 3), [5, 4, 3]);
    assert_eq!(asked(&mut cache, 4), [3, 4], "the one that fitted last is asked first");
    assert_eq!(asked(&mut cache, 4), [4]);
    keep(&mut cache, 6);
    assert_eq!(asked(&mut cache, 0), [6, 4, 3], "the one after it goes");
}
