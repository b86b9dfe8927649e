//! What is wrong with how a BizTalk group is backed up, why it matters, and the cure.
//!
//! Start at [`examine_biztalk`]. Sources are sections 1, 2 and 8 of the facts about SQL Server that this product is
//! built on: BizTalk's documentation of its backup job and log shipping, and its setup scripts.
//!
//! Nothing is contacted here, and nothing is changed.

mod job;
mod layout;

use serde::Serialize;

use super::Weight;
use crate::config::{Config, Engine, HostConfig};
use crate::model::MemberName;
use crate::survey::{BizTalkFacts, HostReport, Survey};

pub use job::{JobSettings, settings_of};
pub(super) use job::{parameters, without_comments};
pub use layout::examine_layout;

/// BizTalk's procedures take the folder as `nvarchar(128)`, and cut what is longer.
const FOLDER_CHARACTERS_MAX: usize = 128;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BizTalkFinding {
    /// The member, job, host or table that it is about.
    pub about: String,
    /// What it means for marks.
    pub weight: Weight,
    /// What is so, one line.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it.
    pub cure: String,
}

fn finding(
    weight: Weight,
    about: impl Into<String>,
    what: impl Into<String>,
    why: &'static str,
    cure: impl Into<String>,
) -> BizTalkFinding {
    BizTalkFinding {
        about: about.into(),
        weight,
        what: what.into(),
        why,
        cure: cure.into(),
    }
}

/// Everything that is wrong, the gravest first.
#[must_use]
pub fn examine_biztalk(config: &Config, survey: &Survey) -> Vec<BizTalkFinding> {
    let Some(facts) = &survey.biztalk else {
        return Vec::new();
    };
    let mut found: Vec<BizTalkFinding> = Vec::new();
    found.extend(facts.missing.iter().map(|missing| absent(missing)));
    found.extend(jobs(facts));
    found.extend(servers(survey, facts));
    found.extend(survey.members.iter().filter_map(|it| unready(survey, it)));
    found.extend(survey.members.iter().filter_map(|it| undecided(survey, it)));
    found.extend(history(config, facts));
    found.extend(sso(facts));
    found.extend(versions(survey));
    found.extend(folders(config, survey));
    found.extend(unreachable(config, survey));
    found.sort_by_key(|it| std::cmp::Reverse(it.weight));
    found
}

fn absent(missing: &str) -> BizTalkFinding {
    finding(
        Weight::Risk,
        missing,
        format!("the management database lacks {missing}"),
        "without it nothing is written into BizTalk's history, and its log shipping stands still",
        "run `Backup_Setup_All_Procs.sql` and BizTalk's management setup again, and give the agent's login the right",
    )
}

fn jobs(facts: &BizTalkFacts) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    for job in &facts.jobs {
        let quoted = job.name.replace('\'', "''");
        if job.is_enabled {
            found.push(finding(
                Weight::Blocks,
                &job.name,
                "the job is enabled beside Stopmark",
                "each takes logs that the other needs: neither has a chain that leads to its marks",
                format!("EXEC msdb.dbo.sp_update_job @job_name = N'{quoted}', @enabled = 0;"),
            ));
        }
        found.extend(job_traps(
            &job.name,
            &settings_of(&job.commands),
            job.is_enabled,
        ));
    }
    found
}

/// The known traps of the job's own parameters, for as long as it runs.
fn job_traps(name: &str, settings: &JobSettings, is_enabled: bool) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    if !is_enabled {
        return found;
    }
    if !settings.use_local_time {
        found.push(finding(
            Weight::Risk,
            name,
            "the job counts its days in UTC (`@UseLocalTime` is 0)",
            "its daily full runs at midnight in London, in the middle of the day elsewhere",
            "give `@UseLocalTime = 1` to its steps; Stopmark's schedule has a time zone of its own",
        ));
    }
    if !settings.full_after_partial {
        found.push(finding(
            Weight::Risk,
            name,
            "a full that failed counts as that day's full (`@ForceFullBackupAfterPartialSetFailure` is 0)",
            "nothing can be restored beyond the failure until the next day's full",
            "give `@ForceFullBackupAfterPartialSetFailure = 1` to the step `BackupFull`",
        ));
    }
    if let Some(folder) = settings.folders.iter().find(|it| is_long(it)) {
        found.push(finding(
            Weight::Risk,
            name,
            format!("the job's folder has more than {FOLDER_CHARACTERS_MAX} characters: {folder}"),
            "the procedures cut it without a word, and write to another place or to none",
            "share a folder with a shorter path",
        ));
    }
    found
}

fn is_long(folder: &str) -> bool {
    folder.encode_utf16().count() > FOLDER_CHARACTERS_MAX
}

fn servers(survey: &Survey, facts: &BizTalkFacts) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    for unknown in &survey.unresolved {
        found.push(finding(
            Weight::Blocks,
            unknown.database.as_str(),
            format!(
                "it is listed on server `{}`, which is no configured host",
                unknown.server
            ),
            "a member that is not marked keeps the whole group from having points",
            format!(
                "add a section `[hosts.'TRUE NAME']`, or say whose other name it is: \
                 `[biztalk] servers = {{ '{}' = 'TRUE NAME' }}`",
                unknown.server
            ),
        ));
    }
    for (member, names) in facts.twice() {
        found.push(finding(
            Weight::Risk,
            member.to_string(),
            format!("it is listed under several server names: {}", names.join(", ")),
            "BizTalk's own job would back it up twice into one file; the history would count it twice",
            "name the server in one way in `adm_Group`, `adm_MessageBox` and `adm_OtherBackupDatabases`",
        ));
    }
    for row in &facts.listed {
        let Some(member) = &row.member else {
            continue;
        };
        if !row.server.eq_ignore_ascii_case(member.host.as_str()) {
            found.push(finding(
                Weight::Risk,
                member.to_string(),
                format!("it is listed as on `{}`, another name of `{}`", row.server, member.host),
                "an alias or listener that comes to lead elsewhere takes the database with it; marks go by true names",
                "after a failover or a change of the alias run `stopmark check` and look at what it calls moved",
            ));
        }
    }
    found
}

/// What marks need in a member: a custom database has it only where its scripts were run.
fn unready(survey: &Survey, member: &MemberName) -> Option<BizTalkFinding> {
    let facts = &survey.member(member)?.mark_log;
    let what = match (
        facts.has_table,
        facts.has_procedure,
        facts.has_remote_procedure,
    ) {
        (false, _, _) => "it has no `dbo.MarkLog` with the column `MarkName`",
        (true, false, _) => {
            "`dbo.sp_SetMark` is not there, or the agent's login may not execute it"
        }
        (true, true, false) => {
            "`dbo.sp_SetMarkRemote` is not there, or the agent's login may not execute it"
        }
        (true, true, true) => return None,
    };
    Some(finding(
        Weight::Blocks,
        member.to_string(),
        what,
        "no mark can be placed in it, and so none in the group",
        "run `Backup_Setup_All_Tables.sql` and `Backup_Setup_All_Procs.sql` in it, and put the login's user into \
         the role BTS_BACKUP_USERS; a `MarkLog` of another shape is altered or dropped first",
    ))
}

/// A member in an availability group takes part in distributed transactions for good only where its group says so.
fn undecided(survey: &Survey, member: &MemberName) -> Option<BizTalkFinding> {
    let facts = survey.member(member)?;
    let group = facts.availability_group.as_ref()?;
    if !facts.replica.as_ref()?.lacks_dtc {
        return None;
    }
    Some(finding(
        Weight::Risk,
        member.to_string(),
        format!("availability group `{group}` has no DTC_SUPPORT = PER_DB"),
        "after a failover the outcome of a mark, and of BizTalk's own transactions, may be lost",
        format!(
            "ALTER AVAILABILITY GROUP [{}] SET (DTC_SUPPORT = PER_DB);",
            group.replace(']', "]]")
        ),
    ))
}

fn history(config: &Config, facts: &BizTalkFacts) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    if facts.newest_partial_set > facts.newest_full_set {
        let next = if config.biztalk.full_after_partial {
            "`stopmark backup log` takes fulls of all members"
        } else {
            "`stopmark backup full` takes them; `full_after_partial = true` would have the next run do it"
        };
        found.push(finding(
            Weight::Risk,
            "adm_BackupHistory",
            format!("set {} is not whole, and no full set came after it", facts.newest_partial_set),
            "a destination of log shipping goes no further than before it, until it gets complete fulls",
            next,
        ));
    }
    if facts.force_full {
        found.push(finding(
            Weight::Risk,
            "adm_BackupSettings",
            "somebody asked for a full of everything (`ForceFull`)",
            "a database that was added has no chain before it",
            "`stopmark backup log` takes it with the next mark",
        ));
    }
    found
}

fn sso(facts: &BizTalkFacts) -> Option<BizTalkFinding> {
    let mut listed = facts.listed.iter();
    if facts.listed.is_empty()
        || listed.any(|row| row.database.as_str().eq_ignore_ascii_case("SSODB"))
    {
        return None;
    }
    Some(finding(
        Weight::Risk,
        "SSODB",
        "no database of this name is in the list",
        "without the single sign-on database no BizTalk group comes back; its master secret is a file beside it",
        "add it to `adm_OtherBackupDatabases` with the default name SSO, unless it has another name here",
    ))
}

/// BizTalk's own support matrix; the group may work beyond it.
fn versions(survey: &Survey) -> Vec<BizTalkFinding> {
    let mut found = Vec::new();
    for (name, report) in &survey.hosts {
        let mut members = survey.members.iter();
        let HostReport::Facts(facts) = report else {
            continue;
        };
        if !members.any(|member| member.host.is_same_host(name)) {
            continue;
        }
        let major = facts.version.split('.').next();
        let (what, cure) = match major.and_then(|it| it.parse::<u16>().ok()) {
            Some(16) => (
                "SQL Server 2022 is supported by BizTalk 2020 from CU6 on",
                "see that CU6 or later is installed on every BizTalk server",
            ),
            Some(17..) => (
                "this version of SQL Server is in none of BizTalk's lists",
                "ask Microsoft before you rely on it",
            ),
            Some(0..=12) => (
                "this version of SQL Server is older than Stopmark works with",
                "use SQL Server 2016 SP2 or later",
            ),
            _ => continue,
        };
        let why = "Microsoft helps only where its matrix of versions is kept";
        found.push(finding(Weight::Risk, name.as_str(), what, why, cure));
    }
    found
}

/// The configured hosts that have members.
fn homes<'a>(config: &'a Config, survey: &'a Survey) -> impl Iterator<Item = &'a HostConfig> {
    config.hosts.values().filter(|host| {
        let mut members = survey.members.iter();
        members.any(|member| member.host.is_same_host(&host.name))
    })
}

/// A destination of log shipping reads the files where the history says that they are.
fn unreachable(config: &Config, survey: &Survey) -> Vec<BizTalkFinding> {
    if !config.biztalk.log_shipping {
        return Vec::new();
    }
    let local = homes(config, survey).filter_map(|host| {
        let folder = host.share.as_ref()?.sql.as_str();
        let mut start = folder.chars();
        let is_drive = start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.next() == Some(':');
        is_drive.then(|| {
            finding(
                Weight::Risk,
                host.name.as_str(),
                format!("its backups go to `{folder}`, a folder of its own disks"),
                "the history names the folder as it is, and a destination of log shipping looks for it on its own disks: it \
                 stops at the first set",
                "name the folder as a share, `\\\\HOST\\SHARE`; or `log_shipping = false` where no destination reads it",
            )
        })
    });
    local.collect()
}

fn folders(config: &Config, survey: &Survey) -> Vec<BizTalkFinding> {
    if config.biztalk.engine != Engine::Microsoft {
        return Vec::new();
    }
    let long = homes(config, survey).filter_map(|host| {
        let folder = &host.share.as_ref()?.sql;
        // The group's own folder comes below it.
        let is_long = is_long(&format!("{folder}/{}", config.group));
        is_long.then(|| {
            finding(
                Weight::Blocks,
                host.name.as_str(),
                format!("its folder has more than {FOLDER_CHARACTERS_MAX} characters"),
                "BizTalk's procedures cut it without a word",
                "share a folder with a shorter path, or use `engine = \"stopmark\"`",
            )
        })
    });
    long.collect()
}
