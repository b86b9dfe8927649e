//! The private procedures by which simulators commit together: `sp_sim_dtc_*`.
//!
//! Start at [`PROCEDURES`]. They work on the session in which they are called, which is the remote
//! end of a linked server's connection; `sp_sim_dtc_outcome` alone may be called from anywhere.

use uuid::Uuid;

use super::{Closing, Outcome, Participant, close, decisions};
use crate::error::SqlResult;
use crate::events::{Coordinated, Happening};
use crate::faults::KillPoint;
use crate::link::messages::dtc_cancelled;
use crate::messages;
use crate::session::{Call, LocalPart, Parameter, Session, SystemProcedure, Transaction};
use crate::value::{Column, Rows, SqlType, Value};

const GTRID: Parameter = Parameter::needed("@gtrid");

/// The procedures of this room.
pub const PROCEDURES: [SystemProcedure; 6] = [
    SystemProcedure {
        name: "sp_sim_dtc_begin",
        parameters: &[GTRID, Parameter::needed("@coordinator")],
        run: |session, call| Box::pin(begin(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_dtc_close",
        parameters: &[GTRID, Parameter::needed("@everyone")],
        run: |session, call| Box::pin(close_gate(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_dtc_prepare",
        parameters: &[GTRID],
        run: |session, call| Box::pin(prepare(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_dtc_commit",
        parameters: &[GTRID],
        run: |session, call| Box::pin(commit(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_dtc_abort",
        parameters: &[GTRID],
        run: |session, call| Box::pin(abort(session, call)),
    },
    SystemProcedure {
        name: "sp_sim_dtc_outcome",
        parameters: &[GTRID],
        run: |session, call| Box::pin(outcome(session, call)),
    },
];

/// Makes the session a part of another host's transaction.
async fn begin(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let gtrid = gtrid(&call)?;
    let coordinator = call.needed_text("@coordinator")?;
    if session.instance.faults.dtc_is_off() {
        return Err(messages::dtc_unavailable(&session.instance.name()));
    }
    if session.transaction_count() > 0 {
        return Err(messages::transaction_context_in_use());
    }
    session.begin_transaction(None, None).await?;
    tell(session, Coordinated::Enlisting);
    if let Some(transaction) = &mut session.transaction {
        transaction.gtrid = gtrid;
        transaction.coordinator = Some(coordinator);
    }
    Ok((0, call))
}

/// Closes the gates of this host, and of those called from here, for a mark.
async fn close_gate(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let gtrid = gtrid(&call)?;
    let closing = match call.integer("@everyone")? {
        Some(0) | None => Closing::Coordinators,
        Some(_) => Closing::Everyone,
    };
    let transaction = enlisted(session, gtrid)?;
    transaction.branches.silence();
    let mut branches = transaction.branches.list();
    close(&session.instance.dtc, gtrid, closing, &mut branches).await?;
    Ok((0, call))
}

/// Makes the session's part durable and takes it out of the session's hands.
async fn prepare(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let gtrid = gtrid(&call)?;
    if enlisted(session, gtrid)?.doomed {
        return Err(dtc_cancelled());
    }
    tell(session, Coordinated::Preparing);
    let Some(transaction) = session.transaction.take() else {
        return Err(dtc_cancelled());
    };
    session.record.update(|now| now.transactions = 0);
    let part = participant(session, transaction);
    part.prepare(&session.instance.dtc, gtrid).await?;
    tell(session, Coordinated::Prepared);
    session.instance.kill_point(KillPoint::AfterPrepare).await;
    Ok((0, call))
}

/// Event sessions hear of each step.
fn tell(session: &Session, step: Coordinated) {
    session.output.happened(Happening::Coordinated(step));
}

fn participant(session: &Session, transaction: Transaction) -> Participant {
    let local = LocalPart::new(&session.instance, &transaction);
    let is_mark = transaction.branches.is_silenced();
    let coordinator = transaction.coordinator.unwrap_or_default();
    let branches = transaction.branches.into_list();
    Participant::new(Box::new(local), branches, &coordinator, is_mark)
}

async fn commit(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    tell(session, Coordinated::Committing);
    session.instance.dtc.resolve(gtrid(&call)?, true).await?;
    Ok((0, call))
}

/// Undoes the part, prepared or not, and opens the gate if it was closed for this transaction.
async fn abort(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let gtrid = gtrid(&call)?;
    tell(session, Coordinated::Aborting);
    if enlisted(session, gtrid).is_ok() {
        session.roll_back_all().await;
    }
    session.instance.dtc.resolve(gtrid, false).await?;
    session.instance.dtc.open(gtrid);
    Ok((0, call))
}

/// Tells a host in doubt how a transaction ended that this host coordinated.
async fn outcome(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    let decisions = decisions(&session.instance);
    let text = match session.instance.dtc.outcome(gtrid(&call)?, &*decisions)? {
        Outcome::Committed => "committed",
        Outcome::Aborted => "aborted",
        Outcome::Pending => "pending",
    };
    let columns = vec![Column::required("outcome", SqlType::NVarChar(Some(20)))];
    session
        .output
        .rows(Rows {
            columns,
            rows: vec![vec![Value::text(text)]],
        })
        .await;
    Ok((0, call))
}

/// The session's transaction, if it is this part. A part that was rolled back is no more: 1206.
fn enlisted(session: &mut Session, gtrid: Uuid) -> SqlResult<&mut Transaction> {
    let transaction = session.transaction.as_mut();
    let transaction = transaction.filter(|t| t.gtrid == gtrid && t.coordinator.is_some());
    transaction.ok_or_else(dtc_cancelled)
}

fn gtrid(call: &Call) -> SqlResult<Uuid> {
    let text = call.needed_text("@gtrid")?;
    let gtrid = Uuid::parse_str(text.trim());
    gtrid.map_err(|_| messages::dtc_import_failed("the identity is no GUID"))
}
