//! The conformance suite: seven clients that nobody here wrote do the same 26 things on simulated hosts.
//!
//! Start at the test below, and at `features.rs` for what is asked. Five clients are programs in their own folders;
//! FreeTDS's `tsql` is driven by `freetds.rs`, and tiberius, a crate, is called in `tiberius.rs`. Each works in a
//! database of its own on the same hosts, all at once.

mod features;
mod freetds;
mod programs;
mod servers;
mod table;
mod tiberius;

use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use features::{CLIENTS, FEATURES, reason};
use servers::Servers;

/// What a client told of one feature. A feature of which it tells nothing it does not have.
#[derive(Clone, Debug, serde::Deserialize)]
struct Told {
    feature: String,
    /// Whether everything was as it should be.
    ok: bool,
    /// What was not.
    detail: String,
}

/// A client and what it told.
type Report = (&'static str, Vec<Told>);

#[tokio::test(flavor = "multi_thread")]
async fn every_client_does_what_the_table_in_the_readme_says() {
    let servers = Arc::new(Servers::start().await);
    let asked = CLIENTS.map(|(client, _)| {
        let servers = Arc::clone(&servers);
        tokio::task::spawn_blocking(move || (client, ask(client, &servers)))
    });
    let mut reports = Vec::new();
    for asked in asked {
        reports.push(asked.await.expect("the client was asked"));
    }
    let servers = Arc::into_inner(servers).expect("nobody else has them");
    servers.stop().await;
    let faults: Vec<String> = reports.iter().flat_map(faults_of).collect();
    let list = faults.iter().fold(String::new(), |mut list, fault| {
        writeln!(list, "  {fault}").expect("a string");
        list
    });
    assert!(faults.is_empty(), "{} faults:\n{list}", faults.len());
    table::check(|client, feature| {
        let report = reports.iter().find(|(who, _)| *who == client);
        outcome(report.expect("every client was asked"), feature).is_some_and(|told| told.ok)
    });
}

fn ask(client: &str, servers: &Servers) -> Vec<Told> {
    let features: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
    match client {
        "freetds" => freetds::run(servers, &features),
        "tiberius" => tiberius::run(servers, &features),
        _ => programs::run(client, &servers.told_to(client, &features)),
    }
}

/// Nothing, or what was wrong.
type Outcome = Result<(), String>;

impl Told {
    fn new(feature: &str, outcome: Outcome) -> Self {
        Self {
            feature: feature.to_owned(),
            ok: outcome.is_ok(),
            detail: outcome.err().unwrap_or_default(),
        }
    }
}

fn require(is_true: bool, otherwise: &str) -> Outcome {
    if is_true {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

fn equal<T: PartialEq + Debug + ?Sized>(found: &T, expected: &T) -> Outcome {
    require(
        found == expected,
        &format!("{found:?} instead of {expected:?}"),
    )
}

fn outcome<'a>((_, told): &'a Report, feature: &str) -> Option<&'a Told> {
    told.iter().find(|one| one.feature == feature)
}

/// Where a client did not do what is expected of it, in either direction.
fn faults_of(report: &Report) -> Vec<String> {
    let (client, _) = report;
    let fault = |feature: &str| match (outcome(report, feature), reason(client, feature)) {
        (Some(told), None) if told.ok => None,
        (Some(told), Some(_)) if told.ok => Some(format!(
            "{client}, {feature}: works, though it is listed as lacking"
        )),
        (Some(told), None) => Some(format!("{client}, {feature}: {}", told.detail)),
        (None, None) => Some(format!("{client}, {feature}: told nothing")),
        (_, Some(_)) => None,
    };
    FEATURES
        .iter()
        .filter_map(|(name, _)| fault(name))
        .collect()
}
