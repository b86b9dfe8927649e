//! Findings: what a scan noticed, where, and how grave it is.
//!
//! Start at [`FindingKind`]. A finding is a value, not an error: bad media are what a reader of
//! media is for.
//!
//! This file never decides that something is wrong; it says what was.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How deep one must look to notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// L1: headers, their checksums and their order.
    Structure,
    /// L2: what the media say they are, told twice and compared.
    Identity,
    /// L3: the bytes of pages, log and streams.
    Content,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; speaks against nothing.
    Note,
    /// Not understood, so nothing was proved.
    Unreadable,
    /// The bytes are not what SQL Server wrote.
    Damage,
}

/// Something noticed at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// How deep one had to look.
    pub level: Level,
    /// What it is.
    pub kind: FindingKind,
}

/// What was noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The file has no bytes.
    Empty,
    /// The file is no backup media at all.
    NotMedia,
}

impl FindingKind {
    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Empty | Self::NotMedia => Severity::Unreadable,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::NotMedia => f.write_str("the file is no SQL Server backup media"),
        }
    }
}
