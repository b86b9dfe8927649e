//! Errors that others met: which full answers them, on clocks that are set.

use super::super::samples::{facts, full, local, log};
use super::super::{Break, Health, Holding, health};
use crate::model::{Piece, ServerLocal};
use crate::survey::{MemberFacts, PROGRAM_NAME, ReportedError};

/// 1475 in somebody's session.
fn met(at: ServerLocal) -> ReportedError {
    ReportedError {
        number: 1475,
        at,
        message:
            "Database \"Ledger\" might contain bulk logged changes that have not been backed up."
                .to_owned(),
        login: Some(r"CORP\olaf".to_owned()),
        client: None,
        program: Some("SSMS".to_owned()),
        server: None,
    }
}

fn begun(at: ServerLocal) -> [Piece; 2] {
    let full = Piece {
        started: at,
        ..full(1, 10, 20)
    };
    [full, log(2, 10, 30)]
}

/// Whether the error calls for a full, on a host whose clock shows `now`.
fn calls(error: ReportedError, pieces: &[Piece], now: ServerLocal) -> bool {
    let pieces: Vec<&Piece> = pieces.iter().collect();
    let held = Holding {
        pieces: &pieces,
        damaged: &[],
        our_folders: &[],
    };
    let facts = MemberFacts {
        reported: vec![error],
        asked_at: Some(now),
        ..facts(Some(30))
    };
    match health(&facts, held) {
        Health::Broken(Break::Reported { .. }) => true,
        Health::Running { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_answers_what_was_met_before_it_began() {
    assert!(calls(met(local(20)), &begun(local(10)), local(30)));
    assert!(!calls(met(local(10)), &begun(local(20)), local(30)));
    let own = ReportedError {
        program: Some(PROGRAM_NAME.to_owned()),
        ..met(local(20))
    };
    assert!(
        !calls(own, &begun(local(10)), local(30)),
        "its own run answers"
    );
}

#[test]
fn an_error_from_before_the_clock_was_set_back_is_not_answered_again_and_again() {
    // Met at half past two; the clock was set back by half an hour, and the full that answers began at five past.
    assert!(!calls(met(local(30)), &begun(local(5)), local(6)));
    // A clock runs on while its host answers.
    assert!(calls(met(local(6)), &begun(local(5)), local(6)));
}

#[test]
fn a_full_from_before_the_clock_was_set_back_answers_nothing_that_is_met_after_it() {
    assert!(calls(met(local(10)), &begun(local(40)), local(12)));
    // The full of that run is of the time that the clock shows now, and answers.
    let [old, _] = begun(local(40));
    let [new, log] = begun(local(13));
    assert!(!calls(met(local(10)), &[old, new, log], local(14)));
}
