//! After a crash: what the unfinished steps of a run really did, found by looking at the world.
//!
//! Start at [`resolve_unfinished_steps`]. A step with a beginning and no end either happened or did not; a
//! backup that happened is part of its chain and must not be lost, and a tail whose answer was lost least of all. Nothing is done here, only looked up; what
//! is then to be delivered is for the planner. What nobody can say now stays open, and stops nothing else.

use futures::future::join_all;

use super::book::Book;
use super::events::{BackedUp, Event, Failure, Outcome, StepPlace};
use super::marks::{self, Presence};
use super::medium;
use super::record::{Record, Round, StepState};
use super::verdict::LOOKS_APART_MS;
use crate::catalog;
use crate::error::{Code, Error, Result};
use crate::model::{GroupName, HostName, MemberName, Timestamp};
use crate::plan::{BackUp, PlaceMark, Plan, Publish, Step, Warning};
use crate::world::World;

/// What became of an unfinished run.
#[derive(Debug, Default)]
pub struct Resumed {
    /// Steps whose end was not known.
    pub looked_up: usize,
    /// Those of them that had happened.
    pub had_happened: usize,
    /// Those of them whose end is still not known.
    pub unknown: Vec<Unknown>,
    /// Why the store could not say what became of a publication: nothing of the run may be published yet.
    pub unasked: Option<Error>,
}

/// A step of which nobody can say now whether it happened: its host does not answer, or a backup of the member still runs
/// that may be its own.
#[derive(Debug)]
pub struct Unknown {
    /// Where the step was to be done.
    pub host: HostName,
    /// The member of the backup; none where it is a mark.
    pub member: Option<MemberName>,
    /// Why it is not known.
    pub error: Error,
}

/// Finds out what every step did that had begun and not ended, and writes it in the book. A host that does not answer
/// holds up its own steps alone: they stay open, and so does the run.
///
/// # Errors
/// Those of the journal.
pub async fn resolve_unfinished_steps(world: &World, book: &Book) -> Result<Resumed> {
    let open: Vec<Unresolved> = book.read(|record| record.unresolved().collect());
    let group = book.read(|record| record.group.clone());
    let mut resumed = Resumed {
        looked_up: open.len(),
        ..Resumed::default()
    };
    // Side by side, for a backup that still runs is waited for.
    let looks = open.iter().map(|it| look_up(world, &group, &it.step));
    let found = join_all(looks).await;
    for (unresolved, found) in open.into_iter().zip(found) {
        resumed.note(world, book, unresolved, found)?;
    }
    Ok(resumed)
}

/// A step of which the journal does not say what it did.
pub(super) struct Unresolved {
    place: StepPlace,
    step: Step,
    host: HostName,
    /// It failed without an answer.
    has_failed: bool,
    /// When its files could not be seen for the first time.
    unseen_since: Option<Timestamp>,
}

/// Nobody will ever know: the configuration has no such host or leads nowhere, or no history knows the backup and its file
/// is nothing that can be told.
const FOR_GOOD: [Code; 2] = [Code::ConfigValue, Code::NoMedia];

/// No history knows the backup, and its files cannot be looked into now; a share that restarts is away for minutes.
const UNSEEN: [Code; 2] = [Code::ShareUnseen, Code::PlaceUnreadable];

impl Unresolved {
    /// Whether the step counts as failed without an answer, so that nothing waits for it. Files are left alone then, and the
    /// next survey sees what is lacking.
    fn is_given_up_for(&self, error: &Error, now: Timestamp) -> bool {
        let may_wait = self
            .unseen_since
            .is_none_or(|since| now < since.plus_millis(LOOKS_APART_MS));
        FOR_GOOD.contains(&error.code()) || UNSEEN.contains(&error.code()) && !may_wait
    }
}

impl Record {
    /// Steps that have begun and not ended, and backups that may have been taken and of which no survey will tell: of any other
    /// one its host's history does.
    pub(super) fn unresolved(&self) -> impl Iterator<Item = Unresolved> + '_ {
        let rounds = self.rounds.iter();
        let steps =
            rounds.flat_map(|round| round.steps.iter().map(move |(at, it)| (round, at, it)));
        steps.filter_map(|(round, place, state)| {
            let step = round.step(*place)?;
            let has_failed = may_be_taken(round, *place, state);
            let is_open = has_failed || *state == StepState::Started;
            let host = step_host(round, *place)?;
            is_open.then(|| Unresolved {
                place: *place,
                step: step.clone(),
                host,
                has_failed,
                unseen_since: round.unseen_since.get(place).copied(),
            })
        })
    }
}

/// Whether a backup that failed may have been taken in one of its tries, and nobody has been able to tell: a tail, or one of
/// which no history knows and whose file could not be seen.
fn may_be_taken(round: &Round, place: StepPlace, state: &StepState) -> bool {
    let (Some(Step::BackUp(step)), StepState::Failed(failure)) = (round.step(place), state) else {
        return false;
    };
    let mut before = round.retried.get(&place).into_iter().flatten();
    let is_unanswered = is_lost(failure) || before.any(is_lost);
    let has_code = |codes: &[Code]| codes.iter().any(|code| failure.code == code.text());
    let is_unseen = has_code(&UNSEEN);
    let is_given_up = has_code(&FOR_GOOD) || is_unseen && round.unseen_since.contains_key(&place);
    is_unanswered && (step.tail.is_some() || is_unseen) && !is_given_up
}

/// Whether the connection broke while the statement may have been on its way, or it was carried out and its row was lost.
fn is_lost(failure: &Failure) -> bool {
    [Code::ConnectionLost, Code::BackupNoRow]
        .iter()
        .any(|code| failure.code == code.text())
}

impl Resumed {
    /// Writes down what was found, or leaves the step open.
    fn note(
        &mut self,
        world: &World,
        book: &Book,
        step: Unresolved,
        found: Result<Option<Outcome>>,
    ) -> Result<()> {
        let (place, at) = (step.place, world.clock.now());
        let event = match found {
            Ok(outcome) => {
                self.had_happened += usize::from(outcome.is_some());
                let outcome = outcome.map(Box::new);
                Event::StepResolved { place, outcome, at }
            }
            Err(error) if step.is_given_up_for(&error, at) => {
                let failure = Failure::from(&error);
                Event::StepFailed { place, failure, at }
            }
            Err(error) => {
                // A clock that was put back since would make the wait as long as it had been ahead.
                let is_news = step.unseen_since.is_none_or(|since| at < since);
                if UNSEEN.contains(&error.code()) && is_news {
                    let failure = Failure::from(&error);
                    book.write(&Event::StepUnseen { place, failure, at })?;
                }
                self.leave_open(step.host, &step.step, error);
                return Ok(());
            }
        };
        if step.has_failed {
            book.write(&Event::StepStarted { place, at })?;
        }
        book.write(&event)
    }

    fn leave_open(&mut self, host: HostName, step: &Step, error: Error) {
        let member = match step {
            Step::BackUp(step) => Some(step.member.clone()),
            Step::PlaceMark(_) => None,
            _ => {
                let before = self.unasked.take();
                let graver = before.filter(|it| it.code() != Code::StoreUnreachable);
                self.unasked = Some(graver.unwrap_or(error));
                return;
            }
        };
        self.unknown.push(Unknown {
            host,
            member,
            error,
        });
    }
}

fn step_host(round: &Round, place: StepPlace) -> Option<HostName> {
    round.lane(place).map(|lane| lane.host.clone())
}

impl Unknown {
    /// The member of the backup, and the host that was to take it; none where it is a mark.
    #[must_use]
    pub fn backup(&self) -> Option<(MemberName, HostName)> {
        let member = self.member.clone()?;
        Some((member, self.host.clone()))
    }

    /// What people are told, beside a plan that takes what it can.
    #[must_use]
    pub fn warning(&self, plan: &Plan) -> Warning {
        let Self { host, error, .. } = self;
        let (what, effect) = match &self.member {
            Some(member) => {
                let taken_on = host_of_backup(plan, member);
                let held_up = || format!("nothing is taken of member `{member}` now");
                let goes_on = |host| format!("its chain goes on from host `{host}`");
                let effect = taken_on.map_or_else(held_up, goes_on);
                (format!("the backup of member `{member}`"), effect)
            }
            None => (
                "a mark".to_owned(),
                "the others go on without the host".to_owned(),
            ),
        };
        Warning {
            code: error.code().to_string(),
            message: format!(
                "what became of {what} on host `{host}` when a run was cut short is not known yet, so {effect}: {error}"
            ),
            hint: Some(
                "the next run looks again; nothing of it is removed until then. A host that is gone for good must leave the \
                 configuration"
                    .to_owned(),
            ),
        }
    }
}

/// The host on which the plan takes a backup of the member.
fn host_of_backup<'a>(plan: &'a Plan, member: &MemberName) -> Option<&'a HostName> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let mut steps = lanes.flat_map(|lane| &lane.steps);
    steps.find_map(|step| match step {
        Step::BackUp(step) if step.member == *member => Some(step.host()),
        _ => None,
    })
}

/// Looks again at publications that failed: one whose answer was lost may stand in the group's log, and what it
/// published must not come in a second set.
///
/// # Errors
/// Those of the store: then nothing is known, and nothing of the run may be published yet.
pub(super) async fn resolve_publications(world: &World, book: &Book) -> Result<()> {
    let failed: Vec<(StepPlace, Publish)> = book.read(|record| {
        let rounds = record.rounds.iter();
        let steps = rounds.flat_map(|round| round.steps.iter().map(move |(at, s)| (round, at, s)));
        let failed = steps.filter(|(_, _, state)| matches!(state, StepState::Failed(_)));
        let publish = failed.filter_map(|(round, place, _)| match round.step(*place)? {
            Step::Publish(step) => Some((*place, step.clone())),
            _ => None,
        });
        publish.collect()
    });
    let group = book.read(|record| record.group.clone());
    for (place, step) in failed {
        let Some(outcome) = published(world, &group, &step).await? else {
            continue;
        };
        let at = world.clock.now();
        book.write(&Event::StepStarted { place, at })?;
        let outcome = Box::new(outcome);
        book.write(&Event::StepEnded { place, outcome, at })?;
    }
    Ok(())
}

/// What the world shows of a step. Steps that are safe to run again, or that left nothing to keep, count as
/// not having happened.
pub(super) async fn look_up(
    world: &World,
    group: &GroupName,
    step: &Step,
) -> Result<Option<Outcome>> {
    match step {
        Step::BackUp(step) => {
            let found = backed_up(world, step).await?;
            Ok(found.map(|facts| Outcome::BackedUp(Box::new(facts))))
        }
        Step::PlaceMark(step) => mark_committed(world, step).await,
        Step::Publish(step) => published(world, group, step).await,
        Step::Prune(step) => {
            let is_done = super::deeds::is_pruned(world, step).await?;
            Ok(is_done.then_some(Outcome::Done))
        }
        Step::EnsureLink(_)
        | Step::RemoveLink(_)
        | Step::TestLink(_)
        | Step::ProbeMark(_)
        | Step::WatchLink(_)
        | Step::ReadWatch(_)
        | Step::PrepareMember(_)
        | Step::RemovePrepared(_)
        | Step::EnsureEventSession(_)
        | Step::RemoveEventSession(_)
        | Step::ConfirmMark(_)
        | Step::Deliver(_)
        | Step::Adopt(_)
        | Step::ClearStaging(_)
        | Step::Fetch(_)
        | Step::LeaveGroup(_)
        | Step::RestoreDatabase(_)
        | Step::RestoreLog(_)
        | Step::RecoverDatabase(_)
        | Step::ProveMark(_)
        | Step::PutBack(_)
        | Step::CheckDatabase(_)
        | Step::RunCheck(_)
        | Step::DropScratch(_)
        | Step::Certify(_)
        | Step::TrialBackup(_)
        | Step::RemoveTrial(_)
        | Step::ProbeStore(_)
        | Step::RemoveProbe(_)
        | Step::CopyPiece(_)
        | Step::ProveCopy(_)
        | Step::MirrorLog(_)
        | Step::RemovePiece(_)
        | Step::NoteRemoved(_)
        | Step::SweepUploads(_)
        | Step::SweepStaging(_)
        | Step::TrimMarkLog(_)
        | Step::Release(_)
        | Step::WriteHistory(_)
        | Step::TrimHistory(_) => Ok(None),
    }
}

/// The host's history says it, or the files do where that is silent: msdb may have been purged since, or the host be gone.
/// Without the host's word, files that are not whole tell nothing, for it may be writing them.
async fn backed_up(world: &World, step: &BackUp) -> Result<Option<BackedUp>> {
    match world.fleet.find_backup(step).await {
        Ok(Some(facts)) => Ok(Some(facts)),
        Ok(None) => medium::taken(world, step).await,
        Err(error) => {
            let on_medium = medium::taken(world, step).await.ok().flatten();
            on_medium.map(Some).ok_or(error)
        }
    }
}

/// A mark that stands anywhere was committed; whether it stands everywhere is for its confirmation to say.
/// The transaction began on the management host, so where another host does not answer, that one's word
/// must do: the logs of all the others wait for this.
async fn mark_committed(world: &World, step: &PlaceMark) -> Result<Option<Outcome>> {
    let members = marks::members_of(step);
    let own = &members[..step.local.len()];
    let presence = match marks::look(world, &step.mark, &members).await {
        Ok(presence) => presence,
        Err(_) => marks::look(world, &step.mark, own).await?,
    };
    Ok(
        (presence != Presence::Nowhere).then(|| Outcome::MarkCommitted {
            mark: step.mark.clone(),
        }),
    )
}

async fn published(world: &World, group: &GroupName, step: &Publish) -> Result<Option<Outcome>> {
    catalog::catch_up(world, group).await?;
    super::deeds::published(world, step).await
}
