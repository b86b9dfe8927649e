//! `stopmark secret test|set`: where passwords and keys come from, and how they get there.
//!
//! Start at [`secret`]. A value is read, compared with nothing, and never printed; it goes into a file or, through
//! standard input, into `systemd-creds`, so that no list of processes shows it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use console::Term;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Common, SecretCommand, SecretSetArgs};
use crate::cli::out::{Out, Shown};
use crate::cli::setup::{person, write_private};
use crate::config::{OsSecrets, SecretPlace, SecretUse, exposure, secrets_named};
use crate::error::{Code, Error, Exit, Result};

/// What is read from standard input at most.
const VALUE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Serialize)]
struct Report {
    /// Who asked: what this account can read, another may not.
    account: String,
    secrets: Vec<Tested>,
    /// Other faults of the configuration, which may hide secrets.
    other_faults: usize,
}

#[derive(Serialize)]
struct Tested {
    key: String,
    place: String,
    /// Why it is not there; none: it was read.
    failure: Option<String>,
    /// Who may read or change it that should not.
    exposure: Option<String>,
}

/// Tests the secrets, or sets one.
pub(super) fn secret(
    common: &Common,
    command: SecretCommand,
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let (uses, faults) = secrets_named(&common.config, &OsSecrets);
    if uses.is_empty() && !faults.is_empty() {
        return Err(faults);
    }
    match command {
        SecretCommand::Test => test(&uses, faults.len(), out),
        SecretCommand::Set(args) => set(common, &args, &uses, out),
    }
}

fn test(uses: &[SecretUse], other_faults: usize, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let tested = uses.iter().map(|it| Tested {
        key: it.key.clone(),
        place: it.place.to_string(),
        failure: it.failure.clone(),
        exposure: it.place.file().and_then(exposure),
    });
    let report = Report {
        account: person(),
        secrets: tested.collect(),
        other_faults,
    };
    let exit = if report.secrets.iter().any(|it| it.failure.is_some()) {
        Exit::Config
    } else if report.secrets.iter().any(|it| it.exposure.is_some()) {
        Exit::Degraded
    } else {
        Exit::Ok
    };
    shown(out, &report, exit)
}

impl Shown for Report {
    fn text(&self) -> String {
        let mut text = format!("secrets, as {} can read them\n", self.account);
        for tested in &self.secrets {
            let (word, why) = match (&tested.failure, &tested.exposure) {
                (Some(failure), _) => ("ERROR", format!(": {failure}")),
                (None, Some(exposure)) => ("warning", format!(": {exposure}")),
                (None, None) => ("ok", String::new()),
            };
            let (key, place) = (&tested.key, &tested.place);
            writeln!(text, "  {word:<7} {key}: {place}{why}").expect("a string takes everything");
        }
        if self.secrets.is_empty() {
            text.push_str("  the configuration names none\n");
        }
        if self.secrets.iter().any(|tested| tested.failure.is_some()) {
            text.push_str("hint: `stopmark secret set KEY` puts a secret where it is looked for\n");
        }
        if self.secrets.iter().any(|tested| tested.exposure.is_some()) {
            text.push_str("hint: `chmod go-w,o-r FILE` takes a file away from others\n");
        }
        if self.other_faults > 0 {
            text.push_str("hint: the configuration has other faults, see `stopmark check`\n");
        }
        text
    }
}

#[derive(Serialize)]
struct Kept {
    key: String,
    place: String,
    /// What is to be done by hand so that the service finds it.
    next: String,
}

impl Shown for Kept {
    fn text(&self) -> String {
        format!("{}: kept in {}\n{}\n", self.key, self.place, self.next)
    }
}

fn set(
    common: &Common,
    args: &SecretSetArgs,
    uses: &[SecretUse],
    out: &mut Out<'_>,
) -> Result<Exit, Failed> {
    let key = &args.key;
    let Some(wanted) = uses.iter().find(|it| it.key == *key) else {
        let message = format!(
            "the configuration names no secret by the key `{}`",
            key.escape_debug()
        );
        let hint = "`stopmark secret test` lists the keys";
        return Err(one(Error::new(Code::CommandLine, message).hint(hint)));
    };
    let kept = match &wanted.place {
        SecretPlace::Env(name) => {
            let message =
                format!("environment variable `{name}` belongs to who starts the program");
            let hint = "set it there, or write `{ file = \"PATH\" }` or `{ credential = \"NAME\" }` instead";
            Err(Error::new(Code::CommandLine, message).hint(hint))
        }
        SecretPlace::File(path) => value(key, out).and_then(|value| keep_in_file(path, &value)),
        #[cfg(windows)]
        SecretPlace::Credential(_, Some(path)) => {
            value(key, out).and_then(|value| keep_in_file(path, &sealed(path, &value)?))
        }
        SecretPlace::Credential(name, _) => {
            let file = credential_file(&common.config, name);
            value(key, out).and_then(|value| keep_as_credential(name, &file, &value))
        }
    };
    let (place, next) = kept.map_err(one)?;
    let key = key.clone();
    shown(out, &Kept { key, place, next }, Exit::Ok)
}

/// The new value: asked for at a terminal, where it is not shown, else standard input without its line end.
fn value(key: &str, out: &mut Out<'_>) -> Result<SecretString> {
    let unread = |error| {
        let hint = "type it, or pipe it in: `stopmark secret set KEY < FILE`";
        Error::new(Code::CommandLine, "the new value cannot be read")
            .hint(hint)
            .source(error)
    };
    let text = if io::stdin().is_terminal() {
        let asked = out.say(&format!("new value of {key} (it is not shown):"));
        asked
            .and_then(|()| Term::stdout().read_secure_line())
            .map_err(unread)?
    } else {
        let mut text = String::new();
        let mut input = io::stdin().take(VALUE_BYTES_MAX);
        input.read_to_string(&mut text).map_err(unread)?;
        text
    };
    let bare = text.strip_suffix('\n').unwrap_or(&text);
    let bare = bare.strip_suffix('\r').unwrap_or(bare);
    if bare.is_empty() {
        return Err(unread(io::Error::other("it is empty")));
    }
    Ok(SecretString::from(bare))
}

/// A new file is its owner's alone; one that is there keeps its owner and loses what others may do.
fn keep_in_file(path: &Path, value: &SecretString) -> Result<(String, String)> {
    write_private(path, value.expose_secret())?;
    #[cfg(unix)]
    close_to_others(path)?;
    let next = if cfg!(windows) {
        "the service reads it when it starts or is told to: `sc control Stopmark paramchange`"
    } else {
        "the service reads it when it starts or is told to: `systemctl reload stopmark`"
    };
    Ok((format!("file `{}`", path.display()), next.to_owned()))
}

/// Windows has a folder that the installer gives to nobody else, and seals for this machine, as systemd does.
#[cfg(windows)]
fn sealed(path: &Path, value: &SecretString) -> Result<SecretString> {
    crate::config::dpapi::seal(value).map_err(|error| {
        Error::new(Code::StateUnwritable, "Windows cannot seal the credential")
            .at("file", path.display())
            .hint("write `{ file = \"PATH\" }` instead, which its rights alone protect")
            .source(error)
    })
}

#[cfg(unix)]
fn close_to_others(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let closed = fs::metadata(path).and_then(|metadata| {
        let mode = metadata.permissions().mode() & 0o777 & !0o027;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    });
    closed.map_err(|error| {
        Error::new(
            Code::StateUnwritable,
            "the mode of a secret's file cannot be changed",
        )
        .at("file", path.display())
        .hint("run this as the file's owner, or `chmod o= FILE` by hand")
        .source(error)
    })
}

/// Where the sealed credential goes: beside the configuration, as the unit of `service/` has it.
fn credential_file(config: &Path, name: &str) -> PathBuf {
    let folder = config.parent().unwrap_or_else(|| Path::new(""));
    folder.join("credentials").join(name)
}

/// Sealed for this machine by `systemd-creds`, so that the file alone is of no use elsewhere.
fn keep_as_credential(name: &str, file: &Path, value: &SecretString) -> Result<(String, String)> {
    let failed = |error: io::Error| {
        Error::new(
            Code::StateUnwritable,
            "`systemd-creds` cannot seal the credential",
        )
        .at("file", file.display())
        .hint("it comes with systemd 250 and wants root; without it write `{ file = \"PATH\" }`")
        .source(error)
    };
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut sealing = Command::new("systemd-creds")
        .arg("encrypt")
        .arg(format!("--name={name}"))
        .arg("-")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // The pipe is closed at the end of this statement, which tells the program that this was all.
    let given = sealing
        .stdin
        .take()
        .map(|mut pipe| pipe.write_all(value.expose_secret().as_bytes()));
    let done = sealing.wait_with_output().map_err(failed)?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(failed(io::Error::other(said)));
    }
    given.transpose().map_err(failed)?;
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let next = format!(
        "the unit must load it: `systemctl edit stopmark`, then\n[Service]\nLoadCredentialEncrypted={name}:{0}\n\
         and `systemctl restart stopmark`",
        file.display()
    );
    Ok((format!("credential file `{}`", file.display()), next))
}
