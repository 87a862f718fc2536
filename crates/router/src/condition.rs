use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use regex::bytes::Regex;

use crate::{
    path_regex::whole,
    route::{Value, ValueMatch},
};

/// A header or a query parameter that a request must have.
#[derive(Debug)]
pub(crate) struct Condition<N> {
    name: N,
    value: Expected,
}

#[derive(Debug)]
enum Expected {
    Exact(Box<[u8]>),
    Regex(Regex),
}

pub(crate) type HeaderCondition = Condition<HeaderName>;
pub(crate) type QueryCondition = Condition<Box<str>>;

impl<N: PartialEq> Condition<N> {
    fn new(name: N, value: &Value) -> Result<Self, String> {
        let value = match value {
            Value::Exact(value) => Expected::Exact(value.as_bytes().into()),
            Value::Regex(regex) => Expected::Regex(whole(regex)?),
        };
        Ok(Self { name, value })
    }

    pub(crate) fn name(&self) -> &N {
        &self.name
    }

    /// Whether no request fits both conditions.
    pub(crate) fn excludes(&self, other: &Self) -> bool {
        let differ = match (&self.value, &other.value) {
            (Expected::Exact(a), Expected::Exact(b)) => a != b,
            (Expected::Exact(value), Expected::Regex(regex))
            | (Expected::Regex(regex), Expected::Exact(value)) => !regex.is_match(value),
            (Expected::Regex(_), Expected::Regex(_)) => false,
        };
        self.name == other.name && differ
    }

    /// Whether every request that fits `other` fits this condition too.
    pub(crate) fn follows_from(&self, other: &Self) -> bool {
        let follows = match (&self.value, &other.value) {
            (Expected::Exact(a), Expected::Exact(b)) => a == b,
            (Expected::Regex(regex), Expected::Exact(value)) => regex.is_match(value),
            (Expected::Regex(a), Expected::Regex(b)) => a.as_str() == b.as_str(),
            (Expected::Exact(_), Expected::Regex(_)) => false,
        };
        self.name == other.name && follows
    }
}

impl Expected {
    fn fits(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(expected) => **expected == *value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

impl HeaderCondition {
    pub(crate) fn header(written: &ValueMatch) -> Result<Self, String> {
        let name = HeaderName::from_bytes(written.name.as_bytes())
            .map_err(|_| format!("`{}` is no header name", written.name))?;
        Self::new(name, &written.value)
    }

    pub(crate) fn fits(&self, headers: &HeaderMap) -> bool {
        let mut lines = headers.get_all(&self.name).iter();
        let Some(first) = lines.next() else { return false };
        if lines.next().is_none() {
            return self.value.fits(first.as_bytes());
        }
        let lines: Vec<_> = headers.get_all(&self.name).iter().map(|line| line.as_bytes()).collect();
        self.value.fits(&lines.join(&b", "[..]))
    }
}

impl QueryCondition {
    pub(crate) fn query(written: &ValueMatch) -> Result<Self, String> {
        Self::new(written.name.as_str().into(), &written.value)
    }

    pub(crate) fn fits(&self, query: &str) -> bool {
        let mut parameters =
            query.split('&').map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
        let value = parameters.find(|(name, _)| *decode(name) == *self.name.as_bytes());
        value.is_some_and(|(_, value)| self.value.fits(&decode(value)))
    }
}

/// Decodes a part of a query as HTML forms encode it. An invalid escape stays as it is.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |index: usize| after.get(index).and_then(|digit| char::from(*digit).to_digit(16));
        let escaped = || u8::try_from(digit(0)? << 4 | digit(1)?).ok();
        let (byte, len) = match first {
            b'+' => (b' ', 1),
            b'%' => escaped().map_or((b'%', 1), |byte| (byte, 3)),
            other => (*other, 1),
        };
        decoded.push(byte);
        rest = &rest[len..];
    }
    Cow::Owned(decoded)
}
