//! The whole job with a store that nobody here wrote: from `init` to a group brought back on a spare host.
//!
//! Money moves between two hosts in every transaction, so a mark that is not one moment shows as a wrong sum.

use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path as Key;
use stopmark::error::Exit;

use super::agent::{Agent, GROUP, Printed};
use super::servers::{self, told};
use crate::clients::tsql::Tsql;
use crate::hosts::{Hosts, LOGIN, PASSWORD};

/// A ledger on each of two hosts, and a linked server over which money goes from the first to the second.
async fn ledgers(hosts: &Hosts) {
    for (host, database) in [("ONE", "North"), ("TWO", "South")] {
        let make = format!("CREATE DATABASE {database};");
        hosts.script(host, "master", &make).await;
        let script = "CREATE TABLE dbo.Account (id int NOT NULL PRIMARY KEY, balance bigint NOT NULL);\nGO\n\
             CREATE PROCEDURE dbo.Pay @amount bigint AS UPDATE dbo.Account SET balance = balance + @amount;\nGO\n\
             INSERT INTO dbo.Account (id, balance) VALUES (1, 1000);";
        hosts.script(host, database, script).await;
    }
    let password = PASSWORD.replace('\'', "''");
    let link = format!(
        "EXEC sp_addlinkedserver @server = N'APP', @srvproduct = N'', @provider = N'MSOLEDBSQL', @datasrc = N'TWO';\n\
         EXEC sp_serveroption N'APP', 'rpc out', 'true';\n\
         EXEC sp_droplinkedsrvlogin N'APP', NULL;\n\
         EXEC sp_addlinkedsrvlogin N'APP', 'FALSE', NULL, N'{LOGIN}', N'{password}';"
    );
    hosts.script("ONE", "master", &link).await;
}

/// Moves money from the first ledger to the second.
async fn pay(hosts: &Hosts, amount: i64) {
    let transfer = format!(
        "SET XACT_ABORT ON; BEGIN TRANSACTION; EXEC dbo.Pay @amount = -{amount}; \
         EXEC APP.South.dbo.Pay @amount = {amount}; COMMIT TRANSACTION;"
    );
    hosts.script("ONE", "North", &transfer).await;
}

/// What two restored ledgers hold, as FreeTDS reads them.
async fn balances(hosts: &Hosts, host: &str, prefix: &str) -> [i64; 2] {
    let client = Tsql::new(hosts, host);
    let mut found = [0; 2];
    for (at, database) in ["North", "South"].into_iter().enumerate() {
        let ask = format!("SELECT 'holds', SUM(balance) FROM [{prefix}{database}].dbo.Account");
        let answer = client.say(&[&ask]).await;
        let value = answer
            .output
            .lines()
            .find_map(|line| line.strip_prefix("holds|"));
        let value = value.unwrap_or_else(|| panic!("{answer:?}"));
        found[at] = value.parse().expect("a number");
    }
    found
}

/// The keys below the group's prefix.
async fn keys() -> Vec<String> {
    let prefix = Key::from(format!("agents/v1/{GROUP}"));
    let found: Vec<_> = servers::s3_objects()
        .list(Some(&prefix))
        .try_collect()
        .await
        .expect("lists");
    found
        .into_iter()
        .map(|object| object.location.to_string())
        .collect()
}

/// The names of the marks that the group can come back to, oldest first.
async fn points(agent: &Agent<'_>) -> Vec<String> {
    let list = agent.facts(&["list"]).await;
    let sets = list["sets"].as_array().expect("sets").iter();
    sets.filter(|set| set["is_point"] == true)
        .map(|set| set["stamp"].as_str().expect("a stamp").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_to_a_real_s3_server_and_comes_back_to_each_of_its_marks() {
    let hosts = Hosts::start(&["ONE", "TWO", "SPARE"]).await;
    ledgers(&hosts).await;
    let agent = Agent::of(&hosts);
    set_up(&agent).await;
    back_up(&hosts, &agent).await;
    assert_stored_and_carried_away(&agent).await;
    assert_the_bucket_is_read_by_its_own_bytes(&agent).await;
    bring_back(&hosts, &agent).await;
    assert_bucket_knows_it_all(&agent).await;
    assert_damage_is_noticed(&hosts, &agent).await;
    hosts.stop().await;
}

/// The same objects as somebody else's backups: recognised, linked and proved without the catalog.
async fn assert_the_bucket_is_read_by_its_own_bytes(agent: &Agent<'_>) {
    let bucket = format!("s3://{}/agents", told("STOPMARK_S3_BUCKET"));
    for level in ["1", "3"] {
        let args = ["inspect", bucket.as_str(), "--chain", "--level", level];
        let found = agent.facts(&args).await;
        assert_eq!(found["exit"], 0, "{found:#}");
        let lineages = found["lineages"].as_array().expect("lineages");
        assert_eq!(lineages.len(), 2, "{found:#}");
        for lineage in lineages {
            assert_eq!(
                lineage["restorable"].as_array().map(Vec::len),
                Some(1),
                "{lineage:#}"
            );
        }
    }
}

async fn set_up(agent: &Agent<'_>) {
    agent.must(&["init"]).await;
    let again = agent.run(&["init"]).await;
    assert_eq!(again.exit, Exit::Config, "a file is there");
    agent.configure(&["ONE/North", "TWO/South"]);
    agent.must(&["group", "prepare"]).await;
    agent.must(&["link", "apply"]).await;
    let checked = agent.must(&["check"]).await;
    assert!(checked.contains("honours create-if-absent"), "{checked}");
}

/// Two marks, and money that moves before, between and after them.
async fn back_up(hosts: &Hosts, agent: &Agent<'_>) {
    pay(hosts, 100).await;
    agent.must(&["backup", "full"]).await;
    pay(hosts, 10).await;
    agent.must(&["backup", "log"]).await;
    pay(hosts, 1).await;
    agent.must(&["backup", "log"]).await;
    pay(hosts, 500).await;
    agent.must(&["verify"]).await;
}

async fn bring_back(hosts: &Hosts, agent: &Agent<'_>) {
    let marks = points(agent).await;
    assert_eq!(marks.len(), 2, "{marks:?}");
    let newest = restore(hosts, agent, &[]).await;
    assert_eq!(newest.exit, Exit::Ok, "{}{}", newest.stdout, newest.stderr);
    assert_eq!(balances(hosts, "SPARE", "").await, [889, 1_111]);
    let first = ["--mark", &marks[0], "--prefix", "first_"];
    let first = restore(hosts, agent, &first).await;
    assert_eq!(first.exit, Exit::Ok, "{}{}", first.stdout, first.stderr);
    assert_eq!(balances(hosts, "SPARE", "first_").await, [890, 1_110]);
}

/// Restores the group on the spare host.
async fn restore(hosts: &Hosts, agent: &Agent<'_>, more: &[&str]) -> Printed {
    let files = hosts.folder().join("restored");
    fs::create_dir_all(&files).expect("a folder");
    let files = files.to_str().expect("UTF-8");
    let restore = ["restore", "run", "--to-host", "SPARE", "--files-in", files];
    agent.run(&[&restore, more].concat()).await
}

async fn assert_bucket_knows_it_all(agent: &Agent<'_>) {
    let list = agent.must(&["list", "--json"]).await;
    agent.must(&["catalog", "rebuild"]).await;
    assert_eq!(agent.must(&["list", "--json"]).await, list);
}

/// Somebody changes one bit of one piece in the bucket.
async fn assert_damage_is_noticed(hosts: &Hosts, agent: &Agent<'_>) {
    let keys = keys().await;
    let key = keys
        .iter()
        .find(|key| key.rsplit('.').next() == Some("bak"))
        .expect("a piece");
    let (objects, key) = (servers::s3_objects(), Key::from(key.as_str()));
    let found = objects.get(&key).await.expect("it is there");
    let mut bytes = found.bytes().await.expect("it is whole").to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    objects
        .put(&key, bytes.into())
        .await
        .expect("the server overwrites");
    let printed = agent.run(&["verify"]).await;
    assert_eq!(printed.exit, Exit::Degraded, "{}", printed.stdout);
    assert!(printed.stdout.contains("SM0703"), "{}", printed.stdout);
    let printed = restore(hosts, agent, &["--prefix", "damaged_"]).await;
    assert_eq!(printed.exit, Exit::Failed, "{}", printed.stdout);
    assert!(printed.stdout.contains("SM0703"), "{}", printed.stdout);
    let names = Tsql::new(hosts, "SPARE")
        .say(&["SELECT name FROM sys.databases"])
        .await;
    assert!(names.has_row("first_North"), "{names:?}");
    assert!(!names.has_row("damaged_North"), "{names:?}");
}

/// Each piece is in the bucket beside its digests, each set has its manifest, and no share keeps a file.
async fn assert_stored_and_carried_away(agent: &Agent<'_>) {
    let keys = keys().await;
    let count = |part: &str, end: &str| {
        keys.iter()
            .filter(|key| key.contains(part) && key.ends_with(end))
            .count()
    };
    assert_eq!(count("/pieces/", ".bak"), 6, "{keys:#?}");
    assert_eq!(count("/sets/", ".json"), 3, "{keys:#?}");
    for host in ["ONE", "TWO"] {
        assert_eq!(files_below(&agent.share(host)), Vec::<PathBuf>::new());
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
