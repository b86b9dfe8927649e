//! Logins, users, roles, and GRANT, DENY and REVOKE.
//!
//! Start at [`Session::principals`]. What the rights mean is told in `security.rs`.

use std::sync::Arc;

use super::Session;
use crate::catalog::principal::{
    DatabasePrincipal, Login, Membership, PasswordHash, Permission, PrincipalKind, Securable,
};
use crate::catalog::record;
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{
    self, AlterPrincipal, AlterPrincipalAction, CreatePrincipal, DropPrincipal, NamedOption,
    PermissionAction, StatementKind, find_option,
};
use crate::messages;
use crate::value::Value;
use crate::value::compare::same_name;

impl Session {
    /// CREATE, ALTER and DROP of principals; GRANT, DENY, REVOKE; ALTER AUTHORIZATION.
    pub(super) async fn principals(&mut self, kind: &StatementKind) -> SqlResult<()> {
        match kind {
            StatementKind::CreatePrincipal(create) => match create.kind {
                ast::PrincipalKind::Login => self.create_login(create),
                ast::PrincipalKind::User => self.create_user(create).await,
                ast::PrincipalKind::Role => self.create_role(&create.name).await,
                ast::PrincipalKind::ServerRole => Err(messages::no_permission()),
            },
            StatementKind::AlterPrincipal(alter) => match alter.kind {
                ast::PrincipalKind::Login => self.alter_login(alter),
                ast::PrincipalKind::Role => self.alter_role(alter).await,
                ast::PrincipalKind::ServerRole => self.alter_server_role(alter),
                ast::PrincipalKind::User => self.alter_user(alter).await,
            },
            StatementKind::DropPrincipal(drop) => match drop.kind {
                ast::PrincipalKind::Login => self.drop_login(drop),
                _ => self.drop_database_principal(drop).await,
            },
            StatementKind::Permission(permission) => self.permission(permission).await,
            StatementKind::AlterAuthorization { securable, owner } => {
                self.change_owner(securable, owner)
            }
            _ => Ok(()),
        }
    }

    fn create_login(&mut self, create: &CreatePrincipal) -> SqlResult<()> {
        self.require_server("ALTER ANY LOGIN")?;
        if create.windows {
            return Err(windows_login(&create.name));
        }
        let password = self
            .option_text(&create.options, "PASSWORD")?
            .unwrap_or_default();
        self.instance.create_login(&create.name, &password, &[])?;
        self.set_login_options(&create.name, &create.options)
    }

    fn set_login_options(&self, name: &str, options: &[NamedOption]) -> SqlResult<()> {
        let database = self.option_text(options, "DEFAULT_DATABASE")?;
        let password = self.option_text(options, "PASSWORD")?;
        let renamed = self.option_text(options, "NAME")?;
        let sid = match find_option(options, "SID").and_then(|o| o.values.first()) {
            Some(value) => match self.evaluate(value)?.value {
                Value::Binary(sid) => Some(sid),
                _ => None,
            },
            None => None,
        };
        let salt = self.instance.new_guid();
        self.instance.change_login(name, |login| {
            if let Some(database) = database {
                login.default_database = database;
            }
            if let Some(password) = password {
                login.password = PasswordHash::new(&password, salt.as_bytes());
            }
            if let Some(sid) = sid {
                login.sid = sid;
            }
            if let Some(renamed) = renamed {
                login.name = renamed;
            }
        })?;
        Ok(())
    }

    fn alter_login(&mut self, alter: &AlterPrincipal) -> SqlResult<()> {
        let is_own = same_name(&alter.name, &self.login().name);
        if !(is_own && matches!(alter.action, AlterPrincipalAction::With(_))) {
            self.require_server("ALTER ANY LOGIN")?;
        }
        if self.instance.login(&alter.name).is_none() {
            return Err(messages::principal_not_found("alter", "login", &alter.name));
        }
        match &alter.action {
            AlterPrincipalAction::Enable => self.change_login(&alter.name, |l| l.disabled = false),
            AlterPrincipalAction::Disable => self.change_login(&alter.name, |l| l.disabled = true),
            AlterPrincipalAction::With(options) => self.set_login_options(&alter.name, options),
            AlterPrincipalAction::AddMember(_) | AlterPrincipalAction::DropMember(_) => {
                Err(messages::incorrect_syntax_near_keyword("MEMBER"))
            }
        }
    }

    fn change_login(&self, name: &str, change: impl FnOnce(&mut Login)) -> SqlResult<()> {
        self.instance.change_login(name, change).map(drop)
    }

    fn drop_login(&mut self, drop: &DropPrincipal) -> SqlResult<()> {
        self.require_server("ALTER ANY LOGIN")?;
        let is_gone = self.instance.drop_login(&drop.name)?;
        if is_gone || drop.if_exists {
            return Ok(());
        }
        Err(messages::principal_not_found("drop", "login", &drop.name))
    }

    fn alter_server_role(&mut self, alter: &AlterPrincipal) -> SqlResult<()> {
        self.require_server("ALTER ANY LOGIN")?;
        let role = alter.name.to_lowercase();
        if !self.login().is_in_role(&role) {
            return Err(messages::no_permission());
        }
        let (member, is_add) = match &alter.action {
            AlterPrincipalAction::AddMember(member) => (member, true),
            AlterPrincipalAction::DropMember(member) => (member, false),
            _ => return Err(messages::incorrect_syntax("ROLE")),
        };
        let is_known = self.instance.change_login(member, |login| {
            login.roles.retain(|known| *known != role);
            if is_add {
                login.roles.push(role);
            }
        })?;
        if is_known {
            Ok(())
        } else {
            Err(messages::not_a_valid_login(member))
        }
    }

    async fn create_user(&mut self, create: &CreatePrincipal) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.require_in_database(&database, "ALTER ANY USER")?;
        let sid = if create.without_login {
            None
        } else {
            let name = create.login.as_ref().unwrap_or(&create.name);
            let login = self.instance.login(name);
            Some(
                login
                    .ok_or_else(|| messages::not_a_valid_login(name))?
                    .sid
                    .clone(),
            )
        };
        let schema = self.schema_of(&database);
        if let Some(known) = sid.as_ref().and_then(|sid| schema.user_of(sid)) {
            return Err(login_has_user(&known.name));
        }
        self.add_principal(&database, &create.name, PrincipalKind::User, sid)
            .await
    }

    async fn create_role(&mut self, name: &str) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.require_in_database(&database, "CREATE ROLE")?;
        self.add_principal(&database, name, PrincipalKind::Role, None)
            .await
    }

    async fn add_principal(
        &mut self,
        database: &Arc<DatabaseHandle>,
        name: &str,
        kind: PrincipalKind,
        sid: Option<Vec<u8>>,
    ) -> SqlResult<()> {
        let schema = self.schema_of(database);
        if schema.principal(name).is_some() {
            return Err(messages::principal_exists_in_database(name));
        }
        let used = schema
            .principals
            .iter()
            .map(|(_, p)| p.id)
            .filter(|id| *id < 16384)
            .max();
        let id = used.unwrap_or(4).max(4) + 1;
        let name = name.to_owned();
        let principal = DatabasePrincipal {
            id,
            name,
            kind,
            sid,
            is_fixed_role: false,
        };
        self.change_catalog(database, |_, storage, tx| {
            record::add(storage, tx, &principal).map(drop)
        })
        .await
    }

    async fn alter_user(&mut self, alter: &AlterPrincipal) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.require_in_database(&database, "ALTER ANY USER")?;
        let schema = self.schema_of(&database);
        let found = schema
            .principals
            .iter()
            .find(|(_, p)| same_name(&p.name, &alter.name));
        let Some((row, user)) = found else {
            return Err(messages::principal_not_found("alter", "user", &alter.name));
        };
        let mut user = user.clone();
        if let AlterPrincipalAction::With(options) = &alter.action {
            if let Some(login) = self.option_text(options, "LOGIN")? {
                let login = self.instance.login(&login);
                let login = login.ok_or_else(|| messages::not_a_valid_login(&alter.name))?;
                user.sid = Some(login.sid.clone());
            }
            if let Some(name) = self.option_text(options, "NAME")? {
                user.name = name;
            }
        }
        let row = *row;
        self.change_catalog(&database, |_, storage, tx| {
            record::replace(storage, tx, row, &user)
        })
        .await
    }

    async fn alter_role(&mut self, alter: &AlterPrincipal) -> SqlResult<()> {
        match &alter.action {
            AlterPrincipalAction::AddMember(member) => {
                self.change_member(&alter.name, member, true).await
            }
            AlterPrincipalAction::DropMember(member) => {
                self.change_member(&alter.name, member, false).await
            }
            _ => Ok(()),
        }
    }

    /// Adds a member to a database role, or takes it away.
    pub(crate) async fn change_member(
        &mut self,
        role: &str,
        member: &str,
        is_add: bool,
    ) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        self.require_in_database(&database, "ALTER ANY ROLE")?;
        let schema = self.schema_of(&database);
        let role_id = schema
            .principal(role)
            .filter(|p| p.kind == PrincipalKind::Role)
            .map(|p| p.id);
        let role_id =
            role_id.ok_or_else(|| messages::principal_not_found("alter", "role", role))?;
        let member_id = schema.principal(member).map(|p| p.id);
        let member_id =
            member_id.ok_or_else(|| messages::principal_not_found("add", "principal", member))?;
        let wanted = Membership {
            role: role_id,
            member: member_id,
        };
        let known = schema
            .members
            .iter()
            .find(|(_, m)| *m == wanted)
            .map(|(row, _)| *row);
        self.change_catalog(&database, |_, storage, tx| match (known, is_add) {
            (None, true) => record::add(storage, tx, &wanted).map(drop),
            (Some(row), false) => record::remove::<Membership>(storage, tx, row),
            (Some(_), true) | (None, false) => Ok(()),
        })
        .await
    }

    async fn drop_database_principal(&mut self, drop: &DropPrincipal) -> SqlResult<()> {
        let database = Arc::clone(&self.database);
        let (kind, right) = match drop.kind {
            ast::PrincipalKind::User => (PrincipalKind::User, "ALTER ANY USER"),
            _ => (PrincipalKind::Role, "ALTER ANY ROLE"),
        };
        self.require_in_database(&database, right)?;
        let schema = self.schema_of(&database);
        let found = schema.principals.iter().find(|(_, p)| {
            p.kind == kind && same_name(&p.name, &drop.name) && !p.is_fixed_role && p.id > 4
        });
        let Some((row, principal)) = found else {
            let word = if kind == PrincipalKind::User {
                "user"
            } else {
                "role"
            };
            let missing = messages::principal_not_found("drop", word, &drop.name);
            return if drop.if_exists { Ok(()) } else { Err(missing) };
        };
        let (row, id) = (*row, principal.id);
        let members: Vec<_> = schema
            .members
            .iter()
            .filter(|(_, m)| m.member == id || m.role == id)
            .map(|(r, _)| *r)
            .collect();
        let granted: Vec<_> = schema
            .permissions
            .iter()
            .filter(|(_, p)| p.grantee == id)
            .map(|(r, _)| *r)
            .collect();
        self.change_catalog(&database, |_, storage, tx| {
            record::remove::<DatabasePrincipal>(storage, tx, row)?;
            members
                .iter()
                .try_for_each(|r| record::remove::<Membership>(storage, tx, *r))?;
            granted
                .iter()
                .try_for_each(|r| record::remove::<Permission>(storage, tx, *r))
        })
        .await
    }

    async fn permission(&mut self, permission: &ast::Permission) -> SqlResult<()> {
        if permission.securable.is_none() && is_server_permission(&permission.permissions) {
            return self.server_permission(permission);
        }
        let database = Arc::clone(&self.database);
        let on = self.securable(permission, &database)?;
        if !self.has_in_database(&database, "CONTROL") {
            return Err(no_grant(permission));
        }
        let schema = self.schema_of(&database);
        let mut wanted = Vec::new();
        for name in &permission.principals {
            let principal = schema.principal(name);
            let principal =
                principal.ok_or_else(|| messages::principal_not_found("find", "user", name))?;
            for right in expand(&permission.permissions, &on) {
                wanted.push((principal.id, right));
            }
        }
        let known = schema.permissions.clone();
        let action = permission.action;
        self.change_catalog(&database, |_, storage, tx| {
            for (grantee, right) in wanted {
                for (row, old) in &known {
                    if old.grantee == grantee && old.permission == right && old.on == on {
                        record::remove::<Permission>(storage, tx, *row)?;
                    }
                }
                if action != PermissionAction::Revoke {
                    let denied = action == PermissionAction::Deny;
                    let on = on.clone();
                    let new = Permission {
                        grantee,
                        permission: right,
                        on,
                        denied,
                    };
                    record::add(storage, tx, &new)?;
                }
            }
            Ok(())
        })
        .await
    }

    fn securable(
        &self,
        permission: &ast::Permission,
        database: &Arc<DatabaseHandle>,
    ) -> SqlResult<Securable> {
        let Some(securable) = &permission.securable else {
            return Ok(Securable::Database);
        };
        match securable.class.as_deref() {
            Some("DATABASE") => Ok(Securable::Database),
            Some("SCHEMA") => Ok(Securable::Schema(securable.name.name.to_lowercase())),
            Some("OBJECT") | None => {
                let name = &securable.name;
                let found = self.find_object(database, name.schema.as_deref(), &name.name);
                let missing = || messages::principal_not_found("find", "object", &name.to_string());
                Ok(Securable::Object(found.ok_or_else(missing)?.object.id))
            }
            Some(other) => Err(messages::incorrect_syntax(other)),
        }
    }

    fn server_permission(&mut self, permission: &ast::Permission) -> SqlResult<()> {
        self.require_server("CONTROL SERVER")?;
        for name in &permission.principals {
            let is_known = self.instance.change_login(name, |login| {
                for right in &permission.permissions {
                    login.granted.retain(|known| known != right);
                    login.denied.retain(|known| known != right);
                    match permission.action {
                        PermissionAction::Grant => login.granted.push(right.clone()),
                        PermissionAction::Deny => login.denied.push(right.clone()),
                        PermissionAction::Revoke => {}
                    }
                }
            })?;
            if !is_known {
                return Err(messages::principal_not_found("find", "login", name));
            }
        }
        Ok(())
    }

    fn change_owner(&mut self, securable: &ast::Securable, owner: &str) -> SqlResult<()> {
        if securable.class.as_deref() != Some("DATABASE") {
            return Ok(());
        }
        let database = self.instance.needed_database(&securable.name.name)?;
        self.require_in_database(&database, "CONTROL")?;
        let login = self.instance.login(owner);
        let login = login.ok_or_else(|| messages::not_a_valid_login(owner))?;
        self.instance
            .change_record(&database, |record| record.owner_sid.clone_from(&login.sid))
    }
}

/// `ALL` on an object is spelled out; `EXEC` is `EXECUTE`.
fn expand(permissions: &[String], on: &Securable) -> Vec<String> {
    let mut expanded = Vec::new();
    for permission in permissions {
        match (permission.as_str(), on) {
            ("ALL" | "ALL PRIVILEGES", Securable::Object(_)) => {
                expanded
                    .extend(["SELECT", "INSERT", "UPDATE", "DELETE", "EXECUTE"].map(str::to_owned));
            }
            ("EXEC", _) => expanded.push("EXECUTE".to_owned()),
            (other, _) => expanded.push(other.to_owned()),
        }
    }
    expanded
}

/// Permissions of the server are granted to logins, those of a database to its users.
fn is_server_permission(permissions: &[String]) -> bool {
    let is_one = |p: &String| {
        SERVER_PERMISSIONS.contains(&p.as_str())
            || p.starts_with("VIEW SERVER ")
            || p.starts_with("VIEW ANY ")
    };
    permissions.iter().any(is_one)
}

const SERVER_PERMISSIONS: [&str; 17] = [
    "ADMINISTER BULK OPERATIONS",
    "ALTER ANY AVAILABILITY GROUP",
    "ALTER ANY EVENT SESSION",
    "ALTER ANY CONNECTION",
    "ALTER ANY CREDENTIAL",
    "ALTER ANY DATABASE",
    "ALTER ANY EVENT SESSION",
    "ALTER ANY LINKED SERVER",
    "ALTER ANY LOGIN",
    "ALTER SERVER STATE",
    "ALTER SETTINGS",
    "ALTER TRACE",
    "CONNECT ANY DATABASE",
    "CONNECT SQL",
    "CONTROL SERVER",
    "CREATE ANY DATABASE",
    "IMPERSONATE ANY LOGIN",
];

/// SQL Server raises 4613 for a GRANT without the right to grant.
fn no_grant(permission: &ast::Permission) -> SqlError {
    let word = match permission.action {
        PermissionAction::Grant => "Grantor",
        PermissionAction::Deny => "Denier",
        PermissionAction::Revoke => "Revoker",
    };
    SqlError::new(4613, 16, format!("{word} does not have GRANT permission."))
}

/// SQL Server raises 15063 for a second user of a login.
fn login_has_user(user: &str) -> SqlError {
    let text = format!("The login already has an account under a different user name ('{user}').");
    SqlError::new(15063, 16, text)
}

/// SQL Server raises 15401 for a Windows name that it cannot find; the simulator knows no Windows
/// at all.
fn windows_login(name: &str) -> SqlError {
    let text = format!("Windows NT user or group '{name}' not found. Check the name again.");
    SqlError::new(15401, 16, text)
}
