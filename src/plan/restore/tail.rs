//! The tails of logs over which members are restored: backed up first, brought into the store at the end.
//! Start at [`tails`].
//!
//! A tail is part of its chain like any log. A restore that breaks after it leaves it on the share, and what the
//! run has taken is brought home as after every run.

use super::asked::{RestoreAsked, TailRule};
use super::way::{Stands, Way};
use crate::config::Config;
use crate::model::{PieceId, PieceKind, SetId, SetKind, Timestamp};
use crate::plan::asked::{CatalogView, Names};
use crate::plan::keys::Naming;
use crate::plan::retry::RetryRule;
use crate::plan::stages::{Stages, unmarked};
use crate::plan::{BackUp, Publish, Tail};
use crate::survey::{RecoveryModel, TargetState};

/// The tail of every member that is restored over itself and has one.
pub(super) fn tails(
    cfg: &Config,
    have: &CatalogView,
    asked: &RestoreAsked,
    ways: &[Way<'_>],
    names: &mut dyn Names,
    now: Timestamp,
) -> Vec<BackUp> {
    if asked.tail == TailRule::GiveUp {
        return Vec::new();
    }
    // The files must have names that no piece has.
    let stamp = have
        .newest_stamp
        .map_or(now, |last| now.max(last.plus_millis(1)));
    let stamp = stamp.file_stamp();
    let naming = Naming {
        group: &cfg.group,
        stamp: &stamp,
    };
    let with_tail = ways.iter().filter_map(|way| Some((way, tail_of(way)?)));
    let back_up = |(way, tail): (&Way<'_>, Tail)| {
        let own = cfg.member(way.member);
        BackUp {
            piece: PieceId(names.next()),
            member: way.member.clone(),
            taken_on: None,
            replica_wait_ms: None,
            piece_kind: PieceKind::Log,
            stripes: naming.stripes(way.share, way.member, PieceKind::Log, own.stripes),
            compression: own.compression,
            mark: None,
            reason: "the tail of the log, before the member is restored over itself".to_owned(),
            is_cure: false,
            tail: Some(tail),
            retry: Some(RetryRule::of(&cfg.policy)),
            is_copy_only: false,
            by_procedure: None,
        }
    };
    with_tail.map(back_up).collect()
}

/// A database that is RESTORING or stands by has no tail any more, one in SIMPLE never had one.
fn tail_of(way: &Way<'_>) -> Option<Tail> {
    let there = way.there.filter(|_| way.is_over_itself())?;
    let keeps_log = there.recovery_model != RecoveryModel::Simple;
    match there.state {
        _ if !keeps_log || way.stands != Stands::After(0) => None,
        TargetState::Online => Some(Tail::Closing),
        TargetState::Unusable => Some(Tail::Damaged),
        TargetState::Standby | TargetState::Restoring => None,
    }
}

/// Delivers and publishes the tails, after the group is open again. The set makes no claim about a mark.
pub(super) fn bring_home(
    cfg: &Config,
    asked: &RestoreAsked,
    tails: &[BackUp],
    stages: &mut Stages,
    names: &mut dyn Names,
    now: Timestamp,
) {
    if tails.is_empty() {
        return;
    }
    let set = (SetId(names.next()), SetKind::Salvage);
    let publish = Publish {
        members: tails.iter().map(|tail| tail.member.clone()).collect(),
        ..unmarked(cfg, set, (asked.run, now))
    };
    stages.bring_home(cfg, tails, publish);
}
