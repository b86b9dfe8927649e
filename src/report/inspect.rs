//! What backup files are by their own bytes: a row for each backup set, coverage, findings, and the chains.
//!
//! Start at [`InspectReport::of`]. Names in media are foreign text; [`plain`](crate::error::plain) makes them
//! harmless. Chains are told in `lineages`, findings in `remarks`.

use std::fmt::Write as _;

use comfy_table::Table;
use mtf::{BackupSet, Coverage, Level, Severity};
use serde::Serialize;

use super::bytes::{counted, size};
use super::lineages::LineageReport;
use super::places::shared_folder;
use super::remarks::{Remark, remarks};
use super::sets::STYLE;
use crate::error::plain::{plain, plain_within};
use crate::error::render::{ErrorJson, json};
use crate::error::{Exit, render};
use crate::media::{Backup, Digest, Examined, Gathered, Lineage, PassedOver, local};

/// Characters of a name in a table.
const NAME_CHARACTERS_MAX: usize = 40;
/// Characters of a file's name in a table.
const FILE_CHARACTERS_MAX: usize = 60;

/// Everything that was found at some sources.
#[derive(Debug, Serialize)]
pub struct InspectReport {
    /// How deep was looked, 1 to 3.
    pub level: u8,
    /// The files that are media or should be.
    pub files: Vec<FileReport>,
    /// What was found in their bytes, and of their stripes side by side; by file and place.
    pub findings: Vec<Remark>,
    /// Files that are no backups and are not named as any.
    pub passed_over: Vec<PassedOver>,
    /// What could not be read.
    pub unreadable: Vec<ErrorJson>,
    /// The databases and what they can be restored to; only where chains were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lineages: Option<Vec<LineageReport>>,
    /// What everything comes to, as the exit code of `stopmark inspect`.
    pub exit: u8,
    #[serde(skip)]
    verdict: Verdict,
    #[serde(skip)]
    errors: String,
}

/// One file.
#[derive(Debug, Serialize)]
pub struct FileReport {
    /// Its path or URL.
    pub place: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its digest of record; only at level 3.
    pub digest: Option<Digest>,
    /// Which stripe it is.
    pub stripe: u16,
    /// Of how many.
    pub stripes: u16,
    /// Whether it is a container of compressed media.
    pub is_compressed: bool,
    /// The backup sets in it.
    pub backups: Vec<BackupReport>,
}

/// One backup set in one file.
#[derive(Debug, Serialize)]
pub struct BackupReport {
    /// What it says of itself.
    #[serde(flatten)]
    pub identity: BackupSet,
    /// The deepest level that it passed, 0 for none; never 3 where nothing could be compared.
    pub level_reached: u8,
    #[serde(skip)]
    level: u8,
    /// The gravest finding that concerns it.
    pub worst: Option<Severity>,
    /// What was seen and verified.
    pub coverage: Coverage,
}

/// What everything comes to; the later, the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    #[default]
    Sound,
    Degraded,
    Failed,
    NothingRestorable,
}

impl InspectReport {
    /// The report on these files; on chains too, where lineages are given.
    #[must_use]
    pub fn of(
        level: Level,
        gathered: &Gathered,
        backups: &[Backup],
        lineages: Option<&[Lineage]>,
    ) -> Self {
        let examined = &gathered.examined;
        let findings = remarks(examined, backups);
        let reports = lineages.map(|lineages| LineageReport::all(lineages, examined));
        let verdict = verdict(&findings, gathered, reports.as_deref());
        Self {
            level: level.number(),
            files: examined.iter().map(FileReport::of).collect(),
            findings,
            passed_over: gathered.passed_over.clone(),
            unreadable: gathered.faults.iter().map(json).collect(),
            lineages: reports,
            exit: verdict.exit() as u8,
            verdict,
            errors: gathered.faults.iter().map(render::text).collect(),
        }
    }

    /// Damage and unreadable files are a failure, everything else that is not as it should be a degraded
    /// success; nothing restorable is told only where chains were asked for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.verdict.exit()
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.heading();
        if self.files.iter().any(|file| !file.backups.is_empty()) {
            text.push_str(&self.identities());
            if self.level == Level::Content.number() {
                text.push_str(&self.coverage());
            }
        }
        text.push_str(&Remark::lines(&self.findings));
        text.push_str(&self.errors);
        for lineage in self.lineages.iter().flatten() {
            text.push_str(&lineage.text());
        }
        let codes = self.findings.iter().filter_map(|remark| remark.code);
        let of_chains = self
            .lineages
            .iter()
            .flatten()
            .flat_map(LineageReport::codes);
        text.push_str(&Remark::hints(codes.chain(of_chains)));
        text.push_str(&self.ending());
        text
    }

    fn heading(&self) -> String {
        let bytes = self.files.iter().map(|file| file.size_bytes).sum();
        let sets: usize = self.files.iter().map(|file| file.backups.len()).sum();
        let mut text = format!(
            "{} ({}) with {}\n",
            counted(self.files.len(), "file"),
            size(bytes),
            counted(sets, "backup")
        );
        for (is_sealed, why) in [(false, "no backup"), (true, "sealed (age)")] {
            let of_kind = |file: &&PassedOver| file.is_sealed == is_sealed;
            let mut files = self.passed_over.iter().filter(of_kind);
            if let Some(first) = files.next() {
                let place = plain(&first.place.to_string());
                let more = match files.count() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                line(
                    &mut text,
                    &format!("passed over, being {why}: {place}{more}"),
                );
            }
        }
        text
    }

    /// Who, what and when.
    fn identities(&self) -> String {
        let mut table = table(&[
            "file",
            "#",
            "backup",
            "database",
            "first LSN",
            "last LSN",
            "finished",
            "server",
            "stripe",
            "checksums",
            "proven",
        ]);
        let folder = self.folder();
        for (file, backup) in self.rows() {
            let set = &backup.identity;
            let finished = set.finished.map(|at| local(set, at).to_string());
            table.add_row([
                file.name(&folder),
                set.position.to_string(),
                kind_word(set),
                plain_within(&set.database_name, NAME_CHARACTERS_MAX),
                set.first_lsn.to_string(),
                set.last_lsn.to_string(),
                finished.unwrap_or_else(|| "?".to_owned()),
                format!(
                    "{} {}",
                    plain_within(&set.server_name, NAME_CHARACTERS_MAX),
                    set.server_version
                ),
                format!("{} of {}", file.stripe, file.stripes),
                if set.has_backup_checksums() {
                    "yes"
                } else {
                    "no"
                }
                .to_owned(),
                backup.proven(),
            ]);
        }
        format!("below {}\n{table}\n", plain(&folder))
    }

    /// How much of the content could be proved.
    fn coverage(&self) -> String {
        let mut table = table(&[
            "file",
            "#",
            "pages seen",
            "allocated",
            "protected",
            "verified",
            "unprotected",
            "use unknown",
            "log blocks",
            "records",
            "streams",
        ]);
        let folder = self.folder();
        for (file, backup) in self.rows() {
            let Coverage {
                streams,
                pages,
                log,
                records,
            } = backup.coverage;
            let verified = pages.verified + pages.not_torn;
            let unknown = pages.unplaced_sound + pages.unplaced_suspect + pages.unplaced;
            table.add_row([
                file.name(&folder),
                backup.identity.position.to_string(),
                pages.seen.to_string(),
                pages.allocated().to_string(),
                (verified + pages.bad).to_string(),
                verified.to_string(),
                pages.unprotected.to_string(),
                share(pages.unplaced_sound, unknown),
                share(log.verified, log.blocks),
                share(records.verified, records.seen),
                // Streams of a backup without checksums cannot be verified and are none that were not.
                share(
                    streams.verified,
                    streams.seen * u64::from(backup.identity.has_backup_checksums()),
                ),
            ]);
        }
        format!("\n{table}\n")
    }

    fn rows(&self) -> impl Iterator<Item = (&FileReport, &BackupReport)> {
        let of = |file| move |backup| (file, backup);
        self.files
            .iter()
            .flat_map(move |file: &FileReport| file.backups.iter().map(of(file)))
    }

    fn folder(&self) -> String {
        let places: Vec<String> = self.files.iter().map(|file| file.place.clone()).collect();
        shared_folder(&places)
    }

    fn ending(&self) -> String {
        let verdict = match self.verdict {
            _ if self.files.is_empty() && self.unreadable.is_empty() => "NO backup is here",
            Verdict::Sound => "sound",
            Verdict::NothingRestorable => "NOTHING can be restored from these files",
            Verdict::Failed | Verdict::Degraded => "NOT all is well",
        };
        let counts = self.counts();
        let told = counts.iter().filter(|(_, count)| *count > 0);
        let told: Vec<String> = told
            .map(|(word, count)| format!("{word} {count}"))
            .collect();
        let told = if told.is_empty() {
            String::new()
        } else {
            format!(": {}", told.join(", "))
        };
        format!("{verdict}{told}\n{}\n", meaning(self.level))
    }

    /// How much there is of what is not as it should be.
    fn counts(&self) -> [(&'static str, usize); 7] {
        let count = |wanted: Severity| {
            let of = |remark: &&Remark| remark.severity == wanted && !remark.is_missing_stripe();
            self.findings.iter().filter(of).count()
        };
        let missing = self
            .findings
            .iter()
            .filter(|remark| remark.is_missing_stripe());
        let in_chains =
            |of: fn(&LineageReport) -> usize| self.lineages.iter().flatten().map(of).sum();
        [
            ("damage", count(Severity::Damage)),
            ("not understood", count(Severity::Unreadable)),
            ("suspect", count(Severity::Suspect)),
            ("not read", self.unreadable.len()),
            ("missing stripes", missing.count()),
            ("breaks", in_chains(|lineage| lineage.breaks.len())),
            ("contests", in_chains(|lineage| lineage.contests.len())),
        ]
    }
}

impl FileReport {
    fn of(examined: &Examined) -> Self {
        let media = examined.report.media.as_ref();
        let backups = examined.report.sets.iter().enumerate().map(|(at, set)| {
            let alone = examined.report.part(at);
            BackupReport {
                identity: set.identity.clone(),
                level_reached: alone.level_reached().map_or(0, Level::number),
                level: examined.level.number(),
                worst: alone.worst(),
                coverage: set.coverage,
            }
        });
        Self {
            place: examined.place.to_string(),
            size_bytes: examined.size_bytes,
            digest: examined.digest,
            stripe: media.map_or(1, |media| media.family_number),
            stripes: media.map_or(1, |media| media.family_count),
            is_compressed: examined.report.is_compressed,
            backups: backups.collect(),
        }
    }

    /// The name below the folder of all.
    fn name(&self, folder: &str) -> String {
        let below = self.place.strip_prefix(folder).unwrap_or(&self.place);
        plain_within(below, FILE_CHARACTERS_MAX)
    }
}

impl BackupReport {
    fn proven(&self) -> String {
        let but = match self.worst {
            Some(Severity::Damage) => "DAMAGED",
            Some(Severity::Unreadable) => "in part",
            Some(Severity::Suspect) => "suspect",
            Some(Severity::Note) | None if self.level_reached < self.level => "no checksums",
            Some(Severity::Note) | None => "",
        };
        match (self.level_reached, but) {
            (0, but) => but.to_owned(),
            (level, "") => format!("L{level}"),
            (level, but) => format!("L{level}, {but}"),
        }
    }
}

impl Verdict {
    const fn exit(self) -> Exit {
        match self {
            Self::Sound => Exit::Ok,
            Self::Degraded => Exit::Degraded,
            Self::Failed => Exit::Failed,
            Self::NothingRestorable => Exit::NothingRestorable,
        }
    }
}

fn verdict(
    findings: &[Remark],
    gathered: &Gathered,
    lineages: Option<&[LineageReport]>,
) -> Verdict {
    let worst = findings.iter().map(|remark| remark.severity).max();
    let by_bytes = match worst {
        Some(Severity::Damage) => Verdict::Failed,
        Some(Severity::Unreadable | Severity::Suspect) => Verdict::Degraded,
        Some(Severity::Note) | None => Verdict::Sound,
    };
    let by_reading = match (gathered.faults.as_slice(), gathered.examined.as_slice()) {
        ([], []) => Verdict::Degraded,
        ([], _) => Verdict::Sound,
        (_, _) => Verdict::Failed,
    };
    let by_chains = lineages.map_or(Verdict::Sound, |lineages| {
        if !lineages.iter().any(LineageReport::is_restorable) {
            Verdict::NothingRestorable
        } else if lineages.iter().all(LineageReport::is_whole) {
            Verdict::Sound
        } else {
            Verdict::Degraded
        }
    });
    by_bytes.max(by_reading).max(by_chains)
}

/// What a level proves and what it does not.
const fn meaning(level: u8) -> &'static str {
    match level {
        1 => {
            "level 1: headers, their order and the end of each file; nothing was looked at that they enclose"
        }
        2 => {
            "level 2: what each backup says it is, told twice and compared; pages and log were not looked at"
        }
        _ => {
            "level 3: what was verified is what SQL Server wrote; whether it restores, only a restore proves"
        }
    }
}

/// The kind of a backup set in a word.
pub(super) fn kind_word(set: &BackupSet) -> String {
    match set.kind {
        mtf::BackupKind::Full => "full".to_owned(),
        mtf::BackupKind::Differential => "diff".to_owned(),
        mtf::BackupKind::Log => "log".to_owned(),
        mtf::BackupKind::Other(_) => plain(&format!("type {}", set.kind.letter())),
    }
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "-".to_owned()
    } else {
        format!("{part} of {whole}")
    }
}

fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(columns.to_vec());
    table
}

fn line(text: &mut String, what: &str) {
    writeln!(text, "{what}").expect("a string takes everything");
}
