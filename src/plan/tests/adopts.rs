//! Adoptions: whose a foreign backup is, whether it is new, and what it does for its chain.

use uuid::Uuid;

use super::super::samples::{Counter, catalog, change_member, config, member, now, survey};
use super::super::*;
use super::{checked, steps};
use crate::chain::samples::{differential, full, log, lsn, on_fork};
use crate::model::{Piece, PieceKind, RunId, Sha256Digest, StoredStripe};
use crate::survey::{BackupRow, HostReport, Survey};

const LEDGER: &str = "PAY1/Ledger";

/// A backup of what its medium calls `of`, in one file.
fn offer(of: &str, piece: Piece) -> Offer {
    let number = piece.backup_set_guid.as_u128();
    let digit = u8::try_from(number & 0xff).expect("a byte");
    Offer {
        places: vec![format!("/old/{number:x}.bak")],
        is_among_others: false,
        user: r"CORP\dba".to_owned(),
        piece: Piece {
            member: member(of),
            stripes: vec![StoredStripe {
                key: String::new(),
                size_bytes: 1000,
                chunk_size_bytes: 8 << 20,
                root: Sha256Digest([digit; 32]),
                sha256: None,
                segment_size_bytes: None,
                copies: Vec::new(),
                sealed: None,
            }],
            ..piece
        },
    }
}

fn adoption(
    survey: &Survey,
    have: &CatalogView,
    offers: Vec<Offer>,
    mapped: Vec<Mapped>,
) -> Adoption {
    let asked = AdoptAsked {
        run: RunId(Uuid::from_u128(0x60)),
        offers,
        others: Vec::new(),
        mapped,
    };
    let names = &mut Counter(0x6000);
    let adoption = plan_adopt(&config(), survey, have, &asked, names, now());
    checked(adoption.plan.clone());
    adoption
}

/// A line a backup: its place and what becomes of it.
fn told(adoption: &Adoption) -> String {
    let words = |judged: &Judged| match &judged.becomes {
        Becomes::Adopted { member, reason, .. } => format!("{member}: {reason}"),
        Becomes::Held { set } => format!("held in {set}"),
        Becomes::CopyOf { places } => format!("copy of {}", places.join(", ")),
        Becomes::NoBackup => "no backup".to_owned(),
        Becomes::Refused { code, message, .. } => format!("{code}: {message}"),
    };
    let lines = adoption.judged.iter();
    let lines = lines.map(|it| format!("{} -> {}\n", it.places.join(", "), words(it)));
    lines.collect()
}

fn with_family(family: u128, piece: Piece) -> Piece {
    Piece {
        family_guid: Uuid::from_u128(family),
        ..piece
    }
}

/// The group, but `PAY1/Ledger` is of a family of its own.
fn ledger_alone() -> (Survey, CatalogView) {
    let (mut survey, mut have) = (survey(Some(30)), catalog());
    let own = Uuid::from_u128(0x1ed);
    change_member(&mut survey, LEDGER, |facts| facts.family_guid = Some(own));
    let pieces = have.sets.iter_mut().flat_map(|set| &mut set.pieces);
    for piece in pieces.filter(|piece| piece.member == member(LEDGER)) {
        piece.family_guid = own;
    }
    (survey, have)
}

/// A stolen log, and the log of ours that came after it.
fn stolen(have: &mut CatalogView, own: u128) -> Offer {
    let ours = Piece {
        member: member(LEDGER),
        ..with_family(own, log(0x301, 40, 50))
    };
    have.sets[1].pieces.push(ours);
    offer(LEDGER, with_family(own, log(0x300, 30, 40)))
}

#[test]
fn what_others_took_is_placed_in_its_chain() {
    let (survey, mut have) = ledger_alone();
    let base = with_family(0x1ed, full(0x310, 60, 70));
    let offers = vec![
        stolen(&mut have, 0x1ed),
        offer(LEDGER, with_family(0x1ed, log(0x302, 50, 60))),
        offer(LEDGER, with_family(0x1ed, log(0x304, 90, 95))),
        offer(
            LEDGER,
            with_family(0x1ed, differential(0x311, &base, 70, 80)),
        ),
        offer(
            LEDGER,
            with_family(0x1ed, differential(0x312, &full(0x399, 1, 2), 70, 80)),
        ),
        offer(LEDGER, base),
    ];
    let adoption = adoption(&survey, &have, offers, Vec::new());
    insta::assert_snapshot!(format!("{}\n{}", told(&adoption), show(&adoption.plan)));
}

#[test]
fn the_log_that_the_next_backup_needs_is_named_the_cure() {
    let (mut survey, have) = ledger_alone();
    change_member(&mut survey, LEDGER, |facts| {
        facts.last_log_backup_lsn = Some(lsn(40));
    });
    let stolen = offer(LEDGER, with_family(0x1ed, log(0x300, 30, 40)));
    let said = told(&adoption(&survey, &have, vec![stolen], Vec::new()));
    assert!(
        said.contains("heals the chain: the next log backup begins"),
        "{said}"
    );
}

#[test]
fn names_and_family_decide_whose_a_backup_is() {
    let (survey, have) = ledger_alone();
    let is = |of: &str, piece: Piece| {
        let said = told(&adoption(
            &survey,
            &have,
            vec![offer(of, piece)],
            Vec::new(),
        ));
        let (_, said) = said.split_once(" -> ").expect("an arrow");
        said.trim_end().to_owned()
    };
    let own = || with_family(0x1ed, log(0x300, 30, 40));
    let lines = [
        ("by its names", is("pay1/LEDGER", own())),
        (
            "made anew",
            is(LEDGER, with_family(0x999, full(0x300, 1, 2))),
        ),
        ("moved, the same fork", is("OLD/Ledger", own())),
        (
            "a copy on its own fork",
            is("TEST/Ledger", on_fork(own(), 0xbad, 0xbad, None)),
        ),
        (
            "of several by family",
            is("TEST/Anything", log(0x300, 30, 40)),
        ),
        ("names and family differ", is("PAY3/Archive", own())),
        (
            "a namesake elsewhere",
            is("PAY9/Ledger", with_family(0x999, own())),
        ),
        ("nobody's", is("PAY9/Payroll", with_family(0x999, own()))),
    ];
    let lines = lines.map(|(title, said)| format!("{title}: {said}\n"));
    insta::assert_snapshot!(lines.concat());
}

#[test]
fn a_persons_word_goes_before_names_and_family() {
    let (survey, have) = ledger_alone();
    let nobodys = || vec![offer("PAY9/Payroll", with_family(0x999, full(0x300, 1, 2)))];
    for whose in [
        Whose::Named(member("pay9/PAYROLL")),
        Whose::Family(Uuid::from_u128(0x999)),
    ] {
        let mapped = Mapped {
            member: member("pay1/ledger"),
            whose,
        };
        let said = told(&adoption(&survey, &have, nobodys(), vec![mapped]));
        assert!(
            said.contains(" -> PAY1/Ledger: restores can begin with it"),
            "{said}"
        );
    }
    let wrong = Mapped {
        member: member("PAY1/Lodger"),
        whose: Whose::Family(Uuid::from_u128(0x999)),
    };
    let said = told(&adoption(&survey, &have, nobodys(), vec![wrong]));
    assert!(
        said.contains("SM0721: `--member` gives it to `PAY1/Lodger`"),
        "{said}"
    );
}

#[test]
fn what_the_store_holds_is_known_by_guid_and_digest() {
    let (survey, mut have) = ledger_alone();
    let offer = offer(LEDGER, with_family(0x1ed, log(0x300, 30, 40)));
    let held = |root: u8| Piece {
        member: member(LEDGER),
        stripes: vec![StoredStripe {
            key: "v1/payments/pieces/x".to_owned(),
            root: Sha256Digest([root; 32]),
            ..offer.piece.stripes[0].clone()
        }],
        ..offer.piece.clone()
    };
    have.sets[1].pieces.push(held(0));
    let same = adoption(&survey, &have, vec![offer.clone()], Vec::new());
    assert!(
        told(&same).contains(" -> held in SM_2026_11_21_01_45_00_000"),
        "{}",
        told(&same)
    );
    assert_eq!((same.plan.stages.len(), same.plan.warnings.len()), (0, 0));
    have.sets[1].pieces.pop();
    have.sets[1].pieces.push(held(7));
    let other = adoption(&survey, &have, vec![offer.clone()], Vec::new());
    assert!(told(&other).contains("SM0604: the store holds this backup with other bytes"));
    assert_eq!((other.plan.stages.len(), other.plan.warnings.len()), (0, 1));
}

#[test]
fn two_backups_that_claim_one_place_are_both_refused() {
    let (mut survey, have) = ledger_alone();
    let own = |id, first, last| offer(LEDGER, with_family(0x1ed, log(id, first, last)));
    let offers = || {
        vec![
            own(0x300, 30, 40),
            own(0x301, 30, 40),
            own(0x302, 40, 40),
            own(0x303, 40, 40),
        ]
    };
    let said = told(&adoption(&survey, &have, offers(), Vec::new()));
    assert_eq!(
        said.matches("SM0604: another log backup claims").count(),
        2,
        "{said}"
    );
    assert_eq!(
        said.matches("PAY1/Ledger: ").count(),
        2,
        "logs of no length claim none: {said}"
    );
    let held = told(&adoption(
        &survey,
        &have,
        vec![own(0x300, 10, 30)],
        Vec::new(),
    ));
    assert!(
        held.contains("claims the same place in the chain: set SM_2026"),
        "{held}"
    );
    let row = copy_only_row(&own(0x301, 30, 40).piece);
    change_member(&mut survey, LEDGER, |facts| facts.history = vec![row]);
    let adoption = adoption(&survey, &have, offers(), Vec::new());
    assert!(!told(&adoption).contains("SM0604"), "{}", told(&adoption));
    let copies = steps(&adoption.plan).into_iter().filter(|step| match step {
        Step::Adopt(step) => step.piece.is_copy_only,
        _ => false,
    });
    assert_eq!(
        copies.count(),
        1,
        "the host's history knows which one it is"
    );
}

fn copy_only_row(piece: &Piece) -> BackupRow {
    BackupRow {
        server: None,
        backup_set_guid: piece.backup_set_guid,
        kind: PieceKind::Log,
        first_lsn: piece.first_lsn,
        last_lsn: piece.last_lsn,
        checkpoint_lsn: piece.checkpoint_lsn,
        database_backup_lsn: piece.database_backup_lsn,
        differential_base_guid: None,
        first_recovery_fork_guid: None,
        last_recovery_fork_guid: None,
        fork_point_lsn: None,
        family_guid: piece.family_guid,
        is_copy_only: true,
        begins_log_chain: false,
        has_bulk_logged_data: false,
        has_backup_checksums: true,
        user_name: "sa".to_owned(),
        machine: None,
        database_guid: None,
        program: None,
        device: "/old/301.bak".to_owned(),
        further_devices: Vec::new(),
        is_virtual: false,
        is_snapshot: false,
        started: piece.started,
        finished: piece.finished,
    }
}

#[test]
fn one_guid_with_two_stories_is_believed_in_neither() {
    let (survey, have) = ledger_alone();
    let one = offer(LEDGER, with_family(0x1ed, log(0x300, 30, 40)));
    let mut other = offer(LEDGER, with_family(0x1ed, log(0x300, 30, 41)));
    other.places = vec!["/old/forged.bak".to_owned()];
    let said = told(&adoption(&survey, &have, vec![one, other], Vec::new()));
    assert_eq!(said.matches("SM0604").count(), 2, "{said}");
    assert!(
        said.contains("/old/forged.bak has the same backup set GUID"),
        "{said}"
    );
}

#[test]
fn a_host_that_is_lost_does_not_stop_an_adoption() {
    let (mut survey, have) = ledger_alone();
    let host = survey.hosts.keys().next().expect("a host").clone();
    let silent = HostReport::Silent {
        code: "SM0201".to_owned(),
        message: "a host does not answer".to_owned(),
        hint: None,
        true_name: None,
    };
    survey.hosts.insert(host, silent);
    let offers = vec![offer(LEDGER, with_family(0x1ed, log(0x300, 30, 40)))];
    let adoption = adoption(&survey, &have, offers, Vec::new());
    assert_eq!(adoption.plan.stages.len(), 2);
    assert!(
        adoption.plan.warnings[0]
            .message
            .contains("could not be asked")
    );
}
