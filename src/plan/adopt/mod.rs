//! Plans that bring backups of others into store and catalog. Start at [`plan_adopt`].
//!
//! What others took belongs to a member by its family, or by the names on its medium; it is known already by
//! its backup set GUID and digests, never by a file's name. Whatever is not beyond doubt is refused with the
//! reason, since a piece in a wrong chain is worse than a piece less.
//!
//! A medium does not say which marks its log holds, so a set of adopted pieces carries none.

mod claims;
mod role;
mod whose;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::asked::{CatalogView, Names};
use super::keys::Naming;
use super::stages::{Stages, unmarked};
use super::{AdoptPiece, OnFailure, PLAN_FORMAT, Plan, Publish, RunKind, StageName, Step, Warning};
use crate::config::{Config, ReadBack};
use crate::error::Code;
use crate::model::{
    HostName, MarkName, MemberName, Origin, Piece, PieceId, PlanId, RunId, SetId, SetKind,
    StoredStripe, Timestamp,
};
use crate::survey::{HostReport, Survey};

/// A whole and sound backup on foreign media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The backup as its media tell it: its member is the server and database that they name, its stripes
    /// have digests and no keys yet.
    pub piece: Piece,
    /// The files or objects that it was read from, one a stripe, family 1 first.
    pub places: Vec<String>,
    /// Its medium holds others, and may grow: what was stored of it before is then fewer bytes.
    pub is_among_others: bool,
    /// The login that took it, as the medium names it.
    pub user: String,
}

/// What an adoption is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptAsked {
    /// The run that the plan belongs to.
    pub run: RunId,
    /// What was found, in the order of places.
    pub offers: Vec<Offer>,
    /// What no adoption can be made of: copies, damage, files that are no backup.
    pub others: Vec<Found>,
    /// Whose media are whose, where a person said so.
    pub mapped: Vec<Mapped>,
}

/// A person's word on whose media are whose: `--member MEMBER=WHOSE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The member that they belong to.
    pub member: MemberName,
    /// Which media.
    pub whose: Whose,
}

/// Media by what stands on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those of this server and database.
    Named(MemberName),
    /// Those of this family.
    Family(Uuid),
}

/// Files that were found beside the offered backups, and what was judged of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The files.
    pub places: Vec<String>,
    /// What becomes of them.
    pub becomes: Becomes,
}

/// What is to be done, and what became of every file that was offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Adoption {
    /// The plan; without stages where there is nothing to adopt.
    pub plan: Plan,
    /// Every backup and every refused file, in the order of places.
    pub judged: Vec<Judged>,
}

/// What becomes of one offered backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its files.
    pub places: Vec<String>,
    /// What it is, as its media tell it; none where that could not be read.
    pub piece: Option<Piece>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// What becomes of an offered backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// A piece of this member.
    Adopted {
        /// The piece.
        piece: PieceId,
        /// The member.
        member: MemberName,
        /// What it does for its chain.
        reason: String,
    },
    /// Nothing: the store holds this very backup, byte for byte.
    Held {
        /// The stamp of the set that holds it.
        set: String,
    },
    /// Nothing: an offered backup lies in these files once more.
    CopyOf {
        /// The files that are looked at instead.
        places: Vec<String>,
    },
    /// Nothing: it is no backup of SQL Server.
    NoBackup,
    /// Nothing, and somebody should know why.
    Refused {
        /// The stable code.
        code: Code,
        /// One line.
        message: String,
        /// What a person should do.
        hint: String,
    },
}

/// Decides what of the offered backups joins which member. Never fails: what cannot be adopted is a warning in
/// the plan.
pub fn plan_adopt(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    asked: &AdoptAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Adoption {
    let members = members(cfg, survey, have);
    let known = whose::known(&members, survey, have);
    let whose = |offer: &Offer| whose::whose(&known, &asked.mapped, &offer.piece);
    let mut judged = claims::judge(have, survey, &asked.offers, whose);
    let (_, stamped_at) = MarkName::stamp(&cfg.mark_prefix, now, have.newest_stamp);
    let id = PlanId(names.next());
    let mut steps = steps(cfg, survey, asked, &judged, stamped_at, names);
    role::tell(have, survey, &mut steps);
    settle(&mut judged, &steps);
    judged.extend(asked.others.iter().map(|found| Judged {
        places: found.places.clone(),
        piece: None,
        becomes: found.becomes.clone(),
    }));
    judged.sort_by(|a, b| a.places.cmp(&b.places));
    let refused = judged.iter().filter_map(warning);
    let warnings = refused.chain(silent(survey, &steps)).collect();
    Adoption {
        plan: Plan {
            format: PLAN_FORMAT,
            id,
            group: cfg.group.clone(),
            kind: RunKind::Adopt,
            round: 1,
            based_on: survey.id,
            made_at: stamped_at,
            stages: stages(cfg, asked, members, steps, stamped_at, names),
            warnings,
        },
        judged,
    }
}

/// The group's members as far as anybody knows them: hosts may be gone when their backups are adopted.
fn members(cfg: &Config, survey: &Survey, have: &CatalogView) -> Vec<MemberName> {
    let listed = cfg.members.iter().map(|member| &member.name);
    let held = have.sets.iter().rev().take(1).flat_map(|set| &set.members);
    let all: BTreeSet<&MemberName> = listed.chain(&survey.members).chain(held).collect();
    all.into_iter().cloned().collect()
}

/// A step for each backup that is adopted, in the order of restoring.
fn steps(
    cfg: &Config,
    survey: &Survey,
    asked: &AdoptAsked,
    judged: &[Judged],
    stamped_at: Timestamp,
    names: &mut dyn Names,
) -> Vec<AdoptPiece> {
    let mut steps = Vec::new();
    for (offer, judged) in asked.offers.iter().zip(judged) {
        if let Becomes::Adopted { member, .. } = &judged.becomes {
            let id = PieceId(names.next());
            steps.push(step(cfg, survey, offer, (id, member), stamped_at));
        }
    }
    steps.sort_by(|a, b| order(&a.piece).cmp(&order(&b.piece)));
    steps
}

fn order(piece: &Piece) -> impl Ord + '_ {
    let (first, last) = (piece.first_lsn, piece.last_lsn);
    (
        &piece.member,
        first,
        last,
        piece.kind,
        piece.backup_set_guid,
    )
}

fn step(
    cfg: &Config,
    survey: &Survey,
    offer: &Offer,
    (id, member): (PieceId, &MemberName),
    stamped_at: Timestamp,
) -> AdoptPiece {
    let told = &offer.piece;
    let mut piece = Piece {
        id,
        member: member.clone(),
        stripes: keyed(cfg, offer, member, stamped_at),
        ..told.clone()
    };
    add_what_the_host_knows(survey, &mut piece);
    AdoptPiece {
        origin: Origin {
            piece: id,
            places: offer.places.clone(),
            server: told.member.host.to_string(),
            database: told.member.database.to_string(),
            user: offer.user.clone(),
        },
        piece: Box::new(piece),
        read_back_whole: cfg.policy.read_back == ReadBack::Whole,
        reason: String::new(),
    }
}

/// The backup set GUID in a key keeps apart what was adopted together.
fn keyed(
    cfg: &Config,
    offer: &Offer,
    member: &MemberName,
    stamped_at: Timestamp,
) -> Vec<StoredStripe> {
    let guid = offer.piece.backup_set_guid.simple();
    let stamp = format!("{}-{guid}", stamped_at.file_stamp());
    let naming = Naming {
        group: &cfg.group,
        stamp: &stamp,
    };
    let stripes = &offer.piece.stripes;
    let count = u16::try_from(stripes.len()).unwrap_or(u16::MAX);
    let numbered = (1..=count).zip(stripes);
    numbered
        .map(|(k, stripe)| StoredStripe {
            key: naming.key(member, offer.piece.kind, k, count),
            ..stripe.clone()
        })
        .collect()
}

/// Media do not say whether a backup is copy-only; the history of its host does, as long as it is kept.
fn add_what_the_host_knows(survey: &Survey, piece: &mut Piece) {
    let facts = survey.member(&piece.member);
    let mut rows = facts.into_iter().flat_map(|facts| &facts.history);
    if let Some(row) = rows.find(|row| row.backup_set_guid == piece.backup_set_guid) {
        piece.is_copy_only = row.is_copy_only;
        piece.begins_log_chain = row.begins_log_chain;
        piece.has_bulk_logged_data |= row.has_bulk_logged_data;
    }
}

/// Puts the planned pieces into what was judged. One medium may hold several backups, so places alone do not tell.
fn settle(judged: &mut [Judged], steps: &[AdoptPiece]) {
    let by_backup: BTreeMap<(&[String], Uuid), &AdoptPiece> = steps
        .iter()
        .map(|step| {
            let places = step.origin.places.as_slice();
            ((places, step.piece.backup_set_guid), step)
        })
        .collect();
    for judged in judged {
        let guid = judged.piece.as_ref().map(|piece| piece.backup_set_guid);
        let step = by_backup.get(&(judged.places.as_slice(), guid.unwrap_or_default()));
        if let (Becomes::Adopted { piece, reason, .. }, Some(step)) = (&mut judged.becomes, step) {
            *piece = step.piece.id;
            reason.clone_from(&step.reason);
        }
    }
}

fn warning(judged: &Judged) -> Option<Warning> {
    match &judged.becomes {
        Becomes::Refused {
            code,
            message,
            hint,
        } => Some(Warning {
            code: code.text().to_owned(),
            message: format!("{}: {message}", judged.places.join(", ")),
            hint: Some(hint.clone()),
        }),
        Becomes::Adopted { .. }
        | Becomes::Held { .. }
        | Becomes::CopyOf { .. }
        | Becomes::NoBackup => None,
    }
}

/// A host that does not answer cannot say which of its backups are copy-only; they are adopted all the same,
/// since a host may be lost for good.
fn silent(survey: &Survey, steps: &[AdoptPiece]) -> Vec<Warning> {
    let is_concerned = |host: &HostName| {
        let mut hosts = steps.iter().map(|step| &step.piece.member.host);
        hosts.any(|own| own.is_same_host(host))
    };
    let reports = survey.hosts.iter().filter(|(host, _)| is_concerned(host));
    let warnings = reports.filter_map(|(host, report)| match report {
        HostReport::Facts(_) => None,
        HostReport::Silent {
            code,
            message,
            hint,
            ..
        } => Some(Warning {
            code: code.clone(),
            message: format!("host `{host}` could not be asked about its backups: {message}"),
            hint: hint.clone(),
        }),
    });
    warnings.collect()
}

fn stages(
    cfg: &Config,
    asked: &AdoptAsked,
    members: Vec<MemberName>,
    steps: Vec<AdoptPiece>,
    stamped_at: Timestamp,
    names: &mut dyn Names,
) -> Vec<super::Stage> {
    let mut stages = Stages::default();
    if steps.is_empty() {
        return stages.into_vec();
    }
    let set = (SetId(names.next()), SetKind::Adopted);
    let publish = Publish {
        members,
        pieces: steps.iter().map(|step| step.piece.id).collect(),
        ..unmarked(cfg, set, (asked.run, stamped_at))
    };
    let adopts = steps
        .into_iter()
        .map(|step| (step.piece.member.host.clone(), Step::Adopt(step)));
    stages.add(StageName::Adopt, OnFailure::Pass, adopts);
    stages.publish(cfg, publish);
    stages.into_vec()
}
