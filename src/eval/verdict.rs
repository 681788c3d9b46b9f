//! The verdict on the judgements of all specs. Knows no policy.

use serde::{Deserialize, Serialize};

use crate::eval::Outcome;

/// The exit status for trouble: there is no verdict, or it is not on all that is demanded.
pub const TROUBLE: u8 = 2;

/// The verdict on an image and a host. The worst spec decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that is demanded is there.
    Compatible,
    /// Something could not be looked at, and nothing is missing for certain.
    Undecided,
    /// Something that is demanded is not there.
    Incompatible,
}

impl Verdict {
    /// The verdict on requirements that must all hold; without any, compatible.
    pub fn of(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        match Outcome::all(outcomes) {
            Outcome::Met => Self::Compatible,
            Outcome::Unknown => Self::Undecided,
            Outcome::Unmet => Self::Incompatible,
        }
    }

    /// As reports and logs write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Undecided => "undecided",
            Self::Incompatible => "incompatible",
        }
    }

    /// The exit status of `oci-compat check`; trouble has [`TROUBLE`].
    pub fn status(self) -> u8 {
        match self {
            Self::Compatible => 0,
            Self::Incompatible => 1,
            Self::Undecided => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_spec_decides_and_none_at_all_is_compatible() {
        let check =
            |outcomes: &[Outcome], name| assert_eq!(Verdict::of(outcomes.iter().copied()).name(), name);
        check(&[], "compatible");
        check(&[Outcome::Met, Outcome::Unknown], "undecided");
        check(&[Outcome::Unknown, Outcome::Unmet, Outcome::Met], "incompatible");
    }

    #[test]
    fn exit_statuses_are_interface() {
        assert_eq!(
            [Verdict::Compatible, Verdict::Incompatible, Verdict::Undecided].map(Verdict::status),
            [0, 1, 3]
        );
    }
}
