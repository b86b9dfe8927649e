//! The commands, one file each. Start at [`carry_out`].

mod adopt;
mod backup;
mod biztalk;
mod catalog;
mod check;
mod check_support;
mod completions;
mod drill;
mod explain;
mod grants;
mod group;
mod init;
mod inspect;
mod link;
mod list;
mod milink;
mod notify;
mod pin;
mod points;
mod prune;
mod restore;
mod restore_asked;
mod restore_point;
mod rivals;
mod schedule;
mod script;
mod scrub;
mod secret;
mod service;
#[cfg_attr(windows, path = "service_windows.rs")]
#[cfg_attr(not(windows), path = "service_unix.rs")]
mod service_manager;
mod show;
mod status;
mod verify;
mod verify_chain;

use super::args::{CheckWhat, Cli, Command};
use super::out::{Out, Shown};
use super::{Failed, unprintable};
use crate::error::{Error, Exit};
use crate::report::run::RunReport;
use crate::run::Interrupt;
use crate::run::events::Verdict;
use crate::run::record::Record;

/// Carries a parsed command out.
pub(super) async fn carry_out(
    cli: Cli,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let common = cli.common;
    match cli.command {
        Command::Init(args) => init::init(&common, &args, out),
        Command::Check(args) if args.what == Some(CheckWhat::Biztalk) => {
            biztalk::check(&common, out).await
        }
        Command::Check(args) => check::check(&common, &args, out, interrupt).await,
        Command::MigrateFromBiztalkJob(args) => biztalk::migrate(&common, &args, out).await,
        Command::Group(command) => group::group(&common, command, out, interrupt).await,
        Command::Link(command) => link::link(&common, command, out, interrupt).await,
        Command::Milink(command) => milink::milink(&common, command, out, interrupt).await,
        Command::Backup(command) => backup::backup(&common, command, out, interrupt).await,
        Command::List => list::list(&common, out).await,
        Command::Show(args) => show::show(&common, &args, out).await,
        Command::Points(args) => points::points(&common, args, out).await,
        Command::Status => status::status(&common, out).await,
        Command::Verify(args) if args.chain => verify_chain::verify_chain(&common, out).await,
        Command::Verify(args) => verify::verify(&common, &args, out).await,
        Command::Inspect(args) => inspect::inspect(&common, &args, out, interrupt).await,
        Command::Adopt(args) => adopt::adopt(&common, &args, out, interrupt).await,
        Command::Scrub(args) => scrub::scrub(&common, &args, out, interrupt).await,
        Command::Restore(command) => restore::restore(&common, command, out, interrupt).await,
        Command::Drill(command) => drill::drill(&common, command, out, interrupt).await,
        Command::Prune(command) => prune::prune(&common, command, out, interrupt).await,
        Command::Pin(args) => pin::pin(&common, &args, out).await,
        Command::Unpin(args) => pin::unpin(&common, &args, out).await,
        Command::Schedule => schedule::schedule(&common, out).await,
        Command::Service(command) => service::service(&common, &command, out, interrupt).await,
        Command::Notify(command) => notify::notify(&common, command, out).await,
        Command::Explain(args) => explain::explain(&args, out),
        Command::Catalog(command) => catalog::catalog(&common, command, out).await,
        Command::Grants(args) => grants::grants(&common, &args, out).await,
        Command::Secret(command) => secret::secret(&common, command, out),
        Command::Completions(args) => completions::completions(&args, out),
        Command::Man(args) => completions::man(&args, out),
        #[cfg(feature = "demo")]
        Command::Sim(args) => crate::cli::sim::sim(&args, out, interrupt).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => crate::cli::demo::demo(&args, out, interrupt).await,
    }
}

/// One error as a command's failure.
fn one(error: Error) -> Failed {
    vec![error]
}

/// Prints data and gives the exit code.
fn shown(out: &mut Out<'_>, data: &impl Shown, exit: Exit) -> Result<Exit, Failed> {
    out.show(data).map_err(unprintable)?;
    Ok(exit)
}

/// Prints the report of the run that just ended, and writes it into the log: who looks into a run of the night
/// finds what a terminal would have shown.
fn end_run(out: &mut Out<'_>, record: &Record) -> Result<Exit, Failed> {
    let is_good = matches!(record.ended, Some((Verdict::Done, _)));
    log_run(&RunReport::of(record).text(), is_good);
    show_run(out, record)
}

/// Writes what was printed of a run into the log.
fn log_run(text: &str, is_good: bool) {
    for line in text.lines() {
        if is_good {
            tracing::info!("{line}");
        } else {
            tracing::warn!("{line}");
        }
    }
}

/// Prints a run's report; its verdict is the exit code.
fn show_run(out: &mut Out<'_>, record: &Record) -> Result<Exit, Failed> {
    shown(out, &RunReport::of(record), exit_of(record))
}

const fn exit_of(record: &Record) -> Exit {
    match record.ended {
        Some((Verdict::Done, _)) => Exit::Ok,
        Some((Verdict::Degraded | Verdict::Abandoned, _)) => Exit::Degraded,
        Some((Verdict::Interrupted, _)) => Exit::Interrupted,
        Some((Verdict::Failed, _)) | None => Exit::Failed,
    }
}

impl Shown for RunReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
