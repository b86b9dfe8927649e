//! Logins: made, found, checked.
//!
//! Start at [`Instance::create_login`]. Logins are records in master. This file decides only who
//! somebody is, never what they may do.

use std::sync::Arc;

use super::Instance;
use super::bootstrap::SA_SID;
use crate::catalog::principal::{Login, PasswordHash};
use crate::catalog::record;
use crate::error::SqlResult;
use crate::messages;
use crate::value::compare::same_name;

/// Fixed server roles that a login can belong to.
pub const SERVER_ROLES: [&str; 8] = [
    "sysadmin",
    "securityadmin",
    "serveradmin",
    "setupadmin",
    "processadmin",
    "diskadmin",
    "dbcreator",
    "bulkadmin",
];

/// The first `principal_id` of a login that a user makes; `sa` has 1.
const FIRST_LOGIN: i32 = 257;

impl Instance {
    /// Makes a login with server roles such as `sysadmin`; 15025 when the name is taken.
    pub fn create_login(&self, name: &str, password: &str, roles: &[&str]) -> SqlResult<()> {
        let now = self.clock.local();
        let is_sa = same_name(name, "sa");
        let used = self.logins().iter().map(|l| l.id).max().unwrap_or_default();
        let sid = if is_sa {
            SA_SID.to_vec()
        } else {
            self.new_guid().as_bytes().to_vec()
        };
        let login = Login {
            id: if is_sa { 1 } else { FIRST_LOGIN.max(used + 1) },
            name: name.to_owned(),
            sid,
            password: PasswordHash::new(password, self.new_guid().as_bytes()),
            disabled: false,
            default_database: "master".to_owned(),
            roles: roles.iter().map(|r| r.to_lowercase()).collect(),
            granted: Vec::new(),
            denied: Vec::new(),
            created: now,
            modified: now,
        };
        self.add_login(&login)
    }

    /// Adds a login; 15025 when the name is taken.
    pub fn add_login(&self, login: &Login) -> SqlResult<()> {
        if self.login(&login.name).is_some() {
            return Err(messages::principal_exists(&login.name));
        }
        self.change(&self.master(), |db, tx| {
            record::add(db, tx, login).map(drop)
        })
    }

    /// All logins.
    #[must_use]
    pub fn logins(&self) -> Vec<Login> {
        let all = record::all::<Login>(&self.master().storage(), None);
        all.into_iter().map(|(_, login)| login).collect()
    }

    /// A login by name.
    #[must_use]
    pub fn login(&self, name: &str) -> Option<Arc<Login>> {
        self.logins()
            .into_iter()
            .find(|l| same_name(&l.name, name))
            .map(Arc::new)
    }

    /// A login by its `sid`.
    #[must_use]
    pub fn login_by_sid(&self, sid: &[u8]) -> Option<Arc<Login>> {
        self.logins()
            .into_iter()
            .find(|l| l.sid == sid)
            .map(Arc::new)
    }

    /// Changes a login; false when there is none of this name.
    pub fn change_login(&self, name: &str, change: impl FnOnce(&mut Login)) -> SqlResult<bool> {
        let now = self.clock.local();
        self.change(&self.master(), |db, tx| {
            let all = record::all::<Login>(db, Some(tx));
            let Some((row, mut login)) = all.into_iter().find(|(_, l)| same_name(&l.name, name))
            else {
                return Ok(false);
            };
            change(&mut login);
            login.modified = now;
            record::replace(db, tx, row, &login)?;
            Ok(true)
        })
    }

    /// Removes a login; false when there is none of this name.
    pub fn drop_login(&self, name: &str) -> SqlResult<bool> {
        self.change(&self.master(), |db, tx| {
            let all = record::all::<Login>(db, Some(tx));
            let Some((row, _)) = all.into_iter().find(|(_, l)| same_name(&l.name, name)) else {
                return Ok(false);
            };
            record::remove::<Login>(db, tx, row)?;
            Ok(true)
        })
    }

    /// Who may act for the instance itself: `sa` as it is, or as it would be if no `sa` was made.
    #[must_use]
    pub(crate) fn own_login(&self) -> Arc<Login> {
        let now = self.clock.local();
        let made = || Login {
            id: 1,
            name: "sa".to_owned(),
            sid: SA_SID.to_vec(),
            password: PasswordHash::new("", b""),
            disabled: true,
            default_database: "master".to_owned(),
            roles: vec!["sysadmin".to_owned()],
            granted: Vec::new(),
            denied: Vec::new(),
            created: now,
            modified: now,
        };
        self.login_by_sid(&SA_SID)
            .unwrap_or_else(|| Arc::new(made()))
    }
}

impl Login {
    /// Whether it belongs to a server role; a sysadmin belongs to all.
    #[must_use]
    pub fn is_in_role(&self, role: &str) -> bool {
        let belongs = |name: &str| self.roles.iter().any(|r| r.eq_ignore_ascii_case(name));
        role.eq_ignore_ascii_case("public") || belongs("sysadmin") || belongs(role)
    }

    /// Whether it is a sysadmin.
    #[must_use]
    pub fn is_sysadmin(&self) -> bool {
        self.roles.iter().any(|r| r == "sysadmin")
    }
}
