//! What can happen that event sessions hear of: the events, each with its values.
//!
//! Start at [`Happening`]. Names and values are those of SQL Server's events; which transaction
//! manager's step raises which `dtc_transaction` was read in the documents of the trace event of
//! that name, and measured nowhere.

use super::occurrence::{data, map};
use crate::error::SqlError;

/// The events that ever fire.
pub(super) const EVENTS: [&str; 6] = [
    "dtc_transaction",
    "error_reported",
    "login",
    "logout",
    "rpc_completed",
    "sql_batch_completed",
];

/// Something that event sessions may hear of.
#[derive(Clone, Debug)]
pub enum Happening {
    /// An error or information was reported.
    Error {
        /// The message.
        message: SqlError,
        /// A CATCH kept it from the client.
        is_intercepted: bool,
    },
    /// A session began.
    Login,
    /// A session ended.
    Logout,
    /// A batch or a procedure called by name is over.
    Completed {
        /// `rpc_completed`, not `sql_batch_completed`.
        is_rpc: bool,
        /// The batch, or the procedure's name.
        text: String,
        /// How long it took, in microseconds.
        microseconds: i64,
    },
    /// The transaction coordinator and this host spoke of a transaction.
    Coordinated(Coordinated),
}

/// A step of a distributed transaction on a host that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordinated {
    /// The host joins.
    Enlisting,
    /// It is to promise.
    Preparing,
    /// It has promised.
    Prepared,
    /// It is told to commit.
    Committing,
    /// It is told to roll back.
    Aborting,
}

impl Coordinated {
    /// The number and words of the step.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Enlisting => ("7", "Enlisting in a DTC transaction"),
            Self::Preparing => ("14", "Preparing Transaction"),
            Self::Prepared => ("15", "Transaction is prepared"),
            Self::Aborting => ("16", "Transaction is aborting"),
            Self::Committing => ("17", "Transaction is committing"),
        }
    }
}

impl Happening {
    /// The event's name.
    #[must_use]
    pub const fn event(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error_reported",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Completed { is_rpc: true, .. } => "rpc_completed",
            Self::Completed { is_rpc: false, .. } => "sql_batch_completed",
            Self::Coordinated(_) => "dtc_transaction",
        }
    }

    /// The event's own values as XML.
    pub(super) fn values(&self, xml: &mut String) {
        match self {
            Self::Error {
                message,
                is_intercepted,
            } => error(xml, message, *is_intercepted),
            Self::Login | Self::Logout => data(xml, "is_cached", "boolean", "false"),
            Self::Completed {
                is_rpc,
                text,
                microseconds,
            } => {
                data(xml, "duration", "uint64", &microseconds.to_string());
                map(xml, "result", "sql_result", ("0", "OK"));
                let name = if *is_rpc { "statement" } else { "batch_text" };
                data(xml, name, "unicode_string", text);
            }
            Self::Coordinated(step) => map(xml, "state", "dtc_transaction_state", step.words()),
        }
    }
}

fn error(xml: &mut String, message: &SqlError, is_intercepted: bool) {
    let is = |truth: bool| if truth { "true" } else { "false" };
    let number = |value: i64| value.to_string();
    data(xml, "error_number", "int32", &number(message.number.into()));
    data(xml, "severity", "int32", &number(message.class.into()));
    data(xml, "state", "int32", &number(message.state.into()));
    data(xml, "user_defined", "boolean", is(message.number >= 50_000));
    map(xml, "category", "error_category", ("2", "SERVER"));
    map(
        xml,
        "destination",
        "error_destination",
        ("0x00000002", "USER"),
    );
    data(xml, "is_intercepted", "boolean", is(is_intercepted));
    data(xml, "message", "unicode_string", &message.text);
}
