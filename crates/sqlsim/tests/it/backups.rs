//! BACKUP and RESTORE as statements: messages, refusals, history, faults.

use sqlsim::value::Value;

use super::hosts::{Client, Cluster};

pub(crate) async fn one() -> (Cluster, Client) {
    let cluster = Cluster::start(&["SQL1"]).await;
    let mut client = cluster.hosts[0].client().await;
    client
        .script("CREATE DATABASE D\nGO\nCREATE TABLE D.dbo.T (Id int NOT NULL)")
        .await;
    (cluster, client)
}

pub(crate) fn to(cluster: &Cluster, what: &str, file: &str, with: &str) -> String {
    format!(
        "BACKUP {what} D TO DISK = '{}' WITH {with}",
        cluster.path(file)
    )
}

#[tokio::test]
async fn a_full_and_a_log_tell_their_pages_and_leave_history() {
    let (cluster, mut client) = one().await;
    let full = client
        .run(&to(
            &cluster,
            "DATABASE",
            "a.bak",
            "FORMAT, CHECKSUM, NAME = 'n'",
        ))
        .await;
    assert_eq!(full.info_numbers(), [4035, 4035, 3014]);
    client.run("INSERT INTO D.dbo.T VALUES (1)").await;
    let log = client
        .run(&to(&cluster, "LOG", "a.trn", "FORMAT, CHECKSUM"))
        .await;
    assert_eq!(log.info_numbers(), [4035, 3014]);
    let rows = client
        .run(
            "SELECT s.type, s.has_backup_checksums, s.is_copy_only, \
        s.begins_log_chain, s.recovery_model, f.device_type FROM msdb.dbo.backupset s \
        JOIN msdb.dbo.backupmediafamily f ON f.media_set_id = s.media_set_id \
        ORDER BY s.backup_set_id",
        )
        .await;
    let row = |kind: &str, begins| -> Vec<Value> {
        vec![
            kind.into(),
            true.into(),
            false.into(),
            Value::Bit(begins),
            "FULL".into(),
            2.into(),
        ]
    };
    assert_eq!(rows.rows, [row("D", false), row("L", true)]);
    let chain = client
        .run(
            "SELECT COUNT(*) FROM msdb.dbo.backupset l JOIN msdb.dbo.backupset d \
        ON l.first_lsn <= d.last_lsn AND d.last_lsn < l.last_lsn \
        WHERE l.type = 'L' AND d.type = 'D'",
        )
        .await;
    assert_eq!(chain.value(), &Value::Int(1));
    let next = client
        .run(
            "SELECT COUNT(*) FROM sys.database_recovery_status r \
        JOIN msdb.dbo.backupset l ON l.last_lsn = r.last_log_backup_lsn \
        WHERE r.database_id = DB_ID('D') AND l.type = 'L'",
        )
        .await;
    assert_eq!(next.value(), &Value::Int(1));
}

#[tokio::test]
async fn progress_is_told_in_the_steps_of_stats() {
    let (cluster, mut client) = one().await;
    let full = client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT, STATS = 50"))
        .await;
    let told = full
        .info_numbers()
        .iter()
        .filter(|number| **number == 3211)
        .count();
    assert!((1..=2).contains(&told), "{:?}", full.infos);
}

#[tokio::test]
async fn a_log_backup_without_a_full_is_refused_with_4214_and_then_3013() {
    let (cluster, mut client) = one().await;
    assert_eq!(
        client.fail(&to(&cluster, "LOG", "a.trn", "FORMAT")).await,
        [4214, 3013]
    );
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT, COPY_ONLY"))
        .await;
    assert_eq!(
        client.fail(&to(&cluster, "LOG", "a.trn", "FORMAT")).await,
        [4214, 3013]
    );
    client.run("ALTER DATABASE D SET RECOVERY SIMPLE").await;
    assert_eq!(
        client.fail(&to(&cluster, "LOG", "a.trn", "FORMAT")).await,
        [4208, 3013]
    );
}

#[tokio::test]
async fn a_differential_needs_a_base_that_a_copy_is_not() {
    let (cluster, mut client) = one().await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT, COPY_ONLY"))
        .await;
    let differential = to(&cluster, "DATABASE", "d.bak", "FORMAT, DIFFERENTIAL");
    assert_eq!(client.fail(&differential).await, [3035, 3013]);
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run(&differential).await;
}

#[tokio::test]
async fn a_backup_within_a_transaction_is_3021() {
    let (cluster, mut client) = one().await;
    let sql = to(&cluster, "DATABASE", "a.bak", "FORMAT");
    assert_eq!(
        client.fail(&format!("BEGIN TRAN; {sql}")).await,
        [3021, 3013]
    );
}

#[tokio::test]
async fn a_device_that_cannot_be_opened_is_3201_and_leaves_no_history() {
    let (cluster, mut client) = one().await;
    let errors = client
        .fail(&to(&cluster, "DATABASE", "no/such/a.bak", "FORMAT"))
        .await;
    assert_eq!(errors, [3201, 3013]);
    let count = client.run("SELECT COUNT(*) FROM msdb.dbo.backupset").await;
    assert_eq!(count.value(), &Value::Int(0));
}

#[tokio::test]
async fn a_full_disk_is_3202_with_the_systems_own_number() {
    let (cluster, mut client) = one().await;
    client
        .run("EXEC sp_sim_fault 'disk full', 'BACKUP DATABASE', 'D'")
        .await;
    let sql = to(&cluster, "DATABASE", "a.bak", "FORMAT");
    let answer = client.try_run(&sql).await;
    assert_eq!(answer.numbers(), [3202, 3013]);
    assert!(
        answer.errors[0].text.contains("112("),
        "{:?}",
        answer.errors
    );
    client.run(&sql).await;
}

#[tokio::test]
async fn an_armed_fault_fails_the_statement_that_it_names() {
    let (cluster, mut client) = one().await;
    client
        .run(
            "EXEC sp_sim_fault 'fail', @statement = 'BACKUP LOG', @number = 3271, \
        @text = 'A nonrecoverable I/O error occurred.', @skip = 1",
        )
        .await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run(&to(&cluster, "LOG", "1.trn", "FORMAT")).await;
    assert_eq!(
        client.fail(&to(&cluster, "LOG", "2.trn", "FORMAT")).await,
        [3271, 3013]
    );
    client.run(&to(&cluster, "LOG", "2.trn", "FORMAT")).await;
}

#[tokio::test]
async fn a_damaged_backup_is_found_by_verify_and_by_restore() {
    let (cluster, mut client) = one().await;
    client
        .run("EXEC sp_sim_fault 'damage', @offset = 100000")
        .await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT, CHECKSUM"))
        .await;
    let path = cluster.path("a.bak");
    let errors = client
        .fail(&format!("RESTORE VERIFYONLY FROM DISK = '{path}'"))
        .await;
    assert_eq!(errors.last(), Some(&3013));
    assert!(matches!(errors[0], 3183 | 3189), "{errors:?}");
}

#[tokio::test]
async fn media_tell_of_themselves_under_the_true_column_names() {
    let (cluster, mut client) = one().await;
    client
        .run(&to(
            &cluster,
            "DATABASE",
            "a.bak",
            "FORMAT, COPY_ONLY, CHECKSUM, NAME = 'x'",
        ))
        .await;
    let from = format!("FROM DISK = '{}'", cluster.path("a.bak"));
    let header = client.run(&format!("RESTORE HEADERONLY {from}")).await;
    assert_eq!(header.columns.len(), 59);
    assert_eq!(header.cell("BackupName"), &"x".into());
    assert_eq!(header.cell("BackupType"), &Value::Int(1));
    assert_eq!(header.cell("IsCopyOnly"), &Value::Bit(true));
    assert_eq!(header.cell("HasBackupChecksums"), &Value::Bit(true));
    let files = client.run(&format!("RESTORE FILELISTONLY {from}")).await;
    assert_eq!(files.rows.len(), 2);
    assert_eq!(files.cell("LogicalName"), &"D".into());
    let label = client.run(&format!("RESTORE LABELONLY {from}")).await;
    assert_eq!(label.cell("FamilyCount"), &Value::Int(1));
    let verified = client.run(&format!("RESTORE VERIFYONLY {from}")).await;
    assert_eq!(verified.info_numbers(), [3262]);
}

#[tokio::test]
async fn a_restore_that_lacks_its_mark_says_4329_and_stays_restoring() {
    let (cluster, mut client) = one().await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    client.run("INSERT INTO D.dbo.T VALUES (1)").await;
    client.run(&to(&cluster, "LOG", "a.trn", "FORMAT")).await;
    let (full, log) = (cluster.path("a.bak"), cluster.path("a.trn"));
    client
        .run(&format!(
            "RESTORE DATABASE C FROM DISK = '{full}' WITH NORECOVERY, \
        MOVE 'D' TO '{}', MOVE 'D_log' TO '{}'",
            cluster.path("c.mdf"),
            cluster.path("c.ldf")
        ))
        .await;
    assert_eq!(client.fail("SELECT * FROM C.dbo.T").await, [927]);
    let answer = client
        .run(&format!(
            "RESTORE LOG C FROM DISK = '{log}' WITH STOPATMARK = 'none', RECOVERY"
        ))
        .await;
    assert!(answer.info_numbers().contains(&4329), "{:?}", answer.infos);
    let state = client
        .run("SELECT state_desc FROM sys.databases WHERE name = 'C'")
        .await;
    assert_eq!(state.value(), &"RESTORING".into());
    client.run("RESTORE DATABASE C WITH RECOVERY").await;
    let rows = client.run("SELECT Id FROM C.dbo.T").await;
    assert_eq!(rows.rows, [[Value::Int(1)]]);
    let history = client
        .run(
            "SELECT restore_type, stop_at_mark_name FROM msdb.dbo.restorehistory \
        ORDER BY restore_history_id",
        )
        .await;
    assert_eq!(
        history.rows,
        [["D".into(), Value::Null], ["L".into(), "none".into()]]
    );
}

#[tokio::test]
async fn a_database_in_use_is_not_restored_over() {
    let (cluster, mut client) = one().await;
    client
        .run(&to(&cluster, "DATABASE", "a.bak", "FORMAT"))
        .await;
    let sql = format!(
        "RESTORE DATABASE D FROM DISK = '{}' WITH REPLACE",
        cluster.path("a.bak")
    );
    client.run("USE D").await;
    assert_eq!(client.fail(&sql).await, [3102, 3013]);
    client.run("USE master").await;
    let mut other = cluster.hosts[0].client().await;
    other.run("USE D").await;
    assert_eq!(client.fail(&sql).await, [3101, 3013]);
    other.run("USE master").await;
    client.run(&sql).await;
}

#[tokio::test]
async fn who_has_no_right_to_back_up_gets_262() {
    let (cluster, mut client) = one().await;
    client
        .run("CREATE LOGIN weak WITH PASSWORD = 'weak-pass1'")
        .await;
    client
        .script("USE D\nGO\nCREATE USER weak FOR LOGIN weak")
        .await;
    let mut weak = cluster.hosts[0]
        .client_of("weak", "weak-pass1")
        .await
        .expect("may log in");
    let sql = to(&cluster, "DATABASE", "a.bak", "FORMAT");
    assert_eq!(weak.fail(&sql).await, [262, 3013]);
    client
        .run("ALTER ROLE db_backupoperator ADD MEMBER weak")
        .await;
    weak.run(&sql).await;
}

#[tokio::test]
async fn compressed_media_say_so_and_so_does_msdb() {
    let (cluster, mut client) = one().await;
    let full = to(&cluster, "DATABASE", "c.bak", "FORMAT, COMPRESSION");
    client.run(&full).await;
    client
        .run("EXEC sp_configure 'backup compression default', 1")
        .await;
    let log = to(&cluster, "LOG", "c.trn", "FORMAT");
    client.run(&log).await;
    client
        .run(&to(&cluster, "LOG", "p.trn", "FORMAT, NO_COMPRESSION"))
        .await;
    let rows = client
        .run(
            "SELECT m.is_compressed, s.compression_algorithm, \
        CASE WHEN s.compressed_backup_size < s.backup_size THEN 1 ELSE 0 END \
        FROM msdb.dbo.backupset s JOIN msdb.dbo.backupmediaset m \
        ON m.media_set_id = s.media_set_id ORDER BY s.backup_set_id",
        )
        .await;
    let is_compressed = |row: &Vec<Value>| row[0] == Value::Bit(true);
    let said: Vec<bool> = rows.rows.iter().map(is_compressed).collect();
    assert_eq!(said, [true, true, false]);
    assert_eq!(rows.rows[0][1..], ["MS_XPRESS".into(), Value::Int(1)]);
    assert_eq!(rows.rows[2][1], Value::Null);
    for (statement, column) in [("HEADERONLY", "Compressed"), ("LABELONLY", "IsCompressed")] {
        let restore = format!(
            "RESTORE {statement} FROM DISK = '{}'",
            cluster.path("c.bak")
        );
        let answer = client.run(&restore).await;
        assert_eq!(answer.cell(column), &Value::Bit(true), "{statement}");
    }
    let refused = client
        .fail(&to(&cluster, "DATABASE", "c.bak", "NO_COMPRESSION"))
        .await;
    assert_eq!(refused, [3098, 3013]);
}
