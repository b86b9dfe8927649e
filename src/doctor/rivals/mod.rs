//! Jobs and tools beside Stopmark that back members up: who they are, why it matters, and the cure.
//!
//! Start at [`examine_rivals`]. Whoever takes a log backup takes every mark in it out of our chain, and whoever takes a
//! full that is no copy takes the base of our differentials. Sources: Microsoft's pages on `sysjobs`, `sysjobsteps`,
//! `log_shipping_primary_databases`, `managed_backup.fn_backup_db_config` and `backupset`.
//!
//! Nothing is contacted here, and nothing is changed.

mod steps;
mod tools;

use serde::Serialize;

use self::steps::{Taken, What, taken_by};
use self::tools::tool_of;
use super::Weight;
use crate::model::{DatabaseName, HostName};
use crate::survey::{JobStep, RivalFacts, ShippedDatabase, TakenByOthers};

/// One job or tool that takes what is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RivalFinding {
    /// The host.
    pub host: HostName,
    /// The job, tool or database.
    pub about: String,
    /// What it means for chains.
    pub weight: Weight,
    /// What is so, one line.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it.
    pub cure: RivalCure,
    /// What the cure may break for others.
    pub risk: &'static str,
}

/// What ends a rival; `sql` writes the first two as T-SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RivalCure {
    /// The Agent runs the job no more.
    DisableJob {
        /// The job.
        job: String,
    },
    /// Managed backup leaves the database.
    EndManagedBackup {
        /// The database.
        database: DatabaseName,
    },
    /// No T-SQL reaches the tool: what a person does there.
    InTheTool {
        /// What that is.
        advice: String,
    },
}

const LOG_WHY: &str =
    "each takes logs that the other needs: neither has a chain that leads to its marks";
const FULL_WHY: &str = "the next differential builds on that full, which nobody has here";
const JOB_RISK: &str =
    "every step of the job rests, not only its backups; its own restores have nothing newer";

/// Everything that others do with these members of one host, the gravest first.
#[must_use]
pub fn examine_rivals(
    host: &HostName,
    members: &[DatabaseName],
    facts: &RivalFacts,
) -> Vec<RivalFinding> {
    let mut found: Vec<RivalFinding> = Vec::new();
    found.extend(facts.shipped.iter().filter_map(|it| shipped(host, it)));
    for step in facts.steps.iter().filter(|step| step.is_enabled) {
        let is_told = |it: &RivalFinding| it.about == step.job && it.weight == Weight::Blocks;
        if found.iter().any(is_told) {
            continue;
        }
        if let Some(finding) = step_finding(host, members, step) {
            found.retain(|it| it.about != step.job || it.weight > finding.weight);
            if !found.iter().any(|it| it.about == step.job) {
                found.push(finding);
            }
        }
    }
    found.extend(facts.managed.iter().map(|database| managed(host, database)));
    found.extend(history(host, &facts.taken));
    found.sort_by_key(|it| std::cmp::Reverse(it.weight));
    found
}

fn shipped(host: &HostName, shipped: &ShippedDatabase) -> Option<RivalFinding> {
    let database = &shipped.database;
    let (about, cure) = match &shipped.job {
        Some((_, false)) => return None,
        Some((job, true)) => (job.clone(), RivalCure::DisableJob { job: job.clone() }),
        None => (
            database.to_string(),
            RivalCure::InTheTool {
                advice: format!(
                    "remove log shipping of `{database}`, or disable its job `LSBackup_{database}`"
                ),
            },
        ),
    };
    Some(RivalFinding {
        host: host.clone(),
        about,
        weight: Weight::Blocks,
        what: format!("log shipping takes the log backups of `{database}`"),
        why: LOG_WHY,
        cure,
        risk: "its secondary gets no more logs until it is fed from Stopmark's",
    })
}

fn step_finding(host: &HostName, members: &[DatabaseName], step: &JobStep) -> Option<RivalFinding> {
    let Taken { what, of, by } = taken_by(step, members)?;
    let (weight, words, why) = match what {
        What::Log => (Weight::Blocks, "takes log backups", LOG_WHY),
        What::Full => (Weight::Risk, "takes fulls that are no copies", FULL_WHY),
        What::Unknown => (
            Weight::Risk,
            "may back databases up, which cannot be read from here",
            "where it takes logs, neither has a chain that leads to its marks",
        ),
    };
    Some(RivalFinding {
        host: host.clone(),
        about: step.job.clone(),
        weight,
        what: format!("the job {words}: {by}{of}"),
        why,
        cure: RivalCure::DisableJob {
            job: step.job.clone(),
        },
        risk: JOB_RISK,
    })
}

fn managed(host: &HostName, database: &DatabaseName) -> RivalFinding {
    RivalFinding {
        host: host.clone(),
        about: database.to_string(),
        weight: Weight::Blocks,
        what: "managed backup to Azure takes its fulls and logs".to_owned(),
        why: LOG_WHY,
        cure: RivalCure::EndManagedBackup {
            database: database.clone(),
        },
        risk: "no new backups in Azure's container; what is there stays",
    }
}

/// What others took, each tool, database and kind once, with the newest of its backups.
fn history(host: &HostName, taken: &[TakenByOthers]) -> Vec<RivalFinding> {
    let mut seen: Vec<(String, &TakenByOthers, usize)> = Vec::new();
    for backup in taken {
        let tool = tool_of(backup);
        let is_same = |(known, first, _): &&mut (String, &TakenByOthers, usize)| {
            *known == tool && first.database == backup.database && first.is_log == backup.is_log
        };
        match seen.iter_mut().find(is_same) {
            Some((_, _, count)) => *count += 1,
            None => seen.push((tool, backup, 1)),
        }
    }
    let findings = seen.into_iter();
    findings
        .map(|(tool, newest, count)| past(host, &tool, newest, count))
        .collect()
}

fn past(host: &HostName, tool: &str, newest: &TakenByOthers, count: usize) -> RivalFinding {
    let kind = match (newest.is_log, newest.is_snapshot) {
        (true, _) => "log backup",
        (false, true) => "snapshot (VSS) that is no copy",
        (false, false) => "full that is no copy",
    };
    let (database, user, device) = (&newest.database, &newest.user, &newest.device);
    let finished = &newest.finished;
    let weight = if newest.is_log && newest.is_virtual {
        Weight::Blocks
    } else {
        Weight::Risk
    };
    RivalFinding {
        host: host.clone(),
        about: tool.to_owned(),
        weight,
        what: format!(
            "{count} {kind}{} of `{database}` since our newest full, the last at {finished} by `{user}` to `{device}`",
            if count == 1 { "" } else { "s" },
        ),
        why: if newest.is_log { LOG_WHY } else { FULL_WHY },
        cure: RivalCure::InTheTool {
            advice: format!(
                "leave `{database}` out there, or have only copies taken (COPY_ONLY); then `stopmark backup full` \
                 begins anew"
            ),
        },
        risk: "what that tool restores ends with its last backup",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(name: &str, is_log: bool, is_virtual: bool) -> TakenByOthers {
        TakenByOthers {
            database: "Ledger".parse().expect("a name"),
            is_log,
            is_snapshot: !is_log,
            is_virtual,
            name: name.to_owned(),
            user: r"CORP\backup".to_owned(),
            program: "Microsoft SQL Server".to_owned(),
            device: "{5F1C}1".to_owned(),
            finished: "2026-11-21 02:00".to_owned(),
        }
    }

    #[test]
    fn a_tool_is_told_once_for_each_database_and_kind() {
        let facts = RivalFacts {
            taken: vec![
                taken("Veeam", true, true),
                taken("Veeam", false, true),
                taken("Veeam", true, true),
                taken("by hand", true, false),
            ],
            ..RivalFacts::default()
        };
        let host = "SQL1".parse().expect("a host");
        let found = examine_rivals(&host, &[], &facts);
        let told: Vec<String> = found
            .iter()
            .map(|it| format!("{:?} {}: {}", it.weight, it.about, it.what))
            .collect();
        let end = r"of `Ledger` since our newest full, the last at 2026-11-21 02:00 by `CORP\backup` to `{5F1C}1`";
        assert_eq!(
            told,
            [
                format!("Blocks Veeam: 2 log backups {end}"),
                format!("Risk Veeam: 1 snapshot (VSS) that is no copy {end}"),
                format!("Risk somebody: 1 log backup {end}"),
            ]
        );
    }

    #[test]
    fn a_disabled_job_is_no_rival() {
        let facts = RivalFacts {
            shipped: vec![ShippedDatabase {
                database: "Ledger".parse().expect("a name"),
                job: Some(("LSBackup_Ledger".to_owned(), false)),
            }],
            ..RivalFacts::default()
        };
        let host = "SQL1".parse().expect("a host");
        assert_eq!(examine_rivals(&host, &[], &facts), []);
    }
}
