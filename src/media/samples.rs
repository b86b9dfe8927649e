//! Examined files for tests: made of facts, without bytes. LSNs are small numbers.

use mtf::{
    BackupKind, BackupSet, Finding, FindingKind, Level, Lsn, MediaFamily, MediaTime, Report,
    SetReport,
};
use uuid::Uuid;

use super::{Examined, Place};

pub(super) const FORK: u128 = 0xf0;
pub(super) const FAMILY: u128 = 0xfa;

pub(super) fn lsn(at: u32) -> Lsn {
    Lsn::from_parts(at, 0, 0)
}

/// A backup set of `Orders` whose GUID is `id`; its times are minutes after its first LSN's number.
pub(super) fn set(id: u128, kind: BackupKind, first: u32, last: u32) -> BackupSet {
    let time = |minute: u32| MediaTime {
        year: 2026,
        month: 11,
        day: 21,
        hour: 2,
        minute: u8::try_from(minute % 60).expect("below 60"),
        second: 0,
    };
    BackupSet {
        position: 1,
        server_name: r"PAY1\SQL".to_owned(),
        database_name: "Orders".to_owned(),
        kind,
        set_guid: Uuid::from_u128(id),
        started: time(last),
        finished: Some(time(last + 1)),
        time_zone_quarters: Some(0),
        first_lsn: lsn(first),
        last_lsn: lsn(last),
        checkpoint_lsn: lsn(first),
        recovery_fork_guid: Uuid::from_u128(FORK),
        first_recovery_fork_guid: Uuid::from_u128(FORK),
        family_guid: Uuid::from_u128(FAMILY),
        ..BackupSet::default()
    }
}

pub(super) fn full(id: u128, first: u32, last: u32) -> BackupSet {
    set(id, BackupKind::Full, first, last)
}

pub(super) fn log(id: u128, first: u32, last: u32) -> BackupSet {
    set(id, BackupKind::Log, first, last)
}

pub(super) fn diff(id: u128, base: &BackupSet, first: u32, last: u32) -> BackupSet {
    BackupSet {
        differential_base_guid: Some(base.set_guid),
        differential_base_lsn: base.first_lsn,
        ..set(id, BackupKind::Differential, first, last)
    }
}

/// A file of these backup sets, whose filemarks stand at 100, 200, 300, ..
pub(super) fn file(name: &str, sets: &[BackupSet]) -> Examined {
    stripe(name, (1, 1), Uuid::from_u128(u128::from(crc(name))), sets)
}

/// Stripe `number` of `count` of a media set.
pub(super) fn stripe(
    name: &str,
    (number, count): (u16, u16),
    media_set_id: Uuid,
    sets: &[BackupSet],
) -> Examined {
    let numbered = sets.iter().zip(1_u16..).map(|(set, position)| SetReport {
        identity: BackupSet {
            position,
            ..set.clone()
        },
        ..SetReport::default()
    });
    let marks = 1 + 2 * sets.len() as u64;
    Examined {
        place: Place::File(name.into()),
        size_bytes: 1000,
        level: Level::Content,
        digest: None,
        report: Report {
            media: Some(MediaFamily {
                media_set_id,
                family_count: count,
                family_number: number,
                ..MediaFamily::default()
            }),
            sets: numbered.collect(),
            level: Level::Content,
            filemarks: (1..=marks).rev().map(|mark| mark * 100).collect(),
            bytes: 1000,
            ..Report::default()
        },
    }
}

/// The file with a damaged stream at this offset.
pub(super) fn damaged(mut examined: Examined, offset: u64) -> Examined {
    examined.report.findings.push(Finding {
        offset,
        level: Level::Content,
        kind: FindingKind::StreamChecksumWrong,
    });
    examined
}

fn crc(name: &str) -> u32 {
    crc32c::crc32c(name.as_bytes())
}
