//! Which replica of an availability group a member's backups are taken on, and why. Start at [`place_of`].
//!
//! Fulls and differentials run on the primary one, since copies start no chain; logs where the policy says, as far as
//! a secondary replica is fit for it. SQL Server's `AUTOMATED_BACKUP_PREFERENCE` binds nobody, so the choice is ours.

use std::time::Duration;

use super::Warning;
use super::asked::FailedDeed;
use super::assess::{Able, warning};
use super::backup::Ctx;
use super::bases::Base;
use super::keys::share_of;
use crate::config::LogBackupPreference;
use crate::error::Code;
use crate::model::{HostName, MemberName, PieceKind};
use crate::survey::Secondary;

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

/// A warning for each of them.
pub(super) fn paused(ctx: &Ctx<'_>, able: &[Able<'_>]) -> Vec<Warning> {
    let told = able.iter().filter_map(|member| {
        let Choice::Nowhere(why) = choose(ctx, member.name) else {
            return None;
        };
        let message = format!("no log of member `{}` is taken: {why}", member.name);
        let hint = "bring a secondary replica in step, or let the primary one stand in: \
                    `[policy] log_backup_preference = \"secondary\"`";
        Some(warning(Code::LogsPaused, message, hint))
    });
    told.collect()
}

enum Choice<'a> {
    /// The primary replica, or the database of no group.
    Plain,
    /// The primary replica, although another was wanted.
    Instead(String),
    /// This secondary replica.
    On(&'a Secondary),
    /// None is fit, and the primary one may not stand in.
    Nowhere(String),
}

fn choose<'a>(ctx: &'a Ctx<'_>, member: &MemberName) -> Choice<'a> {
    let preference = ctx.cfg.policy.log_backup_preference;
    let replica = ctx.survey.member(member).and_then(|it| it.replica.as_ref());
    let Some(replica) = replica.filter(|_| preference != LogBackupPreference::Primary) else {
        return Choice::Plain;
    };
    let fit = replica.secondaries.iter().filter(|it| is_fit(ctx, it));
    // Of equals the first by name, so that the plan does not depend on the order of rows.
    let best = fit.max_by_key(|it| (it.backup_priority, std::cmp::Reverse(&it.host)));
    let is_only = preference == LogBackupPreference::SecondaryOnly;
    match best {
        Some(_) if !is_only && was_behind(ctx, member) => {
            Choice::Instead("on the primary replica, since the secondary one was behind".to_owned())
        }
        Some(best) => Choice::On(best),
        None if is_only => Choice::Nowhere("no secondary replica is in step".to_owned()),
        None => {
            Choice::Instead("on the primary replica, since no secondary one is in step".to_owned())
        }
    }
}

/// Log arrives there, backups may be taken, and we know the host and its share.
fn is_fit(ctx: &Ctx<'_>, secondary: &Secondary) -> bool {
    secondary.is_synchronizing
        && secondary.backup_priority > 0
        && ctx.survey.host(&secondary.host).is_some()
        && share_of(ctx.cfg.host(&secondary.host)).is_some()
}

/// Whether the round before waited for the member's secondary replica in vain.
fn was_behind(ctx: &Ctx<'_>, member: &MemberName) -> bool {
    let mut failures = ctx.asked.previous.iter().flat_map(|it| &it.failures);
    failures.any(|failure| match &failure.deed {
        FailedDeed::BackUp { member: it, .. } => {
            it == member && failure.code == Code::ReplicaBehind.text()
        }
        _ => false,
    })
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}
