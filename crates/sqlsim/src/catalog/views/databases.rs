//! `sys.databases`, `sys.database_recovery_status`, `sys.master_files` and `sys.database_files`.
//!
//! Start at [`VIEWS`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "all views are made by functions of one type"
)]

use std::sync::Arc;

use super::{DESC, SystemView, ViewContext, bit};
use crate::availability;
use crate::error::SqlResult;
use crate::instance::DatabaseHandle;
use crate::msdb;
use crate::proc::words;
use crate::storage::{DatabaseState, Facts, RecoveryModel};
use crate::value::{Row, SqlType, Value};

/// The views of this file.
pub(super) const VIEWS: &[SystemView] = &[
    SystemView {
        schema: "sys",
        name: "databases",
        columns: DATABASES,
        rows: databases,
    },
    SystemView {
        schema: "sys",
        name: "database_recovery_status",
        columns: RECOVERY_STATUS,
        rows: recovery_status,
    },
    SystemView {
        schema: "sys",
        name: "master_files",
        columns: FILES,
        rows: master_files,
    },
    SystemView {
        schema: "sys",
        name: "database_files",
        columns: FILES,
        rows: database_files,
    },
    SystemView {
        schema: "sys",
        name: "dm_db_log_space_usage",
        columns: LOG_SPACE,
        rows: log_space,
    },
];

const DATABASES: &[(&str, SqlType)] = &[
    ("name", SqlType::SYSNAME),
    ("database_id", SqlType::Int),
    ("source_database_id", SqlType::Int),
    ("owner_sid", SqlType::VarBinary(Some(85))),
    ("create_date", SqlType::DateTime),
    ("compatibility_level", SqlType::TinyInt),
    ("collation_name", SqlType::SYSNAME),
    ("user_access", SqlType::TinyInt),
    ("user_access_desc", DESC),
    ("is_read_only", SqlType::Bit),
    ("is_auto_close_on", SqlType::Bit),
    ("is_auto_shrink_on", SqlType::Bit),
    ("state", SqlType::TinyInt),
    ("state_desc", DESC),
    ("is_in_standby", SqlType::Bit),
    ("is_cleanly_shutdown", SqlType::Bit),
    ("snapshot_isolation_state_desc", DESC),
    ("is_read_committed_snapshot_on", SqlType::Bit),
    ("recovery_model", SqlType::TinyInt),
    ("recovery_model_desc", DESC),
    ("page_verify_option", SqlType::TinyInt),
    ("page_verify_option_desc", DESC),
    ("is_db_chaining_on", SqlType::Bit),
    ("is_trustworthy_on", SqlType::Bit),
    ("is_master_key_encrypted_by_server", SqlType::Bit),
    ("is_published", SqlType::Bit),
    ("is_subscribed", SqlType::Bit),
    ("is_distributor", SqlType::Bit),
    ("service_broker_guid", SqlType::UniqueIdentifier),
    ("is_broker_enabled", SqlType::Bit),
    ("log_reuse_wait", SqlType::TinyInt),
    ("log_reuse_wait_desc", DESC),
    ("is_cdc_enabled", SqlType::Bit),
    ("is_encrypted", SqlType::Bit),
    ("is_query_store_on", SqlType::Bit),
    ("containment", SqlType::TinyInt),
    ("containment_desc", DESC),
    ("target_recovery_time_in_seconds", SqlType::Int),
    ("delayed_durability_desc", DESC),
    ("replica_id", SqlType::UniqueIdentifier),
    ("group_database_id", SqlType::UniqueIdentifier),
    ("physical_database_name", SqlType::SYSNAME),
    ("is_accelerated_database_recovery_on", SqlType::Bit),
];

/// Databases that the login may see: its own, master and tempdb; all with VIEW ANY DATABASE, which
/// public has.
fn seen(context: &ViewContext<'_>) -> Vec<Arc<DatabaseHandle>> {
    context.instance.databases()
}

fn databases(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(seen(context)
        .iter()
        .map(|db| database(context, db))
        .collect())
}

fn database(context: &ViewContext<'_>, db: &Arc<DatabaseHandle>) -> Row {
    let (record, facts) = (db.record(), db.storage().facts());
    let on = |option: &str| bit(record.option(option) == "ON");
    let access = words::user_access(db);
    let access_number = match access.as_str() {
        "SINGLE_USER" => 1,
        "RESTRICTED_USER" => 2,
        _ => 0,
    };
    let (state, model) = (
        state_number(facts.state),
        model_number(facts.recovery_model),
    );
    let (wait, wait_word) = log_wait(&facts);
    let (replica, group_database) = availability::identity(context.instance, db);
    let is_standby = facts.state == DatabaseState::Standby && !facts.is_replica;
    let is_open = matches!(facts.state, DatabaseState::Online | DatabaseState::Standby);
    vec![
        Value::text(record.name.clone()),
        record.id.into(),
        Value::Null,
        Value::Binary(record.owner_sid.clone()),
        record.created.into(),
        i64::from(record.compatibility_level).into(),
        if is_open {
            Value::text(facts.collation.clone())
        } else {
            Value::Null
        },
        access_number.into(),
        Value::text(access),
        bit(facts.is_read_only || is_standby),
        on("AUTO_CLOSE"),
        on("AUTO_SHRINK"),
        state.into(),
        Value::text(words::status(facts.state)),
        bit(is_standby),
        bit(false),
        Value::text(record.option("ALLOW_SNAPSHOT_ISOLATION")),
        on("READ_COMMITTED_SNAPSHOT"),
        model.into(),
        Value::text(words::recovery(facts.recovery_model)),
        2.into(),
        Value::text("CHECKSUM"),
        on("DB_CHAINING"),
        on("TRUSTWORTHY"),
        bit(false),
        bit(false),
        bit(false),
        bit(false),
        facts.database_guid.into(),
        on("BROKER"),
        wait.into(),
        Value::text(wait_word),
        bit(false),
        on("ENCRYPTION"),
        on("QUERY_STORE"),
        0.into(),
        Value::text("NONE"),
        60.into(),
        Value::text("DISABLED"),
        replica,
        group_database,
        Value::text(record.name.clone()),
        on("ACCELERATED_DATABASE_RECOVERY"),
    ]
}

fn state_number(state: DatabaseState) -> i64 {
    match state {
        DatabaseState::Online | DatabaseState::Standby => 0,
        DatabaseState::Restoring => 1,
        DatabaseState::Offline => 6,
    }
}

fn model_number(model: RecoveryModel) -> i64 {
    match model {
        RecoveryModel::Full => 1,
        RecoveryModel::BulkLogged => 2,
        RecoveryModel::Simple => 3,
    }
}

fn log_wait(facts: &Facts) -> (i64, &'static str) {
    let waits_for_backup = facts.last_log_backup_lsn.is_some() && facts.log_since_backup_bytes > 0;
    if waits_for_backup && facts.recovery_model != RecoveryModel::Simple {
        (2, "LOG_BACKUP")
    } else {
        (0, "NOTHING")
    }
}

const RECOVERY_STATUS: &[(&str, SqlType)] = &[
    ("database_id", SqlType::Int),
    ("database_guid", SqlType::UniqueIdentifier),
    ("family_guid", SqlType::UniqueIdentifier),
    ("last_log_backup_lsn", SqlType::LSN),
    ("recovery_fork_guid", SqlType::UniqueIdentifier),
    ("first_recovery_fork_guid", SqlType::UniqueIdentifier),
    ("fork_point_lsn", SqlType::LSN),
];

fn recovery_status(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let row = |db: &Arc<DatabaseHandle>| {
        let facts = db.storage().facts();
        let is_one_fork = facts.recovery_fork_guid == facts.first_recovery_fork_guid;
        let first = (!is_one_fork).then_some(facts.first_recovery_fork_guid);
        vec![
            db.id().into(),
            facts.database_guid.into(),
            facts.family_guid.into(),
            facts.last_log_backup_lsn.map_or(Value::Null, msdb::number),
            facts.recovery_fork_guid.into(),
            first.into(),
            facts.fork_point_lsn.map_or(Value::Null, msdb::number),
        ]
    };
    let may_see = |db: &&Arc<DatabaseHandle>| {
        context.session.has_server("VIEW ANY DEFINITION") || context.session.user_in(db).is_some()
    };
    Ok(seen(context).iter().filter(may_see).map(row).collect())
}

const FILES: &[(&str, SqlType)] = &[
    ("database_id", SqlType::Int),
    ("file_id", SqlType::Int),
    ("file_guid", SqlType::UniqueIdentifier),
    ("type", SqlType::TinyInt),
    ("type_desc", DESC),
    ("data_space_id", SqlType::Int),
    ("name", SqlType::SYSNAME),
    ("physical_name", SqlType::NVarChar(Some(260))),
    ("state", SqlType::TinyInt),
    ("state_desc", DESC),
    ("size", SqlType::Int),
    ("max_size", SqlType::Int),
    ("growth", SqlType::Int),
    ("is_read_only", SqlType::Bit),
    ("is_percent_growth", SqlType::Bit),
    ("redo_start_lsn", SqlType::LSN),
    ("differential_base_lsn", SqlType::LSN),
    ("differential_base_guid", SqlType::UniqueIdentifier),
];

fn master_files(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(seen(context).iter().flat_map(files).collect())
}

fn database_files(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    Ok(files(&context.database))
}

fn files(db: &Arc<DatabaseHandle>) -> Vec<Row> {
    let storage = db.storage();
    let facts = storage.facts();
    let redo_start = storage.redo_end().map_or(Value::Null, msdb::number);
    let base = facts.differential_base;
    let base_lsn = base.map_or(Value::Null, |base| msdb::number(base.lsn));
    let base_guid = base.map_or(Value::Null, |base| base.guid.into());
    let names = &facts.files;
    let data = (
        1,
        0,
        "ROWS",
        1,
        &names.data_logical_name,
        &names.data_physical_name,
        facts.data_size_bytes,
    );
    let log = (
        2,
        1,
        "LOG",
        0,
        &names.log_logical_name,
        &names.log_physical_name,
        facts.log_size_bytes,
    );
    let row = |(id, kind, word, space, name, path, bytes): (
        i32,
        i32,
        &str,
        i32,
        &String,
        &String,
        u64,
    )| {
        let pages = i64::try_from(bytes / 8192).unwrap_or(i64::MAX);
        // Only data files have a base: a log is never backed up as a difference.
        let (base_lsn, base_guid) = if kind == 0 {
            (base_lsn.clone(), base_guid.clone())
        } else {
            (Value::Null, Value::Null)
        };
        vec![
            db.id().into(),
            id.into(),
            Value::Null,
            kind.into(),
            Value::text(word),
            space.into(),
            Value::text(name.as_str()),
            Value::text(path.as_str()),
            0.into(),
            Value::text("ONLINE"),
            pages.into(),
            (-1).into(),
            8192.into(),
            bit(false),
            bit(false),
            redo_start.clone(),
            base_lsn,
            base_guid,
        ]
    };
    vec![row(data), row(log)]
}

const LOG_SPACE: &[(&str, SqlType)] = &[
    ("database_id", SqlType::Int),
    ("total_log_size_in_bytes", SqlType::BigInt),
    ("used_log_space_in_bytes", SqlType::BigInt),
    ("used_log_space_in_percent", SqlType::Float),
    ("log_space_in_bytes_since_last_backup", SqlType::BigInt),
];

fn log_space(context: &ViewContext<'_>) -> SqlResult<Vec<Row>> {
    let facts = context.database.storage().facts();
    let number = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let (total, used) = (facts.log_size_bytes.max(1), facts.log_since_backup_bytes);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a percentage for people to read"
    )]
    let percent = used as f64 * 100.0 / total as f64;
    Ok(vec![vec![
        context.database.id().into(),
        number(total).into(),
        number(used).into(),
        Value::Float(percent),
        number(used).into(),
    ]])
}
