//! What a host has for links to a Managed Instance, and the T-SQL that makes what it lacks and the link's own side.
//!
//! Start at [`milink_facts`] and [`script`]. Facts are only read; keys, certificates, endpoints and groups are made by
//! people, who run what is printed: passwords and outcomes of Azure's side stand between the steps.

use std::collections::{BTreeMap, BTreeSet};

use super::SqlFleet;
use super::every::Sample;
use super::fault::Fault;
use super::history::NAMES_MAX;
use super::quote::{identifier, literal};
use super::rows::{self, Cells};
use super::session::Answer;
use super::statement::{Batch, Parameter, placeholders};
use super::target::IDENTITY;
use crate::error::Result;
use crate::milink::MilinkCure;
use crate::model::{DatabaseName, HostName};
use crate::survey::{MilinkDatabase, MilinkFacts, MirrorEndpoint, ServerCertificate, major};

/// Everything about one host, on one connection.
pub(super) async fn milink_facts(
    fleet: &SqlFleet,
    host: &HostName,
    databases: &[DatabaseName],
) -> Result<MilinkFacts> {
    let (session, _) = fleet.open_any(host).await?;
    let (session, identity) = session.ask(&identity_sql()).await?;
    let (session, endpoint) = session.ask(&endpoint_sql()).await?;
    let (session, groups) = session.ask(&groups_sql()).await?;
    let (mut session, flags) = session.ask(&flags_sql()).await?;
    let version = rows::only(&identity).and_then(|row| row.text("version"));
    let version = version.map_err(|fault| fault.at(host))?;
    let mut found = BTreeMap::new();
    for names in databases.chunks(NAMES_MAX) {
        let sql = databases_sql(names, knows_accelerated_recovery(&version));
        let (back, answer) = session.ask(&sql).await?;
        session = back;
        found.extend(databases_of(&answer, names).map_err(|fault| fault.at(host))?);
    }
    let fill = || -> Result<MilinkFacts, Fault> {
        let mut facts = facts_of(rows::only(&identity)?)?;
        facts.endpoint = rows::first(&endpoint, 0).map(endpoint_of).transpose()?;
        facts.trace_flags = flags_of(&flags)?;
        let groups = rows::set(&groups, 0).map(|row| row.text("name"));
        facts.groups = groups.collect::<Result<_, _>>()?;
        facts.databases = found;
        Ok(facts)
    };
    fill().map_err(|fault| fault.at(host))
}

/// The trace flags that are on for everybody.
pub(super) fn flags_of(answer: &Answer) -> Result<BTreeSet<i32>, Fault> {
    rows::set(answer, 0).map(|row| row.int("flag")).collect()
}

fn facts_of(row: Cells<'_>) -> Result<MilinkFacts, Fault> {
    let name = row.text("true_name")?;
    let is = |column| Ok::<_, Fault>(row.int_or_null(column)? == Some(1));
    Ok(MilinkFacts {
        true_name: name
            .parse()
            .map_err(|_| Fault::Shape(format!("`{name}` cannot be a host's")))?,
        version: row.text("version")?,
        update: row.text_or_null("update_level")?,
        edition: row.text("edition")?,
        collation: row.text_or_null("collation")?.unwrap_or_default(),
        is_hadr_enabled: is("is_hadr_enabled")?,
        is_sysadmin: is("is_sysadmin")?,
        has_master_key: is("has_master_key")?,
        endpoint: None,
        trace_flags: BTreeSet::new(),
        groups: BTreeSet::new(),
        databases: BTreeMap::new(),
    })
}

fn endpoint_of(row: Cells<'_>) -> Result<MirrorEndpoint, Fault> {
    let name = row.text_or_null("certificate_name")?;
    let certificate = match (name, row.text_or_null("expires")?) {
        (Some(name), Some(day)) => Some(ServerCertificate {
            name,
            expires: day
                .parse()
                .map_err(|_| Fault::Shape(format!("`{day}` is no day")))?,
        }),
        _ => None,
    };
    Ok(MirrorEndpoint {
        name: row.text("name")?,
        port: row.int("port")?,
        is_started: row.text("state_desc")? == "STARTED",
        authentication: row.text("connection_auth_desc")?,
        encryption: row
            .text_or_null("encryption_algorithm_desc")?
            .unwrap_or_default(),
        certificate,
    })
}

/// Each under the name that was asked for: the server compares names by its collation.
fn databases_of(
    answer: &Answer,
    asked: &[DatabaseName],
) -> Result<Vec<(DatabaseName, MilinkDatabase)>, Fault> {
    let mut found = Vec::new();
    for row in rows::set(answer, 0) {
        let name = row.text("name")?.to_lowercase();
        let asked = asked
            .iter()
            .find(|asked| asked.as_str().to_lowercase() == name);
        let Some(asked) = asked else { continue };
        let facts = MilinkDatabase {
            collation: row.text_or_null("collation_name")?,
            is_encrypted: row.flag("is_encrypted")?,
            is_broker_enabled: row.flag("is_broker_enabled")?,
            has_accelerated_recovery: row.flag("has_accelerated_recovery")?,
            is_auto_close: row.flag("is_auto_close_on")?,
            user_access: row.text("user_access_desc")?,
        };
        found.push((asked.clone(), facts));
    }
    Ok(found)
}

fn identity_sql() -> Batch {
    Batch::plain(format!(
        "SELECT {IDENTITY},\n    \
         CAST(SERVERPROPERTY('ProductUpdateLevel') AS nvarchar(128)) AS update_level,\n    \
         CAST(SERVERPROPERTY('IsHadrEnabled') AS int) AS is_hadr_enabled,\n    \
         CAST(IS_SRVROLEMEMBER(N'sysadmin') AS int) AS is_sysadmin,\n    \
         (SELECT COUNT(*) FROM master.sys.symmetric_keys AS k\n    \
         WHERE k.name = N'##MS_DatabaseMasterKey##') AS has_master_key;"
    ))
}

fn endpoint_sql() -> Batch {
    Batch::plain(
        "SELECT e.name, t.port, e.state_desc, e.connection_auth_desc, e.encryption_algorithm_desc,\n    \
         c.name AS certificate_name, CONVERT(nvarchar(10), c.expiry_date, 120) AS expires\n\
         FROM sys.database_mirroring_endpoints AS e\n\
         INNER JOIN sys.tcp_endpoints AS t ON t.endpoint_id = e.endpoint_id\n\
         LEFT JOIN master.sys.certificates AS c ON c.certificate_id = e.certificate_id;",
    )
}

fn groups_sql() -> Batch {
    Batch::plain("SELECT g.name FROM sys.availability_groups AS g ORDER BY g.name;")
}

/// The types of the columns that DBCC shows are not documented, so that they go through a table.
pub(super) fn flags_sql() -> Batch {
    Batch::plain(
        "DECLARE @flags TABLE (flag int, is_on int, is_global int, is_session int);\n\
         INSERT INTO @flags (flag, is_on, is_global, is_session)\n\
         EXEC (N'DBCC TRACESTATUS (-1) WITH NO_INFOMSGS;');\n\
         SELECT f.flag FROM @flags AS f WHERE f.is_on = 1 AND f.is_global = 1 ORDER BY f.flag;",
    )
}

/// Accelerated database recovery came with SQL Server 2019, and its column with it.
fn knows_accelerated_recovery(version: &str) -> bool {
    major(version) >= 15
}

fn databases_sql(names: &[DatabaseName], knows_accelerated_recovery: bool) -> Batch {
    let list = placeholders(0, names.len());
    let accelerated_recovery = if knows_accelerated_recovery {
        "d.is_accelerated_database_recovery_on"
    } else {
        "CAST(0 AS bit)"
    };
    Batch::with(
        format!(
            "SELECT d.name, d.collation_name, d.is_encrypted, d.is_broker_enabled, d.is_auto_close_on,\n    \
             d.user_access_desc, {accelerated_recovery} AS has_accelerated_recovery\n\
             FROM sys.databases AS d\n\
             WHERE d.name IN ({list})\n\
             ORDER BY d.name;"
        ),
        names.iter().map(|name| Parameter::text(name.as_str())),
    )
}

/// The T-SQL that takes cures back, the last one first, for a person to run; none where none of them can be.
#[must_use]
pub fn way_back_script(cures: &[MilinkCure]) -> Option<String> {
    let undo = |cure: &MilinkCure| match cure {
        MilinkCure::MasterKey => Some(
            "USE [master];\n-- refused while something is encrypted by it\nDROP MASTER KEY;"
                .to_owned(),
        ),
        MilinkCure::Certificate { name, .. } => Some(format!(
            "USE [master];\nDROP CERTIFICATE {};",
            identifier(name)
        )),
        MilinkCure::Endpoint { .. } => {
            Some("DROP ENDPOINT [database_mirroring_endpoint];".to_owned())
        }
        // What an endpoint was before, or a database, stands in no catalog any more.
        _ => None,
    };
    let texts: Vec<String> = cures.iter().rev().filter_map(undo).collect();
    (!texts.is_empty()).then(|| texts.join("\nGO\n"))
}

/// The T-SQL of a cure, for a person to run; none where it is no T-SQL. A password is left to be filled in.
#[must_use]
pub fn cure_script(cure: &MilinkCure) -> Option<String> {
    Some(match cure {
        MilinkCure::MasterKey => {
            "USE [master];\nCREATE MASTER KEY ENCRYPTION BY PASSWORD = N'<strong password>';"
                .to_owned()
        }
        MilinkCure::Certificate { name, expires } => format!(
            "USE [master];\nCREATE CERTIFICATE {}\n    WITH SUBJECT = {}, EXPIRY_DATE = {};",
            identifier(name),
            literal(&format!(
                "{name}, for the link to Azure SQL Managed Instance"
            )),
            literal(&expires.to_string())
        ),
        MilinkCure::Endpoint { certificate, port } => format!(
            "CREATE ENDPOINT [database_mirroring_endpoint]\n    STATE = STARTED\n    \
             AS TCP (LISTENER_PORT = {port}, LISTENER_IP = ALL)\n    \
             FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = CERTIFICATE {},\n    \
             ENCRYPTION = REQUIRED ALGORITHM AES);",
            identifier(certificate)
        ),
        MilinkCure::AlterEndpoint { name, certificate } => format!(
            "ALTER ENDPOINT {}\n    STATE = STARTED\n    \
             FOR DATABASE_MIRRORING (ROLE = ALL, AUTHENTICATION = WINDOWS NEGOTIATE CERTIFICATE {},\n    \
             ENCRYPTION = REQUIRED ALGORITHM AES);",
            identifier(name),
            identifier(certificate)
        ),
        MilinkCure::TraceFlag { flag } => format!(
            "DBCC TRACEON ({flag}, -1); -- and `-T{flag}` as a startup parameter, which survives a restart"
        ),
        MilinkCure::RecoveryFull { database } => set_option(database, "RECOVERY FULL"),
        MilinkCure::AutoCloseOff { database } => set_option(database, "AUTO_CLOSE OFF"),
        MilinkCure::MultiUser { database } => set_option(database, "MULTI_USER"),
        MilinkCure::Prepare { .. } | MilinkCure::Person { .. } => return None,
    })
}

fn set_option(database: &DatabaseName, option: &str) -> String {
    format!(
        "ALTER DATABASE {} SET {option};",
        identifier(database.as_str())
    )
}

/// The names that the two groups of a link are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MilinkNames {
    /// The host, as it names itself.
    pub host: HostName,
    /// The database.
    pub database: DatabaseName,
    /// `tcp://address:port` of the host's endpoint, as the Managed Instance reaches it.
    pub endpoint_url: String,
    /// The group on the host.
    pub group: String,
    /// The distributed group, which is the link's name.
    pub distributed_group: String,
    /// The Managed Instance's short name.
    pub instance: String,
    /// Its full name.
    pub instance_fqdn: String,
}

/// The T-SQL of a link, step by step: each with its name, what does it, and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkScript {
    /// Trust in the Managed Instance's certificate, whose bytes Azure tells.
    pub trust: String,
    /// The host's own group.
    pub group: String,
    /// The distributed group.
    pub distributed_group: String,
    /// Whether the two sides speak, and how far seeding is.
    pub watch: String,
    /// Takes the distributed group back.
    pub drop_distributed_group: String,
    /// Takes the group back.
    pub drop_group: String,
    /// Takes the trust back.
    pub drop_trust: String,
}

/// The texts of a link. From 2017 on the host's group has no cluster.
#[must_use]
pub fn script(names: &MilinkNames, has_cluster_type: bool) -> LinkScript {
    let (group, distributed) = (
        identifier(&names.group),
        identifier(&names.distributed_group),
    );
    let fqdn = identifier(&names.instance_fqdn);
    let cluster = if has_cluster_type {
        "WITH (CLUSTER_TYPE = NONE)\n    "
    } else {
        ""
    };
    let url = literal(&names.endpoint_url);
    let far = format!(
        "tcp://{}:5022;Server=[{}]",
        names.instance_fqdn, names.instance
    );
    LinkScript {
        trust: format!(
            "USE [master];\n-- put the bytes that Azure told behind `0x`\n\
             CREATE CERTIFICATE {fqdn} FROM BINARY = 0x00;"
        ),
        group: format!(
            "CREATE AVAILABILITY GROUP {group}\n    {cluster}FOR DATABASE {}\n    \
             REPLICA ON {} WITH (ENDPOINT_URL = {url},\n    AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC);",
            identifier(names.database.as_str()),
            literal(names.host.as_str())
        ),
        distributed_group: format!(
            "CREATE AVAILABILITY GROUP {distributed}\n    WITH (DISTRIBUTED)\n    AVAILABILITY GROUP ON\n    \
             {} WITH (LISTENER_URL = {url}, AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,\n        \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC),\n    \
             {} WITH (LISTENER_URL = {}, AVAILABILITY_MODE = ASYNCHRONOUS_COMMIT,\n        \
             FAILOVER_MODE = MANUAL, SEEDING_MODE = AUTOMATIC);",
            literal(&names.group),
            literal(&names.instance),
            literal(&far)
        ),
        watch: "SELECT s.local_database_name, s.role_desc, s.internal_state_desc, s.transferred_size_bytes,\n    \
                s.database_size_bytes, s.transfer_rate_bytes_per_second, s.failure_message\n\
                FROM sys.dm_hadr_physical_seeding_stats AS s;"
            .to_owned(),
        drop_distributed_group: format!("DROP AVAILABILITY GROUP {distributed};"),
        drop_group: format!("DROP AVAILABILITY GROUP {group};"),
        drop_trust: format!("USE [master];\nDROP CERTIFICATE {fqdn};"),
    }
}

/// The texts of this file, but for three that are younger than the parser that reads all texts: a certificate out of
/// bytes, a group that seeds by itself, and the distributed group. The names in those are looked at by a test of their own.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let names = sample_names(sample);
    let database = std::slice::from_ref(&names.database);
    let link = script(&names, false);
    let texts = [
        ("milink.watch", link.watch),
        ("milink.drop_distributed_group", link.drop_distributed_group),
        ("milink.drop_group", link.drop_group),
        ("milink.drop_trust", link.drop_trust),
    ];
    let mut all = vec![
        ("milink.identity", identity_sql()),
        ("milink.endpoint", endpoint_sql()),
        ("milink.groups", groups_sql()),
        ("milink.flags", flags_sql()),
        ("milink.databases", databases_sql(database, true)),
        ("milink.databases_2016", databases_sql(database, false)),
    ];
    let cures = sample_cures(&sample.login, &names.database);
    let made: Vec<MilinkCure> = cures.iter().map(|(_, cure)| cure.clone()).collect();
    let way_back = way_back_script(&made).unwrap_or_default();
    let dropped = [
        "milink.drop_endpoint",
        "milink.drop_certificate",
        "milink.drop_master_key",
    ];
    let way_back = dropped.into_iter().zip(way_back.split("\nGO\n"));
    all.extend(way_back.map(|(at, text)| (at, Batch::plain(text.to_owned()))));
    let cures = cures
        .into_iter()
        .filter_map(|(at, cure)| Some((at, cure_script(&cure)?)));
    all.extend(
        cures
            .chain(texts)
            .map(|(at, text)| (at, Batch::plain(text))),
    );
    all
}

fn sample_names(sample: &Sample) -> MilinkNames {
    let name = &sample.login;
    MilinkNames {
        host: sample.host.parse().expect("samples are valid names"),
        database: sample.database_name(),
        endpoint_url: "tcp://10.1.0.4:5022".to_owned(),
        group: format!("AG_{name}"),
        distributed_group: format!("DAG_{name}"),
        instance: "mi1".to_owned(),
        instance_fqdn: "mi1.abc.database.windows.net".to_owned(),
    }
}

fn sample_cures(name: &str, database: &DatabaseName) -> Vec<(&'static str, MilinkCure)> {
    let (name, database) = (|| name.to_owned(), || database.clone());
    vec![
        ("milink.master_key", MilinkCure::MasterKey),
        (
            "milink.certificate",
            MilinkCure::Certificate {
                name: name(),
                expires: jiff::civil::date(2031, 11, 20),
            },
        ),
        (
            "milink.make_endpoint",
            MilinkCure::Endpoint {
                certificate: name(),
                port: 5022,
            },
        ),
        (
            "milink.alter_endpoint",
            MilinkCure::AlterEndpoint {
                name: name(),
                certificate: name(),
            },
        ),
        ("milink.trace_flag", MilinkCure::TraceFlag { flag: 12381 }),
        (
            "milink.recovery_full",
            MilinkCure::RecoveryFull {
                database: database(),
            },
        ),
        (
            "milink.auto_close",
            MilinkCure::AutoCloseOff {
                database: database(),
            },
        ),
        (
            "milink.multi_user",
            MilinkCure::MultiUser {
                database: database(),
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_quotes_in_what_the_parser_does_not_know() {
        let names = sample_names(&Sample::hostile());
        let script = script(&names, true);
        assert!(script.group.contains("WITH (CLUSTER_TYPE = NONE)"));
        assert!(
            script
                .group
                .contains("CREATE AVAILABILITY GROUP [AG_DOM'AIN]]\\agent'; GO]"),
            "{}",
            script.group
        );
        assert!(
            script
                .trust
                .contains("CREATE CERTIFICATE [mi1.abc.database.windows.net] FROM")
        );
        let distributed = &script.distributed_group;
        assert!(
            distributed.contains("[DAG_DOM'AIN]]\\agent'; GO]"),
            "{distributed}"
        );
        assert!(
            distributed.contains("N'AG_DOM''AIN]\\agent''; GO' WITH"),
            "{distributed}"
        );
    }
}
