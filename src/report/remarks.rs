//! Findings in backup files as lines for people, each with its code, its place and what it means.
//!
//! Start at [`remarks`]. Hints stand once, below the findings, however many ask for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use mtf::{FindingKind, Severity};
use serde::Serialize;

use crate::error::Code;
use crate::error::plain::plain;
use crate::media::{Backup, Examined};

/// Findings of one file that a person is told.
const LINES_MAX: usize = 20;

/// One finding.
#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    /// The file; of several stripes the first one.
    pub place: String,
    /// Where in it, in bytes; none for what is said of a whole file or of stripes side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How grave it is.
    pub severity: Severity,
    /// The stable code; none for notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// One line.
    pub message: String,
    /// The finding as `mtf` has it; none for what is said of several files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingKind>,
}

/// Every finding in these files, and of their stripes side by side.
#[must_use]
pub fn remarks(examined: &[Examined], backups: &[Backup]) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = examined.iter().flat_map(of_file).collect();
    for backup in backups {
        remarks.extend(of_stripes(backup, examined));
    }
    remarks
}

impl Remark {
    /// A line for each, of one file no more than fill a screen; which stripe a file is, the table above tells.
    pub(super) fn lines(remarks: &[Self]) -> String {
        let is_new = |remark: &&Self| !matches!(remark.finding, Some(FindingKind::StripeOf { .. }));
        let told: Vec<&Self> = remarks.iter().filter(is_new).collect();
        let mut text = String::new();
        for of_file in told.chunk_by(|one, other| one.place == other.place) {
            of_file
                .iter()
                .take(LINES_MAX)
                .for_each(|remark| remark.tell(&mut text));
            if let Some(more) = of_file
                .len()
                .checked_sub(LINES_MAX)
                .filter(|more| *more > 0)
            {
                let place = plain(&of_file[0].place);
                writeln!(
                    text,
                    "        {place}: {more} more findings, which `--json` lists"
                )
                .expect("a string takes everything");
            }
        }
        text
    }

    fn tell(&self, text: &mut String) {
        let word = match self.severity {
            _ if self.is_missing_stripe() => "MISSING",
            Severity::Damage => "DAMAGE",
            Severity::Unreadable => "UNREAD",
            Severity::Suspect => "SUSPECT",
            Severity::Note => "note",
        };
        let at = self
            .offset
            .map_or_else(String::new, |at| format!(", byte {at}"));
        let code = self
            .code
            .map_or_else(String::new, |code| format!(" [{code}]"));
        let (place, message) = (plain(&self.place), plain(&self.message));
        writeln!(text, "{word:<7} {place}{at}: {message}{code}")
            .expect("a string takes everything");
    }

    /// Whether it tells that a stripe is missing.
    pub(super) fn is_missing_stripe(&self) -> bool {
        self.code == Some(Code::StripeMissing.text())
    }

    /// What a person should do about these codes, a line for each.
    pub(super) fn hints(codes: impl Iterator<Item = &'static str>) -> String {
        let codes: BTreeSet<&str> = codes.collect();
        let hint = |code: &&str| HINTS.iter().find(|(of, _)| of.text() == *code);
        let hints = codes.iter().filter_map(hint);
        hints.fold(String::new(), |mut text, (code, hint)| {
            writeln!(text, "  hint [{code}]: {hint}").expect("a string takes everything");
            text
        })
    }
}

/// What helps.
const HINTS: &[(Code, &str)] = &[
    (
        Code::ChainBroken,
        "look for the missing backup elsewhere; a differential or full taken now begins a new stretch",
    ),
    (
        Code::PlaceContested,
        "one of them is a copy-only backup, or was altered: ask who took them before you trust either",
    ),
    (
        Code::MediaUnsound,
        "these bytes are not what SQL Server wrote: look for another copy, and take a new backup",
    ),
    (
        Code::NoMedia,
        "nothing was proved of these: they are something else, or of a kind that is not opened",
    ),
    (
        Code::StripeMissing,
        "a striped backup restores only with all its files: name the folder that holds the others too",
    ),
    (
        Code::MediaSuspect,
        "what would tell damage from stale bytes is not in this file: look at all stripes together",
    ),
];

fn of_file(examined: &Examined) -> impl Iterator<Item = Remark> + '_ {
    let place = || examined.place.to_string();
    let findings = examined.report.findings.iter().map(move |finding| {
        let severity = finding.kind.severity();
        Remark {
            place: place(),
            offset: Some(finding.offset),
            severity,
            code: code_of(severity).map(Code::text),
            message: finding.kind.to_string(),
            finding: Some(finding.kind.clone()),
        }
    });
    let more = examined.report.findings_not_kept;
    let rest = (more > 0).then(|| Remark {
        place: place(),
        offset: None,
        severity: Severity::Note,
        code: None,
        message: format!("{more} further findings were counted but not kept"),
        finding: None,
    });
    findings.chain(rest)
}

fn of_stripes<'a>(
    backup: &'a Backup,
    examined: &'a [Examined],
) -> impl Iterator<Item = Remark> + 'a {
    let place = || {
        let first = backup.files().next();
        first.map_or_else(String::new, |file| examined[file].place.to_string())
    };
    let remark = move |severity, code: Code, message| Remark {
        place: place(),
        offset: None,
        severity,
        code: Some(code.text()),
        message,
        finding: None,
    };
    let missing: Vec<u16> = backup.missing().collect();
    let missing = (!missing.is_empty()).then(|| {
        let message = missing_words(&missing, backup.stripe_count);
        remark(Severity::Unreadable, Code::StripeMissing, message)
    });
    let disagreements = backup.disagreements.iter().cloned();
    let disagreements =
        disagreements.map(move |message| remark(Severity::Damage, Code::MediaUnsound, message));
    missing.into_iter().chain(disagreements)
}

/// `stripe 2 of 2 is missing`, `stripes 3, 4, 5 and 9 more of 12 are missing`.
pub(super) fn missing_words(missing: &[u16], count: u16) -> String {
    const NAMED_MAX: usize = 8;
    match missing {
        [only] => format!("stripe {only} of {count} is missing"),
        several => {
            let named = several.iter().take(NAMED_MAX);
            let named: Vec<String> = named.map(ToString::to_string).collect();
            let more = several.len().saturating_sub(NAMED_MAX);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            format!("stripes {}{more} of {count} are missing", named.join(", "))
        }
    }
}

const fn code_of(severity: Severity) -> Option<Code> {
    match severity {
        Severity::Damage => Some(Code::MediaUnsound),
        Severity::Unreadable => Some(Code::NoMedia),
        Severity::Suspect => Some(Code::MediaSuspect),
        Severity::Note => None,
    }
}
