//! `sp_sim_ballast`: makes a database weigh as much as is asked, for trials with large backups.
//!
//! Start at [`PROCEDURES`]. The weight is pages without rows; they fill backups and are proved by
//! restores, and take no room on disk or in memory.

use std::future::ready;

use crate::error::SqlResult;
use crate::session::{Call, Parameter, Session, SystemProcedure};

const MIB: u64 = 1024 * 1024;

/// `sp_sim_ballast @db, @mib`: not logged, so the next full or differential brings it.
pub(super) static PROCEDURES: &[SystemProcedure] = &[SystemProcedure {
    name: "sp_sim_ballast",
    parameters: &[Parameter::needed("@db"), Parameter::needed("@mib")],
    run: |session, call| Box::pin(ready(ballast(session, call))),
}];

fn ballast(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let database = call.needed_text("@db")?;
    let database = session.instance.needed_database(&database)?;
    let mib = call.integer("@mib")?.unwrap_or_default();
    let bytes = u64::try_from(mib).unwrap_or_default().saturating_mul(MIB);
    database.storage().set_ballast(bytes)?;
    Ok((0, call))
}
