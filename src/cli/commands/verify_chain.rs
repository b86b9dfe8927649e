//! `stopmark verify --chain`: the group's log from its first entry to its last, and every manifest that it names.
//!
//! Each entry holds the digest of the one before, so nothing in between can be altered or taken out. What was changed
//! or cut off at the end is known only to who has read it before: the local catalog.

use std::fmt::Write as _;

use futures::TryStreamExt as _;
use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit, Result};
use crate::run::events::Failure;
use crate::world::{Chained, LogFact};

#[derive(Serialize)]
struct Chain {
    entries: usize,
    manifests: usize,
    faults: Vec<Failure>,
}

impl Shown for Chain {
    fn text(&self) -> String {
        let mut text = format!(
            "{} entries of the group's log follow from one another; {} manifests are as they were written\n",
            self.entries, self.manifests
        );
        for fault in &self.faults {
            writeln!(text, "BROKEN {}", fault.line()).expect("a string takes everything");
        }
        text
    }
}

/// Reads the whole log again, whatever the catalog knows already.
pub(super) async fn verify_chain(
    common: &Common,
    out: &mut Out<'_>,
) -> std::result::Result<Exit, Failed> {
    let agent = agent(common, Access::Read)?;
    let chain = read(&agent).await.map_err(one)?;
    let exit = if chain.faults.is_empty() {
        Exit::Ok
    } else {
        Exit::Degraded
    };
    shown(out, &chain, exit)
}

async fn read(agent: &Agent) -> Result<Chain> {
    let (world, group) = (&agent.world, &agent.config.group);
    let (known, digest) = world.catalog.newest_entry(group).await?;
    let mut chain = Chain {
        entries: 0,
        manifests: 0,
        faults: Vec::new(),
    };
    let mut batches = world.store.log_batches(group, 0, None);
    let mut last = 0;
    loop {
        let batch = match batches.try_next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) if is_fault(&error) => {
                chain.faults.push(Failure::from(&error));
                return Ok(chain);
            }
            Err(error) => return Err(error),
        };
        for Chained {
            entry,
            digest: found,
        } in &batch
        {
            chain.entries += 1;
            last = entry.entry;
            if last == known && digest.is_some_and(|digest| digest != *found) {
                chain.faults.push(Failure::from(&altered(agent, last)));
            }
            chain.read_manifest(agent, &entry.fact).await?;
        }
    }
    if last < known {
        chain.faults.push(Failure::from(&cut(agent, last, known)));
    }
    Ok(chain)
}

impl Chain {
    async fn read_manifest(&mut self, agent: &Agent, fact: &LogFact) -> Result<()> {
        let LogFact::Set {
            manifest_key,
            digest,
            ..
        } = fact
        else {
            return Ok(());
        };
        let (store, group) = (&agent.world.store, &agent.config.group);
        match store.read_set(group, manifest_key, *digest).await {
            Ok(_) => self.manifests += 1,
            Err(error) if is_fault(&error) => self.faults.push(Failure::from(&error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// No later entry holds the digest of the last one; whoever has read it before knows it.
fn altered(agent: &Agent, entry: u64) -> Error {
    let message = format!("entry {entry} of the group's log is not what it was when it was read");
    Error::new(Code::ManifestUnreadable, message)
        .at("group", &agent.config.group)
        .hint("someone changed it: bring it back from a version or copy of the bucket")
}

fn cut(agent: &Agent, last: u64, known: u64) -> Error {
    let message = format!("the group's log ends at entry {last}, and had {known} before");
    Error::new(Code::ManifestUnreadable, message)
        .at("group", &agent.config.group)
        .hint("someone removed its end: bring it back from a version or copy of the bucket")
}

/// What the store holds is wrong; anything else is a store that does not answer.
fn is_fault(error: &Error) -> bool {
    matches!(
        error.code(),
        Code::ManifestUnreadable | Code::StoreMismatch | Code::ObjectMissing
    )
}
