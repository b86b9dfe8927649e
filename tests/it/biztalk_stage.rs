//! A BizTalk group on two simulated hosts, with a third one for its log shipping.
//!
//! Start at [`biztalk`]. The group is made as BizTalk's own setup leaves it; the agent is told of it in four lines.

use std::sync::Arc;

use sqlsim::Instance;
use sqlsim::biztalk::{Group, create_group};
use sqlsim::instance::Version;
use stopmark::error::Exit;

use crate::stage::{Printed, Stage};

/// The management database, on the first host.
pub(crate) const MANAGEMENT: &str = "BizTalkMgmtDb";
/// The databases of the group, each with its host.
pub(crate) const MEMBERS: [(&str, &str); 4] = [
    ("BTS1", MANAGEMENT),
    ("BTS1", "SSODB"),
    ("BTS2", "BizTalkDTADb"),
    ("BTS2", "BizTalkMsgBoxDb"),
];

/// The group's list as its tables hold it.
pub(crate) fn group() -> Group {
    let at = |server: &str, database: &str| (server.to_owned(), database.to_owned());
    Group {
        name: "Group".to_owned(),
        tracking: Some(at("BTS2", "BizTalkDTADb")),
        message_boxes: vec![at("BTS2", "BizTalkMsgBoxDb")],
        others: vec![("SSO".to_owned(), "BTS1".to_owned(), "SSODB".to_owned())],
        ..Group::default()
    }
}

/// Two hosts with a group, and the host `DR`; `rules` is what `[biztalk]` says.
pub(crate) async fn biztalk(rules: &str) -> Stage {
    biztalk_of(Version::V2022, rules).await
}

/// The same, of this version of SQL Server.
pub(crate) async fn biztalk_of(version: Version, rules: &str) -> Stage {
    let layout: [(&str, &[&str]); 3] = [("BTS1", &[]), ("BTS2", &[]), ("DR", &[])];
    let stage = Stage::of(&layout, |_, options| options.version = version).await;
    let hosts: Vec<Arc<Instance>> = stage
        .hosts
        .iter()
        .map(|(_, host)| host.instance().clone())
        .collect();
    create_group(&hosts, ("BTS1", MANAGEMENT), &group())
        .await
        .expect("the group is made");
    stage.edit(
        "mark_prefix = \"SM\"\nmark_log = \"stopmark\"\nmembers = []",
        "kind = \"biztalk\"",
    );
    stage.edit("[store]", &format!("[biztalk]\n{rules}\n[store]"));
    for host in ["BTS1", "BTS2"] {
        let database = MEMBERS.iter().rfind(|(on, _)| *on == host).expect("one").1;
        let sql = "CREATE TABLE dbo.Amount (id bigint NOT NULL);";
        stage.script(host, database, sql).await;
    }
    stage
}

/// Puts an amount into a database of each host.
pub(crate) async fn pay(stage: &Stage, amount: u32) {
    for (host, database) in [("BTS1", "SSODB"), ("BTS2", "BizTalkMsgBoxDb")] {
        let sql = format!("INSERT INTO dbo.Amount VALUES ({amount});");
        stage.script(host, database, &sql).await;
    }
}

/// Runs a command that must end so.
pub(crate) async fn ends(stage: &Stage, args: &[&str], exit: Exit) -> Printed {
    let printed = stage.run(args).await;
    assert_eq!(
        printed.exit, exit,
        "{args:?}\n{}\n{}",
        printed.stdout, printed.stderr
    );
    printed
}

/// The sets of the history, oldest first: number, type, rows, complete rows, rows with a mark.
pub(crate) async fn history(stage: &Stage) -> Vec<String> {
    history_on(stage, "BTS1").await
}

/// The same where the management database is on another host.
pub(crate) async fn history_on(stage: &Stage, host: &str) -> Vec<String> {
    let mut client = stage.client(host, MANAGEMENT).await;
    let sql = "SELECT CAST(BackupSetId AS bigint), CAST(BackupType AS nvarchar(2)), COUNT(*),\n\
               SUM(CAST(SetComplete AS int)), COUNT(MarkName)\n\
               FROM adm_BackupHistory GROUP BY BackupSetId, BackupType ORDER BY BackupSetId";
    let rows = client.simple_query(sql).await.expect("it is understood");
    let rows = rows.into_first_result().await.expect("it is answered");
    let told = rows.iter().map(|row| {
        let number = |at: usize| row.get::<i32, _>(at).expect("a number");
        let (set, kind) = (row.get::<i64, _>(0), row.get::<&str, _>(1));
        let (set, kind) = (set.expect("a number"), kind.expect("a type"));
        format!(
            "{set} {kind} {}/{} marked {}",
            number(3),
            number(2),
            number(4)
        )
    });
    told.collect()
}
