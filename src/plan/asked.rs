//! What the planner is given beside configuration and survey: what was asked for, what is held, what the
//! round before came to.
//!
//! Start at [`Asked`] and [`CatalogView`]. All values; whoever calls the planner fills them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::quarantine::Quarantine;
use crate::chain::errors::{Class, classify};
use crate::error::Code;
use crate::model::{
    DatabaseSettings, HostName, MarkName, MemberName, Piece, PieceId, PieceKind, RunId, Set,
    Timestamp,
};
use crate::survey::Survey;

/// Which kind of backup run was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupKind {
    /// Fulls of every member, or new chains where members are named.
    Full,
    /// Differentials of every member.
    Differential,
    /// A mark and logs.
    Log,
}

/// What SQL Server says where a replica is no primary one: it takes part in an availability group and is not accessible
/// (976, 978, 983), this backup is for primary ones (3059), or what it says to a secondary one's log backup alone (the others).
const OF_THE_ROLE: [i32; 8] = [976, 978, 983, 3059, 3062, 35294, 35295, 35296];

/// What one backup round is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The run that the round belongs to.
    pub run: RunId,
    /// Which kind.
    pub kind: BackupKind,
    /// Members that a person wants on a new chain (`--new-chain`): error 1475 is theirs to see.
    pub new_chain: Vec<MemberName>,
    /// The round to be planned, from 1.
    pub round: u8,
    /// What the round before came to; none in the first.
    pub previous: Option<RoundResult>,
    /// Members whose chains are not mended for now.
    pub quarantined: Vec<Quarantine>,
    /// Members of whose last backup nobody can say yet whether it was taken, each with the host that was to take it. They
    /// carry the mark.
    pub undecided: Vec<(MemberName, HostName)>,
}

impl Asked {
    /// The member's quarantine, if it is in one.
    #[must_use]
    pub fn quarantine_of(&self, member: &MemberName) -> Option<&Quarantine> {
        self.quarantined.iter().find(|it| it.member == *member)
    }

    /// Whether it is not known yet what became of the member's last backup: nothing is taken of it until then, for its chain
    /// would look broken. Only where the host of another replica was to take it and does not answer, its home says how the
    /// chain goes on, for that host may be gone for good.
    #[must_use]
    pub fn is_undecided(&self, member: &MemberName, survey: &Survey) -> bool {
        let mut undecided = self.undecided.iter();
        undecided.any(|(it, host)| {
            let is_home = survey.home(it).is_same_host(host);
            it == member && (is_home || survey.host(host).is_some())
        })
    }
}

/// What a round came to, as far as the next one must know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundResult {
    /// The steps that failed.
    pub failures: Vec<StepFailure>,
    /// The backups that failed on secondary replicas, in the rounds before this one.
    pub failed_elsewhere: Vec<StepFailure>,
    /// Members whose log with the mark holds minimally logged changes: nothing can stop at the mark, and the
    /// next log can carry another.
    pub voided: Vec<MemberName>,
}

/// One failed step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFailure {
    /// What the step was.
    pub deed: FailedDeed,
    /// The stable code, `SM0501`.
    pub code: String,
    /// One line.
    pub message: String,
    /// SQL Server's number, when it was SQL Server that refused; never a trailer (3013, 3041).
    pub sql_number: Option<i32>,
}

/// What a failed step was, as far as the next round cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedDeed {
    /// A link was not made, mended or reached.
    Link {
        /// Its name.
        link: String,
    },
    /// The mark was not placed or not confirmed.
    Mark {
        /// Its members, as the hosts that they were on name them.
        places: Vec<MemberName>,
    },
    /// A backup was not taken.
    BackUp {
        /// The member.
        member: MemberName,
        /// What it should have been.
        piece_kind: PieceKind,
        /// The host of the secondary replica that should have taken it; none where the primary one should have.
        on_secondary: Option<HostName>,
    },
    /// Anything else: a delivery, the manifest.
    Other,
}

impl RoundResult {
    /// The backups of one member's logs that failed on secondary replicas in this run, by host, oldest first. A chain that
    /// is broken is so on every replica, and no failure of that one.
    pub(super) fn failed_on_secondaries<'a>(
        &'a self,
        member: &'a MemberName,
    ) -> impl Iterator<Item = (&'a HostName, &'a StepFailure)> {
        let all = self.failed_elsewhere.iter().chain(&self.failures);
        all.filter(|failure| !failure.is_of_the_chain())
            .filter_map(move |failure| match &failure.deed {
                FailedDeed::BackUp {
                    member: it,
                    on_secondary: Some(host),
                    ..
                } => (it == member).then_some((host, failure)),
                _ => None,
            })
    }
}

impl StepFailure {
    /// SQL Server refused for a broken chain, or a backup ended without a row, as 4219 and its kin do.
    pub(super) fn is_of_the_chain(&self) -> bool {
        let known = self.sql_number.and_then(|number| classify(number, None));
        self.code == Code::BackupNoRow.text()
            || known.is_some_and(|known| known.class == Class::NewChain)
    }

    /// SQL Server refused since the host's replica is no primary one.
    pub(super) fn is_of_the_role(&self) -> bool {
        let number = self.sql_number;
        number.is_some_and(|number| OF_THE_ROLE.contains(&number))
    }
}

/// What the catalog holds of the group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CatalogView {
    /// The sets that hold what planning needs, oldest first, with the pieces that it needs: where a backup is planned
    /// the newest of each member, all of them where these do not form a chain that runs.
    pub sets: Vec<Set>,
    /// The newest stamp that was ever used; stamps rise above it.
    pub newest_stamp: Option<Timestamp>,
    /// Pieces that manifests name and that were found damaged in the store, or gone from it; no set holds them.
    pub damaged: Vec<Piece>,
    /// Where a restore is planned: the marks behind its own that a member's pieces hold too. A right copy has none of
    /// them.
    pub later_marks: BTreeMap<MemberName, Vec<MarkName>>,
}

impl CatalogView {
    /// Every delivered piece of one member, in the order of the sets.
    pub fn pieces<'a>(&'a self, member: &'a MemberName) -> impl Iterator<Item = &'a Piece> {
        let pieces = self.sets.iter().flat_map(|set| &set.pieces);
        pieces.filter(move |piece| piece.member == *member)
    }

    /// What the member had on its host beside its data, by the newest set that says so.
    #[must_use]
    pub fn settings(&self, member: &MemberName) -> Option<&DatabaseSettings> {
        let newest = self.sets.iter().filter_map(|set| {
            let mut settings = set.settings.iter();
            let found = settings.find(|it| it.member == *member)?;
            Some((set.made_at, &found.settings))
        });
        newest.max_by_key(|(made_at, _)| *made_at).map(|it| it.1)
    }

    /// A delivered piece by its identity.
    #[must_use]
    pub fn piece(&self, id: PieceId) -> Option<&Piece> {
        let mut pieces = self.sets.iter().flat_map(|set| &set.pieces);
        pieces.find(|piece| piece.id == id)
    }
}

/// Where new identities come from: `World`'s `Ids`, or a counter in tests.
pub trait Names {
    /// A new identity, greater than those before.
    fn next(&mut self) -> Uuid;
}

/// What is asked of linked servers by a person (`link apply`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinksAsked {
    /// Links that others made and that may be changed now, by name.
    pub take_over: Vec<String>,
}
