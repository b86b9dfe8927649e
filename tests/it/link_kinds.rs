//! Every kind of broken link that SQL Server has a number for, as a person meets it: broken, found, mended, healthy.
//!
//! Start at [`KINDS`], which says for each number what breaks the link, who finds it, and what mends it. What a mark meets
//! on its way through a link is told in `link_errors`.

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
        cure: Cure::Printed,
    },
    Kind {
        numbers: "3920: a second link to one host",
        breaks: "EXEC sp_addlinkedserver N'OTHER', N'', N'MSOLEDBSQL', N'tcp:{SQL2}';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `SQL2`: `OTHER` leads to the same host",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: files that every SQL login reads as the service account",
        breaks: "EXEC sp_addlinkedserver N'RATES', N'', N'Microsoft.ACE.OLEDB.12.0', N'/shared/rates.xlsx', NULL, N'Excel 12.0';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `RATES`: every SQL login without a mapping of its own passes with the rights of the service account: \
             `Microsoft.ACE.OLEDB.12.0` reads files",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: one SQL login that reads them so, whatever it becomes there",
        breaks: "CREATE LOGIN clerk WITH PASSWORD = N'Stage-Pa55word';\n\
                 EXEC sp_addlinkedsrvlogin N'RATES', 'FALSE', N'clerk', N'Admin', NULL;",
        found_by: (
            CHECK,
            Exit::Degraded,
            "risk   `RATES`: the SQL login `clerk` passes with the rights of the service account",
        ),
        cure: Cure::Printed,
    },
    Kind {
        numbers: "none: a link whose own words ask for the Windows account",
        breaks: "EXEC sp_addlinkedserver N'BOOKS', N'', N'MSOLEDBSQL', N'tcp:books.example', NULL,\n\
                 N'Encrypt=yes;Integrated Security=SSPI';\n\
                 EXEC sp_droplinkedsrvlogin N'BOOKS', NULL;\n\
                 EXEC sp_addlinkedsrvlogin N'BOOKS', 'FALSE', N'clerk', N'reader', N'Stage-Pa55word';",
        found_by: (
            CHECK,
            Exit::Degraded,
            "the link's own words ask for the Windows account",
        ),
        cure: Cure::Printed,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_names_for_one_host_are_found_before_anything_is_touched_3920() {
    let layout: [(&str, &[&str]); 2] = [("SQL1", &["Ledger"]), ("SQL2", &["Accounts", "Cards"])];
    let stage = Stage::set(&layout).await;
    let text = fs::read_to_string(stage.config_path()).expect("the configuration");
    let at = text.find("[hosts.\"SQL2\"]").expect("its section");
    let twin = text[at..].replace("\"SQL2\"", "\"PAYLIST\"");
    fs::write(stage.config_path(), format!("{text}\n{twin}")).expect("writes");
    stage.edit("SQL2/Cards", "PAYLIST/Cards");
    let found = stage.run(CHECK).await;
    let said = format!("{}{}", found.stdout, found.stderr);
    assert_eq!(found.exit, Exit::Failed, "{said}");
    let told = "BLOCKS `SQL2`: `PAYLIST` and `SQL2` are one host, `SQL2`";
    let cure = "cure: remove `[hosts.'PAYLIST']`, and name its members by `SQL2`";
    assert!(said.contains(told) && said.contains(cure), "{said}");
    let run = stage.run(&["backup", "log"]).await;
    assert!(
        run.stdout.contains("two names for one host"),
        "{}",
        run.stdout
    );
    for (host, database) in [("SQL1", "Ledger"), ("SQL2", "Accounts"), ("SQL2", "Cards")] {
        let marks = "SELECT COUNT_BIG(*) FROM stopmark.MarkLog";
        assert_eq!(
            stage.number(host, database, marks).await,
            0,
            "{host}/{database}"
        );
    }
    stage.edit("PAYLIST/Cards", "SQL2/Cards");
    stage.edit(&format!("\n{twin}"), "");
    stage.must(&["link", "apply"]).await;
    healthy(&stage).await;
    stage.must(&["backup", "full"]).await;
    stage.must(&["backup", "log"]).await;
}
