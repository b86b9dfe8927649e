//! DBCC: the consistency check, and the few commands that change nothing here.
//!
//! Start at [`Session::dbcc`]. The check reads the data file as it lies on the disk, before anything else is written
//! to it; a command that would have something to show and cannot is refused.

use std::io;
use std::sync::Arc;

use mtf::page::{self, PageHeader, PageVerdict};

use super::Session;
use crate::error::{SqlError, SqlResult};
use crate::instance::{DatabaseHandle, estate};
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
                self.check_pages(dbcc, &database).await?;
            }
            "TRACEON" | "TRACEOFF" => {
                self.require_server("ALTER SERVER STATE")?;
                self.trace(dbcc)?;
            }
            "TRACESTATUS" => {
                let status = estate::trace_status(&self.instance);
                self.output.rows(status).await;
            }
            "FREEPROCCACHE" | "DROPCLEANBUFFERS" => {
                self.require_server("ALTER SERVER STATE")?;
            }
            _ => return Err(messages::dbcc_unknown()),
        }
        if !is_quiet(dbcc) {
            self.output.message(messages::dbcc_done()).await;
        }
        Ok(())
    }

    /// Trace flags for everybody (a last argument of -1) are remembered; for one session they change nothing here.
    fn trace(&self, dbcc: &Dbcc) -> SqlResult<()> {
        let texts = dbcc.arguments.iter().map(|argument| self.text(argument));
        let texts = texts.collect::<SqlResult<Vec<_>>>()?;
        let numbers = texts
            .into_iter()
            .flatten()
            .filter_map(|text| text.parse().ok());
        let numbers: Vec<i64> = numbers.collect();
        if numbers.last() == Some(&-1) {
            for flag in numbers.into_iter().filter(|flag| *flag > 0) {
                estate::trace(self, flag, dbcc.name == "TRACEON")?;
            }
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

    /// Checks every page's checksum and place. Each bad page is two errors, as SQL Server tells it; the
    /// summary follows them, so they are not the statement's own, unless a CATCH waits.
    async fn check_pages(&mut self, dbcc: &Dbcc, database: &DatabaseHandle) -> SqlResult<()> {
        let path = database.storage().facts().files.data;
        let disk = Arc::clone(&self.instance.disk);
        let reading = tokio::task::spawn_blocking(move || {
            let mut file = disk.open(&path, false)?;
            bad_pages(file.as_mut())
        });
        let name = database.name();
        let bad = match reading.await {
            Ok(Ok(bad)) => bad,
            Ok(Err(error)) => return Err(unreadable(&name, &error)),
            Err(_) => return Err(unreadable(&name, &io::Error::other("broke off"))),
        };
        let errors: Vec<SqlError> = bad.into_iter().flat_map(BadPage::errors).collect();
        let count = errors.len();
        for error in errors {
            if self.is_in_try() {
                return Err(error);
            }
            self.report(error).await;
            self.last.has_reported = true;
        }
        if dbcc.name == "CHECKDB" && (count > 0 || !is_quiet(dbcc)) {
            self.output.message(checkdb_found(count, &name)).await;
            if count > 0 {
                self.output.message(repair_level(&name)).await;
            }
        }
        Ok(())
    }
}

fn is_quiet(dbcc: &Dbcc) -> bool {
    dbcc.options.iter().any(|option| option == "NO_INFOMSGS")
}

/// A page that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BadPage {
    number: u64,
    /// The number that its header has, where that is what is wrong.
    header: Option<u64>,
}

fn bad_pages(file: &mut dyn crate::storage::DiskFile) -> io::Result<Vec<BadPage>> {
    let length_bytes = file.length_bytes()?;
    let mut bad = Vec::new();
    let mut buffer = vec![0; PAGES_AT_ONCE * page::SIZE];
    let mut offset_bytes = 0;
    while offset_bytes < length_bytes {
        let left = usize::try_from(length_bytes - offset_bytes).unwrap_or(usize::MAX);
        let read = left.min(buffer.len());
        file.read_at(offset_bytes, &mut buffer[..read])?;
        let first = offset_bytes / page::SIZE as u64;
        let pages = (first..).zip(buffer[..read].chunks(page::SIZE));
        bad.extend(pages.filter_map(|(number, bytes)| judge(number, bytes)));
        offset_bytes += read as u64;
    }
    Ok(bad)
}

fn judge(number: u64, bytes: &[u8]) -> Option<BadPage> {
    match page::check(bytes) {
        PageVerdict::Bad => Some(BadPage {
            number,
            header: None,
        }),
        PageVerdict::Sound => {
            let header = u64::from(PageHeader::read(bytes).page_id);
            let header = Some(header).filter(|header| *header != number);
            header.is_some().then_some(BadPage { number, header })
        }
        _ => None,
    }
}

impl BadPage {
    /// 8928 and 8939 for a page that cannot be read, 8909 for one that belongs elsewhere.
    fn errors(self) -> Vec<SqlError> {
        let Self { number, header } = self;
        let object = "Object ID 0, index ID -1, partition ID 0, alloc unit ID 0 (type Unknown)";
        if let Some(header) = header {
            let text = format!(
                "Table error: {object}, page ID (1:{number}) contains an incorrect page ID in its \
                 page header. The PageId in the page header = (1:{header})."
            );
            return vec![SqlError::new(8909, 16, text)];
        }
        let unprocessed = format!(
            "{object}: Page (1:{number}) could not be processed.  See other errors for details."
        );
        let test = format!(
            "Table error: {object}, page (1:{number}). Test (IS_OFF (BUF_IOERR, pBUF->bstat)) \
             failed. Values are 133129 and -4."
        );
        vec![
            SqlError::new(8928, 16, unprocessed),
            SqlError::new(8939, 16, test).with_state(98),
        ]
    }
}

/// 8989: the summary of CHECKDB.
fn checkdb_found(errors: usize, database: &str) -> SqlError {
    let text = format!(
        "CHECKDB found 0 allocation errors and {errors} consistency errors in database '{database}'."
    );
    SqlError::new(8989, 10, text)
}

/// 8958: what would be needed to repair.
fn repair_level(database: &str) -> SqlError {
    let text = format!(
        "repair_allow_data_loss is the minimum repair level for the errors found by DBCC CHECKDB \
         ({database})."
    );
    SqlError::new(8958, 10, text)
}

/// SQL Server raises 5030 when it cannot lock or read a database for its check.
fn unreadable(database: &str, error: &io::Error) -> SqlError {
    let text =
        format!("The database '{database}' could not be exclusively locked or read: {error}.");
    SqlError::new(5030, 16, text)
}
