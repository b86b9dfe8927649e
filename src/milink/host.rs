//! What the host itself must have.

use jiff::civil::Date;

use super::{About, MilinkCure, MilinkRow, Standing, on, plain_name};
use crate::model::HostName;
use crate::survey::{MilinkFacts, MirrorEndpoint, major};

/// Where a Managed Instance's endpoint listens, and where a default instance's should.
pub const ENDPOINT_PORT: u16 = 5022;
/// Days before a certificate's end from which on it is time for the next one.
const EXPIRY_DAYS_MIN: i32 = 60;
/// Days that a new certificate is good for.
const CERTIFICATE_DAYS: i32 = 5 * 365;
/// The flags, whether a link cannot do without, and what each does.
const TRACE_FLAGS: [(i32, &str); 3] = [
    (
        1800,
        "without it log writes cross sector sizes slowly when disks of the two sides differ",
    ),
    (
        9567,
        "without it seeding is not compressed, and takes longer over the wide network",
    ),
    (
        12381,
        "without it a log backup during seeding breaks the link (1412, 1408): Stopmark pauses the member's log backups \
         until seeding ends",
    ),
];

/// The certificate that Stopmark's scripts make for a host's endpoint.
#[must_use]
pub fn certificate_name(host: &HostName) -> String {
    format!("Cert_{}_endpoint", plain_name(host))
}

pub(super) fn rows(facts: &MilinkFacts, asked: usize, today: Date) -> Vec<MilinkRow> {
    let about = About(facts.true_name.as_str());
    let mut rows = vec![version(&about, facts), edition(&about, facts)];
    let why = "a link is made of availability groups";
    rows.push(
        about
            .judged("availability groups", (facts.is_hadr_enabled, Standing::Fail), on(facts.is_hadr_enabled), why)
            .done_by(
                "turn the feature on in SQL Server Configuration Manager (Linux: `mssql-conf set hadr.hadrenabled 1`) \
                 and restart the service",
            ),
    );
    let (found, why) = (
        if facts.is_sysadmin {
            "the login is sysadmin"
        } else {
            "the login is not sysadmin"
        },
        "Microsoft asks for sysadmin to make keys, endpoints and groups; the checks here need it not",
    );
    rows.push(
        about
            .judged("rights", (facts.is_sysadmin, Standing::Warn), found, why)
            .done_by("let a sysadmin run what `stopmark milink script` writes"),
    );
    let (found, why) = (
        if facts.has_master_key {
            "there is one"
        } else {
            "there is none"
        },
        "it protects the private key of the endpoint's certificate",
    );
    rows.push(
        about
            .judged(
                "master key",
                (facts.has_master_key, Standing::Fail),
                found,
                why,
            )
            .cured_by(MilinkCure::MasterKey),
    );
    rows.extend(endpoint(&about, facts, today));
    rows.extend(TRACE_FLAGS.map(|(flag, why)| trace_flag(&about, facts, flag, why)));
    rows.push(modes(&about, asked));
    rows.push(azure(&about));
    rows
}

/// The first number, and the update's number; 0 where they cannot be read.
fn release(facts: &MilinkFacts) -> (u32, u32) {
    let update = facts
        .update
        .as_deref()
        .and_then(|text| text.strip_prefix("CU"));
    let update = update.and_then(|text| text.split('-').next()?.parse().ok());
    (major(&facts.version), update.unwrap_or(0))
}

fn version(about: &About<'_>, facts: &MilinkFacts) -> MilinkRow {
    let update = facts.update.as_deref().unwrap_or("without updates");
    let found = format!("{}, {update}", facts.version);
    let (standing, why, what) = match release(facts) {
        (..=12, _) => (
            Standing::Fail,
            "links begin with SQL Server 2016",
            "upgrade the host",
        ),
        (13, _) => (
            Standing::Warn,
            "2016 needs SP3, the Azure Connect pack, and a Windows cluster node",
            "see that the Azure Connect pack (KB5014242) and a cluster are there",
        ),
        (14, _) => (
            Standing::Warn,
            "2017 is named by Microsoft's newer pages only",
            "read the supported updates before a migration is promised",
        ),
        (15, ..=14) => (
            Standing::Fail,
            "2019 needs CU15 (Enterprise, Developer) or CU17 (Standard) at least",
            "install the newest update",
        ),
        (15, ..=19) => (
            Standing::Warn,
            "updates of this age had links as a preview only",
            "install the newest update",
        ),
        (16, ..=9) => (
            Standing::Warn,
            "below CU10 the link goes one way only: nothing comes back from the Managed Instance",
            "install the newest update before the link is made",
        ),
        _ => (Standing::Pass, "links work both ways", ""),
    };
    about.row("version", standing, found, why).done_by(what)
}

fn edition(about: &About<'_>, facts: &MilinkFacts) -> MilinkRow {
    let known = ["Enterprise", "Standard", "Developer"];
    let is_known = known.iter().any(|name| facts.edition.starts_with(name));
    let why = "Enterprise, Standard and Developer have links";
    about
        .judged(
            "edition",
            (is_known, Standing::Fail),
            facts.edition.clone(),
            why,
        )
        .done_by("move the database to a host of one of these editions")
}

fn endpoint(about: &About<'_>, facts: &MilinkFacts, today: Date) -> Vec<MilinkRow> {
    let certificate = certificate_name(&facts.true_name);
    let expires = today.saturating_add(jiff::Span::new().days(CERTIFICATE_DAYS));
    let make = || MilinkCure::Certificate {
        name: certificate.clone(),
        expires,
    };
    let Some(endpoint) = &facts.endpoint else {
        let why = "the Managed Instance proves by certificates whom it talks to";
        let none = about.row(
            "certificate",
            Standing::Fail,
            "there is no endpoint to show one",
            why,
        );
        let why = "the two sides speak through it";
        let cure = MilinkCure::Endpoint {
            certificate: certificate.clone(),
            port: ENDPOINT_PORT,
        };
        let missing = about.row("endpoint", Standing::Fail, "there is none", why);
        return vec![none.cured_by(make()), missing.cured_by(cure)];
    };
    vec![
        certificate_row(about, endpoint, today).cured_by(make()),
        endpoint_row(about, endpoint).cured_by(MilinkCure::AlterEndpoint {
            name: endpoint.name.clone(),
            certificate,
        }),
        port(about, facts, endpoint),
    ]
}

fn certificate_row(about: &About<'_>, endpoint: &MirrorEndpoint, today: Date) -> MilinkRow {
    let what = "certificate";
    let Some(certificate) = &endpoint.certificate else {
        let why = "the Managed Instance proves by certificates whom it talks to";
        return about.row(what, Standing::Fail, "the endpoint shows none", why);
    };
    let found = format!("`{}`, until {}", certificate.name, certificate.expires);
    if certificate.name.contains('\\') {
        let why = "Azure takes no certificate with a backslash in its name";
        return about.row(what, Standing::Fail, found, why);
    }
    let left = today
        .until(certificate.expires)
        .map_or(0, |span| span.get_days());
    let (standing, why) = match left {
        ..=0 => (
            Standing::Fail,
            "it has ended: every link through this endpoint is down",
        ),
        1..EXPIRY_DAYS_MIN => (
            Standing::Warn,
            "it ends soon, and every link through this endpoint with it",
        ),
        _ => (Standing::Pass, "links end with it: rotate it before"),
    };
    about.row(what, standing, found, why)
}

fn endpoint_row(about: &About<'_>, endpoint: &MirrorEndpoint) -> MilinkRow {
    let has_certificate = endpoint.authentication.contains("CERTIFICATE");
    let has_aes = endpoint.encryption.contains("AES");
    let found = format!(
        "`{}`, {}, {}, {}",
        endpoint.name,
        if endpoint.is_started {
            "started"
        } else {
            "stopped"
        },
        endpoint.authentication,
        endpoint.encryption
    );
    let is_met = endpoint.is_started && has_certificate && has_aes;
    let why = "it must be started, take certificates and encrypt with AES";
    about.judged("endpoint", (is_met, Standing::Fail), found, why)
}

fn port(about: &About<'_>, facts: &MilinkFacts, endpoint: &MirrorEndpoint) -> MilinkRow {
    let is_default = !facts.true_name.as_str().contains('\\');
    let is_met = !is_default || endpoint.port == i32::from(ENDPOINT_PORT);
    let why = "Microsoft's scripts and firewalls expect 5022 on a default instance; each other instance has its own";
    about
        .judged(
            "port",
            (is_met, Standing::Warn),
            endpoint.port.to_string(),
            why,
        )
        .done_by("open this port from the Managed Instance's subnet, and name it in the link")
}

fn trace_flag(about: &About<'_>, facts: &MilinkFacts, flag: i32, why: &'static str) -> MilinkRow {
    let is_on = facts.trace_flags.contains(&flag);
    let what = match flag {
        1800 => "trace flag 1800",
        9567 => "trace flag 9567",
        _ => "trace flag 12381",
    };
    let found = if is_on {
        "on for everybody now; see that it is a startup parameter too"
    } else {
        "off"
    };
    about
        .judged(what, (is_on, Standing::Warn), found, why)
        .cured_by(MilinkCure::TraceFlag { flag })
}

fn modes(about: &About<'_>, asked: usize) -> MilinkRow {
    let why = "a link carries one database; the mode for several is a preview (2022 CU27, 2025 CU9, Enterprise or \
        Developer) and cannot be entered while links exist";
    about
        .judged(
            "databases a link",
            (asked == 1, Standing::Warn),
            format!("{asked} asked for"),
            why,
        )
        .done_by("make one link for each, as `stopmark milink script` writes them")
}

/// What no look at this side can tell.
fn azure(about: &About<'_>) -> MilinkRow {
    let why = "from here nothing of it can be seen: ports 5022 and 11000 to 11999 both ways, private addresses that do not \
        overlap, rights (the role SQL Managed Instance Contributor, or the actions of Microsoft.Sql/managedInstances/ for databases, \
        hybridCertificate, hybridLink, endpointCertificates, serverTrustCertificates and distributedAvailabilityGroups with \
        setRole), no database of the name on the instance, and its collation and update policy";
    about
        .row("Azure's side", Standing::Warn, "not looked at", why)
        .done_by("run the network test of the link wizard, or `Test-NetConnection`, both ways")
}
