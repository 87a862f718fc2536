//! What is refused, is refused for the same reason however its bytes come.

use super::*;

/// Bytes that are nearly messages, with pieces longer than the bounds of these tests.
fn nearly(start: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "GET",
        " ",
        " /",
        " HTTP/1.1",
        "HTTP/1.1 200 OK",
        "\r\n",
        "\r\n",
        "\r\n",
        "\r",
        "\n",
        "\t",
        "\0",
        "host: a",
        "x: 1",
        "x",
        ":",
        "/",
        "a",
        "A long piece",
        "AMethodOfMoreThanSixtyFourCharactersWhichIsFarTooLongForAnyMethodOfOurs",
        "0123456789012345678901234567890123456789",
    ];
    let start = prop_oneof![Just(""), Just(start)];
    (start, prop::collection::vec(prop::sample::select(pieces), 0..16))
        .prop_map(|(start, pieces)| [start, &pieces.concat()].concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn a_request_is_refused_for_the_same_reason_however_it_comes(bytes in nearly("GET / HTTP/1.1\r\nhost: a\r\n"), cuts in prop::collection::vec(1..60_usize, 1..9)) {
        let rules = Rules { max_head: 160, max_target: 20, max_fields: 3, ..Rules::default() };
        let read = |pieces: Vec<&[u8]>| {
            let (mut reader, mut received) = (RequestReader::new(rules), BytesMut::new());
            for piece in pieces {
                received.extend_from_slice(piece);
                match reader.read::<()>(&mut received) {
                    Ok(Some((head, _))) => return Ok(Some(head)),
                    Ok(None) => {}
                    Err(refusal) => return Err(refusal.violation()),
                }
            }
            Ok(None)
        };
        let whole = read(vec![&bytes]);
        prop_assert_eq!(&read(bytes.chunks(1).collect()), &whole, "{}", bytes.escape_ascii());
        prop_assert_eq!(&read(pieces(&bytes, &cuts)), &whole, "{}", bytes.escape_ascii());
    }

    #[test]
    fn a_response_is_refused_for_the_same_reason_however_it_comes(bytes in nearly("HTTP/1.1 200 OK\r\n"), cuts in prop::collection::vec(1..60_usize, 1..9)) {
        let rules = Rules { max_head: 100, max_fields: 3, ..Rules::for_responses() };
        let read = |pieces: Vec<&[u8]>| {
            let (mut reader, mut received) = (ResponseReader::new(rules), BytesMut::new());
            for piece in pieces {
                received.extend_from_slice(piece);
                if let Some(head) = reader.read(&mut received, HeaderMap::new)? {
                    return Ok(Some((head.status, head.headers)));
                }
            }
            Ok::<_, Violation>(None)
        };
        let whole = read(vec![&bytes]);
        prop_assert_eq!(&read(bytes.chunks(1).collect()), &whole, "{}", bytes.escape_ascii());
        prop_assert_eq!(&read(pieces(&bytes, &cuts)), &whole, "{}", bytes.escape_ascii());
    }

    #[test]
    fn trailers_are_refused_for_the_same_reason_however_they_come(bytes in nearly("\r\n"), cuts in prop::collection::vec(1..60_usize, 1..9)) {
        let rules = Rules { max_trailers: 60, max_fields: 3, ..Rules::default() };
        let read = |pieces: Vec<&[u8]>| {
            let (mut reader, mut received) = (BodyReader::new(BodyLength::Chunked), BytesMut::from("0\r\n"));
            for piece in pieces {
                received.extend_from_slice(piece);
                match reader.next(&mut received, &rules)? {
                    Piece::More(_) => {}
                    end => return Ok(Some(end)),
                }
            }
            Ok::<_, Violation>(None)
        };
        let whole = read(vec![&bytes]);
        prop_assert_eq!(&read(bytes.chunks(1).collect()), &whole, "{}", bytes.escape_ascii());
        prop_assert_eq!(&read(pieces(&bytes, &cuts)), &whole, "{}", bytes.escape_ascii());
    }
}
