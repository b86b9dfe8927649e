//! Identities of things that Stopmark makes: UUIDv7, so that they sort by the time of their making.
//!
//! They are drawn from `World`'s `Ids`, never here, so that a seed repeats a run exactly.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;

/// Declares one identity type; they differ only in what they name.
macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    };
}

identity! {
    /// One Run: a Plan (or up to three, one a round) being carried out.
    RunId
}
identity! {
    /// One Plan.
    PlanId
}
identity! {
    /// One Survey.
    SurveyId
}
identity! {
    /// One Set: the pieces of one round of a run.
    SetId
}
identity! {
    /// One Piece, given by the planner before the backup is taken.
    PieceId
}

impl PieceId {
    /// The name that the piece has on its medium and in msdb, wherever it was backed up or restored.
    #[must_use]
    pub fn backup_name(self) -> String {
        format!("Stopmark {self}")
    }

    /// The piece that has this name; none for a backup of others.
    #[must_use]
    pub fn of_backup_name(name: &str) -> Option<Self> {
        let id = name.strip_prefix("Stopmark ")?;
        Uuid::try_parse(id).ok().map(Self)
    }
}

impl RunId {
    /// Whether the identity says when the run was made.
    #[must_use]
    pub fn tells_time(self) -> bool {
        self.0.get_version_num() == 7
    }

    /// When the run was made, as its identity says (RFC 9562: a UUIDv7 begins with Unix milliseconds).
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        let millis = self.0.as_u128() >> 80;
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
