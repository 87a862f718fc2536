use std::{sync::Arc, time::Instant};

use tokio::sync::oneshot;

use super::{credentials::Credentials, users::User, verified::Verified, workers::Job};
use crate::{Outcome, Refusal, digest::Digest};

/// A password to verify, for a waiting request.
pub(super) struct Verification {
    credentials: Credentials,
    user: Claimed,
    answer: oneshot::Sender<Outcome>,
}

/// The user that the credentials name.
pub(super) enum Claimed {
    Known {
        user: Arc<User>,
        digest: Digest,
        verified: Arc<Verified>,
    },
    /// An unknown user. Another user's hash is verified instead, so that it takes as long.
    Unknown {
        stand_in: Option<Arc<User>>,
    },
}

impl Verification {
    /// Returns the job, and the receiver of its outcome.
    pub(super) fn new(credentials: Credentials, user: Claimed) -> (Self, oneshot::Receiver<Outcome>) {
        let (answer, answered) = oneshot::channel();
        (Self { credentials, user, answer }, answered)
    }
}

impl Job for Verification {
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    fn run(self) {
        let password = self.credentials.password();
        let outcome = match self.user {
            Claimed::Known { user, digest, verified } => {
                // If many requests send the same password at once, the first one does the work.
                let known = verified.holds(digest, Instant::now());
                if known || user.password.verify(password) {
                    if !known {
                        verified.remember(digest, Instant::now());
                    }
                    user.identity.clone().into()
                } else {
                    Refusal::invalid("wrong_password").into()
                }
            }
            Claimed::Unknown { stand_in } => {
                let _ = stand_in.map(|user| user.password.verify(password));
                Refusal::invalid("unknown_user").into()
            }
        };
        let _ = self.answer.send(outcome);
    }
}
