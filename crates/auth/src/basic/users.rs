//! The users of an htpasswd-style file.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use gatewright_core::Principal;
use http::{HeaderName, HeaderValue};

use super::password::Password;
use crate::{
    ContentError, Identity,
    content::{Position, Problems, shown},
};

/// Users by their names.
#[derive(Debug)]
pub(super) struct Users {
    by_name: HashMap<Box<str>, Arc<User>>,
    /// The same users as a list, from which an unknown name gets a stand-in.
    all: Vec<Arc<User>>,
    choice: RandomState,
}

/// A user, with the prepared identity.
#[derive(Debug)]
pub(super) struct User {
    pub(super) password: Password,
    /// The hash as the file has it. What is remembered of a user is valid for this hash only.
    pub(super) hash: Box<str>,
    pub(super) identity: Identity,
}

/// The settings that all users of a file share.
#[derive(Debug, Clone, Default)]
pub(super) struct UserDefaults {
    pub(super) scopes: Vec<Box<str>>,
    pub(super) header: Option<HeaderName>,
}

/// The longest name, in octets.
const LONGEST: usize = 128;

const LINE: &str = "a line is `USER:HASH`; `htpasswd -B FILE USER` writes one";

impl Users {
    /// Reads a file with one `user:hash` on each line. Empty lines and comments (`#`) are allowed.
    pub(super) fn read(content: &[u8], defaults: &UserDefaults) -> Result<Self, ContentError> {
        let mut problems = Problems::default();
        let mut users: HashMap<Box<str>, (usize, Arc<User>)> = HashMap::new();
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let number = index + 1;
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            let Some((name, hash)) = split(line, number, &mut problems) else { continue };
            let password = match Password::parse(hash) {
                Ok(password) => password,
                Err(unsupported) => {
                    let column = name.chars().count() + 2;
                    problems.add(Position { line: number, column }, unsupported.message, unsupported.help);
                    continue;
                }
            };
            let user = Arc::new(User { password, hash: hash.into(), identity: identity(name, defaults) });
            if let Some((first, _)) = users.get(name) {
                let message = format!("line {first} already has the user {}", shown(name));
                problems.add(Position { line: number, column: 1 }, message, "remove one of the two lines");
                continue;
            }
            users.insert(name.into(), (number, user));
        }
        if users.is_empty() && problems.is_empty() {
            problems.add(Position { line: 1, column: 1 }, "the file has no user", LINE);
        }
        problems.finish()?;
        let all = users.values().map(|(_, user)| Arc::clone(user)).collect();
        let by_name = users.into_iter().map(|(name, (_, user))| (name, user)).collect();
        Ok(Self { by_name, all, choice: RandomState::new() })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<User>> {
        self.by_name.get(name)
    }

    /// The user whose hash is verified for an unknown name, so that an unknown name takes as long as a known one. A
    /// name always gets the same user, since a changing cost would reveal that the name is unknown.
    pub(super) fn stand_in(&self, name: &str) -> Option<&Arc<User>> {
        let index = self.choice.hash_one(name).checked_rem(self.all.len() as u64)?;
        self.all.get(usize::try_from(index).ok()?)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// Splits a line into name and hash.
fn split<'a>(line: &'a [u8], number: usize, problems: &mut Problems) -> Option<(&'a str, &'a str)> {
    let start = Position { line: number, column: 1 };
    let Ok(line) = std::str::from_utf8(line) else {
        problems.add(start, "this line is not UTF-8 text", LINE);
        return None;
    };
    let message = match line.split_once(':') {
        None => "this line has no colon",
        Some(("", _)) => "this line has no user",
        Some((name, _)) if name.len() > LONGEST => "this name is longer than 128 octets",
        Some((name, _)) if name.chars().any(char::is_control) => "this name holds a control character",
        Some((name, _)) if name.trim() != name => "this name begins or ends with a space",
        Some((name, hash)) => return Some((name, hash)),
    };
    problems.add(start, message, LINE);
    None
}

fn identity(name: &str, defaults: &UserDefaults) -> Identity {
    let header = defaults.header.clone().zip(HeaderValue::from_bytes(name.as_bytes()).ok());
    let principal = Principal::builder(name, super::METHOD).scopes(defaults.scopes.iter().cloned()).build();
    Identity::new(principal).headers(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2y$04$4rjFuFy00FgPSN5B2QMc/eU1OU9iY2duke41/gQtUtuJ4YSSc1A2a";

    fn read(text: &str) -> Result<Users, String> {
        Users::read(text.as_bytes(), &UserDefaults::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_users_and_all_that_is_wrong_is_told() {
        let users = read(&format!("# staff\n\nanna:{BCRYPT}\r\nJörg:{BCRYPT}\n")).expect("is right");
        assert_eq!(users.len(), 2);
        assert!(users.find("anna").is_some() && users.find("Jörg").is_some() && users.find("Anna").is_none());

        let text = format!("anna:{BCRYPT}\nbob\n:{BCRYPT}\ncarl:$apr1$x$y\nanna:{BCRYPT}\ndora :x\n");
        assert_eq!(
            read(&text).expect_err("is wrong"),
            "\
2:1: this line has no colon
  help: a line is `USER:HASH`; `htpasswd -B FILE USER` writes one
3:1: this line has no user
  help: a line is `USER:HASH`; `htpasswd -B FILE USER` writes one
4:6: MD5 is too quick to guard a password
  help: have the user set the password anew, and hash it by argon2id or by bcrypt: `htpasswd -B FILE USER`
5:1: line 1 already has the user `anna`
  help: remove one of the two lines
6:1: this name begins or ends with a space
  help: a line is `USER:HASH`; `htpasswd -B FILE USER` writes one"
        );
        let (longest, longer) = ("a".repeat(LONGEST), "a".repeat(LONGEST + 1));
        assert!(read(&format!("{longest}:{BCRYPT}\n")).expect("is right").find(&longest).is_some());
        let error = read(&format!("{longer}:{BCRYPT}\n")).expect_err("is wrong");
        assert!(error.starts_with("1:1: this name is longer than 128 octets"), "{error}");
        assert!(read("# nobody\n").expect_err("is empty").starts_with("1:1: the file has no user"));
    }

    #[test]
    fn a_name_that_nobody_has_has_one_stand_in() {
        let users: String = (0..50).map(|number| format!("user{number}:{BCRYPT}\n")).collect();
        let users = read(&users).expect("is right");
        let chosen: Vec<_> = (0..50).filter_map(|number| users.stand_in(&format!("no{number}"))).collect();
        assert_eq!(chosen.len(), 50);
        for (number, chosen) in chosen.iter().enumerate() {
            let again = users.stand_in(&format!("no{number}")).expect("one");
            assert!(Arc::ptr_eq(chosen, again));
        }
        let first = chosen.first().expect("one");
        assert!(chosen.iter().any(|chosen| !Arc::ptr_eq(chosen, first)), "names spread over users");
    }
}
