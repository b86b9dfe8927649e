//! What databases can be restored to from some files: spans of moments, breaks, contests and copies.
//!
//! Start at [`LineageReport::all`]. It words what `media::follow` found and judges nothing.

use std::fmt::Write as _;

use serde::Serialize;

use super::bytes::counted;
use super::inspect::kind_word;
use super::places::{files_words, shared_folder};
use super::remarks::missing_words;
use crate::chain::Break;
use crate::error::Code;
use crate::error::plain::{plain, plain_within};
use crate::media::{Backup, Contest, ContestKind, Examined, Gap, Lineage, Span, base_of, local};
use crate::model::{Lsn, ServerLocal};

const NAME_CHARACTERS_MAX: usize = 60;

/// One database over all its forks.
#[derive(Clone, Debug, Serialize)]
pub struct LineageReport {
    /// What stays the same over restores.
    pub family_guid: String,
    /// The names that it had, the newest first.
    pub databases: Vec<String>,
    /// The servers that it was backed up on, the newest first.
    pub servers: Vec<String>,
    /// Its backups, in the order of restoring.
    pub backups: Vec<BackupLine>,
    /// What it can be restored to, oldest first.
    pub restorable: Vec<SpanLine>,
    /// Where its chain stops.
    pub breaks: Vec<GapLine>,
    /// Backups of which at most one can be right.
    pub contests: Vec<ContestLine>,
    #[serde(skip)]
    is_whole: bool,
    #[serde(skip)]
    folder: String,
    #[serde(skip)]
    unused: Vec<String>,
}

/// One backup.
#[derive(Clone, Debug, Serialize)]
pub struct BackupLine {
    /// Its files, the first stripe first.
    pub files: Vec<String>,
    /// Its place in them, from 1.
    pub position: u16,
    /// Full, diff or log.
    pub kind: String,
    /// Its backup set GUID.
    pub set_guid: String,
    /// The first LSN.
    pub first_lsn: Lsn,
    /// The LSN after it.
    pub last_lsn: Lsn,
    /// Whether all its stripes are there and undamaged.
    pub is_whole: bool,
    /// Further files that hold the same.
    pub copies: Vec<String>,
}

/// A stretch of moments.
#[derive(Clone, Debug, Serialize)]
pub struct SpanLine {
    /// Where it begins: the end of a full or differential, on the server's clock.
    pub from: ServerLocal,
    /// Where it ends: when the last log backup began; the same as `from` where there is no log.
    pub to: ServerLocal,
    /// Where the log stands at its beginning.
    pub from_lsn: Lsn,
    /// Where the log stands at its end.
    pub to_lsn: Lsn,
    /// Logs in it that can be passed but not stopped in, by their number in `backups`.
    pub minimally_logged: Vec<usize>,
    /// The fewest backups that reach its end, by their number in `backups`.
    pub way: Vec<usize>,
    #[serde(skip)]
    words: String,
}

/// Where a chain stops.
#[derive(Clone, Debug, Serialize)]
pub struct GapLine {
    /// The stable code.
    pub code: &'static str,
    /// Why, for programs.
    pub reason: Break,
    /// Why, for people.
    pub message: String,
    /// What cannot be reached, by number in `backups`.
    pub unreached: Vec<usize>,
    /// What would lead on if it were whole, by number in `backups`.
    pub spoiled: Vec<usize>,
    #[serde(skip)]
    words: String,
}

/// Backups that claim the same.
#[derive(Clone, Debug, Serialize)]
pub struct ContestLine {
    /// The stable code.
    pub code: &'static str,
    /// What they claim and who does.
    pub message: String,
    /// Who, by number in `backups`; the first one was used.
    pub backups: Vec<usize>,
}

/// What words are made from.
struct Ctx<'a> {
    lineage: &'a Lineage,
    examined: &'a [Examined],
    /// What all its files lie in.
    folder: String,
}

impl LineageReport {
    /// The reports on all lineages.
    #[must_use]
    pub fn all(lineages: &[Lineage], examined: &[Examined]) -> Vec<Self> {
        let of = |lineage: &Lineage| {
            let files = lineage.backups.iter().flat_map(Backup::files);
            let places: Vec<String> = files.map(|at| examined[at].place.to_string()).collect();
            Self::of(&Ctx {
                lineage,
                examined,
                folder: shared_folder(&places),
            })
        };
        lineages.iter().map(of).collect()
    }

    fn of(ctx: &Ctx<'_>) -> Self {
        let lineage = ctx.lineage;
        Self {
            family_guid: lineage.family_guid.to_string(),
            databases: lineage.databases.clone(),
            servers: lineage.servers.clone(),
            backups: lineage.backups.iter().map(|it| ctx.backup(it)).collect(),
            restorable: lineage.spans.iter().map(|it| ctx.span(it)).collect(),
            breaks: lineage.gaps.iter().map(|it| ctx.gap(it)).collect(),
            contests: lineage.contests.iter().map(|it| ctx.contest(it)).collect(),
            is_whole: lineage.is_whole(),
            folder: ctx.folder.clone(),
            unused: ctx.unused(),
        }
    }

    /// Whether it can be restored to anything.
    #[must_use]
    pub fn is_restorable(&self) -> bool {
        !self.restorable.is_empty()
    }

    /// Whether everything in it serves.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The codes of everything in it that is not as it should be.
    pub(super) fn codes(&self) -> impl Iterator<Item = &'static str> + '_ {
        let breaks = self.breaks.iter().map(|it| it.code);
        breaks.chain(self.contests.iter().map(|it| it.code))
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "\ndatabase {} on {} (family {}), {} below {}\n",
            names(&self.databases),
            names(&self.servers),
            self.family_guid,
            counted(self.backups.len(), "backup"),
            plain(&self.folder)
        );
        let mut line = |what: &str| writeln!(text, "  {what}").expect("a string takes everything");
        self.restorable.iter().for_each(|it| line(&it.words));
        if self.restorable.is_empty() {
            line("CANNOT be restored from these files");
        }
        self.breaks.iter().for_each(|it| line(&it.words));
        self.unused.iter().for_each(|it| line(it));
        for contest in &self.contests {
            line(&format!("CONTEST {} [{}]", contest.message, contest.code));
        }
        for backup in self.backups.iter().filter(|it| !it.copies.is_empty()) {
            let copies: Vec<String> = backup.copies.iter().map(|it| plain(it)).collect();
            let first = backup.files.first().map_or("", String::as_str);
            line(&format!(
                "copies of {}: {}",
                plain(first),
                copies.join(", ")
            ));
        }
        text
    }
}

impl Ctx<'_> {
    fn backup(&self, backup: &Backup) -> BackupLine {
        let place = |file: usize| self.examined[file].place.to_string();
        let set = &backup.identity;
        BackupLine {
            files: backup.files().map(place).collect(),
            position: set.position,
            kind: kind_word(set),
            set_guid: set.set_guid.to_string(),
            first_lsn: set.first_lsn,
            last_lsn: set.last_lsn,
            is_whole: backup.is_whole(),
            copies: backup.copies.iter().map(|file| place(*file)).collect(),
        }
    }

    fn span(&self, span: &Span) -> SpanLine {
        let finished = |at: usize| {
            let set = &self.lineage.backups[at].identity;
            local(set, set.finished.unwrap_or(set.started))
        };
        let from = finished(span.base);
        // A log backup holds what was committed before it began; what came while it ran, it may not hold.
        let to = span.logs.last().map_or(from, |&at| {
            let set = &self.lineage.backups[at].identity;
            let moments = [local(set, set.started), finished(at)];
            // Clocks go back; a span does not.
            let later = moments.into_iter().find(|to| to.civil >= from.civil);
            later.unwrap_or(from)
        });
        let is_bulk = |at: &&usize| self.lineage.backups[**at].identity.has_bulk_logged_data();
        let minimally_logged: Vec<usize> = span.logs.iter().filter(is_bulk).copied().collect();
        SpanLine {
            from,
            to,
            from_lsn: span.from,
            to_lsn: span.to,
            words: self.span_words(span, (from, to), &minimally_logged),
            minimally_logged,
            way: span.way.clone(),
        }
    }

    fn span_words(
        &self,
        span: &Span,
        (from, to): (ServerLocal, ServerLocal),
        minimally_logged: &[usize],
    ) -> String {
        let moments = if span.logs.is_empty() {
            format!("can be restored to its state of {from} (LSN {})", span.from)
        } else {
            format!(
                "can be restored to any moment from {from} to {to} (LSN {} to {})",
                span.from, span.to
            )
        };
        let but = if minimally_logged.is_empty() {
            String::new()
        } else {
            let logs = self.names(minimally_logged);
            format!("\n    but to none inside {logs}: minimally logged changes")
        };
        format!("{moments}\n    its end by {}{but}", self.names(&span.way))
    }

    fn gap(&self, gap: &Gap) -> GapLine {
        let first = &gap.unreached[..gap.unreached.len().min(1)];
        let message = format!("before {}: {}", self.names(first), self.reason(gap));
        let spoiled = gap.spoiled.iter().map(|&at| {
            let (name, why) = (self.names(&[at]), spoiled_words(&self.lineage.backups[at]));
            format!("\n    {name} would lead on, but {why}")
        });
        let unreached = format!("\n    out of reach: {}", self.names(&gap.unreached));
        GapLine {
            code: Code::ChainBroken.text(),
            reason: gap.reason.clone(),
            words: format!(
                "BREAK   {message} [{}]{}{unreached}",
                Code::ChainBroken,
                spoiled.collect::<String>()
            ),
            message,
            unreached: gap.unreached.clone(),
            spoiled: gap.spoiled.clone(),
        }
    }

    /// What is not whole and is told at no break.
    fn unused(&self) -> Vec<String> {
        let is_told = |at: &usize| self.lineage.gaps.iter().any(|gap| gap.spoiled.contains(at));
        let backups = self.lineage.backups.iter().enumerate();
        let spoiled = backups.filter(|(at, backup)| !backup.is_whole() && !is_told(at));
        spoiled
            .map(|(at, backup)| format!("UNUSED  {} {}", self.names(&[at]), spoiled_words(backup)))
            .collect()
    }

    fn reason(&self, gap: &Gap) -> String {
        match &gap.reason {
            Break::LogLost { reached, next } => {
                format!("no whole backup here holds the log from LSN {reached} to {next}")
            }
            Break::NoFull => self.base_words(gap),
            other => other.to_string(),
        }
    }

    fn base_words(&self, gap: &Gap) -> String {
        let first = gap.unreached.first();
        let base = first.and_then(|&at| base_of(&self.lineage.backups[at].identity));
        let named = base.map_or_else(String::new, |base| format!(" (it names {base})"));
        format!("no whole full backup here leads to it{named}")
    }

    fn contest(&self, contest: &Contest) -> ContestLine {
        let claims = match contest.kind {
            ContestKind::Identity => "have one backup set GUID but differ in what they say",
            ContestKind::Place => "hold the same stretch of log but are different backups",
        };
        let used = &contest.backups[..contest.backups.len().min(1)];
        ContestLine {
            code: Code::PlaceContested.text(),
            message: format!(
                "{} {claims}; {} was used",
                self.names(&contest.backups),
                self.names(used)
            ),
            backups: contest.backups.clone(),
        }
    }

    fn names(&self, numbers: &[usize]) -> String {
        let backups: Vec<&Backup> = numbers
            .iter()
            .map(|&at| &self.lineage.backups[at])
            .collect();
        plain(&files_words(&backups, self.examined, &self.folder))
    }
}

/// Why a backup leads nowhere.
fn spoiled_words(backup: &Backup) -> String {
    let missing: Vec<u16> = backup.missing().collect();
    if missing.is_empty() {
        "is damaged".to_owned()
    } else {
        let missing = missing_words(&missing, backup.stripe_count);
        format!("is not whole: {missing}")
    }
}

fn names(names: &[String]) -> String {
    let quoted = |name: &String| format!("`{}`", plain_within(name, NAME_CHARACTERS_MAX));
    let quoted: Vec<String> = names.iter().map(quoted).collect();
    quoted.join(", ")
}
