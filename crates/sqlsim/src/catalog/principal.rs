//! Principals and permissions, of a database and of the server.
//!
//! Start at [`DatabasePrincipal`] and [`Login`]. These are records only; `session/security.rs`
//! decides with them.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::storage::TableId;

/// A user or role of a database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatabasePrincipal {
    /// `principal_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// User or role.
    pub kind: PrincipalKind,
    /// The `sid` of the login behind a user; none for roles and users without login.
    pub sid: Option<Vec<u8>>,
    /// Fixed roles cannot be dropped.
    pub is_fixed_role: bool,
}

/// What a database principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// `S`, a SQL user.
    User,
    /// `R`, a database role.
    Role,
}

/// A principal's membership of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// `role_principal_id`.
    pub role: i32,
    /// `member_principal_id`.
    pub member: i32,
}

/// A permission granted or denied in a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Who has it, `grantee_principal_id`.
    pub grantee: i32,
    /// Upper case, as in `sys.database_permissions`.
    pub permission: String,
    /// On what.
    pub on: Securable,
    /// Granted, or denied.
    pub denied: bool,
}

/// What a permission is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Securable {
    /// The whole database.
    Database,
    /// One schema, lower case.
    Schema(String),
    /// One object.
    Object(u32),
}

/// A schema made by `CREATE SCHEMA`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchemaName {
    /// `schema_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
}

/// A login of the server; kept in master.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// `principal_id`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What ties users of databases to it.
    pub sid: Vec<u8>,
    /// Salt and hash of the password.
    pub password: PasswordHash,
    /// Whether it may log in.
    pub disabled: bool,
    /// Database after login.
    pub default_database: String,
    /// Server roles that it belongs to, lower case.
    pub roles: Vec<String>,
    /// Server permissions granted, upper case.
    pub granted: Vec<String>,
    /// Server permissions denied, upper case.
    pub denied: Vec<String>,
    /// Local time of its making.
    pub created: DateTime,
    /// Local time of its last change.
    pub modified: DateTime,
}

/// A salted hash of a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash {
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl PasswordHash {
    /// Hashes `password`; the salt must not have been used before.
    #[must_use]
    pub fn new(password: &str, salt: &[u8]) -> Self {
        Self {
            salt: salt.to_vec(),
            hash: Self::digest(password, salt),
        }
    }

    /// Whether this is the password.
    #[must_use]
    pub fn matches(&self, password: &str) -> bool {
        let other = Self::digest(password, &self.salt);
        // Every byte is looked at, so that time tells nothing of where they differ.
        let difference = self
            .hash
            .iter()
            .zip(&other)
            .fold(0, |all, (a, b)| all | (a ^ b));
        difference == 0 && self.hash.len() == other.len()
    }

    /// SQL Server 2012 and later: SHA-512 over the UTF-16 password and the salt.
    fn digest(password: &str, salt: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha512::new();
        for unit in password.encode_utf16() {
            hasher.update(unit.to_le_bytes());
        }
        hasher.update(salt);
        hasher.finalize().to_vec()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl Record for DatabasePrincipal {
    const TABLE: TableId = TableId(2);
}
impl Record for Membership {
    const TABLE: TableId = TableId(3);
}
impl Record for Permission {
    const TABLE: TableId = TableId(4);
}
impl Record for SchemaName {
    const TABLE: TableId = TableId(5);
}
impl Record for Login {
    const TABLE: TableId = TableId(10);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_matches_its_hash() {
        let hash = PasswordHash::new("Pa55!", b"salt");
        assert!(hash.matches("Pa55!"));
        assert!(!hash.matches("pa55!"));
        assert!(!hash.matches(""));
    }
}
