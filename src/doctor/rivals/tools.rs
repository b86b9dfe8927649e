//! Which tool took a backup, by the words that it leaves in msdb.
//!
//! Start at [`tool_of`]. The words are those that the makers' own pages show in `backupset.name`, `user_name` or
//! `software_name`, or their product's name where no page says more; a tool that leaves none is called by its way.

use crate::survey::TakenByOthers;

/// A word in lower case, and the tool.
const TOOLS: &[(&str, &str)] = &[
    ("veeam", "Veeam"),
    ("commvault", "Commvault"),
    ("galaxy", "Commvault"),
    ("netbackup", "NetBackup"),
    ("backup exec", "Backup Exec"),
    ("networker", "NetWorker"),
    ("data domain", "Data Domain"),
    ("ddbma", "Data Domain"),
    ("avamar", "Avamar"),
    ("tivoli", "IBM Storage Protect"),
    ("spectrum protect", "IBM Storage Protect"),
    ("storage protect", "IBM Storage Protect"),
    ("rubrik", "Rubrik"),
    ("cohesity", "Cohesity"),
    ("azureworkload", "Azure Backup"),
    ("azure backup", "Azure Backup"),
    ("data protection manager", "Data Protection Manager"),
    ("dpm", "Data Protection Manager"),
    ("acronis", "Acronis"),
    ("arcserve", "Arcserve"),
    ("litespeed", "LiteSpeed"),
    ("red gate", "Redgate SQL Backup"),
    ("sql backup", "Redgate SQL Backup"),
    ("sqlsafe", "Idera SQL Safe"),
    ("sql safe", "Idera SQL Safe"),
    ("data protector", "Data Protector"),
];

/// The tool; the way that the backup went where no word tells.
pub(super) fn tool_of(backup: &TakenByOthers) -> String {
    let words = format!("{} {} {}", backup.name, backup.user, backup.program).to_lowercase();
    let known = TOOLS.iter().find(|(word, _)| words.contains(word));
    let way = match (backup.is_snapshot, backup.is_virtual) {
        (true, _) => "a VSS tool",
        (false, true) => "a VDI tool",
        (false, false) => "somebody",
    };
    known.map_or(way, |(_, tool)| tool).to_owned()
}
