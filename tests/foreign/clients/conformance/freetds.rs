//! FreeTDS's `tsql`, asked for the suite's features; it knows T-SQL and nothing else.
//!
//! Start at [`run`]. It prints what it is told, so a value is compared as FreeTDS writes it.

use super::features::VALUES;
use super::servers::{ANY, Servers};
use super::{Outcome, Told, equal, require};
use crate::clients::tsql::{Answer, Encryption, Tsql};

const LONG: &str = "WAITFOR DELAY '00:01:00'";
const DATABASE: &str = "freetds";

/// What FreeTDS writes in its own way.
const WRITTEN: &[(&str, &str)] = &[
    ("smallmoney", "7.8900"),
    ("binary(2)", "0102"),
    ("varbinary(8)", "00ff"),
    ("varbinary(max)", "abcdef"),
    ("date", "Nov 21 2026 12:00AM"),
    ("time(3)", "Jan  1 1900 09:04AM"),
    ("datetime", "Nov 21 2026 09:04AM"),
    ("smalldatetime", "Nov 21 2026 09:04AM"),
    ("datetime2(3)", "Nov 21 2026 09:04AM"),
    ("datetimeoffset(3)", "Nov 21 2026 09:04AM"),
];

/// Asks for each feature that it has.
pub(super) fn run(servers: &Servers, features: &[&str]) -> Vec<Told> {
    let told = features
        .iter()
        .filter_map(|feature| Some(Told::new(feature, act(servers, feature)?)));
    told.collect()
}

fn act(servers: &Servers, feature: &str) -> Option<Outcome> {
    Some(match feature {
        "login_off" => is_encrypted(servers, "never", Encryption::Off, "FALSE"),
        "login_only" => is_encrypted(servers, ANY, Encryption::Request, "FALSE"),
        "login_on" => ["required", ANY]
            .into_iter()
            .try_for_each(|host| is_encrypted(servers, host, Encryption::Require, "TRUE")),
        "distrust" => distrust(servers),
        "never_in_clear" => {
            let client = client(servers, "never", Encryption::Require);
            require(!say(&client, &["SELECT 1"]).is_ok, "it was let in")
        }
        "query" => query(servers),
        "columns" => columns(servers),
        "commit" => ends(servers, "COMMIT TRANSACTION", "1"),
        "rollback" => ends(servers, "ROLLBACK TRANSACTION", "0"),
        "first_error" => two_errors(servers, &[4214]),
        "both_errors" => two_errors(servers, &[4214, 3013]),
        "information" => information(servers),
        "live_progress" => live_progress(servers),
        "mark" => mark(servers),
        "wrong_password" => {
            let answer = say(&any(servers).with_login("sa", "wrong"), &["SELECT 1"]);
            equal(answer.numbers().as_slice(), &[18456])
        }
        "unknown_database" => {
            let answer = say(&any(servers).into_database("nowhere"), &["SELECT 1"]);
            equal(answer.numbers().as_slice(), &[4060, 18456])
        }
        "unknown_procedure" => {
            let answer = say(&any(servers), &["EXEC dbo.Nowhere 1", "SELECT 'seven', 7"]);
            let is_told = equal(answer.numbers().as_slice(), &[2812]);
            is_told.and_then(|()| has(&answer, "seven|7"))
        }
        "killed" => killed(servers),
        _ => return None,
    })
}

fn client(servers: &Servers, host: &str, encryption: Encryption) -> Tsql {
    let (address, authority) = (servers.address(host), servers.authority_file());
    Tsql::at(address, servers.folder(), encryption, authority).into_database(DATABASE)
}

fn any(servers: &Servers) -> Tsql {
    client(servers, ANY, Encryption::Require)
}

fn say(client: &Tsql, batches: &[&str]) -> Answer {
    client.say_and_see(batches, "\0", || {})
}

fn has(answer: &Answer, row: &str) -> Outcome {
    require(answer.has_row(row), &format!("no row {row}: {answer:?}"))
}

fn is_encrypted(servers: &Servers, host: &str, with: Encryption, expected: &str) -> Outcome {
    let question = "SELECT 'encrypted', encrypt_option FROM sys.dm_exec_connections \
        WHERE session_id = @@SPID";
    let answer = say(&client(servers, host, with), &[question]);
    has(&answer, &format!("encrypted|{expected}"))
}

fn distrust(servers: &Servers) -> Outcome {
    let (ours, other) = (servers.authority_file(), servers.stranger_file());
    let client = any(servers).trusting(ours, other);
    require(!say(&client, &["SELECT 1"]).is_ok, "it was let in")
}

fn query(servers: &Servers) -> Outcome {
    let answer = say(
        &any(servers),
        &[
            "SELECT N'Zoë 🦀' AS who, 7 AS n, NULL AS nothing",
            "SELECT id, word FROM dbo.Words ORDER BY id",
        ],
    );
    has(&answer, "Zoë 🦀|7|NULL")?;
    let word = "é".repeat(200);
    (1..=300).try_for_each(|id| has(&answer, &format!("{id}|{word}")))
}

fn columns(servers: &Servers) -> Outcome {
    let batches: Vec<String> = VALUES
        .iter()
        .map(|(ty, literal, _)| {
            format!("SELECT '{ty}', CAST({literal} AS {ty}), CAST(NULL AS {ty})")
        })
        .collect();
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    let answer = say(&any(servers), &batches);
    for (ty, _, shown) in VALUES {
        let own = WRITTEN.iter().find(|(written, _)| written == ty);
        let shown = own.map_or(*shown, |(_, shown)| shown);
        has(&answer, &format!("{ty}|{shown}|NULL"))?;
    }
    Ok(())
}

fn ends(servers: &Servers, end: &str, rows: &str) -> Outcome {
    let word = format!("ends {end}");
    let insert = format!("INSERT INTO dbo.Kept (word) VALUES ('{word}')");
    say(&any(servers), &["BEGIN TRANSACTION", &insert, end]);
    let question = format!("SELECT 'kept', COUNT(*) FROM dbo.Kept WHERE word = '{word}'");
    let answer = say(&any(servers), &[&question]);
    has(&answer, &format!("kept|{rows}"))
}

fn two_errors(servers: &Servers, expected: &[u32]) -> Outcome {
    let answer = say(&any(servers), &["BACKUP LOG model TO DISK = N'never.trn'"]);
    let numbers = answer.numbers();
    equal(&numbers[..expected.len().min(numbers.len())], expected)
}

fn information(servers: &Servers) -> Outcome {
    let answer = say(
        &any(servers),
        &["RAISERROR(N'ten is %d', 10, 1, 10); SELECT 'seven', 7"],
    );
    require(answer.messages.contains("ten is 10"), &answer.messages)?;
    has(&answer, "seven|7")
}

fn live_progress(servers: &Servers) -> Outcome {
    let batch = servers.backup_that_waits_to_be_seen(DATABASE);
    let answer = any(servers).say_and_see(&[&batch], "percent processed", || {
        let seen = "INSERT INTO dbo.Kept (word) VALUES ('seen')";
        say(&any(servers), &[seen]);
    });
    has(&answer, "1")
}

fn mark(servers: &Servers) -> Outcome {
    let place = "BEGIN TRANSACTION M_freetds WITH MARK N'from freetds'; \
        INSERT INTO dbo.Kept (word) VALUES ('marked'); COMMIT TRANSACTION M_freetds";
    let question = "SELECT database_name, description FROM msdb.dbo.logmarkhistory \
        WHERE mark_name = 'M_freetds'";
    has(
        &say(&any(servers), &[place, question]),
        "freetds|from freetds",
    )
}

fn killed(servers: &Servers) -> Outcome {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| say(&any(servers), &[LONG, "SELECT 'still', 'here'"]));
        let running_one = format!(
            "SELECT 'spid', session_id FROM sys.dm_exec_requests \
             WHERE database_id = DB_ID('{DATABASE}') AND session_id <> @@SPID"
        );
        let spid = loop {
            let answer = say(&any(servers), &[&running_one]);
            let mut rows = answer.output.lines();
            if let Some(spid) = rows.find_map(|row| row.strip_prefix("spid|")) {
                break spid.to_owned();
            }
        };
        say(&any(servers), &[&format!("KILL {spid}")]);
        let answer = running.join().map_err(|_| "the client broke down")?;
        require(!answer.has_row("still|here"), "a killed session answers")
    })
}
