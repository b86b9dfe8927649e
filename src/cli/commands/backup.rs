//! `stopmark backup full|diff|log`: a run, or its plan.

use super::link::survey_of;
use super::{Failed, end_run, one, shown};
use crate::cli::args::{BackupCommand, Common};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{Access, Agent, agent};
use crate::config::{Config, DriftRule};
use crate::error::{Code, Error, Exit};
use crate::model::{MemberName, Severity};
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
    let (args, kind, new_chain) = match command {
        BackupCommand::Full(args) => (args.common, BackupKind::Full, args.new_chain),
        BackupCommand::Diff(args) => (args, BackupKind::Differential, Vec::new()),
        BackupCommand::Log(args) => (args, BackupKind::Log, Vec::new()),
        BackupCommand::Companions(args) => {
            return companions(common, args.dry_run, out, interrupt).await;
        }
    };
    let access = if args.dry_run {
        Access::Read
    } else {
        Access::Act
    };
    let agent = agent(common, access)?;
    let new_chain = members(&agent, new_chain).await.map_err(one)?;
    let wanted = BackupWanted { kind, new_chain };
    let config = approved(&agent, args.approve);
    if args.dry_run {
        let (_, plan) = run::plan_only(&agent.world, &config, &wanted)
            .await
            .map_err(one)?;
        return shown(out, &plan, Exit::Ok);
    }
    let record = run::back_up(&agent.world, &config, &wanted, interrupt).await;
    finished(&agent, record, out).await
}

/// Gives the lease up whatever became of the run, and says how it ended.
async fn finished(
    agent: &Agent,
    record: crate::error::Result<Record>,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let released = agent.world.store.release_lease(&agent.config.group).await;
    let record = record.map_err(one)?;
    released.map_err(one)?;
    tell(agent, &record).await;
    end_run(out, &record)
}

/// Takes fulls of the companions, or prints the plan.
async fn companions(
    common: &Common,
    is_dry: bool,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let access = if is_dry { Access::Read } else { Access::Act };
    let agent = agent(common, access)?;
    if is_dry {
        let planned = run::companions::plan_only(&agent.world, &agent.config).await;
        return shown(out, &planned.map_err(one)?, Exit::Ok);
    }
    let record = run::companions::back_up(&agent.world, &agent.config, interrupt).await;
    finished(&agent, record, out).await
}

/// The configuration, under which the group follows BizTalk's list where somebody approved.
fn approved(agent: &Agent, approve: bool) -> Config {
    let mut config = (*agent.config).clone();
    if approve {
        config.biztalk.drift = DriftRule::Follow;
    }
    config
}

/// The members that were named, as the group spells them: a name that is not of the group would otherwise be
/// a run without what somebody asked for.
pub(super) async fn members(
    agent: &Agent,
    named: Vec<MemberName>,
) -> crate::error::Result<Vec<MemberName>> {
    if named.is_empty() {
        return Ok(named);
    }
    let survey = survey_of(agent).await;
    let known = |name: &MemberName| {
        survey.member_called(name).cloned().ok_or_else(|| {
            let members = survey.members.iter().map(MemberName::to_string);
            Error::new(
                Code::MemberMissing,
                format!("`{name}` is not a member of the group"),
            )
            .at("group", &agent.config.group)
            .at("members", members.collect::<Vec<_>>().join(", "))
            .hint("name one of these; nothing was done")
        })
    };
    named.iter().map(known).collect()
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
        severity: match is_good {
            true => Severity::Information,
            false => Severity::Warning,
        },
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
