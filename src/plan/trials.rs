//! Steps of `check`'s trials, which leave nothing behind. They are planned in `check`; values only here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::StagedStripe;
use crate::model::StoreName;

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
    /// The store; none where an older version planned it, which knew one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
}

/// Removes a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveProbe {
    /// The object's key below the store's prefix.
    pub key: String,
    /// The store, as its probe names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
}
