//! A configuration that changes while the service runs: taken up whole, or not at all.

use super::super::ends::log;
use super::super::work::Opened;
use super::Keeper;
use crate::config::diff;
use crate::error::{Code, Error, Result, render};
use crate::model::Severity;

impl Keeper {
    /// Takes up a changed configuration; one with faults is told, and the old one stays in force.
    pub(super) fn reload(&mut self) {
        self.parts.manager.reloading();
        let taken = self.parts.house.open().and_then(|opened| {
            refuse_another(&self.opened, &opened).map_err(|error| vec![error])?;
            Ok(opened)
        });
        match taken {
            Ok(opened) => {
                let changes = diff(&self.opened.text, &opened.text);
                tracing::info!(changes = changes.len(), "the configuration was read again");
                for change in &changes {
                    tracing::info!("{change}");
                }
                self.opened = opened;
                self.take_scene();
                self.seen.fault = None;
                let (now, schedule) = (self.now(), &self.opened.scene.config.schedule);
                if let Err(error) = self.ledger.watch(schedule, now) {
                    self.wait_for(&error);
                }
            }
            Err(errors) => {
                let told: String = errors.iter().map(render::text).collect();
                log(&told, Severity::Error);
                tracing::error!("the old configuration stays in force");
                self.seen.fault = Some(told);
            }
        }
        self.is_stale = true;
        self.parts.manager.ready();
    }
}

/// Group and state folder belong to the service's identity: its locks and its ledger lie there.
fn refuse_another(old: &Opened, new: &Opened) -> Result<()> {
    let (old, new) = (&old.scene.config, &new.scene.config);
    if old.group == new.group && old.state == new.state {
        return Ok(());
    }
    let message = "group and state folder are not changed while the service runs";
    Err(Error::new(Code::ReloadRefused, message)
        .at("group", &new.group)
        .at("state", new.state.display())
        .hint("restart the service"))
}
