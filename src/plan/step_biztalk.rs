//! Steps that only groups of BizTalk have. Wire types like all steps: they stand in journals for ever, so fields are
//! added, never renamed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{DatabaseName, MarkName, PieceId, PieceKind};

/// Writes what a round took into `adm_BackupHistory`, set by set; a set becomes complete last, and only where every
/// row of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteHistory {
    /// The management database.
    pub database: DatabaseName,
    /// The application lock that BizTalk's job and its log-shipping readers take (`BTS_BackupJob_Lock`).
    pub app_lock: String,
    /// How long to wait for it, in milliseconds.
    pub timeout_ms: u64,
    /// The sets, in the order in which they are restored.
    pub sets: Vec<HistorySet>,
    /// `adm_BackupSettings.ForceFull` was heeded: it is set back once these fulls were taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<PieceId>,
}

/// One set of `adm_BackupHistory`: the backups of one kind of one round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistorySet {
    /// Full (`db`) or log (`lg`).
    pub piece_kind: PieceKind,
    /// The mark that logs carry; none for fulls and for the first logs of new chains.
    pub mark: Option<MarkName>,
    /// Whether a destination can go on with it: every listed database is in it, and the sets before it are whole.
    pub is_whole: bool,
    /// One a database.
    pub rows: Vec<HistoryRow>,
}

/// One row of `adm_BackupHistory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The piece; a row is written only where it was taken.
    pub piece: PieceId,
    /// The server as BizTalk's list names it.
    pub server: String,
    /// The database.
    pub database: DatabaseName,
    /// The folder, as the server that wrote the file names it, without a separator at its end.
    pub folder: String,
    /// The file's name.
    pub file: String,
}

/// Deletes rows of the history that are too old, and the files of ours that they name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimHistory {
    /// The management database.
    pub database: DatabaseName,
    /// How old rows become, in minutes; what the oldest kept row needs stays longer.
    pub keep_minutes: i32,
    /// The folders of ours: only files in them are removed.
    pub folders: Vec<ShippedFolder>,
}

/// A folder of ours under its two names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedFolder {
    /// As the host names it, without a separator at its end.
    pub sql: String,
    /// As the agent names it.
    pub agent: PathBuf,
}

/// The decoder of the tracking database, which stands still while a mark is placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockTracking {
    /// The linked server that leads there; none where it is on the management host.
    pub link: Option<String>,
    /// The tracking database.
    pub database: DatabaseName,
}

/// One backup by the procedure that BizTalk's own job calls (`sp_BackupBizTalkFull`, `sp_BackupBizTalkLog`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByProcedure {
    /// The folder, at most 128 characters, as in that job.
    pub folder: String,
    /// What its files have in their names (`@seq`).
    pub sequence: String,
}
