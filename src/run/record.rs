//! The record: the fold of a journal, which is all that anybody later knows of a run.
//!
//! Start at [`Record::fold`]. Reports, status, resuming and the deeds that need earlier outcomes read this and
//! nothing else. It refuses events that are impossible in its state: a journal that tells such a story is
//! damaged, and acting on it would be worse than stopping.

use std::collections::BTreeMap;

use super::events::{BackedUp, Event, Failure, Outcome, StepPlace, Verdict};
use crate::error::{Code, Error, Result};
use crate::model::{
    DatabaseFile, GroupName, MarkName, MemberMark, PieceId, ProofLevel, RunId, StoredStripe,
    Timestamp,
};
use crate::plan::{Lane, Plan, RunKind, Step};

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The run.
    pub run: RunId,
    /// The group.
    pub group: GroupName,
    /// What it was for.
    pub kind: RunKind,
    /// When it began.
    pub began_at: Timestamp,
    /// Its rounds, in order.
    pub rounds: Vec<Round>,
    /// How and when it ended; none while it goes on or after a crash.
    pub ended: Option<(Verdict, Timestamp)>,
}

/// One round of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// What was to be done.
    pub plan: Plan,
    /// What became of each step; steps never reached are absent.
    pub steps: BTreeMap<StepPlace, StepState>,
    /// When each step that was begun began last, and when it ended or failed.
    pub times: BTreeMap<StepPlace, (Timestamp, Option<Timestamp>)>,
    /// The failures of tries that another try followed, oldest first.
    pub retried: BTreeMap<StepPlace, Vec<Failure>>,
    /// When a later start first looked for the files of a step whose end is not known, and could not see them.
    pub unseen_since: BTreeMap<StepPlace, Timestamp>,
    /// Steps that were taken back, with the failure where that failed.
    pub undone: BTreeMap<StepPlace, Option<Failure>>,
}

/// Where one step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// Begun, and nothing heard since.
    Started,
    /// Done.
    Ended(Outcome),
    /// Failed.
    Failed(Failure),
    /// Not tried because of that step.
    Skipped(StepPlace),
    /// Begun, and found not to have happened when a later start looked.
    Vanished,
}

/// What a delivered piece is in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeliveredPiece<'a> {
    /// The objects.
    pub stripes: &'a [StoredStripe],
    /// The database's files.
    pub files: &'a [DatabaseFile],
    /// How far they were proven; none where an older version wrote the journal.
    pub proof: Option<ProofLevel>,
}

impl Record {
    /// Folds a journal; none for an empty one (a run that died before its first line).
    ///
    /// # Errors
    /// `SM0902` when the events tell an impossible story.
    pub fn fold(events: &[Event]) -> Result<Option<Self>> {
        let mut events = events.iter();
        let Some(first) = events.next() else {
            return Ok(None);
        };
        let mut record = Self::begin(first)?;
        for event in events {
            record.apply(event)?;
        }
        Ok(Some(record))
    }

    /// The record of a run whose journal has only its first line.
    ///
    /// # Errors
    /// `SM0902` when that line is another event.
    pub fn begin(first: &Event) -> Result<Self> {
        match first {
            Event::RunBegan {
                run,
                group,
                kind,
                at,
                ..
            } => Ok(Self {
                run: *run,
                group: group.clone(),
                kind: *kind,
                began_at: *at,
                rounds: Vec::new(),
                ended: None,
            }),
            other => Err(impossible(
                "the first event is not the beginning of a run",
                other,
            )),
        }
    }

    /// Whether the event can follow those before it.
    ///
    /// # Errors
    /// `SM0902` when it cannot.
    pub fn check(&self, event: &Event) -> Result<()> {
        if self.ended.is_some() {
            return Err(impossible("the run had ended", event));
        }
        match event {
            Event::RunBegan { .. } => Err(impossible("the run had begun", event)),
            Event::RoundPlanned { .. } | Event::RunEnded { .. } => Ok(()),
            Event::UndoStarted { place, .. } | Event::UndoEnded { place, .. } => self
                .round(*place)
                .map(|_| ())
                .ok_or_else(|| impossible("no such round", event)),
            Event::StepStarted { place, .. }
            | Event::StepEnded { place, .. }
            | Event::StepFailed { place, .. }
            | Event::StepSkipped { place, .. }
            | Event::StepResolved { place, .. }
            | Event::StepUnseen { place, .. } => self.check_step(*place, event),
        }
    }

    fn check_step(&self, place: StepPlace, event: &Event) -> Result<()> {
        let round = self
            .round(place)
            .ok_or_else(|| impossible("no such round", event))?;
        if round.step(place).is_none() {
            return Err(impossible("the plan has no such step", event));
        }
        let before = round.steps.get(&place);
        let may_follow = match event {
            Event::StepStarted { .. } => {
                !matches!(before, Some(StepState::Ended(_) | StepState::Skipped(_)))
            }
            Event::StepSkipped { .. } => before.is_none(),
            Event::StepUnseen { .. } => {
                matches!(before, Some(StepState::Started | StepState::Failed(_)))
            }
            _ => before == Some(&StepState::Started),
        };
        if may_follow {
            Ok(())
        } else {
            Err(impossible("the step was not in a state for it", event))
        }
    }

    /// Takes one more event in.
    ///
    /// # Errors
    /// `SM0902` when the event cannot follow those before it; the record is then unchanged.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        self.check(event)?;
        match event {
            Event::RunBegan { .. } | Event::UndoStarted { .. } => {}
            Event::RoundPlanned { plan, .. } => self.rounds.push(Round {
                plan: (**plan).clone(),
                steps: BTreeMap::new(),
                times: BTreeMap::new(),
                retried: BTreeMap::new(),
                unseen_since: BTreeMap::new(),
                undone: BTreeMap::new(),
            }),
            Event::UndoEnded { place, failure, .. } => {
                self.round_mut(*place)
                    .undone
                    .insert(*place, failure.clone());
            }
            Event::RunEnded { verdict, at } => self.ended = Some((*verdict, *at)),
            Event::StepStarted { place, at } => {
                self.round_mut(*place).times.insert(*place, (*at, None));
                let round = self.round_mut(*place);
                if let Some(StepState::Failed(failure)) = round.steps.get(place) {
                    let failure = failure.clone();
                    round.retried.entry(*place).or_default().push(failure);
                }
                self.set(*place, StepState::Started);
            }
            Event::StepEnded { place, outcome, at } => {
                self.note_end(*place, *at);
                self.set(*place, StepState::Ended((**outcome).clone()));
            }
            Event::StepFailed { place, failure, at } => {
                self.note_end(*place, *at);
                self.set(*place, StepState::Failed(failure.clone()));
            }
            Event::StepSkipped {
                place, because_of, ..
            } => {
                self.set(*place, StepState::Skipped(*because_of));
            }
            Event::StepUnseen { place, at, .. } => {
                let unseen_since = &mut self.round_mut(*place).unseen_since;
                let since = unseen_since.entry(*place).or_insert(*at);
                *since = (*since).min(*at);
            }
            Event::StepResolved { place, outcome, .. } => {
                let ended = outcome
                    .as_ref()
                    .map(|outcome| StepState::Ended((**outcome).clone()));
                self.set(*place, ended.unwrap_or(StepState::Vanished));
            }
        }
        Ok(())
    }

    fn note_end(&mut self, place: StepPlace, at: Timestamp) {
        if let Some((_, end)) = self.round_mut(place).times.get_mut(&place) {
            *end = Some(at);
        }
    }

    fn set(&mut self, place: StepPlace, state: StepState) {
        self.round_mut(place).steps.insert(place, state);
    }

    fn round(&self, place: StepPlace) -> Option<&Round> {
        self.rounds.get(usize::from(place.round).checked_sub(1)?)
    }

    fn round_mut(&mut self, place: StepPlace) -> &mut Round {
        &mut self.rounds[usize::from(place.round) - 1]
    }

    /// Every outcome of the run, in the order of places.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.rounds.iter().flat_map(Round::outcomes)
    }

    /// What msdb said of a piece of this run.
    #[must_use]
    pub fn backed_up(&self, piece: PieceId) -> Option<&BackedUp> {
        self.outcomes().find_map(|outcome| match outcome {
            Outcome::BackedUp(facts) if facts.piece == piece => Some(facts.as_ref()),
            _ => None,
        })
    }

    /// What the store holds of a piece of this run.
    #[must_use]
    pub fn delivered(&self, piece: PieceId) -> Option<DeliveredPiece<'_>> {
        self.outcomes().find_map(|outcome| match outcome {
            Outcome::Delivered {
                piece: id,
                stripes,
                files,
                proof,
                ..
            } if *id == piece => Some(DeliveredPiece {
                stripes,
                files,
                proof: *proof,
            }),
            _ => None,
        })
    }

    /// Where a mark of this run was confirmed.
    #[must_use]
    pub fn confirmed(&self, mark: &MarkName) -> Option<&[MemberMark]> {
        let places = self
            .rounds
            .iter()
            .flat_map(|round| round.steps.iter().map(move |it| (round, it)));
        places.into_iter().find_map(
            |(round, (place, state))| match (round.step(*place), state) {
                (
                    Some(Step::ConfirmMark(step)),
                    StepState::Ended(Outcome::MarkConfirmed { members }),
                ) if step.mark == *mark => Some(members.as_slice()),
                _ => None,
            },
        )
    }

    /// Whether a backup of this piece was tried and no answer of SQL Server came: it may have been taken.
    #[must_use]
    pub fn has_lost_answer(&self, piece: PieceId) -> bool {
        self.rounds.iter().any(|round| {
            let mut retried = round.retried.iter();
            retried.any(|(place, failures)| {
                let is_it =
                    matches!(round.step(*place), Some(Step::BackUp(it)) if it.piece == piece);
                is_it && failures.iter().any(|it| it.sql_number.is_none())
            })
        })
    }

    /// The last failure of a step that was about this piece, as `code: message`.
    #[must_use]
    pub fn failure_of(&self, piece: PieceId) -> Option<String> {
        self.rounds.iter().rev().find_map(|round| {
            round.steps.iter().find_map(|(place, state)| match state {
                StepState::Failed(failure) if round.step(*place)?.piece() == Some(piece) => {
                    Some(failure.line())
                }
                _ => None,
            })
        })
    }
}

impl Round {
    /// The step at a place of this round.
    #[must_use]
    pub fn step(&self, place: StepPlace) -> Option<&Step> {
        self.lane(place)?.steps.get(usize::from(place.step))
    }

    /// The lane of a place of this round.
    #[must_use]
    pub fn lane(&self, place: StepPlace) -> Option<&Lane> {
        let stage = self.plan.stages.get(usize::from(place.stage))?;
        stage.lanes.get(usize::from(place.lane))
    }

    /// Every place of the round's plan, in order, with the number of the round that `number` says.
    pub fn places(&self, number: u16) -> impl Iterator<Item = StepPlace> + '_ {
        let index = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        let stages = self.plan.stages.iter().enumerate();
        stages.flat_map(move |(stage, it)| {
            it.lanes.iter().enumerate().flat_map(move |(lane, it)| {
                (0..it.steps.len()).map(move |step| StepPlace {
                    round: number,
                    stage: index(stage),
                    lane: index(lane),
                    step: index(step),
                })
            })
        })
    }

    /// The steps that were carried out, each with what came of it, in the order of places.
    pub fn ended(&self) -> impl Iterator<Item = (&Step, &Outcome)> {
        self.steps.iter().filter_map(|(place, state)| match state {
            StepState::Ended(outcome) => Some((self.step(*place)?, outcome)),
            _ => None,
        })
    }

    /// The outcomes of this round, in the order of places.
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.steps.values().filter_map(|state| match state {
            StepState::Ended(outcome) => Some(outcome),
            _ => None,
        })
    }

    /// The places of the steps that were carried out, in order.
    #[must_use]
    pub fn ended_places(&self) -> impl DoubleEndedIterator<Item = StepPlace> + '_ {
        let ended = self
            .steps
            .iter()
            .filter(|(_, state)| matches!(state, StepState::Ended(_)));
        ended.map(|(place, _)| *place)
    }

    /// The failures of this round with their steps, in the order of places.
    pub fn failures(&self) -> impl Iterator<Item = (&Step, &Failure)> {
        self.steps.iter().filter_map(|(place, state)| match state {
            StepState::Failed(failure) => Some((self.step(*place)?, failure)),
            _ => None,
        })
    }
}

impl Failure {
    /// The failure in one line, `SM0501: ...`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.code, self.message)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let places = error.context().iter().cloned();
        // Without its causes, "the store does not answer" would not say why.
        let causes = error.causes().into_iter().map(|text| ("cause", text));
        let context = places.chain(causes);
        Self {
            code: error.code().text().to_owned(),
            message: error.message().to_owned(),
            context: context
                .map(|(what, value)| (what.to_owned(), value))
                .collect(),
            hint: error.hint_text().map(str::to_owned),
            sql_number: error.sql().map(|cause| cause.number),
            sql_text: error.sql().map(|cause| cause.text.clone()),
        }
    }
}

fn impossible(why: &str, event: &Event) -> Error {
    Error::new(
        Code::JournalUnreadable,
        format!("a journal tells an impossible story: {why}"),
    )
    .at("event", format!("{event:.200?}"))
}
