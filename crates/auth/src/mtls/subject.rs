//! Distinguished names as text (RFC 4514), and patterns for them.

use std::str::FromStr;

use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{Name, RelativeDistinguishedName},
};

use super::error::MtlsError;

/// A distinguished name as text. Its parts are in the order of RFC 4514, the most specific one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// The attributes of each part, such as `CN=anna`, sorted.
    parts: Vec<Vec<String>>,
}

impl Subject {
    pub(super) fn new(name: &Name) -> Self {
        let mut parts: Vec<_> = name.iter_rdn().map(attributes).collect();
        parts.reverse();
        Self { parts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// `CN=anna,OU=Sales+UID=7,O=Example`.
    pub(super) fn to_text(&self) -> String {
        self.parts.iter().map(|attributes| attributes.join("+")).collect::<Vec<_>>().join(",")
    }
}

fn attributes(part: &RelativeDistinguishedName) -> Vec<String> {
    let mut attributes: Vec<_> = part.iter().map(ToString::to_string).collect();
    attributes.sort_unstable();
    attributes
}

/// A pattern for a whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubjectPattern(Vec<Vec<Attribute>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Attribute {
    /// `CN=anna`.
    Exact(String),
    /// The prefix `CN=`, for `CN=*`: any value.
    Any(String),
}

const SHAPE: &str = "a subject is written as `CN=anna,OU=Sales,O=Example`";

impl SubjectPattern {
    /// Reads a pattern: a name whose attribute values may be `*`.
    pub(super) fn parse(text: &str) -> Result<Self, MtlsError> {
        let parts = split(text, ',').into_iter().map(|part| {
            split(part, '+')
                .into_iter()
                .map(|attribute| Attribute::parse(attribute.trim_ascii_start()))
                .collect()
        });
        parts.collect::<Result<_, _>>().map(Self).map_err(|hint| MtlsError::pattern(text, hint))
    }

    /// Whether the pattern matches the whole name, part by part.
    pub(super) fn matches(&self, subject: &Subject) -> bool {
        let part = |(pattern, attributes): (&Vec<Attribute>, &Vec<String>)| {
            pattern.len() == attributes.len() && assign(pattern, attributes)
        };
        self.0.len() == subject.parts.len() && self.0.iter().zip(&subject.parts).all(part)
    }
}

/// Whether each attribute matches a pattern of its own. A part has one or two attributes, so trying all orders is
/// cheap.
fn assign(patterns: &[Attribute], attributes: &[String]) -> bool {
    let Some((first, others)) = patterns.split_first() else { return true };
    attributes.iter().enumerate().filter(|(_, attribute)| first.matches(attribute)).any(|(index, _)| {
        let mut rest = attributes.to_vec();
        rest.remove(index);
        assign(others, &rest)
    })
}

impl Attribute {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (kind, value) = text.split_once('=').ok_or(SHAPE)?;
        let escapes = value.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if escapes % 2 == 1 {
            return Err("nothing follows the last backslash");
        }
        if value == "*" {
            // The same kind of attribute is always printed alike, however it was written.
            let mut any = canonical(&format!("{kind}=x"))?;
            any.truncate(any.find('=').map_or(0, |at| at + 1));
            return Ok(Self::Any(any));
        }
        if value.replace("\\*", "").contains('*') {
            return Err("`*` stands for a whole value, as in `CN=*`; as a character it is written `\\2a`");
        }
        canonical(text).map(Self::Exact)
    }

    fn matches(&self, attribute: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == attribute,
            Self::Any(kind) => attribute.starts_with(kind.as_str()) && attribute.len() > kind.len(),
        }
    }
}

fn canonical(text: &str) -> Result<String, &'static str> {
    AttributeTypeAndValue::from_str(text).map(|attribute| attribute.to_string()).map_err(|_| SHAPE)
}

/// Splits at separators without a backslash before them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, character) in text.char_indices() {
        if character == separator && !escaped {
            parts.push(&text[start..index]);
            start = index + character.len_utf8();
        }
        escaped = character == '\\' && !escaped;
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> Subject {
        Subject::new(&Name::from_str(text).expect(text))
    }

    #[test]
    fn a_subject_is_written_as_rfc_4514_has_it() {
        // The order of the certificate is the reverse of the text's, which is what `from_str` makes of it.
        for text in
            ["CN=anna,OU=Sales,O=Example Inc,C=US", "CN=Smith\\, Anna,O=a\\+b", "OU=Sales+UID=7,O=Example"]
        {
            assert_eq!(subject(text).to_text(), text);
        }
        assert_eq!(subject("CN=a\\0ab").to_text(), "CN=a\\0ab", "a line break is escaped");
        let nobody = Subject::new(&Name::default());
        assert!(nobody.is_empty() && nobody.to_text().is_empty());
    }

    #[test]
    fn a_pattern_is_for_the_whole_subject() {
        for (pattern, name, expected) in [
            ("CN=anna,O=Example", "CN=anna,O=Example", true),
            ("cn=anna, o=Example", "CN=anna,O=Example", true),
            ("2.5.4.3=anna,O=Example", "CN=anna,O=Example", true),
            ("CN=anna,O=Example", "O=Example,CN=anna", false),
            ("CN=anna", "CN=anna,O=Example", false),
            ("CN=anna,O=Example", "CN=anna", false),
            ("CN=anna", "CN=Anna", false),
            ("CN=*,O=Example", "CN=anna,O=Example", true),
            ("CN=*,O=Example", "CN=anna\\,O=Example,O=Evil", false),
            ("CN=*,O=Example", "OU=anna,O=Example", false),
            ("CN=*,O=Example", "CN=anna,O=Example Inc", false),
            ("CN=*", "CN=a\\,b", true),
            ("CN=Smith\\, Anna", "CN=Smith\\, Anna", true),
            ("CN=\\2a", "CN=*", true),
            ("CN=\\2a", "CN=anna", false),
            ("OU=Sales+UID=*,O=Example", "UID=7+OU=Sales,O=Example", true),
            ("OU=Sales+UID=*,O=Example", "OU=Sales,O=Example", false),
            ("OU=Sales+OU=*,O=Example", "OU=Sales+OU=East,O=Example", true),
        ] {
            let fits = SubjectPattern::parse(pattern).expect(pattern).matches(&subject(name));
            assert_eq!(fits, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_name_is_refused() {
        for text in ["", "anna", "CN=an*", "*=anna", "*", "CN=*a", "nokind=anna", "CN=anna,", ",", "CN=a\\"] {
            assert!(SubjectPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
