//! From examined files to what can be adopted. Start at [`offers`].
//!
//! Stripes become backups as `media::join` says; what is not whole, not sound or no backup at all is put aside with the
//! reason. Pure: files in, offers out.

use std::collections::BTreeMap;

use mtf::{Finding, FindingKind, Severity};
use uuid::Uuid;

use crate::error::Code;
use crate::media::{Backup, Examined, Place, join, piece};
use crate::model::{CHUNK_SIZE_BYTES, MemberName, NameError, PieceId, StoredStripe};
use crate::plan::{Becomes, Found, Offer};

/// What was found, sorted out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offered {
    /// Whole and sound backups, by place.
    pub offers: Vec<Offer>,
    /// Everything else.
    pub others: Vec<Found>,
}

/// Sorts out examined files.
#[must_use]
pub fn offers(examined: &[Examined]) -> Offered {
    let mut offered = Offered::default();
    let (some, none): (Vec<&Examined>, Vec<&Examined>) = examined
        .iter()
        .partition(|file| !file.report.sets.is_empty());
    offered.others.extend(none.into_iter().map(no_set));
    let some: Vec<Examined> = some.into_iter().cloned().collect();
    for backup in join(&some) {
        let places: Vec<String> = backup
            .files()
            .map(|at| some[at].place.to_string())
            .collect();
        for copy in &backup.copies {
            let copy = Found {
                places: vec![some[*copy].place.to_string()],
                becomes: Becomes::CopyOf {
                    places: places.clone(),
                },
            };
            // Of a medium with several backups all may be copies.
            if !offered.others.contains(&copy) {
                offered.others.push(copy);
            }
        }
        match offer(&some, &backup, &places) {
            Ok(offer) => offered.offers.push(offer),
            Err(becomes) => offered.others.push(Found { places, becomes }),
        }
    }
    offered
}

/// A file that holds no backup that could be read.
fn no_set(file: &Examined) -> Found {
    Found {
        places: vec![file.place.to_string()],
        becomes: why_none(file),
    }
}

fn why_none(file: &Examined) -> Becomes {
    let gravest = gravest(&file.report.findings);
    match gravest.map(|finding| &finding.kind) {
        Some(FindingKind::NotMedia | FindingKind::ForeignSoftware { .. }) => Becomes::NoBackup,
        Some(
            FindingKind::Container
            | FindingKind::OlderContainer
            | FindingKind::UnknownRecord { .. },
        ) => refused(
            Code::NoMedia,
            "it is compressed or encrypted in a way that cannot be read, so nobody knows what it is".to_owned(),
            "restore it by hand, or take a new backup without that compression or encryption",
        ),
        _ => damaged(gravest),
    }
}

/// The backup as an offer, or why it is none.
fn offer(files: &[Examined], backup: &Backup, places: &[String]) -> Result<Offer, Becomes> {
    let missing: Vec<String> = backup.missing().map(|number| number.to_string()).collect();
    if !missing.is_empty() {
        let message = format!(
            "stripe {} of {} is missing",
            missing.join(", "),
            backup.stripe_count
        );
        let hint = "offer all stripes of the backup at once";
        return Err(refused(Code::StripeMissing, message, hint));
    }
    if let Some(disagreement) = backup.disagreements.first() {
        return Err(unsound(disagreement.clone()));
    }
    let findings = backup
        .stripes
        .iter()
        .flat_map(|at| files[at.file].report.concerning(at.set));
    let findings: Vec<Finding> = findings.cloned().collect();
    let grave = gravest(&findings).filter(|finding| finding.kind.severity() > Severity::Suspect);
    if grave.is_some() {
        return Err(damaged(grave));
    }
    let stripes = backup.files().map(|at| stripe(&files[at]));
    let stripes: Option<Vec<StoredStripe>> = stripes.collect();
    let stripes = stripes.ok_or_else(|| unsound("not every byte of it was read".to_owned()))?;
    if let Some(place) = unspeakable(files, backup) {
        let message = format!("the name of {place} is no Unicode, so it cannot be written down");
        return Err(refused(
            Code::MediaUnfit,
            message,
            "give the file another name",
        ));
    }
    let set = &backup.identity;
    let named = named(&set.server_name, &set.database_name).map_err(|error| {
        let message = format!("its names are none that SQL Server can hold: {error}");
        refused(
            Code::MediaUnfit,
            message,
            "look at the file with `stopmark inspect`",
        )
    })?;
    let piece = piece(set, PieceId(Uuid::nil()), named, stripes).ok_or_else(|| {
        refused(
            Code::MediaUnfit,
            "it is a backup of files or filegroups, which stands in no chain".to_owned(),
            "keep it where it is: a restore of the whole database does not need it",
        )
    })?;
    let is_among_others = backup.files().any(|at| files[at].report.sets.len() > 1);
    Ok(Offer {
        piece,
        places: places.to_vec(),
        is_among_others,
        user: set.user_name.clone(),
    })
}

fn named(server: &str, database: &str) -> Result<MemberName, NameError> {
    Ok(MemberName::new(server.parse()?, database.parse()?))
}

/// A path that no plan can hold, since it is no text.
fn unspeakable(files: &[Examined], backup: &Backup) -> Option<String> {
    let mut places = backup.files().map(|at| &files[at].place);
    let is_none = |place: &&Place| match place {
        Place::File(path) => path.to_str().is_none(),
        Place::Object(_) => false,
    };
    places.find(is_none).map(ToString::to_string)
}

/// The stripe without a key; none where only its headers were read.
fn stripe(file: &Examined) -> Option<StoredStripe> {
    let digest = file.digest?;
    Some(StoredStripe {
        key: String::new(),
        size_bytes: file.size_bytes,
        chunk_size_bytes: CHUNK_SIZE_BYTES,
        root: digest.root,
        sha256: digest.sha256,
        segment_size_bytes: None,
        copies: Vec::new(),
        sealed: None,
    })
}

fn gravest(findings: &[Finding]) -> Option<&Finding> {
    let mut by_gravity: BTreeMap<Severity, &Finding> = BTreeMap::new();
    for finding in findings {
        by_gravity.entry(finding.kind.severity()).or_insert(finding);
    }
    by_gravity.into_values().next_back()
}

fn damaged(finding: Option<&Finding>) -> Becomes {
    unsound(finding.map_or_else(
        || "it holds no backup".to_owned(),
        |finding| format!("{} (byte {})", finding.kind, finding.offset),
    ))
}

fn unsound(message: String) -> Becomes {
    let hint = "look for another copy of it; `stopmark inspect` tells how much is damaged";
    refused(Code::MediaUnsound, message, hint)
}

fn refused(code: Code, message: String, hint: &str) -> Becomes {
    Becomes::Refused {
        code,
        message,
        hint: hint.to_owned(),
    }
}
