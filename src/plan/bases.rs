//! Which fulls and differentials a round takes, and why. Start at [`bases_of_broken`].

use super::Warning;
use super::asked::{FailedDeed, StepFailure};
use super::assess::{Able, warning};
use super::backup::Ctx;
use super::keys::{our_folder, share_of};
use crate::chain::errors::{Class, classify};
use crate::chain::{Break, Health, differential_base, health};
use crate::error::Code;
use crate::model::{MarkName, MemberName, Piece, PieceKind};

/// One backup that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// The member.
    pub(super) member: MemberName,
    /// What is to be taken.
    pub(super) kind: PieceKind,
    /// The mark that a log must carry.
    pub(super) mark: Option<MarkName>,
    /// Why, for people.
    pub(super) reason: String,
}

fn base(member: &MemberName, kind: PieceKind, reason: String) -> Base {
    Base {
        member: member.clone(),
        kind,
        mark: None,
        reason,
    }
}

/// A full of every member.
pub(super) fn fulls(_: &Ctx<'_>, able: &[Able<'_>]) -> (Vec<Base>, Vec<Warning>) {
    let fulls = able
        .iter()
        .map(|it| base(it.name, PieceKind::Full, "scheduled".to_owned()));
    (fulls.collect(), Vec::new())
}

/// A differential of every member whose base we hold, and a full of the others.
pub(super) fn differentials(ctx: &Ctx<'_>, able: &[Able<'_>]) -> (Vec<Base>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut bases = Vec::new();
    for member in able {
        let Some((reason, is_theft)) = against_a_differential(ctx, member) else {
            bases.push(base(
                member.name,
                PieceKind::Differential,
                "scheduled".to_owned(),
            ));
            continue;
        };
        if is_theft {
            let message = format!("member `{}`: {reason}", member.name);
            let hint = "let the other job take its fulls COPY_ONLY";
            warnings.push(warning(Code::ChainBroken, message, hint));
        }
        bases.push(base(member.name, PieceKind::Full, reason));
    }
    (bases, warnings)
}

/// Why a differential would lead nowhere, and whether somebody else's full is the reason.
fn against_a_differential(ctx: &Ctx<'_>, member: &Able<'_>) -> Option<(String, bool)> {
    if let Some(reason) = refused(ctx, member.name) {
        return Some((format!("no differential is possible: {reason}"), false));
    }
    let pieces: Vec<&Piece> = ctx.have.pieces(member.name).collect();
    match differential_base(member.facts, &pieces) {
        Ok(()) => None,
        Err(None) => {
            let reason = "no full of ours that a differential could build on";
            Some((reason.to_owned(), false))
        }
        Err(Some(row)) => {
            let (user, when, device) = (&row.user_name, row.finished, &row.device);
            let reason = format!(
                "its differential base is not ours: `{user}` took a full on {when} to `{device}`"
            );
            Some((reason, true))
        }
    }
}

/// A full of every member whose chain does not run, was refused in the round before, or was asked for.
pub(super) fn bases_of_broken(
    ctx: &Ctx<'_>,
    able: &[Able<'_>],
    is_marked: bool,
) -> (Vec<Base>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut bases = Vec::new();
    for member in able.iter().filter(|member| member.keeps_log()) {
        let Some(need) = need_of(ctx, member) else {
            continue;
        };
        if let Need::NewChain(Break::ForeignLog { .. }) = &need {
            let message = format!("member `{}`: {need}", member.name);
            let hint =
                "stop the other job: every mark inside its backup is lost for the whole group";
            warnings.push(warning(Code::ChainBroken, message, hint));
        }
        bases.push(base(member.name, PieceKind::Full, need.to_string()));
        if is_marked {
            // Minimally logged changes from before the full go into the first log after it. That log must
            // not be the one that carries the mark, or the round would end without a Point (design 10.3).
            let reason = "first log of the new chain".to_owned();
            bases.push(base(member.name, PieceKind::Log, reason));
        }
    }
    for name in &ctx.asked.new_chain {
        if !able
            .iter()
            .any(|member| member.name == name && member.keeps_log())
        {
            let message = format!("member `{name}` cannot be given a new chain now");
            let hint =
                "check that it is a member of the group, online, and in the FULL recovery model";
            warnings.push(warning(Code::MemberUnfit, message, hint));
        }
    }
    (bases, warnings)
}

/// Why a member needs a full.
enum Need {
    First,
    NewChain(Break),
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::First => f.write_str("first full of this member"),
            Self::NewChain(Break::Asked) => f.write_str("a new chain was asked for"),
            Self::NewChain(reason) => write!(f, "chain broken: {reason}"),
        }
    }
}

fn need_of(ctx: &Ctx<'_>, member: &Able<'_>) -> Option<Need> {
    if let Some(reason) = refused(ctx, member.name) {
        return Some(Need::NewChain(reason));
    }
    // Not again in the rounds after the one that took it.
    if ctx.asked.round == 1 && ctx.asked.new_chain.contains(member.name) {
        return Some(Need::NewChain(Break::Asked));
    }
    let folder =
        share_of(ctx.cfg.host(&member.name.host)).map(|share| our_folder(share, &ctx.cfg.group));
    match health(
        member.facts,
        ctx.have.pieces(member.name),
        folder.as_deref(),
    ) {
        Health::Running { .. } => None,
        Health::NeverBased => Some(Need::First),
        Health::Broken(reason) => Some(Need::NewChain(reason)),
    }
}

/// What the round before learned: SQL Server refused for a broken chain, or a backup ended without a row
/// (4219 and its kin are severity 10 and reach no client), or the full that should have cured it failed.
fn refused(ctx: &Ctx<'_>, member: &MemberName) -> Option<Break> {
    let failures = &ctx.asked.previous.as_ref()?.failures;
    failures.iter().find_map(|failure| match &failure.deed {
        FailedDeed::BackUp {
            member: failed,
            piece_kind,
        } if failed == member => {
            break_behind(failure, *piece_kind, ctx.asked.new_chain.contains(member))
        }
        _ => None,
    })
}

fn break_behind(failure: &StepFailure, kind: PieceKind, was_asked: bool) -> Option<Break> {
    if kind == PieceKind::Full && was_asked {
        return Some(Break::Asked);
    }
    if failure.code == Code::BackupNoRow.text() {
        return Some(Break::NoLogBackupPossible);
    }
    let number = failure.sql_number?;
    let is_break = classify(number, None).is_some_and(|known| known.class == Class::NewChain);
    is_break.then_some(Break::Refused { number })
}
