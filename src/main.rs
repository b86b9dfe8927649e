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
        Ok(runtime) => runtime.block_on(run()),
        // Without threads there is not even a runtime to print with.
        Err(_) => Exit::Failed,
    };
    ExitCode::from(exit as u8)
}

async fn run() -> Exit {
    let interrupt = Interrupt::default();
    let asked = interrupt.clone();
    tokio::spawn(async move {
        // The first Ctrl-C ends the run between two steps; the second is the operating system's.
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.ask();
        }
    });
    let args: Vec<_> = std::env::args_os().collect();
    cli::run(args, &mut stdout(), &mut stderr(), &interrupt).await
}
