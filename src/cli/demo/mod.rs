//! `stopmark demo`: the whole of Stopmark at work on simulated hosts, told so that a reader understands it.
//!
//! Start at [`demo`]; each act is a function of [`acts`]. The hosts speak real TDS with TLS on loopback, the
//! commands are the real ones, run in this process exactly as a shell would run them.
//!
//! It needs no configuration, no server and no network, and leaves a folder that the commands work on.

mod acts;
mod client;
mod group;
mod stage;
mod workload;

use super::Failed;
use super::args::DemoArgs;
use super::out::Out;
use super::setup::log_to_files;
use crate::error::{Code, Error, Exit};
use crate::run::Interrupt;

use stage::Stage;

/// Plays the demonstration.
pub(super) async fn demo(
    args: &DemoArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    if args.folder.exists() {
        return Err(vec![
            Error::new(
                Code::TargetExists,
                "the demonstration's folder is there already",
            )
            .at("folder", args.folder.display())
            .hint("remove it, or name another with `--folder`"),
        ]);
    }
    std::fs::create_dir_all(&args.folder)
        .map_err(|error| vec![stage::unusable(&args.folder, error)])?;
    log_to_files(Some(&args.folder.join("logs")), false).map_err(|error| vec![error])?;
    let mut stage = Stage::set(args, out, interrupt)
        .await
        .map_err(|error| vec![error])?;
    let played = acts::play(&mut stage).await;
    let closed = stage.close().await;
    played.and(closed).map_err(|error| vec![error])?;
    Ok(Exit::Ok)
}
