//! What a client writes moves nothing of what proxies write after it, and a naive reader agrees.

use proptest::prelude::*;

use super::*;

/// One hop as a proxy writes it, and what it says.
#[derive(Debug, Clone)]
struct Hop {
    text: String,
    address: Option<IpAddr>,
}

fn hops() -> impl Strategy<Value = Vec<Hop>> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 2]>().prop_map(|[one, other]| IpAddr::from([10, 0, one, other])),
        any::<u16>().prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ];
    let written = (address, any::<Option<u16>>()).prop_map(|(address, port)| {
        let text = match (address, port) {
            (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
            (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
            (IpAddr::V6(address), None) => format!("[{address}]"),
            (address, None) => address.to_string(),
        };
        Hop { text, address: Some(address) }
    });
    let unnamed = prop::sample::select(vec!["unknown", "_hidden", "300.1.1.1", "x"]);
    let unnamed = unnamed.prop_map(|text| Hop { text: text.to_owned(), address: None });
    prop::collection::vec(prop_oneof![8 => written, 1 => unnamed], 0..6)
}

/// What a client may put there: all that a field value can hold, with much of what means something in it.
fn of_a_client() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(b"\"\\,;= \tfor=6.6".to_vec()),
        prop::sample::select(vec![0xff_u8, 0x80, b'1', b'[', b']', b':']),
        any::<u8>().prop_filter("a field value can hold it", |byte| *byte >= 0x20 && *byte != 0x7f),
    ];
    prop::collection::vec(byte, 0..40)
}

/// A quoted string as long as it is quoted, with every character that has to be escaped.
fn quoted(text: &[u8]) -> Vec<u8> {
    let escaped = text.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        _ => vec![*byte],
    });
    [b"\"".to_vec(), escaped.collect(), b"\"".to_vec()].concat()
}

/// The elements as field lines: those before `cut` in one line, the others in another.
fn lines(elements: &[Vec<u8>], cut: usize) -> Vec<Vec<u8>> {
    let (one, other) = elements.split_at(cut.min(elements.len()));
    [one, other].iter().filter(|line| !line.is_empty()).map(|line| line.join(&b", "[..])).collect()
}

/// The client by the rules as they are told, read from the left with nothing but whole texts.
fn naive(hops: &[Option<IpAddr>]) -> (String, bool) {
    let trusted = |address: IpAddr| matches!(address, IpAddr::V4(address) if address.octets()[0] == 10);
    let mut client = IpAddr::from([10, 0, 0, 1]);
    for hop in hops.iter().rev() {
        match hop {
            None => return (client.to_string(), false),
            Some(address) => client = *address,
        }
        if !trusted(client) {
            break;
        }
    }
    (client.to_string(), true)
}

fn seen(header: ForwardedBy, lines: &[Vec<u8>]) -> (String, bool) {
    client(header, &lines.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    #[test]
    fn a_naive_reader_of_x_forwarded_for_agrees(hops in hops(), cut in 0_usize..6, empty in any::<bool>()) {
        let mut elements: Vec<_> = hops.iter().map(|hop| hop.text.clone().into_bytes()).collect();
        if empty {
            elements.insert(cut.min(elements.len()), b" ".to_vec());
        }
        let expected = naive(&hops.iter().map(|hop| hop.address).collect::<Vec<_>>());
        prop_assert_eq!(seen(ForwardedBy::XForwardedFor, &lines(&elements, cut)), expected);
    }

    #[test]
    fn a_naive_reader_of_forwarded_agrees(
        hops in hops(), beside in of_a_client(), first in any::<bool>(), cut in 0_usize..6,
    ) {
        let elements: Vec<_> = hops
            .iter()
            .map(|hop| {
                let named = [b"for=".to_vec(), quoted(hop.text.as_bytes())].concat();
                let host = [b"host=".to_vec(), quoted(&beside)].concat();
                if first { [host, named].join(&b';') } else { [named, host].join(&b';') }
            })
            .collect();
        let expected = naive(&hops.iter().map(|hop| hop.address).collect::<Vec<_>>());
        prop_assert_eq!(seen(ForwardedBy::Forwarded, &lines(&elements, cut)), expected);
    }

    #[test]
    fn nothing_that_a_client_wrote_moves_a_proxys_element(
        forged in of_a_client(), hops in hops(), another_line in any::<bool>(),
    ) {
        // The proxy next to the client always names it.
        let named = Hop { text: "203.0.113.9".to_owned(), address: Some(IpAddr::from([203, 0, 113, 9])) };
        let after: Vec<_> = [named].into_iter().chain(hops).collect();
        let expected = naive(&after.iter().map(|hop| hop.address).collect::<Vec<_>>());
        let x_forwarded_for: Vec<_> = after.iter().map(|hop| hop.text.clone().into_bytes()).collect();
        let forwarded: Vec<_> =
            after.iter().map(|hop| [b"for=".to_vec(), quoted(hop.text.as_bytes())].concat()).collect();
        for (header, ours) in
            [(ForwardedBy::XForwardedFor, x_forwarded_for), (ForwardedBy::Forwarded, forwarded)]
        {
            let ours = ours.join(&b", "[..]);
            let lines = match another_line {
                true => vec![forged.clone(), ours],
                false => vec![[forged.clone(), ours].join(&b", "[..])],
            };
            prop_assert_eq!(seen(header, &lines), expected.clone());
        }
    }
}
