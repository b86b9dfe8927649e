//! Plans of companions: fulls of the databases beside the group, for the runbook of a restore.
//!
//! Start at [`plan_companions`]. Nobody else's work is touched: what is taken is `COPY_ONLY`, which begins no chain and
//! is no differential's base. `master` alone takes a plain full: it has neither logs nor differentials, so that there
//! is nothing to disturb, and nothing but a plain full is sure to be taken of it.

use super::keys::{Naming, brought_back, share_of};
use super::retry::RetryRule;
use super::stages::{Stages, unmarked};
use super::{BackUp, Fetch, Names, PLAN_FORMAT, Plan, Publish, RunKind, StageName, Warning};
use crate::config::{Config, MemberConfig};
use crate::error::Code;
use crate::model::{
    HostName, MarkName, MemberName, Piece, PieceId, PieceKind, PlanId, RunId, SetId, SetKind,
    Timestamp,
};
use crate::survey::{HostReport, MemberState, Survey};

/// What a run of companions must know beside the configuration and what the hosts say.
#[derive(Clone, Debug)]
pub struct CompanionsAsked {
    /// The run.
    pub run: RunId,
    /// The members of the group now: none of them is a companion, whatever the configuration says.
    pub members: Vec<MemberName>,
    /// The newest stamp that was ever used.
    pub newest_stamp: Option<Timestamp>,
}

/// Fulls of every companion that can be backed up; each other one is a warning. `survey` is of the companions.
#[must_use]
pub fn plan_companions(
    cfg: &Config,
    survey: &Survey,
    asked: &CompanionsAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let (_, stamped_at) = MarkName::stamp(&cfg.mark_prefix, now, asked.newest_stamp);
    let id = PlanId(names.next());
    let stamp = stamped_at.file_stamp();
    let naming = Naming {
        group: &cfg.group,
        stamp: &stamp,
    };
    let (mut taken, mut warnings) = (Vec::new(), Vec::new());
    for companion in &cfg.companions {
        match against(survey, asked, &companion.name) {
            Some((why, hint)) => warnings.push(left_out(&companion.name, &why, hint)),
            None => taken.extend(back_up(cfg, survey, companion, &naming, names)),
        }
    }
    let mut stages = Stages::default();
    bring_home(cfg, asked, &taken, &mut stages, (names, stamped_at));
    Plan {
        format: PLAN_FORMAT,
        id,
        group: cfg.group.clone(),
        kind: RunKind::Companions,
        round: 1,
        based_on: survey.id,
        made_at: stamped_at,
        stages: stages.into_vec(),
        warnings,
    }
}

/// What speaks against a backup of this companion, and what to do about it.
fn against(
    survey: &Survey,
    asked: &CompanionsAsked,
    name: &MemberName,
) -> Option<(String, &'static str)> {
    if asked.members.contains(name) {
        let why = "it is a member of the group, and is backed up with it";
        return Some((why.to_owned(), "take it out of `[companions]`"));
    }
    if let Some(facts) = survey.member(name) {
        let hint = "bring it online, or take it out of `[companions]`";
        return (facts.state != MemberState::Online).then(|| ("it is not online".to_owned(), hint));
    }
    let mut hosts = survey.hosts.iter();
    let silent = hosts.find_map(|(host, report)| match report {
        HostReport::Silent { message, .. } if host.is_same_host(&name.host) => Some(message),
        HostReport::Silent { .. } | HostReport::Facts(_) => None,
    });
    Some(silent.map_or_else(
        || {
            let hint = "take it out of `[companions]`, or let the login see it";
            ("its host has no such database".to_owned(), hint)
        },
        |why| {
            let why = format!("its host does not answer: {why}");
            (why, "the next run tries again")
        },
    ))
}

fn left_out(name: &MemberName, why: &str, hint: &str) -> Warning {
    Warning {
        code: Code::CompanionLeftOut.text().to_owned(),
        message: format!("companion `{name}` is left out: {why}"),
        hint: Some(hint.to_owned()),
    }
}

/// The step of one companion; none where its host has no share, which the configuration does not allow.
fn back_up(
    cfg: &Config,
    survey: &Survey,
    companion: &MemberConfig,
    naming: &Naming<'_>,
    names: &mut dyn Names,
) -> Option<BackUp> {
    let member = companion.name.clone();
    let home = survey.home(&member).clone();
    let share = share_of(cfg.host(&home))?;
    Some(BackUp {
        piece: PieceId(names.next()),
        taken_on: Some(home).filter(|home| *home != member.host),
        replica_wait_ms: None,
        piece_kind: PieceKind::Full,
        stripes: naming.stripes(share, &member, PieceKind::Full, companion.stripes),
        compression: companion.compression,
        mark: None,
        reason: "beside the group".to_owned(),
        is_cure: false,
        tail: None,
        retry: Some(RetryRule::of(&cfg.policy)),
        is_copy_only: !member.database.as_str().eq_ignore_ascii_case("master"),
        by_procedure: None,
        member,
    })
}

/// Takes, delivers, publishes and clears.
fn bring_home(
    cfg: &Config,
    asked: &CompanionsAsked,
    taken: &[BackUp],
    stages: &mut Stages,
    (names, stamped_at): (&mut dyn Names, Timestamp),
) {
    if taken.is_empty() {
        return;
    }
    stages.back_up(StageName::Bases, taken);
    let set = (SetId(names.next()), SetKind::Salvage);
    let publish = Publish {
        members: asked.members.clone(),
        companions: cfg.companions.iter().map(|it| it.name.clone()).collect(),
        ..unmarked(cfg, set, (asked.run, stamped_at))
    };
    stages.bring_home(cfg, taken, publish);
}

/// How companions come back to the share of their host, for paper: each with its host. One whose host has no share any
/// more is left out.
#[must_use]
pub fn fetches_of(cfg: &Config, pieces: &[&Piece]) -> Vec<(HostName, Fetch)> {
    let fetch = |piece: &&Piece| {
        let host = cfg.host(&piece.member.host)?;
        let share = share_of(Some(host))?;
        let source = brought_back(share, &cfg.group, piece);
        let stored = piece.stripes.clone();
        Some((host.name.clone(), Fetch { source, stored }))
    };
    pieces.iter().filter_map(fetch).collect()
}
