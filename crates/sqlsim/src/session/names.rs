//! What names mean to a session: variables, tables, views and functions, for `query/` to evaluate
//! with.
//!
//! Start at [`Scope`]. Nothing here changes anything; rows of other hosts were fetched before (see
//! [`Remote`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::Session;
use super::frame::Variables;
use super::{globals, scalar};
use crate::catalog::object::ObjectKind;
use crate::catalog::schema::{Schema, StoredObject};
use crate::catalog::views::{self, ViewContext};
use crate::error::SqlResult;
use crate::instance::DatabaseHandle;
use crate::lang::ast::{ModuleKind, ObjectName};
use crate::messages;
use crate::proc::functions;
use crate::query::{self, Names, Relation};
use crate::storage::{Database, DatabaseState};
use crate::value::{Rows, Typed};

/// Rows that were fetched from other hosts for the statement that runs, by four-part name.
pub type Remote = HashMap<ObjectName, Rows>;

/// What names mean in one database, with one set of variables.
pub struct Scope<'a> {
    /// The session that asks.
    pub session: &'a Session,
    /// The database in which names without one are looked for.
    pub database: Arc<DatabaseHandle>,
    /// Variables of a scalar function that runs; none: those of the session's innermost frame.
    pub variables: Option<&'a Variables>,
    /// How deep scalar functions and views of other databases are nested.
    pub depth: usize,
    /// Objects are used with the rights of the owner of the module that names them.
    pub chained: bool,
}

/// SQL Server's limit of nesting (217).
const MAX_DEPTH: usize = 32;

impl Session {
    /// What names mean here and now.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        let module = self.frames.last().and_then(|f| f.module.as_ref());
        let chained = module.and_then(|m| m.chained.as_ref());
        Scope {
            session: self,
            database: Arc::clone(&self.database),
            variables: None,
            depth: 0,
            chained: chained.is_some_and(|db| Arc::ptr_eq(db, &self.database)),
        }
    }

    /// A database by name, or the current one; 911 when there is none, 916 when the login may not
    /// enter it.
    pub fn database_named(&self, name: Option<&str>) -> SqlResult<Arc<DatabaseHandle>> {
        let Some(name) = name else {
            return Ok(Arc::clone(&self.database));
        };
        let database = self.instance.needed_database(name)?;
        self.require_access(&database)?;
        Ok(database)
    }

    /// The catalog of a database as the open transaction sees it.
    #[must_use]
    pub fn schema_of(&self, database: &Arc<DatabaseHandle>) -> Arc<Schema> {
        match &self.transaction {
            Some(t)
                if t.changed_catalogs
                    .iter()
                    .any(|db| Arc::ptr_eq(db, database)) =>
            {
                database.schema_in(t.id)
            }
            _ => database.schema(),
        }
    }

    /// An object of a database; names without a schema mean `dbo`.
    #[must_use]
    pub fn find_object(
        &self,
        database: &Arc<DatabaseHandle>,
        schema: Option<&str>,
        name: &str,
    ) -> Option<StoredObject> {
        let is_open = readable(database).is_ok();
        is_open
            .then(|| {
                self.schema_of(database)
                    .object(schema.unwrap_or("dbo"), name)
            })
            .flatten()
    }
}

/// The storage of a database that can be read; 927 while it is restoring, 942 when it is offline.
pub(crate) fn readable(database: &DatabaseHandle) -> SqlResult<Arc<Database>> {
    let storage = database.storage();
    match storage.facts().state {
        DatabaseState::Online | DatabaseState::Standby => Ok(storage),
        DatabaseState::Restoring => Err(messages::database_restoring(&database.name())),
        DatabaseState::Offline => Err(messages::database_offline(&database.name())),
    }
}

impl Scope<'_> {
    fn stored(&self, name: &ObjectName) -> SqlResult<Relation> {
        let database = match &name.database {
            Some(other) => self.session.database_named(Some(other))?,
            None => Arc::clone(&self.database),
        };
        let instance = &self.session.instance;
        let context = ViewContext {
            session: self.session,
            instance,
            database: Arc::clone(&database),
        };
        if let Some(rows) = views::relation(name, &context) {
            return rows.map(Relation::Rows);
        }
        let storage = readable(&database)?;
        let found = self
            .session
            .find_object(&database, name.schema.as_deref(), &name.name);
        let object = found.ok_or_else(|| messages::invalid_object(&name.to_string()))?;
        if !(self.chained && Arc::ptr_eq(&database, &self.database)) {
            self.session
                .require_on_object(&database, &object, "SELECT")?;
        }
        match object.object.kind {
            ObjectKind::Table => {
                let rows = storage.scan(self.session.transaction_id(), object.object.table_id());
                let rows = rows.into_iter().map(|(_, row)| row).collect();
                let columns = object.shape()?.relation_columns();
                Ok(Relation::Rows(Rows { columns, rows }))
            }
            ObjectKind::View => self.view(&object, database),
            ObjectKind::Procedure | ObjectKind::Function => {
                Err(messages::invalid_object(&name.to_string()))
            }
        }
    }

    /// A view is evaluated here, with the names of its own database and the rights of its owner.
    fn view(&self, object: &StoredObject, database: Arc<DatabaseHandle>) -> SqlResult<Relation> {
        if self.depth >= MAX_DEPTH {
            return Err(messages::nesting_level_exceeded());
        }
        let module = object.module()?;
        let ModuleKind::View { columns, select } = &module.kind else {
            return Err(messages::invalid_object(&object.object.name));
        };
        let depth = self.depth + 1;
        let inner = Scope {
            session: self.session,
            database,
            variables: None,
            depth,
            chained: true,
        };
        let mut rows = query::select(&inner, select)?;
        for (column, name) in rows.columns.iter_mut().zip(columns) {
            column.name.clone_from(name);
        }
        Ok(Relation::Rows(rows))
    }
}

impl Names for Scope<'_> {
    fn variable(&self, name: &str) -> SqlResult<Typed> {
        if name.starts_with("@@") {
            return globals::value(self.session, name);
        }
        match self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => match self.session.frames.last() {
                Some(frame) => frame.variables.get(name).cloned(),
                None => Err(messages::scalar_variable_not_declared(name)),
            },
        }
    }

    fn relation(&self, name: &ObjectName) -> SqlResult<Relation> {
        if name.server.is_some() {
            let fetched = self.session.remote.get(name).cloned();
            return fetched
                .map(Relation::Rows)
                .ok_or_else(|| messages::invalid_object(&name.to_string()));
        }
        match self.session.local_table(name)? {
            Some(table) => Ok(Relation::Rows(table.relation())),
            None => self.stored(name),
        }
    }

    fn table_function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Rows> {
        functions::rows(self, name, arguments)
    }

    fn function(&self, name: &ObjectName, arguments: &[Typed]) -> SqlResult<Typed> {
        if let Some(value) = functions::value(self, name, arguments) {
            return value;
        }
        if self.depth >= MAX_DEPTH {
            return Err(messages::nesting_level_exceeded());
        }
        scalar::call(self, name, arguments)
    }
}
