//! Statements: rows, errors in their order, and the messages of a backup.

use super::tsql::{Answer, Tsql};
use crate::hosts::Hosts;

/// One host, and what `tsql` sees of these batches there.
async fn seen(batches: &[&str]) -> Answer {
    let hosts = Hosts::start(&["ONE"]).await;
    let answer = Tsql::new(&hosts, "ONE").say(batches).await;
    hosts.stop().await;
    assert!(answer.is_ok, "{answer:?}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn select_1_is_a_row_and_nothing_else() {
    let answer = seen(&["SELECT 1"]).await;
    assert_eq!(
        (answer.output.as_str(), answer.messages.as_str()),
        ("\n1\n", "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_kind_arrive_as_they_were_written() {
    let answer = seen(&[
        "CREATE DATABASE pay",
        "USE pay",
        "CREATE TABLE dbo.Pay (id bigint NOT NULL PRIMARY KEY, who nvarchar(40) NULL, \
         amount decimal(9,2) NULL, code varbinary(8) NULL, is_paid bit NULL, pay uniqueidentifier NULL)",
        "INSERT INTO dbo.Pay (id, who, amount, code, is_paid, pay) VALUES (-5, N'Zoë 🦀', 12.50, \
         0x0102, 1, '6F9619FF-8B86-D011-B42D-00C04FC964FF'); INSERT INTO dbo.Pay (id) VALUES (7)",
        "SELECT DB_NAME() AS here, id, who, amount, code, is_paid, pay FROM dbo.Pay ORDER BY id",
    ])
    .await;
    let expected = "here|id|who|amount|code|is_paid|pay\n\
         pay|-5|Zoë 🦀|12.50|0102|1|6F9619FF-8B86-D011-B42D-00C04FC964FF\n\
         pay|7|NULL|NULL|NULL|NULL|NULL\n";
    assert_eq!(
        (answer.output.as_str(), answer.messages.as_str()),
        (expected, "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_many_packets_arrives_whole() {
    let fill = "CREATE TABLE #Long (id int NOT NULL, word nvarchar(200) NOT NULL); DECLARE @i int = 0; \
        WHILE @i < 300 BEGIN SET @i = @i + 1; INSERT INTO #Long VALUES (@i, REPLICATE(N'é', 200)) END";
    let answer = seen(&[fill, "SELECT id, word FROM #Long ORDER BY id"]).await;
    let word = "é".repeat(200);
    let expected: Vec<String> = (1..=300).map(|id| format!("{id}|{word}")).collect();
    let rows: Vec<&str> = answer
        .output
        .lines()
        .filter(|line| line.contains('é'))
        .collect();
    assert!(rows == expected, "{} rows, {}", rows.len(), answer.messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_quotes_brackets_and_emoji_are_names() {
    let name = "we]ird '''db\" 🦀";
    let quoted = format!("[{}]", name.replace(']', "]]"));
    let (create, into) = (format!("CREATE DATABASE {quoted}"), format!("USE {quoted}"));
    let answer = seen(&[&create, &into, "SELECT DB_NAME()"]).await;
    assert!(answer.has_row(name), "{answer:?}");
    assert_eq!(answer.messages, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_backup_without_a_full_shows_4214_and_then_3013() {
    let answer = seen(&[
        "CREATE DATABASE pay",
        "BACKUP LOG pay TO DISK = N'never.trn'",
    ])
    .await;
    let expected = "Msg 4214 (severity 16, state 1) from ONE Line 1:\n\
         \t\"BACKUP LOG cannot be performed because there is no current database backup.\"\n\
         Msg 3013 (severity 16, state 1) from ONE Line 1:\n\
         \t\"BACKUP LOG is terminating abnormally.\"\n";
    assert_eq!(answer.messages, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_shows_its_progress_and_then_what_it_wrote() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().display();
    let full = format!("BACKUP DATABASE pay TO DISK = N'{to}/pay.bak' WITH STATS = 10, CHECKSUM");
    let log = format!("BACKUP LOG pay TO DISK = N'{to}/pay.trn'");
    let history =
        "SELECT type, has_backup_checksums FROM msdb.dbo.backupset ORDER BY backup_set_id";
    let answer = seen(&["CREATE DATABASE pay", &full, &log, history]).await;
    let numbers = answer.numbers();
    let steps = numbers.iter().take_while(|&&number| number == 3211).count();
    assert!(steps > 0, "{answer:?}");
    assert_eq!(
        numbers[steps..],
        [4035, 4035, 3014, 4035, 3014],
        "{answer:?}"
    );
    assert!(
        answer.messages.contains("\"100 percent processed.\""),
        "{answer:?}"
    );
    let wrote = "\"BACKUP DATABASE successfully processed ";
    assert!(answer.messages.contains(wrote), "{answer:?}");
    assert!(!answer.messages.contains("severity 16"), "{answer:?}");
    assert!(answer.has_row("D|1") && answer.has_row("L|0"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_statement_does_not_end_the_connection() {
    let batches = [
        "USE nowhere",
        "SELECT * FROM nothing",
        "RAISERROR('five is %d', 16, 3, 5)",
        "PRINT N'still here'",
    ];
    let answer = seen(&batches).await;
    assert_eq!(answer.numbers(), [911, 208, 50000], "{answer:?}");
    assert!(
        answer
            .messages
            .contains("Msg 50000 (severity 16, state 3) from ONE Line 1:\n\t\"five is 5\""),
        "{answer:?}"
    );
    assert!(answer.messages.ends_with("still here\n"), "{answer:?}");
}
