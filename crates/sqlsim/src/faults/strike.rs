//! What faults do where they strike: connections, statements, and the host itself.
//!
//! Start at [`WireFaults`] and at `Session::suffer`. When a fault strikes is decided in `mod.rs`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::{Act, Fault, FaultKind, KillPoint};
use crate::error::SqlResult;
use crate::instance::Instance;
use crate::link::literal::{quote, text};
use crate::messages;
use crate::session::Session;
use crate::wire::faults::{ConnectionFaults, Verdict};

/// The place by which a fault names new connections.
const CONNECT: &str = "CONNECT";

/// The acts, in the order in which they are done when several are due.
const ACTS: [Act; 6] = [
    Act::SkewClock,
    Act::SwitchRecoveryModel,
    Act::BulkChange,
    Act::ForeignFull,
    Act::ForeignLogBackup,
    Act::Kill,
];

/// The faults of an instance that break its connections, as the wire asks for them.
#[derive(Clone, Debug)]
pub struct WireFaults(pub Arc<Instance>);

#[async_trait]
impl ConnectionFaults for WireFaults {
    async fn connecting(&self) -> Verdict {
        self.0.delay(CONNECT, "").await;
        let refused = self.0.faults.strike(FaultKind::Refuse, "", "").is_some();
        self.verdict(refused, CONNECT).await
    }

    async fn saying(&self, _spid: i16, _said: u64) -> Verdict {
        // Asked for every row that is sent.
        if self.0.faults.is_idle() {
            return Verdict::Pass;
        }
        self.0.delay("", "").await;
        let cut = self.0.faults.strike(FaultKind::Cut, "", "").is_some();
        self.verdict(cut, "").await
    }
}

impl WireFaults {
    async fn verdict(&self, is_cut: bool, place: &str) -> Verdict {
        if is_cut {
            return Verdict::Cut;
        }
        if self.0.faults.strike(FaultKind::Drop, place, "").is_none() {
            return Verdict::Pass;
        }
        self.0.wait_until_cleared().await;
        Verdict::Cut
    }
}

impl Instance {
    /// Dies as by kill -9: nothing more is written, and every session is cut off. The folder may
    /// be opened anew at once.
    pub fn kill(&self) {
        self.faults.halt();
        self.sessions.kill_all();
    }

    /// Dies here if a fault says so; then it never returns.
    pub async fn kill_point(&self, point: KillPoint) {
        if self.faults.strike(FaultKind::Kill(point), "", "").is_some() {
            self.die().await;
        }
    }

    /// Waits here, if a fault says so, until the faults are cleared or the instance dies.
    pub(crate) async fn stall(&self, kind: FaultKind) {
        if self.faults.strike(kind, "", "").is_some() {
            self.wait_until_cleared().await;
        }
    }

    async fn wait_until_cleared(&self) {
        let (cleared, killed) = (self.faults.cleared(), self.faults.killed());
        tokio::select! {
            () = cleared.cancelled() => {}
            () = killed.cancelled() => {}
        }
    }

    async fn delay(&self, place: &str, database: &str) {
        if let Some(fault) = self.faults.strike(FaultKind::Delay, place, database) {
            let milliseconds = u64::try_from(fault.milliseconds).unwrap_or_default();
            self.clock.sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    async fn die(&self) {
        self.kill();
        std::future::pending::<()>().await;
    }
}

impl Session {
    /// What befalls a statement before it runs: others act, it is delayed, its connection is cut or
    /// falls silent. A silent one is gone in the end, and its session ends with its transaction
    /// rolled back: nobody is left to whom it could answer.
    pub(crate) async fn suffer(&mut self, command: &str, database: &str) -> Suffered {
        let instance = Arc::clone(&self.instance);
        for act in ACTS {
            if let Some(fault) = instance
                .faults
                .strike(FaultKind::Act(act), command, database)
            {
                // An act that fails (a foreign log backup without a full) changes nothing.
                let _ = Box::pin(instance.act(act, &fault)).await;
            }
        }
        instance.delay(command, database).await;
        let strikes = |kind| instance.faults.strike(kind, command, database).is_some();
        if strikes(FaultKind::Cut) {
            self.record.killed.cancel();
        }
        if strikes(FaultKind::Drop) {
            let killed = self.record.killed.clone();
            tokio::select! {
                () = instance.wait_until_cleared() => {}
                () = killed.cancelled() => {}
            }
            killed.cancel();
            return Suffered::Gone;
        }
        Suffered::Stayed
    }
}

/// What is left of a session after its faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suffered {
    /// Its statement runs.
    Stayed,
    /// It ends.
    Gone,
}

impl Instance {
    /// Does what somebody else would do. Raises what they would see: 911 without the database, 4214
    /// for a log backup without a full.
    pub(super) async fn act(self: &Arc<Self>, act: Act, fault: &Fault) -> SqlResult<()> {
        let database = fault.database.as_deref().unwrap_or_default();
        match act {
            Act::Kill => {
                self.die().await;
                Ok(())
            }
            Act::SkewClock => {
                self.clock
                    .skew(SignedDuration::from_millis(fault.milliseconds));
                Ok(())
            }
            Act::ForeignLogBackup => self.foreign("LOG", database, fault).await,
            Act::ForeignFull => self.foreign("DATABASE", database, fault).await,
            Act::SwitchRecoveryModel => {
                let model = fault.text.as_deref().unwrap_or("SIMPLE").to_uppercase();
                if !["FULL", "BULK_LOGGED", "SIMPLE"].contains(&model.as_str()) {
                    return Err(messages::option_does_not_exist(&model));
                }
                let sql = format!("ALTER DATABASE {} SET RECOVERY {model}", quote(database));
                self.somebody_else(&sql).await
            }
            Act::BulkChange => self.needed_database(database)?.storage().mark_bulk_logged(),
        }
    }

    async fn foreign(self: &Arc<Self>, what: &str, database: &str, fault: &Fault) -> SqlResult<()> {
        let ours = || format!("foreign_{}.bak", self.new_guid().simple());
        let path = fault.text.clone().unwrap_or_else(ours);
        let sql = format!(
            "BACKUP {what} {} TO DISK = {} WITH FORMAT",
            quote(database),
            text(&path)
        );
        self.somebody_else(&sql).await
    }

    async fn somebody_else(self: &Arc<Self>, sql: &str) -> SqlResult<()> {
        let mut session = Session::internal(self, "master")?;
        session.run_to_end(sql).await
    }
}
