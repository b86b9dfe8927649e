//! Linked servers as their host has them. Start at [`LinkFacts`]; values only, which contact nobody.

use serde::{Deserialize, Serialize};

/// One linked server as its host has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Its name.
    pub name: String,
    /// `SQL Server`, or empty for an OLE DB data source.
    pub product: String,
    /// `MSOLEDBSQL`, `SQLNCLI`, ...
    pub provider: String,
    /// Host and port.
    pub data_source: Option<String>,
    /// What the provider is told; none where the login may not see it.
    pub provider_string: Option<String>,
    /// Calls come in.
    pub is_rpc: bool,
    /// Calls go out: needed.
    pub is_rpc_out: bool,
    /// Queries go out.
    pub is_data_access: bool,
    /// A remote call in a transaction makes it distributed: needed.
    pub is_promotion: bool,
    /// 0: the server's default (600 s), else seconds.
    pub query_timeout_s: i32,
    /// 0: the server's default, else seconds.
    pub connect_timeout_s: i32,
    /// `collation compatible`: the other side's text is compared as if it had this host's collation.
    #[serde(default)]
    pub is_collation_compatible: bool,
    /// Who is mapped to whom.
    pub mappings: Vec<LinkMapping>,
}

/// One login mapping of a linked server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMapping {
    /// The local login; none is the wildcard that maps everybody.
    pub local_login: Option<String>,
    /// The local login's own credentials are used.
    pub uses_self: bool,
    /// The login on the other side.
    pub remote_login: Option<String>,
    /// The local login is one of SQL Server's own, with a password, and no Windows account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_sql_login: bool,
}

/// The words that Stopmark's links begin their provider string with; they also name the link's connections
/// on the other side (`program_name`).
pub const LINK_SIGNATURE: &str = "APP=Stopmark;";

impl LinkMapping {
    /// Whether it is of this login alone; of any one login, where that one is not known.
    #[must_use]
    pub fn is_of(&self, login: Option<&str>) -> bool {
        let local = self.local_login.as_deref();
        local.is_some_and(|local| login.is_none_or(|login| local.eq_ignore_ascii_case(login)))
    }
}

impl LinkFacts {
    /// Whether Stopmark made it; a run changes no other link.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.provider_string
            .as_deref()
            .is_some_and(|text| text.starts_with(LINK_SIGNATURE))
    }

    /// The program that its connections say they are (`program_name` on the other side): what its provider is told,
    /// else the provider's own word.
    #[must_use]
    pub fn program(&self) -> &str {
        let words = self
            .provider_string
            .as_deref()
            .unwrap_or_default()
            .split(';');
        let mut words = words.filter_map(|word| word.split_once('='));
        let named = words.find(|(key, _)| {
            let key = key.trim().to_ascii_lowercase();
            key == "app" || key == "application name"
        });
        named.map_or("Microsoft SQL Server", |(_, program)| program.trim())
    }
}
