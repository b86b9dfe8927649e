//! `stopmark inspect`: what backup files are by their own bytes. It needs no server, and a configuration only
//! for the credentials of a bucket.

use std::time::Duration;

use mtf::Level;

use super::{Failed, one, shown};
use crate::cli::args::{Common, InspectArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::{progress, setup};
use crate::clock::SystemClock;
use crate::error::{Code, Error, Exit, Result};
use crate::media::{self, Access, Gathered, Source};
use crate::report::inspect::InspectReport;
use crate::run::Interrupt;
use crate::world::Clock as _;

/// How soon a wish to stop is noticed.
const NOTICED_WITHIN: Duration = Duration::from_millis(100);

/// Examines everything at the sources and says what it is.
pub(super) async fn inspect(
    common: &Common,
    args: &InspectArgs,
    out: &mut Out<'_>,
    interrupt: &Interrupt,
) -> Result<Exit, Failed> {
    let access = access(common, &args.sources)?;
    let sources: Result<Vec<Source>> = args
        .sources
        .iter()
        .map(|text| Source::open(text, &access))
        .collect();
    let level = match args.level {
        1 => Level::Structure,
        2 => Level::Identity,
        _ => Level::Content,
    };
    let bars = progress::for_people(common.json);
    let sources = sources.map_err(one)?;
    let gathered = tokio::select! {
        gathered = media::gather(&sources, level, bars.as_ref()) => gathered,
        stopped = stopped(interrupt) => Err(stopped),
    };
    let gathered = gathered.map_err(one)?;
    shown_report(args, level, &gathered, out)
}

fn shown_report(
    args: &InspectArgs,
    level: Level,
    gathered: &Gathered,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let backups = media::join(&gathered.examined);
    let lineages = args.chain.then(|| media::follow(&gathered.examined));
    let report = InspectReport::of(level, gathered, &backups, lineages.as_deref());
    let exit = report.exit();
    shown(out, &report, exit)
}

/// The credentials that may be used. A configuration that is not there is none; one that is wrong is told,
/// since its credentials were meant.
fn access(common: &Common, sources: &[String]) -> Result<Access, Failed> {
    if !sources
        .iter()
        .any(|text| Source::may_need_credentials(text))
    {
        return Ok(Access::default());
    }
    let config = common.config.exists().then(|| setup::load(common));
    let config = config.transpose()?;
    Ok(setup::foreign_access(config.as_ref()))
}

/// Returns when somebody wants the work to stop.
pub(super) async fn stopped(interrupt: &Interrupt) -> Error {
    let clock = SystemClock::new();
    while !interrupt.is_asked() {
        clock.sleep_until(clock.monotonic() + NOTICED_WITHIN).await;
    }
    Error::new(
        Code::Interrupted,
        "interrupted before everything was examined",
    )
}

impl Shown for InspectReport {
    fn text(&self) -> String {
        Self::text(self)
    }
}
