//! Whose a foreign backup is. Start at [`whose`].
//!
//! A family GUID survives restores, so it proves kinship but not identity: a copy of a member on a test host is
//! of the same family. Names prove identity but not kinship: a database may have been dropped and made anew.
//! Where the two speak for different members, a person must decide.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Mapped, Whose};
use crate::error::Code;
use crate::model::{MemberName, Piece};
use crate::plan::CatalogView;
use crate::survey::Survey;

/// A member as hosts and catalog know it.
pub(super) struct Known<'a> {
    member: &'a MemberName,
    families: BTreeSet<Uuid>,
    forks: BTreeSet<Uuid>,
}

/// Why a backup is nobody's.
pub(super) struct Unclear {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: String,
}

/// What is known of every member's families and forks.
pub(super) fn known<'a>(
    members: &'a [MemberName],
    survey: &Survey,
    have: &CatalogView,
) -> Vec<Known<'a>> {
    let known = members.iter().map(|member| {
        let facts = survey.member(member);
        let mut families: BTreeSet<Uuid> = facts
            .and_then(|facts| facts.family_guid)
            .into_iter()
            .collect();
        let mut forks: BTreeSet<Uuid> = facts
            .and_then(|facts| facts.recovery_fork_guid)
            .into_iter()
            .collect();
        for piece in have.pieces(member) {
            families.insert(piece.family_guid);
            forks.extend([piece.first_fork_guid, piece.last_fork_guid]);
        }
        Known {
            member,
            families,
            forks,
        }
    });
    known.collect()
}

/// The member that a backup belongs to; `piece.member` is what its medium says.
pub(super) fn whose<'a>(
    known: &'a [Known<'a>],
    mapped: &[Mapped],
    piece: &Piece,
) -> Result<&'a MemberName, Unclear> {
    if let Some(mapped) = mapped.iter().find(|mapped| fits(&mapped.whose, piece)) {
        let meant = known.iter().find(|it| is_same(it.member, &mapped.member));
        return meant.map(|it| it.member).ok_or_else(|| no_member(mapped));
    }
    let named = known.iter().find(|it| is_same(it.member, &piece.member));
    let mut kin: Vec<&Known<'_>> = known
        .iter()
        .filter(|it| it.families.contains(&piece.family_guid))
        .collect();
    if let Some(named) = named {
        return if kin.is_empty() || kin.iter().any(|it| it.member == named.member) {
            Ok(named.member)
        } else {
            Err(of_another(piece, &kin))
        };
    }
    if kin.is_empty() {
        return Err(unknown(known, piece));
    }
    let is_on_fork = |it: &&Known<'_>| {
        it.forks.contains(&piece.first_fork_guid) || it.forks.contains(&piece.last_fork_guid)
    };
    kin.retain(is_on_fork);
    match kin.as_slice() {
        [only] => Ok(only.member),
        [] => Err(of_a_copy(piece)),
        _ => Err(of_another(piece, &kin)),
    }
}

fn fits(whose: &Whose, piece: &Piece) -> bool {
    match whose {
        Whose::Named(name) => is_same(name, &piece.member),
        Whose::Family(family) => *family == piece.family_guid,
    }
}

/// Whether both name one database of one server, whatever their letters' case.
fn is_same(one: &MemberName, other: &MemberName) -> bool {
    let letters = |name: &MemberName| name.database.as_str().to_lowercase();
    one.host.is_same_host(&other.host) && letters(one) == letters(other)
}

fn unclear(message: String, hint: String) -> Unclear {
    Unclear {
        code: Code::MediaForeign,
        message,
        hint,
    }
}

/// The way out where a person knows better.
fn say(piece: &Piece) -> String {
    format!(
        "if they belong to a member, say `--member 'HOST/DATABASE={}'`",
        piece.member
    )
}

fn no_member(mapped: &Mapped) -> Unclear {
    unclear(
        format!(
            "`--member` gives it to `{}`, which is no member of the group",
            mapped.member
        ),
        "write a member as `stopmark check` shows it".to_owned(),
    )
}

fn unknown(known: &[Known<'_>], piece: &Piece) -> Unclear {
    let letters = |name: &MemberName| name.database.as_str().to_lowercase();
    let own = letters(&piece.member);
    let namesake = known.iter().find(|it| letters(it.member) == own);
    let message = match namesake {
        Some(it) => format!(
            "it is of `{}`; `{}` is a member, but of another host and not known to be of this family",
            piece.member, it.member
        ),
        None => format!(
            "it is of `{}`, which is no member of the group",
            piece.member
        ),
    };
    unclear(message, say(piece))
}

fn of_another(piece: &Piece, kin: &[&Known<'_>]) -> Unclear {
    let kin: Vec<String> = kin.iter().map(|it| format!("`{}`", it.member)).collect();
    let message = format!(
        "it is of `{}` by its names, but its family is that of {}",
        piece.member,
        kin.join(" and ")
    );
    unclear(message, say(piece))
}

fn of_a_copy(piece: &Piece) -> Unclear {
    let message = format!(
        "it is of `{}`, a copy of a member's database that went its own way",
        piece.member
    );
    unclear(message, say(piece))
}
