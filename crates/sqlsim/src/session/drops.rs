//! DROP of tables, views, procedures, functions, schemas and indexes.
//!
//! Start at [`Session::drop_objects`]. What is granted on an object goes with it.

use std::sync::Arc;

use super::Session;
use super::tables::Target;
use crate::catalog::object::{Object, ObjectKind};
use crate::catalog::principal::{Permission, SchemaName, Securable};
use crate::catalog::record;
use crate::error::{SqlError, SqlResult};
use crate::lang::ast::{self, DropObjects, ObjectName, StatementKind};
use crate::messages;
use crate::value::compare::same_name;

impl Session {
    /// `DROP`: 3701 for what is not there, unless `IF EXISTS` was said.
    pub(super) async fn drop_objects(&mut self, drop: &DropObjects) -> SqlResult<()> {
        for name in &drop.names {
            match drop.kind {
                ast::ObjectKind::Schema => self.drop_schema(&name.name, drop.if_exists).await?,
                ast::ObjectKind::Index => self.drop_index(name, drop).await?,
                ast::ObjectKind::Table if name.is_temporary() => self.drop_temporary(name, drop)?,
                _ => self.drop_object(name, drop).await?,
            }
        }
        Ok(())
    }

    fn drop_temporary(&mut self, name: &ObjectName, drop: &DropObjects) -> SqlResult<()> {
        let gone = self.temporary.remove(&name.name.to_lowercase());
        if gone.is_none() && !drop.if_exists {
            return Err(messages::cannot_drop("drop", "table", &name.name));
        }
        Ok(())
    }

    async fn drop_object(&mut self, name: &ObjectName, drop: &DropObjects) -> SqlResult<()> {
        let wanted = match drop.kind {
            ast::ObjectKind::Table => ObjectKind::Table,
            ast::ObjectKind::View => ObjectKind::View,
            ast::ObjectKind::Function => ObjectKind::Function,
            _ => ObjectKind::Procedure,
        };
        let database = self.database_named(name.database.as_deref())?;
        super::names::readable(&database)?;
        let found = self.find_object(&database, name.schema.as_deref(), &name.name);
        let Some(object) = found.filter(|o| o.object.kind == wanted) else {
            let missing = messages::cannot_drop("drop", wanted.word(), &name.to_string());
            return if drop.if_exists { Ok(()) } else { Err(missing) };
        };
        self.require_on_object(&database, &object, "ALTER")?;
        let granted: Vec<_> = self.schema_of(&database).permissions.clone();
        self.change_catalog(&database, |_, storage, tx| {
            record::remove::<Object>(storage, tx, object.row)?;
            for (row, permission) in granted {
                if permission.on == Securable::Object(object.object.id) {
                    record::remove::<Permission>(storage, tx, row)?;
                }
            }
            if object.object.kind == ObjectKind::Table {
                for (id, _) in storage.scan(Some(tx), object.object.table_id()) {
                    storage.delete(tx, object.object.table_id(), id)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn drop_schema(&mut self, name: &str, if_exists: bool) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        let schema = self.schema_of(&database);
        let Some((row, _)) = schema
            .schemas
            .iter()
            .find(|(_, s)| same_name(&s.name, name))
        else {
            let missing = messages::cannot_drop("drop", "schema", name);
            return if if_exists { Ok(()) } else { Err(missing) };
        };
        if let Some(object) = schema
            .objects()
            .iter()
            .find(|o| same_name(&o.object.schema, name))
        {
            return Err(schema_in_use(name, &object.object.name));
        }
        self.require_in_database(&database, "CREATE SCHEMA")?;
        let row = *row;
        self.change_catalog(&database, |_, storage, tx| {
            record::remove::<SchemaName>(storage, tx, row)
        })
        .await
    }

    async fn drop_index(&mut self, name: &ObjectName, drop: &DropObjects) -> SqlResult<()> {
        let Some(table) = &drop.table else {
            return Err(messages::cannot_drop("drop", "index", &name.name));
        };
        let Target::Stored(stored) = self.target(table, "ALTER")? else {
            return Ok(());
        };
        let makes = |text: &String| {
            let parsed = crate::lang::parse(text).unwrap_or_default();
            parsed.iter().any(|s| match &s.kind {
                StatementKind::CreateIndex(index) => same_name(&index.name, &name.name),
                _ => false,
            })
        };
        let (gone, kept): (Vec<_>, Vec<_>) =
            stored.object.object.texts.iter().cloned().partition(makes);
        if gone.is_empty() && !drop.if_exists {
            return Err(messages::cannot_drop("drop", "index", &name.name));
        }
        self.alter_object_in(&stored.database, &stored.object, kept)
            .await
    }
}

/// SQL Server raises 3729 for a schema that still holds objects.
fn schema_in_use(schema: &str, object: &str) -> SqlError {
    let text = format!(
        "Cannot drop schema '{schema}' because it is being referenced by object '{object}'."
    );
    SqlError::new(3729, 16, text)
}
