//! What each prerequisite of a host makes of facts; databases are looked at in stories, on simulated hosts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};

use super::*;
use crate::survey::{MilinkDatabase, MirrorEndpoint, ServerCertificate};

const TODAY: Date = date(2026, 11, 21);

/// A host that lacks nothing.
fn whole() -> MilinkFacts {
    MilinkFacts {
        true_name: "SQL1".parse().expect("a host"),
        version: "16.0.4145.4".to_owned(),
        update: Some("CU15".to_owned()),
        edition: "Enterprise Edition (64-bit)".to_owned(),
        collation: "SQL_Latin1_General_CP1_CI_AS".to_owned(),
        is_hadr_enabled: true,
        is_sysadmin: true,
        has_master_key: true,
        endpoint: Some(MirrorEndpoint {
            name: "mirroring".to_owned(),
            port: 5022,
            is_started: true,
            authentication: "NEGOTIATE, CERTIFICATE".to_owned(),
            encryption: "AES".to_owned(),
            certificate: Some(ServerCertificate {
                name: "Cert_SQL1_endpoint".to_owned(),
                expires: date(2030, 1, 31),
            }),
        }),
        trace_flags: BTreeSet::from([1800, 9567, 12381]),
        groups: BTreeSet::new(),
        databases: BTreeMap::new(),
    }
}

/// The rows that are not met, with how each stands; the one that nobody can see from here is left out.
fn unmet(facts: &MilinkFacts) -> Vec<(&'static str, Standing)> {
    let candidate = Candidate {
        name: "SQL1/master".parse().expect("a member"),
        facts: None,
    };
    let rows = examine(facts, &[candidate], TODAY).into_iter();
    let rows = rows.filter(|row| row.about == "SQL1" && row.what != "Azure's side");
    let unmet = rows.filter(|row| row.standing != Standing::Pass);
    unmet.map(|row| (row.what, row.standing)).collect()
}

#[test]
fn a_host_that_lacks_nothing_passes_every_row() {
    assert_eq!(unmet(&whole()), []);
}

type Break = fn(&mut MilinkFacts);

fn endpoint(facts: &mut MilinkFacts) -> &mut MirrorEndpoint {
    facts.endpoint.as_mut().expect("it has one")
}

/// What a host may lack, the row that says so, and how it stands then.
fn lacks() -> [(Break, &'static str, Standing); 13] {
    [
        (
            |it| it.version = "12.0.1.1".to_owned(),
            "version",
            Standing::Fail,
        ),
        (
            |it| it.update = Some("CU9".to_owned()),
            "version",
            Standing::Warn,
        ),
        (
            |it| it.edition = "Express Edition".to_owned(),
            "edition",
            Standing::Fail,
        ),
        (
            |it| it.is_hadr_enabled = false,
            "availability groups",
            Standing::Fail,
        ),
        (|it| it.is_sysadmin = false, "rights", Standing::Warn),
        (|it| it.has_master_key = false, "master key", Standing::Fail),
        (
            |it| endpoint(it).certificate = None,
            "certificate",
            Standing::Fail,
        ),
        (
            |it| endpoint(it).is_started = false,
            "endpoint",
            Standing::Fail,
        ),
        (
            |it| endpoint(it).encryption = "RC4".to_owned(),
            "endpoint",
            Standing::Fail,
        ),
        (
            |it| endpoint(it).authentication = "NEGOTIATE".to_owned(),
            "endpoint",
            Standing::Fail,
        ),
        (|it| endpoint(it).port = 5024, "port", Standing::Warn),
        (
            |it| it.trace_flags.clear(),
            "trace flag 1800",
            Standing::Warn,
        ),
        (
            |it| {
                let certificate = endpoint(it).certificate.as_mut().expect("it shows one");
                certificate.name = r"Cert_SQL1\A".to_owned();
            },
            "certificate",
            Standing::Fail,
        ),
    ]
}

#[test]
fn each_lack_of_a_host_is_one_row_with_a_cure() {
    for (lacks, what, standing) in lacks() {
        let mut facts = whole();
        lacks(&mut facts);
        assert_eq!(unmet(&facts).first(), Some(&(what, standing)), "{what}");
        let rows = examine(&facts, &[], TODAY);
        let row = rows.iter().find(|row| row.what == what).expect("the row");
        assert!(row.cure.is_some(), "{what}");
    }
}

#[test]
fn a_certificate_is_told_before_it_ends() {
    for (expires, standing) in [
        (date(2026, 11, 21), Standing::Fail),
        (date(2026, 11, 22), Standing::Warn),
        (date(2027, 1, 19), Standing::Warn),
        (date(2027, 1, 20), Standing::Pass),
    ] {
        let mut facts = whole();
        let endpoint = facts.endpoint.as_mut().expect("it has one");
        endpoint.certificate.as_mut().expect("it shows one").expires = expires;
        let rows = examine(&facts, &[], TODAY);
        let row = rows
            .iter()
            .find(|row| row.what == "certificate")
            .expect("the row");
        assert_eq!(row.standing, standing, "{expires}");
    }
}

#[test]
fn a_host_without_an_endpoint_needs_its_certificate_first() {
    let mut facts = whole();
    facts.true_name = r"SQL1\A".parse().expect("a host");
    facts.endpoint = None;
    let rows = examine(&facts, &[], TODAY);
    let cures: Vec<&MilinkCure> = rows.iter().filter_map(|row| row.cure.as_ref()).collect();
    let MilinkCure::Certificate { name, .. } = cures[0] else {
        panic!("{cures:?}");
    };
    assert_eq!(name, "Cert_SQL1_A_endpoint");
    assert!(
        matches!(cures[1], MilinkCure::Endpoint { certificate, port: 5022 } if certificate == name)
    );
}

#[test]
fn system_databases_and_absent_ones_are_refused() {
    for name in ["SQL1/msdb", "SQL1/Nothing"] {
        let candidate = Candidate {
            name: name.parse().expect("a member"),
            facts: None,
        };
        let rows = examine(&whole(), &[candidate], TODAY);
        let row = rows.iter().find(|row| row.about == name).expect("the row");
        assert_eq!((row.what, row.standing), ("database", Standing::Fail));
    }
    let unused = MilinkDatabase {
        collation: None,
        is_encrypted: false,
        is_broker_enabled: false,
        has_accelerated_recovery: false,
        is_auto_close: false,
        user_access: "MULTI_USER".to_owned(),
    };
    let mut facts = whole();
    let msdb: DatabaseName = "msdb".parse().expect("a name");
    facts.databases.insert(msdb, unused);
    let candidate = Candidate {
        name: "SQL1/msdb".parse().expect("a member"),
        facts: None,
    };
    let rows = examine(&facts, &[candidate], TODAY);
    assert_eq!(rows.last().map(|row| row.standing), Some(Standing::Fail));
}
