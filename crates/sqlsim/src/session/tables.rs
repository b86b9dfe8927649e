//! Targets of statements that change rows: stored tables, temporary tables, table variables.
//!
//! Start at [`Session::target`]. Here are also the rules that every new row must keep: NOT NULL,
//! keys, checks.

use std::collections::HashSet;
use std::sync::Arc;

use super::Session;
use super::temporary::LocalTable;
use crate::catalog::object::ObjectKind;
use crate::catalog::schema::StoredObject;
use crate::catalog::shape::{Key, KeyKind, TableShape};
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{Condition, Delete, ObjectName};
use crate::messages;
use crate::query;
use crate::storage::{Database, RowId, TableId, TxId};
use crate::value::compare;
use crate::value::{Row, Rows, Value};

/// A table that a statement changes.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A table of a database.
    Stored(StoredTarget),
    /// A temporary table or table variable, by its lower-case name.
    Local {
        /// With its `#` or `@`.
        key: String,
        /// Its shape.
        shape: Arc<TableShape>,
    },
}

/// A table of a database.
#[derive(Clone, Debug)]
pub(super) struct StoredTarget {
    /// The database.
    pub(super) database: Arc<DatabaseHandle>,
    /// The table.
    pub(super) object: StoredObject,
    /// Its shape.
    pub(super) shape: Arc<TableShape>,
}

impl Target {
    /// The table's shape.
    pub(super) fn shape(&self) -> &Arc<TableShape> {
        match self {
            Self::Stored(target) => &target.shape,
            Self::Local { shape, .. } => shape,
        }
    }

    /// The table's name as messages show it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stored(target) => target.full_name(),
            Self::Local { key, .. } => key.clone(),
        }
    }
}

impl StoredTarget {
    pub(super) fn table(&self) -> TableId {
        self.object.object.table_id()
    }

    /// `database.schema.table`, as 515 shows it.
    pub(super) fn full_name(&self) -> String {
        let object = &self.object.object;
        format!("{}.{}.{}", self.database.name(), object.schema, object.name)
    }

    /// `schema.table`, as 2627 shows it.
    fn short_name(&self) -> String {
        format!("{}.{}", self.object.object.schema, self.object.object.name)
    }
}

impl Session {
    /// A temporary table or table variable; none when the name is of neither kind.
    pub(super) fn local_table(&self, name: &ObjectName) -> SqlResult<Option<&LocalTable>> {
        let key = name.name.to_lowercase();
        if name.is_variable() {
            let table = self.frames.last().and_then(|f| f.tables.get(&key));
            return table
                .map(Some)
                .ok_or_else(|| messages::table_variable_not_declared(&name.name));
        }
        if !name.is_temporary() {
            return Ok(None);
        }
        let table = self.temporary.get(&key);
        table
            .map(Some)
            .ok_or_else(|| messages::invalid_object(&name.name))
    }

    /// As [`Session::local_table`], to be changed.
    pub(super) fn local_table_mut(&mut self, key: &str) -> SqlResult<&mut LocalTable> {
        let table = if key.starts_with('@') {
            self.frames.last_mut().and_then(|f| f.tables.get_mut(key))
        } else {
            self.temporary.get_mut(key)
        };
        table.ok_or_else(|| messages::invalid_object(key))
    }

    /// The table that a name means, with the right `permission` on it.
    pub(super) fn target(&self, name: &ObjectName, permission: &str) -> SqlResult<Target> {
        if let Some(table) = self.local_table(name)? {
            let shape = Arc::clone(&table.shape);
            return Ok(Target::Local {
                key: name.name.to_lowercase(),
                shape,
            });
        }
        let database = self.database_named(name.database.as_deref())?;
        super::names::readable(&database)?;
        let found = self.find_object(&database, name.schema.as_deref(), &name.name);
        let object = found.ok_or_else(|| messages::invalid_object(&name.to_string()))?;
        if object.object.kind != ObjectKind::Table {
            return Err(not_updatable(&name.to_string()));
        }
        if !self.is_chained(&database) {
            self.require_on_object(&database, &object, permission)?;
        }
        let shape = object.shape()?;
        Ok(Target::Stored(StoredTarget {
            database,
            object,
            shape,
        }))
    }

    /// Whether the running module's owner lends its rights on the objects of a database.
    pub(super) fn is_chained(&self, database: &Arc<DatabaseHandle>) -> bool {
        let module = self.frames.last().and_then(|f| f.module.as_ref());
        module
            .and_then(|m| m.chained.as_ref())
            .is_some_and(|db| Arc::ptr_eq(db, database))
    }

    /// Checks new rows against NOT NULL (515) and CHECK (547).
    pub(super) fn check_rows(
        &self,
        target: &Target,
        rows: &[Row],
        statement: &'static str,
    ) -> SqlResult<()> {
        let shape = target.shape();
        for row in rows {
            let null = shape
                .columns
                .iter()
                .zip(row)
                .find(|(c, v)| !c.nullable && v.is_null());
            if let Some((column, _)) = null {
                return Err(messages::null_not_allowed(
                    &column.name,
                    &target.name(),
                    statement,
                ));
            }
        }
        for (name, condition) in &shape.checks {
            self.check(target, rows, statement, name, condition)?;
        }
        Ok(())
    }

    /// A CHECK fails only where its condition is false, not where it is unknown: exactly the rows
    /// that a DELETE of the opposite would find.
    fn check(
        &self,
        target: &Target,
        rows: &[Row],
        statement: &str,
        name: &str,
        condition: &Condition,
    ) -> SqlResult<()> {
        let table = ObjectName::bare("t");
        let broken = Delete {
            top: None,
            target: table,
            output: None,
            from: Vec::new(),
            condition: Some(Condition::Not(Box::new(condition.clone()))),
        };
        let relation = Rows {
            columns: target.shape().relation_columns(),
            rows: rows.to_vec(),
        };
        if query::delete(&self.scope(), &broken, &relation)?.is_empty() {
            return Ok(());
        }
        let (database, table) = match target {
            Target::Stored(t) => (t.database.name(), t.short_name()),
            Target::Local { key, .. } => ("tempdb".to_owned(), format!("dbo.{key}")),
        };
        Err(messages::constraint_conflict(
            statement, "CHECK", name, &database, &table,
        ))
    }

    /// Takes the key locks of new rows and checks that nobody else has their keys: 2627 and 2601.
    pub(super) async fn check_keys(
        &self,
        target: &StoredTarget,
        storage: &Database,
        tx: TxId,
        new: &[(Option<RowId>, Row)],
    ) -> SqlResult<()> {
        for key in &target.shape.keys {
            for (_, row) in new {
                let bytes = key_text(key, row).into_bytes();
                let waiting = self.lock_patience();
                self.locked(storage.lock_key(tx, target.table(), &bytes, waiting).await)?;
            }
            let replaced: HashSet<RowId> = new.iter().filter_map(|(id, _)| *id).collect();
            let others = storage.scan(Some(tx), target.table()).into_iter();
            let others = others
                .filter(|(id, _)| !replaced.contains(id))
                .map(|(_, row)| row);
            let name = target.short_name();
            unique(key, &name, others, new.iter().map(|(_, row)| row))?;
        }
        Ok(())
    }

    /// Checks the keys of a temporary table or table variable.
    pub(super) fn check_local_keys(shape: &TableShape, name: &str, rows: &[Row]) -> SqlResult<()> {
        shape
            .keys
            .iter()
            .try_for_each(|key| unique(key, name, std::iter::empty(), rows.iter()))
    }

    /// Ends when the session has waited long enough for a lock, or is told to stop.
    pub(super) fn lock_patience(&self) -> impl Future<Output = ()> + Send + use<> {
        let limit = match u64::try_from(self.options.lock_timeout_ms) {
            Ok(limit) => std::time::Duration::from_millis(limit),
            Err(_) => self.instance.options.lock_timeout,
        };
        let clock = self.instance.clock.clone();
        let (cancel, killed) = (self.cancel.clone(), self.record.killed.clone());
        async move {
            tokio::select! {
                () = clock.sleep(limit) => {}
                () = cancel.cancelled() => {}
                () = killed.cancelled() => {}
            }
        }
    }

    /// With `SET LOCK_TIMEOUT` a wait that was too long is 1222 and not the end of the transaction;
    /// so is one that the client broke off.
    pub(super) fn locked(&self, outcome: SqlResult<()>) -> SqlResult<()> {
        let is_asked_for = self.options.lock_timeout_ms >= 0 || self.is_cancelled();
        match outcome {
            Err(error) if error.number == 1205 && is_asked_for => Err(messages::lock_timeout()),
            other => other,
        }
    }
}

fn unique<'a>(
    key: &Key,
    table: &str,
    others: impl Iterator<Item = Row>,
    new: impl Iterator<Item = &'a Row>,
) -> SqlResult<()> {
    let mut seen: HashSet<String> = others.map(|row| key_text(key, &row)).collect();
    for row in new {
        if !seen.insert(key_text(key, row)) {
            return Err(duplicate(key, table, row));
        }
    }
    Ok(())
}

fn duplicate(key: &Key, table: &str, row: &Row) -> SqlError {
    let values = key
        .columns
        .iter()
        .map(|&at| shown(row.get(at).unwrap_or(&Value::Null)));
    let shown = format!("({})", values.collect::<Vec<_>>().join(", "));
    match key.kind {
        KeyKind::Primary => messages::duplicate_key("PRIMARY KEY", &key.name, table, &shown),
        KeyKind::Unique => messages::duplicate_key("UNIQUE KEY", &key.name, table, &shown),
        KeyKind::Index => messages::duplicate_key_in_index(table, &key.name, &shown),
    }
}

fn shown(value: &Value) -> String {
    super::assign::text_of(value).unwrap_or_else(|| "<NULL>".to_owned())
}

/// A text that is equal exactly for keys that SQL Server takes for equal.
fn key_text(key: &Key, row: &Row) -> String {
    let values = key
        .columns
        .iter()
        .map(|&at| row.get(at).unwrap_or(&Value::Null));
    let parts: Vec<String> = values.map(|v| format!("{:?}", compare::key(v))).collect();
    format!("{}:{}", key.name, parts.join("|"))
}

/// SQL Server raises 4406 for a view that it cannot change through; here it is any view.
fn not_updatable(name: &str) -> SqlError {
    let text = format!(
        "Update or insert of view or function '{name}' failed because it contains a derived or \
           constant field."
    );
    SqlError::new(4406, 16, text)
}
