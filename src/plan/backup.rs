//! Plans of backup runs: full, differential, log. Start at [`plan_backup`].
//!
//! A log run: links as needed, new fulls for members whose chain does not run, the mark, the logs of all
//! members, then delivery and the set. Where no mark is possible the logs are still taken, for the chains'
//! sake, and the plan says why there is no mark.

use super::asked::{Asked, BackupKind, CatalogView, LinksAsked, Names};
use super::assess::{Able, Assessment, assess};
use super::bases::{Base, bases_of_broken, differentials, fulls};
use super::biztalk::{self, by_procedure, known};
use super::event_sessions;
use super::forgotten::forgotten;
use super::identity::replaced;
use super::keys::{Naming, share_of};
use super::links::{Links, wanted_links};
use super::mark::{confirm_mark, mark_is_worth_trying, place_mark};
use super::pauses::Pauses;
use super::replicas;
use super::retry::RetryRule;
use super::stages::Stages;
use super::step::{BackUp, Publish};
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Warning};
use crate::config::Config;
use crate::model::{
    MarkName, MemberName, MemberSettings, PieceId, PieceKind, PlanId, RunId, SetId, SetKind,
    Timestamp,
};
use crate::survey::Survey;

/// How far ahead of the newest published stamp the members' marks are looked at: no run counts on so far.
const COUNTED_MS: i64 = 1_000;

/// Everything that the parts of a backup plan look at.
pub(super) struct Ctx<'a> {
    pub(super) cfg: &'a Config,
    pub(super) survey: &'a Survey,
    pub(super) have: &'a CatalogView,
    pub(super) asked: &'a Asked,
    pub(super) pauses: Pauses<'a>,
    /// The mark's name, if there is to be one.
    pub(super) mark: MarkName,
    /// The instant in the mark's name: now, or later where the clock stepped back.
    pub(super) stamped_at: Timestamp,
    /// The members that a mark is placed in: all but those of best effort that cannot carry one now.
    pub(super) marked: Vec<MemberName>,
}

/// What one round of a backup run will do. Never fails: what cannot be done is a warning in the plan.
pub fn plan_backup(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    asked: &Asked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let last = have.newest_stamp.map(|last| newest_used(survey, last));
    let last = last.map(|last| spaced(last, asked.run, now));
    let (mark, stamped_at) = MarkName::stamp(&cfg.mark_prefix, now, last);
    let pauses = Pauses::new(&cfg.policy, survey, have, asked.run);
    let mut group = assess(cfg, survey, pauses);
    group.able.retain(|it| !asked.is_undecided(it.name, survey));
    let members = survey.members.iter();
    let able = members.filter(|it| !group.unmarkable.contains(*it));
    let ctx = Ctx {
        marked: able.cloned().collect(),
        cfg,
        survey,
        have,
        asked,
        pauses,
        mark,
        stamped_at,
    };
    let id = PlanId(names.next());
    let (stages, mut warnings) = match asked.kind {
        BackupKind::Full if asked.new_chain.is_empty() => unmarked(&ctx, group, fulls, names),
        BackupKind::Differential => unmarked(&ctx, group, differentials, names),
        BackupKind::Full | BackupKind::Log => marked(&ctx, group, names),
    };
    if asked.round == 1 {
        warnings.extend(event_sessions::deaf(cfg, survey));
    }
    Plan {
        format: PLAN_FORMAT,
        id,
        group: cfg.group.clone(),
        kind: match asked.kind {
            BackupKind::Full => RunKind::Full,
            BackupKind::Differential => RunKind::Differential,
            BackupKind::Log => RunKind::Log,
        },
        round: asked.round,
        based_on: survey.id,
        made_at: stamped_at,
        stages: stages.into_vec(),
        warnings,
    }
}

/// The newest stamp that was used, given the newest that was published. Where the clock is behind, stamps rise by single
/// milliseconds, so that the mark of a run that died before its publication may have the very next ones: the members
/// still hold it, and two marks of one name would be one to a restore. Names that are further ahead are of others, or of
/// another clock, and nobody comes upon them by counting.
fn newest_used(survey: &Survey, published: Timestamp) -> Timestamp {
    let near = published.plus_millis(COUNTED_MS);
    let members = survey.members.iter().filter_map(|it| survey.member(it));
    let marks = members.filter_map(|facts| facts.mark_log.newest.as_ref()?.stamped_at());
    marks
        .filter(|stamp| *stamp <= near)
        .fold(published, Timestamp::max)
}

/// A run of fulls or differentials: no mark, no links.
fn unmarked(
    ctx: &Ctx<'_>,
    group: Assessment<'_>,
    choose: impl Fn(&Ctx<'_>, &[Able<'_>]) -> (Vec<Base>, Vec<Warning>),
    names: &mut dyn Names,
) -> (Stages, Vec<Warning>) {
    let (bases, more) = choose(ctx, &group.able);
    let kind = match ctx.asked.kind {
        BackupKind::Differential => SetKind::Differential,
        BackupKind::Full | BackupKind::Log => SetKind::Full,
    };
    let stamp = ctx.stamped_at.file_stamp();
    let bases = back_ups(ctx, bases, &stamp, names);
    let mut stages = Stages::default();
    stages.back_up(StageName::Bases, &bases);
    let trim = write_history(ctx, &mut stages, &bases, &[]);
    deliver_and_publish(ctx, &mut stages, &bases, (kind, false), names);
    add_trim(ctx, &mut stages, trim);
    let found = findings(ctx, &group.able);
    let (unfit, told) = known(ctx.cfg, ctx.survey).map_or_else(Default::default, |it| it.look());
    let warnings = [group.warnings, group.blocking, unfit, told, found, more].concat();
    (stages, warnings)
}

/// Where the clock is behind the newest stamp, the next one rises above it by a part of a second that is the run's own: an
/// agent that was lost with its journal may have named files by the stamps right after the newest one that is known, and
/// BizTalk's procedures would add a second backup to such a file.
fn spaced(last: Timestamp, run: RunId, now: Timestamp) -> Timestamp {
    let own = crc32c::crc32c(run.0.as_bytes()) % 1_000;
    last.plus_millis(if last < now { 0 } else { i64::from(own) })
}

/// A run with a mark, or at least with logs.
fn marked(ctx: &Ctx<'_>, group: Assessment<'_>, names: &mut dyn Names) -> (Stages, Vec<Warning>) {
    let links = wanted_links(ctx.cfg, ctx.survey, &ctx.marked, &LinksAsked::default());
    let untried = mark_is_worth_trying(ctx.asked, ctx.survey).err();
    let group_wide = untried.into_iter().chain(startless(ctx)).collect();
    let known = known(ctx.cfg, ctx.survey);
    let (unfit, told) = known.map_or_else(Default::default, |it| it.look());
    let blocking = [group.blocking, links.blocking.clone(), group_wide, unfit].concat();
    let has_members = !ctx.survey.members.is_empty();
    let is_marked = blocking.is_empty() && has_members;
    let (mut bases, more) = bases_of_broken(ctx, &group.able, is_marked);
    // Without a mark the fulls would be taken again by every run until one is placed.
    // Nor are they whole as long as a member is left out.
    let mut members = ctx.survey.members.iter();
    let is_left_out = members.any(|it| ctx.asked.is_undecided(it, ctx.survey));
    let is_whole = is_marked && !is_left_out;
    if let Some(known) = known.filter(|_| is_whole)
        && let Some(why) = known.wants_fulls(ctx)
    {
        biztalk::add_fulls(&group.able, &why, &mut bases);
    }
    let logs = logs(ctx, &group.able, is_marked);
    let stamp = if is_marked {
        ctx.mark.to_string()
    } else {
        ctx.stamped_at.file_stamp()
    };
    let bases = back_ups(ctx, bases, &stamp, names);
    let logs = back_ups(ctx, logs, &stamp, names);
    let mut stages = Stages::default();
    if is_marked {
        add_links(ctx, &mut stages, &links);
    }
    stages.back_up(StageName::Bases, &bases);
    if is_marked {
        let management = || ctx.survey.management(ctx.cfg).clone();
        let mark = [place_mark(ctx, &links), confirm_mark(ctx)].map(|step| (management(), step));
        stages.add(StageName::Mark, OnFailure::Unwind, mark);
    }
    stages.back_up(StageName::Logs, &logs);
    let trim = write_history(ctx, &mut stages, &bases, &logs);
    let taken = [bases, logs].concat();
    deliver_and_publish(ctx, &mut stages, &taken, (SetKind::Log, is_marked), names);
    add_trim(ctx, &mut stages, trim);
    let found = findings(ctx, &group.able);
    let paused = replicas::paused(ctx, &group.able);
    let mut warnings = [group.warnings, blocking, told, found, more, paused].concat();
    if !has_members {
        warnings.push(no_members());
    }
    (stages, warnings)
}

/// What somebody did to members or their hosts, beside what it means for their chains.
fn findings(ctx: &Ctx<'_>, able: &[Able<'_>]) -> Vec<Warning> {
    let mut found = replaced(ctx.have, able);
    if ctx.asked.round == 1 {
        found.extend(forgotten(ctx.cfg, ctx.survey, ctx.have, able));
    }
    found
}

/// Tells BizTalk's backup history of what is taken; the step that trims it, for the end of the plan. A destination
/// of log shipping reads the files on the shares, so that it is not made to wait for the store.
fn write_history(
    ctx: &Ctx<'_>,
    stages: &mut Stages,
    bases: &[BackUp],
    logs: &[BackUp],
) -> Option<Step> {
    let known = known(ctx.cfg, ctx.survey)?;
    let (history, trim) = biztalk::steps(&known, bases, logs);
    let host = ctx.survey.management(ctx.cfg).clone();
    let history = history.map(|step| (host, step));
    stages.add(StageName::History, OnFailure::Pass, history);
    trim
}

fn add_trim(ctx: &Ctx<'_>, stages: &mut Stages, trim: Option<Step>) {
    let trim = trim.map(|step| (ctx.survey.management(ctx.cfg).clone(), step));
    stages.add(StageName::History, OnFailure::Pass, trim);
}

/// The members that runs and Points are whole without.
fn best_effort(ctx: &Ctx<'_>) -> Vec<MemberName> {
    let members = ctx.survey.members.iter();
    let best_effort =
        members.filter(|name| ctx.cfg.member(name).best_effort || ctx.survey.away(name).is_some());
    best_effort.cloned().collect()
}

/// A mark begins in a member on the management host itself.
fn startless(ctx: &Ctx<'_>) -> Option<Warning> {
    let mut members = ctx.marked.iter();
    let management = ctx.survey.management(ctx.cfg);
    let has_start = members.any(|member| ctx.survey.home(member).is_same_host(management));
    let warning = || {
        super::assess::warning(
            crate::error::Code::MarkFailed,
            "no member is on the management host, and a mark begins in one".to_owned(),
            "name a host that holds a member as `management_host`",
        )
    };
    (!has_start && !ctx.survey.members.is_empty()).then(warning)
}

fn no_members() -> Warning {
    super::assess::warning(
        crate::error::Code::MemberMissing,
        "the group has no members".to_owned(),
        "list members in the configuration, or check `discover`",
    )
}

fn add_links(ctx: &Ctx<'_>, stages: &mut Stages, links: &Links) {
    let steps = links
        .steps
        .iter()
        .map(|step| (ctx.survey.management(ctx.cfg).clone(), step.clone()));
    stages.add(StageName::Links, OnFailure::Unwind, steps);
}

/// The logs of every member that keeps one; without a mark too, since chains must go on.
fn logs(ctx: &Ctx<'_>, able: &[Able<'_>], is_marked: bool) -> Vec<Base> {
    let reason = if is_marked {
        "scheduled"
    } else {
        "no mark in this round: taken to keep the chain going"
    };
    let reason = if ctx.asked.kind == BackupKind::Full && is_marked {
        "new chain"
    } else {
        reason
    };
    able.iter()
        .filter(|member| member.keeps_log() && !is_hopeless(ctx, member))
        .filter(|member| !replicas::is_paused(ctx, member.name))
        .map(|member| Base {
            member: member.name.clone(),
            kind: PieceKind::Log,
            is_cure: false,
            is_first_log: false,
            mark: (is_marked && ctx.marked.contains(member.name)).then(|| ctx.mark.clone()),
            reason: reason.to_owned(),
        })
        .collect()
}

/// A member in quarantine whose log cannot be backed up: to try would fail, run after run.
fn is_hopeless(ctx: &Ctx<'_>, member: &Able<'_>) -> bool {
    member.facts.last_log_backup_lsn.is_none() && ctx.asked.quarantine_of(member.name).is_some()
}

fn back_ups(ctx: &Ctx<'_>, wanted: Vec<Base>, stamp: &str, names: &mut dyn Names) -> Vec<BackUp> {
    let wanted = wanted.into_iter();
    wanted
        .filter_map(|base| back_up(ctx, base, stamp, names))
        .collect()
}

/// The step of one backup; none where its host has no share, which [`assess`] has told already.
fn back_up(ctx: &Ctx<'_>, base: Base, stamp: &str, names: &mut dyn Names) -> Option<BackUp> {
    let place = replicas::place_of(ctx, &base);
    let share = share_of(ctx.cfg.host(place.host))?;
    let own = ctx.cfg.member(&base.member);
    // A member may have two logs in one round: the first of a new chain, and the one that carries the mark.
    let own_stamp = ctx.stamped_at.file_stamp();
    let is_first_log = base.kind == PieceKind::Log && base.mark.is_none();
    let naming = Naming {
        group: &ctx.cfg.group,
        stamp: if is_first_log { &own_stamp } else { stamp },
    };
    let key = naming.key(&base.member, base.kind, 1, 1);
    let procedure = by_procedure(ctx.cfg, place.host, &base, naming.stamp, key);
    let (by_procedure, stripes) = match procedure {
        Some((call, stripe)) => (Some(call), vec![stripe]),
        None => (
            None,
            naming.stripes(share, &base.member, base.kind, own.stripes),
        ),
    };
    Some(BackUp {
        piece: PieceId(names.next()),
        stripes,
        by_procedure,
        taken_on: Some(place.host)
            .filter(|host| **host != base.member.host)
            .cloned(),
        replica_wait_ms: place.wait_ms,
        reason: place.reason(&base.reason),
        member: base.member,
        piece_kind: base.kind,
        compression: own.compression,
        mark: base.mark,
        is_cure: base.is_cure,
        tail: None,
        retry: Some(RetryRule::of(&ctx.cfg.policy)),
        is_copy_only: false,
    })
}

/// What members have on their hosts beside their data, as far as the hosts said; a full is where a restore begins.
fn settings_of(ctx: &Ctx<'_>, taken: &[BackUp]) -> Vec<MemberSettings> {
    let fulls = taken
        .iter()
        .filter(|step| step.piece_kind == PieceKind::Full);
    let settings = fulls.filter_map(|step| {
        let facts = ctx.survey.member(&step.member)?;
        Some(MemberSettings {
            member: step.member.clone(),
            settings: facts.settings.clone()?,
        })
    });
    settings.collect()
}

/// Brings away what this round takes.
fn deliver_and_publish(
    ctx: &Ctx<'_>,
    stages: &mut Stages,
    taken: &[BackUp],
    (set_kind, is_marked): (SetKind, bool),
    names: &mut dyn Names,
) {
    if taken.is_empty() {
        return;
    }
    let fan_out = ctx.cfg.store.transfer.pieces_in_flight;
    stages.deliver(taken, &ctx.cfg.policy, fan_out);
    let publish = Publish {
        set: SetId(names.next()),
        set_kind,
        group: ctx.cfg.group.clone(),
        run: ctx.asked.run,
        made_at: ctx.stamped_at,
        mark: is_marked.then(|| ctx.mark.clone()),
        stamped_at: is_marked.then_some(ctx.stamped_at),
        members: ctx.survey.members.clone(),
        best_effort: best_effort(ctx),
        pieces: taken.iter().map(|step| step.piece).collect(),
        companions: Vec::new(),
        settings: settings_of(ctx, taken),
    };
    stages.publish(ctx.cfg, publish);
    // Files that a destination of log shipping reads stay, and go with their rows.
    if !known(ctx.cfg, ctx.survey).is_some_and(|known| known.ships()) {
        stages.clear(taken);
    }
}
