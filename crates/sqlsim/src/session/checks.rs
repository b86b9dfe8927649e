//! DBCC: the consistency check, and the few commands that change nothing here.
//!
//! Start at [`Session::dbcc`]. The check reads the data file as it lies on the disk, before anything else is written
//! to it; a command that would have something to show and cannot is refused.

use std::io;
use std::sync::Arc;

use super::Session;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{Dbcc, Expr};
use crate::messages;

/// Pages that are read at once.
const PAGES_AT_ONCE: usize = 128;

impl Session {
    /// `DBCC`; 2526 for a command that is not known here.
    pub(super) async fn dbcc(&mut self, dbcc: &Dbcc) -> SqlResult<()> {
        match dbcc.name.as_str() {
            "CHECKDB" | "CHECKALLOC" | "CHECKCATALOG" => {
                let database = self.checked_database(dbcc.arguments.first())?;
                self.check_pages(&database).await?;
            }
            "TRACEON" | "TRACEOFF" | "FREEPROCCACHE" | "DROPCLEANBUFFERS" => {
                self.require_server("ALTER SERVER STATE")?;
            }
            _ => return Err(messages::dbcc_unknown()),
        }
        if !dbcc.options.iter().any(|option| option == "NO_INFOMSGS") {
            self.output.message(messages::dbcc_done()).await;
        }
        Ok(())
    }

    fn checked_database(&self, name: Option<&Expr>) -> SqlResult<Arc<DatabaseHandle>> {
        let name = name.map(|name| self.text(name)).transpose()?.flatten();
        let database = match name.as_deref() {
            None | Some("0") => Arc::clone(&self.database),
            Some(name) => self.database_named(Some(name))?,
        };
        super::names::readable(&database)?;
        self.require_in_database(&database, "CONTROL")?;
        Ok(database)
    }

    /// Checks every page's checksum. Each bad page is an error 8928; the last one goes on as the statement's own.
    async fn check_pages(&mut self, database: &DatabaseHandle) -> SqlResult<()> {
        let path = database.storage().facts().files.data;
        let disk = Arc::clone(&self.instance.disk);
        let reading = tokio::task::spawn_blocking(move || {
            let mut file = disk.open(&path, false)?;
            bad_pages(file.as_mut())
        });
        let bad = match reading.await {
            Ok(Ok(bad)) => bad,
            Ok(Err(error)) => return Err(unreadable(&database.name(), &error)),
            Err(_) => return Err(unreadable(&database.name(), &io::Error::other("broke off"))),
        };
        let Some((last, others)) = bad.split_last() else {
            return Ok(());
        };
        for page in others {
            self.report_cause(bad_page(*page)).await;
        }
        Err(bad_page(*last))
    }
}

fn bad_pages(file: &mut dyn crate::storage::DiskFile) -> io::Result<Vec<u64>> {
    let length_bytes = file.length_bytes()?;
    let mut bad = Vec::new();
    let mut buffer = vec![0; PAGES_AT_ONCE * mtf::page::SIZE];
    let mut offset_bytes = 0;
    while offset_bytes < length_bytes {
        let left = usize::try_from(length_bytes - offset_bytes).unwrap_or(usize::MAX);
        let read = left.min(buffer.len());
        file.read_at(offset_bytes, &mut buffer[..read])?;
        let first = offset_bytes / mtf::page::SIZE as u64;
        let pages = buffer[..read].chunks(mtf::page::SIZE).zip(first..);
        let is_bad = |page: &[u8]| mtf::page::check(page) == mtf::page::PageVerdict::Bad;
        bad.extend(
            pages
                .filter(|(page, _)| is_bad(page))
                .map(|(_, number)| number),
        );
        offset_bytes += read as u64;
    }
    Ok(bad)
}

/// SQL Server raises 8928 for a page that cannot be processed, beside others that say why.
fn bad_page(page: u64) -> SqlError {
    let text = format!(
        "Object ID 0, index ID -1, partition ID 0, alloc unit ID 0 (type Unknown): Page (1:{page}) \
         could not be processed. See other errors for details."
    );
    SqlError::new(8928, 16, text)
}

/// SQL Server raises 5030 when it cannot lock or read a database for its check.
fn unreadable(database: &str, error: &io::Error) -> SqlError {
    let text =
        format!("The database '{database}' could not be exclusively locked or read: {error}.");
    SqlError::new(5030, 16, text)
}
