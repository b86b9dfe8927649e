//! The report of a drill: nothing foreign gets out of its place, nothing is loaded, everything is said.

use jiff::civil::date;
use uuid::Uuid;

use super::drill;
use crate::model::{
    CERTIFICATE_FORMAT, Certificate, DrilledCheck, DrilledMember, DrilledPhase, DrilledPiece,
    Lapse, Lsn, PieceId, PieceKind, RunId, ServerLocal, Soundness, Timestamp,
};

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_795_226_400_000 + minute * 60_000)
}

fn lapse(from: i64, to: i64) -> Lapse {
    Lapse {
        from: at(from),
        to: at(to),
    }
}

fn piece(kind: PieceKind, hour: i8, restored: Lapse) -> DrilledPiece {
    let local = |minute| ServerLocal {
        civil: date(2026, 11, 21).at(hour, minute, 0, 0),
        offset_minutes: Some(0),
    };
    DrilledPiece {
        piece: PieceId(Uuid::nil()),
        piece_kind: kind,
        size_bytes: 7 << 30,
        started: local(0),
        finished: local(20),
        fetched: Some(lapse(30, 34)),
        restored: Some(restored),
    }
}

/// A drill of one member whose name is as bad as SQL Server allows.
pub(super) fn hostile() -> Certificate {
    let name = "<script>alert(1)</script>\"'&\u{202e}";
    Certificate {
        format: CERTIFICATE_FORMAT,
        stopmark: "0.1.0".to_owned(),
        run: RunId(Uuid::nil()),
        group: "pay".parse().expect("a group"),
        mark: "SM_2026_11_21_02_00_00_007".parse().expect("a mark"),
        placed_at: at(0),
        began_at: at(30),
        proven_at: Some(at(50)),
        written_at: at(60),
        passed: false,
        rto_target_ms: Some(15 * 60_000),
        members: vec![DrilledMember {
            member: format!("SQL1/{name}").parse().expect("a member"),
            host: "DRILL".parse().expect("a host"),
            database: format!("drill_{name}").parse().expect("a database"),
            mark_lsn: Some(Lsn::ZERO),
            pieces: vec![
                piece(PieceKind::Full, 1, lapse(34, 44)),
                piece(PieceKind::Log, 2, lapse(44, 45)),
            ],
            is_at_mark: true,
            soundness: Soundness::Unsound,
            faults: vec![format!("`{name}` is damaged")],
        }],
        checks: vec![DrilledCheck {
            name: "<img src=x>.sql".to_owned(),
            wanted: "no rows".to_owned(),
            passed: false,
            fault: Some("3 rows".to_owned()),
        }],
        phases: vec![DrilledPhase {
            name: "restore".to_owned(),
            lapse: lapse(30, 50),
        }],
        is_clean: true,
        was_cut_short: false,
    }
}

#[test]
fn foreign_names_are_text_and_nothing_else() {
    let html = drill(&hostile());
    for forbidden in [
        "<script", "<img", "\u{202e}", "http://", "https://", "url(", "@import",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}: {html}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
}

#[test]
fn what_failed_is_said_and_the_target_that_was_missed() {
    let html = drill(&hostile());
    for words in [
        "FAILED",
        "UNSOUND",
        "3 rows",
        "20 min 00 s",
        "MISSED",
        "at the mark",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[test]
fn the_document_is_well_formed() {
    let html = drill(&hostile());
    let (_, body) = html.split_once("<body>").expect("a body");
    let (body, _) = body.split_once("</body>").expect("its end");
    let mut reader = quick_xml::Reader::from_str(body);
    let mut depth = 0_i32;
    loop {
        match reader.read_event().expect("tags that match") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(_) => depth += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    assert_eq!(depth, 0);
}
