//! `sp_sim_fault`: faults from T-SQL, so that any client in any language can arrange them.
//!
//! Start at [`PROCEDURES`]; [`KINDS`] lists the words. What a fault does is told in `strike.rs`.

use std::sync::Arc;

use super::{Act, Fault, FaultKind, KillPoint, Lost};
use crate::error::{SqlError, SqlResult};
use crate::messages;
use crate::session::{Call, Parameter, Session, SystemProcedure};

/// The names by which `sp_sim_fault` knows the kinds.
const KINDS: [(&str, FaultKind); 24] = [
    ("fail", FaultKind::Fail),
    ("disk full", FaultKind::DiskFull),
    ("damage", FaultKind::Damage),
    ("stall backup", FaultKind::StallBackup),
    ("dtc off", FaultKind::DtcOff),
    ("stall commit", FaultKind::StallCommit),
    ("cut", FaultKind::Cut),
    ("refuse", FaultKind::Refuse),
    ("delay", FaultKind::Delay),
    ("drop", FaultKind::Drop),
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
    ("lose history", FaultKind::LoseHistory),
    ("hold log", FaultKind::HoldLog),
    ("lose word of point", FaultKind::LosePoint(Lost::Word)),
    ("lose answer of point", FaultKind::LosePoint(Lost::Answer)),
    ("kill", FaultKind::Act(Act::Kill)),
    ("skew clock", FaultKind::Act(Act::SkewClock)),
    ("foreign log backup", FaultKind::Act(Act::ForeignLogBackup)),
    ("foreign full", FaultKind::Act(Act::ForeignFull)),
    (
        "switch recovery model",
        FaultKind::Act(Act::SwitchRecoveryModel),
    ),
    ("bulk change", FaultKind::Act(Act::BulkChange)),
];

/// `sp_sim_fault`: arms a fault, or with `@kind = 'clear'` disarms all. An act without `@statement`
/// is done at once.
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
        Parameter::optional("@milliseconds"),
    ],
    run: |session, call| Box::pin(arm(session, call)),
}];

async fn arm(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let kind = call.needed_text("@kind")?.to_lowercase();
    if kind == "clear" {
        session.instance.faults.clear();
        return Ok((0, call));
    }
    let known = KINDS.iter().find(|(name, _)| *name == kind);
    let (_, kind) = known.ok_or_else(|| messages::option_does_not_exist(&kind))?;
    let fault = read(&call, *kind)?;
    match kind {
        FaultKind::Act(act) if fault.statement.is_none() => {
            let instance = Arc::clone(&session.instance);
            Box::pin(instance.act(*act, &fault)).await?;
        }
        _ => session.instance.faults.arm(fault),
    }
    Ok((0, call))
}

fn read(call: &Call, kind: FaultKind) -> SqlResult<Fault> {
    let number = |name: &str, default: u32| -> SqlResult<u32> {
        let given = call
            .integer(name)?
            .and_then(|number| u32::try_from(number).ok());
        Ok(given.unwrap_or(default))
    };
    let text = call.text("@text");
    let class = u8::try_from(number("@class", 16)?).unwrap_or(16);
    let error = i32::try_from(number("@number", 50_000)?).unwrap_or(50_000);
    let words = text
        .clone()
        .unwrap_or_else(|| "A fault was armed for this statement.".to_owned());
    Ok(Fault {
        kind,
        statement: call.text("@statement"),
        database: call.text("@database"),
        skip: number("@skip", 0)?,
        times: number("@times", 1)?,
        error: Some(SqlError::new(error, class, words)),
        offset_bytes: u64::from(number("@offset", 0)?),
        milliseconds: call.integer("@milliseconds")?.unwrap_or_default(),
        text,
    })
}
