//! What examined files offer: whole and sound backups, and a reason for everything else.

use std::path::PathBuf;

use mtf::{
    BackupKind, BackupSet, Finding, FindingKind, Level, MediaFamily, MediaTime, Report, SetReport,
};
use uuid::Uuid;

use super::{Offered, offers};
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

/// `set`, as the nth backup of its medium.
fn nth(position: u16, guid: u128) -> BackupSet {
    BackupSet {
        position,
        ..set(guid)
    }
}

#[test]
fn each_backup_of_a_medium_is_offered_with_its_place_there() {
    let stripes = [
        file("/b", (2, 2), &[nth(1, 1), nth(2, 2)]),
        file("/a", (1, 2), &[nth(1, 1), nth(2, 2)]),
    ];
    let found = offers(&stripes);
    assert_eq!(found.others, []);
    assert_eq!(told_of(&found), [(1, true), (2, true)]);
    assert!(found.offers.iter().all(|it| it.places == ["/a", "/b"]));
    let alone = offers(&[file("/a", (1, 1), &[set(1)])]);
    assert_eq!(told_of(&alone), [(1, false)]);
}

#[test]
fn damage_to_one_backup_of_a_medium_speaks_against_that_one_alone() {
    let mut medium = noticed(
        FindingKind::StreamChecksumWrong,
        file("/a", (1, 1), &[nth(1, 1), nth(2, 2)]),
    );
    // Newest first: behind the media header, then two for each backup; the damage is at byte 4096.
    medium.report.filemarks = vec![9000, 8000, 7000, 6000, 1000];
    let found = offers(&[medium]);
    assert_eq!(told_of(&found), [(2, true)]);
    assert!(matches!(found.others[0].becomes, Becomes::Refused { .. }));
}

#[test]
fn a_medium_that_lies_there_twice_is_a_copy_once() {
    let of = |name: &str| file(name, (1, 1), &[nth(1, 1), nth(2, 2)]);
    let found = offers(&[of("/a"), of("/b")]);
    assert_eq!(told_of(&found), [(1, true), (2, true)]);
    let places = ["/a".to_owned()].to_vec();
    let [copy] = found.others.as_slice() else {
        panic!("{:?}", found.others);
    };
    assert_eq!(copy.becomes, Becomes::CopyOf { places });
}

/// The place on its medium of each offer, and whether others are there.
fn told_of(found: &Offered) -> Vec<(u16, bool)> {
    let offers = found.offers.iter();
    offers
        .map(|offer| (offer.piece.position, offer.is_among_others))
        .collect()
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
