//! FreeTDS's `tsql`, told what to say and asked what it saw.
//!
//! Start at [`Tsql::new`]. The program reads nothing of this machine's configuration, and gives up by itself when
//! a host falls silent.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};

use crate::hosts::{Hosts, LOGIN, PASSWORD};

/// How the connection is protected, in FreeTDS's words.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Encryption {
    /// Nothing, not even the login.
    Off,
    /// The login, and everything if the server asks for it.
    Request,
    /// Everything.
    Require,
}

/// One way to log in.
#[derive(Clone, Debug)]
pub(crate) struct Tsql {
    configuration: String,
    folder: PathBuf,
    user: String,
    password: String,
    database: String,
}

/// What the program said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Whether it ended well.
    pub(crate) is_ok: bool,
    /// Rows and the server's informational messages.
    pub(crate) output: String,
    /// The server's messages and errors, with their numbers.
    pub(crate) messages: String,
}

impl Tsql {
    /// As `sa` to a host, over TLS, its certificate checked.
    pub(crate) fn new(hosts: &Hosts, host: &str) -> Self {
        let (address, authority) = (hosts.host(host).address(), hosts.authority_file());
        Self::at(address, hosts.folder(), Encryption::Require, authority)
    }

    /// As `sa` to whoever listens there; the program's own files go into the folder.
    pub(crate) fn at(
        address: SocketAddr,
        folder: &Path,
        encryption: Encryption,
        authority: &Path,
    ) -> Self {
        Self {
            configuration: configuration(address, encryption, authority),
            folder: folder.to_owned(),
            user: LOGIN.to_owned(),
            password: PASSWORD.to_owned(),
            database: "master".to_owned(),
        }
    }

    /// The same with another protection.
    pub(crate) fn over(mut self, hosts: &Hosts, host: &str, encryption: Encryption) -> Self {
        let address = hosts.host(host).address();
        self.configuration = configuration(address, encryption, hosts.authority_file());
        self
    }

    /// The same as another person.
    pub(crate) fn with_login(mut self, user: &str, password: &str) -> Self {
        user.clone_into(&mut self.user);
        password.clone_into(&mut self.password);
        self
    }

    /// The same, but the login asks for this database.
    pub(crate) fn into_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.database);
        self
    }

    /// The same, but certificates must come from another authority.
    pub(crate) fn trusting(mut self, ours: &Path, other: &Path) -> Self {
        let (ours, other) = (ours.display().to_string(), other.display().to_string());
        self.configuration = self.configuration.replace(&ours, &other);
        self
    }

    /// Sends these batches, one after the other, and waits for the end.
    pub(crate) async fn say(&self, batches: &[&str]) -> Answer {
        let (this, script) = (self.clone(), script(batches));
        let told = tokio::task::spawn_blocking(move || this.run(&script, read_all)).await;
        told.expect("the program ran")
    }

    /// The same, and as soon as a message with these words is seen, something else is done.
    pub(crate) fn say_and_see(&self, batches: &[&str], words: &str, then: impl FnOnce()) -> Answer {
        self.run(&script(batches), |messages| {
            let mut messages = BufReader::new(messages);
            let mut text = String::new();
            while !text.contains(words) {
                if messages.read_line(&mut text).expect("text") == 0 {
                    return text;
                }
            }
            then();
            messages.read_to_string(&mut text).expect("text");
            text
        })
    }

    fn run(&self, script: &str, read: impl FnOnce(ChildStderr) -> String) -> Answer {
        let file = tempfile::NamedTempFile::new_in(&self.folder).expect("a file");
        fs::write(file.path(), &self.configuration).expect("writes");
        // A file, because two full pipes could not be read one after the other.
        let rows = tempfile::NamedTempFile::new_in(&self.folder).expect("a file");
        let mut child = Command::new("tsql")
            .args(["-S", "host", "-o", "q", "-t", "|"])
            .args(["-U", &self.user, "-P", &self.password, "-D", &self.database])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C.UTF-8")
            .env("FREETDSCONF", file.path())
            .env("HOME", &self.folder)
            .stdin(Stdio::piped())
            .stdout(rows.reopen().expect("a file"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("FreeTDS's `tsql` is installed: tests/foreign/run.sh does it");
        let mut input = child.stdin.take().expect("its input is a pipe");
        // A program that refused the login has closed the pipe.
        let _ = input.write_all(script.as_bytes());
        drop(input);
        let messages = read(child.stderr.take().expect("its messages are a pipe"));
        let status = child.wait().expect("it ends");
        let output = fs::read(rows.path()).expect("its output");
        Answer {
            is_ok: status.success(),
            output: String::from_utf8_lossy(&output).into_owned(),
            messages,
        }
    }
}

fn configuration(address: SocketAddr, encryption: Encryption, authority: &Path) -> String {
    let (word, authority) = match encryption {
        Encryption::Off => ("off", String::new()),
        Encryption::Request => ("request", String::new()),
        Encryption::Require => ("require", format!("ca file = {}\n", authority.display())),
    };
    format!(
        "[host]\nhost = {}\nport = {}\ntds version = 7.4\nclient charset = UTF-8\n\
         connect timeout = 20\ntimeout = 60\nencryption = {word}\n{authority}",
        address.ip(),
        address.port()
    )
}

fn script(batches: &[&str]) -> String {
    batches.join("\ngo\n") + "\ngo\n"
}

fn read_all(mut messages: ChildStderr) -> String {
    let mut bytes = Vec::new();
    messages.read_to_end(&mut bytes).expect("its messages");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Answer {
    /// The numbers of the server's messages, in the order in which they came.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        let number = |line: &str| {
            let rest = line.trim_start().strip_prefix("Msg ")?;
            rest.split([' ', ',']).next()?.parse().ok()
        };
        self.messages.lines().filter_map(number).collect()
    }

    /// Whether this row was printed.
    pub(crate) fn has_row(&self, row: &str) -> bool {
        self.output.lines().any(|line| line == row)
    }
}
