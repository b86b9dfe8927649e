//! CREATE, ALTER and DROP DATABASE, and DBCC.
//!
//! Start at [`Session::create_database`]. Availability groups, backup and restore stand elsewhere.

use std::sync::Arc;

use super::Session;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{
    AlterDatabase, AlterDatabaseAction, CreateDatabase, NamedOption, find_option,
};
use crate::messages;
use crate::storage::{DatabaseFiles, DatabaseState, RecoveryModel};

impl Session {
    /// `CREATE DATABASE`: 262 without the right, 1801 when the name is taken, 5170 when a file is
    /// there.
    pub(super) fn create_database(&mut self, create: &CreateDatabase) -> SqlResult<()> {
        self.require_no_transaction("CREATE DATABASE")?;
        self.require_server("CREATE ANY DATABASE")?;
        let mut files = self.instance.default_files(&create.name);
        if let Some(data) = create.data_files.first() {
            let (name, path) = (
                self.option_text(data, "NAME")?,
                self.option_text(data, "FILENAME")?,
            );
            self.place(&mut files, name, path, true)?;
        }
        if let Some(log) = create.log_files.first() {
            let (name, path) = (
                self.option_text(log, "NAME")?,
                self.option_text(log, "FILENAME")?,
            );
            self.place(&mut files, name, path, false)?;
        }
        let model = self.model_recovery();
        let sid = self.login().sid.clone();
        self.instance
            .create_database(&create.name, files, model, &sid)
            .map(drop)
    }

    fn place(
        &self,
        files: &mut DatabaseFiles,
        name: Option<String>,
        path: Option<String>,
        is_data: bool,
    ) -> SqlResult<()> {
        let (file, logical, physical) = if is_data {
            (
                &mut files.data,
                &mut files.data_logical_name,
                &mut files.data_physical_name,
            )
        } else {
            (
                &mut files.log,
                &mut files.log_logical_name,
                &mut files.log_physical_name,
            )
        };
        if let Some(name) = name {
            *logical = name;
        }
        if let Some(path) = path {
            let home = self.instance.data_folder();
            let found = self.instance.options.paths.resolve(&path, &home);
            *file = found.map_err(|why| no_directory(&path, why.os_error()))?;
            *physical = path;
        }
        Ok(())
    }

    /// New databases take the recovery model of `model`.
    fn model_recovery(&self) -> RecoveryModel {
        let model = self.instance.database("model");
        model.map_or(RecoveryModel::Full, |db| {
            db.storage().facts().recovery_model
        })
    }

    /// The text of an option's first value.
    pub(crate) fn option_text(
        &self,
        options: &[NamedOption],
        name: &str,
    ) -> SqlResult<Option<String>> {
        match find_option(options, name).and_then(|option| option.values.first()) {
            Some(value) => self.text(value),
            None => Ok(None),
        }
    }

    /// `ALTER DATABASE`.
    pub(super) fn alter_database(&mut self, alter: &AlterDatabase) -> SqlResult<()> {
        let database = match &alter.name {
            Some(name) => {
                let found = self.instance.database(name);
                found.ok_or_else(|| messages::cannot_alter_database(name))?
            }
            None => Arc::clone(&self.database),
        };
        if !self.has_in_database(&database, "ALTER") && !self.has_server("ALTER ANY DATABASE") {
            return Err(messages::cannot_alter_database(&database.name()));
        }
        match &alter.action {
            AlterDatabaseAction::Set {
                options,
                termination,
            } => {
                for option in options {
                    self.set_database_option(&database, option, termination.as_deref())?;
                }
                Ok(())
            }
            AlterDatabaseAction::ModifyName(name) => self.rename_database(&database, name),
            AlterDatabaseAction::JoinAvailabilityGroup(group) => {
                self.join_availability_group(&database, group)
            }
            AlterDatabaseAction::Hadr(action) => self.hadr(&database, action),
            AlterDatabaseAction::Partner(_) => self.begin_mirroring(&database),
            AlterDatabaseAction::ModifyFile(_) | AlterDatabaseAction::Collate(_) => Ok(()),
        }
    }

    fn set_database_option(
        &mut self,
        database: &Arc<DatabaseHandle>,
        option: &NamedOption,
        termination: Option<&str>,
    ) -> SqlResult<()> {
        let value = option
            .values
            .first()
            .map(|v| self.text(v))
            .transpose()?
            .flatten();
        let value = value.unwrap_or_default().to_uppercase();
        let storage = database.storage();
        match (option.name.as_str(), value.as_str()) {
            ("RECOVERY", "FULL") => storage.set_recovery_model(RecoveryModel::Full),
            ("RECOVERY", "BULK_LOGGED") => storage.set_recovery_model(RecoveryModel::BulkLogged),
            ("RECOVERY", "SIMPLE") => storage.set_recovery_model(RecoveryModel::Simple),
            ("READ_ONLY", _) => storage.set_read_only(true),
            ("READ_WRITE", _) => storage.set_read_only(false),
            ("OFFLINE", _) => {
                self.clear_users(database, termination)?;
                storage.set_state(DatabaseState::Offline)
            }
            ("ONLINE", _) => storage.set_state(DatabaseState::Online),
            ("SINGLE_USER" | "RESTRICTED_USER" | "MULTI_USER", _) => {
                if option.name == "SINGLE_USER" {
                    self.clear_users(database, termination)?;
                }
                self.keep_option(database, "USER_ACCESS", &option.name)
            }
            ("COMPATIBILITY_LEVEL", level) => {
                let level = level
                    .parse()
                    .map_err(|_| messages::incorrect_syntax(level))?;
                storage.set_compatibility_level(level)?;
                self.instance
                    .change_record(database, |r| r.compatibility_level = level)
            }
            (
                name,
                "ON" | "OFF" | "CHECKSUM" | "TORN_PAGE_DETECTION" | "NONE" | "LOCAL" | "GLOBAL",
            ) if KEPT_OPTIONS.contains(&name) => self.keep_option(database, name, &value),
            (name @ ("ENABLE_BROKER" | "DISABLE_BROKER" | "NEW_BROKER"), _) => {
                let is_on = if name == "DISABLE_BROKER" {
                    "OFF"
                } else {
                    "ON"
                };
                self.keep_option(database, "BROKER", is_on)
            }
            (name, _) => Err(messages::option_not_settable(name, &database.name())),
        }
    }

    pub(crate) fn keep_option(
        &self,
        database: &Arc<DatabaseHandle>,
        name: &str,
        value: &str,
    ) -> SqlResult<()> {
        self.instance.change_record(database, |record| {
            record.options.retain(|(known, _)| known != name);
            record.options.push((name.to_owned(), value.to_owned()));
        })
    }

    /// Sends away whoever uses a database, if the statement allows it; else 5061.
    fn clear_users(&self, database: &DatabaseHandle, termination: Option<&str>) -> SqlResult<()> {
        let others = self.others_in(database);
        if others.is_empty() {
            return Ok(());
        }
        if termination.is_some_and(|t| t.starts_with("ROLLBACK")) {
            for session in others {
                session.killed.cancel();
            }
            return Ok(());
        }
        Err(messages::alter_database_lock(&database.name()))
    }

    /// Other sessions whose current database this is.
    pub(crate) fn others_in(
        &self,
        database: &DatabaseHandle,
    ) -> Vec<Arc<crate::instance::SessionRecord>> {
        let sessions = self.instance.sessions.list().into_iter();
        let is_other = |s: &Arc<crate::instance::SessionRecord>| {
            s.id != self.record.id
                && s.activity().database == database.id()
                && !s.killed.is_cancelled()
        };
        sessions.filter(is_other).collect()
    }

    fn rename_database(&mut self, database: &Arc<DatabaseHandle>, name: &str) -> SqlResult<()> {
        if self.instance.database(name).is_some() {
            return Err(messages::database_exists(name));
        }
        database.storage().rename(name)?;
        self.instance
            .change_record(database, |record| name.clone_into(&mut record.name))
    }

    /// `DROP DATABASE`: 3701 when there is none, 3702 when somebody uses it.
    pub(super) fn drop_databases(&mut self, names: &[String], if_exists: bool) -> SqlResult<()> {
        self.require_no_transaction("DROP DATABASE")?;
        for name in names {
            let Some(database) = self.instance.database(name) else {
                if if_exists {
                    continue;
                }
                return Err(messages::cannot_drop("drop", "database", name));
            };
            let may = self.has_in_database(&database, "CONTROL");
            if !may && !self.has_server("ALTER ANY DATABASE") {
                return Err(messages::cannot_drop("drop", "database", name));
            }
            if database.id() <= 4 {
                return Err(system_database(name));
            }
            let is_mine = Arc::ptr_eq(&database, &self.database);
            if is_mine || !self.others_in(&database).is_empty() {
                return Err(messages::database_in_use(name));
            }
            self.instance.drop_database(&database)?;
        }
        Ok(())
    }

    /// 226: the statement cannot stand in a transaction.
    pub(crate) fn require_no_transaction(&self, statement: &str) -> SqlResult<()> {
        if self.transaction_count() > 0 {
            return Err(messages::not_in_transaction(statement));
        }
        Ok(())
    }
}

/// Options of databases that `sys.databases` shows and that change nothing else here.
const KEPT_OPTIONS: [&str; 18] = [
    "TRUSTWORTHY",
    "DB_CHAINING",
    "AUTO_CLOSE",
    "AUTO_SHRINK",
    "AUTO_CREATE_STATISTICS",
    "AUTO_UPDATE_STATISTICS",
    "ALLOW_SNAPSHOT_ISOLATION",
    "READ_COMMITTED_SNAPSHOT",
    "PAGE_VERIFY",
    "QUERY_STORE",
    "ANSI_NULLS",
    "QUOTED_IDENTIFIER",
    "CURSOR_DEFAULT",
    "ENCRYPTION",
    "HONOR_BROKER_PRIORITY",
    "RECURSIVE_TRIGGERS",
    "CHANGE_TRACKING",
    "ACCELERATED_DATABASE_RECOVERY",
];

/// SQL Server raises 5133 for a file in a folder that it cannot reach.
fn no_directory(path: &str, os_error: &str) -> SqlError {
    let text = format!(
        "Directory lookup for the file \"{path}\" failed with the operating system error \
         {os_error}."
    );
    SqlError::new(5133, 16, text)
}

/// SQL Server raises 3708 for a system database that someone wants to drop.
fn system_database(name: &str) -> SqlError {
    let text = format!("Cannot drop the database '{name}' because it is a system database.");
    SqlError::new(3708, 16, text)
}
