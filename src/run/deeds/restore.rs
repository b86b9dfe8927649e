//! Restores: pieces fetched, restored, the members proven and opened. Start at [`fetch`].
//!
//! Every one of these may be done twice: what is there already, and is right, is left as it is.

use super::super::events::Outcome;
use crate::error::{Code, Error, Result};
use crate::model::HostName;
use crate::plan::{
    Fetch, ProveMark, ProvenState, PutBack, RecoverDatabase, RestoreDatabase, RestoreLog,
};
use crate::world::{RestoredState, World};

/// Brings a piece's stripes to the share, digests checked. A file that an earlier restore left there is used again
/// where its bytes are right.
pub(super) async fn fetch(world: &World, step: &Fetch) -> Result<Outcome> {
    world.staging.make_room(&step.source.stripes).await?;
    for (place, stored) in step.source.stripes.iter().zip(&step.stored) {
        let progress = world.progress.begin(&stored.key, Some(stored.size_bytes));
        world
            .store
            .fetch(stored, &place.agent_path, progress.as_ref())
            .await?;
    }
    Ok(Outcome::Fetched {
        piece: step.source.piece,
    })
}

/// Restores a full or a differential.
pub(super) async fn database(
    world: &World,
    host: &HostName,
    step: &RestoreDatabase,
) -> Result<Outcome> {
    let label = format!("restore {}", step.target);
    let progress = world.progress.begin(&label, None);
    let restored = world.fleet.restore_database(host, step, progress.as_ref());
    restored.await.map(|()| Outcome::Restored)
}

/// Restores a log.
pub(super) async fn log(world: &World, host: &HostName, step: &RestoreLog) -> Result<Outcome> {
    let label = format!("restore log of {}", step.target);
    let progress = world.progress.begin(&label, None);
    let restored = world.fleet.restore_log(host, step, progress.as_ref());
    restored.await.map(|()| Outcome::Restored)
}

/// Opens a member that stands by.
pub(super) async fn recover(
    world: &World,
    host: &HostName,
    step: &RecoverDatabase,
) -> Result<Outcome> {
    let label = format!("open {}", step.target);
    let progress = world.progress.begin(&label, None);
    let opened = world.fleet.recover_database(host, step, progress.as_ref());
    opened.await.map(|()| Outcome::Restored)
}

/// Requires the state and the newest mark that the step names, and that nothing waits for a coordinator.
pub(super) async fn prove_mark(
    world: &World,
    host: &HostName,
    step: &ProveMark,
) -> Result<Outcome> {
    let found = world.fleet.newest_mark(host, step).await?;
    // One that should stand by may be open: the agent that died had all proven, and its statement went on.
    let may_stand_by = step.state == ProvenState::Standby;
    let is_right_state = found.state == "ONLINE" && (may_stand_by || !found.is_standby);
    match &found.newest {
        Some(newest) if *newest == step.mark && is_right_state && found.in_doubt == 0 => {
            Ok(Outcome::MarkProven {
                newest: newest.clone(),
                state: step.state,
            })
        }
        _ => Err(unproven(host, step, &found)),
    }
}

/// Puts back what the member had on its host beside its data; whatever cannot be is told at once.
pub(super) async fn put_back(world: &World, host: &HostName, step: &PutBack) -> Result<()> {
    let left = world.fleet.put_back(host, step).await?;
    if left.is_empty() {
        return Ok(());
    }
    let message = format!("not everything that `{}` had was put back", step.target);
    Err(Error::new(Code::SettingsLeft, message)
        .at("host", host)
        .at("member", &step.member)
        .at("left", left.join("; "))
        .hint("the data are whole; make the logins that are missing (RUNBOOK.md of `restore plan --script`), then set the rest by hand"))
}

fn unproven(host: &HostName, step: &ProveMark, found: &RestoredState) -> Error {
    let newest = found.newest.as_ref();
    let newest = newest.map_or_else(|| "none".to_owned(), |mark| format!("`{mark}`"));
    let state = if found.is_standby {
        "standby"
    } else {
        &found.state
    };
    let error = |message, hint: &str| {
        Error::new(Code::MarkNotReached, message)
            .at("host", host)
            .at("member", &step.member)
            .at("state", state)
            .at("newest mark", &newest)
            .hint(hint)
    };
    if found.in_doubt > 0 {
        let message = format!("transactions of `{}` are in doubt", step.target);
        return error(
            message,
            "ask their coordinator (MSDTC) for the outcome, or end them with KILL and their unit of work",
        )
        .at("in doubt", found.in_doubt);
    }
    let message = format!("`{}` did not stop at mark `{}`", step.target, step.mark);
    error(
        message,
        "do not use this copy; restore the group to another point",
    )
}
