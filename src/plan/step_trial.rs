//! Steps that leave nothing of their own for long: what marks need in members, and the trials of `check`.
//!
//! Wire types like all steps: they stand in journals for ever, so fields are added, never renamed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::StagedStripe;
use crate::model::MemberName;

/// Makes what marks need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareMember {
    /// The member.
    pub member: MemberName,
    /// Logins of this host that marks arrive as, who get EXECUTE; the agent's own first.
    pub grantees: Vec<String>,
}

/// Removes what [`PrepareMember`] made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovePrepared {
    /// The member.
    pub member: MemberName,
}

/// A tiny `COPY_ONLY` backup of `model`, which moves nobody's chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialBackup {
    /// Where SQL Server writes; no object belongs to it, so its key is empty.
    pub stripe: StagedStripe,
}

/// Removes a trial's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveTrial {
    /// The file as the agent names it.
    pub agent_path: PathBuf,
}

/// An object that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStore {
    /// The object's key below the store's prefix.
    pub key: String,
}

/// Removes a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveProbe {
    /// The object's key below the store's prefix.
    pub key: String,
}
