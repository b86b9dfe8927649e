//! A database's catalog as one value: its objects, schemas, principals and permissions, found by
//! name.
//!
//! Start at [`Schema::read`]. The value is immutable; whoever changes the catalog throws it away
//! and reads anew.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::object::Object;
use super::principal::{DatabasePrincipal, Membership, Permission, SchemaName};
use super::record;
use super::shape::TableShape;
use crate::error::SqlResult;
use crate::lang;
use crate::lang::ast::{CreateModule, StatementKind};
use crate::messages;
use crate::storage::{Database, RowId, TxId};

/// What stands in a database's catalog at one moment.
#[derive(Debug)]
pub struct Schema {
    objects: HashMap<(String, String), StoredObject>,
    /// Schemas made by users; `dbo`, `guest`, `sys` and `INFORMATION_SCHEMA` are always there.
    pub schemas: Vec<(RowId, SchemaName)>,
    /// Users and roles.
    pub principals: Vec<(RowId, DatabasePrincipal)>,
    /// Who belongs to which role.
    pub members: Vec<(RowId, Membership)>,
    /// What was granted and denied.
    pub permissions: Vec<(RowId, Permission)>,
}

/// An object with the row that holds it and, once needed, what its text says.
#[derive(Debug)]
pub struct Stored {
    /// Its row in the system table.
    pub row: RowId,
    /// The record itself.
    pub object: Object,
    module: OnceLock<SqlResult<Arc<CreateModule>>>,
    shape: OnceLock<SqlResult<Arc<TableShape>>>,
}

/// An object as the catalog hands it out.
pub type StoredObject = Arc<Stored>;

impl Stored {
    /// What the text of a view, procedure or function says.
    pub fn module(&self) -> SqlResult<Arc<CreateModule>> {
        self.module
            .get_or_init(|| parse_module(self.object.definition()))
            .clone()
    }

    /// The shape of a table.
    pub fn shape(&self) -> SqlResult<Arc<TableShape>> {
        let read = || TableShape::of_texts(&self.object.name, &self.object.texts).map(Arc::new);
        self.shape.get_or_init(read).clone()
    }
}

fn parse_module(text: &str) -> SqlResult<Arc<CreateModule>> {
    match lang::parse(text)?.pop().map(|statement| statement.kind) {
        Some(StatementKind::CreateModule(module)) => Ok(Arc::new(*module)),
        _ => Err(messages::incorrect_syntax(text)),
    }
}

impl Schema {
    /// Reads the catalog as `tx` sees it.
    #[must_use]
    pub fn read(db: &Database, tx: Option<TxId>) -> Self {
        let keyed = |(row, object): (RowId, Object)| {
            let key = (object.schema.to_lowercase(), object.name.to_lowercase());
            let stored = Stored {
                row,
                object,
                module: OnceLock::new(),
                shape: OnceLock::new(),
            };
            (key, Arc::new(stored))
        };
        Self {
            objects: record::all::<Object>(db, tx)
                .into_iter()
                .map(keyed)
                .collect(),
            schemas: record::all(db, tx),
            principals: record::all(db, tx),
            members: record::all(db, tx),
            permissions: record::all(db, tx),
        }
    }

    /// An object by schema and name, whatever their case.
    #[must_use]
    pub fn object(&self, schema: &str, name: &str) -> Option<StoredObject> {
        self.objects
            .get(&(schema.to_lowercase(), name.to_lowercase()))
            .cloned()
    }

    /// An object by its number.
    #[must_use]
    pub fn object_by_id(&self, id: u32) -> Option<StoredObject> {
        self.objects.values().find(|o| o.object.id == id).cloned()
    }

    /// All objects, in the order of their numbers.
    #[must_use]
    pub fn objects(&self) -> Vec<StoredObject> {
        let mut all: Vec<_> = self.objects.values().cloned().collect();
        all.sort_by_key(|o| o.object.id);
        all
    }

    /// `SCHEMA_ID`.
    #[must_use]
    pub fn schema_id(&self, name: &str) -> Option<i32> {
        let fixed = FIXED_SCHEMAS
            .iter()
            .find(|(_, fixed)| fixed.eq_ignore_ascii_case(name));
        fixed.map(|(id, _)| *id).or_else(|| {
            let lower = name.to_lowercase();
            self.schemas
                .iter()
                .map(|(_, s)| s)
                .find(|s| s.name.to_lowercase() == lower)
                .map(|s| s.id)
        })
    }

    /// All schemas: number and name.
    #[must_use]
    pub fn all_schemas(&self) -> Vec<(i32, String)> {
        let fixed = FIXED_SCHEMAS
            .iter()
            .map(|(id, name)| (*id, (*name).to_owned()));
        fixed
            .chain(self.schemas.iter().map(|(_, s)| (s.id, s.name.clone())))
            .collect()
    }

    /// A user or role by name, whatever its case.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&DatabasePrincipal> {
        let lower = name.to_lowercase();
        self.principals
            .iter()
            .map(|(_, p)| p)
            .find(|p| p.name.to_lowercase() == lower)
    }

    /// A user or role by number.
    #[must_use]
    pub fn principal_by_id(&self, id: i32) -> Option<&DatabasePrincipal> {
        self.principals.iter().map(|(_, p)| p).find(|p| p.id == id)
    }

    /// The user that stands for a login.
    #[must_use]
    pub fn user_of(&self, sid: &[u8]) -> Option<&DatabasePrincipal> {
        self.principals
            .iter()
            .map(|(_, p)| p)
            .find(|p| p.sid.as_deref() == Some(sid))
    }

    /// The principal itself, `public`, and every role that it belongs to, also through other roles.
    #[must_use]
    pub fn roles_of(&self, id: i32) -> Vec<i32> {
        let mut found = vec![id, PUBLIC];
        let mut next = 0;
        while let Some(&member) = found.get(next) {
            let roles = self
                .members
                .iter()
                .filter(|(_, m)| m.member == member)
                .map(|(_, m)| m.role);
            for role in roles {
                if !found.contains(&role) {
                    found.push(role);
                }
            }
            next += 1;
        }
        found
    }
}

/// `principal_id` of `public`.
pub const PUBLIC: i32 = 0;
/// `principal_id` of `dbo`.
pub const DBO: i32 = 1;
/// `principal_id` of `guest`.
pub const GUEST: i32 = 2;

/// Schemas that every database has.
const FIXED_SCHEMAS: [(i32, &str); 4] = [
    (1, "dbo"),
    (2, "guest"),
    (3, "INFORMATION_SCHEMA"),
    (4, "sys"),
];

/// Fixed database roles and their numbers in SQL Server.
pub const FIXED_ROLES: [(i32, &str); 10] = [
    (PUBLIC, "public"),
    (16384, "db_owner"),
    (16385, "db_accessadmin"),
    (16386, "db_securityadmin"),
    (16387, "db_ddladmin"),
    (16389, "db_backupoperator"),
    (16390, "db_datareader"),
    (16391, "db_datawriter"),
    (16392, "db_denydatareader"),
    (16393, "db_denydatawriter"),
];
