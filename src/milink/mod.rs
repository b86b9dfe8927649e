//! Links to an Azure SQL Managed Instance: what each prerequisite is, whether it is met, and the cure.
//!
//! Start at [`examine`]. The prerequisites are those of Microsoft's pages on preparing, scripting and troubleshooting the
//! Managed Instance link, as of 2026; what can only be seen on Azure's side (network, rights there, the instance's own
//! collation) is a row that says so and is never passed unseen.
//!
//! Nothing is contacted here, and nothing is changed.

mod host;
mod member;

use jiff::civil::Date;
use serde::Serialize;

use crate::model::{DatabaseName, HostName, MemberName};
use crate::survey::{MemberFacts, MilinkFacts};

pub use host::{ENDPOINT_PORT, certificate_name};
pub use member::{has_fit_chain, is_system_database};

/// How a prerequisite stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is met.
    Pass,
    /// A link can be made, but look at it; or only a person can tell.
    Warn,
    /// No link can be made.
    Fail,
}

/// What mends a prerequisite; `sql` writes it as T-SQL where it is T-SQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MilinkCure {
    /// A database master key in master.
    MasterKey,
    /// A certificate for the endpoint.
    Certificate {
        /// Its name.
        name: String,
        /// Its last day.
        expires: Date,
    },
    /// An endpoint of database mirroring that shows this certificate.
    Endpoint {
        /// The certificate.
        certificate: String,
        /// The port.
        port: u16,
    },
    /// The endpoint that is there, with this certificate and AES.
    AlterEndpoint {
        /// The endpoint.
        name: String,
        /// The certificate.
        certificate: String,
    },
    /// A trace flag, now and at each start.
    TraceFlag {
        /// The flag.
        flag: i32,
    },
    /// The FULL recovery model.
    RecoveryFull {
        /// The database.
        database: DatabaseName,
    },
    /// `AUTO_CLOSE OFF`.
    AutoCloseOff {
        /// The database.
        database: DatabaseName,
    },
    /// `MULTI_USER`.
    MultiUser {
        /// The database.
        database: DatabaseName,
    },
    /// `stopmark milink prepare`.
    Prepare {
        /// The member.
        member: MemberName,
    },
    /// Something that a person does elsewhere.
    Person {
        /// What.
        what: &'static str,
    },
}

/// One prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MilinkRow {
    /// The host, or the member.
    pub about: String,
    /// The prerequisite, a word or two.
    pub what: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// What was found.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What mends it.
    pub cure: Option<MilinkCure>,
}

/// One member to be linked, with what is known of it; none where its database is not there.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The member.
    pub name: MemberName,
    /// What the survey says of it.
    pub facts: Option<&'a MemberFacts>,
}

/// Every prerequisite of links for these members of one host, in the order in which they are mended.
#[must_use]
pub fn examine(facts: &MilinkFacts, candidates: &[Candidate<'_>], today: Date) -> Vec<MilinkRow> {
    let mut rows = host::rows(facts, candidates.len(), today);
    for candidate in candidates {
        rows.extend(member::rows(facts, candidate));
    }
    rows
}

/// The names of a link's groups on the host, as Stopmark's steps call them: the host's own, and the distributed one.
#[must_use]
pub fn group_names(database: &DatabaseName) -> [String; 2] {
    [format!("AG_{database}"), format!("DAG_{database}")]
}

/// The rows of one thing, in the making.
struct About<'a>(&'a str);

impl About<'_> {
    fn row(
        &self,
        what: &'static str,
        standing: Standing,
        found: impl Into<String>,
        why: &'static str,
    ) -> MilinkRow {
        MilinkRow {
            about: self.0.to_owned(),
            what,
            standing,
            found: found.into(),
            why,
            cure: None,
        }
    }

    /// Passes where `is_met`, else as `otherwise`.
    fn judged(
        &self,
        what: &'static str,
        (is_met, otherwise): (bool, Standing),
        found: impl Into<String>,
        why: &'static str,
    ) -> MilinkRow {
        let standing = if is_met { Standing::Pass } else { otherwise };
        self.row(what, standing, found, why)
    }
}

impl MilinkRow {
    /// With what mends it, unless it is met.
    fn cured_by(mut self, cure: MilinkCure) -> Self {
        if self.standing != Standing::Pass {
            self.cure = Some(cure);
        }
        self
    }

    fn done_by(self, what: &'static str) -> Self {
        self.cured_by(MilinkCure::Person { what })
    }
}

/// Yes or no, for people.
const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// The host's name as object names take it: certificates must not hold a backslash.
fn plain_name(host: &HostName) -> String {
    host.as_str().replace('\\', "_")
}

#[cfg(test)]
mod tests;
