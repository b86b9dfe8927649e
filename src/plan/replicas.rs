//! Which replica of an availability group a member's backups are taken on, and why. Start at [`place_of`].
//!
//! Fulls and differentials run on the primary one, since copies start no chain; logs where the policy says, as far as
//! a secondary replica is fit for it. SQL Server's `AUTOMATED_BACKUP_PREFERENCE` binds nobody, so the choice is ours.

use std::time::Duration;

use super::Warning;
use super::asked::StepFailure;
use super::assess::{Able, warning};
use super::backup::Ctx;
use super::bases::Base;
use super::keys::share_of;
use super::pauses::Wait;
use crate::config::LogBackupPreference;
use crate::error::Code;
use crate::model::{HostName, MemberName, PieceKind};
use crate::survey::{Replica, Secondary};

/// Where a backup is taken.
pub(super) struct Place<'a> {
    /// The host.
    pub(super) host: &'a HostName,
    /// How long its replica is given to have the mark, in milliseconds; none on the primary one.
    pub(super) wait_ms: Option<u64>,
    why: Option<String>,
}

impl Place<'_> {
    /// The reason of the backup, and of its place where that is not the plain one.
    pub(super) fn reason(&self, of_backup: &str) -> String {
        match &self.why {
            None => of_backup.to_owned(),
            Some(why) => format!("{of_backup}; {why}"),
        }
    }
}

/// The host that takes this backup.
pub(super) fn place_of<'a>(ctx: &'a Ctx<'_>, base: &'a Base) -> Place<'a> {
    let primary = Place {
        host: ctx.survey.home(&base.member),
        wait_ms: None,
        why: None,
    };
    // What was to be in the first log of a new chain is on the primary replica for certain.
    if base.kind != PieceKind::Log || base.is_first_log {
        return primary;
    }
    match choose(ctx, &base.member) {
        // Logs that wait are not planned; other backups have no choice.
        Choice::Plain | Choice::Nowhere(_) => primary,
        Choice::Over(why) => Place {
            why: Some(format!("on the primary replica: {why}")),
            ..primary
        },
        Choice::Instead(why) => Place {
            why: Some(why),
            ..primary
        },
        Choice::On(secondary) => Place {
            // Lanes go by the names of the configuration.
            host: ctx
                .cfg
                .host(&secondary.host)
                .map_or(&secondary.host, |host| &host.name),
            wait_ms: Some(millis(ctx.cfg.policy.replica_wait)),
            why: Some(format!(
                "on the secondary replica of `{}`, priority {}",
                secondary.host, secondary.backup_priority
            )),
        },
    }
}

/// Whether the member's logs have to wait for a secondary replica.
pub(super) fn is_paused(ctx: &Ctx<'_>, member: &MemberName) -> bool {
    matches!(choose(ctx, member), Choice::Nowhere(_))
}

/// A warning for each of them, and for each that has waited long enough.
pub(super) fn paused(ctx: &Ctx<'_>, able: &[Able<'_>]) -> Vec<Warning> {
    let told = able.iter().filter(|member| member.keeps_log());
    let told = told.filter_map(|member| match choose(ctx, member.name) {
        Choice::Nowhere(why) => Some(warning(
            Code::LogsPaused,
            format!("no log of member `{}` is taken: {why}", member.name),
            "bring a secondary replica in step, or let the primary one stand in: \
             `[policy] log_backup_preference = \"secondary\"`",
        )),
        Choice::Over(why) => Some(warning(
            Code::PauseOver,
            format!(
                "the log of member `{}` is taken on the primary replica, although only a secondary one may: {why}",
                member.name
            ),
            "bring a secondary replica in step; `[policy] log_used_max` and `pause_max` say how long logs wait for one",
        )),
        Choice::Plain | Choice::Instead(_) | Choice::On(_) => None,
    });
    told.collect()
}

enum Choice<'a> {
    /// The primary replica, or the database of no group.
    Plain,
    /// The primary replica, although another was wanted.
    Instead(String),
    /// The primary replica, although it may not stand in: a log that nobody backs up would stop it.
    Over(String),
    /// This secondary replica.
    On(&'a Secondary),
    /// None is fit, and the primary one may not stand in yet.
    Nowhere(String),
}

fn choose<'a>(ctx: &'a Ctx<'_>, member: &'a MemberName) -> Choice<'a> {
    let preference = ctx.cfg.policy.log_backup_preference;
    let replica = ctx.survey.member(member).and_then(|it| it.replica.as_ref());
    let Some(replica) = replica.filter(|_| preference != LogBackupPreference::Primary) else {
        return Choice::Plain;
    };
    let failed: Vec<(&HostName, &StepFailure)> = failed(ctx, member).collect();
    let has_failed = |it: &Secondary| failed.iter().any(|(host, _)| host.is_same_host(&it.host));
    let fit = replica.secondaries.iter().filter(|it| is_fit(ctx, it));
    // One that has not failed in this run goes before; of equals the first by name, so that the plan does not depend on
    // the order of rows.
    let rank = |it: &&Secondary| {
        let name = std::cmp::Reverse(it.host.clone());
        (!has_failed(it), it.backup_priority, name)
    };
    let best = fit.max_by_key(rank);
    if preference == LogBackupPreference::SecondaryOnly {
        return match best {
            Some(best) if !has_failed(best) => Choice::On(best),
            _ => alone(ctx, member, replica, best),
        };
    }
    match (best, failed.last()) {
        (_, Some((host, failure))) => Choice::Instead(instead_of(host, failure)),
        (Some(best), None) => Choice::On(best),
        (None, None) => {
            Choice::Instead("on the primary replica, since no secondary one is in step".to_owned())
        }
    }
}

/// The primary replica has no fit secondary one, or none that has not failed in this run, and may not stand in before the
/// wait is over. Until then the one that failed is asked again.
fn alone<'a>(
    ctx: &Ctx<'_>,
    member: &MemberName,
    replica: &Replica,
    failed: Option<&'a Secondary>,
) -> Choice<'a> {
    let lack = match failed {
        None => "no secondary replica is in step".to_owned(),
        Some(failed) => format!("the secondary replica of `{}` failed", failed.host),
    };
    match (ctx.pauses.of(member, replica.log_used_percent), failed) {
        (Wait::On(_), Some(failed)) => Choice::On(failed),
        (Wait::On(limits), None) => {
            let until = limits.until("one is");
            Choice::Nowhere(format!("{lack}; its logs wait until {until}"))
        }
        (Wait::Over(why), _) => Choice::Over(format!("{lack}, and {why}")),
        (Wait::Unwanted, _) => Choice::Instead(format!(
            "on the primary replica, since {lack} and `log_used_max = 0` lets nothing wait"
        )),
    }
}

fn instead_of(host: &HostName, failure: &StepFailure) -> String {
    if failure.code == Code::ReplicaBehind.text() {
        return "on the primary replica, since the secondary one was behind".to_owned();
    }
    let (code, message) = (&failure.code, &failure.message);
    let number = failure.sql_number;
    let number = number.map_or_else(String::new, |number| format!(", error {number}"));
    format!("on the primary replica, since the one of `{host}` failed: {message} ({code}{number})")
}

/// Log arrives there, backups may be taken, and we know the host and its share.
fn is_fit(ctx: &Ctx<'_>, secondary: &Secondary) -> bool {
    secondary.is_synchronizing
        && secondary.backup_priority > 0
        && ctx.survey.host(&secondary.host).is_some()
        && share_of(ctx.cfg.host(&secondary.host)).is_some()
}

/// The secondary replicas of a member that failed in this run, oldest failure first. A share that cannot be written, a
/// disk that is full, a replica that takes no backups: the primary one need not have the same trouble, and the next run
/// tries the secondary again.
fn failed<'a>(
    ctx: &'a Ctx<'_>,
    member: &'a MemberName,
) -> impl Iterator<Item = (&'a HostName, &'a StepFailure)> {
    let previous = ctx.asked.previous.iter();
    previous.flat_map(|it| it.failed_on_secondaries(member))
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
