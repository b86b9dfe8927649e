//! Which offered backups are new: held already, copies of one another, or in each other's way.
//!
//! Start at [`judge`]. A backup is what its backup set GUID and its bytes say; a file's name decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::whose::Unclear;
use super::{Becomes, Judged, Offer};
use crate::error::Code;
use crate::model::{Lsn, MemberName, Piece, PieceId, PieceKind, Set, StoredStripe};
use crate::plan::CatalogView;
use crate::survey::Survey;

/// One place in a member's log: its first LSN, the LSN after it, and the fork it ends on.
type Place<'a> = (&'a MemberName, Lsn, Lsn, Uuid);

/// What becomes of each offer, in the same order. What is new has a member and no identity yet.
pub(super) fn judge<'m>(
    have: &CatalogView,
    survey: &Survey,
    offers: &[Offer],
    whose: impl Fn(&Offer) -> Result<&'m MemberName, Unclear>,
) -> Vec<Judged> {
    let mut by_guid: BTreeMap<Uuid, Vec<&Offer>> = BTreeMap::new();
    for offer in offers {
        let same = by_guid.entry(offer.piece.backup_set_guid).or_default();
        same.push(offer);
    }
    let twin = |offer: &Offer| {
        let mut same = by_guid[&offer.piece.backup_set_guid].iter();
        same.find(|other| other.places != offer.places).copied()
    };
    let judged = offers.iter().map(|offer| Judged {
        places: offer.places.clone(),
        piece: Some(offer.piece.clone()),
        becomes: match (twin(offer), held(have, offer)) {
            (Some(other), _) => twins(other),
            (None, Some((set, held))) => kept(offer, set, held),
            (None, None) => placed(whose(offer)),
        },
    });
    let mut judged: Vec<Judged> = judged.collect();
    refuse_contested(have, &copy_only(survey), &mut judged);
    judged
}

/// The backups of which a host's history knows that they move no archive point.
fn copy_only(survey: &Survey) -> BTreeSet<Uuid> {
    let facts = survey
        .members
        .iter()
        .filter_map(|member| survey.member(member));
    let rows = facts.flat_map(|facts| &facts.history);
    rows.filter(|row| row.is_copy_only)
        .map(|row| row.backup_set_guid)
        .collect()
}

fn placed(whose: Result<&MemberName, Unclear>) -> Becomes {
    match whose {
        Ok(member) => Becomes::Adopted {
            piece: PieceId(Uuid::nil()),
            member: member.clone(),
            reason: String::new(),
        },
        Err(Unclear {
            code,
            message,
            hint,
        }) => Becomes::Refused {
            code,
            message,
            hint,
        },
    }
}

fn held<'a>(have: &'a CatalogView, offer: &Offer) -> Option<(&'a Set, &'a Piece)> {
    let pieces = have
        .sets
        .iter()
        .flat_map(|set| set.pieces.iter().map(move |piece| (set, piece)));
    let guid = offer.piece.backup_set_guid;
    // Of two sets that hold one backup, any with the same bytes will do.
    let mut found: Vec<_> = pieces
        .filter(|(_, piece)| piece.backup_set_guid == guid)
        .collect();
    found.sort_by_key(|(_, piece)| !has_same_bytes(&piece.stripes, &offer.piece.stripes));
    found.first().copied()
}

fn kept(offer: &Offer, set: &Set, held: &Piece) -> Becomes {
    let is_held = has_same_bytes(&held.stripes, &offer.piece.stripes)
        || (offer.is_among_others && is_same_backup(held, &offer.piece));
    if is_held {
        return Becomes::Held { set: set.stamp() };
    }
    differs(format!(
        "the store holds this backup with other bytes, in set {}",
        set.stamp()
    ))
}

/// Two files under one GUID that tell different stories: one of them was altered, and nobody knows which.
fn twins(other: &Offer) -> Becomes {
    differs(format!(
        "{} has the same backup set GUID and tells another story",
        other.places.join(", ")
    ))
}

fn differs(message: String) -> Becomes {
    Becomes::Refused {
        code: Code::PlaceContested,
        message,
        hint: "find out which of them is what SQL Server wrote, and offer that one alone"
            .to_owned(),
    }
}

fn has_same_bytes(one: &[StoredStripe], other: &[StoredStripe]) -> bool {
    let bytes = |stripe: &StoredStripe| (stripe.plain().size_bytes, stripe.plain().root);
    one.iter().map(bytes).eq(other.iter().map(bytes))
}

/// What a medium with several backups says of one of them, before and after it grew.
fn is_same_backup(one: &Piece, other: &Piece) -> bool {
    let said = |piece: &Piece| {
        let place = (piece.position, piece.first_lsn, piece.last_lsn);
        let of = (piece.family_guid, piece.last_fork_guid);
        (piece.kind, place, of, piece.stripes.len())
    };
    said(one) == said(other)
}

/// Two different log backups of one stretch of log cannot both be of one chain, but for copy-only ones.
fn refuse_contested(have: &CatalogView, copies: &BTreeSet<Uuid>, judged: &mut [Judged]) {
    // Who claims a place: one of those that are judged, by its number, or a piece of the store.
    let mut claims: BTreeMap<Place<'_>, Vec<(Option<usize>, String)>> = BTreeMap::new();
    for set in &have.sets {
        for piece in set.pieces.iter().filter(|piece| !piece.is_copy_only) {
            if let Some(place) = place(&piece.member, piece) {
                let holder = format!("set {} of the store", set.stamp());
                claims.entry(place).or_default().push((None, holder));
            }
        }
    }
    let own: Vec<Judged> = judged.to_vec();
    for (at, it) in own.iter().enumerate() {
        if let Some(place) = place_of(it, copies) {
            let claim = (Some(at), it.places.join(", "));
            claims.entry(place).or_default().push(claim);
        }
    }
    for (at, it) in own.iter().enumerate() {
        let others = place_of(it, copies).and_then(|place| claims.get(&place));
        let is_other = |(by, _): &&(Option<usize>, String)| *by != Some(at);
        let other = others.and_then(|others| others.iter().find(is_other));
        if let Some((_, other)) = other {
            judged[at].becomes = contested(other);
        }
    }
}

fn place_of<'a>(judged: &'a Judged, copies: &BTreeSet<Uuid>) -> Option<Place<'a>> {
    match (&judged.becomes, &judged.piece) {
        (Becomes::Adopted { member, .. }, Some(piece))
            if !copies.contains(&piece.backup_set_guid) =>
        {
            place(member, piece)
        }
        _ => None,
    }
}

/// The place that a log claims; a log of no length claims none.
fn place<'a>(member: &'a MemberName, piece: &Piece) -> Option<Place<'a>> {
    let claims = piece.kind == PieceKind::Log && piece.first_lsn < piece.last_lsn;
    claims.then_some((
        member,
        piece.first_lsn,
        piece.last_lsn,
        piece.last_fork_guid,
    ))
}

fn contested(other: &str) -> Becomes {
    Becomes::Refused {
        code: Code::PlaceContested,
        message: format!("another log backup claims the same place in the chain: {other}"),
        hint: "leave out the one that is not of this database; a copy-only log is not needed"
            .to_owned(),
    }
}
