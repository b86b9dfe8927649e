//! What a medium may not say: each fact altered alone, and each way in which stripes do not fit.

use mtf::{
    BackupKind, BackupSet, Finding, FindingKind, Level, MediaFamily, MediaTime, MediaWriter,
    Report, SetReport,
};
use uuid::Uuid;

use super::{Expected, MediaTap, check_adopted, check_piece};
use crate::chain::samples::{local, log, lsn};
use crate::error::Code;
use crate::model::{DifferentialBase, MemberName, PieceId, PieceKind};
use crate::run::events::BackedUp;
use crate::world::Tap as _;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// What msdb says of a differential.
fn facts() -> BackedUp {
    BackedUp {
        piece: PieceId(id(1)),
        backup_set_guid: id(2),
        family_guid: id(3),
        first_lsn: lsn(10),
        last_lsn: lsn(20),
        checkpoint_lsn: lsn(11),
        database_backup_lsn: lsn(5),
        differential_base: Some(DifferentialBase {
            lsn: lsn(4),
            backup_set_guid: id(4),
        }),
        first_fork_guid: id(5),
        last_fork_guid: id(6),
        fork_point_lsn: Some(lsn(15)),
        has_bulk_logged_data: false,
        begins_log_chain: false,
        is_copy_only: false,
        has_backup_checksums: true,
        started: local(0),
        finished: local(1),
        server_version: "16.0.1000".to_owned(),
        server_name: Some(r"PAY1\SQL".to_owned()),
        is_from_medium: false,
    }
}

/// A medium of that very backup.
fn identity() -> BackupSet {
    BackupSet {
        position: 1,
        kind: BackupKind::Differential,
        database_name: "Ledger".to_owned(),
        server_name: r"pay1\sql".to_owned(),
        set_guid: id(2),
        family_guid: id(3),
        first_lsn: lsn(10),
        last_lsn: lsn(20),
        checkpoint_lsn: lsn(11),
        database_backup_lsn: lsn(5),
        differential_base_lsn: lsn(4),
        differential_base_guid: Some(id(4)),
        first_recovery_fork_guid: id(5),
        recovery_fork_guid: id(6),
        fork_point_lsn: lsn(15),
        ..BackupSet::default()
    }
}

fn stripe(number: u16, count: u16, identity: BackupSet) -> Report {
    Report {
        media: Some(MediaFamily {
            media_set_id: id(7),
            family_count: count,
            family_number: number,
            ..MediaFamily::default()
        }),
        sets: vec![SetReport {
            identity,
            ..SetReport::default()
        }],
        ..Report::default()
    }
}

fn noticed(kind: FindingKind) -> Report {
    let mut report = stripe(1, 1, identity());
    report.findings = vec![Finding {
        offset: 4096,
        level: Level::Structure,
        kind,
    }];
    report
}

/// What the check says of these media: `ok`, or the error's code and words.
fn checked_against(reports: &[Report], facts: &BackedUp) -> String {
    let member: MemberName = r"PAY1\SQL/Ledger".parse().expect("a member");
    let expected = Expected {
        member: &member,
        kind: PieceKind::Differential,
        facts,
    };
    match check_piece(reports, expected) {
        Ok(_) => "ok".to_owned(),
        Err(error) => {
            assert_eq!(error.code(), Code::MediaUnsound, "{error}");
            assert!(error.hint_text().is_some(), "{error}");
            error.message().to_owned()
        }
    }
}

fn checked(reports: &[Report]) -> String {
    checked_against(reports, &facts())
}

#[test]
fn a_medium_that_tells_what_the_host_tells_passes() {
    assert_eq!(checked(&[stripe(1, 1, identity())]), "ok");
    let both = [stripe(1, 2, identity()), stripe(2, 2, identity())];
    assert_eq!(checked(&both), "ok");
}

#[test]
fn every_fact_that_differs_is_named() {
    type Change = fn(&mut BackupSet);
    let changes: [(&str, Change); 14] = [
        ("database", |it| it.database_name = "Orders".to_owned()),
        ("kind", |it| it.kind = BackupKind::Full),
        ("backup set GUID", |it| it.set_guid = id(99)),
        ("family GUID", |it| it.family_guid = id(99)),
        ("server", |it| it.server_name = "PAY2".to_owned()),
        ("first LSN", |it| it.first_lsn = lsn(9)),
        ("last LSN", |it| it.last_lsn = lsn(21)),
        ("checkpoint LSN", |it| it.checkpoint_lsn = lsn(12)),
        ("database backup LSN", |it| it.database_backup_lsn = lsn(6)),
        ("first fork", |it| it.first_recovery_fork_guid = id(99)),
        ("last fork", |it| it.recovery_fork_guid = id(99)),
        ("fork point LSN", |it| it.fork_point_lsn = lsn(14)),
        ("differential base LSN", |it| {
            it.differential_base_lsn = lsn(3);
        }),
        ("differential base GUID", |it| {
            it.differential_base_guid = None;
        }),
    ];
    for (name, change) in changes {
        let mut other = identity();
        change(&mut other);
        let said = checked(&[stripe(1, 1, other)]);
        assert!(said.contains(&format!("its {name} is `")), "{name}: {said}");
    }
}

#[test]
fn a_journal_that_does_not_know_the_server_asks_nothing_of_it() {
    let older = BackedUp {
        server_name: None,
        ..facts()
    };
    assert_eq!(checked_against(&[stripe(1, 1, identity())], &older), "ok");
}

#[test]
fn stripes_that_do_not_fit_are_refused() {
    let swapped = [stripe(2, 2, identity()), stripe(1, 2, identity())];
    assert_eq!(
        checked(&swapped),
        "a backup file is not what was asked for: stripe 2 of 2 stands where 1 of 2 belongs"
    );
    let too_few = [stripe(1, 2, identity())];
    assert!(checked(&too_few).contains("stripe 1 of 2 stands where 1 of 1 belongs"));
    let mut of_another_media_set = stripe(2, 2, identity());
    of_another_media_set
        .media
        .as_mut()
        .expect("media")
        .media_set_id = id(8);
    let other = [stripe(1, 2, identity()), of_another_media_set];
    assert!(checked(&other).contains("the file is of another media set"));
    let another_run = BackupSet {
        set_guid: id(99),
        ..identity()
    };
    let other = [stripe(1, 2, identity()), stripe(2, 2, another_run)];
    assert!(checked(&other).contains("the file holds other backup sets"));
}

#[test]
fn a_file_that_is_no_medium_is_never_taken_for_a_container() {
    for kind in [
        FindingKind::NotMedia,
        FindingKind::Empty,
        FindingKind::NoSets,
    ] {
        let words = kind.to_string();
        let mut report = noticed(kind);
        report.sets.clear();
        let said = checked(&[report]);
        assert!(said.ends_with(&words), "{said}");
    }
    assert!(checked(&[Report::default()]).contains("holds no backup"));
}

#[test]
fn damage_is_refused_and_a_mere_suspicion_is_not() {
    let said = checked(&[noticed(FindingKind::BadStreamHeader)]);
    assert!(said.contains("header is damaged"), "{said}");
    let suspect = FindingKind::PageSuspect {
        file_id: 1,
        page_id: 100,
    };
    assert_eq!(checked(&[noticed(suspect)]), "ok");
}

#[test]
fn several_backups_in_a_file_are_no_piece() {
    let mut report = stripe(1, 1, identity());
    report.sets.push(report.sets[0].clone());
    assert!(checked(&[report]).contains("holds 2 backups, not one"));
}

#[test]
fn an_adopted_backup_is_looked_for_in_its_place_on_the_medium() {
    let piece = log(2, 10, 20);
    let nth = |position: u16, guid: u128| BackupSet {
        position,
        kind: BackupKind::Log,
        set_guid: id(guid),
        family_guid: piece.family_guid,
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        recovery_fork_guid: piece.last_fork_guid,
        ..BackupSet::default()
    };
    let mut medium = stripe(1, 1, nth(1, 1));
    for set in [nth(2, 2), nth(3, 3)] {
        medium.sets.push(SetReport {
            identity: set,
            ..SetReport::default()
        });
    }
    let checked = |position: u16| {
        let piece = crate::model::Piece {
            position,
            ..piece.clone()
        };
        check_adopted(&[medium.clone()], &piece).map_err(|error| error.message().to_owned())
    };
    assert_eq!(checked(2), Ok(()));
    let other = checked(3).expect_err("another backup");
    assert!(other.contains("its backup set GUID is"), "{other}");
    let beyond = checked(4).expect_err("no such place");
    assert!(
        beyond.contains("the medium holds 3 backups, not one"),
        "{beyond}"
    );
}

#[test]
fn containers_that_cannot_be_read_pass_and_damaged_ones_do_not() {
    let container = |kind| Report {
        is_compressed: true,
        ..noticed(kind)
    };
    let unread = [
        FindingKind::Container,
        FindingKind::OlderContainer,
        FindingKind::UnknownRecord {
            found: "0x22".to_owned(),
        },
    ];
    for kind in unread {
        assert_eq!(checked(&[container(kind)]), "ok");
    }
    let damaged = container(FindingKind::RecordDamaged);
    assert!(checked(&[damaged]).contains("a record of the compressed container is damaged"));
}

#[test]
fn a_stripe_that_can_be_read_is_judged_beside_one_that_cannot() {
    let unread = Report {
        is_compressed: true,
        ..noticed(FindingKind::Container)
    };
    let beside = |identity| [stripe(1, 2, identity), unread.clone()];
    assert_eq!(checked(&beside(identity())), "ok");
    let other = BackupSet {
        database_name: "Orders".to_owned(),
        ..identity()
    };
    assert!(checked(&beside(other)).contains("its database is `Orders`"));
}

#[test]
fn compressed_media_are_read_as_they_pass() {
    let time = MediaTime {
        year: 2026,
        month: 11,
        day: 21,
        ..MediaTime::default()
    };
    let family = MediaFamily {
        filemark_bytes: 4096,
        ..MediaFamily::default()
    };
    let set = BackupSet {
        started: time,
        ..identity()
    };
    let writer = MediaWriter::compressed(Vec::new(), &family, time);
    let mut writer = writer.expect("memory takes everything");
    writer.begin_set(&set).expect("memory takes everything");
    writer.end_set(&set).expect("memory takes everything");
    let mut bytes = writer.finish().expect("memory takes everything");
    let report = |bytes: &[u8]| {
        let mut tap = MediaTap::default();
        tap.bytes(bytes);
        tap.report()
    };
    let whole = report(&bytes);
    assert_eq!(whole.sets[0].identity.database_name, "Ledger");
    assert!(whole.is_sound() && whole.is_compressed);
    let cut = checked(&[report(&bytes[..bytes.len() - 4096])]);
    assert!(cut.contains("the file ends"), "{cut}");
    let payload = 0x1E0 + 60;
    bytes[payload] ^= 1;
    let flipped = checked(&[report(&bytes)]);
    assert!(
        flipped.contains("a record of the compressed container"),
        "{flipped}"
    );
}
