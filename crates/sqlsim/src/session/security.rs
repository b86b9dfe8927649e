//! Who may do what: logins, users, roles and permissions, and SQL Server's refusals.
//!
//! Start at [`Session::require_on_object`]. A refusal is an error that names the right; nothing is
//! ever silently left out, except rows of catalog views that the login may not see.

use std::sync::Arc;

use super::Session;
use crate::catalog::principal::{Login, PrincipalKind, Securable};
use crate::catalog::schema::{DBO, GUEST, Schema, StoredObject};
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::Impersonation;
use crate::messages;

impl Session {
    /// Who acts now, under any `EXECUTE AS`.
    #[must_use]
    pub fn login(&self) -> &Arc<Login> {
        self.logins.last().unwrap_or(&self.original_login)
    }

    /// Whether the login that acts has a server permission.
    #[must_use]
    pub fn has_server(&self, permission: &str) -> bool {
        if self.login().is_sysadmin() {
            return true;
        }
        // Rights may have been granted since the session began.
        let current = self.instance.login(&self.login().name);
        let login = current.as_ref().unwrap_or_else(|| self.login());
        let listed = |list: &[String]| list.iter().any(|p| p.eq_ignore_ascii_case(permission));
        !listed(&login.denied)
            && (login.is_sysadmin()
                || listed(&login.granted)
                || login
                    .granted
                    .iter()
                    .any(|p| p == "CONTROL SERVER" || implies(p, permission))
                || login.roles.iter().any(|role| role_has(role, permission)))
    }

    /// Demands a server permission: 15247, or 262 and 300 where SQL Server is more precise.
    pub fn require_server(&self, permission: &str) -> SqlResult<()> {
        if self.has_server(permission) {
            return Ok(());
        }
        Err(match permission {
            "CREATE ANY DATABASE" => {
                messages::permission_denied_in_database("CREATE DATABASE", "master")
            }
            "VIEW SERVER STATE" => messages::permission_denied(permission, "server", "master"),
            "ALTER ANY CONNECTION" => kill_denied(),
            _ => messages::no_permission(),
        })
    }

    /// Demands membership of sysadmin: 15247.
    pub fn require_sysadmin(&self) -> SqlResult<()> {
        if self.login().is_sysadmin() {
            Ok(())
        } else {
            Err(messages::no_permission())
        }
    }

    /// The number of the user that the login is in a database; none when it may not enter.
    #[must_use]
    pub fn user_in(&self, database: &Arc<DatabaseHandle>) -> Option<i32> {
        let login = self.login();
        if login.is_sysadmin() || database.record().owner_sid == login.sid {
            return Some(DBO);
        }
        let schema = self.schema_of(database);
        let user = schema.user_of(&login.sid).map(|user| user.id);
        let is_open_to_all = ["master", "tempdb", "msdb"].contains(&database.name().as_str());
        user.or_else(|| (is_open_to_all || self.has_server("CONTROL SERVER")).then_some(GUEST))
    }

    /// Demands that the login may enter a database: 916.
    pub fn require_access(&self, database: &Arc<DatabaseHandle>) -> SqlResult<()> {
        // The users of a database that is not open cannot be read; opening it fails with its own
        // error.
        if super::names::readable(database).is_err() || self.user_in(database).is_some() {
            return Ok(());
        }
        Err(messages::database_access_denied(
            &self.login().name,
            &database.name(),
        ))
    }

    /// Whether the login has a permission on the whole of a database.
    #[must_use]
    pub fn has_in_database(&self, database: &Arc<DatabaseHandle>, permission: &str) -> bool {
        self.holds(database, permission, |on| *on == Securable::Database)
    }

    /// Demands a permission on the whole of a database: 262.
    pub fn require_in_database(
        &self,
        database: &Arc<DatabaseHandle>,
        permission: &str,
    ) -> SqlResult<()> {
        if self.has_in_database(database, permission) {
            return Ok(());
        }
        self.require_access(database)?;
        Err(messages::permission_denied_in_database(
            permission,
            &database.name(),
        ))
    }

    /// Whether the login has a permission on an object, directly or through its schema, database or
    /// roles.
    #[must_use]
    pub fn has_on_object(
        &self,
        database: &Arc<DatabaseHandle>,
        object: &StoredObject,
        permission: &str,
    ) -> bool {
        let object = &object.object;
        let schema = object.schema.to_lowercase();
        self.holds(database, permission, |on| match on {
            Securable::Database => true,
            Securable::Schema(name) => *name == schema,
            Securable::Object(id) => *id == object.id,
        })
    }

    /// Demands a permission on an object: 229.
    pub fn require_on_object(
        &self,
        database: &Arc<DatabaseHandle>,
        object: &StoredObject,
        permission: &str,
    ) -> SqlResult<()> {
        if self.has_on_object(database, object, permission) {
            return Ok(());
        }
        let (name, schema) = (&object.object.name, &object.object.schema);
        Err(messages::permission_denied_on_object(
            permission,
            name,
            &database.name(),
            schema,
        ))
    }

    fn holds(
        &self,
        database: &Arc<DatabaseHandle>,
        permission: &str,
        concerns: impl Fn(&Securable) -> bool,
    ) -> bool {
        let Some(user) = self.user_in(database) else {
            return false;
        };
        if user == DBO {
            return true;
        }
        let schema = self.schema_of(database);
        let roles = schema.roles_of(user);
        let names = roles.iter().filter_map(|id| schema.principal_by_id(*id));
        let names: Vec<String> = names.map(|p| p.name.to_lowercase()).collect();
        if names.iter().any(|name| name == "db_owner") {
            return true;
        }
        let mine = schema.permissions.iter().map(|(_, p)| p);
        let mine = mine.filter(|p| roles.contains(&p.grantee) && concerns(&p.on));
        let fits = |p: &str| p == permission || p == "CONTROL" || implies(p, permission);
        let (denied, granted): (Vec<_>, Vec<_>) =
            mine.filter(|p| fits(&p.permission)).partition(|p| p.denied);
        let by_role = names.iter().any(|name| database_role_has(name, permission));
        denied.is_empty() && (!granted.is_empty() || by_role)
    }

    /// Whether the login that acts belongs to a role of a database.
    #[must_use]
    pub fn is_in_database_role(&self, database: &Arc<DatabaseHandle>, role: &str) -> Option<bool> {
        let schema = self.schema_of(database);
        let role = schema
            .principal(role)
            .filter(|p| p.kind == PrincipalKind::Role)?;
        let user = self.user_in(database)?;
        let is_dbo_role = user == DBO && role.name == "db_owner";
        Some(is_dbo_role || schema.roles_of(user).contains(&role.id))
    }

    /// The name of the user that the login is in a database.
    #[must_use]
    pub fn user_name(&self, database: &Arc<DatabaseHandle>) -> Option<String> {
        let id = self.user_in(database)?;
        let schema: Arc<Schema> = self.schema_of(database);
        schema.principal_by_id(id).map(|p| p.name.clone())
    }

    /// `EXECUTE AS`. 15406 when there is nobody of this name, or the right to act for them is
    /// missing.
    pub(super) fn execute_as(&mut self, whom: &Impersonation) -> SqlResult<()> {
        let login = self.impersonated(whom)?;
        self.logins.push(login);
        Ok(())
    }

    /// The login that an `EXECUTE AS` means.
    pub(super) fn impersonated(&self, whom: &Impersonation) -> SqlResult<Arc<Login>> {
        match whom {
            Impersonation::Caller => Ok(Arc::clone(self.login())),
            Impersonation::Login(name) => {
                let name = self.text(name)?.unwrap_or_default();
                let login = self.instance.login(&name);
                let is_allowed = self.has_server("IMPERSONATE ANY LOGIN");
                let login = login.filter(|_| is_allowed);
                login.ok_or_else(|| messages::cannot_execute_as("server", &name))
            }
            Impersonation::User(name) => {
                let name = self.text(name)?.unwrap_or_default();
                let schema = self.schema_of(&self.database);
                let sid = schema.principal(&name).and_then(|p| p.sid.clone());
                let login = sid.and_then(|sid| self.instance.login_by_sid(&sid));
                let is_allowed = self.has_in_database(&self.database, "IMPERSONATE");
                let login = login.filter(|_| is_allowed);
                login.ok_or_else(|| messages::cannot_execute_as("database", &name))
            }
        }
    }

    /// `REVERT`; without an `EXECUTE AS` it does nothing.
    pub(super) fn revert(&mut self) {
        self.logins.pop();
    }
}

/// Whether one granted permission contains another.
fn implies(granted: &str, asked: &str) -> bool {
    match granted {
        "VIEW ANY DEFINITION" => asked == "VIEW DEFINITION" || asked == "VIEW ANY DATABASE",
        "ALTER ANY DATABASE" => asked == "CREATE ANY DATABASE" || asked == "ALTER",
        "ALTER SERVER STATE" => asked == "VIEW SERVER STATE",
        "VIEW SERVER STATE" => asked.starts_with("VIEW SERVER ") || asked == "VIEW DATABASE STATE",
        "ALTER" => asked.starts_with("CREATE ") || asked.starts_with("ALTER ANY "),
        _ => false,
    }
}

/// What fixed server roles may do.
fn role_has(role: &str, permission: &str) -> bool {
    let has: &[&str] = match role {
        "setupadmin" => &["ALTER ANY LINKED SERVER"],
        "securityadmin" => &["ALTER ANY LOGIN"],
        "dbcreator" => &["CREATE ANY DATABASE", "ALTER ANY DATABASE"],
        "processadmin" => &[
            "ALTER ANY CONNECTION",
            "ALTER SERVER STATE",
            "VIEW SERVER STATE",
        ],
        "serveradmin" => &[
            "ALTER SETTINGS",
            "SHUTDOWN",
            "ALTER SERVER STATE",
            "VIEW SERVER STATE",
        ],
        _ => &[],
    };
    has.contains(&permission) || permission == "VIEW ANY DATABASE"
}

/// What fixed database roles may do.
fn database_role_has(role: &str, permission: &str) -> bool {
    match role {
        "db_datareader" => permission == "SELECT",
        "db_datawriter" => ["INSERT", "UPDATE", "DELETE"].contains(&permission),
        "db_backupoperator" => {
            ["BACKUP DATABASE", "BACKUP LOG", "CHECKPOINT"].contains(&permission)
        }
        "db_ddladmin" => permission.starts_with("CREATE ") || permission == "ALTER",
        "db_securityadmin" => {
            ["CREATE ROLE", "ALTER ANY ROLE", "CREATE SCHEMA"].contains(&permission)
        }
        "db_accessadmin" => ["ALTER ANY USER", "CREATE SCHEMA"].contains(&permission),
        _ => false,
    }
}

/// SQL Server raises 6102 for a KILL without the right to it.
fn kill_denied() -> SqlError {
    SqlError::new(
        6102,
        14,
        "User does not have permission to use the KILL statement.",
    )
}
