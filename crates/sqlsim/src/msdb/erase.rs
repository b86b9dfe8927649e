//! `sp_delete_database_backuphistory`: history that nobody wants any more.
//!
//! Start at [`PROCEDURES`]. Marks stay, as they do on a real server.

use std::future::ready;

use super::write;
use crate::error::SqlResult;
use crate::link::server::same;
use crate::session::{Call, Parameter, Session, SystemProcedure};
use crate::value::Value;

/// The procedures of this room.
pub const PROCEDURES: [SystemProcedure; 1] = [SystemProcedure {
    name: "sp_delete_database_backuphistory",
    parameters: &[Parameter::needed("@database_name")],
    run: |session, call| Box::pin(ready(delete(session, call))),
}];

type Cells = Vec<(&'static str, Value)>;

fn cell(cells: &Cells, column: &str) -> Value {
    let found = cells.iter().find(|(name, _)| *name == column);
    found.map_or(Value::Null, |(_, value)| value.clone())
}

fn delete(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_sysadmin()?;
    let name = call.needed_text("@database_name")?;
    write(&session.instance, |history| {
        let is_of = |cells: &Cells| {
            let database = cell(cells, "database_name");
            database
                .as_text()
                .is_some_and(|database| same(database, &name))
        };
        let (gone, kept): (Vec<_>, Vec<_>) = history.rows("backupset").into_iter().partition(is_of);
        let column = |of: &[Cells], column| of.iter().map(|cells| cell(cells, column)).collect();
        let sets: Vec<Value> = column(&gone, "backup_set_id");
        let used: Vec<Value> = column(&kept, "media_set_id");
        let mut media: Vec<Value> = column(&gone, "media_set_id");
        media.retain(|id| !used.contains(id));
        for table in ["restorehistory", "backupfile", "backupset"] {
            history.remove(table, "backup_set_id", &sets)?;
        }
        for table in ["backupmediafamily", "backupmediaset"] {
            history.remove(table, "media_set_id", &media)?;
        }
        Ok(())
    })?;
    Ok((0, call))
}
