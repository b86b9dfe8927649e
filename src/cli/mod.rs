//! The command line: arguments in, data out, printed in one place, and an exit code that means something.
//!
//! Start at [`run`]. Each command is a file in `commands/`; it builds data with the other rooms and hands it to
//! [`out::Out`]. Nothing here talks to a host or a store but through `World`.

pub mod args;
mod commands;
#[cfg(feature = "demo")]
mod demo;
mod journal;
pub mod out;
pub mod progress;
mod setup;
#[cfg(feature = "demo")]
mod sim;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::error::{Code, Error, Exit, render};
use crate::run::Interrupt;

use args::Cli;
use out::Out;

pub use setup::log_to_files;

/// What a command failed with: one error, or every fault of the configuration.
pub type Failed = Vec<Error>;

/// Runs one command in this process. `interrupt` is asked for by whoever handles signals.
pub async fn run(
    args: Vec<OsString>,
    stdout: &mut (dyn Write + Send + Sync),
    stderr: &mut (dyn Write + Send + Sync),
    interrupt: &Interrupt,
) -> Exit {
    let is_json = args.iter().any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, is_json, stdout, stderr),
    };
    let mut out = Out::new(stdout, stderr, cli.common.json);
    match commands::carry_out(cli, &mut out, interrupt).await {
        Ok(exit) => exit,
        Err(errors) => {
            let exit = log_errors(&errors);
            // A broken pipe is the reader's wish; there is nobody left to tell.
            let _ = errors.iter().try_for_each(|error| out.error(error));
            exit
        }
    }
}

/// Writes into the log what a command failed with; the exit code that it ends with.
fn log_errors(errors: &[Error]) -> Exit {
    // A line each, so that each has a time.
    for error in errors {
        for line in render::text(error).lines() {
            tracing::error!("{line}");
        }
    }
    let first = errors.first();
    first.map_or(Exit::Failed, |error| error.code().exit())
}

/// Help is an answer; everything else was a wrong command line. Programs get it as any other error.
fn usage(
    error: &clap::Error,
    is_json: bool,
    stdout: &mut (dyn Write + Send + Sync),
    stderr: &mut (dyn Write + Send + Sync),
) -> Exit {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = stdout.write_all(text.as_bytes());
            Exit::Ok
        }
        _ => {
            let _ = if is_json {
                Out::new(stdout, stderr, true).error(&misunderstood(error.kind(), &text))
            } else {
                stderr.write_all(text.as_bytes())
            };
            Exit::Usage
        }
    }
}

fn misunderstood(kind: ErrorKind, text: &str) -> Error {
    let message = match kind {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing",
        // The first paragraph is the fault; usage and advice follow.
        _ => text.split("\n\n").next().unwrap_or_default(),
    };
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = words.join(" ");
    let message = message.strip_prefix("error: ").unwrap_or(&message);
    Error::new(Code::CommandLine, message).hint("`stopmark --help` lists the commands")
}

/// Output that nobody can read any more.
fn unprintable(error: std::io::Error) -> Failed {
    vec![Error::new(Code::StateUnwritable, "the output cannot be written").source(error)]
}
