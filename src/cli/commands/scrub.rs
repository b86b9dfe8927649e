//! `stopmark scrub`: stored copies proven again, oldest proof first, and the outcome written into the group's log.
//!
//! A piece whose last copy is damaged or gone voids what needs it from then on: its marks are no Points any more, and
//! the next run begins a new chain where it must. A copy that is whole again counts again.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Common, ScrubArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, agent};
use crate::error::Exit;
use crate::plan::Warning;
use crate::report::bytes::size;
use crate::report::run::step_words;
use crate::run::Interrupt;
use crate::run::events::{Failure, Outcome};
use crate::run::record::Round;
use crate::run::scrub::{Proven, Scrubbed, proven, scrub as run_scrub};

#[derive(Serialize)]
struct Report {
    pieces: usize,
    bytes: u64,
    /// Pieces that were not looked at this time.
    left: u64,
    damaged: Vec<Damaged>,
    /// Copies that had been found damaged before and are whole.
    whole_again: usize,
    /// Copies that were owed and made.
    copied: usize,
    /// What a store did not answer, and copies that could not be made.
    failures: Vec<Unproven>,
    /// Why no copies were planned.
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
struct Damaged {
    member: String,
    store: String,
    object: String,
    /// A copy was made from another store.
    healed: bool,
    failure: Failure,
}

#[derive(Serialize)]
struct Unproven {
    step: String,
    failure: Failure,
}

impl Shown for Report {
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes everything");
        text
    }
}

impl Report {
    fn of(scrubbed: &Scrubbed) -> Self {
        let record = &scrubbed.record;
        let found = proven(record);
        let outcomes = record.outcomes();
        let failures = record.rounds.iter().flat_map(Round::failures);
        let warnings = record.rounds.iter().flat_map(|round| &round.plan.warnings);
        Self {
            pieces: found.len(),
            bytes: found.iter().map(size_of).sum(),
            left: scrubbed.left,
            damaged: found.iter().filter_map(damaged).collect(),
            whole_again: scrubbed.whole_again,
            copied: outcomes
                .filter(|it| matches!(it, Outcome::Copied { .. }))
                .count(),
            failures: failures
                .map(|(step, failure)| Unproven {
                    step: step_words(step),
                    failure: failure.clone(),
                })
                .collect(),
            warnings: warnings.cloned().collect(),
        }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let (pieces, left) = (self.pieces, self.left);
        let bytes = size(self.bytes);
        writeln!(
            text,
            "{pieces} pieces ({bytes}) read back and compared, {left} left for another time"
        )?;
        if self.whole_again > 0 {
            writeln!(text, "{} pieces are whole again", self.whole_again)?;
        }
        for damaged in &self.damaged {
            let (member, store, object) = (&damaged.member, &damaged.store, &damaged.object);
            let failure = damaged.failure.line();
            writeln!(text, "DAMAGED {member}: {object} in `{store}`: {failure}")?;
        }
        for failed in &self.failures {
            writeln!(text, "FAILED {}: {}", failed.step, failed.failure.line())?;
            if let Some(hint) = &failed.failure.hint {
                writeln!(text, "  hint: {hint}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(text, "WARNING {}: {}", warning.code, warning.message)?;
        }
        if self.copied > 0 {
            writeln!(text, "{} copies made that a store lacked", self.copied)?;
        }
        if self.damaged.iter().any(|damaged| !damaged.healed) {
            text.push_str("marks that need these pieces are no points any more: see `stopmark list`, and take a full\n");
        }
        Ok(())
    }
}

fn size_of(proven: &Proven<'_>) -> u64 {
    let stripes = proven.step.stripes.iter();
    stripes.map(|stripe| stripe.size_bytes).sum()
}

fn damaged(proven: &Proven<'_>) -> Option<Damaged> {
    let failure = proven.damage?.clone();
    let object = failure.context.iter().find(|(what, _)| what == "object");
    Some(Damaged {
        member: proven.step.member.to_string(),
        store: proven.step.copy.store.to_string(),
        object: object.map_or_else(String::new, |(_, key)| key.clone()),
        healed: proven.is_healed,
        failure,
    })
}

/// Proves copies again and writes down what was found. Damage is an exit code of its own, for schedulers.
pub(super) async fn scrub(
    common: &Common,
    args: &ScrubArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let agent = agent(common, Access::Act)?;
    let scrubbed = run_scrub(&agent.world, &agent.config, args.budget, interrupt).await;
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let scrubbed = scrubbed.map_err(one)?;
    released.map_err(one)?;
    let report = Report::of(&scrubbed);
    shown(out, &report, super::exit_of(&scrubbed.record))
}
