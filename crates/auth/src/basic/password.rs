//! The hashes of passwords.

use argon2::{
    Argon2, Params, PasswordVerifier,
    password_hash::phc::{Ident, PasswordHash},
};

/// The hash of a password. Verifying a password takes memory, and milliseconds of a processor.
#[derive(Debug)]
pub(super) enum Password {
    Argon2id(Box<PasswordHash>),
    Bcrypt(Box<str>),
}

/// Why a hash is not supported, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnsupportedHash {
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

const REHASH: &str =
    "have the user set the password anew, and hash it by argon2id or by bcrypt: `htpasswd -B FILE USER`";

const CHEAPER: &str = "hash it anew with a usual cost: argon2id m=19456,t=2,p=1, or bcrypt 12";

/// The limits of argon2id hashes: memory in KiB, passes over it, and lanes.
const MEMORY: u32 = 256 * 1024;
const PASSES: u32 = 16;
const LANES: u32 = 16;

/// The limit of bcrypt hashes: 2^16 rounds take some seconds.
const COST: u32 = 16;

impl Password {
    /// Reads a hash from an htpasswd file.
    pub(super) fn parse(text: &str) -> Result<Self, UnsupportedHash> {
        let unsupported = |message| UnsupportedHash { message, help: REHASH };
        match text.split('$').collect::<Vec<_>>()[..] {
            ["", "argon2id", ..] => Self::argon2id(text),
            ["", "argon2i" | "argon2d", ..] => {
                Err(unsupported("of the argon2 variants, only argon2id is supported"))
            }
            ["", "2y" | "2b" | "2a", cost, salted] => Self::bcrypt(text, cost, salted),
            ["", "2y" | "2b" | "2a", ..] => Err(unsupported("this bcrypt hash is incomplete")),
            ["", "2x", ..] => Err(unsupported("bcrypt's variant 2x is known to be broken")),
            ["", "apr1" | "1", ..] => Err(unsupported("MD5 is too quick to guard a password")),
            ["", "5" | "6", ..] => Err(unsupported("crypt with SHA-2 is too quick to guard a password")),
            ["", "y" | "7" | "scrypt" | "gy", ..] => Err(unsupported("this kind of hash is not supported")),
            _ if text.starts_with("{SHA}") || text.starts_with("{SSHA}") => {
                Err(unsupported("SHA-1 is too quick to guard a password"))
            }
            _ if text.len() == 13 && !text.contains(':') => {
                Err(unsupported("this looks like a hash of the old crypt, or a password in clear"))
            }
            _ => Err(unsupported("this is not a known kind of password hash")),
        }
    }

    fn argon2id(text: &str) -> Result<Self, UnsupportedHash> {
        let broken = UnsupportedHash { message: "this argon2id hash is incomplete", help: REHASH };
        let hash = PasswordHash::new(text).map_err(|_| broken)?;
        let params = Params::try_from(&hash).map_err(|_| broken)?;
        let whole = hash.algorithm == Ident::new_unwrap("argon2id")
            && hash.version.is_none_or(|version| version == 19)
            && hash.salt.is_some()
            && hash.hash.is_some();
        if !whole {
            return Err(broken);
        }
        if params.m_cost() > MEMORY || params.t_cost() > PASSES || params.p_cost() > LANES {
            let message = "this argon2id hash costs more than 256 MiB, 16 passes or 16 lanes";
            return Err(UnsupportedHash { message, help: CHEAPER });
        }
        Ok(Self::Argon2id(Box::new(hash)))
    }

    fn bcrypt(text: &str, cost: &str, salted: &str) -> Result<Self, UnsupportedHash> {
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
        let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost = cost.parse::<u32>().ok().filter(|cost| digits && *cost >= 4);
        match cost {
            Some(cost) if cost > COST => {
                Err(UnsupportedHash { message: "this bcrypt hash costs more than 2^16 rounds", help: CHEAPER })
            }
            Some(_) if salted.len() == 53 && salted.bytes().all(alphabet) => Ok(Self::Bcrypt(text.into())),
            _ => Err(UnsupportedHash { message: "this bcrypt hash is incomplete", help: REHASH }),
        }
    }

    /// Whether this is the hash of the password. bcrypt uses the first 72 octets of a longer password, as other
    /// programs do.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2id(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by argon2-cffi and bcrypt of Python, with costs that suit a test.
    const ARGON2ID: &str =
        "$argon2id$v=19$m=64,t=1,p=1$EPVbPa4gg7yIqDpOwvDqdQ$2iMxt8u5xUUXjF4OQSRuJNBXAejYMVYXmaHW9TH+lPQ";
    const ARGON2I: &str =
        "$argon2i$v=19$m=64,t=1,p=1$OxYiiTZGGbN5I1LOdsoIug$wkehzY2gXVxjO18P2+a3piUaDYBu2ZmgesxkZ0ClO1k";
    const BCRYPT: &str = "$2b$04$4rjFuFy00FgPSN5B2QMc/eU1OU9iY2duke41/gQtUtuJ4YSSc1A2a";

    #[test]
    fn hashes_of_other_programs_are_verified() {
        for (hash, password) in [
            (ARGON2ID.to_owned(), "correct horse"),
            (BCRYPT.to_owned(), "battery staple"),
            (BCRYPT.replace("$2b$", "$2y$"), "battery staple"),
            (BCRYPT.replace("$2b$", "$2a$"), "battery staple"),
        ] {
            let parsed = Password::parse(&hash).expect(&hash);
            assert!(parsed.verify(password.as_bytes()), "{hash}");
            for wrong in ["", "correct horsf", "battery stapl", "battery staple "] {
                assert!(!parsed.verify(wrong.as_bytes()), "{hash} {wrong}");
            }
        }
    }

    #[test]
    fn other_hashes_are_unsupported_and_it_is_told_why() {
        for (hash, message) in [
            (ARGON2I.to_owned(), "of the argon2 variants, only argon2id is supported"),
            (ARGON2ID.replace("v=19", "v=16"), "this argon2id hash is incomplete"),
            (ARGON2ID.replace("m=64", "m=many"), "this argon2id hash is incomplete"),
            (ARGON2ID.split_at(60).0.to_owned(), "this argon2id hash is incomplete"),
            (
                ARGON2ID.replace("m=64", "m=262145"),
                "this argon2id hash costs more than 256 MiB, 16 passes or 16 lanes",
            ),
            (
                ARGON2ID.replace("t=1", "t=17"),
                "this argon2id hash costs more than 256 MiB, 16 passes or 16 lanes",
            ),
            (BCRYPT.replace("$04$", "$17$"), "this bcrypt hash costs more than 2^16 rounds"),
            (BCRYPT.replace("$04$", "$03$"), "this bcrypt hash is incomplete"),
            (BCRYPT.replace("$04$", "$4$"), "this bcrypt hash is incomplete"),
            (BCRYPT.replace('/', "é"), "this bcrypt hash is incomplete"),
            (format!("{BCRYPT}a"), "this bcrypt hash is incomplete"),
            (BCRYPT.replace("$2b$", "$2x$"), "bcrypt's variant 2x is known to be broken"),
            ("$apr1$abcdefgh$0123456789".to_owned(), "MD5 is too quick to guard a password"),
            ("$1$abcdefgh$0123456789".to_owned(), "MD5 is too quick to guard a password"),
            ("$6$abcdefgh$0123456789".to_owned(), "crypt with SHA-2 is too quick to guard a password"),
            ("{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(), "SHA-1 is too quick to guard a password"),
            ("rqXexS6ZhobKA".to_owned(), "this looks like a hash of the old crypt, or a password in clear"),
            ("hunter2".to_owned(), "this is not a known kind of password hash"),
            (String::new(), "this is not a known kind of password hash"),
        ] {
            assert_eq!(Password::parse(&hash).expect_err(&hash).message, message, "{hash}");
        }
    }
}
