//! The `stopmark` program: installs logging and the crypto provider, runs one command, returns its exit code.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use stopmark::cli;
use stopmark::error::Exit;
use stopmark::run::Interrupt;

fn main() -> ExitCode {
    // A second installation would fail; this is the first and only one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let exit = match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(run());
            // A file that a thread still reads must not hold up somebody who has asked twice.
            runtime.shutdown_background();
            exit
        }
        // Without threads there is not even a runtime to print with.
        Err(_) => Exit::Failed,
    };
    ExitCode::from(exit as u8)
}

/// The first Ctrl-C ends the run between two steps. The second ends the program at once, which is what the journal
/// is for: the next start finds out what was done.
async fn run() -> Exit {
    let interrupt = Interrupt::default();
    let args: Vec<_> = std::env::args_os().collect();
    let (mut out, mut err) = (stdout(), stderr());
    tokio::select! {
        exit = cli::run(args, &mut out, &mut err, &interrupt) => exit,
        () = asked_twice(&interrupt) => Exit::Interrupted,
    }
}

/// Passes the first Ctrl-C on, and returns at the second; never where signals cannot be heard.
async fn asked_twice(interrupt: &Interrupt) {
    for ask in [true, false] {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        if ask {
            interrupt.ask();
        }
    }
}
