//! What `SET` changes in a session.
//!
//! Start at [`Options`]. Options that change nothing here are accepted and forgotten, as clients
//! set many of them.

/// Settings of one session.
#[derive(Clone, Debug)]
pub struct Options {
    /// `XACT_ABORT`: a run-time error rolls the transaction back and ends the batch.
    pub xact_abort: bool,
    /// `NOCOUNT`: no row counts in DONE.
    pub no_count: bool,
    /// `IMPLICIT_TRANSACTIONS`.
    pub implicit_transactions: bool,
    /// `LOCK_TIMEOUT` in milliseconds, -1 waits for ever.
    pub lock_timeout_ms: i64,
    /// `LANGUAGE`.
    pub language: String,
    /// `DATEFIRST`.
    pub date_first: u8,
    /// Full name of the table under `IDENTITY_INSERT`, lower case.
    pub identity_insert: Option<String>,
    /// `ROWCOUNT`; 0 is no limit.
    pub row_count: u64,
    /// `DEADLOCK_PRIORITY` and others that are only remembered: upper-case name and value.
    pub remembered: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            xact_abort: false,
            no_count: false,
            implicit_transactions: false,
            lock_timeout_ms: -1,
            language: "us_english".to_owned(),
            date_first: 7,
            identity_insert: None,
            row_count: 0,
            remembered: Vec::new(),
        }
    }
}
