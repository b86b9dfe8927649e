//! An adoption told to people: what became of every file, what each member can be restored to, and the run.

use std::fmt::Write as _;

use serde::Serialize;

use super::chains::ChainReport;
use super::run::RunReport;
use crate::error::plain::plain;
use crate::error::{Code, Exit};
use crate::model::{GroupName, Lsn, MemberName, Piece, PieceKind, ServerLocal};
use crate::plan::{self, Adoption, Becomes, Judged, Plan};

/// What an adoption did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptReport {
    /// The group.
    pub group: GroupName,
    /// Every backup and every other file, in the order of places.
    pub found: Vec<FoundReport>,
    /// The chains of the members that something was offered to, with what is adopted.
    pub members: Vec<ChainReport>,
    /// The plan, where nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The run; none where there was nothing to adopt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunReport>,
}

/// One backup, or a file that is none.
#[derive(Clone, Debug, Serialize)]
pub struct FoundReport {
    /// Its files, one a stripe.
    pub places: Vec<String>,
    /// What it is; none where that could not be read.
    pub backup: Option<BackupReport>,
    /// What becomes of it.
    #[serde(flatten)]
    pub becomes: BecomesReport,
}

/// What a backup is, as its media tell it.
#[derive(Clone, Debug, Serialize)]
pub struct BackupReport {
    /// Its place on its medium, `FILE = n` of a restore, where that is not the first.
    #[serde(skip_serializing_if = "crate::model::is_first_on_medium")]
    pub position: u16,
    /// Full, differential or log.
    pub kind: PieceKind,
    /// The server and database that the media name.
    pub of: MemberName,
    /// The first LSN.
    pub first_lsn: Lsn,
    /// The LSN after it.
    pub last_lsn: Lsn,
    /// When it ended, on its host's clock.
    pub finished: ServerLocal,
}

/// What becomes of a backup.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "becomes", rename_all = "snake_case")]
pub enum BecomesReport {
    /// A piece.
    Adopted {
        /// Of this member.
        member: MemberName,
        /// What it does for the chain.
        reason: String,
    },
    /// Nothing: the store holds it.
    Held {
        /// In this set.
        set: String,
    },
    /// Nothing: it lies here once more.
    CopyOf {
        /// The files that are looked at instead.
        copy_of: Vec<String>,
    },
    /// Nothing: it is no backup.
    NoBackup,
    /// Nothing, and somebody should know why.
    Refused {
        /// The stable code.
        code: &'static str,
        /// One line.
        message: String,
        /// What a person should do.
        hint: String,
    },
}

impl AdoptReport {
    /// The report of what was judged; `pieces` are all that the group's members have, the adopted ones included.
    #[must_use]
    pub fn of(adoption: &Adoption, pieces: &[Piece]) -> Self {
        Self {
            group: adoption.plan.group.clone(),
            found: adoption.judged.iter().map(found).collect(),
            members: members(adoption, pieces),
            plan: None,
            run: None,
        }
    }

    /// How a command ends that has only this to tell.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let has =
            |is_it: fn(&BecomesReport) -> bool| self.found.iter().any(|it| is_it(&it.becomes));
        let is_refused = has(|it| matches!(it, BecomesReport::Refused { .. }));
        let is_known = has(|it| {
            matches!(
                it,
                BecomesReport::Adopted { .. } | BecomesReport::Held { .. }
            )
        });
        match (is_refused, is_known) {
            (false, true) => Exit::Ok,
            (true, true) => Exit::Degraded,
            (_, false) => Exit::Failed,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for found in &self.found {
            text.push_str(&found.text());
        }
        if self.found.is_empty() {
            text.push_str("nothing lies there\n");
        }
        for member in &self.members {
            text.push_str(&member.text());
        }
        match (&self.plan, &self.run) {
            (Some(plan), _) => text.push_str(&plan::show(plan)),
            (None, Some(run)) => text.push_str(&run.text()),
            (None, None) => text.push_str("nothing was adopted\n"),
        }
        text
    }
}

/// The members that something was adopted for or held of.
fn members(adoption: &Adoption, pieces: &[Piece]) -> Vec<ChainReport> {
    let guids = adoption.judged.iter().filter_map(|it| match it.becomes {
        Becomes::Adopted { .. } | Becomes::Held { .. } => Some(it.piece.as_ref()?.backup_set_guid),
        _ => None,
    });
    let guids: Vec<uuid::Uuid> = guids.collect();
    let concerned = pieces
        .iter()
        .filter(|piece| guids.contains(&piece.backup_set_guid))
        .map(|piece| &piece.member);
    let concerned: std::collections::BTreeSet<&MemberName> = concerned.collect();
    let chain = |member: &MemberName| {
        let own: Vec<&Piece> = pieces
            .iter()
            .filter(|piece| piece.member == *member)
            .collect();
        ChainReport::of(member, &own)
    };
    concerned.into_iter().map(chain).collect()
}

fn found(judged: &Judged) -> FoundReport {
    let backup = judged.piece.as_ref().map(|piece| BackupReport {
        position: piece.position,
        kind: piece.kind,
        of: piece.member.clone(),
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        finished: piece.finished,
    });
    FoundReport {
        places: judged.places.clone(),
        backup,
        becomes: match &judged.becomes {
            Becomes::Adopted { member, reason, .. } => BecomesReport::Adopted {
                member: member.clone(),
                reason: reason.clone(),
            },
            Becomes::Held { set } => BecomesReport::Held { set: set.clone() },
            Becomes::CopyOf { places } => BecomesReport::CopyOf {
                copy_of: places.clone(),
            },
            Becomes::NoBackup => BecomesReport::NoBackup,
            Becomes::Refused {
                code,
                message,
                hint,
            } => refused(*code, message, hint),
        },
    }
}

fn refused(code: Code, message: &str, hint: &str) -> BecomesReport {
    BecomesReport::Refused {
        code: code.text(),
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

impl FoundReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for place in &self.places {
            writeln!(text, "{}", plain(place)).expect("a string takes everything");
        }
        if let Some(backup) = &self.backup {
            let (kind, of) = (backup.kind.word(), &backup.of);
            let on_it = match backup.position {
                1 => String::new(),
                position => format!(", backup {position} of this medium"),
            };
            let words = format!("  {kind} of {of}, finished {}{on_it}", backup.finished);
            writeln!(text, "{}", plain(&words)).expect("a string takes everything");
        }
        for line in self.becomes.lines() {
            writeln!(text, "  {}", plain(&line)).expect("a string takes everything");
        }
        text
    }
}

impl BecomesReport {
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Adopted { member, reason } => vec![format!("adopt for {member}: {reason}")],
            Self::Held { set } => vec![format!("in the store already, in set {set}")],
            Self::CopyOf { copy_of } => vec![format!("a copy of {}", copy_of.join(", "))],
            Self::NoBackup => vec!["no backup of SQL Server".to_owned()],
            Self::Refused {
                code,
                message,
                hint,
            } => vec![
                format!("REFUSED {code}: {message}"),
                format!("hint: {hint}"),
            ],
        }
    }
}
