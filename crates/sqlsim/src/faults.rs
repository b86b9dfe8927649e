//! Faults on demand: what shall go wrong, where, and how often.
//!
//! Start at [`Faults::arm`]. Faults are data; each place in the simulator where one can strike asks
//! for its own kind. `sp_sim_fault` arms them in T-SQL. Nothing strikes unless it was armed.

use std::future::ready;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::{SqlError, SqlResult};
use crate::instance::Instance;
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::storage::{Disk, DiskFile};
use crate::wire::faults::{ConnectionFaults, Verdict};

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A statement fails with the fault's number and text before it does anything.
    Fail,
    /// The device of a backup has no room left (3202, operating system error 112).
    DiskFull,
    /// A byte of a backup that was just written is changed, at the fault's offset.
    Damage,
    /// MSDTC does not run (8501).
    DtcOff,
    /// The connection is cut; each event that a session sends is an occasion.
    Cut,
    /// A new connection is cut before its first byte.
    Refuse,
    /// The process dies at a point of the commit over several hosts.
    Kill(KillPoint),
    /// A second WITH MARK in one transaction ends it, instead of being ignored (3920).
    SecondMarkEndsTransaction,
}

/// Where the process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillPoint {
    /// The coordinator, when all are prepared.
    BeforeDecision,
    /// The coordinator, when the decision is durable and nobody has been told.
    AfterDecision,
    /// A participant, when it is prepared and its coordinator has not heard so.
    AfterPrepare,
}

/// The names by which `sp_sim_fault` knows the kinds.
const KINDS: [(&str, FaultKind); 10] = [
    ("fail", FaultKind::Fail),
    ("disk full", FaultKind::DiskFull),
    ("damage", FaultKind::Damage),
    ("dtc off", FaultKind::DtcOff),
    ("cut", FaultKind::Cut),
    ("refuse", FaultKind::Refuse),
    (
        "kill before decision",
        FaultKind::Kill(KillPoint::BeforeDecision),
    ),
    (
        "kill after decision",
        FaultKind::Kill(KillPoint::AfterDecision),
    ),
    (
        "kill after prepare",
        FaultKind::Kill(KillPoint::AfterPrepare),
    ),
    (
        "second mark ends transaction",
        FaultKind::SecondMarkEndsTransaction,
    ),
];

/// One fault, armed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The statement that it strikes, such as `BACKUP LOG`; any if none.
    pub statement: Option<String>,
    /// The database that it strikes; any if none.
    pub database: Option<String>,
    /// How many occasions pass by before it strikes.
    pub skip: u32,
    /// How often it strikes; 0 until it is cleared.
    pub times: u32,
    /// The error that it raises, where the kind leaves it open.
    pub error: Option<SqlError>,
    /// The byte that [`FaultKind::Damage`] changes.
    pub offset_bytes: u64,
}

impl Fault {
    /// A fault that strikes once, at the first occasion, anywhere.
    #[must_use]
    pub const fn once(kind: FaultKind) -> Self {
        Self {
            kind,
            statement: None,
            database: None,
            skip: 0,
            times: 1,
            error: None,
            offset_bytes: 0,
        }
    }

    fn fits(&self, kind: FaultKind, statement: &str, database: &str) -> bool {
        let is = |wanted: &Option<String>, given: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.to_lowercase() == given.to_lowercase())
        };
        self.kind == kind && is(&self.statement, statement) && is(&self.database, database)
    }
}

/// The faults of one instance.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Mutex<Vec<Fault>>,
    halted: Arc<AtomicBool>,
    killed: CancellationToken,
}

impl Faults {
    /// Arms a fault, beside those that are armed.
    pub fn arm(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Disarms all.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Whether a fault strikes here and now; counts the occasion.
    pub fn strike(&self, kind: FaultKind, statement: &str, database: &str) -> Option<Fault> {
        let mut armed = self.lock();
        let fits = |fault: &Fault| fault.fits(kind, statement, database);
        let mut striking = None;
        for fault in armed.iter_mut().filter(|fault| fits(fault)) {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if striking.is_none() {
                striking = Some(fault.clone());
                fault.times = match fault.times {
                    0 => 0,
                    1 => u32::MAX,
                    times => times - 1,
                };
            }
        }
        armed.retain(|fault| fault.times != u32::MAX);
        striking
    }

    /// The error with which a statement fails before it does anything, if it does.
    pub fn statement_failure(&self, statement: &str, database: &str) -> Option<SqlError> {
        self.strike(FaultKind::Fail, statement, database)?.error
    }

    /// Whether MSDTC is off.
    #[must_use]
    pub fn dtc_is_off(&self) -> bool {
        self.strike(FaultKind::DtcOff, "", "").is_some()
    }

    /// Whether a second WITH MARK ends its transaction.
    #[must_use]
    pub fn second_mark_ends_transaction(&self) -> bool {
        self.strike(FaultKind::SecondMarkEndsTransaction, "", "")
            .is_some()
    }

    /// Whether the instance was killed.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.is_cancelled()
    }

    /// Fires when the instance is killed, by a fault or from outside.
    #[must_use]
    pub fn killed(&self) -> CancellationToken {
        self.killed.clone()
    }

    /// A disk to which nothing can be written any more once the instance is killed, so that what
    /// still runs of it cannot touch files that its successor has opened.
    #[must_use]
    pub fn mortal(&self, disk: impl Disk + 'static) -> Arc<dyn Disk> {
        Arc::new(MortalDisk {
            disk: Box::new(disk),
            halted: Arc::clone(&self.halted),
        })
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::SeqCst);
        self.killed.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The faults of an instance that break its connections, as the wire asks for them.
#[derive(Clone, Debug)]
pub struct WireFaults(pub Arc<Instance>);

#[async_trait]
impl ConnectionFaults for WireFaults {
    async fn connecting(&self) -> Verdict {
        self.verdict(FaultKind::Refuse)
    }

    async fn saying(&self, _spid: i16, _said: u64) -> Verdict {
        self.verdict(FaultKind::Cut)
    }
}

impl WireFaults {
    fn verdict(&self, kind: FaultKind) -> Verdict {
        match self.0.faults.strike(kind, "", "") {
            Some(_) => Verdict::Cut,
            None => Verdict::Pass,
        }
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
            self.kill();
            std::future::pending::<()>().await;
        }
    }
}

#[derive(Debug)]
struct MortalDisk {
    disk: Box<dyn Disk>,
    halted: Arc<AtomicBool>,
}

#[derive(Debug)]
struct MortalFile {
    file: Box<dyn DiskFile>,
    halted: Arc<AtomicBool>,
}

fn alive(halted: &AtomicBool) -> io::Result<()> {
    if halted.load(Ordering::SeqCst) {
        return Err(io::Error::other("the instance was killed"));
    }
    Ok(())
}

impl Disk for MortalDisk {
    fn open(&self, path: &Path, new: bool) -> io::Result<Box<dyn DiskFile>> {
        alive(&self.halted)?;
        let file = self.disk.open(path, new)?;
        Ok(Box::new(MortalFile {
            file,
            halted: Arc::clone(&self.halted),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        alive(&self.halted)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        alive(&self.halted)?;
        self.disk.remove(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path)
    }

    fn syncs_commits(&self) -> bool {
        self.disk.syncs_commits()
    }
}

impl DiskFile for MortalFile {
    fn length_bytes(&mut self) -> io::Result<u64> {
        self.file.length_bytes()
    }

    fn read_at(&mut self, offset_bytes: u64, into: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset_bytes, into)
    }

    fn write_at(&mut self, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.write_at(offset_bytes, bytes)
    }

    fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.set_length(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        alive(&self.halted)?;
        self.file.sync()
    }
}

/// `sp_sim_fault`: arms a fault, or with `@kind = 'clear'` disarms all.
pub const PROCEDURES: [SystemProcedure; 1] = [SystemProcedure {
    name: "sp_sim_fault",
    parameters: &[
        Parameter::needed("@kind"),
        Parameter::optional("@statement"),
        Parameter::optional("@database"),
        Parameter::optional("@skip"),
        Parameter::optional("@times"),
        Parameter::optional("@number"),
        Parameter::optional("@class"),
        Parameter::optional("@text"),
        Parameter::optional("@offset"),
    ],
    run: |session, call| Box::pin(ready(arm(session, call))),
}];

fn arm(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let kind = call.needed_text("@kind")?.to_lowercase();
    if kind == "clear" {
        session.instance.faults.clear();
        return Ok((0, call));
    }
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    let (_, kind) = known.ok_or_else(|| messages::option_does_not_exist(&kind))?;
    session.instance.faults.arm(read(&call, *kind)?);
    Ok((0, call))
}

fn read(call: &Call, kind: FaultKind) -> SqlResult<Fault> {
    let number = |name: &str, default: u32| -> SqlResult<u32> {
        let given = call
            .integer(name)?
            .and_then(|number| u32::try_from(number).ok());
        Ok(given.unwrap_or(default))
    };
    let text = call
        .text("@text")
        .unwrap_or_else(|| "A fault was armed for this statement.".to_owned());
    let class = u8::try_from(number("@class", 16)?).unwrap_or(16);
    let error = i32::try_from(number("@number", 50_000)?).unwrap_or(50_000);
    Ok(Fault {
        kind,
        statement: call.text("@statement"),
        database: call.text("@database"),
        skip: number("@skip", 0)?,
        times: number("@times", 1)?,
        error: Some(SqlError::new(error, class, text)),
        offset_bytes: u64::from(number("@offset", 0)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_after_its_skips_and_as_often_as_it_says() {
        let faults = Faults::default();
        faults.arm(Fault {
            skip: 1,
            times: 2,
            ..Fault::once(FaultKind::DiskFull)
        });
        let struck: Vec<_> = (0..5)
            .map(|_| faults.strike(FaultKind::DiskFull, "", "").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_without_a_count_strikes_until_it_is_cleared() {
        let faults = Faults::default();
        faults.arm(Fault {
            times: 0,
            ..Fault::once(FaultKind::DtcOff)
        });
        assert!(faults.dtc_is_off() && faults.dtc_is_off());
        faults.clear();
        assert!(!faults.dtc_is_off());
    }

    #[test]
    fn a_fault_strikes_its_own_statement_and_database_only() {
        let faults = Faults::default();
        let fault = Fault {
            statement: Some("BACKUP LOG".to_owned()),
            database: Some("Pay".to_owned()),
            error: Some(SqlError::new(3271, 16, "x")),
            ..Fault::once(FaultKind::Fail)
        };
        faults.arm(fault);
        assert_eq!(faults.statement_failure("BACKUP DATABASE", "pay"), None);
        assert_eq!(faults.statement_failure("BACKUP LOG", "other"), None);
        assert!(faults.statement_failure("BACKUP LOG", "pay").is_some());
    }
}
