//! The executor: one round's plan, stage by stage, lanes side by side, journal before and after every act. A lane
//! goes step by step unless its stage says that it fans out; then members go side by side.
//!
//! Start at [`carry_out_plan`]. What a failure means is written in the plan (`on_failure`); the executor only
//! obeys. A journal that cannot be written stops everything at once: no journal, no deed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::sync::watch;

use super::ahead::Ahead;
use super::book::Book;
use super::deeds;
use super::events::{Event, Failure, Outcome, StepPlace};
use super::failed::Failed;
use super::resume::look_up;
use crate::error::{Error, Result, Retry};
use crate::model::{HostName, MemberName};
use crate::plan::{OnFailure, Plan, Stage, Step, Tried, Undo, passing};
use crate::world::World;

/// How soon a stop is heard while a step waits for its next try.
const WAIT_SLICE: Duration = Duration::from_millis(500);

/// Asked for by a person or a service stop: the running steps end, no other begins, and the journal stays
/// open, so that the next start goes on.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// Asks for the stop.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Returns when it was asked for.
    pub async fn asked(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }

    /// Whether it was asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundEnd {
    /// Every stage was gone through.
    Complete,
    /// A stage that all others need failed; what could be undone was undone.
    Unwound,
    /// A stage failed in part, and what was to follow was left.
    Halted,
    /// Stopped between steps on request.
    Interrupted,
}

/// Steps of one lane that stay in order, each with its place.
pub(super) struct Strand<'a> {
    pub(super) host: &'a HostName,
    pub(super) steps: Vec<(StepPlace, &'a Step)>,
}

/// What the steps of one strand have come to so far.
pub(super) struct Walk<'a> {
    on_failure: OnFailure,
    /// Raised for all strands of a stage that unwinds.
    stop: &'a AtomicBool,
    failed: AtomicBool,
    /// The step for which all that follow are skipped.
    failed_at: Mutex<Option<StepPlace>>,
}

/// One round being carried out.
pub(super) struct Round<'a> {
    world: &'a World,
    book: &'a Book,
    interrupt: &'a Interrupt,
    number: u16,
    failed: Failed,
}

/// Carries the next round's plan out, from its first line in the journal on.
///
/// # Errors
/// Only of the journal itself. Failed steps are in the record.
pub async fn carry_out_plan(
    world: &World,
    book: &Book,
    plan: &Plan,
    interrupt: &Interrupt,
) -> Result<RoundEnd> {
    let at = world.clock.now();
    book.write(&Event::RoundPlanned {
        plan: Box::new(plan.clone()),
        at,
    })?;
    let number = book.read(|record| number_of(record.rounds.len()));
    let round = Round {
        world,
        book,
        interrupt,
        number,
        failed: Failed::nothing_of(plan),
    };
    let mut is_halted = false;
    for (index, stage) in plan.stages.iter().enumerate() {
        if is_halted && stage.on_failure != OnFailure::Pass {
            continue;
        }
        let failed = round.carry_out_stage(number_of(index), stage).await?;
        if interrupt.is_asked() {
            return Ok(RoundEnd::Interrupted);
        }
        if failed && stage.on_failure == OnFailure::Unwind {
            round.unwind(plan).await?;
            return Ok(RoundEnd::Unwound);
        }
        is_halted |= failed && stage.on_failure == OnFailure::Halt;
    }
    Ok(if is_halted {
        RoundEnd::Halted
    } else {
        RoundEnd::Complete
    })
}

/// Whether nobody said what became of it; a refusal in SQL Server's own words is an answer.
fn is_unanswered(error: &Error) -> bool {
    error.retry_verdict() == Retry::AfterCheck && error.sql().is_none()
}

fn number_of(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

impl Walk<'_> {
    fn failed_at(&self) -> std::sync::MutexGuard<'_, Option<StepPlace>> {
        self.failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round<'_> {
    /// Whether any step of the stage failed.
    async fn carry_out_stage(&self, stage_index: u16, stage: &Stage) -> Result<bool> {
        let stop = AtomicBool::new(false);
        let strands = self.strands(stage_index, stage);
        let at_once = stage.fan_out.map_or(strands.len(), usize::from).max(1);
        let strands = strands
            .into_iter()
            .map(|strand| self.carry_out_strand(strand, stage, &stop));
        let ended: Vec<Result<bool>> = stream::iter(strands)
            .buffer_unordered(at_once)
            .collect()
            .await;
        ended
            .into_iter()
            .try_fold(false, |failed, strand| Ok(failed | strand?))
    }

    /// What stays in order within the stage: its lanes, and where it fans out, the steps about one member.
    fn strands<'s>(&'s self, stage_index: u16, stage: &'s Stage) -> Vec<Strand<'s>> {
        let mut strands = Vec::new();
        for (lane_index, lane) in stage.lanes.iter().enumerate() {
            let mut in_order: BTreeMap<Option<&MemberName>, Vec<(StepPlace, &Step)>> =
                BTreeMap::new();
            for (index, step) in lane.steps.iter().enumerate() {
                let place = StepPlace {
                    round: self.number,
                    stage: stage_index,
                    lane: number_of(lane_index),
                    step: number_of(index),
                };
                let about = self
                    .failed
                    .member_of(step)
                    .filter(|_| stage.fan_out.is_some());
                in_order.entry(about).or_default().push((place, step));
            }
            strands.extend(in_order.into_values().map(|steps| Strand {
                host: &lane.host,
                steps,
            }));
        }
        // Hosts take turns, so that the pieces of one do not all wait behind another's.
        strands.sort_by_key(|strand| strand.steps.first().map(|(place, _)| place.step));
        strands
    }

    /// Whether any step of the strand failed. `stop` is raised for the others where the stage is one that
    /// unwinds.
    async fn carry_out_strand(
        &self,
        strand: Strand<'_>,
        stage: &Stage,
        stop: &AtomicBool,
    ) -> Result<bool> {
        let walk = Walk {
            on_failure: stage.on_failure,
            stop,
            failed: AtomicBool::new(false),
            failed_at: Mutex::new(None),
        };
        if let Some(bytes) = stage.fetch_ahead_bytes {
            Ahead::new(bytes).lane(self, &strand, &walk).await?;
        } else {
            for (place, step) in &strand.steps {
                if self.is_stopped(&walk) {
                    break;
                }
                self.walk(strand.host, *place, step, &walk).await?;
            }
        }
        Ok(walk.failed.load(Ordering::SeqCst))
    }

    /// Whether no other step of the strand is to begin.
    pub(super) fn is_stopped(&self, walk: &Walk<'_>) -> bool {
        self.interrupt.is_asked() || walk.stop.load(Ordering::SeqCst)
    }

    /// Whether the step would be tried, and not skipped.
    pub(super) fn is_wanted(&self, step: &Step, walk: &Walk<'_>) -> bool {
        self.because_of(step, walk).is_none()
    }

    /// The failed step for which this one is skipped.
    fn because_of(&self, step: &Step, walk: &Walk<'_>) -> Option<StepPlace> {
        if walk.on_failure == OnFailure::Pass {
            return None;
        }
        let failed_at = *walk.failed_at();
        failed_at.or_else(|| self.failed.because_of(step))
    }

    /// Carries the step out, or skips it because of one before it.
    pub(super) async fn walk(
        &self,
        host: &HostName,
        place: StepPlace,
        step: &Step,
        walk: &Walk<'_>,
    ) -> Result<()> {
        if let Some(because_of) = self.because_of(step, walk) {
            return self.book.write(&Event::StepSkipped {
                place,
                because_of,
                at: self.world.clock.now(),
            });
        }
        self.go(host, place, step, walk).await
    }

    /// Carries the step out, whatever came before it; a failure is written down, and stops nothing.
    pub(super) async fn try_only(
        &self,
        host: &HostName,
        place: StepPlace,
        step: &Step,
    ) -> Result<()> {
        self.carry_out_step(place, host, step).await.map(|_| ())
    }

    /// Carries the step out; what a failure means is written in the stage.
    async fn go(
        &self,
        host: &HostName,
        place: StepPlace,
        step: &Step,
        walk: &Walk<'_>,
    ) -> Result<()> {
        if self.carry_out_step(place, host, step).await? {
            return Ok(());
        }
        if walk.on_failure != OnFailure::Pass {
            walk.failed.store(true, Ordering::SeqCst);
        }
        match walk.on_failure {
            OnFailure::Unwind => {
                walk.stop.store(true, Ordering::SeqCst);
                walk.failed_at().get_or_insert(place);
            }
            OnFailure::Skip | OnFailure::Halt => {
                if !self.failed.add(step, place) {
                    walk.failed_at().get_or_insert(place);
                }
            }
            OnFailure::Pass => {}
        }
        Ok(())
    }

    /// Whether the step succeeded, be it after tries that its rule allows.
    async fn carry_out_step(&self, place: StepPlace, host: &HostName, step: &Step) -> Result<bool> {
        let mut tried = Tried::default();
        loop {
            let Err(error) = self.try_step(place, host, step).await? else {
                return Ok(true);
            };
            tried.tries = tried.tries.saturating_add(1);
            let Some(wait) = self.wait_of(step, &error, tried) else {
                return Ok(false);
            };
            tracing::info!(%error, wait_ms = wait.as_millis(), "trying again after a while");
            if !self.wait(wait).await {
                return Ok(false);
            }
            tried.waited += wait;
        }
    }

    /// How long the step's own rule says to wait after this failure.
    fn wait_of(&self, step: &Step, error: &Error, tried: Tried) -> Option<Duration> {
        // The last bytes of a new identity are random; rooms have no other chance.
        let [.., high, low] = *self.world.ids.next().as_bytes();
        let chance = u16::from_be_bytes([high, low]);
        step.retry()?.wait_before(passing(error)?, tried, chance)
    }

    /// Waits, unless a stop is asked for meanwhile; whether the time has passed.
    async fn wait(&self, wait: Duration) -> bool {
        let clock = &self.world.clock;
        let until = clock.monotonic() + wait;
        while clock.monotonic() < until {
            if self.interrupt.is_asked() {
                return false;
            }
            let slice = clock.monotonic() + WAIT_SLICE;
            clock.sleep_until(slice.min(until)).await;
        }
        !self.interrupt.is_asked()
    }

    /// One try, in the journal before and after; the error of one that failed.
    async fn try_step(
        &self,
        place: StepPlace,
        host: &HostName,
        step: &Step,
    ) -> Result<Result<(), Error>> {
        self.book.write(&Event::StepStarted {
            place,
            at: self.world.clock.now(),
        })?;
        let result = self.deed(host, step).await;
        let at = self.world.clock.now();
        let (event, tried) = match result {
            Ok(outcome) => {
                let outcome = Box::new(outcome);
                (Event::StepEnded { place, outcome, at }, Ok(()))
            }
            Err(error) => {
                let failure = Failure::from(&error);
                (Event::StepFailed { place, failure, at }, Err(error))
            }
        };
        self.book.write(&event)?;
        Ok(tried)
    }

    /// What came of the step. Where the answer was lost, the world is asked whether it happened: a log backup
    /// that a host took is part of its chain, whoever heard of it.
    async fn deed(&self, host: &HostName, step: &Step) -> Result<Outcome> {
        let result = deeds::carry_out(self.world, self.book, host, step).await;
        match result {
            Err(error) if is_unanswered(&error) => {
                let group = self.book.read(|record| record.group.clone());
                let found = look_up(self.world, &group, step).await;
                found.ok().flatten().ok_or(error)
            }
            other => other,
        }
    }

    /// Undoes what can be undone of this round, newest first, back to the first step that cannot be taken
    /// back: what led up to that one has done its work. An undo that fails is written down and loud; the
    /// others still go on.
    async fn unwind(&self, plan: &Plan) -> Result<()> {
        let ended: Vec<StepPlace> = self.book.read(|record| {
            let round = record.rounds.last();
            round.map_or_else(Vec::new, |round| round.ended_places().rev().collect())
        });
        for place in ended {
            let lane = &plan.stages[usize::from(place.stage)].lanes[usize::from(place.lane)];
            let undo = match lane.steps[usize::from(place.step)].undo() {
                Undo::By(undo) => undo,
                Undo::Nothing => continue,
                Undo::Never(_) => break,
            };
            self.book.write(&Event::UndoStarted {
                place,
                at: self.world.clock.now(),
            })?;
            let result = deeds::carry_out(self.world, self.book, &lane.host, &undo).await;
            let failure = result.err().map(|error| Failure::from(&error));
            self.book.write(&Event::UndoEnded {
                place,
                failure,
                at: self.world.clock.now(),
            })?;
        }
        Ok(())
    }
}
