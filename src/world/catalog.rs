//! The seam of the local index: what it is asked, and what it answers.
//!
//! Start at [`Catalog`].

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::{LogEntry, LogFact};
use crate::chain::{Break, Point, Verdict};
use crate::error::Result;
use crate::model::{
    GroupName, Mark, MemberName, Piece, PieceCopy, PieceId, Set, SetId, Sha256Digest, Timestamp,
};
use crate::plan::CatalogView;
use crate::retention::PrunedSet;

/// The local index: the fold of the group's log and its manifests, rebuilt from the store when lost.
///
/// Its questions are narrow, since a group may hold a million pieces. The stripes of a piece name the copies that are
/// whole now. A piece without a whole copy is in no answer but those of [`Self::manifests`] and [`Self::due`]: it counts
/// as missing. What was let go is in no answer but that of [`Self::unremoved`], and nobody misses it.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// The newest entry of the group's log that the catalog holds (0 for none), and its digest as it was stored when it
    /// was read (none for an empty catalog). Both in one answer: what others take in between would make them unlike.
    async fn newest_entry(&self, group: &GroupName) -> Result<(u64, Option<Sha256Digest>)>;
    /// Takes in entries that follow what is held; all of them or none. Those that are held already are passed by.
    async fn take_in(&self, group: &GroupName, entries: Vec<Taken>) -> Result<()>;
    /// How many sets and pieces are held.
    async fn counts(&self, group: &GroupName) -> Result<Counts>;
    /// The newest marks that are Points, the newest first.
    async fn newest_points(&self, group: &GroupName, limit: usize) -> Result<Vec<Marked>>;
    /// What people want to know first.
    async fn standing(&self, group: &GroupName) -> Result<Standing>;
    /// The Point at this mark (none: the newest one) with the pieces that it needs.
    async fn point(&self, group: &GroupName, mark: Option<&str>) -> Result<Option<PointNeeds>>;
    /// Sets older than the entry `before` (none: the newest ones), the newest first.
    async fn page(
        &self,
        group: &GroupName,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Listed>>;
    /// The set of this identity, mark or stamp; the oldest where several have it.
    async fn find(&self, group: &GroupName, what: &str) -> Result<Option<Listed>>;
    /// What planning needs: of each member the pieces that end with its `fulls`th newest full or later, and fulls
    /// that these build on; of the members in `whole` all. Sets, oldest first, that hold such pieces, and no others.
    async fn recent(
        &self,
        group: &GroupName,
        fulls: usize,
        whole: &[MemberName],
    ) -> Result<Vec<Set>>;
    /// Every set, oldest first: for those few who must see all.
    async fn sets(&self, group: &GroupName) -> Result<Vec<Set>>;
    /// The newest mark stamp that was ever planned here or published; marks must rise above it.
    async fn newest_stamp(&self, group: &GroupName) -> Result<Option<Timestamp>>;
    /// Remembers a stamp before its mark is placed.
    async fn note_stamp(&self, group: &GroupName, stamp: Timestamp) -> Result<()>;
    /// The log entry that published this set, if one did.
    async fn entry_of(&self, group: &GroupName, set: SetId) -> Result<Option<u64>>;
    /// Sets newer than the entry `after` as their manifests say, oldest first: damaged pieces are in them.
    async fn manifests(&self, group: &GroupName, after: u64, limit: usize) -> Result<Vec<Listed>>;
    /// Pieces by their last proof, those never proven first, from after the place where another page ended.
    async fn due(
        &self,
        group: &GroupName,
        after: Option<DuePlace>,
        limit: usize,
    ) -> Result<Vec<Due>>;
    /// Pieces that a store lacks and another holds whole, in the order of their publication.
    async fn owed(&self, group: &GroupName, limit: usize) -> Result<Vec<Owed>>;
    /// The newest proof of each piece that was proven again since its delivery.
    async fn proofs(&self, group: &GroupName) -> Result<Vec<PieceProof>>;
    /// Pins, pins taken back and drills, in the order of the log.
    async fn retention_facts(&self, group: &GroupName) -> Result<Vec<LogFact>>;
    /// Whether all of this was let go.
    async fn is_let_go(&self, group: &GroupName, sets: &[PrunedSet]) -> Result<bool>;
    /// The pieces that were let go and whose objects may still stand, each with its set, in the order of the sets.
    async fn unremoved(&self, group: &GroupName) -> Result<Vec<(SetId, Piece)>>;
    /// Those of these pieces of which copies were made or looked at since their delivery, each with every copy that was
    /// ever made, whole or not.
    async fn copies(
        &self,
        group: &GroupName,
        pieces: HashSet<PieceId>,
    ) -> Result<HashMap<PieceId, Vec<PieceCopy>>>;
    /// The pieces that were found damaged, or gone, and not whole since; none of them counts.
    async fn damaged(&self, group: &GroupName) -> Result<Vec<Piece>>;
    /// Forgets everything of the group but the stamps that were used.
    async fn clear(&self, group: &GroupName) -> Result<()>;
}

/// An entry on its way into the catalog.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The entry.
    pub entry: LogEntry,
    /// Its digest, as stored.
    pub digest: Sha256Digest,
    /// The set that it names, where it names one.
    pub set: Option<Set>,
}

/// How much a catalog holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sets.
    pub sets: u64,
    /// Pieces, damaged ones too.
    pub pieces: u64,
}

/// A set that has a confirmed mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The set.
    pub set: SetId,
    /// Its mark.
    pub mark: Mark,
}

/// What a group can come back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The newest Point.
    pub newest_point: Option<Marked>,
    /// How many there are.
    pub points: u64,
    /// The newest mark, where it is no Point, and what stands in its way.
    pub held_back: Option<(Marked, Vec<(MemberName, Break)>)>,
}

/// A Point, and what a restore to it is planned from.
#[derive(Clone, Debug, PartialEq)]
pub struct PointNeeds {
    /// The Point.
    pub point: Point,
    /// The sets that it is restored from with the pieces that it needs, and no others, oldest first; and the later
    /// marks that these pieces hold.
    pub have: CatalogView,
}

/// A set as the catalog holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry that published it.
    pub entry: u64,
    /// The set.
    pub set: Set,
    /// What was judged of its mark; none where it has none, or nobody asked.
    pub verdict: Option<Verdict>,
}

/// Where a page of due pieces ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuePlace {
    /// The last proof in milliseconds; the least number where there was none.
    pub proved_at: i64,
    /// The catalog's own number of the piece.
    pub number: i64,
}

/// A piece that is to be proven again, and the set that its manifest belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The set.
    pub set: SetId,
    /// The piece.
    pub piece: Piece,
    /// When all of it was last known to be whole or found damaged; none where its bytes were never read back.
    pub last: Option<Timestamp>,
    /// It was found damaged, and not whole since.
    pub is_damaged: bool,
    /// Its newest copy in each store, with whether it is whole as far as anybody knows.
    pub copies: Vec<(PieceCopy, bool)>,
    /// Its place among the others.
    pub place: DuePlace,
}

/// A piece that some stores lack, and the set that its manifest belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The set.
    pub set: SetId,
    /// The piece; its stripes name the copies that are whole.
    pub piece: Piece,
    /// The copies that are owed.
    pub lacking: Vec<PieceCopy>,
}

/// What a stored piece was found to be, when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceProof {
    /// The piece.
    pub piece: PieceId,
    /// When.
    pub at: Timestamp,
    /// Whole; else damaged or gone.
    pub is_whole: bool,
}
