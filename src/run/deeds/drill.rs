//! A drill's own deeds: looking through scratch databases, asking checks, removing them, certifying.
//!
//! Start at [`drop_scratch`]: it removes what the host itself says was restored from this drill's pieces, and nothing
//! else of that name.

use crate::catalog::catch_up;
use crate::error::{Code, Error, Result};
use crate::model::HostName;
use crate::plan::{Certify, CheckDatabase, DropScratch, RunCheck, Step};
use crate::run::book::Book;
use crate::run::certificate::certificate_of;
use crate::run::events::{Failure, Outcome};
use crate::run::record::{Record, StepState};
use crate::survey::{TargetDatabase, TargetState};
use crate::world::{LogFact, World};

/// Characters of what a check found that are worth a line.
const FOUND_CHARACTERS_MAX: usize = 200;

/// Looks through one scratch database.
pub(super) async fn check_database(
    world: &World,
    host: &HostName,
    step: &CheckDatabase,
) -> Result<()> {
    let label = format!("check {}", step.target);
    let progress = world.progress.begin(&label, None);
    world
        .fleet
        .check_database(host, step, progress.as_ref())
        .await
}

/// Asks one of the user's checks; what it found must be what it wants.
pub(super) async fn run_check(world: &World, host: &HostName, step: &RunCheck) -> Result<()> {
    let answer = world.fleet.run_check(host, step).await;
    let answer = answer.map_err(|error| error.at("check", &step.name))?;
    let found = match &step.value {
        None if answer.rows == 0 => return Ok(()),
        None => format!("{} rows", answer.rows),
        Some(value) if answer.cell.as_ref() == Some(value) => return Ok(()),
        Some(_) => answer.cell.unwrap_or_else(|| "nothing".to_owned()),
    };
    let found: String = found.chars().take(FOUND_CHARACTERS_MAX).collect();
    let message = format!("check `{}` did not find {}", step.name, step.wanted());
    Err(Error::new(Code::DrillCheckFailed, message)
        .at("host", host)
        .at("found", found)
        .hint("the restored members do not agree with each other, or the check is wrong"))
}

/// Removes a scratch database of this drill.
pub(super) async fn drop_scratch(
    world: &World,
    book: &Book,
    host: &HostName,
    step: &DropScratch,
) -> Result<()> {
    let facts = world.fleet.target_facts(host).await?;
    let Some(there) = facts.database(&step.target) else {
        return Ok(());
    };
    let is_ours = book.read(|record| is_ours(record, there, step));
    if is_ours {
        return world.fleet.drop_database(host, &step.target).await;
    }
    let message = format!("database `{}` is not what this drill made", step.target);
    Err(Error::new(Code::ScratchForeign, message)
        .at("host", host)
        .hint("look whose it is; the drill leaves it alone"))
}

/// What was last restored into it is a piece of this drill; or nothing was restored whole, it waits for more, and this
/// drill's own restore into that name had begun and was not refused for what was there.
fn is_ours(record: &Record, there: &TargetDatabase, step: &DropScratch) -> bool {
    match there.restored.as_ref().map(|restored| restored.piece) {
        Some(Some(piece)) => step.pieces.contains(&piece),
        Some(None) => false,
        None => there.state != TargetState::Online && has_begun(record, step),
    }
}

fn has_begun(record: &Record, step: &DropScratch) -> bool {
    let is_refused = |failure: &Failure| failure.code == Code::TargetExists.text();
    let mut states = record.rounds.iter().flat_map(|round| {
        let states = round.steps.iter();
        states.filter_map(|(place, state)| Some((round.step(*place)?, state)))
    });
    states.any(|(begun, state)| {
        let is_it = matches!(begun, Step::RestoreDatabase(begun)
            if begun.member == step.of && begun.target == step.target);
        let was_refused = matches!(state, StepState::Failed(failure) if is_refused(failure));
        is_it && !was_refused && !matches!(state, StepState::Skipped(_))
    })
}

/// Writes the certificate, and its entry in the group's log. Run again, it finds both.
pub(super) async fn certify(world: &World, book: &Book, step: &Certify) -> Result<Outcome> {
    let mark = Some(step.mark.as_str());
    let needs = world.catalog.point(&step.group, mark).await?;
    let now = world.clock.now();
    let certificate = book.read(|record| certificate_of(record, step, needs.as_ref(), now));
    let certificate = certificate
        .ok_or_else(|| Error::new(Code::Bug, "a drill was to be certified that has no round"))?;
    let (key, digest) = world.store.write_certificate(&certificate).await?;
    catch_up(world, &step.group).await?;
    let facts = world.catalog.retention_facts(&step.group).await?;
    let is_it = |fact: &LogFact| matches!(fact, LogFact::Drilled { certificate: Some(known), .. } if *known == key);
    if !facts.iter().any(is_it) {
        let fact = LogFact::Drilled {
            mark: step.mark.clone(),
            passed: certificate.passed,
            certificate: Some(key.clone()),
            digest: Some(digest),
        };
        world.store.append(&step.group, fact).await?;
        catch_up(world, &step.group).await?;
    }
    Ok(Outcome::Certified {
        certificate: key,
        passed: certificate.passed,
    })
}
