//! A restore on paper: files with which people bring the group back when Stopmark is gone.
//!
//! Start at [`paper`]. From a restore's plan come one T-SQL script a host (`restore.rs`), one shell script a host that
//! brings the pieces from the store and checks every byte (`fetch.rs`), and a runbook with the steps around them
//! (`report/runbook`). The statements are those that the agent itself would send.
//!
//! Nothing here decides anything: what the plan does not say is not in the files.

mod companions;
mod fetch;
mod restore;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use self::companions::Companions;
use super::runbook;
use crate::config::Config;
use crate::error::plain::plain;
use crate::model::{HostName, Mark, MemberName, Piece, PieceId, PieceKind, Timestamp};
use crate::plan::{CatalogView, Fetch, Plan, ProveMark, PutBack, Step, slug};

/// What the files are made from.
#[derive(Clone, Copy)]
pub struct PaperFacts<'a> {
    /// The configuration: stores, shares, links.
    pub config: &'a Config,
    /// The restore, for hosts where nothing is done yet.
    pub plan: &'a Plan,
    /// The mark that it leads to.
    pub mark: &'a Mark,
    /// The pieces that it needs, and the sets of companions.
    pub have: &'a CatalogView,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaperFile {
    /// Its name, plain ASCII without a folder.
    pub name: String,
    /// What stands in it, UTF-8 with LF.
    pub text: String,
}

/// What is done on one host, in order.
pub(super) struct HostPaper<'a> {
    pub(super) host: &'a HostName,
    /// The part of file names that is the host's.
    pub(super) slug: String,
    pub(super) fetches: Vec<&'a Fetch>,
    /// Restores of databases and logs.
    pub(super) restores: Vec<&'a Step>,
    pub(super) proofs: Vec<&'a ProveMark>,
    /// What the members had beside their data.
    pub(super) put_backs: Vec<&'a PutBack>,
}

/// The files of a restore: `RUNBOOK.md` first, then two for each host, and what brings back its companions.
#[must_use]
pub fn paper(facts: PaperFacts<'_>) -> Vec<PaperFile> {
    let hosts = hosts_of(facts.plan);
    let companions = companions::of_plan(&facts);
    let mut files = runbook::files(&facts, &hosts, &companions);
    for host in &hosts {
        files.push(PaperFile {
            name: host.fetch_name(),
            text: fetch::text(&facts, host),
        });
        files.push(PaperFile {
            name: host.script_name(),
            text: restore::text(&facts, host),
        });
    }
    for host in &companions.hosts() {
        files.push(PaperFile {
            name: host.fetch_name(),
            text: fetch::text(&facts, host),
        });
        files.extend(companions::text(&facts, host).map(|text| PaperFile {
            name: host.script_name(),
            text,
        }));
    }
    files
}

impl HostPaper<'_> {
    /// The T-SQL script's name.
    pub(super) fn script_name(&self) -> String {
        format!("restore-{}.sql", self.slug)
    }

    /// The shell script's name.
    pub(super) fn fetch_name(&self) -> String {
        format!("fetch-{}.sh", self.slug)
    }
}

impl<'a> PaperFacts<'a> {
    /// A piece of the plan.
    pub(super) fn piece(&self, id: PieceId) -> Option<&'a Piece> {
        self.have.piece(id)
    }

    /// A piece in words: `full of 2026-11-21 02:00:00 +01:00`.
    pub(super) fn piece_words(&self, id: PieceId) -> String {
        self.piece(id).map_or_else(
            || format!("piece {id}"),
            |piece| format!("{} of {}", kind_word(piece.kind), piece.finished),
        )
    }

    /// When the plan was made.
    pub(super) const fn made_at(&self) -> Timestamp {
        self.plan.made_at
    }
}

/// The word for a kind of piece.
pub(super) const fn kind_word(kind: PieceKind) -> &'static str {
    match kind {
        PieceKind::Full => "full",
        PieceKind::Differential => "differential",
        PieceKind::Log => "log",
    }
}

/// The hosts of a plan, in the order of their names, each with its steps in the order of the stages.
fn hosts_of(plan: &Plan) -> Vec<HostPaper<'_>> {
    let mut hosts: BTreeMap<&HostName, HostPaper<'_>> = BTreeMap::new();
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    for lane in lanes {
        let host = hosts.entry(&lane.host).or_insert_with(|| quiet(&lane.host));
        for step in &lane.steps {
            match step {
                Step::Fetch(step) => host.fetches.push(step),
                Step::RestoreDatabase(_) | Step::RestoreLog(_) => host.restores.push(step),
                Step::ProveMark(step) => host.proofs.push(step),
                Step::PutBack(step) => host.put_backs.push(step),
                // The rest of a restore is done by the agent for itself: it clears what it brought.
                _ => {}
            }
        }
    }
    let mut hosts: Vec<_> = hosts
        .into_values()
        .filter(|host| !host.restores.is_empty())
        .collect();
    name_hosts(&mut hosts);
    hosts
}

/// A host on which nothing is done.
const fn quiet(host: &HostName) -> HostPaper<'_> {
    HostPaper {
        host,
        slug: String::new(),
        fetches: Vec::new(),
        restores: Vec::new(),
        proofs: Vec::new(),
        put_backs: Vec::new(),
    }
}

/// Host names as people know them where they stay apart and are plain, else with a digest.
fn name_hosts(hosts: &mut [HostPaper<'_>]) {
    let readable = |host: &HostName| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        host.as_str().chars().take(40).map(plain).collect()
    };
    let mut seen = BTreeSet::new();
    let all_differ = hosts
        .iter()
        .all(|host| seen.insert(readable(host.host).to_lowercase()));
    for host in hosts {
        host.slug = if all_differ {
            readable(host.host)
        } else {
            slug(host.host.as_str())
        };
    }
}

/// Lines of a comment; nothing in them can end it.
pub(super) fn commented(mark: &str, text: &str) -> String {
    let line = |line: &str| {
        let line = plain(line);
        format!("{mark} {line}").trim_end().to_owned() + "\n"
    };
    text.lines().map(line).collect()
}

/// The members that a script is about, in its order.
pub(super) fn members_of<'a>(host: &HostPaper<'a>) -> Vec<&'a MemberName> {
    host.proofs.iter().map(|proof| &proof.member).collect()
}
