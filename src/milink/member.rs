//! What each database must be.

use super::{About, Candidate, MilinkCure, MilinkRow, Standing, group_names, on};
use crate::model::{DatabaseName, PieceKind};
use crate::survey::{MemberFacts, MemberState, MilinkDatabase, MilinkFacts, RecoveryModel};

/// The error that joining a group ends with where the log may hold changes that no log backup has.
const BULK_CHANGES: i32 = 1475;

/// Whether no link takes a database of this name.
#[must_use]
pub fn is_system_database(name: &DatabaseName) -> bool {
    let letters = name.as_str().to_lowercase();
    matches!(letters.as_str(), "master" | "model" | "msdb" | "tempdb")
}

/// Whether the chain is as a link needs it: FULL, begun by a full that is not copy-only, and no 1475 since.
#[must_use]
pub fn has_fit_chain(facts: &MemberFacts) -> bool {
    why_unfit_chain(facts).is_none()
}

fn why_unfit_chain(facts: &MemberFacts) -> Option<String> {
    if facts.recovery_model != RecoveryModel::Full {
        return Some(format!("the recovery model is {}", model_word(facts)));
    }
    let full = facts
        .history
        .iter()
        .find(|row| row.kind == PieceKind::Full && !row.is_copy_only);
    let Some(full) = full else {
        return Some("no full backup began it (a copy-only one begins none)".to_owned());
    };
    if facts.last_log_backup_lsn.is_none() {
        return Some("no log backup is possible: a new full is needed".to_owned());
    }
    let has_log = facts
        .history
        .iter()
        .any(|row| row.kind == PieceKind::Log && !row.is_copy_only && row.last_lsn > full.last_lsn);
    let mut reported = facts.reported.iter();
    let is_since = |at: jiff::civil::DateTime| at >= full.finished.civil;
    if reported.any(|error| error.number == BULK_CHANGES && is_since(error.at.civil)) {
        return Some("1475 was met since its last full".to_owned());
    }
    (!has_log).then(|| "no log backup since its last full".to_owned())
}

fn model_word(facts: &MemberFacts) -> &'static str {
    match facts.recovery_model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK_LOGGED",
        RecoveryModel::Simple => "SIMPLE",
    }
}

pub(super) fn rows(host: &MilinkFacts, candidate: &Candidate<'_>) -> Vec<MilinkRow> {
    let name = candidate.name.to_string();
    let about = About(&name);
    let database = &candidate.name.database;
    if is_system_database(database) {
        let why =
            "no link takes a system database: logins, jobs and linked servers are moved by scripts";
        let refused = about.row("database", Standing::Fail, "a system database", why);
        return vec![refused.done_by("leave it out")];
    }
    let (Some(facts), Some(options)) = (candidate.facts, host.databases.get(database)) else {
        let why = "there is nothing to link, or the login may not see it";
        let missing = about.row("database", Standing::Fail, "not there", why);
        return vec![missing.done_by("run `stopmark check`")];
    };
    let mut rows = vec![state(&about, facts)];
    rows.push(model(&about, facts, database));
    rows.push(chain(&about, facts, candidate));
    rows.push(checksum(&about, facts, candidate));
    rows.push(group(&about, facts));
    rows.extend(names(&about, host, facts, database));
    rows.extend(link(&about, facts));
    rows.extend(option_rows(&about, host, options, database));
    rows
}

fn state(about: &About<'_>, facts: &MemberFacts) -> MilinkRow {
    let (word, is_met) = match facts.state {
        MemberState::Online if facts.is_read_only => ("read-only", false),
        MemberState::Online => ("online", true),
        MemberState::Restoring => ("RESTORING", false),
        MemberState::Unusable => ("not usable", false),
    };
    let why = "only a database that can be written joins a group (1464, 1466, 1467)";
    about
        .judged("state", (is_met, Standing::Fail), word, why)
        .done_by("bring it online, for reading and writing")
}

fn model(about: &About<'_>, facts: &MemberFacts, database: &DatabaseName) -> MilinkRow {
    let is_met = facts.recovery_model == RecoveryModel::Full;
    let why = "the other side lives on the whole log (1465)";
    let row = about.judged(
        "recovery model",
        (is_met, Standing::Fail),
        model_word(facts),
        why,
    );
    row.cured_by(MilinkCure::RecoveryFull {
        database: database.clone(),
    })
}

fn chain(about: &About<'_>, facts: &MemberFacts, candidate: &Candidate<'_>) -> MilinkRow {
    let unfit = why_unfit_chain(facts);
    let is_met = unfit.is_none();
    let found =
        unfit.unwrap_or_else(|| "a full that is not copy-only, and a log after it".to_owned());
    let why = "else making the link ends with 1475";
    about
        .judged("chain", (is_met, Standing::Fail), found, why)
        .cured_by(MilinkCure::Prepare {
            member: candidate.name.clone(),
        })
}

fn checksum(about: &About<'_>, facts: &MemberFacts, candidate: &Candidate<'_>) -> MilinkRow {
    let mut fulls = facts
        .history
        .iter()
        .filter(|row| row.kind == PieceKind::Full);
    let has_one = fulls.next().is_some_and(|row| row.has_backup_checksums);
    let found = if has_one {
        "its last full has checksums"
    } else {
        "its last full has none"
    };
    let why = "a page that is bad here is bad over there too: CHECKSUM finds it before";
    about
        .judged("checksums", (has_one, Standing::Warn), found, why)
        .cured_by(MilinkCure::Prepare {
            member: candidate.name.clone(),
        })
}

fn group(about: &About<'_>, facts: &MemberFacts) -> MilinkRow {
    let group = facts.availability_group.as_deref();
    let found = group.map_or_else(|| "in none".to_owned(), |name| format!("in `{name}`"));
    let why = "a link makes a group of its own for the database; one that is in a group is linked by that group";
    about
        .judged(
            "availability group",
            (group.is_none(), Standing::Warn),
            found,
            why,
        )
        .done_by(
            "make the distributed group from the one that is there, or take the database out of it",
        )
}

/// The names of the groups that a link is made of are free; none where the database is in a group already.
fn names(
    about: &About<'_>,
    host: &MilinkFacts,
    facts: &MemberFacts,
    database: &DatabaseName,
) -> Option<MilinkRow> {
    if facts.availability_group.is_some() {
        return None;
    }
    let is_taken = |name: &String| {
        let mut groups = host.groups.iter();
        groups.any(|group| group.to_lowercase() == name.to_lowercase())
    };
    let wanted = group_names(database);
    let taken: Vec<&String> = wanted.iter().filter(|name| is_taken(name)).collect();
    let found = if taken.is_empty() {
        format!("`{}` and `{}` are free", wanted[0], wanted[1])
    } else {
        let taken: Vec<String> = taken.iter().map(|name| format!("`{name}`")).collect();
        format!("taken by other groups: {}", taken.join(", "))
    };
    let why = "a host has one group of a name, and the link's groups are called like this";
    let row = about.judged(
        "names of groups",
        (taken.is_empty(), Standing::Fail),
        found,
        why,
    );
    Some(row.done_by(
        "drop the group that is left of an earlier try, or write other names into the steps",
    ))
}

/// The link that is there already: which side is the primary one.
fn link(about: &About<'_>, facts: &MemberFacts) -> Option<MilinkRow> {
    let far = facts.replica.as_ref()?.far_side.as_ref()?;
    let (standing, side, why) = match (far.is_primary_here, far.is_primary_there) {
        (true, false) => (
            Standing::Pass,
            "here",
            "marks and log backups go on on this side",
        ),
        (true, true) => (
            Standing::Fail,
            "on both sides (split brain)",
            "after a forced failover each side takes writes that the other one never gets",
        ),
        (false, _) => (
            Standing::Warn,
            "over there",
            "a Managed Instance takes its own backups and no distributed transaction: the member is in no mark",
        ),
    };
    let found = format!("`{}` to `{}`, primary {side}", far.group, far.name);
    let row = about.row("link", standing, found, why);
    Some(row.done_by(
        "decide which side counts; fail over by plan, or drop the link on the other side and seed it anew",
    ))
}

fn option_rows(
    about: &About<'_>,
    host: &MilinkFacts,
    options: &MilinkDatabase,
    database: &DatabaseName,
) -> Vec<MilinkRow> {
    let collation = options.collation.as_deref().unwrap_or("unknown");
    let is_same = collation.eq_ignore_ascii_case(&host.collation);
    let database = || database.clone();
    let is_shared = options.user_access == "MULTI_USER";
    vec![
        about
            .judged(
                "collation",
                (is_same, Standing::Warn),
                format!("{collation}; its host has {}", host.collation),
                "the Managed Instance's own collation is chosen once, when it is made: temporary tables follow it",
            )
            .done_by("make the Managed Instance with the host's collation"),
        about
            .judged(
                "encryption at rest",
                (!options.is_encrypted, Standing::Warn),
                on(options.is_encrypted),
                "without its certificate over there, the seeded database cannot be opened",
            )
            .done_by("move the certificate of its encryption key to the Managed Instance first"),
        about
            .judged(
                "Service Broker",
                (!options.is_broker_enabled, Standing::Warn),
                on(options.is_broker_enabled),
                "conversations with other instances do not go on from a Managed Instance",
            )
            .done_by("see that no route leads to another instance"),
        about
            .judged(
                "accelerated recovery",
                (!options.has_accelerated_recovery, Standing::Warn),
                on(options.has_accelerated_recovery),
                "a Managed Instance keeps the versions of rows in PRIMARY, and a link needs them there on this side too",
            )
            .done_by(
                "see `pvs_filegroup_id` of the database in sys.dm_tran_persistent_version_store_stats: 1 is PRIMARY; else \
                 turn it off, and on again there",
            ),
        about
            .judged(
                "auto close",
                (!options.is_auto_close, Standing::Fail),
                on(options.is_auto_close),
                "a group refuses such a database (1469)",
            )
            .cured_by(MilinkCure::AutoCloseOff {
                database: database(),
            }),
        about
            .judged(
                "access",
                (is_shared, Standing::Fail),
                options.user_access.clone(),
                "a group refuses a database of a single user (1488)",
            )
            .cured_by(MilinkCure::MultiUser {
                database: database(),
            }),
    ]
}
