//! Every kind of broken link that SQL Server has a number for, as a person meets it: broken, found, mended, healthy.
//!
//! Start at [`KINDS`], which says for each number what breaks the link, who finds it, and what mends it. Those that need a
//! coordinator that is off (7391, 8501) or names without a schema (7313) have stories of their own, in `link_trial` and
//! `drill`.

use std::fs;

use serde_json::Value;
use sqlsim::certificate::Authority;
use sqlsim::instance::Version;
use stopmark::error::Exit;

use crate::stage::Stage;

/// What breaks a link, who finds it, and what mends it.
struct Kind {
    numbers: &'static str,
    /// T-SQL on the management host; `{SQL1}` and its like are the hosts' addresses.
    breaks: &'static str,
    /// The command that finds it, how it ends, and what it says.
    found_by: (&'static [&'static str], Exit, &'static str),
    cure: Cure,
}

enum Cure {
    /// The T-SQL that `link check` prints.
    Printed,
    /// `link apply` with these words.
    Apply(&'static [&'static str]),
    /// A person's own T-SQL.
    Person(&'static str),
}

const CHECK: &[&str] = &["link", "check"];
const TEST: &[&str] = &["link", "test"];
const NAMED: &[&str] = &["--foreign", "SQL2"];

const KINDS: &[Kind] = &[
    Kind {
        numbers: "7202, 15015",
        breaks: "EXEC sp_dropserver N'SQL2', 'droplogins';",
        found_by: (
            CHECK,
            Exit::Failed,
            "BLOCKS `SQL2`: there is no linked server of this name",
        ),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "7303: an address where nobody listens",
        breaks: "EXEC sp_dropserver N'SQL2', 'droplogins';\n\
                 EXEC sp_addlinkedserver N'SQL2', N'', N'MSOLEDBSQL', N'tcp:127.0.0.1,1', NULL,\n\
                 N'APP=Stopmark;Encrypt=yes;TrustServerCertificate=no;';\n\
                 EXEC sp_serveroption N'SQL2', N'rpc out', N'true';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: it leads to `tcp:127.0.0.1,1`",
        ),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "7303: another host behind the address, as an alias that was turned",
        breaks: "EXEC sp_dropserver N'SQL2', 'droplogins';\n\
                 EXEC sp_addlinkedserver N'SQL2', N'', N'MSOLEDBSQL', N'tcp:{SQL3}', NULL,\n\
                 N'Encrypt=yes;TrustServerCertificate=no;';\n\
                 EXEC sp_serveroption N'SQL2', N'rpc out', N'true';\n\
                 EXEC sp_droplinkedsrvlogin N'SQL2', NULL;\n\
                 EXEC sp_addlinkedsrvlogin N'SQL2', 'FALSE', N'stopmark', N'stopmark', N'Stage-Pa55word';",
        found_by: (TEST, Exit::Failed, "SQL3"),
        cure: Cure::Apply(NAMED),
    },
    Kind {
        numbers: "7303, 7399: a driver that is no longer delivered",
        breaks: "EXEC sp_dropserver N'SQL2', 'droplogins';\n\
                 EXEC sp_addlinkedserver N'SQL2', N'', N'SQLNCLI11', N'tcp:{SQL2}', NULL, N'APP=Stopmark;';\n\
                 EXEC sp_serveroption N'SQL2', N'rpc out', N'true';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: its driver is `SQLNCLI11`",
        ),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "7411: procedures",
        breaks: "EXEC sp_serveroption N'SQL2', N'rpc out', N'false';",
        found_by: (CHECK, Exit::Failed, "BLOCKS `SQL2`: `rpc out` is off"),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "7411: tables",
        breaks: "EXEC sp_serveroption N'SQL2', N'data access', N'false';",
        found_by: (CHECK, Exit::Degraded, "risk   `SQL2`: `data access` is off"),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "7412: the query's time",
        breaks: "EXEC sp_serveroption N'SQL2', N'query timeout', N'5';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: the query timeout is 5 s",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "7412: the login's time",
        breaks: "EXEC sp_serveroption N'SQL2', N'connect timeout', N'900';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: the connect timeout is 900 s",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "7416",
        breaks: "EXEC sp_droplinkedsrvlogin N'SQL2', N'stopmark';",
        found_by: (CHECK, Exit::Failed, "BLOCKS `SQL2`: no login is mapped"),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "7416, where others are mapped",
        breaks: "EXEC sp_droplinkedsrvlogin N'SQL2', N'stopmark';\n\
                 CREATE LOGIN somebody WITH PASSWORD = N'Stage-Pa55word';\n\
                 EXEC sp_addlinkedsrvlogin N'SQL2', 'FALSE', N'somebody', N'stopmark', N'Stage-Pa55word';",
        found_by: (
            CHECK,
            Exit::Failed,
            "BLOCKS `SQL2`: `stopmark`, the agent's own login, is not mapped",
        ),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "18456",
        breaks: "EXEC sp_addlinkedsrvlogin N'SQL2', 'FALSE', N'stopmark', N'stopmark', N'not the password';",
        found_by: (TEST, Exit::Failed, "18456"),
        cure: Cure::Apply(NAMED),
    },
    Kind {
        numbers: "7409, 7413, 7437, 18452: the agent's login goes on as itself",
        breaks: "EXEC sp_addlinkedsrvlogin N'SQL2', 'TRUE', N'stopmark';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "`stopmark` passes as itself, and the agent logs in with SQL",
        ),
        cure: Cure::Apply(&[]),
    },
    Kind {
        numbers: "none: everybody passes as itself",
        breaks: "EXEC sp_addlinkedsrvlogin N'SQL2', 'TRUE', NULL;",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: every local login may pass as itself",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: everybody becomes somebody",
        breaks: "EXEC sp_addlinkedsrvlogin N'SQL2', 'FALSE', NULL, N'stopmark', N'Stage-Pa55word';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "every local login becomes `stopmark` on the other side",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: the mark over there would stand by itself",
        breaks: "EXEC sp_serveroption N'SQL2', N'remote proc transaction promotion', N'false';",
        found_by: (
            CHECK,
            Exit::Failed,
            "BLOCKS `SQL2`: `remote proc transaction promotion` is off",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: text compared by another collation",
        breaks: "EXEC sp_serveroption N'SQL2', N'collation compatible', N'true';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: `collation compatible` is on",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "3910: a link that leads home",
        breaks: "EXEC sp_addlinkedserver N'HOME', N'', N'MSOLEDBSQL', N'tcp:{SQL1}';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `HOME`: it leads back to its own host",
        ),
        cure: Cure::Person("EXEC sp_dropserver N'HOME', 'droplogins';"),
    },
    Kind {
        numbers: "3920: a second link to one host",
        breaks: "EXEC sp_addlinkedserver N'OTHER', N'', N'MSOLEDBSQL', N'tcp:{SQL2}';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: `OTHER` leads to the same host",
        ),
        cure: Cure::Person("EXEC sp_dropserver N'OTHER', 'droplogins';"),
    },
];

async fn linked() -> Stage {
    let layout: [(&str, &[&str]); 3] = [
        ("SQL1", &["Ledger"]),
        ("SQL2", &["Accounts"]),
        ("SQL3", &[]),
    ];
    let stage = Stage::set(&layout).await;
    stage.must(&["link", "apply"]).await;
    stage
}

/// The text with the hosts' addresses in it.
fn addressed(stage: &Stage, text: &str) -> String {
    let hosts = stage.hosts.iter();
    hosts.fold(text.to_owned(), |text, (name, host)| {
        let port = host.address().port();
        text.replace(&format!("{{{name}}}"), &format!("127.0.0.1,{port}"))
    })
}

/// The T-SQL that mends what was found, in the order of the findings.
async fn printed(stage: &Stage) -> Vec<String> {
    let found = stage.run(&["link", "check", "--json"]).await;
    let found: Value = serde_json::from_str(&found.stdout).expect("json");
    let findings = found["findings"].as_array().expect("findings");
    let script = |finding: &Value| finding["script"].as_str().map(str::to_owned);
    findings.iter().filter_map(script).collect()
}

async fn mend(stage: &Stage, cure: &Cure) {
    match cure {
        Cure::Printed => {
            for sql in printed(stage).await {
                stage.script("SQL1", "master", &sql).await;
            }
        }
        Cure::Apply(words) => {
            let words = [&["link", "apply"][..], words].concat();
            stage.must(&words).await;
        }
        Cure::Person(sql) => stage.script("SQL1", "master", sql).await,
    }
}

async fn healthy(stage: &Stage) {
    stage.must(CHECK).await;
    stage.must(TEST).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_broken_link_is_found_mended_and_healthy_again() {
    let stage = linked().await;
    healthy(&stage).await;
    for kind in KINDS {
        let breaks = addressed(&stage, kind.breaks);
        stage.script("SQL1", "master", &breaks).await;
        let (words, exit, told) = kind.found_by;
        let found = stage.run(words).await;
        let said = format!("{}: {}{}", kind.numbers, found.stdout, found.stderr);
        assert_eq!(found.exit, exit, "{said}");
        assert!(said.contains(told), "{told}\n{said}");
        mend(&stage, &kind.cure).await;
        healthy(&stage).await;
    }
    stage.must(&["link", "check", "--trial-mark"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_the_management_host_does_not_trust_is_found_by_the_call_7303() {
    let stage = linked().await;
    let other = tempfile::tempdir().expect("a folder");
    let strange = Authority::open(other.path()).expect("an authority");
    let pem = |file: &std::path::Path| fs::read_to_string(file).expect("a certificate");
    stage.network.trust(&pem(strange.file()));
    let found = stage.run(TEST).await;
    assert_eq!(found.exit, Exit::Failed, "{}", found.stdout);
    let told = "trusts its certificate";
    let said = format!("{}{}", found.stdout, found.stderr);
    assert!(said.contains(told), "{said}");
    stage.network.trust(&pem(stage.authority_file()));
    healthy(&stage).await;
}

/// The link as `SQL Server Management Studio` makes it: nothing said but the product.
const BY_HAND: &str = "EXEC sp_addlinkedserver N'SQL2', N'SQL Server';";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_gets_links_that_its_driver_takes_and_those_made_by_hand_are_found() {
    for (version, provider, words) in [
        (Version::V2016, "SQLNCLI", "Encrypt=yes"),
        (Version::V2019, "MSOLEDBSQL", "Encrypt=yes"),
        (Version::V2022, "MSOLEDBSQL", "Encrypt=yes"),
        (Version::V2025, "MSOLEDBSQL", "Encrypt=Mandatory"),
    ] {
        let layout: [(&str, &[&str]); 2] = [("SQL1", &["Ledger"]), ("SQL2", &["Accounts"])];
        let stage = Stage::of(&layout, |name, options| {
            // The other host is as old as BizTalk groups often are.
            options.version = if name == "SQL1" {
                version
            } else {
                Version::V2016
            };
        })
        .await;
        stage.must(&["group", "prepare"]).await;
        stage.script("SQL1", "master", BY_HAND).await;
        let found = stage.run(CHECK).await;
        assert_ne!(found.exit, Exit::Ok, "{version:?}: {}", found.stdout);
        let everybody = "every local login may pass as itself";
        assert!(
            found.stdout.contains(everybody),
            "{version:?}: {}",
            found.stdout
        );
        let silent = found.stdout.contains("it does not say how it encrypts");
        assert_eq!(
            silent,
            version == Version::V2025,
            "{version:?}: {}",
            found.stdout
        );
        stage.must(&["link", "apply", "--foreign", "SQL2"]).await;
        healthy(&stage).await;
        let sql = "SELECT provider + N' ' + provider_string FROM sys.servers WHERE name = N'SQL2';";
        let made = stage.text("SQL1", sql).await;
        assert!(
            made.starts_with(provider) && made.contains(words),
            "{version:?}: {made}"
        );
        stage.must(&["link", "check", "--trial-mark"]).await;
        stage.must(&["backup", "full"]).await;
        stage.must(&["backup", "log"]).await;
    }
}
