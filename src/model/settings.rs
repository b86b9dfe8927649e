//! What a database has on its host beside its data: no backup carries it, or a restore leaves it off.
//!
//! Start at [`DatabaseSettings`]. A set with a full of a member remembers them in its manifest, so that whoever restores
//! can look beforehand whether the target has what is needed, and afterwards put the rest back.

use serde::{Deserialize, Serialize};

use super::MemberName;

/// The settings of one member, as its host had them when the set was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSettings {
    /// The member.
    pub member: MemberName,
    /// What it had.
    pub settings: DatabaseSettings,
}

/// What a database has on its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseSettings {
    /// The login that owns it; none where the host does not know that login any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `TRUSTWORTHY`; a restore leaves it off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_trustworthy: bool,
    /// `DB_CHAINING`; a restore leaves it off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_db_chaining: bool,
    /// Service Broker delivers; a restore leaves it off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_broker_enabled: bool,
    /// Change data capture; a restore removes it unless it is told to keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cdc_enabled: bool,
    /// It publishes to subscribers; a restore removes that unless it is told to keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_published: bool,
    /// The thumbprint, in capital hex digits, of the certificate or key that its data are encrypted by (TDE). A host
    /// without it cannot restore a single backup (33111).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryptor: Option<String>,
    /// The collation of the host, `SERVERPROPERTY('Collation')`: temporary tables of the application have it.
    pub server_collation: String,
    /// The edition of the host, `SERVERPROPERTY('Edition')`.
    pub server_edition: String,
    /// Its users that have logins, each with its login's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserLogin>,
}

/// A user of a database and the login that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserLogin {
    /// The user.
    pub user: String,
    /// The login of the host.
    pub login: String,
}
