//! What looks like a secret in a line of the file, so that no error shows it.
//!
//! A line is shown for whatever is wrong with it, also where the file could not be read as far as to know its secrets: a
//! key that is misspelt, a quote that is not closed.

use std::ops::Range;

/// What the names of keys hold whose values are secrets.
const NAMES: [&str; 4] = ["secret", "pepper", "password", "passwd"];

/// Where secrets stand in a line: values of keys that are named for them, and passwords of URLs. A value that only says
/// where the secret is, `file:PATH` or `${env:NAME}`, is none.
pub(crate) fn of(line: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (colon, _) in line.match_indices(':') {
        found.extend(value_of_secret(line, colon).or_else(|| password_of_url(line, colon)));
    }
    found
}

/// The value behind this colon, when the key before it is named for a secret.
fn value_of_secret(line: &str, colon: usize) -> Option<Range<usize>> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let key = line[..colon].trim_end().trim_end_matches(['"', '\'']);
    let key = key[key.trim_end_matches(is_word).len()..].to_ascii_lowercase();
    if !NAMES.iter().any(|name| key.contains(name)) {
        return None;
    }
    let after = &line[colon + 1..];
    let start = colon + 1 + after.len() - after.trim_start().len();
    let value = &line[start..];
    let length = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].find(quote).map_or(value.len(), |end| end + 2),
        // A map has keys of its own.
        '{' => return None,
        '[' => value.len(),
        _ => value.find([',', '}', ']']).unwrap_or(value.len()),
    };
    let bare = value[..length].trim_matches(['"', '\'', ' ']);
    let is_elsewhere = bare.starts_with("file:") || (bare.starts_with("${env:") && bare.ends_with('}'));
    (!bare.is_empty() && !is_elsewhere).then(|| start..start + length)
}

/// The password behind the user of a URL, `redis://user:password@host`, when this is the colon of its scheme.
fn password_of_url(line: &str, colon: usize) -> Option<Range<usize>> {
    let rest = line[colon + 1..].strip_prefix("//")?;
    let end = rest.find(|character: char| character.is_whitespace() || matches!(character, '"' | '\''));
    let (user, _) = rest[..end.unwrap_or(rest.len())].rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let start = colon + 3 + name.len() + 1;
    let is_elsewhere = password.starts_with("${env:") && password.ends_with('}');
    (!password.is_empty() && !is_elsewhere).then(|| start..start + password.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_found_and_where_it_is_said_to_be_is_not() {
        for (line, secrets) in [
            ("  client_secret: hunter2", &["hunter2"][..]),
            ("a: {secret: hunter2, b: c}", &["hunter2"]),
            ("a: {'secret': \"hunter, 2\", b: c}", &["\"hunter, 2\""]),
            ("pepper: \"hunter2${", &["\"hunter2${"]),
            ("secret: [hunter2, other]", &["[hunter2, other]"]),
            ("DB_PASSWORD: hunter2", &["hunter2"]),
            ("{redis: \"redis://:hunter2@a:6379\"}", &["hunter2"]),
            ("redis://user:hun:ter@2@a:6379/x", &["hun:ter@2"]),
            ("secret: {jwt: {issuer: i, secret: hunter2}}", &["hunter2"]),
            ("secret: \"file:jwt.secret\"", &[]),
            ("secret: \"${env:SECRET}\"", &[]),
            ("redis://user:${env:PASSWORD}@a:6379", &[]),
            ("redis://user@a:6379", &[]),
            ("https://a.example:8080/x?y=z", &[]),
            ("secret:", &[]),
            ("the secret of this is: none", &[]),
        ] {
            let found: Vec<_> = of(line).into_iter().map(|range| &line[range]).collect();
            assert_eq!(found, secrets, "{line}");
        }
    }
}
