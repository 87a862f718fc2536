use proptest::prelude::*;

use super::*;

/// Decodes bytes that come in these pieces. Gives the data and how many bytes were used.
fn decode(rules: &Rules, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Violation> {
    let mut chunks = Chunks::new();
    let (mut data, mut used) = (Vec::new(), 0);
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() && !chunks.is_done() {
            let decoded = chunks.decode(rest, rules)?;
            data.extend_from_slice(&rest[decoded.before..decoded.before + decoded.data]);
            used += decoded.used;
            rest = &mut rest[decoded.used..];
        }
    }
    assert!(chunks.is_done(), "{:?} after {}", chunks.at, bytes.escape_ascii());
    Ok((data, used))
}

fn whole(bytes: &[u8]) -> Result<usize, Violation> {
    let at_once = decode(&Rules::default(), bytes, bytes.len());
    for piece in 1..bytes.len().min(9) {
        assert_eq!(decode(&Rules::default(), bytes, piece), at_once, "{}", bytes.escape_ascii());
    }
    at_once.map(|(_, used)| used)
}

#[test]
fn chunks_end_with_the_last_one() {
    assert_eq!(whole(b"0\r\n\r\n"), Ok(3));
    assert_eq!(whole(b"5\r\nhello\r\n00;a=\"b\"\r\nx"), Ok(20));
    assert_eq!(whole(b"1;\ta\r\nx\r\n0\r\n"), Ok(12));
    for extensions in [";a", ";a=b", ";a=\"b;\\\"c\r\"", "; a = b ; c", ";a=\"\";b", ";!#$=~"] {
        if extensions.contains('\r') {
            continue;
        }
        let body = format!("1{extensions}\r\nx\r\n0{extensions}\r\n");
        assert_eq!(whole(body.as_bytes()), Ok(body.len()), "{extensions}");
    }
}

#[test]
fn a_malformed_chunk_is_found_where_it_stands() {
    for (bytes, expected) in [
        (&b"\r\n"[..], Violation::CHUNK_SIZE),
        (b"x\r\n", Violation::CHUNK_SIZE),
        (b"0x5\r\n", Violation::CHUNK_SIZE),
        (b"+5\r\n", Violation::CHUNK_SIZE),
        (b"-1\r\n", Violation::CHUNK_SIZE),
        (b" 5\r\n", Violation::CHUNK_SIZE),
        (b"5 \r\n", Violation::CHUNK_SIZE),
        (b"5_0\r\n", Violation::CHUNK_SIZE),
        (b"5\n", Violation::CHUNK_SIZE),
        (b"5\rx", Violation::CHUNK_SIZE),
        (b";a\r\n", Violation::CHUNK_SIZE),
        (b"8000000000000000\r\n", Violation::CHUNK_SIZE),
        (b"00000000000000005\r\n", Violation::CHUNK_LINE_TOO_LONG),
        (b"5;a\nhello\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a\0\r\n", Violation::CHUNK_EXTENSION),
        (b"5;\xff\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a=\"\xff\"\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a\rx", Violation::CHUNK_SIZE),
        (b"5;\r\n", Violation::CHUNK_EXTENSION),
        (b"5;;a\r\n", Violation::CHUNK_EXTENSION),
        (b"5;bad[=x\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a=\"x\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a=\"x\"y\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a=\r\n", Violation::CHUNK_EXTENSION),
        (b"5;=a\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a b\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a=b c\r\n", Violation::CHUNK_EXTENSION),
        (b"5;a \r\n", Violation::CHUNK_EXTENSION),
        (b"5\r\nhelloX", Violation::CHUNK_END),
        (b"5\r\nhello\n", Violation::CHUNK_END),
        (b"5\r\nhello\rX", Violation::CHUNK_END),
    ] {
        assert_eq!(whole(bytes), Err(expected), "{:?}", String::from_utf8_lossy(bytes));
    }
    let long = [b"5;", &[b'a'; 1025][..], b"\r\n"].concat();
    assert_eq!(whole(&long), Err(Violation::CHUNK_LINE_TOO_LONG));
}

#[test]
fn endpoints_may_pad_and_extend_as_they_like() {
    let rules = Rules::for_responses();
    for bytes in ["1  \r\nx\r\n0\r\n", "1 \t;;[\r\nx\r\n0;\r\n"] {
        assert_eq!(decode(&rules, bytes.as_bytes(), 100), Ok((b"x".to_vec(), bytes.len())), "{bytes}");
    }
    for bytes in ["1 1\r\n", "1;\x01\r\n", "1;\u{e9}\r\n", " 1\r\n"] {
        assert!(decode(&rules, bytes.as_bytes(), 100).is_err(), "{bytes}");
    }
}

#[test]
fn extensions_are_bounded_in_all() {
    for rules in [Rules::default(), Rules::for_responses()] {
        let line = [b"1;", &vec![b'a'; 1000][..], b"\r\nx\r\n"].concat();
        let body = |lines| [&line.repeat(lines)[..], b"0\r\n"].concat();
        assert!(decode(&rules, &body(16), 9000).is_ok());
        assert_eq!(decode(&rules, &body(17), 9000), Err(Violation::CHUNK_EXTENSIONS_TOO_LONG));
    }
}

proptest! {
    #[test]
    fn data_is_the_same_however_it_is_chunked_and_however_it_comes(
        chunks in prop::collection::vec((prop_oneof![1..20_usize, 1..1500_usize], "(;[a-z]{1,5}(=[a-z]{1,5})?)?"), 0..20),
        piece in 1..9000_usize,
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (at, (size, extension)) in chunks.into_iter().enumerate() {
            let data = vec![u8::try_from(at).expect("few"); size];
            bytes.extend_from_slice(format!("{size:x}{extension}\r\n").as_bytes());
            bytes.extend_from_slice(&data);
            bytes.extend_from_slice(b"\r\n");
            expected.extend_from_slice(&data);
        }
        bytes.extend_from_slice(b"0\r\n");
        prop_assert_eq!(decode(&Rules::default(), &bytes, piece), Ok((expected, bytes.len())));
    }
}
