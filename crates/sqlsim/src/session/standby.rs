//! The undo file of a standby database: made when a log is restored `WITH STANDBY`, needed by the
//! next one, removed when the database is standby no more.
//!
//! Start at [`UndoFile`]. What was undone is not in it, since a simulated database shows committed
//! rows only; but a restore without it fails, as it does on a real server.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{SqlError, SqlResult};
use crate::instance::{DatabaseHandle, Instance};
use crate::messages;

/// Where master remembers the path.
const OPTION: &str = "STANDBY_FILE";

/// What the file says to whoever looks into it.
const CONTENTS: &str = "undo file of a simulated standby database\n";

/// The undo file of a statement.
#[derive(Clone, Debug)]
pub(super) struct UndoFile {
    name: String,
    path: PathBuf,
}

impl UndoFile {
    /// The file of `STANDBY = '..'`; a relative one lies in the folder of backups.
    pub(super) fn named(instance: &Instance, name: String) -> SqlResult<Self> {
        let home = instance.backup_folder();
        let path = instance.options.paths.resolve(&name, &home);
        let path = path.map_err(|why| messages::cannot_open_device(&name, why.os_error()))?;
        Ok(Self { name, path })
    }

    /// The file that a standby database has.
    pub(super) fn of(instance: &Instance, database: &DatabaseHandle) -> Option<Self> {
        let record = database.record();
        let name = Some(record.option(OPTION)).filter(|name| *name != "OFF")?;
        Self::named(instance, name.to_owned()).ok()
    }

    /// Raises 3441 where the file of a standby database is gone.
    pub(super) fn check(&self, database: &DatabaseHandle) -> SqlResult<()> {
        match std::fs::metadata(&self.path) {
            Ok(_) => Ok(()),
            Err(_) => Err(inaccessible(&database.name(), database.id(), &self.name)),
        }
    }

    /// Makes the file, 3201 where it cannot be made.
    pub(super) fn make(&self) -> SqlResult<()> {
        std::fs::write(&self.path, CONTENTS).map_err(|_| {
            let os_error = "3(The system cannot find the path specified.)";
            messages::cannot_open_device(&self.name, os_error)
        })
    }

    /// Master knows the file from now on; the one before it, if it was another, goes.
    pub(super) fn replace(
        instance: &Instance,
        database: &Arc<DatabaseHandle>,
        new: Option<&Self>,
    ) -> SqlResult<()> {
        let old = Self::of(instance, database);
        if old.is_none() && new.is_none() {
            return Ok(());
        }
        instance.change_record(database, |record| {
            record.options.retain(|(name, _)| name != OPTION);
            if let Some(new) = new {
                record.options.push((OPTION.to_owned(), new.name.clone()));
            }
        })?;
        if let Some(old) = old.filter(|old| new.is_none_or(|new| new.path != old.path)) {
            // A file that stays behind is only litter.
            let _ = std::fs::remove_file(old.path);
        }
        Ok(())
    }
}

/// 3441: the undo file of a standby database cannot be read.
fn inaccessible(database: &str, id: i32, file: &str) -> SqlError {
    let text = format!(
        "During startup of warm standby database '{database}' (database ID {id}), its standby file \
         ('{file}') was inaccessible to the RESTORE statement. The operating system error was \
         '2(The system cannot find the file specified.)'. Diagnose the operating system error, \
         correct the problem, and retry startup."
    );
    SqlError::new(3441, 21, text)
}
