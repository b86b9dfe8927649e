//! The agent as a person uses it: a configuration file, commands, what they print and how they end.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use stopmark::cli;
use stopmark::error::Exit;
use stopmark::run::Interrupt;
use stopmark::sql::observe;

use super::servers::told;
use crate::hosts::{Hosts, LOGIN, PASSWORD};

/// The name of the group, and the prefix of everything that its agent stores.
pub(super) const GROUP: &str = "flow";

/// An agent for some hosts; the first of them is where marks start.
pub(super) struct Agent<'a> {
    hosts: &'a Hosts,
}

/// What a command printed and how it ended.
pub(super) struct Printed {
    /// How it ended.
    pub(super) exit: Exit,
    /// What it printed.
    pub(super) stdout: String,
    /// What it complained about.
    pub(super) stderr: String,
}

impl<'a> Agent<'a> {
    /// An agent whose folder is that of the hosts; no file is written yet.
    pub(super) fn of(hosts: &'a Hosts) -> Self {
        observe::install_alone();
        Self { hosts }
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.hosts.folder().join("stopmark.toml")
    }

    /// The folder that a host and the agent share.
    pub(super) fn share(&self, host: &str) -> PathBuf {
        self.hosts.folder().join("share").join(host)
    }

    /// Writes the configuration: these members, the S3 server as store, every secret named and none written.
    pub(super) fn configure(&self, members: &[&str]) {
        let password = self.hosts.folder().join("password");
        fs::write(&password, PASSWORD).expect("writes");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&password, private).expect("its own file");
        let management = self.hosts.names().next().expect("a host");
        let mut text = format!(
            "format = 1\n\n[group]\nname = \"{GROUP}\"\nmanagement_host = \"{management}\"\n\
             mark_log = \"stopmark\"\nmembers = {members:?}\n\n\
             [store]\nurl = \"s3://{}/agents\"\n\n[store.options]\naws_endpoint = \"{}\"\n\
             aws_region = \"us-east-1\"\naws_access_key_id = \"{}\"\naws_allow_http = \"true\"\n\n\
             [store.secrets]\naws_secret_access_key = {{ env = \"STOPMARK_S3_SECRET\" }}\n\n\
             [paths]\nstate = \"state\"\nlogs = \"logs\"\n",
            told("STOPMARK_S3_BUCKET"),
            told("STOPMARK_S3_ENDPOINT"),
            told("STOPMARK_S3_KEY_ID"),
        );
        for name in self.hosts.names() {
            text += &self.host_section(name);
        }
        fs::write(self.config(), text).expect("writes");
    }

    fn host_section(&self, name: &str) -> String {
        let share = self.share(name);
        fs::create_dir_all(&share).expect("a share");
        let login = format!("{{ user = \"{LOGIN}\", password = {{ file = \"password\" }} }}");
        format!(
            "\n[hosts.{name}]\naddress = \"127.0.0.1,{}\"\nlogin = {login}\nlink_login = {login}\n\
             trust_ca = '{}'\nshare = {{ sql = '{share}', agent = '{share}' }}\n",
            self.hosts.host(name).address().port(),
            self.hosts.authority_file().display(),
            share = share.display(),
        )
    }

    /// Runs a command as a shell would.
    pub(super) async fn run(&self, args: &[&str]) -> Printed {
        let config = self.config().into_os_string();
        let all = [OsString::from("stopmark"), "--config".into(), config];
        let all = all.into_iter().chain(args.iter().map(OsString::from));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let interrupt = Interrupt::default();
        let exit = cli::run(all.collect(), &mut stdout, &mut stderr, &interrupt).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let printed = Printed {
            exit,
            stdout: text(stdout),
            stderr: text(stderr),
        };
        let everything = format!("{}{}", printed.stdout, printed.stderr);
        for secret in [PASSWORD, &told("STOPMARK_S3_SECRET")] {
            assert!(!everything.contains(secret), "`{args:?}` prints a secret");
        }
        printed
    }

    /// Runs a command that must end well, and gives what it printed.
    pub(super) async fn must(&self, args: &[&str]) -> String {
        let printed = self.run(args).await;
        assert_eq!(
            printed.exit,
            Exit::Ok,
            "`{args:?}` prints\n{}\n{}",
            printed.stdout,
            printed.stderr
        );
        printed.stdout
    }

    /// The answer of a command as JSON.
    pub(super) async fn facts(&self, args: &[&str]) -> serde_json::Value {
        let all = [args, &["--json"]].concat();
        serde_json::from_str(&self.must(&all).await).expect("JSON")
    }
}
