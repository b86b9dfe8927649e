//! The clients' own programs: how each is started, and what it told.
//!
//! Start at [`run`]. `tests/foreign/run.sh` installs them below the folder that `STOPMARK_CLIENTS` names. A program that
//! does not end is ended after a while, and what it had told by then counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Told;

/// Longer than any program needs on a busy machine; each feature gives up by itself before.
const SECONDS_MAX: &str = "240";

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

/// Runs a client's program and returns what it told of each feature.
pub(super) fn run(client: &str, config: &str) -> Vec<Told> {
    let mut command = command(client);
    command.arg(config).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !said.is_empty(),
        "{client} ended with {}: {complaint}",
        output.status
    );
    let lines = said.lines().map(|line| {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("{client} said {line}: {complaint}"))
    });
    lines.collect()
}

/// Where `run.sh` put the clients.
fn installed() -> PathBuf {
    let folder = std::env::var_os("STOPMARK_CLIENTS");
    folder
        .expect("STOPMARK_CLIENTS names the clients' folder: tests/foreign/run.sh sets it")
        .into()
}

fn command(client: &str) -> Command {
    let (installed, sources) = (installed(), Path::new(HERE).join("clients").join(client));
    if client == "tedious" {
        let mut command = limited("node".as_ref());
        command
            .arg(sources.join("client.js"))
            .env("NODE_PATH", installed.join("node_modules"));
        return command;
    }
    let mut command = limited(&installed.join("python/bin/python"));
    let shared = ["clients/python", "tsql"].map(|folder| format!("{HERE}/{folder}"));
    command
        .arg(sources.join("client.py"))
        .env("PYTHONPATH", shared.join(":"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    if client == "sqlclient" {
        let assembly = installed.join("dotnet/System.Data.SqlClient.dll");
        command
            .env("STOPMARK_SQLCLIENT", assembly)
            .env("LD_LIBRARY_PATH", installed.join("dotnet"));
    }
    command
}

/// A program that is ended when it takes too long.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", SECONDS_MAX]).arg(program);
    command
}
