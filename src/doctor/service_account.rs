//! SQL logins that would reach other sources through a link with the rights of the account SQL Server runs as.
//!
//! Start at [`examine`]. Every link is judged, not only those that marks travel through: whoever may use one of them
//! passes. A SQL login is nobody outside of the database engine. What Microsoft writes of `sp_addlinkedsrvlogin` is that
//! only the Windows credentials of a Windows login are passed on, and of `BULK INSERT` that a SQL login reads files as
//! the account of the SQL Server process; that providers without logins of their own do the same with links is our
//! conclusion from both, and was not tried on a real server.

use super::{LinkCure, LinkFinding, Weight};
use crate::model::HostName;
use crate::survey::{HostFacts, LinkFacts, LinkMapping};

const WHY: &str = "a SQL login has no Windows account to pass on, so that what it reads there it reads as the account that SQL \
    Server runs as: backups, other people's files, other servers";

const MAPPING_RISK: &str = "the login passes no more (7416), or as the mapping for everybody says where there is one; a Windows \
    login, or a login of the other source with its own password, can take its place";

/// What a provider reads, and whether it takes a login of its own.
struct Source {
    /// How the provider's name begins.
    provider: &'static str,
    /// What it reads.
    reads: &'static str,
    /// A mapped login with a password is taken instead of the Windows account.
    takes_logins: bool,
}

/// The providers that fall back on the Windows account; SQL Server's own and Oracle's ask for a login, and refuse none.
const SOURCES: [Source; 8] = [
    source("Microsoft.ACE.OLEDB", "files", false),
    source("Microsoft.Jet.OLEDB", "files", false),
    source("VFPOLEDB", "files", false),
    source("MSIDXS", "the index of a machine's files", false),
    source(
        "Search.CollatorDSO",
        "the index of a machine's files",
        false,
    ),
    source("MSDASQL", "an ODBC source", true),
    source("ADSDSOObject", "Active Directory", true),
    source("MSOLAP", "Analysis Services", true),
];

const fn source(provider: &'static str, reads: &'static str, takes_logins: bool) -> Source {
    Source {
        provider,
        reads,
        takes_logins,
    }
}

/// The mappings of a host's links by which a SQL login becomes the service account.
pub(super) fn examine(here: &HostName, host: &HostFacts) -> Vec<LinkFinding> {
    let judged =
        |link| mappings_of(link).map(move |(mapping, way)| finding(here, link, mapping, &way));
    host.links.iter().flat_map(judged).collect()
}

/// The mappings that SQL logins use, each with how it ends at the service account.
fn mappings_of(link: &LinkFacts) -> impl Iterator<Item = (&LinkMapping, String)> {
    link.mappings.iter().filter_map(|mapping| {
        let is_for_sql_logins = mapping.local_login.is_none() || mapping.is_sql_login;
        let way = way(link, mapping).filter(|_| is_for_sql_logins)?;
        Some((mapping, way))
    })
}

/// How a SQL login ends at the service account; none where it has to show a login of its own.
fn way(link: &LinkFacts, mapping: &LinkMapping) -> Option<String> {
    if asks_for_windows(link.provider_string.as_deref().unwrap_or_default()) {
        return Some("the link's own words ask for the Windows account".to_owned());
    }
    let provider = link.provider.to_ascii_lowercase();
    let mut sources = SOURCES.iter();
    let source = sources.find(|it| provider.starts_with(&it.provider.to_ascii_lowercase()))?;
    let has_login = !mapping.uses_self && mapping.remote_login.is_some();
    (!source.takes_logins || !has_login)
        .then(|| format!("`{}` reads {}", link.provider, source.reads))
}

/// Words of a provider string: `Integrated Security=SSPI`, `Trusted_Connection=yes`.
fn asks_for_windows(words: &str) -> bool {
    words.split(';').any(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let name: String = name.split_whitespace().collect();
        let is_asked = matches!(
            name.to_ascii_lowercase().as_str(),
            "integratedsecurity" | "trusted_connection"
        );
        let value = value.trim().to_ascii_lowercase();
        is_asked && matches!(value.as_str(), "sspi" | "yes" | "true")
    })
}

fn finding(here: &HostName, link: &LinkFacts, mapping: &LinkMapping, way: &str) -> LinkFinding {
    let (who, cure, risk) = match &mapping.local_login {
        None => (
            "every SQL login without a mapping of its own".to_owned(),
            LinkCure::DropWildcard,
            super::login::WILDCARD_RISK,
        ),
        Some(login) => (
            format!("the SQL login `{login}`"),
            LinkCure::DropMapping {
                login: login.clone(),
            },
            MAPPING_RISK,
        ),
    };
    LinkFinding {
        host: here.clone(),
        link: link.name.clone(),
        weight: Weight::Risk,
        what: format!("{who} passes with the rights of the service account: {way}"),
        why: WHY,
        cure: None,
        risk: None,
    }
    .cured_by(cure, risk)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(provider: &str, words: &str) -> LinkFacts {
        LinkFacts {
            name: "FILES".to_owned(),
            product: String::new(),
            provider: provider.to_owned(),
            data_source: None,
            provider_string: Some(words.to_owned()),
            is_rpc: false,
            is_rpc_out: false,
            is_data_access: true,
            is_promotion: true,
            query_timeout_s: 0,
            connect_timeout_s: 0,
            is_collation_compatible: false,
            mappings: Vec::new(),
        }
    }

    /// Everybody as himself, a Windows login as itself, a SQL login as itself, and one with a login over there.
    fn told(provider: &str, words: &str) -> Vec<String> {
        let mut link = link(provider, words);
        let mapping = |who: Option<&str>, is_sql_login: bool, remote: Option<&str>| LinkMapping {
            local_login: who.map(str::to_owned),
            uses_self: remote.is_none(),
            remote_login: remote.map(str::to_owned),
            is_sql_login,
        };
        link.mappings = vec![
            mapping(None, false, None),
            mapping(Some(r"CORP\ann"), false, None),
            mapping(Some("web"), true, None),
            mapping(Some("app"), true, Some("reader")),
        ];
        let who = |(it, _): (&LinkMapping, String)| {
            it.local_login
                .clone()
                .unwrap_or_else(|| "everybody".to_owned())
        };
        mappings_of(&link).map(who).collect()
    }

    #[test]
    fn files_are_read_as_the_service_account_whatever_login_a_sql_login_is_mapped_to() {
        assert_eq!(
            told("microsoft.ace.oledb.12.0", ""),
            ["everybody", "web", "app"]
        );
    }

    #[test]
    fn a_source_that_takes_logins_is_reached_as_the_service_account_without_one_only() {
        assert_eq!(told("MSOLAP.8", ""), ["everybody", "web"]);
        assert_eq!(told("MSDASQL", "DSN=books"), ["everybody", "web"]);
    }

    #[test]
    fn sql_server_and_oracle_ask_for_a_login_unless_the_links_words_name_the_windows_account() {
        assert_eq!(told("MSOLEDBSQL", "Encrypt=yes;"), [""; 0]);
        assert_eq!(told("OraOLEDB.Oracle", ""), [""; 0]);
        let all = ["everybody", "web", "app"];
        assert_eq!(
            told("MSOLEDBSQL", "Encrypt=yes;Integrated Security = SSPI"),
            all
        );
        assert_eq!(told("SQLNCLI", "Trusted_Connection=Yes"), all);
        assert_eq!(told("SQLNCLI", "Trusted_Connection=no"), [""; 0]);
    }
}
