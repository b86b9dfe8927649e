//! What examined files offer: whole and sound backups, and a reason for everything else.

use std::path::PathBuf;

use mtf::{
    BackupKind, BackupSet, Finding, FindingKind, Level, MediaFamily, MediaTime, Report, SetReport,
};
use uuid::Uuid;

use super::offers;
use crate::media::{Digest, Examined, Place};
use crate::model::Sha256Digest;
use crate::plan::Becomes;

/// A log backup of `PAY1/Ledger`.
fn set(guid: u128) -> BackupSet {
    BackupSet {
        position: 1,
        kind: BackupKind::Log,
        server_name: "PAY1".to_owned(),
        database_name: "Ledger".to_owned(),
        user_name: "sa".to_owned(),
        set_guid: Uuid::from_u128(guid),
        started: MediaTime {
            year: 2026,
            month: 11,
            day: 21,
            ..MediaTime::default()
        },
        ..BackupSet::default()
    }
}

/// A file of these backup sets, stripe `number` of `count`.
fn file(name: &str, (number, count): (u16, u16), sets: &[BackupSet]) -> Examined {
    let of = |identity: &BackupSet| SetReport {
        identity: identity.clone(),
        ..SetReport::default()
    };
    Examined {
        place: Place::File(PathBuf::from(name)),
        size_bytes: 1000,
        level: Level::Content,
        digest: Some(Digest {
            root: Sha256Digest([1; 32]),
            sha256: None,
        }),
        report: Report {
            media: Some(MediaFamily {
                media_set_id: Uuid::from_u128(7),
                family_count: count,
                family_number: number,
                ..MediaFamily::default()
            }),
            sets: sets.iter().map(of).collect(),
            ..Report::default()
        },
    }
}

fn noticed(kind: FindingKind, examined: Examined) -> Examined {
    let findings = vec![Finding {
        offset: 4096,
        level: Level::Structure,
        kind,
    }];
    Examined {
        report: Report {
            findings,
            ..examined.report
        },
        ..examined
    }
}

/// `offered`, or what becomes of the only file or stripes instead.
fn becomes(examined: &[Examined]) -> String {
    let found = offers(examined);
    match (found.offers.as_slice(), found.others.as_slice()) {
        ([_], []) => "offered".to_owned(),
        ([], [other]) => match &other.becomes {
            Becomes::Refused { code, message, .. } => format!("{code}: {message}"),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

#[test]
fn a_whole_backup_is_offered_with_its_files_in_the_order_of_stripes() {
    let stripes = [file("/b", (2, 2), &[set(1)]), file("/a", (1, 2), &[set(1)])];
    let found = offers(&stripes);
    assert_eq!(found.others, []);
    let offer = &found.offers[0];
    assert_eq!(offer.places, ["/a", "/b"]);
    assert_eq!(offer.piece.member.to_string(), "PAY1/Ledger");
    assert_eq!((offer.piece.stripes.len(), offer.user.as_str()), (2, "sa"));
}

#[test]
fn a_mere_suspicion_refuses_nothing_and_damage_does() {
    let suspect = FindingKind::PageSuspect {
        file_id: 1,
        page_id: 9,
    };
    let one = || file("/a", (1, 1), &[set(1)]);
    assert_eq!(becomes(&[noticed(suspect, one())]), "offered");
    let damaged = becomes(&[noticed(FindingKind::StreamChecksumWrong, one())]);
    assert!(
        damaged.starts_with("SM0707: ") && damaged.ends_with("(byte 4096)"),
        "{damaged}"
    );
}

#[test]
fn what_cannot_be_a_piece_is_named() {
    let one = |set: BackupSet| [file("/a", (1, 1), &[set])];
    let of_files = becomes(&one(BackupSet {
        kind: BackupKind::Other(b'F'),
        ..set(1)
    }));
    assert!(
        of_files.contains("SM0722: it is a backup of files or filegroups"),
        "{of_files}"
    );
    let hostile = becomes(&one(BackupSet {
        database_name: "Led\u{1b}[2Jger".to_owned(),
        ..set(1)
    }));
    assert!(hostile.contains("SM0722: its names are none"), "{hostile}");
    let two = becomes(&[file("/a", (1, 1), &[set(1), set(2)])]);
    assert!(two.contains("SM0722: it holds 2 backups"), "{two}");
    let alone = becomes(&[file("/a", (2, 3), &[set(1)])]);
    assert!(
        alone.contains("SM0715: stripe 1, 3 of 3 is missing"),
        "{alone}"
    );
    let headers = becomes(&[Examined {
        digest: None,
        ..file("/a", (1, 1), &[set(1)])
    }]);
    assert!(
        headers.contains("not every byte of it was read"),
        "{headers}"
    );
}

#[test]
fn files_that_are_no_backup_are_told_from_damaged_and_unreadable_ones() {
    let none = |kind| becomes(&[noticed(kind, file("/a", (1, 1), &[]))]);
    assert_eq!(none(FindingKind::NotMedia), "NoBackup");
    assert!(none(FindingKind::Empty).starts_with("SM0707: the file is empty"));
    for kind in [FindingKind::Container, FindingKind::OlderContainer] {
        let said = none(kind);
        assert!(
            said.starts_with("SM0714: it is compressed or encrypted"),
            "{said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_unicode_cannot_be_planned_with() {
    use std::os::unix::ffi::OsStringExt as _;
    let name = std::ffi::OsString::from_vec(vec![b'/', 0xff]);
    let said = becomes(&[Examined {
        place: Place::File(PathBuf::from(name)),
        ..file("/a", (1, 1), &[set(1)])
    }]);
    assert!(said.starts_with("SM0722: the name of "), "{said}");
}
