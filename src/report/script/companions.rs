//! Companions on paper: per host a script that brings their files, and one that restores those that are databases like
//! any other. What must be done by hand (`master`, `msdb`, `model`) is in the runbook.
//!
//! Start at [`of_plan`] and [`text`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{HostPaper, PaperFacts, commented, name_hosts, quiet};
use crate::model::{HostName, Piece};
use crate::plan::{Fetch, FileMove, fetches_of};
use crate::report::companions::{Companion, Role, newest};
use crate::sql::script;

/// The companions of a restore: of each the newest backup that stands before the mark, where it is fetched to.
pub(in crate::report) struct Companions<'a> {
    pub(in crate::report) newest: Vec<Companion<'a>>,
    fetches: BTreeMap<HostName, Vec<Fetch>>,
}

/// The companions that go with the restore that is planned.
pub(super) fn of_plan<'a>(facts: &PaperFacts<'a>) -> Companions<'a> {
    let newest = newest(&facts.have.sets, Some(facts.mark.placed_at));
    let newest: Vec<Companion<'a>> = newest.into_values().collect();
    let pieces: Vec<&Piece> = newest.iter().map(|it| it.piece).collect();
    let mut fetches: BTreeMap<HostName, Vec<Fetch>> = BTreeMap::new();
    for (host, fetch) in fetches_of(facts.config, &pieces) {
        fetches.entry(host).or_default().push(fetch);
    }
    Companions { newest, fetches }
}

impl Companions<'_> {
    /// The paper of each host that they are of.
    pub(in crate::report) fn hosts(&self) -> Vec<HostPaper<'_>> {
        let hosts = self.fetches.iter().map(|(host, fetches)| HostPaper {
            fetches: fetches.iter().collect(),
            ..quiet(host)
        });
        let mut hosts: Vec<_> = hosts.collect();
        name_hosts(&mut hosts);
        for host in &mut hosts {
            host.slug = format!("companions-{}", host.slug);
        }
        hosts
    }
}

/// The script that restores the companions of one host that are databases like any other; none where it has none.
pub(super) fn text(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> Option<String> {
    let own = host.fetches.iter().filter_map(|fetch| {
        let piece = facts.piece(fetch.source.piece)?;
        (Role::of(&piece.member) == Role::User).then_some((*fetch, piece))
    });
    let own: Vec<(&Fetch, &Piece)> = own.collect();
    if own.is_empty() {
        return None;
    }
    let names: BTreeSet<String> = own.iter().map(|(_, it)| it.member.to_string()).collect();
    let names: Vec<String> = names.into_iter().collect();
    let words = format!(
        "Restores databases of host {} that stand beside group {}:\n\
         {}.\n\
         They are NOT at the mark: each is as it was when its backup ended, a while before. One that is there already\n\
         is left as it is. Where this host has other folders, change the paths of MOVE.\n\
         \n\
         {} brings the files. Then: sqlcmd -S {} -d master -E -x -f 65001 -i {}\n",
        host.host,
        facts.plan.group,
        names.join(", "),
        host.fetch_name(),
        host.host,
        host.script_name()
    );
    let mut text = commented("--", &words) + "\n";
    for (fetch, piece) in own {
        let words = format!(
            "{}: full of {}, from {}",
            piece.member,
            piece.finished,
            fetch.source.stripes.first().map_or("", |it| &it.sql_path)
        );
        text.push_str(&commented("--", &words));
        let database = &piece.member.database;
        let batch = script::companion_sql(database, &fetch.source, &moves(piece));
        let statements = script::unterminated(&batch.text);
        writeln!(text, "{statements};\nGO").expect("a string takes everything");
    }
    Some(text)
}

/// Every file where it was.
fn moves(piece: &Piece) -> Vec<FileMove> {
    let files = piece.files.iter().map(|file| FileMove {
        logical_name: file.logical_name.clone(),
        physical_name: file.physical_name.clone(),
    });
    files.collect()
}
