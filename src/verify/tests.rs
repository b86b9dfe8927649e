//! Media against what was expected of them: plain, compressed, damaged, of another database, unreadable.
//!
//! Start at [`media`]. The media hold no pages: what is in them is `mtf`'s business.

use mtf::{MediaFamily, MediaTime, MediaWriter};
use uuid::Uuid;

use super::*;
use crate::model::{Lsn, PieceId, ServerLocal};

fn time() -> MediaTime {
    MediaTime {
        year: 2026,
        month: 11,
        day: 21,
        ..MediaTime::default()
    }
}

/// An empty log backup of a database.
fn media(database: &str, is_compressed: bool) -> Vec<u8> {
    let family = MediaFamily {
        filemark_bytes: 4096,
        ..MediaFamily::default()
    };
    let set = BackupSet {
        position: 1,
        kind: BackupKind::Log,
        database_name: database.to_owned(),
        set_guid: Uuid::from_u128(1),
        started: time(),
        finished: Some(time()),
        files: vec![mtf::DatabaseFile {
            file_id: 1,
            kind: FileKind::Data,
            filegroup_id: 1,
            logical_name: "orders".to_owned(),
            physical_name: r"C:\data\orders.mdf".to_owned(),
            size_bytes: 8 << 20,
            pages_in_backup: 0,
        }],
        ..BackupSet::default()
    };
    let writer = if is_compressed {
        MediaWriter::compressed(Vec::new(), &family, time())
    } else {
        MediaWriter::new(Vec::new(), &family, time())
    };
    let mut writer = writer.expect("memory takes everything");
    writer.begin_set(&set).expect("memory takes everything");
    writer.end_set(&set).expect("memory takes everything");
    writer.finish().expect("memory takes everything")
}

fn check(media: &[u8]) -> Result<Seen> {
    let local = ServerLocal {
        civil: jiff::civil::date(2026, 11, 21).at(0, 0, 0, 0),
        offset_minutes: None,
    };
    let facts = BackedUp {
        piece: PieceId(Uuid::from_u128(2)),
        backup_set_guid: Uuid::from_u128(1),
        family_guid: Uuid::nil(),
        first_lsn: Lsn::ZERO,
        last_lsn: Lsn::ZERO,
        checkpoint_lsn: Lsn::ZERO,
        database_backup_lsn: Lsn::ZERO,
        differential_base: None,
        first_fork_guid: Uuid::nil(),
        last_fork_guid: Uuid::nil(),
        fork_point_lsn: None,
        has_bulk_logged_data: false,
        begins_log_chain: false,
        is_copy_only: false,
        has_backup_checksums: false,
        started: local,
        finished: local,
        server_version: "16.0".to_owned(),
    };
    let member = "HOST1/Orders".parse().expect("a member");
    let mut tap = MediaTap::default();
    tap.bytes(media);
    let expected = Expected {
        member: &member,
        kind: PieceKind::Log,
        facts: &facts,
    };
    check_piece(&[tap.report()], expected)
}

fn refusal(media: &[u8]) -> String {
    let error = check(media).expect_err("it must be refused");
    assert_eq!(error.code(), Code::MediaUnsound);
    error.to_string()
}

#[test]
fn compressed_media_are_judged_as_plain_ones() {
    for is_compressed in [false, true] {
        let seen = check(&media("Orders", is_compressed)).expect("it is what was asked for");
        assert_eq!(seen.files.len(), 1);
        assert!(!seen.is_unread);
        let other = refusal(&media("Ledger", is_compressed));
        assert!(other.contains("its database is `Ledger`"), "{other}");
    }
}

#[test]
fn damage_in_compressed_media_is_refused() {
    let whole = media("Orders", true);
    let mut flipped = whole.clone();
    flipped[0x1E0 + 60] ^= 1;
    assert!(refusal(&flipped).contains("a record of the compressed container is damaged"));
    assert!(refusal(&whole[..whole.len() - 4096]).contains("the file ends"));
}

#[test]
fn containers_that_cannot_be_read_pass_by_their_digests() {
    let mut encrypted = media("Orders", true);
    encrypted[0x1E0 + 20] = 64;
    let seen = check(&encrypted).expect("nothing speaks against it");
    assert_eq!((seen.files.len(), seen.is_unread), (0, true));
}

#[test]
fn what_is_no_backup_at_all_is_refused() {
    assert!(refusal(&[7; 9000]).contains("no SQL Server backup media"));
    assert!(refusal(&[]).contains("empty"));
}
