use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use gatewright_core::{WatchedFile, WatchedFileStatus};
use http::{HeaderName, request::Parts};
use tokio::sync::oneshot;

use super::{
    credentials::{self, Credentials, Unreadable},
    users::Users,
    verification::{Claimed, Verification},
    verified::Verified,
    workers::{QueueFull, Workers},
};
use crate::{Attempt, Authenticate, Cause, Challenge, Outcome, Refusal};

/// Users and passwords in `Authorization: Basic` (RFC 7617), with an htpasswd-style file.
///
/// 1. The file has a line `user:hash` for each user. Hashes are argon2id (as PHC strings) or bcrypt (`$2y$`,
///    `$2b$`). Faster hashes (MD5, SHA-1, SHA-2, crypt) are too easy to guess, and are refused when the file is
///    read.
/// 2. The file is read again when it changes, all or nothing, like a keys file.
/// 3. Verifying a password takes milliseconds, so it runs on a few threads of its own with a short queue. When the
///    queue is full, the answer is 503: a flood of logins uses no more of the machine than you allow.
/// 4. Good credentials are remembered for a minute, as a hash under a key of this process. They are forgotten when
///    the file has another hash for that user. Bad credentials are not remembered, and are verified each time.
/// 5. An unknown name takes as long as a known one.
/// 6. The credentials never reach the service.
///
/// Put a limit by client address around this layer, so that one client cannot fill the queue.
///
/// # Example
///
/// ```no_run
/// use gatewright_auth::{AuthLayer, Basic};
///
/// let layer = AuthLayer::new(Basic::from_file("users.htpasswd").build()?);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::BasicError>(())
/// ```
///
/// Customised: scopes for all users of the file, a header that tells the service the name, and two threads for
/// passwords.
///
/// ```no_run
/// use gatewright_auth::{AuthLayer, Basic};
/// use http::HeaderName;
///
/// let staff = Basic::from_file("staff.htpasswd")
///     .realm("back office")
///     .scopes(["orders:read"])
///     .user_header(HeaderName::from_static("x-staff"))
///     .threads(2, 50)
///     .build()?;
/// let layer = AuthLayer::new(staff).scopes(["orders:read"]);
/// # let _ = layer;
/// # Ok::<(), gatewright_auth::BasicError>(())
/// ```
#[derive(Debug)]
pub struct Basic {
    pub(super) users: Loaded,
    pub(super) realm: Box<str>,
    pub(super) header: Option<HeaderName>,
    pub(super) verified: Arc<Verified>,
    pub(super) workers: Workers<Verification>,
}

/// The users that are valid now.
pub(super) enum Loaded {
    File(WatchedFile<Users>),
    Fixed(Users),
}

impl Basic {
    /// The number of users.
    pub fn len(&self) -> usize {
        self.users.with(Users::len)
    }

    /// Whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The state of reading the file again. `None` without a file.
    pub fn status(&self) -> Option<WatchedFileStatus> {
        match &self.users {
            Loaded::File(file) => Some(file.status()),
            Loaded::Fixed(_) => None,
        }
    }

    fn judge(&self, credentials: Credentials) -> Attempt<BasicFuture> {
        let claimed = self.users.with(|users| match users.find(credentials.user()) {
            Some(user) => {
                let digest = self.verified.digest(user, &credentials);
                Claimed::Known { user: Arc::clone(user), digest, verified: Arc::clone(&self.verified) }
            }
            None => Claimed::Unknown { stand_in: users.stand_in(credentials.user()).cloned() },
        });
        if let Claimed::Known { user, digest, verified } = &claimed
            && verified.holds(*digest, Instant::now())
        {
            return Attempt::Now(user.identity.clone().into());
        }
        let (verification, answered) = Verification::new(credentials, claimed);
        match self.workers.submit(verification) {
            Ok(()) => Attempt::Later(BasicFuture { answered }),
            Err(QueueFull) => Attempt::Now(Refusal::unavailable("too_many_logins").into()),
        }
    }
}

impl Loaded {
    fn with<R>(&self, read: impl FnOnce(&Users) -> R) -> R {
        match self {
            Self::File(file) => read(&file.load()),
            Self::Fixed(users) => read(users),
        }
    }
}

impl Authenticate for Basic {
    type Future = BasicFuture;

    fn name(&self) -> &'static str {
        super::METHOD
    }

    fn authenticate(&self, request: &Parts) -> Attempt<BasicFuture> {
        match Credentials::of(&request.headers) {
            Ok(None) => Outcome::NoCredential.into(),
            Ok(Some(credentials)) => self.judge(credentials),
            Err(Unreadable::Several) => Outcome::from(Refusal::invalid("several_credentials")).into(),
            Err(Unreadable::Malformed) => Outcome::from(Refusal::invalid("malformed_credentials")).into(),
        }
    }

    fn challenges(&self, _: Cause<'_>) -> Vec<Challenge> {
        vec![Challenge::new("Basic").parameter("realm", &self.realm).parameter("charset", "UTF-8")]
    }

    fn remove_credentials(&self, request: &mut Parts) {
        credentials::remove(&mut request.headers);
    }

    fn header_names(&self) -> Vec<HeaderName> {
        self.header.iter().cloned().collect()
    }
}

/// The future of [`Basic`]: a password is being verified.
#[derive(Debug)]
pub struct BasicFuture {
    answered: oneshot::Receiver<Outcome>,
}

impl Future for BasicFuture {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.answered).poll(cx).map(|answer| {
            // The channel closes without an answer if the verification panicked.
            answer.unwrap_or_else(|_| Refusal::unavailable("password_not_verified").into())
        })
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.fmt(f),
            Self::Fixed(users) => write!(f, "{} users", users.len()),
        }
    }
}
