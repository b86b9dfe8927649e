//! The words that SQL Server shows for states, recovery models and access.
//!
//! Pure; start anywhere.

use crate::instance::DatabaseHandle;
use crate::storage::{DatabaseState, RecoveryModel};

/// `USER_ACCESS`: `MULTI_USER` unless it was set otherwise.
pub(crate) fn user_access(database: &DatabaseHandle) -> String {
    let record = database.record();
    match record.option("USER_ACCESS") {
        "OFF" => "MULTI_USER".to_owned(),
        other => other.to_owned(),
    }
}

/// The word for a state, as `sys.databases.state_desc` has it; a standby database counts as online.
pub(crate) fn status(state: DatabaseState) -> &'static str {
    match state {
        DatabaseState::Online | DatabaseState::Standby => "ONLINE",
        DatabaseState::Restoring => "RESTORING",
        DatabaseState::Offline => "OFFLINE",
    }
}

/// The word for a recovery model.
pub(crate) fn recovery(model: RecoveryModel) -> &'static str {
    match model {
        RecoveryModel::Full => "FULL",
        RecoveryModel::BulkLogged => "BULK_LOGGED",
        RecoveryModel::Simple => "SIMPLE",
    }
}
