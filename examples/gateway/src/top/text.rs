//! Values as a terminal shows them.

use serde_json::Value;

pub(super) fn count(value: &Value) -> String {
    value.as_u64().unwrap_or_default().to_string()
}

pub(super) fn rate(rate: Option<f64>) -> String {
    match rate.unwrap_or_default() {
        0.0 => "0".to_owned(),
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate => format!("{rate:.1}"),
    }
}

pub(super) fn ms(ms: Option<f64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms >= 1000.0 => format!("{:.2}s", ms / 1000.0),
        Some(ms) if ms >= 100.0 => format!("{ms:.0}ms"),
        Some(ms) => format!("{ms:.1}ms"),
    }
}

/// A text without what a terminal takes for a command.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// A text within a query (RFC 3986, section 3.4).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_sends_no_command_to_the_terminal_and_a_search_none_to_the_admin() {
        assert_eq!(clean("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(encoded("a b&sort=ä/"), "a%20b%26sort%3D%C3%A4%2F");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            (rate(Some(1234.5)), rate(Some(3.21)), rate(None)),
            ("1234".into(), "3.2".into(), "0".into())
        );
        assert_eq!((ms(None), ms(Some(1.26)), ms(Some(2500.0))), ("-".into(), "1.3ms".into(), "2.50s".into()));
    }
}
