//! A restore on paper: the files that `restore plan --script` writes bring the group back without Stopmark.
//!
//! Start at [`the_scripts_alone_bring_the_group_back`]. Batches are sent one by one as any client does; the same with
//! foreign clients is in `tests/foreign`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures::TryStreamExt as _;
use stopmark::error::Exit;
use tiberius::QueryItem;

use crate::biztalk_stage::biztalk;
use crate::scrub::shaped;
use crate::stage::{Stage, must};

/// Logins of the application and of who owns its databases; another host gives them other SIDs.
const LOGINS: &str = "CREATE LOGIN [ap'p] WITH PASSWORD = 'Str0ng!pass';\nGO\n\
    CREATE LOGIN [bo]]ss] WITH PASSWORD = 'Str0ng!pass';";

/// Two hosts with three members, a row before the full, one before the log, and one that no mark carries.
async fn backed_up() -> Stage {
    let stage = Stage::set(&[
        ("SQL1", &["Orders", "Led]ger"]),
        ("SQL2", &["Acc'ounts"]),
        ("SPARE", &[]),
    ])
    .await;
    let row = |sql: &'static str| stage.script("SQL1", "Led]ger", sql);
    row("CREATE TABLE dbo.T (id bigint NOT NULL); INSERT INTO dbo.T VALUES (1);").await;
    stage.script("SQL1", "master", LOGINS).await;
    row("CREATE USER [work]]er] FOR LOGIN [ap'p];").await;
    let had = "ALTER AUTHORIZATION ON DATABASE::[Led]]ger] TO [bo]]ss];\nGO\n\
               ALTER DATABASE [Led]]ger] SET TRUSTWORTHY ON;";
    stage.script("SQL1", "master", had).await;
    must(&stage.run(&["backup", "full"]).await);
    row("INSERT INTO dbo.T VALUES (2);").await;
    must(&stage.run(&["backup", "log"]).await);
    row("INSERT INTO dbo.T VALUES (4);").await;
    stage
}

/// The folder with the files.
async fn written(stage: &Stage) -> PathBuf {
    let (printed, folder) = stage.on_paper().await;
    must(&printed);
    folder
}

/// Runs the shell script; what it said.
fn fetched(folder: &Path) -> (bool, String) {
    fetched_on(folder, "SPARE")
}

fn fetched_on(folder: &Path, host: &str) -> (bool, String) {
    let ran = Command::new("sh")
        .arg(folder.join(format!("fetch-{host}.sh")))
        .output()
        .expect("a shell");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (ran.status.success(), text(ran.stdout) + &text(ran.stderr))
}

/// Sends the script batch by batch on one connection, whatever each says; the errors.
async fn sent(stage: &Stage, folder: &Path) -> Vec<String> {
    sent_to(stage, folder, "SPARE").await
}

async fn sent_to(stage: &Stage, folder: &Path, host: &str) -> Vec<String> {
    let script = folder.join(format!("restore-{host}.sql"));
    let script = fs::read_to_string(script).expect("the script");
    let mut client = stage.client(host, "master").await;
    let mut errors = Vec::new();
    for batch in script
        .split("\nGO\n")
        .filter(|batch| !batch.trim().is_empty())
    {
        let done = match client.simple_query(batch).await {
            Ok(stream) => stream.try_for_each(|_: QueryItem| async { Ok(()) }).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            errors.push(error.to_string());
        }
    }
    errors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scripts_alone_bring_the_group_back() {
    let stage = backed_up().await;
    let folder = written(&stage).await;
    let (is_ok, said) = fetched(&folder);
    assert!(is_ok && said.contains("ALL FILES ARE THERE"), "{said}");
    stage.script("SPARE", "master", LOGINS).await;
    assert_eq!(sent(&stage, &folder).await, Vec::<String>::new());
    let sum = "SELECT SUM(id) FROM dbo.T;";
    assert_eq!(
        stage.number("SPARE", "Led]ger", sum).await,
        3,
        "to the mark, and no further"
    );

    let had = "SELECT SUSER_SNAME(d.owner_sid) + CAST(d.is_trustworthy_on AS nvarchar(1)) \
               FROM sys.databases AS d WHERE d.name = N'Led]ger';";
    assert_eq!(stage.text("SPARE", had).await, "bo]ss1");
    let mapped = "SELECT COUNT_BIG(*) FROM sys.database_principals AS p \
                  INNER JOIN sys.server_principals AS s ON s.sid = p.sid WHERE p.name = N'work]er';";
    assert_eq!(stage.number("SPARE", "Led]ger", mapped).await, 1);

    let (is_ok, said) = fetched(&folder);
    assert!(is_ok && !said.contains("fetching"), "{said}");
    let again = sent(&stage, &folder).await;
    assert_eq!(
        again,
        Vec::<String>::new(),
        "what stands at the mark is left as it is"
    );
    assert_eq!(stage.number("SPARE", "Led]ger", sum).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_there_is_left_alone_and_the_script_ends_with_an_error() {
    let stage = backed_up().await;
    let folder = written(&stage).await;
    let (is_ok, said) = fetched(&folder);
    assert!(is_ok, "{said}");
    stage
        .script("SPARE", "master", "CREATE DATABASE [Led]]ger];")
        .await;
    let errors = sent(&stage, &folder).await;
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(
        errors[0].contains("SQL1/Led]ger DOES NOT STAND AT THE MARK"),
        "{errors:#?}"
    );
    assert!(errors[1].contains("ARE NOT AT THE MARK"), "{errors:#?}");
    let others = stage.text(
        "SPARE",
        "SELECT state_desc FROM sys.databases WHERE name = N'Orders';",
    );
    assert_eq!(others.await, "ONLINE", "the others come back all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_the_mark_leaves_its_member_restoring_and_is_told() {
    let stage = backed_up().await;
    let folder = written(&stage).await;
    assert!(fetched(&folder).0);
    let script = folder.join("restore-SPARE.sql");
    let text = fs::read_to_string(&script).expect("the script");
    let (before, after) = text.split_once("RESTORE LOG [Orders]").expect("its log");
    let lost = after.replacen("STOPATMARK = N'SM_", "STOPATMARK = N'XX_", 1);
    fs::write(&script, format!("{before}RESTORE LOG [Orders]{lost}")).expect("writes");
    let errors = sent(&stage, &folder).await;
    assert!(
        errors[0].contains("SQL1/Orders DOES NOT STAND AT THE MARK. State: RESTORING"),
        "4329 is no error to a client: {errors:#?}"
    );
    assert_eq!(errors.len(), 2, "{errors:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_object_is_found_before_any_restore_sees_it() {
    let stage = backed_up().await;
    let folder = written(&stage).await;
    let text = fs::read_to_string(folder.join("fetch-SPARE.sh")).expect("the script");
    let key = text.lines().find_map(|line| {
        let at = line.find("'v1/")?;
        line[at + 1..].split('\'').next()
    });
    let object = stage.path("store").join(key.expect("an object"));
    let mut bytes = fs::read(&object).expect("it is there");
    bytes[4096] ^= 1;
    fs::write(&object, bytes).expect("writes");
    let (is_ok, said) = fetched(&folder);
    assert!(!is_ok && said.contains("NOT WHOLE in store main"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_are_as_reviewed() {
    let stage = backed_up().await;
    let folder = written(&stage).await;
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("ASCII")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["RUNBOOK.md", "fetch-SPARE.sh", "restore-SPARE.sql"]);
    for name in names {
        let text = fs::read_to_string(folder.join(&name)).expect("a file");
        let text = shaped(&stage.scrub(&text), &"x".repeat(64), "<digest>");
        let text = shaped(&text, "0000-00-00 00:00:00", "<time>");
        insta::assert_snapshot!(name.clone(), text);
    }
    let (again, _) = stage.on_paper().await;
    assert_eq!(
        again.exit,
        Exit::Usage,
        "no file is ever overwritten: {}",
        again.stderr
    );
}

/// A BizTalk group with one point, and the paper that brings it to the host `DR`; its folder and the point's mark.
async fn biztalk_on_paper() -> (Stage, PathBuf, String) {
    let stage = biztalk("").await;
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    let (folder, files) = (stage.path("paper"), stage.path("restored"));
    fs::create_dir_all(&files).expect("a folder");
    let (paper, files) = (folder.display().to_string(), files.display().to_string());
    let to = ["restore", "plan", "--to-host", "DR", "--files-in", &files];
    must(&stage.run(&[&to[..], &["--script", &paper]].concat()).await);
    assert!(fetched_on(&folder, "DR").0);
    let text = fs::read_to_string(folder.join("restore-DR.sql")).expect("the script");
    let (_, mark) = text.split_once("STOPATMARK = N'").expect("a mark");
    let mark = mark.split('\'').next().expect("its end").to_owned();
    (stage, folder, mark)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_biztalk_database_that_is_only_past_the_mark_is_not_taken_for_restored() {
    let (stage, folder, mark) = biztalk_on_paper().await;
    let live = format!(
        "CREATE DATABASE SSODB;\nGO\nUSE SSODB;\nGO\n\
         CREATE TABLE dbo.MarkLog (MarkName nvarchar(128) NULL);\nGO\n\
         INSERT INTO dbo.MarkLog VALUES (N'{mark}');"
    );
    stage.script("DR", "master", &live).await;
    let errors = sent_to(&stage, &folder, "DR").await;
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let told = "BTS1/SSODB DOES NOT STAND AT THE MARK";
    assert!(errors[0].contains(told), "{errors:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_script_brings_a_biztalk_group_back_and_tells_of_rows_that_are_named_later() {
    let (stage, folder, mark) = biztalk_on_paper().await;
    assert_eq!(
        sent_to(&stage, &folder, "DR").await,
        Vec::<String>::new(),
        "{mark}"
    );
    let later = "INSERT INTO dbo.MarkLog (MarkName) VALUES (N'BTS_2098_01_01_00_00_00_000');";
    stage.script("DR", "SSODB", later).await;
    let again = sent_to(&stage, &folder, "DR").await;
    assert_eq!(again, Vec::<String>::new(), "told, and no error");
    let paper = fs::read_to_string(folder.join("restore-DR.sql")).expect("the script");
    let mut proofs = paper.split("\nGO\n");
    let proof = proofs.find(|batch| batch.contains("BEWARE") && batch.contains("N'BTS1/SSODB'"));
    let proof = proof.expect("a proof of each member");
    let begin = "CREATE TABLE #stopmark_wrong (member nvarchar(400) NOT NULL);\n\
                 CREATE TABLE #stopmark_newest (mark nvarchar(128) NULL);\n";
    let asked = format!("{begin}{proof}\nSELECT @beyond;");
    let found = stage.text("DR", &asked).await;
    assert_eq!(found, "BTS_2098_01_01_00_00_00_000");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_biztalk_group_gets_the_file_that_its_own_scripts_read() {
    let stage = Stage::set(&[
        ("SQL1", &["BizTalkMgmtDb", "BizTalkMsgBoxDb", "SSODB"]),
        ("SQL2", &["BizTalkDTADb", "BAMPrimaryImport", "Custom&Co"]),
        ("SPARE", &[]),
    ])
    .await;
    must(&stage.run(&["backup", "full"]).await);
    must(&stage.run(&["backup", "log"]).await);
    // The marks are in our own table; what makes it a BizTalk group here is only what the paper is told.
    stage.edit("mark_log = \"stopmark\"", "mark_log = \"biztalk\"");
    let folder = written(&stage).await;
    let xml = fs::read_to_string(folder.join("SampleUpdateInfo.xml")).expect("the file");
    for wanted in [
        "<MessageBoxDB oldDBName=\"BizTalkMsgBoxDb\" oldDBServer=\"SQL1\" newDBName=\"BizTalkMsgBoxDb\" newDBServer=\"SPARE\" IsMaster=\"1\" />",
        "<TrackingDB oldDBName=\"BizTalkDTADb\" oldDBServer=\"SQL2\"",
        "<ManagementDB oldDBName=\"BizTalkMgmtDb\"",
        "<DeploymentUnit Name=\"OldPrimaryImportDatabase\">",
        "<Database Name=\"Custom&amp;Co\" oldDBName=\"Custom&amp;Co\"",
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
    assert!(!xml.contains("\"SSODB\""), "{xml}");
    let runbook = fs::read_to_string(folder.join("RUNBOOK.md")).expect("the runbook");
    for wanted in [
        "UpdateDatabase.vbs",
        "UpdateRegistry.vbs",
        "restoresecret",
        "BAMStarSchema",
    ] {
        assert!(runbook.contains(wanted), "{wanted}");
    }
}
