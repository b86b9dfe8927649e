//! The acts of the demonstration, in order. Each shows one thing that Stopmark is for.

use super::group::{BALANCE, LEDGERS, MEMBERS, SPARE, TOTAL};
use super::stage::Stage;
use super::workload::Workload;
use crate::error::{Code, Error, Result};

/// Plays all acts; the application works until the last break is healed.
pub(super) async fn play(stage: &mut Stage<'_, '_>) -> Result<()> {
    stage.act("three hosts, nine databases, and money that moves between them")?;
    stage.say(&format!(
        "MGMT, PAY1 and PAY2 hold {} databases as a BizTalk group has them; DR is a spare host.\n\
         An application moves money between three ledgers; every transaction spans two hosts,\n\
         so no clock time is one moment for all of them. All accounts together hold {TOTAL}, always.",
        MEMBERS.len()
    ))?;
    let workload = stage.start_workload();
    stage
        .must(&["check"])
        .await
        .or_else(|error| only_if_degraded(&error))?;
    let played = breaks_and_cures(stage, &workload).await;
    let ended = workload.stop().await;
    played?;
    let (moved, refused) = ended?;
    stage.say(&format!("\nthe application made {moved} transfers meanwhile; {refused} were refused and left nothing behind"))?;
    bring_back(stage).await?;
    farewell(stage)
}

/// `check` warns here that links are still to be made, which is no fault.
fn only_if_degraded(error: &Error) -> Result<()> {
    if error.message().ends_with("exit code 3") {
        Ok(())
    } else {
        Err(Error::new(error.code(), error.message()))
    }
}

async fn breaks_and_cures(stage: &mut Stage<'_, '_>, workload: &Workload) -> Result<()> {
    stage.act("a full backup of all nine, while money moves")?;
    stage.must(&["backup", "full"]).await?;
    stage.let_it_work(workload, 50).await;

    stage.act("a mark in all nine at once, and the logs around it")?;
    stage.say("the linked servers that the mark needs are made on the way")?;
    stage.must(&["backup", "log"]).await?;
    stage.let_it_work(workload, 50).await;

    stage.act("somebody breaks a chain: SSODB is switched to SIMPLE and back")?;
    let mut operator = stage.operator("MGMT", "master").await?;
    operator
        .run("ALTER DATABASE SSODB SET RECOVERY SIMPLE; ALTER DATABASE SSODB SET RECOVERY FULL;")
        .await?;
    let own = format!(
        "BACKUP LOG SSODB TO DISK = N'{}';",
        stage.folder().join("own.trn").display()
    );
    expect_refusal(stage, operator.run(&own).await, 4214)?;
    stage.say("the next log run begins a new chain for SSODB and marks the whole group anew:")?;
    stage.must(&["backup", "log"]).await?;
    stage.let_it_work(workload, 50).await;

    stage.act("error 1475: bulk-logged changes keep BizTalkDTADb out of an availability group")?;
    operator
        .run("EXEC sp_sim_bulk_change N'BizTalkDTADb';")
        .await?;
    operator.run(CREATE_GROUP).await?;
    let join = "ALTER AVAILABILITY GROUP reporting ADD DATABASE BizTalkDTADb;";
    expect_refusal(stage, operator.run(join).await, 1475)?;
    stage.say("nobody tells Stopmark, but an event session of its own heard it. The next log run takes the cure, a full")?;
    stage.say("backup that is not COPY_ONLY, then a log backup:")?;
    stage.must(&["backup", "log"]).await?;
    operator.run(join).await?;
    stage.say("the operator joins the database: done")
}

const CREATE_GROUP: &str = "CREATE AVAILABILITY GROUP reporting WITH (CLUSTER_TYPE = NONE) \
    FOR REPLICA ON N'MGMT' WITH (ENDPOINT_URL = N'TCP://mgmt:5022', \
    AVAILABILITY_MODE = SYNCHRONOUS_COMMIT, FAILOVER_MODE = MANUAL);";

/// The operator's statement must fail with this number, or the demonstration would show nothing.
fn expect_refusal(stage: &mut Stage<'_, '_>, result: Result<()>, number: i32) -> Result<()> {
    match result {
        Err(error) if error.sql().is_some_and(|cause| cause.number == number) => {
            stage.say(&format!("the operator tries, and {}", error.message()))
        }
        Err(error) => Err(error),
        Ok(()) => Err(Error::new(
            Code::Bug,
            format!("the simulator should have refused with {number}"),
        )),
    }
}

async fn bring_back(stage: &mut Stage<'_, '_>) -> Result<()> {
    stage.act("what there is")?;
    stage.must(&["list"]).await?;
    stage.must(&["status"]).await?;
    stage.must(&["verify"]).await?;

    stage.act("every host is lost: the group comes back on DR, to the newest mark")?;
    let files = stage.restored_files()?;
    stage
        .must(&["restore", "run", "--to-host", SPARE, "--files-in", &files])
        .await?;

    stage.act("the proof")?;
    let mut total = 0;
    for (host, database) in LEDGERS {
        let mut operator = stage.operator(SPARE, database).await?;
        let sum = operator
            .number("SELECT SUM(balance) FROM dbo.Account;")
            .await?;
        stage.say(&format!("  {database} (from {host}) holds {sum}"))?;
        total += sum;
    }
    if total != TOTAL {
        return Err(Error::new(
            Code::MarkNotReached,
            format!("the ledgers hold {total}, not {TOTAL}"),
        ));
    }
    stage.say(&format!(
        "  together {total}: exactly the {} accounts of {BALANCE} each that it must be.\n  \
         Every member stopped at the same mark; no transfer is half there.",
        TOTAL / BALANCE
    ))
}

fn farewell(stage: &mut Stage<'_, '_>) -> Result<()> {
    let (config, hosts) = (stage.config(), stage.host_names());
    let folder = stage.folder().join("hosts");
    stage.act("look around")?;
    stage.say(&format!(
        "the folder stays. Sets and pieces need no host:\n  \
         stopmark --config {0} list      (or: show, status, verify)\n\
         and with the hosts up again in another terminal:\n  \
         stopmark sim --folder {1} {hosts}\n\
         everything else works too, such as\n  \
         stopmark --config {0} restore run --to-host {SPARE} --prefix again_ --files-in {2}",
        config.display(),
        folder.display(),
        stage.folder().join("restored").display()
    ))
}
