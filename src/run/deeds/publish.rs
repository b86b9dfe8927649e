//! Publishing: the set's manifest, then its entry in the group's log. Only then does the set exist.

use crate::error::{Code, Error, Result};
use crate::model::{Mark, MissingMember, Piece, PieceId, Set, SetKind};
use crate::plan::{AdoptPiece, BackUp, Publish, Step, UnfinishedRound};
use crate::run::book::Book;
use crate::run::events::{BackedUp, Outcome};
use crate::run::record::{DeliveredPiece, Record};
use crate::world::{LogFact, World};

/// Publishes what the round delivered. Run again after a crash, it finds its own entry and adds none.
pub(super) async fn publish(world: &World, book: &Book, step: &Publish) -> Result<Outcome> {
    let set = book.read(|record| set_of(record, step))?;
    if set.pieces.is_empty() {
        let message = "none of the set's pieces is in the store";
        return Err(Error::new(Code::ObjectMissing, message)
            .hint("see why none was taken or delivered; the next run looks after them"));
    }
    let (manifest_key, digest) = world.store.write_manifest(&set).await?;
    crate::catalog::catch_up(world, &step.group).await?;
    if let Some(found) = published(world, step).await? {
        return Ok(found);
    }
    let fact = LogFact::Set {
        set: set.id,
        manifest_key,
        digest,
    };
    let entry = world.store.append(&step.group, fact).await?;
    crate::catalog::catch_up(world, &step.group).await?;
    Ok(Outcome::Published {
        set: set.id,
        entry,
        lacks: Vec::new(),
    })
}

/// The step's set as the group's log has it, if it does; the catalog is up to date. An entry of an earlier try may land
/// minutes late, and its manifest lacks what was delivered since.
pub(in crate::run) async fn published(world: &World, step: &Publish) -> Result<Option<Outcome>> {
    let Some(entry) = world.catalog.entry_of(&step.group, step.set).await? else {
        return Ok(None);
    };
    let log = world.store.log_after(&step.group, entry - 1).await?;
    let facts = log.into_iter().filter(|it| it.entry == entry);
    let manifest = facts.map(|it| it.fact).find_map(|fact| match fact {
        LogFact::Set {
            manifest_key,
            digest,
            ..
        } => Some((manifest_key, digest)),
        _ => None,
    });
    let Some((key, digest)) = manifest else {
        let message = "the group's log no longer holds an entry that the catalog knows";
        return Err(Error::new(Code::ObjectMissing, message)
            .at("entry", entry)
            .hint("see what happened to the store; `stopmark catalog rebuild` reads it anew"));
    };
    let held = world.store.read_set(&step.group, &key, digest).await?;
    let is_held = |id: &PieceId| held.pieces.iter().any(|piece| piece.id == *id);
    let lacks = step.pieces.iter().filter(|id| !is_held(id));
    Ok(Some(Outcome::Published {
        set: step.set,
        entry,
        lacks: lacks.copied().collect(),
    }))
}

/// The set that a publish step makes of the record: what was delivered, and what is missing and why.
///
/// # Errors
/// `SM9001` when the record does not hold what the plan promised.
pub fn set_of(record: &Record, step: &Publish) -> Result<Set> {
    let mut pieces = Vec::new();
    let mut missing = Vec::new();
    let mut adopted = Vec::new();
    for id in &step.pieces {
        let facts = (record.backed_up(*id), record.delivered(*id));
        match (planned(record, *id)?, facts) {
            (Planned::BackUp(planned), (Some(facts), Some(delivered))) => {
                pieces.push(piece(planned, facts, delivered));
            }
            (Planned::BackUp(planned), _) => missing.push(MissingMember {
                member: planned.member.clone(),
                reason: record
                    .failure_of(*id)
                    .unwrap_or_else(|| "not taken".to_owned()),
            }),
            (Planned::Adopt(planned), (_, Some(delivered))) => {
                pieces.push(Piece {
                    stripes: delivered.stripes.to_vec(),
                    proof: delivered.proof,
                    ..(*planned.piece).clone()
                });
                adopted.push(planned.origin.clone());
            }
            // Nobody is missing where a foreign backup is not adopted: it was never the group's to have.
            (Planned::Adopt(_), (_, None)) => {}
        }
    }
    Ok(Set {
        id: step.set,
        group: step.group.clone(),
        kind: step.set_kind,
        run: step.run,
        made_at: step.made_at,
        mark: mark_of(record, step),
        members: step.members.clone(),
        best_effort: step.best_effort.clone(),
        pieces,
        missing,
        adopted,
        companions: step.companions.clone(),
        settings: step.settings.clone(),
    })
}

/// What the round took and has not brought home yet, as the set that it will be: its pieces lie on the shares, and
/// not all of them are in a store.
pub(in crate::run) fn waiting_set(record: &Record, round: &UnfinishedRound) -> Option<Set> {
    let lanes = round.plan.stages.iter().flat_map(|stage| &stage.lanes);
    let step = lanes
        .flat_map(|lane| &lane.steps)
        .find_map(|step| match step {
            Step::Publish(step) => Some(step),
            _ => None,
        })?;
    let pieces = round.taken.iter();
    let pieces = pieces.filter_map(|id| match planned(record, *id).ok()? {
        Planned::BackUp(planned) => {
            let delivered = record.delivered(*id).unwrap_or_default();
            Some(piece(planned, record.backed_up(*id)?, delivered))
        }
        Planned::Adopt(planned) => Some((*planned.piece).clone()),
    });
    Some(Set {
        id: step.set,
        group: step.group.clone(),
        kind: SetKind::Salvage,
        run: step.run,
        made_at: step.made_at,
        mark: None,
        members: step.members.clone(),
        best_effort: step.best_effort.clone(),
        pieces: pieces.collect(),
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: step.companions.clone(),
        settings: Vec::new(),
    })
}

/// A mark belongs to a set only when every member's history confirmed it.
fn mark_of(record: &Record, step: &Publish) -> Option<Mark> {
    let name = step.mark.clone()?;
    let members = record.confirmed(&name)?.to_vec();
    Some(Mark {
        name,
        placed_at: step.stamped_at.unwrap_or(step.made_at),
        members,
    })
}

/// The step that a piece comes from.
enum Planned<'a> {
    /// A backup that Stopmark took.
    BackUp(&'a BackUp),
    /// A backup that others took.
    Adopt(&'a AdoptPiece),
}

fn planned(record: &Record, id: PieceId) -> Result<Planned<'_>> {
    let steps = record
        .rounds
        .iter()
        .flat_map(|round| &round.plan.stages)
        .flat_map(|s| &s.lanes);
    steps
        .flat_map(|lane| &lane.steps)
        .find_map(|step| match step {
            Step::BackUp(step) if step.piece == id => Some(Planned::BackUp(step)),
            Step::Adopt(step) if step.piece.id == id => Some(Planned::Adopt(step)),
            _ => None,
        })
        .ok_or_else(|| {
            Error::new(Code::Bug, "a set names a piece that no plan holds").at("piece", id)
        })
}

fn piece(planned: &BackUp, facts: &BackedUp, delivered: DeliveredPiece<'_>) -> Piece {
    Piece {
        id: planned.piece,
        member: planned.member.clone(),
        kind: planned.piece_kind,
        backup_set_guid: facts.backup_set_guid,
        family_guid: facts.family_guid,
        first_lsn: facts.first_lsn,
        last_lsn: facts.last_lsn,
        checkpoint_lsn: facts.checkpoint_lsn,
        database_backup_lsn: facts.database_backup_lsn,
        differential_base: facts.differential_base,
        first_fork_guid: facts.first_fork_guid,
        last_fork_guid: facts.last_fork_guid,
        fork_point_lsn: facts.fork_point_lsn,
        has_bulk_logged_data: facts.has_bulk_logged_data,
        begins_log_chain: facts.begins_log_chain,
        is_copy_only: facts.is_copy_only,
        has_backup_checksums: facts.has_backup_checksums,
        started: facts.started,
        finished: facts.finished,
        server_version: facts.server_version.clone(),
        files: delivered.files.to_vec(),
        position: 1,
        stripes: delivered.stripes.to_vec(),
        proof: delivered.proof,
    }
}
