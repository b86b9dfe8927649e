//! `stopmark notify test`: a notice to everybody whom the configuration names.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Failed, shown};
use crate::cli::args::{Common, NotifyCommand};
use crate::cli::out::{Out, Shown};
use crate::cli::setup;
use crate::error::Exit;
use crate::model::Severity;
use crate::world::Notice;

#[derive(Serialize)]
struct Report {
    tried: Vec<Tried>,
}

#[derive(Serialize)]
struct Tried {
    way: &'static str,
    /// Why it failed; none: it was delivered.
    failure: Option<String>,
}

/// Tries every way of telling.
pub(super) async fn notify(
    common: &Common,
    command: NotifyCommand,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let NotifyCommand::Test = command;
    let config = setup::load(common)?;
    let notice = Notice {
        title: format!("Stopmark: a test of group {}", config.group),
        body: "somebody ran `stopmark notify test`; nothing is wrong".to_owned(),
        is_bad: true,
        severity: Severity::Error,
    };
    let tried = setup::everyone(&config.service.notify)
        .try_all(&notice)
        .await;
    let tried = tried.into_iter().map(|(way, told)| Tried {
        way,
        failure: told.err(),
    });
    let report = Report {
        tried: tried.collect(),
    };
    let is_whole = report.tried.iter().all(|tried| tried.failure.is_none());
    let exit = if is_whole { Exit::Ok } else { Exit::Degraded };
    shown(out, &report, exit)
}

impl Shown for Report {
    fn text(&self) -> String {
        if self.tried.is_empty() {
            return "nobody is to be told\n\
                    hint: name mail, webhooks, a heartbeat, `desktop` or `system_log` in `[notify]`\n"
                .to_owned();
        }
        let mut text = String::new();
        for tried in &self.tried {
            let failure = tried.failure.as_ref();
            let told = failure.map_or_else(|| "told".to_owned(), |why| format!("FAILED {why}"));
            writeln!(text, "{:<10} {told}", tried.way).expect("a string takes everything");
        }
        text
    }
}
