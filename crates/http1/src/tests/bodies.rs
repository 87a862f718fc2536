//! Bodies: where they end, and what their readers and writers say of them.

use http::{HeaderName, HeaderValue};

use super::*;

fn read_trailers(rules: &Rules, section: &[u8], piece: usize) -> Result<(HeaderMap, usize), Violation> {
    let mut body = BodyReader::new(BodyLength::Chunked);
    let mut received = BytesMut::from(&b"0\r\n"[..]);
    assert_eq!(body.next(&mut received, rules), Ok(Piece::More(0)));
    assert!(!body.has_more_data() && !body.is_ended() && body.left().is_none());
    for piece in section.chunks(piece) {
        received.extend_from_slice(piece);
        match body.next(&mut received, rules)? {
            Piece::More(wanted) => assert_eq!(wanted, 0),
            Piece::Trailers(map) => {
                assert!(body.is_ended() && !map.is_empty());
                return Ok((map, received.len()));
            }
            Piece::End => {
                assert!(body.is_ended());
                return Ok((HeaderMap::new(), received.len()));
            }
            Piece::Data(data) => panic!("{data:?}"),
        }
        assert!(!body.close(), "the section is not whole");
    }
    Ok((HeaderMap::new(), usize::MAX))
}

#[test]
fn a_body_that_has_a_length_ends_after_it() {
    assert!(BodyLength::None.is_none());
    for length in [BodyLength::Known(1), BodyLength::Chunked, BodyLength::UntilClose] {
        assert!(!length.is_none(), "{length:?}");
    }
    assert_eq!((BodyLength::known(0), BodyLength::known(1)), (BodyLength::None, BodyLength::Known(1)));

    let (rules, mut received) = (Rules::default(), BytesMut::new());
    let mut body = BodyReader::new(BodyLength::Known(5));
    assert_eq!(
        (body.left(), body.has_more_data(), body.is_ended(), body.close()),
        (Some(5), true, false, false)
    );
    assert_eq!(body.next(&mut received, &rules), Ok(Piece::More(5)));
    received.extend_from_slice(b"ab");
    assert_eq!(body.next(&mut received, &rules), Ok(Piece::Data("ab".into())));
    assert_eq!((body.left(), body.next(&mut received, &rules)), (Some(3), Ok(Piece::More(3))));
    received.extend_from_slice(b"cdeGET");
    assert!(!body.close() && body.has_more_data(), "a connection that ends does not end it");
    assert_eq!(body.next(&mut received, &rules), Ok(Piece::Data("cde".into())));
    assert_eq!(
        (body.left(), body.has_more_data(), body.is_ended(), body.close()),
        (Some(0), false, true, true)
    );
    assert_eq!((body.next(&mut received, &rules), &received[..]), (Ok(Piece::End), &b"GET"[..]));

    let mut none = BodyReader::new(BodyLength::None);
    assert_eq!(
        (none.left(), none.has_more_data(), none.is_ended(), none.close()),
        (Some(0), false, true, true)
    );
    assert_eq!((none.next(&mut received, &rules), received.len()), (Ok(Piece::End), 3));
}

#[test]
fn a_body_without_a_length_ends_with_its_connection() {
    let (rules, mut received) = (Rules::for_responses(), BytesMut::new());
    let mut body = BodyReader::new(BodyLength::UntilClose);
    assert_eq!((body.left(), body.has_more_data(), body.is_ended()), (None, true, false));
    assert_eq!(body.next(&mut received, &rules), Ok(Piece::More(u64::MAX)));
    for data in ["0\r\n\r\n", "x"] {
        received.extend_from_slice(data.as_bytes());
        assert_eq!(body.next(&mut received, &rules), Ok(Piece::Data(data.into())));
        assert_eq!(body.next(&mut received, &rules), Ok(Piece::More(u64::MAX)));
    }
    assert!(!body.is_ended() && body.close() && body.is_ended() && body.close());
    assert_eq!(
        (body.left(), body.has_more_data(), body.next(&mut received, &rules)),
        (Some(0), false, Ok(Piece::End))
    );
}

#[test]
fn a_chunked_body_says_how_much_of_its_chunk_is_left_and_when_no_more_data_can_come() {
    let (rules, mut received) = (Rules::default(), BytesMut::new());
    let mut body = BodyReader::new(BodyLength::Chunked);
    assert_eq!((body.left(), body.has_more_data()), (None, true));
    let mut next = |bytes: &str| {
        received.extend_from_slice(bytes.as_bytes());
        let piece = body.next(&mut received, &rules).expect("sound");
        (piece, body.has_more_data(), body.is_ended(), body.close())
    };
    let more = |left| (Piece::More(left), true, false, false);
    assert_eq!(next(""), more(0));
    assert_eq!(next("1"), more(0));
    assert_eq!(next("2\r\n"), more(18));
    assert_eq!(next("ab"), (Piece::Data("ab".into()), true, false, false));
    assert_eq!(next(""), more(16));
    assert_eq!(
        next("0123456789abcdef\r\n0\r\n"),
        (Piece::Data("0123456789abcdef".into()), false, false, false)
    );
    assert_eq!(next(""), (Piece::More(0), false, false, false));
    assert_eq!(next("\r"), (Piece::More(0), false, false, false));
    assert_eq!(next("\n"), (Piece::End, false, true, true));
}

#[test]
fn an_end_without_trailers_is_no_section_and_needs_no_room() {
    let rules = Rules { max_trailers: 0, max_fields: 0, ..Rules::default() };
    for piece in 1..6 {
        assert_eq!(read_trailers(&rules, b"\r\nGET", piece).map(|(map, _)| map.len()), Ok(0));
        assert_eq!(read_trailers(&rules, b"x: 1\r\n\r\n", piece).err(), Some(Violation::TRAILERS_TOO_LARGE));
    }
}

#[test]
fn trailers_are_held_to_the_rules_of_fields_and_to_their_bounds() {
    let rules = Rules { max_trailers: 30, max_fields: 2, ..Rules::default() };
    let section = |length: usize| format!("x: {}\r\n\r\n", "a".repeat(length - 7));
    let too_large = Some(Violation::TRAILERS_TOO_LARGE);
    for piece in [1, 2, 3, 100] {
        for (length, expected) in [(29, None), (30, None), (31, too_large), (32, too_large)] {
            let read = read_trailers(&rules, section(length).as_bytes(), piece);
            assert_eq!(read.as_ref().err().copied(), expected, "{length}");
            let Ok((map, rest)) = read else { continue };
            assert_eq!((map["x"].len(), map.len(), rest), (length - 7, 1, 0));
            // Bytes of a section that goes on are counted too.
            assert_eq!(read_trailers(&rules, &section(60).as_bytes()[..length], piece).err(), None);
            assert_eq!(read_trailers(&rules, &section(60).as_bytes()[..31], piece).err(), too_large);
        }
        for (count, expected) in [(1, None), (2, None), (3, too_large)] {
            let section = format!("{}\r\n", "a: 1\r\n".repeat(count));
            let read = read_trailers(&rules, section.as_bytes(), piece);
            assert_eq!(read.as_ref().err().copied(), expected, "{count}");
            assert!(read.is_err() || read.is_ok_and(|(map, _)| map.len() == count));
            // Those that are left out for their names count, too.
            let unusual = read_trailers(&rules, section.replace("a:", "a_:").as_bytes(), piece);
            assert_eq!(unusual.as_ref().err().copied(), expected, "{count}");
            assert!(unusual.is_err() || unusual.is_ok_and(|(map, _)| map.is_empty()));
        }
        for (section, expected) in [
            ("x\r\n", Violation::FIELD_LINE),
            ("x : 1\r\n", Violation::FIELD_NAME),
            ("x(y: 1\r\n", Violation::FIELD_NAME),
            (" x: 1\r\n", Violation::OBS_FOLD),
            ("x: 1\n", Violation::BARE_LF),
            ("\n", Violation::BARE_LF),
            ("\rx", Violation::BARE_CR),
            ("x: \0", Violation::CONTROL),
            ("content-length: 1\r\n", Violation::TRAILER),
            ("Transfer-Encoding: chunked\r\n", Violation::TRAILER),
            ("host: a\r\n", Violation::TRAILER),
            ("connection: close\r\n", Violation::TRAILER),
            ("upgrade: x\r\n", Violation::TRAILER),
            ("expect: x\r\n", Violation::TRAILER),
        ] {
            assert_eq!(read_trailers(&rules, section.as_bytes(), piece).err(), Some(expected), "{section:?}");
            let lenient = Rules { lenient: true, ..rules };
            let read = read_trailers(&lenient, format!("{section}\r\n").as_bytes(), piece);
            if expected == Violation::TRAILER {
                assert_eq!(read, Ok((HeaderMap::new(), 0)), "an endpoint's is dropped");
            } else {
                assert_eq!(read.err(), Some(expected), "{section:?}");
            }
        }
        let (map, rest) = read_trailers(&rules, b"TE: x\r\nX-Sum:\t 1 \r\n\r\nnext", piece).expect("sound");
        assert_eq!(
            (&map["te"], &map["x-sum"], map.len()),
            (&"x".parse().expect("x"), &"1".parse().expect("1"), 2)
        );
        assert!(rest <= 4);
    }
}

#[test]
fn a_writer_is_complete_when_no_data_can_follow() {
    for (framing, complete) in [
        (Framing::Empty, true),
        (Framing::Length(0), true),
        (Framing::Length(1), false),
        (Framing::Chunked, false),
        (Framing::UntilClose, false),
    ] {
        let (mut writer, mut out) = (BodyWriter::new(framing), WriteBuffer::default());
        assert_eq!((writer.framing(), writer.is_complete()), (framing, complete));
        let written = writer.data(&mut out, "x".into());
        let too_long = WrongLength::TooLong { left: 0, data: "x".into() };
        assert_eq!(written, if complete { Err(too_long) } else { Ok(()) });
        assert_eq!(
            out.to_vec(),
            match framing {
                Framing::Chunked => &b"1\r\nx\r\n"[..],
                _ if complete => b"",
                _ => b"x",
            }
        );
        assert_eq!(writer.data(&mut out, "".into()), Ok(()), "nothing is never too much");
        assert_eq!(writer.end(&mut out, None), Ok(()));
        assert_eq!((writer.framing(), writer.is_complete()), (Framing::Empty, true));
        assert_eq!(
            out.to_vec(),
            match framing {
                Framing::Chunked => &b"1\r\nx\r\n0\r\n\r\n"[..],
                _ if complete => b"",
                _ => b"x",
            }
        );
    }
    let (mut writer, mut out) = (BodyWriter::new(Framing::Length(3)), WriteBuffer::default());
    assert_eq!(writer.data(&mut out, "abc".into()), Ok(()), "just as much");
    assert_eq!((writer.framing(), writer.is_complete()), (Framing::Length(0), true));
}

#[test]
fn a_wrong_length_says_which_way_it_is_wrong() {
    let too_long = WrongLength::TooLong { left: 1, data: "ab".into() };
    assert_eq!(too_long.to_string(), "the body is longer than its Content-Length");
    assert_eq!(WrongLength::TooShort.to_string(), "the body is shorter than its Content-Length");
}

proptest! {
    /// What is written in one direction is what is read in the other.
    #[test]
    fn a_body_that_is_written_is_the_body_that_is_read(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8),
        chunked in any::<bool>(),
        trailers in prop::collection::vec(("x-[a-z]{1,3}", "[!-~]{0,3}"), 0..4),
        cut in 1..700_usize,
    ) {
        let data = pieces.concat();
        let framing = if chunked { Framing::Chunked } else { Framing::Length(data.len() as u64) };
        let (mut writer, mut out) = (BodyWriter::new(framing), WriteBuffer::default());
        for piece in pieces {
            writer.data(&mut out, piece.into()).expect("as long as it says");
        }
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            let name: HeaderName = name.parse().expect("a name");
            map.append(name, value.parse::<HeaderValue>().expect("a value"));
        }
        writer.end(&mut out, Some(&map)).expect("as long as it says");

        let length = if chunked { BodyLength::Chunked } else { BodyLength::known(data.len() as u64) };
        let (mut body, mut received) = (BodyReader::new(length), BytesMut::new());
        let (bytes, mut read, mut found) = (out.to_vec(), Vec::new(), HeaderMap::new());
        let mut rest = bytes.chunks(cut);
        while !body.is_ended() {
            match body.next(&mut received, &Rules::default()).expect("sound") {
                Piece::Data(data) => read.extend_from_slice(&data),
                Piece::Trailers(map) => found = map,
                Piece::End => {}
                Piece::More(_) => received.extend_from_slice(rest.next().expect("there is more")),
            }
        }
        prop_assert!(received.is_empty() && rest.next().is_none());
        prop_assert_eq!(read, data);
        prop_assert_eq!(found, if chunked { map } else { HeaderMap::new() });
    }
}
