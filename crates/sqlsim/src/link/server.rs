//! Linked servers as the catalog keeps them: what a link is, its options, and who may use it.
//!
//! Start at [`LinkedServer`]; [`LinkedServer::set_option`] holds the rules of `sp_serveroption`.
//! This file opens no connection.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::messages;
use crate::catalog::record::Record;
use crate::error::{SqlError, SqlResult};
use crate::storage::TableId;

/// One row of `sys.servers` other than the host itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedServer {
    /// `server_id`, from 1.
    pub id: i32,
    /// The name by which statements call it.
    pub name: String,
    /// `product`.
    pub product: String,
    /// `provider`.
    pub provider: String,
    /// `data_source`: `tcp:host,port` or a network name.
    pub data_source: Option<String>,
    /// `location`.
    pub location: Option<String>,
    /// `provider_string`, such as `Encrypt=yes;TrustServerCertificate=yes`.
    pub provider_string: Option<String>,
    /// `catalog`: the database of the connection.
    pub catalog: Option<String>,
    /// What `sp_serveroption` has set.
    pub options: ServerOptions,
    /// `modify_date`, local time.
    pub modified: DateTime,
}

/// The options of a linked server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of `sys.servers`"
)]
pub struct ServerOptions {
    /// `connect timeout`, seconds; 0 is the instance's default.
    pub connect_timeout_seconds: i32,
    /// `query timeout`, seconds; 0 is the instance's default.
    pub query_timeout_seconds: i32,
    /// `rpc`.
    pub rpc: bool,
    /// `rpc out`: procedures may be called there (7411).
    pub rpc_out: bool,
    /// `data access`: tables may be read there (7411).
    pub data_access: bool,
    /// `collation compatible`.
    pub collation_compatible: bool,
    /// `use remote collation`.
    pub use_remote_collation: bool,
    /// `collation name`.
    pub collation_name: Option<String>,
    /// `lazy schema validation`.
    pub lazy_schema_validation: bool,
    /// `remote proc transaction promotion`: a call within a transaction joins it.
    pub promotion: bool,
    /// `pub`, `sub`, `dist`: replication roles, kept for `sys.servers` alone.
    pub publisher: bool,
    /// See `publisher`.
    pub subscriber: bool,
    /// See `publisher`.
    pub distributor: bool,
}

impl ServerOptions {
    /// What a new link begins with: procedures can be called only where the product is
    /// `SQL Server`.
    #[must_use]
    pub fn new(is_sql_server_product: bool) -> Self {
        Self {
            connect_timeout_seconds: 0,
            query_timeout_seconds: 0,
            rpc: is_sql_server_product,
            rpc_out: is_sql_server_product,
            data_access: true,
            collation_compatible: false,
            use_remote_collation: true,
            collation_name: None,
            lazy_schema_validation: false,
            promotion: true,
            publisher: false,
            subscriber: false,
            distributor: false,
        }
    }
}

/// Which local login becomes which remote one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedLogin {
    /// `server_id` of the link.
    pub server_id: i32,
    /// The local login's name; none is the wildcard.
    pub local_login: Option<String>,
    /// `uses_self_credential`.
    pub uses_self: bool,
    /// `remote_name`.
    pub remote_name: Option<String>,
    /// The remote password, which no catalog view shows.
    pub remote_password: Option<String>,
    /// `modify_date`, local time.
    pub modified: DateTime,
}

impl std::fmt::Debug for LinkedLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkedLogin")
            .field("server_id", &self.server_id)
            .field("local_login", &self.local_login)
            .field("uses_self", &self.uses_self)
            .field("remote_name", &self.remote_name)
            .finish_non_exhaustive()
    }
}

impl Record for LinkedServer {
    const TABLE: TableId = TableId(12);
}

impl Record for LinkedLogin {
    const TABLE: TableId = TableId(13);
}

/// With which name and password a session goes to the other host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping<'a> {
    /// Its own.
    Itself,
    /// Those of the mapping.
    Remote(&'a LinkedLogin),
}

/// The mapping that counts for a local login: its own before the wildcard. Raises 7416 without one.
pub fn mapping<'a>(
    logins: impl Iterator<Item = &'a LinkedLogin>,
    server_id: i32,
    local_login: &str,
) -> SqlResult<Mapping<'a>> {
    let mut wildcard = None;
    for login in logins.filter(|login| login.server_id == server_id) {
        match &login.local_login {
            Some(name) if same(name, local_login) => return Ok(used(login)),
            Some(_) => {}
            None => wildcard = Some(login),
        }
    }
    wildcard
        .map(used)
        .ok_or_else(crate::messages::no_login_mapping)
}

fn used(login: &LinkedLogin) -> Mapping<'_> {
    if login.uses_self {
        Mapping::Itself
    } else {
        Mapping::Remote(login)
    }
}

impl LinkedServer {
    /// What `sp_serveroption` does. Raises 15600 for an option or a value that it does not know.
    pub fn set_option(&mut self, option: &str, value: &str) -> SqlResult<()> {
        let options = &mut self.options;
        let option = option.trim().to_lowercase();
        match option.as_str() {
            "connect timeout" => options.connect_timeout_seconds = seconds(value)?,
            "query timeout" => options.query_timeout_seconds = seconds(value)?,
            "collation name" => {
                options.collation_name = Some(value.to_owned()).filter(|name| !name.is_empty());
            }
            "rpc" => options.rpc = switch(value)?,
            "rpc out" => options.rpc_out = switch(value)?,
            "data access" => options.data_access = switch(value)?,
            "collation compatible" => options.collation_compatible = switch(value)?,
            "use remote collation" => options.use_remote_collation = switch(value)?,
            "lazy schema validation" => options.lazy_schema_validation = switch(value)?,
            "remote proc transaction promotion" => options.promotion = switch(value)?,
            "pub" => options.publisher = switch(value)?,
            "sub" => options.subscriber = switch(value)?,
            "dist" => options.distributor = switch(value)?,
            _ => return Err(bad_option()),
        }
        Ok(())
    }

    /// The network address that a connection is made to: the data source, or else the name.
    #[must_use]
    pub fn target(&self) -> &str {
        self.data_source.as_deref().unwrap_or(&self.name)
    }

    /// A keyword of the provider string, whatever its case and blanks.
    #[must_use]
    pub fn provider_keyword(&self, keyword: &str) -> Option<&str> {
        let pairs = self.provider_string.as_deref()?.split(';');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(name, _)| plain(name) == plain(keyword))
            .map(|(_, value)| value.trim())
    }
}

/// Whether two names of logins or servers are one.
#[must_use]
pub fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

fn plain(keyword: &str) -> String {
    keyword
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect::<String>()
        .to_lowercase()
}

fn bad_option() -> SqlError {
    messages::invalid_parameter("sp_serveroption")
}

fn switch(value: &str) -> SqlResult<bool> {
    match value.trim().to_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(bad_option()),
    }
}

fn seconds(value: &str) -> SqlResult<i32> {
    let number: Option<i32> = value.trim().parse().ok();
    number.filter(|number| *number >= 0).ok_or_else(bad_option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> LinkedServer {
        LinkedServer {
            id: 1,
            name: "SQL2".to_owned(),
            product: String::new(),
            provider: "MSOLEDBSQL".to_owned(),
            data_source: Some("tcp:sql2,1433".to_owned()),
            location: None,
            provider_string: Some("Encrypt=yes; Trust Server Certificate = Yes".to_owned()),
            catalog: None,
            options: ServerOptions::new(false),
            modified: DateTime::constant(2026, 1, 1, 0, 0, 0, 0),
        }
    }

    fn login(local: Option<&str>, uses_self: bool) -> LinkedLogin {
        LinkedLogin {
            server_id: 1,
            local_login: local.map(str::to_owned),
            uses_self,
            remote_name: None,
            remote_password: None,
            modified: DateTime::constant(2026, 1, 1, 0, 0, 0, 0),
        }
    }

    #[test]
    fn an_option_takes_true_and_on() {
        let mut link = link();
        link.set_option("RPC Out", "TRUE").expect("known");
        link.set_option("rpc", "on").expect("known");
        link.set_option("query timeout", "0030").expect("known");
        assert!(link.options.rpc_out && link.options.rpc);
        assert_eq!(link.options.query_timeout_seconds, 30);
    }

    #[test]
    fn an_unknown_option_or_value_is_refused_with_15600() {
        let mut link = link();
        for (option, value) in [("rpc in", "true"), ("rpc", "yes"), ("query timeout", "-1")] {
            let error = link.set_option(option, value).expect_err("refused");
            assert_eq!(error.number, 15600, "{option} = {value}");
        }
    }

    #[test]
    fn keywords_of_the_provider_string_are_found_whatever_their_blanks() {
        assert_eq!(
            link().provider_keyword("TrustServerCertificate"),
            Some("Yes")
        );
        assert_eq!(link().provider_keyword("HostNameInCertificate"), None);
    }

    #[test]
    fn a_login_of_its_own_counts_before_the_wildcard() {
        let logins = [login(None, true), login(Some("stopmark"), false)];
        assert_eq!(mapping(logins.iter(), 1, "other"), Ok(Mapping::Itself));
        assert_eq!(
            mapping(logins.iter(), 1, "STOPMARK"),
            Ok(Mapping::Remote(&logins[1]))
        );
    }

    #[test]
    fn without_a_mapping_the_link_cannot_be_used_7416() {
        let logins = [login(Some("stopmark"), false)];
        assert_eq!(
            mapping(logins.iter(), 1, "sa").expect_err("none").number,
            7416
        );
        assert_eq!(
            mapping(logins.iter(), 2, "stopmark")
                .expect_err("none")
                .number,
            7416
        );
    }
}
