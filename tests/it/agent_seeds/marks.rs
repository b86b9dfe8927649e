//! The book of marks: what a story's agents wrote into their journals of marks and backups, and what the story did to
//! these.
//!
//! Start at [`Marks::hear`], which every line of every journal passes; what follows from the book is in `owed.rs`. It
//! outlives agents, machines and journals. It knows what happened and nothing of what the agent made of it: no catalog
//! is asked here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stopmark::error::{Code, Result};
use stopmark::model::{
    MarkName, MemberMark, MemberName, PieceId, RunId, Set, SetId, StoredStripe, Timestamp,
};
use stopmark::plan::{BackUp, Plan, Publish, StagedStripe, Step};
use stopmark::run::events::{BackedUp, Event, Outcome, StepPlace};
use stopmark::world::{Journal, Journals};

use super::ways::Backup;
use crate::fate::{Fate, Fates};
use crate::journals::Watched;

/// Why a piece is lost whose every copy was changed or removed.
const ROTTED: &str = "it rotted in every store that has it";

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Marks(Mutex<Pages>);

/// What stands in it.
#[derive(Debug, Default)]
pub(super) struct Pages {
    plans: BTreeMap<RunId, Vec<Plan>>,
    /// Marks that every member's history held, in the order of their confirmation.
    pub(super) confirmed: Vec<Confirmed>,
    /// Backups that a host took without an error.
    pub(super) taken: BTreeMap<PieceId, Taken>,
    /// Backups that a misfortune of the story took away, and which one.
    pub(super) lost: BTreeMap<PieceId, &'static str>,
    /// Sets that were not published when the only journal that knew of their mark was lost.
    pub(super) forgotten: BTreeSet<SetId>,
    /// Backups that the agent refused for what their files held.
    pub(super) unsound: BTreeSet<PieceId>,
    /// Backups whose files the agent did not find, and how often.
    pub(super) unseen: BTreeMap<PieceId, usize>,
    /// How many faults were armed on each host that damage one backup each.
    pub(super) damages: BTreeMap<String, usize>,
    /// How many looks at a share were made to fail.
    pub(super) unlooked: usize,
    /// Objects that rotted, each with the number of its store.
    rotten: BTreeSet<(u64, String)>,
}

/// A mark that every member's history held.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    /// Its name.
    pub(super) mark: MarkName,
    /// Its run.
    pub(super) run: RunId,
    /// The instant in its name.
    pub(super) stamped_at: Timestamp,
    /// The set that is to claim it.
    pub(super) set: SetId,
    /// What that set is to hold.
    pub(super) pieces: Vec<PieceId>,
    /// Every member that must come back to it.
    pub(super) members: Vec<MemberName>,
    /// Where it stands.
    pub(super) places: Vec<MemberMark>,
}

/// A backup that a host took.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// Whose.
    pub(super) member: MemberName,
    /// The host that took it; none of one that somebody else took.
    pub(super) host: Option<String>,
    /// What it is to a restore.
    pub(super) backup: Backup,
    /// Where it was written.
    pub(super) files: Vec<String>,
    /// The objects that it is in each store.
    keys: Vec<String>,
}

impl Marks {
    /// Takes in a line that stands in a journal now.
    fn hear(&self, run: RunId, event: &Event) {
        let mut pages = self.pages();
        match event {
            Event::RoundPlanned { plan, .. } => {
                pages.plans.entry(run).or_default().push((**plan).clone());
            }
            Event::StepEnded { place, outcome, .. }
            | Event::StepResolved {
                place,
                outcome: Some(outcome),
                ..
            } => pages.ended((run, *place), outcome),
            Event::StepFailed { place, failure, .. } => {
                pages.failed((run, *place), &failure.code);
            }
            _ => {}
        }
    }

    /// The agent's machine is lost, and with it every journal: what is in none of these published sets is known to
    /// nobody any more.
    pub(crate) fn machine_is_lost(&self, published: &[Set]) {
        let mut pages = self.pages();
        let sets: BTreeSet<SetId> = published.iter().map(|set| set.id).collect();
        let held = published.iter().flat_map(|set| &set.pieces);
        let held: BTreeSet<PieceId> = held.map(|piece| piece.id).collect();
        let marks = pages.confirmed.iter().map(|it| it.set);
        let forgotten: Vec<SetId> = marks.filter(|set| !sets.contains(set)).collect();
        pages.forgotten.extend(forgotten);
        let pieces = pages.taken.keys().copied();
        let gone: Vec<PieceId> = pieces.filter(|piece| !held.contains(piece)).collect();
        for piece in gone {
            pages
                .lost
                .insert(piece, "its journal was lost with a machine");
        }
    }

    /// A fault was armed on this host that damages one backup.
    pub(crate) fn damage_is_dealt(&self, host: &str) {
        *self.pages().damages.entry(host.to_owned()).or_default() += 1;
    }

    /// Whether a fault was ever armed on this host that damages a backup.
    pub(crate) fn may_be_damaged(&self, host: &str) -> bool {
        self.pages().damages.contains_key(host)
    }

    /// A look at the files on a share was made to fail.
    pub(crate) fn look_has_failed(&self) {
        self.pages().unlooked += 1;
    }

    /// An object of a store was changed or removed; `others` are the stores in which its other copies are, each with
    /// the copy's key. Only a backup without a copy that is whole is lost.
    pub(crate) fn rots(&self, store: u64, key: &str, others: &[(u64, String)]) {
        let mut pages = self.pages();
        pages.rotten.insert((store, key.to_owned()));
        if others.iter().any(|copy| !pages.rotten.contains(copy)) {
            return;
        }
        let holds = |taken: &Taken| taken.keys.iter().any(|it| it == key);
        let pieces = pages.taken.iter().filter(|(_, taken)| holds(taken));
        let pieces: Vec<PieceId> = pieces.map(|(piece, _)| *piece).collect();
        for piece in pieces {
            pages.lost.insert(piece, ROTTED);
        }
    }

    /// Whether the piece that was written into this file has no copy that is whole in any store.
    pub(crate) fn has_rotted(&self, file: &Path) -> bool {
        let pages = self.pages();
        let file = file.display().to_string();
        let mut taken = pages.taken.iter();
        taken.any(|(piece, taken)| {
            taken.files.contains(&file) && pages.lost.get(piece) == Some(&ROTTED)
        })
    }

    pub(super) fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn ended(&mut self, at: (RunId, StepPlace), outcome: &Outcome) {
        let Some((step, publish)) = self.step(at) else {
            return;
        };
        match (step, outcome) {
            (Step::BackUp(step), Outcome::BackedUp(facts)) => self.takes(&step, facts),
            (Step::Adopt(step), Outcome::Delivered { stripes, .. }) => {
                let taken = Taken {
                    member: step.piece.member.clone(),
                    host: None,
                    backup: Backup::adopted(&step.piece),
                    files: step.origin.places.clone(),
                    keys: stripes.iter().map(key_of).collect(),
                };
                self.taken.insert(step.piece.id, taken);
            }
            (Step::ConfirmMark(step), Outcome::MarkConfirmed { members }) => {
                let Some(publish) = publish else { return };
                self.confirmed.push(Confirmed {
                    mark: step.mark,
                    run: at.0,
                    stamped_at: publish.stamped_at.unwrap_or(publish.made_at),
                    set: publish.set,
                    pieces: publish.pieces,
                    members: publish.members,
                    places: members.clone(),
                });
            }
            _ => {}
        }
    }

    fn takes(&mut self, step: &BackUp, facts: &BackedUp) {
        let stripes = step.stripes.iter();
        let file = |stripe: &StagedStripe| stripe.agent_path.display().to_string();
        let taken = Taken {
            member: step.member.clone(),
            host: Some(step.host().to_string()),
            backup: Backup::of(step, facts),
            files: stripes.clone().map(file).collect(),
            keys: stripes.map(|stripe| stripe.key.clone()).collect(),
        };
        self.taken.insert(step.piece, taken);
    }

    fn failed(&mut self, at: (RunId, StepPlace), code: &str) {
        let Some((Step::Deliver(step), _)) = self.step(at) else {
            return;
        };
        if code == Code::MediaUnsound.text() {
            self.unsound.insert(step.piece);
        }
        if code == Code::ShareUnseen.text() {
            *self.unseen.entry(step.piece).or_default() += 1;
        }
    }

    /// The step at a place of a run, and what its round is to publish.
    fn step(&self, (run, place): (RunId, StepPlace)) -> Option<(Step, Option<Publish>)> {
        let plans = self.plans.get(&run)?;
        let plan = plans.get(usize::from(place.round).checked_sub(1)?)?;
        let stage = plan.stages.get(usize::from(place.stage))?;
        let lane = stage.lanes.get(usize::from(place.lane))?;
        let step = lane.steps.get(usize::from(place.step))?.clone();
        let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
        let publish = lanes.flat_map(|lane| &lane.steps).find_map(|it| match it {
            Step::Publish(publish) => Some(publish.clone()),
            _ => None,
        });
        Some((step, publish))
    }
}

fn key_of(stripe: &StoredStripe) -> String {
    stripe.key.clone()
}

/// Backups are heard of where they are taken, too: an agent that was killed at one never writes that it has it.
impl Fates for Marks {
    fn of(&self, _verb: &'static str, _key: &str) -> Fate {
        Fate::Passes
    }

    fn has_taken(&self, step: &BackUp, facts: &BackedUp) {
        self.pages().takes(step, facts);
    }
}

/// Journals whose every line the book hears.
pub(super) fn heard(inner: Arc<dyn Journals>, marks: &Arc<Marks>) -> Arc<dyn Journals> {
    let marks = Arc::clone(marks);
    Watched::by(inner, move |run, inner| {
        let marks = Arc::clone(&marks);
        Box::new(HeardJournal { inner, marks, run })
    })
}

struct HeardJournal {
    inner: Box<dyn Journal>,
    marks: Arc<Marks>,
    run: RunId,
}

impl Journal for HeardJournal {
    fn append(&mut self, event: &Event) -> Result<()> {
        self.inner.append(event)?;
        self.marks.hear(self.run, event);
        Ok(())
    }
}
