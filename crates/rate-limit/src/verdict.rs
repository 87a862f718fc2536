use smallvec::SmallVec;

use crate::gcra::Reading;

/// What a store says of a request.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) admitted: bool,
    /// When it was refused: nanoseconds until it would be admitted; `None` when never.
    pub(crate) wait: Option<u64>,
    /// What each limit holds after the decision, in their order.
    pub(crate) readings: SmallVec<[Reading; 2]>,
}
