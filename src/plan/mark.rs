//! The mark of a round: whether to try, its legs, its confirmation. Start at [`place_mark`].

use std::collections::BTreeMap;

use super::asked::{Asked, BackupKind, FailedDeed, RoundResult, StepFailure};
use super::assess::warning;
use super::backup::Ctx;
use super::biztalk::{BIZTALK_LOCK, known, marks_by_procedure};
use super::links::Links;
use super::step_mark::{ConfirmMark, MarkLeg, MarkTarget, PlaceMark};
use super::{Step, Warning};
use crate::chain::errors::Class;
use crate::chain::link_errors;
use crate::config::{Config, Discovery};
use crate::error::Code;
use crate::model::{DatabaseName, HostName, MemberName};
use crate::survey::Survey;

/// A run has at most this many rounds.
pub const ROUNDS_MAX: u8 = 3;
/// The mark was a deadlock victim, or waited too long for a lock: another name, again.
const TRANSIENT: &[i32] = &[1205, 1222];

/// The step that places the mark in every member.
pub(super) fn place_mark(ctx: &Ctx<'_>, links: &Links) -> Step {
    let management = ctx.survey.management(ctx.cfg);
    let mut local = Vec::new();
    let mut legs: BTreeMap<&HostName, Vec<DatabaseName>> = BTreeMap::new();
    for member in &ctx.marked {
        let home = ctx.survey.home(member);
        if home.is_same_host(management) {
            local.push(member.database.clone());
        } else {
            legs.entry(home).or_default().push(member.database.clone());
        }
    }
    let leg = |(host, databases): (&HostName, Vec<DatabaseName>)| MarkLeg {
        host: host.clone(),
        link: link_to(links, host),
        databases,
    };
    let to_member = |member: &MemberName| {
        let home = ctx.survey.home(member);
        (!home.is_same_host(management)).then(|| link_to(links, home))
    };
    let by_procedure = marks_by_procedure(ctx.cfg);
    let known = known(ctx.cfg, ctx.survey).filter(|_| by_procedure.is_none());
    Step::PlaceMark(PlaceMark {
        mark: ctx.mark.clone(),
        stamped_at: ctx.stamped_at,
        mark_log: ctx.cfg.mark_log,
        management_host: management.clone(),
        local,
        remote: legs.into_iter().map(leg).collect(),
        app_lock: app_lock(ctx.cfg),
        timeout_ms: timeout_ms(ctx.cfg),
        tracking: known.and_then(|known| known.tracking(&ctx.marked, to_member)),
        by_procedure,
    })
}

/// The application lock that marks of this group are placed under, with its database.
pub(super) fn app_lock(cfg: &Config) -> Option<(DatabaseName, String)> {
    let discovery = cfg.discovery.as_ref();
    discovery.map(|Discovery::BizTalk { database }| (database.clone(), BIZTALK_LOCK.to_owned()))
}

/// How long a mark may take, in milliseconds.
pub(super) fn timeout_ms(cfg: &Config) -> u64 {
    u64::try_from(cfg.policy.mark_timeout.as_millis()).unwrap_or(u64::MAX)
}

fn link_to(links: &Links, host: &HostName) -> String {
    let found = links
        .names
        .iter()
        .find(|(target, _)| target.is_same_host(host));
    found.map_or_else(|| host.as_str().to_owned(), |(_, link)| link.clone())
}

/// The step that looks for the mark in every member's history.
pub(super) fn confirm_mark(ctx: &Ctx<'_>) -> Step {
    let members = ctx.marked.iter();
    Step::ConfirmMark(ConfirmMark {
        mark: ctx.mark.clone(),
        members: members
            .map(|member| MarkTarget {
                member: member.clone(),
                home: Some(ctx.survey.home(member))
                    .filter(|home| **home != member.host)
                    .cloned(),
            })
            .collect(),
    })
}

/// Whether a mark has a chance after what the round before came to. A mark that failed for a reason that
/// will not pass is not tried again: the logs must not wait for it. One whose members have failed over since is another.
pub(super) fn mark_is_worth_trying(asked: &Asked, survey: &Survey) -> Result<(), Warning> {
    let failures = asked
        .previous
        .iter()
        .flat_map(|previous| &previous.failures);
    for failure in failures {
        let places = match &failure.deed {
            FailedDeed::Mark { places } => places,
            FailedDeed::Link { .. } => return Err(untried(failure)),
            FailedDeed::BackUp { .. } | FailedDeed::Other => continue,
        };
        let may_pass = is_transient(failure) || have_moved(places, survey);
        if !may_pass || asked.round >= ROUNDS_MAX {
            return Err(untried(failure));
        }
    }
    Ok(())
}

/// Whether one of these is no place of a member any more.
fn have_moved(places: &[MemberName], survey: &Survey) -> bool {
    let now: Vec<&MemberName> = survey.members.iter().map(|it| survey.place(it)).collect();
    !places.iter().all(|place| now.contains(&place))
}

fn is_transient(failure: &StepFailure) -> bool {
    failure.code == Code::MarkUnconfirmed.text()
        || failure
            .sql_number
            .is_some_and(|number| TRANSIENT.contains(&number) || is_lost_participant(number))
}

/// The transaction coordinator lost a participant, which may be back.
fn is_lost_participant(number: i32) -> bool {
    link_errors::of(number).is_some_and(|known| known.class == Class::Retry)
}

fn untried(failure: &StepFailure) -> Warning {
    let number = failure.sql_number;
    let number = number.map_or_else(String::new, |number| format!(" (error {number})"));
    let message = format!(
        "no mark in this round, since it failed before: {}{number}",
        failure.message
    );
    let code = if matches!(failure.deed, FailedDeed::Link { .. }) {
        Code::LinkTestFailed
    } else {
        Code::MarkFailed
    };
    warning(
        code,
        message,
        "run `stopmark link test` and `stopmark check`",
    )
}

/// Whether a run that ended a round like this should survey and plan again: a chain was refused, the mark was
/// voided by minimally logged changes, the mark or a link failed, a secondary replica did not take its log, or the group of
/// a member failed over before its log. Other failures heal with the next run.
#[must_use]
pub fn wants_another_round(asked: &Asked, result: &RoundResult) -> bool {
    let is_cause = |failure: &StepFailure| match &failure.deed {
        FailedDeed::Link { .. } | FailedDeed::Mark { .. } => true,
        FailedDeed::BackUp { member, .. } if asked.quarantine_of(member).is_some() => false,
        FailedDeed::BackUp {
            member,
            on_secondary: Some(host),
            ..
        } if !failure.is_of_the_chain() => {
            // The next round's log is taken on the primary replica, or on another secondary one. Where there is no other
            // and the primary one may not stand in, the same one is asked once more, and then left for the next run.
            let failed = result.failed_on_secondaries(member);
            failed.filter(|(it, _)| *it == host).count() == 1
        }
        // The next survey finds where the primary replica is. A run of fulls would take all of them a second time.
        FailedDeed::BackUp { .. } => {
            failure.is_of_the_chain() || asked.kind == BackupKind::Log && failure.is_of_the_role()
        }
        FailedDeed::Other => false,
    };
    // A log with minimally logged changes voids its mark; the log after it can carry a fresh one.
    let is_voided = !result.voided.is_empty();
    asked.round < ROUNDS_MAX && (is_voided || result.failures.iter().any(is_cause))
}
