//! A database's catalog as one value: its objects, schemas, principals and permissions, found by name.
//!
//! Start at [`Schema::read`]. The value is immutable; whoever changes the catalog throws it away and reads anew.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::object::{Body, Object};
use super::principal::{DatabasePrincipal, Membership, Permission, SchemaName};
use super::record::{self, FIRST_USER_TABLE};
use crate::error::SqlResult;
use crate::lang;
use crate::lang::ast::Statement;
use crate::storage::{Database, RowId, TxId};

/// What stands in a database's catalog at one moment.
#[derive(Debug)]
pub struct Schema {
    objects: HashMap<(String, String), Arc<Stored<Object>>>,
    /// Schemas made by users; `dbo`, `guest`, `sys` and `INFORMATION_SCHEMA` are always there.
    pub schemas: Vec<(RowId, SchemaName)>,
    /// Users and roles.
    pub principals: Vec<(RowId, DatabasePrincipal)>,
    /// Who belongs to which role.
    pub members: Vec<(RowId, Membership)>,
    /// What was granted and denied.
    pub permissions: Vec<(RowId, Permission)>,
}

/// An object with the row that holds it and, once needed, its parsed body.
#[derive(Debug)]
pub struct Stored<T> {
    /// Its row in the system table.
    pub row: RowId,
    /// The record itself.
    pub record: T,
    parsed: OnceLock<SqlResult<Arc<Vec<Statement>>>>,
}

/// An object as the catalog hands it out.
pub type StoredObject = Arc<Stored<Object>>;

impl Stored<Object> {
    /// The statements of a module's text: one `CREATE`.
    pub fn statements(&self) -> SqlResult<Arc<Vec<Statement>>> {
        let parse = || lang::parse(self.record.text().unwrap_or_default()).map(Arc::new);
        self.parsed.get_or_init(parse).clone()
    }
}

impl Schema {
    /// Reads the catalog as `tx` sees it.
    #[must_use]
    pub fn read(db: &Database, tx: Option<TxId>) -> Self {
        let keyed = |(row, record): (RowId, Object)| {
            let key = (record.schema.to_lowercase(), record.name.to_lowercase());
            (key, Arc::new(Stored { row, record, parsed: OnceLock::new() }))
        };
        Self {
            objects: record::all::<Object>(db, tx).into_iter().map(keyed).collect(),
            schemas: record::all(db, tx),
            principals: record::all(db, tx),
            members: record::all(db, tx),
            permissions: record::all(db, tx),
        }
    }

    /// An object by schema and name, whatever their case.
    #[must_use]
    pub fn object(&self, schema: &str, name: &str) -> Option<StoredObject> {
        self.objects.get(&(schema.to_lowercase(), name.to_lowercase())).cloned()
    }

    /// An object by its number.
    #[must_use]
    pub fn object_by_id(&self, id: u32) -> Option<StoredObject> {
        self.objects.values().find(|o| o.record.id == id).cloned()
    }

    /// All objects, in the order of their numbers.
    #[must_use]
    pub fn objects(&self) -> Vec<StoredObject> {
        let mut all: Vec<_> = self.objects.values().cloned().collect();
        all.sort_by_key(|o| o.record.id);
        all
    }

    /// The number for the next object.
    #[must_use]
    pub fn next_object_id(&self) -> u32 {
        let used = self.objects.values().map(|o| o.record.id).max();
        used.map_or(FIRST_USER_TABLE, |id| id + 1)
    }

    /// `SCHEMA_ID`.
    #[must_use]
    pub fn schema_id(&self, name: &str) -> Option<i32> {
        let fixed = FIXED_SCHEMAS.iter().find(|(_, fixed)| fixed.eq_ignore_ascii_case(name));
        fixed.map(|(id, _)| *id).or_else(|| {
            let lower = name.to_lowercase();
            self.schemas.iter().map(|(_, s)| s).find(|s| s.name.to_lowercase() == lower).map(|s| s.id)
        })
    }

    /// All schemas: number and name.
    #[must_use]
    pub fn all_schemas(&self) -> Vec<(i32, String)> {
        let fixed = FIXED_SCHEMAS.iter().map(|(id, name)| (*id, (*name).to_owned()));
        fixed.chain(self.schemas.iter().map(|(_, s)| (s.id, s.name.clone()))).collect()
    }

    /// A user or role by name, whatever its case.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&DatabasePrincipal> {
        let lower = name.to_lowercase();
        self.principals.iter().map(|(_, p)| p).find(|p| p.name.to_lowercase() == lower)
    }

    /// A user or role by number.
    #[must_use]
    pub fn principal_by_id(&self, id: i32) -> Option<&DatabasePrincipal> {
        self.principals.iter().map(|(_, p)| p).find(|p| p.id == id)
    }

    /// The user that stands for a login.
    #[must_use]
    pub fn user_of(&self, sid: &[u8]) -> Option<&DatabasePrincipal> {
        self.principals.iter().map(|(_, p)| p).find(|p| p.sid.as_deref() == Some(sid))
    }

    /// The principal itself, `public`, and every role that it belongs to, also through other roles.
    #[must_use]
    pub fn roles_of(&self, id: i32) -> Vec<i32> {
        let mut found = vec![id, PUBLIC];
        let mut next = 0;
        while let Some(&member) = found.get(next) {
            let roles = self.members.iter().filter(|(_, m)| m.member == member).map(|(_, m)| m.role);
            for role in roles {
                if !found.contains(&role) {
                    found.push(role);
                }
            }
            next += 1;
        }
        found
    }

    /// Whether the object is a table.
    #[must_use]
    pub fn is_table(object: &Object) -> bool {
        matches!(object.body, Body::Table(_))
    }
}

/// `principal_id` of `public`.
pub const PUBLIC: i32 = 0;
/// `principal_id` of `dbo`.
pub const DBO: i32 = 1;
/// `principal_id` of `guest`.
pub const GUEST: i32 = 2;

/// Schemas that every database has.
const FIXED_SCHEMAS: [(i32, &str); 4] =
    [(1, "dbo"), (2, "guest"), (3, "INFORMATION_SCHEMA"), (4, "sys")];

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
