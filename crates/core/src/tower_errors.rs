//! Errors of tower's own layers, which may stand in any stack.

use std::error::Error;

use crate::ErrorKind;

/// The kind of an error of tower's, where tower is known.
#[cfg(feature = "tower")]
pub(crate) fn kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if error.is::<tower::timeout::error::Elapsed>() {
        Some(ErrorKind::Timeout)
    } else if error.is::<tower::load_shed::error::Overloaded>() {
        Some(ErrorKind::LoadShed)
    } else {
        None
    }
}

/// Without tower no error is one of its own.
#[cfg(not(feature = "tower"))]
pub(crate) fn kind(_: &(dyn Error + 'static)) -> Option<ErrorKind> {
    None
}

#[cfg(all(test, feature = "tower"))]
mod tests {
    use std::{fmt, io};

    use tower::{load_shed::error::Overloaded, timeout::error::Elapsed};

    use super::*;
    use crate::{BoxError, Error as OurError, problem};

    #[derive(Debug)]
    struct Wrapper(BoxError);

    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a layer of somebody's failed")
        }
    }

    impl Error for Wrapper {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    #[test]
    fn towers_own_errors_are_known_wherever_they_stand() {
        let wrappings: [fn(BoxError) -> BoxError; 3] = [
            |error| error,
            |error| Box::new(Wrapper(error)),
            |error| Box::new(io::Error::other(Wrapper(error))),
        ];
        for wrap in wrappings {
            for (error, kind, status, unsent) in [
                (BoxError::from(Elapsed::new()), ErrorKind::Timeout, 504, false),
                (BoxError::from(Overloaded::new()), ErrorKind::LoadShed, 503, true),
                (BoxError::from("another"), ErrorKind::Internal, 500, false),
                (OurError::new(ErrorKind::Connect, Elapsed::new()).into(), ErrorKind::Connect, 502, true),
            ] {
                let error = wrap(error);
                assert_eq!(ErrorKind::of(&*error), kind);
                let error = OurError::from_service(error);
                assert_eq!((error.kind(), error.is_unsent()), (kind, unsent));
                assert_eq!(problem::status(error.kind()).as_u16(), status);
            }
        }
    }
}
