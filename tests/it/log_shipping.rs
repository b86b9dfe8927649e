//! A destination of BizTalk's log shipping, written from its documentation alone, that goes on from what the agent wrote.
//!
//! Start at [`Destination`]. It sees `adm_BackupHistory`, through the procedure that BizTalk gives it and under the lock
//! that it takes, and the files on the shares; it knows nothing of Stopmark. Like BizTalk's it restores the newest
//! complete set of fulls once, then complete sets of logs while a later one is complete too, and the last one, to its
//! mark, when the source is lost. A set that is not complete ends what it can do until the next complete fulls.

use std::path::Path;

use stopmark::error::Exit;
use stopmark::plan::BackupKind;
use stopmark::run::{BackupWanted, Interrupt, back_up};

use crate::biztalk_stage::{MANAGEMENT, biztalk, ends, history, pay};
use crate::stage::{Client, Stage};
use crate::strike::{Strike, Target, When};

const NEVER_COMPLETE: &str = "a set that is not whole is never called complete";

/// One row of the history, as the destination keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Shipped {
    pub(crate) set: i64,
    pub(crate) mark: Option<String>,
    pub(crate) database: String,
    pub(crate) path: String,
    pub(crate) is_full: bool,
    pub(crate) is_complete: bool,
}

/// The other site.
pub(crate) struct Destination<'a> {
    stage: &'a Stage,
    pub(crate) history: Vec<Shipped>,
    /// The set that every database was restored to.
    pub(crate) restored: Option<i64>,
}

impl<'a> Destination<'a> {
    pub(crate) fn of(stage: &'a Stage) -> Self {
        Self {
            stage,
            history: Vec::new(),
            restored: None,
        }
    }

    /// "Get Backup History": what is new since the last pull.
    pub(crate) async fn pull(&mut self) {
        let mut client = self.stage.client("BTS1", MANAGEMENT).await;
        let last = self.history.iter().map(|row| row.set).max().unwrap_or(0);
        run(&mut client, "EXEC sp_AcquireBackupWriterLock;").await;
        let sql = format!("EXEC sp_GetBackupHistory @LastBackupSetId = {last};");
        let rows = client.simple_query(sql).await.expect("it is understood");
        let rows = rows.into_first_result().await.expect("it is answered");
        self.history.extend(rows.iter().map(shipped));
        run(&mut client, "EXEC sp_ReleaseBackupWriterLock;").await;
    }

    /// "Restore Databases": as far as can be gone now.
    pub(crate) async fn restore(&mut self) {
        if let Some(fulls) = self.fulls_to_begin_with() {
            for row in self.rows(fulls) {
                self.restore_full(&row).await;
            }
            self.restored = Some(fulls);
        }
        while let Some((next, later)) = self.next_logs() {
            if later.is_none() {
                break; // The newest set is held back for its mark.
            }
            self.restore_logs(next, "NORECOVERY").await;
            self.restored = Some(next);
        }
    }

    /// "Restore To Mark": the set that was held back.
    pub(crate) async fn restore_to_mark(&mut self) -> String {
        let (held_back, _) = self.next_logs().expect("a set is held back");
        let rows = self.rows(held_back);
        let mark = rows[0].mark.clone().expect("the last set has a mark");
        assert!(rows.iter().all(|row| row.mark.as_ref() == Some(&mark)));
        let options = format!("STOPATMARK = N'{mark}', RECOVERY");
        self.restore_logs(held_back, &options).await;
        mark
    }

    /// The newest complete fulls, at the beginning and after a set that is not complete.
    fn fulls_to_begin_with(&self) -> Option<i64> {
        let complete = self
            .history
            .iter()
            .filter(|row| row.is_full && row.is_complete);
        let newest = complete.map(|row| row.set).max()?;
        match self.restored {
            None => Some(newest),
            Some(restored) => {
                let gaps = self.history.iter().filter(|row| !row.is_complete);
                let gap = gaps.map(|row| row.set).find(|set| *set > restored)?;
                (newest > gap).then_some(newest)
            }
        }
    }

    /// The next set of logs, and the one after it; none where the next one is not complete.
    fn next_logs(&self) -> Option<(i64, Option<i64>)> {
        let restored = self.restored?;
        let after = self.history.iter().filter(|row| row.set > restored);
        let gap = after
            .clone()
            .find(|row| !row.is_complete)
            .map(|row| row.set);
        let mut logs: Vec<i64> = after
            .filter(|row| !row.is_full && gap.is_none_or(|gap| row.set < gap))
            .map(|row| row.set)
            .collect();
        logs.dedup();
        Some((*logs.first()?, logs.get(1).copied()))
    }

    fn rows(&self, set: i64) -> Vec<Shipped> {
        let rows = self.history.iter().filter(|row| row.set == set);
        rows.cloned().collect()
    }

    async fn restore_full(&self, row: &Shipped) {
        let mut client = self.stage.client("DR", "master").await;
        let files = self.stage.path("shipped");
        std::fs::create_dir_all(&files).expect("a folder");
        let moves = moves(&mut client, row, &files).await;
        let (database, path) = (&row.database, &row.path);
        let sql = format!(
            "RESTORE DATABASE [{database}] FROM DISK = N'{path}' WITH NORECOVERY, REPLACE{moves};"
        );
        run(&mut client, &sql).await;
    }

    async fn restore_logs(&self, set: i64, options: &str) {
        for row in self.rows(set) {
            let mut client = self.stage.client("DR", "master").await;
            let (database, path) = (&row.database, &row.path);
            let sql = format!("RESTORE LOG [{database}] FROM DISK = N'{path}' WITH {options};");
            run(&mut client, &sql).await;
        }
    }

    /// The sum of both hosts' amounts, once the databases are open.
    pub(crate) async fn sums(&self) -> [i64; 2] {
        let sql = "SELECT ISNULL(SUM(id), 0) FROM dbo.Amount;";
        let stage = self.stage;
        [
            stage.number("DR", "SSODB", sql).await,
            stage.number("DR", "BizTalkMsgBoxDb", sql).await,
        ]
    }
}

fn shipped(row: &tiberius::Row) -> Shipped {
    let text = |column: &str| row.get::<&str, _>(column).expect("a text").to_owned();
    Shipped {
        set: row.get("BackupSetId").expect("a number"),
        mark: row.get::<&str, _>("MarkName").map(str::to_owned),
        database: text("DatabaseName"),
        path: format!("{}/{}", text("BackupFileLocation"), text("BackupFileName")),
        is_full: text("BackupType").trim() == "db",
        is_complete: row.get("SetComplete").expect("a bit"),
    }
}

/// Where each file of a backup goes, since this host has folders of its own.
async fn moves(client: &mut Client, row: &Shipped, folder: &Path) -> String {
    let sql = format!("RESTORE FILELISTONLY FROM DISK = N'{}';", row.path);
    let rows = client.simple_query(sql).await.expect("it is understood");
    let rows = rows.into_first_result().await.expect("it is answered");
    let files = rows.iter().map(|file| {
        let name = file.get::<&str, _>("LogicalName").expect("a name");
        let place = folder.join(format!("{}_{name}", row.database));
        format!(", MOVE N'{name}' TO N'{}'", place.display())
    });
    files.collect()
}

async fn run(client: &mut Client, sql: &str) {
    let ran = client.simple_query(sql).await.expect("it is understood");
    let ended = ran.into_results().await;
    assert!(ended.is_ok(), "{sql}: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_goes_on_from_what_the_agent_wrote_and_the_sums_are_right() {
    let stage = biztalk("").await;
    pay(&stage, 1).await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    for amount in [2, 4, 8] {
        pay(&stage, amount).await;
        ends(&stage, &["backup", "log"], Exit::Ok).await;
    }
    pay(&stage, 16).await;
    assert_eq!(
        history(&stage).await,
        [
            "1 db 4/4 marked 0",
            "2 lg 4/4 marked 4",
            "3 lg 4/4 marked 4",
            "4 lg 4/4 marked 4"
        ]
    );
    let mut destination = Destination::of(&stage);
    destination.pull().await;
    destination.restore().await;
    assert_eq!(destination.restored, Some(3), "the newest set is held back");
    let mark = destination.restore_to_mark().await;
    assert_eq!(
        destination.sums().await,
        [15, 15],
        "to {mark} and no further"
    );
    let sql = "SELECT TOP (1) MarkName FROM BizTalkMsgBoxDb.dbo.MarkLog ORDER BY MarkName DESC;";
    assert_eq!(stage.text("DR", sql).await, mark);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_waits_at_a_set_that_is_not_whole_and_goes_on_from_the_next_fulls() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    pay(&stage, 1).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let fault = "EXEC sp_sim_fault 'disk full', 'BACKUP LOG', 'SSODB';";
    stage.script("BTS1", "master", fault).await;
    pay(&stage, 2).await;
    ends(&stage, &["backup", "log"], Exit::Degraded).await;
    let mut destination = Destination::of(&stage);
    destination.pull().await;
    destination.restore().await;
    assert_eq!(
        history(&stage).await[2],
        "3 lg 0/3 marked 3",
        "{NEVER_COMPLETE}"
    );
    assert_eq!(
        destination.restored,
        Some(1),
        "set 2 is the newest complete one"
    );
    pay(&stage, 4).await;
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert_eq!(
        history(&stage).await[3..],
        [
            "4 db 4/4 marked 0",
            "5 lg 4/4 marked 0",
            "6 lg 4/4 marked 4"
        ]
    );
    destination.pull().await;
    destination.restore().await;
    assert_eq!(destination.restored, Some(5));
    destination.restore_to_mark().await;
    assert_eq!(destination.sums().await, [7, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_that_biztalk_asks_for_is_taken_by_the_next_marked_run_and_asked_for_no_more() {
    for rules in ["", "log_shipping = false"] {
        let stage = biztalk(rules).await;
        ends(&stage, &["backup", "full"], Exit::Ok).await;
        stage
            .script("BTS1", MANAGEMENT, "EXEC sp_ForceFullBackup;")
            .await;
        let log = ends(&stage, &["backup", "log"], Exit::Ok).await;
        assert!(
            log.stdout.contains("BizTalk wants a full"),
            "{}",
            log.stdout
        );
        let sql = "SELECT CAST(ForceFull AS bigint) FROM adm_BackupSettings;";
        assert_eq!(stage.number("BTS1", MANAGEMENT, sql).await, 0);
        let again = ends(&stage, &["backup", "log"], Exit::Ok).await;
        assert!(!again.stdout.contains("full"), "{}", again.stdout);
        assert_eq!(history(&stage).await.is_empty(), !rules.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_destination_needs_goes_with_its_files_and_nothing_else_does() {
    let stage = biztalk("").await;
    for kind in ["full", "log", "full", "log"] {
        ends(&stage, &["backup", kind], Exit::Ok).await;
    }
    // Sets 1 to 3 are old: 1 and 2 are what the full of set 3 makes needless.
    let age = "UPDATE adm_BackupHistory SET BackupDateTime = DATEADD(day, -30, BackupDateTime)\n\
               WHERE BackupSetId < 4;";
    stage.script("BTS1", MANAGEMENT, age).await;
    let files = |stage: &Stage| {
        let count = |at: u8| {
            let folder = stage.path("share").join(at.to_string()).join("stage");
            std::fs::read_dir(folder).expect("it is there").count()
        };
        count(0) + count(1)
    };
    assert_eq!(files(&stage), 16);
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    assert_eq!(files(&stage), 12);
    assert_eq!(
        history(&stage).await,
        [
            "3 db 4/4 marked 0",
            "4 lg 4/4 marked 4",
            "5 lg 4/4 marked 4"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_keeps_the_lock_costs_the_run_its_mark_and_not_its_logs() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    stage.edit("[policy]\n", "[policy]\nmark_timeout = \"1s\"\n");
    let mut reader = stage.client("BTS1", MANAGEMENT).await;
    run(&mut reader, "EXEC sp_AcquireBackupWriterLock;").await;
    let log = stage.run(&["backup", "log"]).await;
    assert_ne!(log.exit, Exit::Ok);
    assert!(
        log.stdout.contains("SM0211"),
        "{}{}",
        log.stdout,
        log.stderr
    );
    run(&mut reader, "EXEC sp_ReleaseBackupWriterLock;").await;
    // What the history was not told of is mended by fulls, so that a destination goes on.
    ends(&stage, &["backup", "log"], Exit::Ok).await;
    let sets = history(&stage).await;
    assert_eq!(
        sets.last().map(|set| &set[2..]),
        Some("lg 4/4 marked 4"),
        "{sets:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_could_not_be_written_are_written_before_the_run_ends() {
    let stage = biztalk("").await;
    ends(&stage, &["backup", "full"], Exit::Ok).await;
    let (config, world) = stage.world();
    for when in [When::Before, When::After] {
        let strike = Strike::at(Target::First("write_backup_history"), when);
        let wanted = BackupWanted {
            kind: BackupKind::Log,
            new_chain: Vec::new(),
        };
        let struck = strike.world(&world);
        let record = back_up(&struck, &config, &wanted, &Interrupt::default()).await;
        assert!(record.expect("a record").ended.is_some());
        assert_eq!(strike.struck(), Some("write_backup_history"));
    }
    assert_eq!(
        history(&stage).await,
        [
            "1 db 4/4 marked 0",
            "2 lg 4/4 marked 4",
            "3 lg 4/4 marked 4"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_whose_writer_died_in_the_middle_is_not_there_until_the_next_run_writes_it() {
    for (statement, rows) in [("INSERT", 2), ("UPDATE", 0)] {
        let stage = biztalk("").await;
        ends(&stage, &["backup", "full"], Exit::Ok).await;
        pay(&stage, 1).await;
        let cut = format!(
            "EXEC sp_sim_fault 'cut', @statement = '{statement}', @database = '{MANAGEMENT}', @skip = {rows};"
        );
        stage.script("BTS1", "master", &cut).await;
        let log = stage.run(&["backup", "log"]).await;
        let sets = history(&stage).await;
        let told = format!("{statement}: {sets:?}\n{}", log.stdout);
        assert!(sets.iter().all(|set| set.contains("4/4")), "{told}");
        ends(&stage, &["backup", "log"], Exit::Ok).await;
        let mut destination = Destination::of(&stage);
        destination.pull().await;
        destination.restore().await;
        destination.restore_to_mark().await;
        assert_eq!(destination.sums().await, [1, 1], "{told}");
    }
}
