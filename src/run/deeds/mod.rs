//! Deeds: how each step is carried out, through the seams and nothing else.
//!
//! Start at [`carry_out`]. A deed is stateless and may run twice; what it needs of earlier steps it finds in
//! the book, the journal's fold.
//!
//! A deed decides nothing: a step that does not say it is a step that cannot be carried out.

mod adopt;
mod copies;
mod deliver;
mod drill;
mod history;
mod probe_mark;
mod prune;
mod publish;
mod replica;
mod restore;
mod trial;

use super::book::Book;
use super::events::Outcome;
use super::marks::{self, Presence};
use super::medium;
use crate::error::{Code, Error, Result};
use crate::model::{HostName, MemberName};
use crate::plan::{BackUp, ClearStaging, ConfirmMark, MarkTarget, PlaceMark, Step, Tail, TestLink};
use crate::world::World;

pub(super) use prune::is_pruned;
pub use publish::set_of;
pub(super) use publish::{published, waiting_set};

/// Carries one step out on `host`.
pub async fn carry_out(
    world: &World,
    book: &Book,
    host: &HostName,
    step: &Step,
) -> Result<Outcome> {
    match step {
        Step::EnsureLink(step) => done(world.fleet.ensure_link(host, step).await),
        Step::RemoveLink(step) => done(world.fleet.remove_link(host, &step.link).await),
        Step::TestLink(step) => test_link(world, host, step).await,
        Step::PrepareMember(step) => done(world.fleet.prepare_member(step).await),
        Step::RemovePrepared(step) => done(world.fleet.remove_prepared(&step.member).await),
        Step::EnsureEventSession(step) => done(world.fleet.ensure_event_session(host, step).await),
        Step::RemoveEventSession(step) => {
            done(world.fleet.remove_event_session(host, &step.name).await)
        }
        Step::BackUp(step) => back_up(world, book, step).await,
        Step::PlaceMark(step) => place_mark(world, book, step).await,
        Step::ConfirmMark(step) => confirm_mark(world, step).await,
        Step::Deliver(step) => deliver::deliver(world, book, step).await,
        Step::Adopt(step) => adopt::adopt(world, step).await,
        Step::Publish(step) => publish::publish(world, book, step).await,
        Step::ClearStaging(step) => clear_staging(world, step).await,
        Step::Fetch(step) => restore::fetch(world, step).await,
        Step::LeaveGroup(step) => done(world.fleet.leave_group(host, step).await),
        Step::RestoreDatabase(step) => restore::database(world, host, step).await,
        Step::RestoreLog(step) => restore::log(world, host, step).await,
        Step::RecoverDatabase(step) => restore::recover(world, host, step).await,
        Step::ProveMark(step) => restore::prove_mark(world, host, step).await,
        Step::PutBack(step) => done(restore::put_back(world, host, step).await),
        Step::CheckDatabase(step) => done(drill::check_database(world, host, step).await),
        Step::RunCheck(step) => done(drill::run_check(world, host, step).await),
        Step::DropScratch(step) => done(drill::drop_scratch(world, book, host, step).await),
        Step::Certify(step) => drill::certify(world, book, step).await,
        Step::TrialBackup(step) => done(trial::back_up(world, host, step).await),
        Step::RemoveTrial(step) => done(trial::remove(world, step).await),
        Step::ProbeStore(step) => done(trial::probe_store(world, step).await),
        Step::RemoveProbe(step) => done(trial::remove_probe(world, step).await),
        Step::CopyPiece(step) => copies::copy_piece(world, book, step).await,
        Step::ProveCopy(step) => copies::prove_copy(world, book, step).await,
        Step::MirrorLog(step) => copies::mirror_log(world, book, step).await,
        Step::Prune(step) => prune::prune(world, step).await,
        Step::RemovePiece(step) => prune::remove_piece(world, step).await,
        Step::NoteRemoved(step) => prune::note_removed(world, book, step).await,
        Step::SweepUploads(step) => done(world.store.sweep(&step.group).await.map(|_| ())),
        Step::SweepStaging(step) => done(world.staging.remove(&step.files).await),
        Step::TrimMarkLog(step) => {
            let (member, oldest) = (&step.member, &step.oldest);
            done(world.fleet.trim_mark_log(member, oldest).await)
        }
        Step::ProbeMark(step) => probe_mark::probe_mark(world, book, step).await,
        Step::WatchLink(step) => done(world.fleet.watch_link(host, step).await),
        Step::ReadWatch(step) => probe_mark::read_watch(world, host, step).await,
        // That it stands in the journal is all there is to it.
        Step::Release(_) => Ok(Outcome::Done),
        Step::WriteHistory(step) => done(history::write(world, book, host, step).await),
        Step::TrimHistory(step) => done(history::trim(world, host, step).await),
    }
}

fn done(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Done)
}

async fn test_link(world: &World, host: &HostName, step: &TestLink) -> Result<Outcome> {
    let true_name = world.fleet.test_link(host, &step.link).await?;
    if true_name.is_same_host(&step.target) {
        return Ok(Outcome::LinkAnswered { true_name });
    }
    let message = format!("linked server `{}` leads to `{true_name}`", step.link);
    Err(Error::new(Code::LinkTestFailed, message)
        .at("host", host)
        .at("expected", &step.target)
        .hint("compare `address` and `link_address` of that host in the configuration"))
}

async fn back_up(world: &World, book: &Book, step: &BackUp) -> Result<Outcome> {
    replica::wait_for_mark(world, book, step).await?;
    if book.read(|record| record.has_lost_answer(step.piece)) {
        match medium::of_an_earlier_try(world, step).await {
            Ok(Some(facts)) => return Ok(Outcome::BackedUp(Box::new(facts))),
            // This tail leaves its database restoring, so that its host, where it answers, takes no second one over it.
            Err(error) if step.tail == Some(Tail::Closing) && !is_of_host(&error) => {}
            Err(error) => return Err(error),
            Ok(None) => {}
        }
    }
    world.staging.make_room(&step.stripes).await?;
    let label = format!("{} {}", step.piece_kind.word(), step.member);
    let progress = world.progress.begin(&label, None);
    let facts = match world.fleet.back_up(step, progress.as_ref()).await {
        // Without its row a backup is what its file says (3009); where that says nothing, the host's word stands.
        Err(error) if error.code() == Code::BackupNoRow => {
            let on_medium = medium::taken(world, step).await.ok().flatten();
            on_medium.ok_or(error)?
        }
        taken => taken?,
    };
    Ok(Outcome::BackedUp(Box::new(facts)))
}

/// Whether the host did not answer.
fn is_of_host(error: &Error) -> bool {
    matches!(error.code(), Code::ConnectionLost | Code::HostUnreachable)
}

/// The stamp is remembered before the mark is placed: whatever happens, no later mark may be named below it.
/// A mark that every member holds was placed by this step, since its name is this round's own: a second
/// transaction of that name would be another moment.
async fn place_mark(world: &World, book: &Book, step: &PlaceMark) -> Result<Outcome> {
    let group = book.read(|record| record.group.clone());
    world.catalog.note_stamp(&group, step.stamped_at).await?;
    let members = marks::members_of(step);
    match marks::look(world, &step.mark, &members).await? {
        Presence::Everywhere(_) => {}
        Presence::Nowhere => world.fleet.place_mark(step).await?,
        Presence::Without(missing) => {
            return Err(marks::unconfirmed(&step.mark, &missing, members.len()));
        }
    }
    Ok(Outcome::MarkCommitted {
        mark: step.mark.clone(),
    })
}

async fn confirm_mark(world: &World, step: &ConfirmMark) -> Result<Outcome> {
    let members: Vec<MemberName> = step.members.iter().map(MarkTarget::place).collect();
    let missing = match marks::look(world, &step.mark, &members).await? {
        Presence::Everywhere(members) => {
            let members = marks::of_members(step, members);
            return Ok(Outcome::MarkConfirmed { members });
        }
        Presence::Nowhere => members.clone(),
        Presence::Without(missing) => missing,
    };
    Err(marks::unconfirmed(&step.mark, &missing, members.len()))
}

async fn clear_staging(world: &World, step: &ClearStaging) -> Result<Outcome> {
    done(world.staging.remove(&step.agent_paths).await)
}
