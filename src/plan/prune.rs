//! Plans of a prune: what is let go, in which order its objects are removed, and what is swept beside it.
//!
//! Start at [`plan_prune`]. The group's log says first what is let go; then objects go from dependents to bases, so
//! that a prune that is broken off leaves chains that are shorter, never chains without a base.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::clocks::clocks_apart;
use super::keys::{is_our_file, staged_name};
use super::stages::Stages;
use super::step_prune::{NoteRemoved, Prune, RemovePiece, SweepStaging, SweepUploads, TrimMarkLog};
use super::{Names, OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Warning};
use crate::config::{Config, RetentionConfig};
use crate::error::{Code, Error, Result};
use crate::model::{HostName, Piece, PieceId, PieceKind, PlanId, Set, SetId, SurveyId, Timestamp};
use crate::retention::Verdict;

/// A file on a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareFile {
    /// As the agent names it.
    pub path: PathBuf,
    /// When it was last written to, by the share's clock.
    pub changed_at: Timestamp,
}

/// What a prune looks at.
#[derive(Clone, Debug)]
pub struct PruneView<'a> {
    /// Every set that was published, without what was let go before.
    pub sets: &'a [Set],
    /// What becomes of their Points and pieces.
    pub verdict: &'a Verdict,
    /// Pieces that were let go before and whose objects may still stand.
    pub unremoved: &'a [(SetId, Piece)],
    /// What lies in the group's folder on the share of each host.
    pub staged: &'a [(HostName, ShareFile)],
    /// Files that an unfinished run wrote or is to write.
    pub busy: &'a BTreeSet<PathBuf>,
    /// Pieces of which no store has a whole copy: a file of one on a share may be the last of its bytes.
    pub damaged: &'a BTreeSet<PieceId>,
    /// What the clocks of the hosts showed when they were asked just now; those that do not answer are left out.
    pub clocks: &'a [(HostName, Timestamp)],
    /// What could not be looked at.
    pub warnings: Vec<Warning>,
}

/// What one prune will do; nothing is let go without a `[retention]` in the configuration.
///
/// # Errors
/// `SM0605` when nothing that stays is proven, `SM0219` when the clock of this machine cannot be right.
pub fn plan_prune(
    cfg: &Config,
    mut view: PruneView<'_>,
    names: &mut dyn Names,
    now: Timestamp,
) -> Result<Plan> {
    let mut stages = Stages::default();
    if let Some(policy) = &cfg.retention {
        let is_pruning = !view.verdict.let_go.is_empty();
        if is_pruning && !view.verdict.keeps_a_proven_point() {
            return Err(nothing_proven(&view));
        }
        let apart = clocks_apart(&view, now);
        if let Some(error) = apart.as_ref().filter(|_| !is_pruning) {
            view.warnings.push(unswept(error));
        }
        let is_clock_right = apart.is_none();
        if let Some(error) = apart.filter(|_| is_pruning) {
            return Err(error);
        }
        let_go(cfg, &view, &mut stages);
        remove(cfg, &view, &mut stages);
        // What is forgotten is told by its age.
        if is_clock_right {
            sweep(cfg, policy, &view, now, &mut stages);
        }
    }
    Ok(Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Prune,
        round: 1,
        based_on: SurveyId(names.next()),
        made_at: now,
        stages: stages.into_vec(),
        warnings: view.warnings,
    })
}

fn nothing_proven(view: &PruneView<'_>) -> Error {
    let points = view.verdict.points.iter().filter(|point| point.is_offered);
    Error::new(
        Code::NothingProven,
        "no point whose pieces were read back would be left, so nothing is let go",
    )
    .at("points on offer", points.count())
    .at("pieces that would go", gone(view).len())
    .hint("`stopmark scrub` proves the stored pieces; `[policy] read_back` proves new ones")
}

fn unswept(error: &Error) -> Warning {
    Warning {
        code: error.code().to_string(),
        message: format!("nothing is swept: {error}"),
        hint: error.hint_text().map(str::to_owned),
    }
}

fn let_go(cfg: &Config, view: &PruneView<'_>, stages: &mut Stages) {
    let kept = view.verdict.kept();
    let step = Prune {
        group: cfg.group.clone(),
        sets: view.verdict.let_go.clone(),
        keeps: kept.map(|point| point.mark.clone()).collect(),
    };
    if !step.sets.is_empty() {
        let step = (cfg.management_host.clone(), Step::Prune(step));
        stages.add(StageName::LetGo, OnFailure::Unwind, [step]);
    }
}

/// The pieces that go now.
fn gone<'a>(view: &PruneView<'a>) -> Vec<(SetId, &'a Piece)> {
    let let_go = view.verdict.let_go.iter().flat_map(|set| &set.pieces);
    let let_go: BTreeSet<PieceId> = let_go.copied().collect();
    let pieces = view.sets.iter().flat_map(|set| {
        let pieces = set.pieces.iter();
        pieces.map(|piece| (set.id, piece))
    });
    pieces
        .filter(|(_, piece)| let_go.contains(&piece.id))
        .collect()
}

/// Logs newest first, then differentials, then fulls: what is left at any moment still has its base.
fn remove(cfg: &Config, view: &PruneView<'_>, stages: &mut Stages) {
    let mut pieces = gone(view);
    pieces.extend(view.unremoved.iter().map(|(set, piece)| (*set, piece)));
    pieces.sort_by_key(|(_, piece)| {
        let order = match piece.kind {
            PieceKind::Log => 0,
            PieceKind::Differential => 1,
            PieceKind::Full => 2,
        };
        (order, Reverse(piece.last_lsn), piece.id)
    });
    let steps = pieces.into_iter().map(|(set, piece)| {
        let step = RemovePiece {
            group: cfg.group.clone(),
            set,
            piece: piece.id,
            member: piece.member.clone(),
            piece_kind: piece.kind,
            stored: piece.stripes.clone(),
        };
        (piece.member.host.clone(), Step::RemovePiece(step))
    });
    let steps: Vec<_> = steps.collect();
    if steps.is_empty() {
        return;
    }
    stages.add(StageName::Remove, OnFailure::Skip, steps);
    let group = cfg.group.clone();
    let note = Step::NoteRemoved(NoteRemoved { group });
    let note = (cfg.management_host.clone(), note);
    stages.add(StageName::Remove, OnFailure::Pass, [note]);
}

fn sweep(
    cfg: &Config,
    policy: &RetentionConfig,
    view: &PruneView<'_>,
    now: Timestamp,
    stages: &mut Stages,
) {
    let group = cfg.group.clone();
    let uploads = Step::SweepUploads(SweepUploads { group });
    let mut steps = vec![(cfg.management_host.clone(), uploads)];
    steps.extend(forgotten(cfg, policy, view, now));
    steps.extend(trims(cfg, view));
    stages.add(StageName::Sweep, OnFailure::Pass, steps);
}

/// Files of ours that are whole in the store already, or that nobody knows and nobody wrote to for long; each file
/// once, though hosts may share a folder.
fn forgotten(
    cfg: &Config,
    policy: &RetentionConfig,
    view: &PruneView<'_>,
    now: Timestamp,
) -> Vec<(HostName, Step)> {
    if view.staged.is_empty() {
        return Vec::new();
    }
    let names_of = |piece: &Piece| -> Vec<String> {
        let stripes = piece.stripes.iter();
        let names = stripes.filter_map(|stripe| staged_name(&piece.member, &stripe.key));
        names.collect()
    };
    let held = view.sets.iter().flat_map(|set| &set.pieces);
    let damaged = held
        .clone()
        .filter(|piece| view.damaged.contains(&piece.id));
    let damaged: BTreeSet<String> = damaged.flat_map(names_of).collect();
    let unremoved = view.unremoved.iter().map(|(_, piece)| piece);
    let held: BTreeSet<String> = held.chain(unremoved).flat_map(names_of).collect();
    let span = i64::try_from(policy.staging_for.as_millis()).unwrap_or(i64::MAX);
    let old = now.plus_millis(span.saturating_neg());
    let ships = cfg.discovery.is_some() && cfg.biztalk.log_shipping;
    let is_forgotten = |file: &ShareFile| {
        let name = file.path.file_name().and_then(|name| name.to_str());
        let is_old = file.changed_at < old;
        // Files that log shipping reads go with their rows in BizTalk's history, which this plan does not know.
        let is_unneeded = |name| {
            let is_held = held.contains(name);
            (is_held && !ships) || (is_old && !is_held)
        };
        name.is_some_and(|name| is_our_file(name) && is_unneeded(name) && !damaged.contains(name))
            && !view.busy.contains(&file.path)
    };
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for host in cfg.hosts.keys() {
        let own = view.staged.iter().filter(|(it, _)| it == host);
        let files: Vec<PathBuf> = own
            .filter(|(_, file)| is_forgotten(file))
            .map(|(_, file)| file.path.clone())
            .filter(|path| seen.insert(path.clone()))
            .collect();
        if !files.is_empty() {
            steps.push((host.clone(), Step::SweepStaging(SweepStaging { files })));
        }
    }
    steps
}

/// Rows of marks before the oldest kept one. Where nothing is let go there is nothing to trim, and no host is asked.
fn trims(cfg: &Config, view: &PruneView<'_>) -> Vec<(HostName, Step)> {
    let (Some(oldest), Some(newest)) = (view.verdict.oldest_kept(), view.sets.last()) else {
        return Vec::new();
    };
    if view.verdict.let_go.is_empty() {
        return Vec::new();
    }
    let members = newest.members.iter();
    let known = members.filter(|member| cfg.host(&member.host).is_some());
    let steps = known.map(|member| {
        let step = TrimMarkLog {
            member: member.clone(),
            oldest: oldest.mark.clone(),
        };
        (member.host.clone(), Step::TrimMarkLog(step))
    });
    steps.collect()
}
