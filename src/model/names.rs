//! Names of groups, hosts, databases and members, with the rules that make them safe to use.
//!
//! Names are what SQL Server holds, character for character: they may contain `]`, quotes, blanks and
//! emoji. Quoting for T-SQL is `sql/`'s, slugs for store keys are `store/`'s; nothing here escapes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// SQL Server's `sysname` holds at most this many UTF-16 units.
const SYSNAME_UTF16_UNITS_MAX: usize = 128;

/// A name that SQL Server or Stopmark cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has no characters.
    #[error("a {what} may not be empty")]
    Empty {
        /// What the name should have named.
        what: &'static str,
    },
    /// The name is longer than `sysname`.
    #[error("a {what} may have at most 128 characters, this one has {units}")]
    TooLong {
        /// What the name should have named.
        what: &'static str,
        /// Its length in UTF-16 units, as SQL Server counts.
        units: usize,
    },
    /// The name holds a control character.
    #[error("a {what} may not hold control characters")]
    Control {
        /// What the name should have named.
        what: &'static str,
    },
    /// A member's text form has no `/`.
    #[error("`{0}` is not a member: write `HOST/DATABASE` or `HOST\\INSTANCE/DATABASE`")]
    NoSlash(String),
    /// A group's name has characters that store keys and file names cannot carry.
    #[error(
        "`{0}` is not a group name: use 1 to 40 of a-z, 0-9, `-` and `_`, a letter or digit first"
    )]
    Group(String),
}

fn checked(what: &'static str, name: &str) -> Result<(), NameError> {
    let units = name.encode_utf16().count();
    if name.trim().is_empty() {
        Err(NameError::Empty { what })
    } else if units > SYSNAME_UTF16_UNITS_MAX {
        Err(NameError::TooLong { what, units })
    } else if name.chars().any(char::is_control) {
        Err(NameError::Control { what })
    } else {
        Ok(())
    }
}

/// A host's true name: `SERVERPROPERTY('ServerName')`, `HOST` or `HOST\INSTANCE`; never an alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// A database's name on its host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseName(String);

/// A group's name: lower-case, fit for store keys and file names as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(String);

/// A member of the group: text form `HOST\INSTANCE/DATABASE`, split at the first `/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberName {
    /// The host that holds the database.
    pub host: HostName,
    /// The database.
    pub database: DatabaseName,
}

impl HostName {
    /// The name as SQL Server gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name one host: SQL Server compares server names without regard to case.
    #[must_use]
    pub fn is_same_host(&self, other: &Self) -> bool {
        self.0.to_lowercase() == other.0.to_lowercase()
    }
}

impl DatabaseName {
    /// The name as SQL Server gives it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupName {
    /// The name, which is its own slug.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl MemberName {
    /// The member that `database` on `host` is.
    #[must_use]
    pub const fn new(host: HostName, database: DatabaseName) -> Self {
        Self { host, database }
    }
}

impl FromStr for HostName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        checked("host name", name).map(|()| Self(name.to_owned()))
    }
}

impl FromStr for DatabaseName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        checked("database name", name).map(|()| Self(name.to_owned()))
    }
}

impl FromStr for GroupName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        let first_is_plain = name
            .chars()
            .next()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        if first_is_plain && name.len() <= 40 && name.chars().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError::Group(name.to_owned()))
        }
    }
}

impl FromStr for MemberName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (host, database) = text
            .split_once('/')
            .ok_or_else(|| NameError::NoSlash(text.to_owned()))?;
        Ok(Self::new(host.parse()?, database.parse()?))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.database)
    }
}

/// Gives a name type its serde conversions, which all go through its text form.
macro_rules! text_form {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.to_string()
            }
        }
    };
}

text_form!(HostName);
text_form!(DatabaseName);
text_form!(GroupName);
text_form!(MemberName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_split_at_the_first_slash() {
        let member: MemberName = r"PAY1\SQL/Ledger/2026".parse().expect("valid");
        assert_eq!(member.host.as_str(), r"PAY1\SQL");
        assert_eq!(member.database.as_str(), "Ledger/2026");
        assert_eq!(member.to_string(), r"PAY1\SQL/Ledger/2026");
    }

    #[test]
    fn hostile_but_legal_names_are_kept_as_they_are() {
        for name in ["a]b", "o'brien", "with blank", "🦀", &"x".repeat(128)] {
            assert_eq!(name.parse::<DatabaseName>().expect("legal").as_str(), name);
        }
    }

    #[test]
    fn names_that_sql_server_cannot_hold_are_refused() {
        assert!("".parse::<DatabaseName>().is_err());
        assert!("x".repeat(129).parse::<DatabaseName>().is_err());
        assert!(
            "🦀".repeat(65).parse::<DatabaseName>().is_err(),
            "65 crabs are 130 UTF-16 units"
        );
        assert!("a\nb".parse::<HostName>().is_err());
        assert!("no slash here".parse::<MemberName>().is_err());
    }

    #[test]
    fn group_names_are_fit_for_keys() {
        assert!("payments-eu_2".parse::<GroupName>().is_ok());
        for name in ["", "Payments", "../x", "-a", &"g".repeat(41)] {
            assert!(name.parse::<GroupName>().is_err(), "{name}");
        }
    }
}
