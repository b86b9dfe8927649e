//! Which fulls and differentials a round takes, and why. Start at [`bases_of_broken`].

use super::Warning;
use super::asked::{CatalogView, FailedDeed, StepFailure};
use super::assess::{Able, warning};
use super::backup::Ctx;
use super::keys::{agent_place, our_folder, share_of};
use super::quarantine::Quarantine;
use crate::chain::errors::{Class, classify};
use crate::chain::{self, Against, Break, Cure, Health, Holding, cure, health};
use crate::config::Config;
use crate::error::Code;
use crate::model::{MarkName, MemberName, Piece, PieceKind};

/// One backup that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// The member.
    pub(super) member: MemberName,
    /// What is to be taken.
    pub(super) kind: PieceKind,
    /// It mends a broken chain.
    pub(super) is_cure: bool,
    /// It is the first log of a new chain.
    pub(super) is_first_log: bool,
    /// The mark that a log must carry.
    pub(super) mark: Option<MarkName>,
    /// Why, for people.
    pub(super) reason: String,
}

pub(super) fn base(member: &MemberName, kind: PieceKind, reason: String) -> Base {
    Base {
        member: member.clone(),
        kind,
        is_cure: false,
        is_first_log: false,
        mark: None,
        reason,
    }
}

/// What a person does about fulls of others.
pub(super) const COPIES_HINT: &str = "let the other job take its fulls COPY_ONLY";

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
            warnings.push(warning(Code::ChainBroken, message, COPIES_HINT));
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
    let against = chain::against_a_differential(member.facts, &pieces)?;
    let is_theft = matches!(against, Against::Base(_));
    Some((against.to_string(), is_theft))
}

/// The cheapest cure for every member whose chain does not run, was refused in the round before, or was asked
/// to begin anew.
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
        let quarantine = ctx.asked.quarantine_of(member.name);
        if let (Need::Cure(reason, _), Some(quarantine)) = (&need, quarantine) {
            warnings.push(shout(member, reason, quarantine));
            continue;
        }
        if let Need::Cure(reason, cure) = &need {
            warnings.extend(stolen(ctx, member, reason));
            if let Cure::Full(against @ Against::Base(_)) = cure {
                let message = format!("member `{}`: {against}", member.name);
                warnings.push(warning(Code::ChainBroken, message, COPIES_HINT));
            }
        }
        bases.push(Base {
            is_cure: matches!(need, Need::Cure(..)),
            ..base(member.name, need.kind(), need.to_string())
        });
        if is_marked {
            // Minimally logged changes from before the cure go into the first log after it. That log must
            // not be the one that carries the mark, or the round would end without a Point (design 10.3).
            let reason = "first log of the new chain".to_owned();
            bases.push(Base {
                is_first_log: true,
                ..base(member.name, PieceKind::Log, reason)
            });
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

/// A chain that breaks again and again, and is left as it is.
fn shout(member: &Able<'_>, reason: &Break, quarantine: &Quarantine) -> Warning {
    let (name, cures, until) = (member.name, quarantine.cures, quarantine.until);
    let message = format!(
        "member `{name}` is in quarantine until {until}: mended {cures} times, and broken again: {reason}"
    );
    let hint = format!(
        "find out who breaks it, then run `stopmark group release {name}`: until then the group has no new point"
    );
    warning(Code::Quarantined, message, &hint)
}

/// Somebody else's log backup, with the words that bring it into the chain: the marks inside it then count.
fn stolen(ctx: &Ctx<'_>, member: &Able<'_>, reason: &Break) -> Option<Warning> {
    let Break::ForeignLog {
        device, is_virtual, ..
    } = reason
    else {
        return None;
    };
    let message = format!("member `{}`: {reason}", member.name);
    let group = &ctx.cfg.group;
    let place = agent_place(ctx.cfg.host(ctx.survey.home(member.name)), device);
    let place = place.map_or_else(|| "FILE".to_owned(), |place| place.display().to_string());
    let hint = if *is_virtual {
        "leave the member out in that tool, or have it take copies: what went to a program cannot be brought in, and \
         every mark inside is lost for the whole group"
            .to_owned()
    } else {
        format!(
            "stop the other job; every mark inside its backup is lost for the whole group until the file is \
             brought in: `stopmark adopt --group {group} '{place}'`"
        )
    };
    Some(warning(Code::ChainBroken, message, &hint))
}

/// Why a member needs a backup before its logs lead anywhere.
enum Need {
    First,
    Asked,
    Cure(Break, Cure),
}

impl Need {
    const fn kind(&self) -> PieceKind {
        match self {
            Self::Cure(_, Cure::Differential) => PieceKind::Differential,
            Self::First | Self::Asked | Self::Cure(_, Cure::Full(_)) => PieceKind::Full,
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::First => f.write_str("first full of this member"),
            Self::Asked => f.write_str("a new chain was asked for"),
            Self::Cure(reason, Cure::Differential) => {
                write!(
                    f,
                    "chain broken: {reason}; a differential on our full bridges it"
                )
            }
            Self::Cure(reason, Cure::Full(Against::OnlyFull)) => {
                write!(f, "chain broken: {reason}")
            }
            Self::Cure(reason, Cure::Full(against)) => {
                write!(f, "chain broken: {reason}; no differential: {against}")
            }
        }
    }
}

fn need_of(ctx: &Ctx<'_>, member: &Able<'_>) -> Option<Need> {
    let full = |reason| Need::Cure(reason, Cure::Full(Against::OnlyFull));
    match refused(ctx, member.name) {
        Some(Break::Asked) => return Some(Need::Asked),
        Some(reason) => return Some(full(reason)),
        None => {}
    }
    // Not again in the rounds after the one that took it.
    if ctx.asked.round == 1 && ctx.asked.new_chain.contains(member.name) {
        return Some(Need::Asked);
    }
    let judged = |held: Holding<'_>| match health(member.facts, held) {
        Health::Running { .. } => None,
        Health::NeverBased => Some(Need::First),
        Health::Broken(reason) => {
            let cure = cure(member.facts, held, &reason);
            Some(Need::Cure(reason, cure))
        }
    };
    with_holding(ctx.cfg, ctx.have, member.name, judged)
}

/// Looks at what we have of one member.
pub(super) fn with_holding<T>(
    cfg: &Config,
    have: &CatalogView,
    name: &MemberName,
    look: impl FnOnce(Holding<'_>) -> T,
) -> T {
    let shares = cfg.hosts.values().filter_map(|host| share_of(Some(host)));
    let our_folders: Vec<String> = shares.map(|share| our_folder(share, &cfg.group)).collect();
    let pieces: Vec<&Piece> = have.pieces(name).collect();
    let damaged = have.damaged.iter();
    let damaged: Vec<&Piece> = damaged.filter(|it| it.member == *name).collect();
    look(Holding {
        pieces: &pieces,
        damaged: &damaged,
        our_folders: &our_folders,
    })
}

/// What the round before learned: SQL Server refused for a broken chain, or a backup ended without a row
/// (4219 and its kin are severity 10 and reach no client), or the full that should have cured it failed.
fn refused(ctx: &Ctx<'_>, member: &MemberName) -> Option<Break> {
    let failures = &ctx.asked.previous.as_ref()?.failures;
    failures.iter().find_map(|failure| match &failure.deed {
        FailedDeed::BackUp {
            member: failed,
            piece_kind,
            ..
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
