//! `stopmark backup full|diff|log`: a run, or its plan.

use super::{Failed, one, show_run, shown};
use crate::cli::args::{BackupCommand, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::error::{Code, Error, Exit};
use crate::model::MemberName;
use crate::plan::{self, BackupKind, Plan};
use crate::report::run::RunReport;
use crate::run::events::Verdict;
use crate::run::record::Record;
use crate::run::{self, BackupWanted, Interrupt};
use crate::world::Notice;

/// Takes backups, or prints the plan where `--dry-run` was said.
pub(super) async fn backup(
    common: &Common,
    command: BackupCommand,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let (args, wanted) = match command {
        BackupCommand::Full(args) => (args.common, wanted(BackupKind::Full, &args.new_chain)?),
        BackupCommand::Diff(args) => (args, wanted(BackupKind::Differential, &[])?),
        BackupCommand::Log(args) => (args, wanted(BackupKind::Log, &[])?),
    };
    if args.dry_run {
        let agent = agent(common, Access::Read)?;
        let (_, plan) = run::plan_only(&agent.world, &agent.config, &wanted)
            .await
            .map_err(one)?;
        return shown(out, &plan, Exit::Ok);
    }
    let agent = agent(common, Access::Act)?;
    let record = run::back_up(&agent.world, &agent.config, &wanted, interrupt).await;
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let record = record.map_err(one)?;
    released.map_err(one)?;
    tell(&agent, &record).await;
    show_run(out, &record)
}

fn wanted(kind: BackupKind, new_chain: &[String]) -> Result<BackupWanted, Failed> {
    let members: Result<Vec<MemberName>, _> = new_chain.iter().map(|name| name.parse()).collect();
    let new_chain = members.map_err(|error| {
        one(Error::new(Code::ConfigValue, "`--new-chain` does not name a member").source(error))
    })?;
    Ok(BackupWanted { kind, new_chain })
}

/// A notice on the desktop. Whoever started the run sees its report anyway, so a desktop that is not there is
/// worth a line in the log and nothing more.
async fn tell(agent: &Agent, record: &Record) {
    let is_good = matches!(record.ended, Some((Verdict::Done, _)));
    let report = RunReport::of(record);
    let outcome = if is_good { "done" } else { "needs a look" };
    let notice = Notice {
        title: format!(
            "Stopmark: {} of {} {outcome}",
            crate::report::run::kind_word(record.kind),
            record.group
        ),
        body: report
            .mark
            .map_or_else(String::new, |mark| format!("mark {mark}")),
        is_bad: !is_good,
    };
    if let Err(reason) = agent.world.notifier.tell(&notice).await {
        tracing::debug!(reason, "no notice was shown");
    }
}

impl Shown for Plan {
    fn text(&self) -> String {
        plan::show(self)
    }
}
