//! The stage: the folder, the hosts, the configuration, and the way to run a command as a shell would.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::DemoArgs;
use super::super::out::Out;
use super::super::setup::write_private;
use super::super::sim::Hosts;
use super::client::Client;
use super::group::{self, AGENT, APPLICATION, HOSTS};
use super::workload::Workload;
use crate::clock::{RandomIds, SystemClock};
use crate::error::{Code, Error, Exit, Result};
use crate::run::Interrupt;
use crate::world::{Clock as _, Ids as _};

/// Everything that the acts need.
pub(super) struct Stage<'a, 'o> {
    out: &'a mut Out<'o>,
    interrupt: &'a Interrupt,
    hosts: Hosts,
    folder: PathBuf,
    password: String,
    seed: u64,
    clock: SystemClock,
    acts: u32,
}

impl<'a, 'o> Stage<'a, 'o> {
    /// Makes the folder, the hosts, the group and the configuration.
    pub(super) async fn set(
        args: &DemoArgs,
        out: &'a mut Out<'o>,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        let folder =
            fs::canonicalize(&args.folder).map_err(|error| unusable(&args.folder, error))?;
        let names: Vec<String> = HOSTS.iter().map(|&name| name.to_owned()).collect();
        let hosts = Hosts::start(&folder.join("hosts"), &names, 0).await?;
        let password = format!("Demo-{}", RandomIds.next().simple());
        write_private(&folder.join("login.password"), &password)?;
        group::make(&hosts, &password).await?;
        let clock = SystemClock::new();
        let seed = args.seed;
        let stage = Self {
            out,
            interrupt,
            hosts,
            folder,
            password,
            seed,
            clock,
            acts: 0,
        };
        stage.configure()?;
        Ok(stage)
    }

    fn configure(&self) -> Result<()> {
        let mut text = "format = 1\n\n[group]\nname = \"payments\"\nmanagement_host = \"MGMT\"\n\
            mark_prefix = \"BTS\"\nmark_log = \"biztalk\"\ndiscover = { biztalk = \"BizTalkMgmtDb\" }\n\n\
            [biztalk]\nlog_shipping = false\n\n\
            [store]\nurl = \"STORE\"\n\n[schedule]\nfull = \"0 2 * * *\"\nlog = \"*/15 * * * *\"\n\n\
            [paths]\nstate = \"state\"\nlogs = \"logs\"\n"
            .replace("STORE", &file_url(&self.folder.join("store")));
        for (name, address) in self.hosts.addresses() {
            let share = self.folder.join("share").join(name);
            fs::create_dir_all(&share).map_err(|error| unusable(&share, error))?;
            let share = share.display();
            let section = format!(
                "\n[hosts.{name}]\naddress = \"{address}\"\n\
                 login = {{ user = \"{AGENT}\", password = {{ file = \"login.password\" }} }}\n\
                 link_login = {{ user = \"{AGENT}\", password = {{ file = \"login.password\" }} }}\n\
                 trust_ca = '{}'\nshare = {{ sql = '{share}', agent = '{share}' }}\n",
                self.hosts.authority_file().display()
            );
            text.push_str(&section);
        }
        let path = self.config();
        fs::write(&path, text).map_err(|error| unusable(&path, error))
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("stopmark.toml")
    }

    /// A folder for the files of restored databases.
    pub(super) fn restored_files(&self) -> Result<String> {
        let path = self.folder.join("restored");
        fs::create_dir_all(&path).map_err(|error| unusable(&path, error))?;
        Ok(path.display().to_string())
    }

    /// The headline of the next act.
    pub(super) fn act(&mut self, title: &str) -> Result<()> {
        self.acts += 1;
        let seconds = self.clock.monotonic().as_secs();
        let line = format!("\n== {}. {title} ({seconds} s)", self.acts);
        self.say(&line)
    }

    /// A line for the reader.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        self.out.say(line).map_err(|error| {
            Error::new(Code::StateUnwritable, "the output cannot be written").source(error)
        })
    }

    /// Runs a command as a shell would and shows what it prints.
    pub(super) async fn command(&mut self, args: &[&str]) -> Result<Exit> {
        self.say(&format!("$ stopmark {}", args.join(" ")))?;
        let config = self.config();
        let all = [
            "stopmark".into(),
            "--config".into(),
            config.into_os_string(),
        ]
        .into_iter()
        .chain(args.iter().map(OsString::from));
        let all: Vec<OsString> = all.collect();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = Box::pin(super::super::run(
            all,
            &mut stdout,
            &mut stderr,
            self.interrupt,
        ))
        .await;
        for line in String::from_utf8_lossy(&stdout)
            .lines()
            .chain(String::from_utf8_lossy(&stderr).lines())
        {
            self.say(&format!("  | {line}"))?;
        }
        if self.interrupt.is_asked() {
            return Err(Error::new(
                Code::Interrupted,
                "the demonstration was interrupted",
            ));
        }
        Ok(exit)
    }

    /// Runs a command that must end well.
    pub(super) async fn must(&mut self, args: &[&str]) -> Result<()> {
        match self.command(args).await? {
            Exit::Ok => Ok(()),
            exit => {
                let message = format!(
                    "`stopmark {}` ended with exit code {}",
                    args.join(" "),
                    exit as u8
                );
                Err(Error::new(Code::Bug, message)
                    .at("folder", self.folder.display())
                    .hint("the demonstration's folder and its logs tell more"))
            }
        }
    }

    /// The operator's connection to a host.
    pub(super) async fn operator(&self, host: &str, database: &str) -> Result<Client> {
        let (address, ca) = (self.hosts.host(host).address(), self.hosts.authority_file());
        Client::open(address, &ca, APPLICATION, &self.password, database).await
    }

    /// Starts the application.
    pub(super) fn start_workload(&self) -> Workload {
        Workload::start(&self.hosts, &self.password, self.seed)
    }

    /// Lets the application work for a while.
    pub(super) async fn let_it_work(&self, workload: &Workload, transfers: u64) {
        let (goal, patience) = (
            workload.moved() + transfers,
            self.clock.monotonic() + Duration::from_secs(5),
        );
        while workload.moved() < goal && self.clock.monotonic() < patience {
            self.clock
                .sleep_until(self.clock.monotonic() + Duration::from_millis(20))
                .await;
        }
    }

    /// The names of the hosts, for a command line.
    pub(super) fn host_names(&self) -> String {
        self.hosts
            .addresses()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the hosts.
    pub(super) async fn close(self) -> Result<()> {
        self.hosts.stop().await
    }
}

fn file_url(path: &Path) -> String {
    url::Url::from_file_path(path).map_or_else(|()| String::new(), |url| url.to_string())
}

pub(super) fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::new(
        Code::StateUnwritable,
        "the demonstration's folder cannot be used",
    )
    .at("folder", path.display())
    .hint("name another folder with `--folder`")
    .source(error)
}
