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
    for (bytes, expected) in [
        ("1 1\r\n", Violation::CHUNK_EXTENSION),
        ("1;\x01\r\n", Violation::CHUNK_EXTENSION),
        ("1;\u{e9}\r\n", Violation::CHUNK_EXTENSION),
        // White space alone is no size, not even that of a last chunk.
        (" 1\r\n", Violation::CHUNK_SIZE),
        (" \r\n", Violation::CHUNK_SIZE),
        ("\t\r\n", Violation::CHUNK_SIZE),
        (" ;a\r\n", Violation::CHUNK_SIZE),
        (";a\r\n", Violation::CHUNK_SIZE),
    ] {
        assert_eq!(decode(&rules, bytes.as_bytes(), 100), Err(expected), "{bytes:?}");
        assert_eq!(decode(&rules, bytes.as_bytes(), 1), Err(expected), "{bytes:?}");
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

/// Whether what follows the digits of a size line is sound, read by the grammar and not by states (RFC 9112, section
/// 7.1.1): `*( ";" BWS name [ BWS "=" BWS ( token / quoted-string ) BWS ] )`, and white space after a name before `=` or
/// `;` alone.
fn are_extensions(mut rest: &[u8]) -> bool {
    let white = |bytes: &[u8]| bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let token = |bytes: &[u8]| {
        bytes
            .iter()
            .take_while(|byte| b"!#$%&'*+-.^_`|~".contains(byte) || byte.is_ascii_alphanumeric())
            .count()
    };
    let text = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
    while let [b';', after @ ..] = rest {
        rest = &after[white(after)..];
        let name = token(rest);
        if name == 0 {
            return false;
        }
        rest = &rest[name..];
        let padding = white(rest);
        match rest.get(padding) {
            Some(b'=') => rest = &rest[padding + 1..],
            Some(b';') => {
                rest = &rest[padding..];
                continue;
            }
            None => return padding == 0,
            Some(_) => return false,
        }
        rest = &rest[white(rest)..];
        if let [b'"', quoted @ ..] = rest {
            rest = quoted;
            loop {
                rest = match rest {
                    [b'"', after @ ..] => break rest = after,
                    [b'\\', escaped, after @ ..] if text(*escaped) => after,
                    [b'\\', ..] => return false,
                    [byte, after @ ..] if text(*byte) => after,
                    _ => return false,
                };
            }
        } else if token(rest) == 0 {
            return false;
        } else {
            rest = &rest[token(rest)..];
        }
        rest = &rest[white(rest)..];
    }
    rest.is_empty()
}

/// The same for the lenient: white space, then perhaps a semicolon and any text.
fn are_lenient_extensions(line: &[u8]) -> bool {
    let rest = &line[line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..];
    match rest {
        [] => true,
        [b';', rest @ ..] => rest.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')),
        _ => false,
    }
}

#[test]
fn extensions_are_what_their_grammar_says_and_nothing_else() {
    let symbols: Vec<&[u8]> = vec![b";", b"z", b"=", b" ", b"\t", b"\"", b"\\", b"[", b"\x01", b"\xff"];
    let mut lines: Vec<Vec<u8>> = vec![vec![]];
    let mut longest = lines.clone();
    for _ in 0..4 {
        longest =
            longest.iter().flat_map(|line| symbols.iter().map(|symbol| [&line[..], symbol].concat())).collect();
        lines.extend_from_slice(&longest);
    }
    let (mut sound, mut lenient) = (0, 0);
    for start in [&b""[..], b";z", b";z=", b";z=\"", b";z=\"\\"] {
        for line in &lines {
            let line = [start, line].concat();
            let body = [b"1", &line[..], b"\r\nx\r\n0\r\n"].concat();
            let strict = decode(&Rules::default(), &body, body.len());
            assert_eq!(strict.is_ok(), are_extensions(&line), "{} {strict:?}", line.escape_ascii());
            let loose = decode(&Rules::for_responses(), &body, body.len());
            assert_eq!(loose.is_ok(), are_lenient_extensions(&line), "{} {loose:?}", line.escape_ascii());
            for result in [&strict, &loose] {
                assert!(
                    result.as_ref().is_ok_and(|read| *read == (b"x".to_vec(), body.len())) || result.is_err()
                );
            }
            sound += usize::from(strict.is_ok());
            lenient += usize::from(loose.is_ok());
        }
    }
    assert!(sound > 500 && lenient > 5_000, "{sound} and {lenient}");
}

#[test]
fn each_character_is_text_or_not_in_a_quoted_extension() {
    for byte in 0..=u8::MAX {
        let body = [&b"1;a=\"x"[..], &[byte], b"y\"\r\nx\r\n0\r\n"].concat();
        // A backslash takes the next character with it, and a quotation mark ends the string.
        let sound = matches!(byte, b'\t' | b' '..=b'~') && byte != b'"';
        assert_eq!(decode(&Rules::default(), &body, body.len()).is_ok(), sound, "{byte:#x}");
    }
}

#[test]
fn a_size_line_and_the_extensions_of_a_body_are_held_to_their_bounds() {
    let line = |length: usize| [&b"1;"[..], &vec![b'a'; length - 1], b"\r\nx\r\n"].concat();
    let read = |rules: &Rules, body: &[u8], piece| decode(rules, body, piece).map(|(data, _)| data.len());
    for rules in [Rules::default(), Rules::for_responses()] {
        for piece in [1, 7, 5000] {
            // From the semicolon on, 1024 bytes.
            assert_eq!(read(&rules, &[&line(1024)[..], b"0\r\n"].concat(), piece), Ok(1));
            assert_eq!(read(&rules, &line(1025), piece), Err(Violation::CHUNK_LINE_TOO_LONG));

            let rules = Rules { max_extensions: 30, ..rules };
            let too_long = Err(Violation::CHUNK_EXTENSIONS_TOO_LONG);
            assert_eq!(read(&rules, &[&line(10).repeat(3)[..], b"0\r\n"].concat(), piece), Ok(3));
            assert_eq!(read(&rules, &[&line(10).repeat(3)[..], b"0;a\r\n"].concat(), piece), too_long);
            assert_eq!(read(&rules, &[&line(30)[..], b"0\r\n"].concat(), piece), Ok(1));
            assert_eq!(read(&rules, &line(31), piece), too_long);
        }
    }
}

#[test]
fn a_size_is_sixteen_digits_and_a_signed_number_at_most() {
    let first = |size: &str, piece: usize| {
        let mut chunks = Chunks::new();
        for part in format!("{size}\r\n").into_bytes().chunks_mut(piece) {
            chunks.decode(part, &Rules::default())?;
        }
        Ok::<_, Violation>(chunks.left())
    };
    for piece in [1, 2, 5, 100] {
        for (size, expected) in [
            ("1", Ok(1)),
            ("9", Ok(9)),
            ("a", Ok(10)),
            ("F", Ok(15)),
            ("10", Ok(16)),
            ("1f", Ok(31)),
            ("aBc", Ok(0xabc)),
            ("12345678", Ok(0x1234_5678)),
            ("000000000000000f", Ok(15)),
            ("123456789abcdef", Ok(0x0123_4567_89ab_cdef)),
            ("7fffffffffffffff", Ok(i64::MAX as u64)),
            ("8000000000000000", Err(Violation::CHUNK_SIZE)),
            ("ffffffffffffffff", Err(Violation::CHUNK_SIZE)),
            ("0000000000000000f", Err(Violation::CHUNK_LINE_TOO_LONG)),
        ] {
            assert_eq!(first(size, piece), expected, "{size} in pieces of {piece}");
        }
    }
}

#[test]
fn what_is_left_of_a_chunk_is_known_within_its_data_alone() {
    let mut chunks = Chunks::new();
    let mut expected = vec![0, 0, 0, 0x12];
    expected.extend((0..0x12).rev());
    expected.extend([0, 0, 0, 0, 3, 2, 1, 0, 0, 0, 0, 0, 0]);
    let bytes = b"12\r\n0123456789abcdefgh\r\n3\r\nxyz\r\n0\r\n";
    assert_eq!(bytes.len(), expected.len());
    for (at, (byte, expected)) in bytes.iter().zip(expected).enumerate() {
        let decoded = chunks.decode(&mut [*byte], &Rules::default()).expect("sound");
        assert_eq!(decoded.used, 1);
        assert_eq!((chunks.left(), chunks.is_done()), (expected, at + 1 == bytes.len()), "after byte {at}");
    }
}

#[test]
fn data_that_looks_like_chunks_is_data() {
    let data = b"1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n;a=b\r\n5";
    let tiny = b"3\r\n1\r\n\r\n";
    for chunks in [&[&data[..]][..], &[b"ab", data, b"\r\n1", data], &[data, data], &[b"\r\n", b"1\r\n", b"\n"]]
    {
        let mut bytes = Vec::new();
        for chunk in chunks {
            bytes.extend([tiny, format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
        }
        bytes.extend(b"0\r\n");
        let expected: Vec<u8> = chunks.iter().flat_map(|chunk| [b"1\r\n", *chunk].concat()).collect();
        for piece in 1..=bytes.len() {
            assert_eq!(
                decode(&Rules::default(), &bytes, piece),
                Ok((expected.clone(), bytes.len())),
                "{piece}"
            );
        }
    }
}

#[test]
fn data_is_moved_together_up_to_512_bytes_of_a_chunk() {
    for (size, together) in [(511, true), (512, true), (513, false)] {
        let mut bytes = b"1\r\nx\r\n".to_vec();
        bytes.extend(format!("{size:x}\r\n").into_bytes());
        bytes.extend(vec![b'y'; size]);
        bytes.extend(b"\r\n0\r\n");
        let mut chunks = Chunks::new();
        let decoded = chunks.decode(&mut bytes, &Rules::default()).expect("sound");
        let line = format!("{size:x}\r\n").len();
        let expected = match together {
            true => Decoded { before: 3, data: 1 + size, used: 6 + line + size + 5 },
            false => Decoded { before: 3, data: 1, used: 6 + line },
        };
        assert_eq!(decoded, expected, "{size}");
        assert!(bytes[3..].starts_with(&[b"x", &vec![b'y'; if together { size } else { 0 }][..]].concat()));
        assert_eq!((chunks.is_done(), chunks.left()), (together, if together { 0 } else { size as u64 }));
        // The large one is given away from where it lies.
        if !together {
            let decoded = chunks.decode(&mut bytes[6 + line..], &Rules::default()).expect("sound");
            assert_eq!(decoded, Decoded { before: 0, data: size, used: size + 5 });
        }
    }
}

#[test]
fn small_chunks_are_moved_in_one_pass_as_far_as_they_are_whole() {
    for (bytes, end, expected, moved) in [
        (&b"1\r\na\r\n2\r\nbc\r\n"[..], 0, (13, 3), &b"abc"[..]),
        (b"##f\r\n0123456789abcde\r\nA\r\n0123456789\r\n", 1, (37, 26), b"#0123456789abcde0123456789"),
        // What stops it: the last chunk, a longer size, an extension, a wrong end, a chunk that is not whole.
        (b"1\r\na\r\n0\r\n", 0, (6, 1), b"a"),
        (b"1\r\na\r\n10\r\n", 0, (6, 1), b"a"),
        (b"1\r\na\r\n1;a\r\nb\r\n", 0, (6, 1), b"a"),
        (b"1\r\na\r\n1\r\nbX\r", 0, (6, 1), b"a"),
        (b"1\r\na\r\n1\r\nb\r", 0, (6, 1), b"a"),
        (b"1\r\na\r\n1\r\n", 0, (6, 1), b"a"),
        (b"1\r\na\r\ng\r\nb\r\n", 0, (6, 1), b"a"),
        (b"", 0, (0, 0), b""),
    ] {
        let (mut bytes, used) = (bytes.to_vec(), if bytes.starts_with(b"##") { 2 } else { 0 });
        assert_eq!(move_small(&mut bytes, used, end), expected, "{}", bytes.escape_ascii());
        assert!(bytes.starts_with(moved), "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_plain_size_line_is_read_at_once() {
    for (bytes, expected) in [
        (&b"0\r\n"[..], Some((0, 3))),
        (b"5\r\nhello", Some((5, 3))),
        (b"fE3\r\n", Some((0xfe3, 5))),
        (b"fffffffffffffff\r\n", Some((0x0fff_ffff_ffff_ffff, 17))),
        // The slow way judges all others.
        (b"1000000000000000\r\n", None),
        (b"\r\n", None),
        (b"", None),
        (b"5", None),
        (b"5\r", None),
        (b"5\n", None),
        (b"5;a\r\n", None),
        (b"g\r\n", None),
    ] {
        assert_eq!(plain_size(bytes), expected, "{}", bytes.escape_ascii());
    }
    let mut chunks = Chunks::new();
    let rules = Rules::default();
    assert_eq!(chunks.step(b"5\r\nhello\r\n", &rules), Ok(3));
    chunks.at = Place::DataCr;
    assert_eq!((chunks.step(b"\r\n5", &rules), chunks.at), (Ok(2), START), "and so is the end of data");
}
