//! CREATE, ALTER and DROP of tables, indexes, schemas, views, procedures and functions.
//!
//! Start at [`Session::define`]. Objects are records of the database's own system tables, changed
//! in the session's transaction like any row. Databases and principals have files of their own.

use std::sync::Arc;

use super::Session;
use super::tables::Target;
use super::temporary::LocalTable;
use crate::catalog::object::{Object, ObjectKind};
use crate::catalog::principal::SchemaName;
use crate::catalog::record;
use crate::catalog::schema::StoredObject;
use crate::catalog::shape::TableShape;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{
    AlterTable, AlterTableAction, CreateIndex, CreateMode, CreateModule, CreateTable, ModuleKind,
    ObjectName, Statement, StatementKind,
};
use crate::messages;
use crate::storage::{Database, TxId};
use crate::value::{Column, Row, Value};

impl Session {
    /// Statements that define things.
    pub(super) async fn define(
        &mut self,
        kind: &StatementKind,
        whole: &Statement,
    ) -> SqlResult<()> {
        let text = self.statement_text(whole);
        match kind {
            StatementKind::CreateTable(create) => self.create_table(create, &text).await,
            StatementKind::AlterTable(alter) => self.alter_table(alter, &text).await,
            StatementKind::CreateIndex(index) => self.create_index(index, &text).await,
            StatementKind::Truncate(name) => self.truncate(name).await,
            StatementKind::Drop(drop) => self.drop_objects(drop).await,
            StatementKind::CreateModule(module) => self.create_module(module).await,
            StatementKind::CreateSchema { name, .. } => self.create_schema(name).await,
            StatementKind::CreateDatabase(create) => self.create_database(create),
            StatementKind::AlterDatabase(alter) => self.alter_database(alter),
            StatementKind::DropDatabase { names, if_exists } => {
                self.drop_databases(names, *if_exists)
            }
            StatementKind::CreatePrincipal(_)
            | StatementKind::AlterPrincipal(_)
            | StatementKind::DropPrincipal(_)
            | StatementKind::Permission(_)
            | StatementKind::AlterAuthorization { .. } => self.principals(kind).await,
            _ => Err(messages::incorrect_syntax(&text)),
        }
    }

    /// The text of a statement, as its writer wrote it.
    pub(crate) fn statement_text(&self, statement: &Statement) -> String {
        let text = self
            .frames
            .last()
            .map(|f| Arc::clone(&f.text))
            .unwrap_or_default();
        text.get(statement.span.start..statement.span.end)
            .unwrap_or_default()
            .to_owned()
    }

    /// Changes the catalog of a database in the session's transaction, or in one of its own.
    pub(super) async fn change_catalog<T>(
        &mut self,
        database: &Arc<DatabaseHandle>,
        change: impl FnOnce(&Self, &Database, TxId) -> SqlResult<T>,
    ) -> SqlResult<T> {
        super::names::readable(database)?;
        let before = self.begin_statement().await?;
        let changed = match self.join(database) {
            Ok((tx, storage)) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.changed_catalogs.push(Arc::clone(database));
                }
                change(self, &storage, tx)
            }
            Err(error) => Err(error),
        };
        self.end_statement(before, changed).await
    }

    async fn create_table(&mut self, create: &CreateTable, text: &str) -> SqlResult<()> {
        let name = &create.name;
        if name.is_temporary() {
            let shape = TableShape::of_definition(&name.name, &create.definition)?;
            return self.create_temporary(&name.name, shape);
        }
        let shape = TableShape::of_definition(&name.name, &create.definition)?;
        if shape.columns.is_empty() {
            return Err(messages::incorrect_syntax(")"));
        }
        self.create_object(name, ObjectKind::Table, text.to_owned(), "CREATE TABLE")
            .await
    }

    fn create_temporary(&mut self, name: &str, shape: TableShape) -> SqlResult<()> {
        let depth = self.frames.len();
        let key = name.to_lowercase();
        if self.temporary.contains_key(&key) {
            return Err(messages::already_an_object(name));
        }
        self.temporary
            .insert(key, LocalTable::new(Arc::new(shape), depth));
        Ok(())
    }

    /// A table with the columns of a query's rows, for SELECT INTO.
    pub(super) async fn create_table_like(
        &mut self,
        name: &ObjectName,
        columns: &[Column],
    ) -> SqlResult<()> {
        if let Some(place) = columns.iter().position(|c| c.name.is_empty()) {
            return Err(messages::no_column_name(place + 1, &name.name));
        }
        let column = |c: &Column| {
            let null = if c.nullable { "NULL" } else { "NOT NULL" };
            format!("[{}] {} {null}", c.name.replace(']', "]]"), c.ty)
        };
        let list = columns.iter().map(column).collect::<Vec<_>>().join(", ");
        let text = format!("CREATE TABLE [{}] ({list})", name.name.replace(']', "]]"));
        let shape = TableShape::of_texts(&name.name, std::slice::from_ref(&text))?;
        if name.is_temporary() {
            return self.create_temporary(&name.name, shape);
        }
        self.create_object(name, ObjectKind::Table, text, "CREATE TABLE")
            .await
    }

    async fn create_object(
        &mut self,
        name: &ObjectName,
        kind: ObjectKind,
        text: String,
        right: &str,
    ) -> SqlResult<()> {
        let database = self.database_named(name.database.as_deref())?;
        super::names::readable(&database)?;
        let schema = name.schema.clone().unwrap_or_else(|| "dbo".to_owned());
        if self.schema_of(&database).schema_id(&schema).is_none() {
            return Err(messages::unknown_schema(&schema));
        }
        self.require_in_database(&database, right)?;
        if self
            .find_object(&database, Some(&schema), &name.name)
            .is_some()
        {
            return Err(messages::already_an_object(&name.name));
        }
        let now = self.instance.clock.local();
        let name = name.name.clone();
        self.change_catalog(&database, |_, storage, tx| {
            let id = record::next_object_id(storage)?;
            let texts = vec![text];
            let object = Object {
                id,
                schema,
                name,
                kind,
                texts,
                created: now,
                modified: now,
            };
            record::add(storage, tx, &object).map(drop)
        })
        .await
    }

    async fn create_module(&mut self, module: &CreateModule) -> SqlResult<()> {
        let (kind, right) = match &module.kind {
            ModuleKind::Procedure { .. } => (ObjectKind::Procedure, "CREATE PROCEDURE"),
            ModuleKind::View { .. } => (ObjectKind::View, "CREATE VIEW"),
            ModuleKind::Function { .. } => (ObjectKind::Function, "CREATE FUNCTION"),
        };
        let name = &module.name;
        if name.database.is_some() {
            return Err(database_prefix(right));
        }
        let found = self.find_object(&self.database, name.schema.as_deref(), &name.name);
        match (module.mode, found) {
            (CreateMode::Create | CreateMode::CreateOrAlter, None) => {
                let text = module.definition.clone();
                self.create_object(name, kind, text, right).await
            }
            (CreateMode::Create, Some(_)) => Err(messages::already_an_object(&name.name)),
            (CreateMode::Alter, None) => Err(messages::invalid_object(&name.to_string())),
            (CreateMode::Alter | CreateMode::CreateOrAlter, Some(object)) => {
                if object.object.kind != kind {
                    return Err(messages::already_an_object(&name.name));
                }
                self.alter_object(&object, vec![module.definition.clone()])
                    .await
            }
        }
    }

    async fn alter_object(&mut self, object: &StoredObject, texts: Vec<String>) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.alter_object_in(&database, object, texts).await
    }

    pub(super) async fn alter_object_in(
        &mut self,
        database: &Arc<DatabaseHandle>,
        object: &StoredObject,
        texts: Vec<String>,
    ) -> SqlResult<()> {
        self.require_on_object(database, object, "ALTER")?;
        let modified = self.instance.clock.local();
        let changed = Object {
            texts,
            modified,
            ..object.object.clone()
        };
        let row = object.row;
        self.change_catalog(database, |_, storage, tx| {
            record::replace(storage, tx, row, &changed)
        })
        .await
    }

    /// ALTER TABLE: the statement joins those that made the table, and the rows are fitted to the
    /// new shape.
    async fn alter_table(&mut self, alter: &AlterTable, text: &str) -> SqlResult<()> {
        let target = self.target(&alter.name, "ALTER")?;
        let Target::Stored(stored) = &target else {
            return self.alter_local(&target, alter);
        };
        let before = Arc::clone(&stored.shape);
        let mut changed_shape = (*before).clone();
        changed_shape.apply(
            &stored.object.object.name,
            StatementKind::AlterTable(alter.clone()),
        )?;
        let defaults = self.defaults_for(&changed_shape)?;
        let mut texts = stored.object.object.texts.clone();
        texts.push(text.to_owned());
        let changed = Object {
            texts,
            modified: self.instance.clock.local(),
            ..stored.object.object.clone()
        };
        let (row, table) = (stored.object.row, stored.table());
        let is_add = matches!(alter.action, AlterTableAction::Add(_));
        self.change_catalog(&stored.database, |_, storage, tx| {
            record::replace(storage, tx, row, &changed)?;
            if before.columns == changed_shape.columns {
                return Ok(());
            }
            for (id, old) in storage.scan(Some(tx), table) {
                let new = refit(&before, &changed_shape, &old, &defaults);
                let null = changed_shape
                    .columns
                    .iter()
                    .zip(&new)
                    .find(|(c, v)| !c.nullable && v.is_null());
                if let (Some((column, _)), true) = (null, is_add) {
                    return Err(needs_default(&column.name, &changed.name));
                }
                storage.update(tx, table, id, new)?;
            }
            Ok(())
        })
        .await
    }

    fn alter_local(&mut self, target: &Target, alter: &AlterTable) -> SqlResult<()> {
        let Target::Local { key, shape: before } = target else {
            return Ok(());
        };
        let mut changed_shape = (**before).clone();
        changed_shape.apply(key, StatementKind::AlterTable(alter.clone()))?;
        let defaults = self.defaults_for(&changed_shape)?;
        let table = self.local_table_mut(key)?;
        table.rows = table
            .rows
            .iter()
            .map(|old| refit(before, &changed_shape, old, &defaults))
            .collect();
        table.shape = Arc::new(changed_shape);
        Ok(())
    }

    fn defaults_for(&self, shape: &TableShape) -> SqlResult<Row> {
        let value = |c: &crate::catalog::shape::ColumnShape| match &c.default {
            Some(default) => super::assign::assign(&self.evaluate(default)?, c.ty),
            None => Ok(Value::Null),
        };
        shape.columns.iter().map(value).collect()
    }

    /// Indexes change no answer here; a unique one is a key.
    async fn create_index(&mut self, index: &CreateIndex, text: &str) -> SqlResult<()> {
        let target = self.target(&index.table, "ALTER")?;
        let mut after = (**target.shape()).clone();
        after.apply(&index.table.name, StatementKind::CreateIndex(index.clone()))?;
        if let Some(missing) = index.columns.iter().find(|c| after.position(c).is_none()) {
            return Err(messages::invalid_column(missing));
        }
        match target {
            Target::Stored(stored) => {
                let mut texts = stored.object.object.texts.clone();
                texts.push(text.to_owned());
                self.alter_object_in(&stored.database, &stored.object, texts)
                    .await
            }
            Target::Local { key, .. } => {
                self.local_table_mut(&key)?.shape = Arc::new(after);
                Ok(())
            }
        }
    }

    async fn truncate(&mut self, name: &ObjectName) -> SqlResult<()> {
        let target = self.target(name, "ALTER")?;
        match target {
            Target::Local { key, .. } => {
                let table = self.local_table_mut(&key)?;
                table.rows.clear();
                table.identity = None;
                Ok(())
            }
            Target::Stored(stored) => {
                let before = self.begin_statement().await?;
                let cleared = self.clear(&stored).await;
                self.end_statement(before, cleared).await
            }
        }
    }

    async fn clear(&mut self, stored: &super::tables::StoredTarget) -> SqlResult<()> {
        let (tx, storage) = self.join(&stored.database)?;
        for (id, _) in storage.scan(Some(tx), stored.table()) {
            let waiting = self.lock_patience();
            self.locked(storage.lock_row(tx, stored.table(), id, waiting).await)?;
            storage.delete(tx, stored.table(), id)?;
        }
        if let Some((_, seed, step)) = stored.shape.identity() {
            storage.set_counter(stored.table(), seed.saturating_sub(step))?;
        }
        Ok(())
    }

    async fn create_schema(&mut self, name: &str) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.require_in_database(&database, "CREATE SCHEMA")?;
        let schema = self.schema_of(&database);
        if schema.schema_id(name).is_some() {
            return Err(messages::already_an_object(name));
        }
        let id = schema.schemas.iter().map(|(_, s)| s.id).max().unwrap_or(4) + 1;
        let made = SchemaName {
            id,
            name: name.to_owned(),
        };
        self.change_catalog(&database, |_, storage, tx| {
            record::add(storage, tx, &made).map(drop)
        })
        .await
    }
}

/// A row of the old shape as a row of the new one; columns that were added get their default.
fn refit(before: &TableShape, after: &TableShape, old: &Row, defaults: &Row) -> Row {
    let cell = |(at, column): (usize, &crate::catalog::shape::ColumnShape)| {
        let kept = before
            .position(&column.name)
            .and_then(|place| old.get(place).cloned());
        kept.unwrap_or_else(|| defaults.get(at).cloned().unwrap_or(Value::Null))
    };
    after.columns.iter().enumerate().map(cell).collect()
}

/// SQL Server raises 166 for a module named with a database.
fn database_prefix(statement: &str) -> SqlError {
    let text = format!(
        "'{statement}' does not allow specifying the database name as a prefix to the object name."
    );
    SqlError::new(166, 15, text)
}

/// SQL Server raises 4901 for a column without NULL and default that is added to rows.
fn needs_default(column: &str, table: &str) -> SqlError {
    let text = format!(
        "ALTER TABLE only allows columns to be added that can contain nulls, or have a DEFAULT \
         definition specified, or the column being added is an identity or timestamp column, or \
         alternatively if none of the previous conditions are satisfied the table must be empty to \
         allow addition of this column. Column '{column}' cannot be added to non-empty table \
         '{table}' because it does not satisfy these conditions."
    );
    SqlError::new(4901, 16, text)
}
