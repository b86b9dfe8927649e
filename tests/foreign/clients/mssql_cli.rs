//! Microsoft's `mssql-cli`, given a script and asked what it saw.
//!
//! Start at [`say`]. Below the folder that `STOPMARK_CLIENTS` names it has a Python environment of its own; its service is
//! a .NET program beside it. It keeps its files in the folder that it is given, and tells nobody of its use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longer than the program needs on a busy machine: its service alone takes seconds to begin.
const SECONDS_MAX: &str = "240";

/// Who logs in where.
pub(crate) struct Login<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// Runs a script file; all that the program said. Its exit code says nothing: it is 0 after errors too.
pub(crate) fn say(login: &Login<'_>, script: &Path, home: &Path) -> String {
    let clients: PathBuf = std::env::var_os("STOPMARK_CLIENTS")
        .expect("STOPMARK_CLIENTS names the clients' folder: tests/foreign/run.sh sets it")
        .into();
    let (ip, port) = (login.address.ip(), login.address.port());
    let output = Command::new("timeout")
        .args(["--kill-after=5", SECONDS_MAX])
        .arg(clients.join("mssql-cli/bin/python"))
        .args(["-m", "mssqlcli.main", "-C", "--row-limit", "0"])
        .args(["-S", &format!("{ip},{port}"), "-U", login.user])
        .arg("-i")
        .arg(script)
        .env("MSSQL_CLI_PASSWORD", login.password)
        .env("MSSQL_CLI_TELEMETRY_OPTOUT", "True")
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .env("LD_LIBRARY_PATH", clients.join("dotnet"))
        .env("PYTHONIOENCODING", "utf-8")
        .env("HOME", home)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
