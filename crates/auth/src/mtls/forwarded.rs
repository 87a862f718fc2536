//! `x-forwarded-client-cert`, as Envoy writes it.

use http::{HeaderName, HeaderValue};

use super::certificate::{Certificate, San};

/// The header that passes the client's certificate to services. The client's own field is always removed.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-forwarded-client-cert");

/// One element: `By=…;Hash=…;Subject="…";URI=…;DNS=…`. `Subject` is always quoted. Each of several names of a kind
/// has a key of its own.
pub(super) fn element(certificate: &Certificate, by: Option<&str>) -> Option<HeaderValue> {
    let mut element = String::new();
    if let Some(by) = by {
        pair(&mut element, "By", by);
    }
    pair(&mut element, "Hash", &certificate.fingerprint);
    element.push_str(";Subject=\"");
    subject(&mut element, &certificate.subject.to_text());
    element.push('"');
    for name in &certificate.names {
        if let San::Uri(uri) = name {
            pair(&mut element, "URI", uri);
        }
    }
    for name in &certificate.names {
        if let San::Dns(dns) = name {
            pair(&mut element, "DNS", dns);
        }
    }
    HeaderValue::try_from(element).ok()
}

/// No value has a quote: names with quotes are left out, and `By` was checked.
fn pair(element: &mut String, key: &str, value: &str) {
    if !element.is_empty() {
        element.push(';');
    }
    let quote = if value.contains([',', ';', '=']) { "\"" } else { "" };
    for part in [key, "=", quote, value, quote] {
        element.push_str(part);
    }
}

/// A name of RFC 4514 in which quotes, backslashes and non-ASCII characters are written as octets. Readers disagree
/// about a backslash before a quote, and this form avoids one.
fn subject(element: &mut String, text: &str) {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = if character == '\\' { characters.next() } else { None };
        match (character, literal) {
            ('\\', Some(escaped @ ('"' | '\\'))) => octets(element, escaped),
            ('\\', Some(escaped)) => element.extend(['\\', escaped]),
            (' '..='~', _) => element.push(character),
            (other, _) => octets(element, other),
        }
    }
}

fn octets(element: &mut String, character: char) {
    for octet in character.encode_utf8(&mut [0; 4]).bytes() {
        element.push_str(&format!("\\{octet:02X}"));
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{DnType, SanType};

    use super::{super::certificate::tests::der, *};

    #[test]
    fn an_element_is_written_as_envoy_does() {
        let uri = |uri: &str| SanType::URI(uri.try_into().expect("ASCII"));
        let dns = |dns: &str| SanType::DnsName(dns.try_into().expect("ASCII"));
        let names = vec![
            dns("a.example"),
            uri("spiffe://example.com/a"),
            uri("https://b.example/?x=1;y"),
            dns("c.example"),
        ];
        let subject = [(DnType::OrganizationName, "Söhne \"Ex\", Inc\\"), (DnType::CommonName, "anna")];
        let certificate = Certificate::read(&der(&subject, names, 2027)).expect("is readable");
        let hash = &certificate.fingerprint;
        let expected = format!(
            r#"By=spiffe://example.com/gateway;Hash={hash};Subject="CN=anna,O=S\C3\B6hne \22Ex\22\, Inc\5C";URI=spiffe://example.com/a;URI="https://b.example/?x=1;y";DNS=a.example;DNS=c.example"#
        );
        let element = element(&certificate, Some("spiffe://example.com/gateway")).expect("a value");
        assert_eq!(element, *expected);
        let bare = Certificate::read(&der(&[], Vec::new(), 2027)).expect("is readable");
        let expected = format!("Hash={};Subject=\"\"", bare.fingerprint);
        assert_eq!(super::element(&bare, None).expect("a value"), *expected);
    }
}
