//! The catalog against the plain fold: whatever the log says in whatever order, both know the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use uuid::Uuid;

use super::view::is_sound;
use super::{CopyPolicy, SqliteCatalog};
use crate::chain::samples::{FORK, differential, facts, full, log, lsn, member, on_fork};
use crate::chain::{
    Health, Holding, Judged, Path, Point, Verdict, differential_base, health, judge, weakest_proof,
};
use crate::model::{
    GroupName, Lsn, Mark, MarkName, MemberMark, MemberName, Piece, PieceId, PieceKind, ProofLevel,
    RunId, Set, SetId, SetKind, Sha256Digest, Timestamp,
};
use crate::retention::PrunedSet;
use crate::world::{Catalog as _, Listed, LogEntry, LogFact, Marked, Standing, Taken};

/// One entry to come; numbers choose among what is there then.
#[derive(Clone, Debug)]
enum Step {
    Set {
        pieces: Vec<Drawn>,
        /// Where the mark stands in either member; none for a set without a mark.
        mark: Option<(u32, Option<u32>)>,
        /// The same set as before, published again.
        again: bool,
    },
    Proved {
        set: usize,
        piece: usize,
        whole: bool,
    },
    Nothing,
}

#[derive(Clone, Debug)]
struct Drawn {
    is_other: bool,
    kind: PieceKind,
    first: u32,
    length: u32,
    forks: (u128, u128),
    point: u32,
    is_copy_only: bool,
    is_bulk: bool,
    base: u128,
    /// The backup that this is a copy of, by its number; mostly of none.
    copy: Option<u128>,
    proof: Option<ProofLevel>,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let kinds = prop_oneof![
        3 => Just(PieceKind::Full), 1 => Just(PieceKind::Differential), 8 => Just(PieceKind::Log)
    ];
    let forks =
        prop_oneof![12 => Just((FORK, FORK)), 1 => Just((FORK, 0xf1)), 1 => Just((0xf1, 0xf1))];
    let rare = || prop::bool::weighted(0.1);
    let proof = prop_oneof![
        1 => Just(None), 1 => Just(Some(ProofLevel::Size)), 3 => Just(Some(ProofLevel::Whole))
    ];
    let place = (any::<bool>(), kinds, 1_u32..24, 0_u32..7, forks, 0_u32..4);
    let marks = (
        rare(),
        rare(),
        1_u128..12,
        prop::option::weighted(0.1, 1_u128..12),
        proof,
    );
    (place, marks).prop_map(|(place, marks)| {
        let (is_other, kind, first, length, forks, point) = place;
        let (is_copy_only, is_bulk, base, copy, proof) = marks;
        Drawn {
            is_other,
            kind,
            first,
            length,
            forks,
            point,
            is_copy_only,
            is_bulk,
            base,
            copy,
            proof,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let mark = prop::option::weighted(0.7, (1_u32..30, prop::option::weighted(0.9, 1_u32..30)));
    let set = (
        prop::collection::vec(drawn(), 0..4),
        mark,
        prop::bool::weighted(0.05),
    );
    let proved = (any::<prop::sample::Index>(), 0_usize..4, any::<bool>());
    prop_oneof![
        5 => set.prop_map(|(pieces, mark, again)| Step::Set { pieces, mark, again }),
        2 => proved.prop_map(|(set, piece, whole)| Step::Proved { set: set.index(64), piece, whole }),
        1 => Just(Step::Nothing),
    ]
}

fn other() -> MemberName {
    "PAY2/Orders".parse().expect("a member")
}

fn group() -> GroupName {
    "payments".parse().expect("a group")
}

fn piece_of(drawn: &Drawn, id: u128) -> Piece {
    let (first, last) = (drawn.first, drawn.first + drawn.length);
    let made = match drawn.kind {
        PieceKind::Full => full(id, first, last.max(first + 1)),
        PieceKind::Differential => {
            differential(id, &full(drawn.base, 1, 2), first, last.max(first + 1))
        }
        PieceKind::Log => log(id, first, last),
    };
    let (from, to) = drawn.forks;
    let to = if drawn.kind == PieceKind::Log {
        to
    } else {
        from
    };
    let point = (from != to).then_some(first + drawn.point.min(drawn.length));
    let made = on_fork(made, from, to, point);
    Piece {
        member: if drawn.is_other { other() } else { member() },
        backup_set_guid: Uuid::from_u128(drawn.copy.unwrap_or(id)),
        is_copy_only: drawn.is_copy_only,
        has_bulk_logged_data: drawn.is_bulk,
        proof: drawn.proof,
        ..made
    }
}

fn set_of(number: u128, pieces: Vec<Piece>, mark: Option<(u32, Option<u32>)>) -> Set {
    let of = |member, at| MemberMark {
        member,
        lsn: lsn(at),
        fork_guid: None,
    };
    let made_at = Timestamp::from_millis(i64::try_from(number).expect("small"));
    Set {
        id: SetId(Uuid::from_u128(number)),
        group: group(),
        kind: mark.map_or(SetKind::Salvage, |_| SetKind::Log),
        run: RunId(Uuid::from_u128(number)),
        made_at,
        mark: mark.map(|(one, two)| Mark {
            name: format!("SM_{number}").parse().expect("a name"),
            placed_at: made_at,
            members: std::iter::once(of(member(), one))
                .chain(two.map(|at| of(other(), at)))
                .collect(),
        }),
        members: vec![member(), other()],
        pieces,
        missing: Vec::new(),
        adopted: Vec::new(),
        companions: Vec::new(),
        settings: Vec::new(),
        best_effort: Vec::new(),
    }
}

/// The plain fold: every manifest, and what was found of every piece.
#[derive(Default)]
struct Fold {
    entries: u64,
    pieces: u128,
    manifests: Vec<(u64, Set)>,
    damaged: BTreeMap<PieceId, bool>,
}

impl Fold {
    /// The next entry, which the fold has taken in.
    fn next(&mut self, step: &Step) -> Taken {
        self.entries += 1;
        let (fact, set) = match step {
            Step::Set {
                pieces,
                mark,
                again,
            } => {
                let set = self.set(pieces, *mark, *again);
                let fact = LogFact::Set {
                    set: set.id,
                    manifest_key: String::new(),
                    digest: Sha256Digest([0; 32]),
                };
                self.manifests.retain(|(_, held)| held.id != set.id);
                self.manifests.push((self.entries, set.clone()));
                (fact, Some(set))
            }
            Step::Proved { set, piece, whole } => (self.proved(*set, *piece, *whole), None),
            Step::Nothing => (nothing(), None),
        };
        taken(self.entries, fact, set)
    }

    fn set(&mut self, drawn: &[Drawn], mark: Option<(u32, Option<u32>)>, again: bool) -> Set {
        let pieces = drawn.iter().map(|drawn| {
            self.pieces += 1;
            piece_of(drawn, self.pieces)
        });
        let pieces = pieces.collect();
        match self.manifests.last().filter(|_| again) {
            Some((_, last)) => Set {
                pieces,
                ..last.clone()
            },
            None => set_of(1000 + u128::from(self.entries), pieces, mark),
        }
    }

    fn proved(&mut self, set: usize, piece: usize, whole: bool) -> LogFact {
        let count = self.manifests.len().max(1);
        let Some((_, set)) = self.manifests.get(set % count) else {
            return nothing();
        };
        let Some(piece) = set.pieces.get(piece % set.pieces.len().max(1)) else {
            return nothing();
        };
        self.damaged.insert(piece.id, !whole);
        LogFact::Proved {
            set: set.id,
            piece: piece.id,
            whole,
            copy: None,
        }
    }

    fn is_damaged(&self, piece: &Piece) -> bool {
        self.damaged.get(&piece.id).copied().unwrap_or(false)
    }

    /// What counts of each set.
    fn sets(&self) -> Vec<Set> {
        let mut sets: Vec<Set> = self.manifests.iter().map(|(_, set)| set.clone()).collect();
        for set in &mut sets {
            set.pieces.retain(|piece| !self.is_damaged(piece));
        }
        sets
    }
}

fn nothing() -> LogFact {
    LogFact::LeaseTaken {
        holder: "somebody".to_owned(),
    }
}

fn verdict_of(judged: &Judged, sets: &[Set]) -> Verdict {
    let pieces = sets.iter().flat_map(|set| &set.pieces);
    let proofs: BTreeMap<PieceId, _> = pieces.map(|piece| (piece.id, piece.proof)).collect();
    match &judged.verdict {
        Ok(point) => Verdict::Point {
            weakest_proof: weakest_proof(point, |id| proofs.get(&id).copied().flatten()),
            lacking: point.lacking.clone(),
        },
        Err(breaks) => Verdict::NoPoint {
            breaks: breaks.clone(),
        },
    }
}

fn standing_of(judged: &[Judged]) -> Standing {
    let marked = |judged: &Judged| Marked {
        set: judged.set,
        mark: judged.mark.clone(),
    };
    let mut points = judged.iter().filter(|judged| judged.verdict.is_ok());
    let held_back = judged.last().and_then(|judged| {
        let breaks = judged.verdict.clone().err()?;
        Some((marked(judged), breaks))
    });
    Standing {
        points: points.clone().count() as u64,
        newest_point: points.next_back().map(marked),
        held_back,
    }
}

/// A new catalog that is in no file.
fn catalog() -> SqliteCatalog {
    SqliteCatalog::at(PathBuf::from(":memory:"), CopyPolicy::default()).expect("a catalog")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

async fn all_pages(catalog: &SqliteCatalog) -> Vec<Listed> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = catalog.page(&group(), before, 3).await.expect("a page");
        let Some(last) = page.last() else {
            all.reverse();
            return all;
        };
        before = Some(last.entry);
        all.extend(page);
    }
}

/// The marks behind a Point's own that the last log of each member's way holds too.
fn later_marks(point: &Point, sets: &[Set]) -> BTreeMap<MemberName, Vec<MarkName>> {
    let pieces: Vec<&Piece> = sets.iter().flat_map(|set| &set.pieces).collect();
    let marks: Vec<&Mark> = sets.iter().filter_map(|set| set.mark.as_ref()).collect();
    let places = point.mark.members.iter();
    let later = places.filter_map(|own| {
        let last = point.paths.get(&own.member)?.logs.last()?;
        let last = pieces.iter().find(|piece| piece.id == *last)?;
        let mut found: Vec<(Lsn, MarkName)> = Vec::new();
        for mark in &marks {
            let places = mark.members.iter().filter(|it| it.member == own.member);
            let within = places.filter(|it| own.lsn < it.lsn && it.lsn <= last.last_lsn);
            found.extend(within.map(|it| (it.lsn, mark.name.clone())));
        }
        found.sort_by_key(|(lsn, _)| *lsn);
        let names: Vec<_> = found.into_iter().map(|it| it.1).collect();
        (!names.is_empty()).then(|| (own.member.clone(), names))
    });
    later.collect()
}

/// Everything that can be asked, against the fold.
async fn compare(catalog: &SqliteCatalog, fold: &Fold) {
    let group = group();
    let sets = fold.sets();
    let judged = judge(&sets, &[]);
    let standing = standing_of(&judged);
    let newest = catalog.newest_points(&group, 1).await.expect("answers");
    assert_eq!(newest.first(), standing.newest_point.as_ref());
    assert_eq!(catalog.standing(&group).await.expect("answers"), standing);
    let listed = all_pages(catalog).await;
    assert_eq!(listed.len(), sets.len());
    for (listed, (entry, _)) in listed.iter().zip(&fold.manifests) {
        let set = sets.iter().find(|set| set.id == listed.set.id);
        let set = set.expect("known");
        assert_eq!((listed.entry, &listed.set.pieces), (*entry, &set.pieces));
        let judged = judged.iter().find(|judged| judged.set == set.id);
        let verdict = judged.map(|judged| verdict_of(judged, &sets));
        assert_eq!(listed.verdict, verdict, "{}", set.stamp());
    }
    for judged in &judged {
        let mark = judged.mark.name.as_str();
        let found = catalog.point(&group, Some(mark)).await.expect("answers");
        let (point, have) = found.map(|it| (it.point, it.have)).unzip();
        assert_eq!(point.as_ref(), judged.verdict.as_ref().ok());
        let later = point.as_ref().map(|point| later_marks(point, &sets));
        assert_eq!(have.as_ref().map(|it| it.later_marks.clone()), later);
        let needs = have.map(|it| it.sets);
        let needed = point.iter().flat_map(|it| it.paths.values());
        let mut needed: Vec<PieceId> = needed.flat_map(Path::pieces).collect();
        let given = needs.iter().flatten().flat_map(|set| &set.pieces);
        let mut given: Vec<PieceId> = given.map(|piece| piece.id).collect();
        needed.sort_unstable();
        given.sort_unstable();
        assert_eq!(given, needed);
    }
}

fn taken(entry: u64, fact: LogFact, set: Option<Set>) -> Taken {
    Taken {
        entry: LogEntry {
            format: 1,
            entry,
            epoch: 1,
            previous: Sha256Digest([0; 32]),
            at: Timestamp::from_millis(1000),
            fact,
        },
        digest: Sha256Digest([1; 32]),
        set,
    }
}

#[test]
fn a_mark_that_was_let_go_is_still_known_to_lie_in_a_log_that_is_kept() {
    block_on(async {
        let catalog = catalog();
        let kept = set_of(1, vec![full(1, 10, 20)], Some((22, None)));
        let gone = set_of(2, vec![log(2, 10, 40)], Some((30, None)));
        let prune = LogFact::Pruned {
            sets: vec![PrunedSet {
                set: gone.id,
                pieces: Vec::new(),
                ends_mark: true,
            }],
        };
        let published = |set: Set| {
            let fact = LogFact::Set {
                set: set.id,
                manifest_key: String::new(),
                digest: Sha256Digest([0; 32]),
            };
            let members = vec![member()];
            (fact, Some(Set { members, ..set }))
        };
        let facts = [published(kept), published(gone), (prune, None)];
        let entries = (1..).zip(facts);
        let entries = entries.map(|(entry, (fact, set))| taken(entry, fact, set));
        catalog
            .take_in(&group(), entries.collect())
            .await
            .expect("taken");
        assert!(
            catalog
                .point(&group(), Some("SM_2"))
                .await
                .expect("answers")
                .is_none()
        );
        let found = catalog.point(&group(), Some("SM_1")).await;
        let have = found.expect("answers").expect("a Point").have;
        let later: Vec<_> = have.later_marks[&member()]
            .iter()
            .map(MarkName::as_str)
            .collect();
        assert_eq!(later, ["SM_2"]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_catalog_knows_what_the_plain_fold_knows_whenever_it_is_asked(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.3)), 1..24)
    ) {
        block_on(async {
            let (catalog, mut fold) = (catalog(), Fold::default());
            for (step, is_asked) in &steps {
                let taken = fold.next(step);
                catalog.take_in(&group(), vec![taken.clone()]).await.expect("taken");
                catalog.take_in(&group(), vec![taken]).await.expect("passed by");
                if *is_asked {
                    compare(&catalog, &fold).await;
                }
            }
            compare(&catalog, &fold).await;
        });
    }

    #[test]
    fn a_chain_that_runs_by_its_newest_pieces_runs(
        steps in prop::collection::vec(step(), 1..16), next in 1_u32..32, fulls in 1_usize..3
    ) {
        block_on(async {
            let (catalog, mut fold) = (catalog(), Fold::default());
            let taken = steps.iter().map(|step| fold.next(step)).collect();
            catalog.take_in(&group(), taken).await.expect("taken");
            let (facts, sets) = (facts(Some(next)), fold.sets());
            let newest = catalog.recent(&group(), fulls, &[]).await.expect("answers");
            let whole = catalog.recent(&group(), fulls, &[member(), other()]).await;
            let of = |sets: &[Set]| {
                let pieces = sets.iter().flat_map(|set| set.pieces.clone());
                pieces.filter(|piece| piece.member == member()).collect::<Vec<_>>()
            };
            let (newest, all) = (of(&newest), of(&sets));
            assert_eq!(of(&whole.expect("answers")), all);
            if is_sound(&facts, newest.iter()) {
                let all: Vec<&Piece> = all.iter().collect();
                let held = Holding {
                    pieces: &all,
                    damaged: &[],
                    our_folders: &[],
                };
                let health = health(&facts, held);
                assert!(matches!(health, Health::Running { .. }));
                assert!(differential_base(&facts, &all).is_ok());
            }
        });
    }
}
