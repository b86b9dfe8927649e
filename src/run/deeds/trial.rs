//! Trials of shares and store: each writes something that another step removes again.

use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::model::{HostName, StoreName};
use crate::plan::{ProbeStore, RemoveProbe, RemoveTrial, TrialBackup};
use crate::world::{Store, World};

/// A backup of `model` goes to the share as the host sees it, and must appear as the agent sees it.
pub(super) async fn back_up(world: &World, host: &HostName, step: &TrialBackup) -> Result<()> {
    let stripes = std::slice::from_ref(&step.stripe);
    world.staging.make_room(stripes).await?;
    world.fleet.probe_share(host, &step.stripe.sql_path).await?;
    if world.staging.sizes(stripes).await?.contains(&0) {
        let message = "the file that the host wrote is empty here";
        return Err(Error::new(Code::ShareUnseen, message)
            .hint("`share.sql` and `share.agent` must name one folder"));
    }
    Ok(())
}

pub(super) async fn remove(world: &World, step: &RemoveTrial) -> Result<()> {
    let files = std::slice::from_ref(&step.agent_path);
    let removed = world.staging.remove(files).await;
    removed.map_err(|error| error.hint("it is a trial that nobody needs: remove it by hand"))
}

pub(super) async fn probe_store(world: &World, step: &ProbeStore) -> Result<()> {
    let store = store_of(world, step.store.as_ref())?;
    if store.honours_create(&step.key).await? {
        return Ok(());
    }
    let message = "the store overwrites objects that are there";
    Err(Error::new(Code::StoreOverwrites, message)
        .hint("only one agent may ever use it; prefer a store with conditional writes"))
}

pub(super) async fn remove_probe(world: &World, step: &RemoveProbe) -> Result<()> {
    let store = store_of(world, step.store.as_ref())?;
    store.remove_probe(&step.key).await
}

fn store_of(world: &World, name: Option<&StoreName>) -> Result<Arc<dyn Store>> {
    let Some(name) = name else {
        return Ok(world.store.clone());
    };
    world.store.alone(name).ok_or_else(|| {
        let message = format!("the configuration has no store `{name}`");
        Error::new(Code::StoreRefused, message).hint("name it under `[[store]]` again")
    })
}
