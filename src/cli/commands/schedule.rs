//! `stopmark schedule`: when which job is due next, and why. Neither hosts nor stores are asked.

use std::collections::BTreeMap;

use super::{Failed, one, shown};
use crate::catalog::{CopyPolicy, SqliteCatalog};
use crate::cli::args::Common;
use crate::cli::out::{Out, Shown};
use crate::cli::setup;
use crate::clock::SystemClock;
use crate::error::Exit;
use crate::run::journal::JournalFolder;
use crate::service::ledger::Ledger;
use crate::service::outlook::Outlook;
use crate::service::past::{Known, pasts};
use crate::service::published::Published;
use crate::world::{Clock as _, Journals as _};

/// Shows the next runs.
pub(super) async fn schedule(common: &Common, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let config = setup::load(common)?;
    let now = SystemClock::new().now();
    let journals = JournalFolder::open(&config.state).map_err(one)?;
    let policy = CopyPolicy::of(&config);
    let catalog = SqliteCatalog::open_for(&config.state, policy).map_err(one)?;
    let ledger = Ledger::open(&config.state);
    let pasts = pasts(
        &journals,
        &config.group,
        &config.schedule,
        &ledger,
        &BTreeMap::new(),
        &mut Known::default(),
        now,
    );
    let mut pasts = pasts.map_err(one)?;
    // What others published since this machine last looked into the store is not known here.
    let published = Published::of(&catalog, &config.group).await.map_err(one)?;
    let own = journals.runs().map_err(one)?;
    published.add_to(&mut pasts, &own, &config.schedule, now);
    let outlook = Outlook::of(&config, |job| pasts[&job].clone(), now);
    shown(out, &outlook, Exit::Ok)
}

impl Shown for Outlook {
    fn text(&self) -> String {
        Self::text(self)
    }
}
