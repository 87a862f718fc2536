//! The reasons to refuse a token.

use crate::{Refusal, bearer::Unreadable};

/// Why a token is refused. Only the log says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    // Request
    Several,
    // Form
    Malformed,
    TooLarge,
    Encrypted,
    Header,
    Claims,
    // Header
    AlgNone,
    AlgUnknown,
    Crit,
    Nested,
    Compressed,
    Unencoded,
    Kid,
    Typ,
    // Issuer and key
    NoIssuer,
    UnknownIssuer,
    WrongAlgorithm,
    UnknownKey,
    KeysUnavailable,
    Signature,
    // Claims
    NoExpiry,
    Expired,
    NotYet,
    IssuedAhead,
    TooOld,
    Time,
    NoAudience,
    WrongAudience,
    NoSubject,
    MissingClaim,
    WrongClaim,
    UnfitForHeader,
}

impl Fault {
    /// The reason in the log.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Several => "jwt_several",
            Self::Malformed => "jwt_malformed",
            Self::TooLarge => "jwt_too_large",
            Self::Encrypted => "jwt_encrypted",
            Self::Header => "jwt_bad_header",
            Self::Claims => "jwt_bad_claims",
            Self::AlgNone => "jwt_alg_none",
            Self::AlgUnknown => "jwt_alg_unknown",
            Self::Crit => "jwt_crit",
            Self::Nested => "jwt_nested",
            Self::Compressed => "jwt_compressed",
            Self::Unencoded => "jwt_unencoded_payload",
            Self::Kid => "jwt_bad_kid",
            Self::Typ => "jwt_wrong_type",
            Self::NoIssuer => "jwt_no_issuer",
            Self::UnknownIssuer => "jwt_unknown_issuer",
            Self::WrongAlgorithm => "jwt_wrong_algorithm",
            Self::UnknownKey => "jwt_unknown_key",
            Self::KeysUnavailable => "jwt_keys_unavailable",
            Self::Signature => "jwt_bad_signature",
            Self::NoExpiry => "jwt_no_expiry",
            Self::Expired => "jwt_expired",
            Self::NotYet => "jwt_not_yet_valid",
            Self::IssuedAhead => "jwt_issued_ahead",
            Self::TooOld => "jwt_too_old",
            Self::Time => "jwt_bad_time",
            Self::NoAudience => "jwt_no_audience",
            Self::WrongAudience => "jwt_wrong_audience",
            Self::NoSubject => "jwt_no_subject",
            Self::MissingClaim => "jwt_missing_claim",
            Self::WrongClaim => "jwt_wrong_claim",
            Self::UnfitForHeader => "jwt_claim_unfit_for_header",
        }
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Several => Self::Several,
            Unreadable::Malformed => Self::Malformed,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::KeysUnavailable => Self::unavailable(fault.reason()),
            fault => Self::invalid(fault.reason()),
        }
    }
}
