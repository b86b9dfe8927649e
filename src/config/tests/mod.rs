//! The whole room through one door: a file's text in, a Config or its faults out.

mod faults;
mod page;
mod service;
mod stores;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::read::{self, Platform};
use super::secrets::SecretSource;
use super::*;
use crate::error::render;

/// What every secret of these tests is, so that any print of it can be found.
const SECRET: &str = "hunter2";

const WHOLE: &str = r#"
format = 1
[group]
name = "payments"
management_host = 'PAY1\SQL'
members = ['PAY1\SQL/Orders', { name = 'PAY2/Accounts', stripes = 4, compression = true }]
[hosts.'PAY1\SQL']
login = { user = "stopmark", password = { env = "PASSWORD" } }
share = { sql = '\\nas\b\PAY1', agent = '/mnt/b/PAY1' }
[hosts.PAY2]
address = "pay2.example,14330"
login = { user = "stopmark", password = { file = "pay2.txt" } }
share = { sql = 'D:\b', agent = '/mnt/b/PAY2' }
link_login = { user = "link", password = { credential = "link" } }
[store]
url = "s3://bucket/prefix"
options = { aws_region = "eu-central-1" }
secrets = { aws_secret_access_key = { env = "PASSWORD" } }
[schedule]
log = "*/15 * * * *"
[policy]
lease_ttl = "90s"
"#;

/// Secrets of a machine that exists in this test only.
struct Vault {
    env: &'static [&'static str],
    files: BTreeMap<PathBuf, &'static str>,
}

impl Vault {
    fn new() -> Self {
        let files = [
            ("/etc/stopmark/pay2.txt", "hunter2\r\n"),
            ("/run/cred/link", "hunter2"),
            ("/etc/stopmark/empty", "\n"),
        ];
        Self {
            env: &[
                "PASSWORD",
                "STOPMARK_SQL1_PASSWORD",
                "STOPMARK_SQL2_PASSWORD",
                "STOPMARK_LINK_PASSWORD",
                "STOPMARK_STORE_KEY",
                "STOPMARK_BTSMGMT_PASSWORD",
                "STOPMARK_BTSMSG_PASSWORD",
            ],
            files: files.map(|(path, text)| (path.into(), text)).into(),
        }
    }
}

impl SecretSource for Vault {
    fn env(&self, name: &str) -> Option<SecretString> {
        self.env.contains(&name).then(|| SECRET.into())
    }

    fn file(&self, path: &Path) -> io::Result<SecretString> {
        let text = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(SecretString::from(*text))
    }

    fn credentials(&self) -> Option<PathBuf> {
        Some("/run/cred".into())
    }
}

fn parsed_on(text: &str, platform: Platform) -> Result<Config, Vec<Error>> {
    read::config(
        text,
        Path::new("/etc/stopmark/stopmark.toml"),
        &Vault::new(),
        platform,
    )
}

fn parsed(text: &str) -> Result<Config, Vec<Error>> {
    let platform = Platform::Unix {
        has_kerberos: false,
    };
    parsed_on(text, platform)
}

fn whole(text: &str) -> Config {
    parsed(text).unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

fn shown(errors: &[Error]) -> String {
    errors.iter().fold(String::new(), |mut all, error| {
        assert!(
            !format!("{error:?}").contains(SECRET),
            "a secret was printed"
        );
        assert!(
            error.hint_text().is_some_and(|hint| !hint.is_empty()),
            "{error} has no hint"
        );
        write!(all, "{}", render::text(error)).expect("a string takes all");
        all
    })
}

/// The faults of the whole file with these replacements, each of which must hit.
fn check(changes: &[(&str, &str)]) -> String {
    let mut text = WHOLE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in the file");
        text = text.replacen(from, to, 1);
    }
    shown(&parsed(&text).expect_err("a fault"))
}

#[test]
fn a_whole_file_is_read() {
    let config = whole(WHOLE);
    assert_eq!(config.group.as_str(), "payments");
    assert_eq!(
        config.members[0],
        MemberConfig::of(r"PAY1\SQL/Orders".parse().expect("valid"))
    );
    assert_eq!(
        (config.members[1].stripes, config.members[1].compression),
        (4, Some(true))
    );
    let first = config
        .host(&r"pay1\sql".parse().expect("valid"))
        .expect("configured");
    assert_eq!(first.address, r"PAY1\SQL");
    assert_eq!(config.store.options["aws_region"], "eu-central-1");
    assert_eq!(config.policy.lease_ttl.as_secs(), 90);
    assert_eq!(
        config.policy.mark_timeout,
        PolicyConfig::default().mark_timeout
    );
}

#[test]
fn secrets_arrive_without_their_line_end_and_never_print() {
    let config = whole(WHOLE);
    for host in config.hosts.values() {
        let LoginConfig::Sql { password, .. } = &host.login else {
            panic!("a SQL login")
        };
        assert_eq!(password.expose_secret(), SECRET);
    }
    assert_eq!(
        config.store.secrets["aws_secret_access_key"].expose_secret(),
        SECRET
    );
    assert!(!format!("{config:?}").contains(SECRET));
}

#[test]
fn hosts_are_spelled_as_their_section_spells_them() {
    let text = WHOLE
        .replacen("= 'PAY1\\SQL'", "= 'pay1\\sql'", 1)
        .replace("'PAY2/", "'pay2/");
    let config = whole(&text);
    assert_eq!(config.management_host.as_str(), r"PAY1\SQL");
    assert_eq!(config.members[1].name.to_string(), "PAY2/Accounts");
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    whole(&format!("\u{feff}{WHOLE}"));
}

#[test]
fn the_full_sample_holds_every_key_and_equals_the_defaults() {
    let full = include_str!("../../../config/full.toml");
    let bare = r#"
        format = 1
        [group]
        name = "payments"
        management_host = 'SQL1\PAY'
        members = ['SQL1\PAY/Orders', 'SQL1\PAY/Ledger']
        [hosts.'SQL1\PAY']
        login = { user = "stopmark", password = { env = "STOPMARK_SQL1_PASSWORD" } }
        share = { sql = '\\nas.example.com\stopmark\SQL1', agent = '/mnt/stopmark/SQL1' }
        [store]
        url = "file:///srv/stopmark"
    "#;
    assert_eq!(format!("{:#?}", whole(full)), format!("{:#?}", whole(bare)));
    for key in read::all_keys() {
        let is_there = full.lines().any(|line| {
            let line = line.trim_start_matches(['#', ' ']);
            line.starts_with(&format!("{key} = "))
                || line.starts_with(&format!("[{key}"))
                || line.starts_with(&format!("[store.{key}"))
        });
        assert!(
            is_there || full.contains(&format!(" {key} = ")),
            "`{key}` is not in full.toml"
        );
    }
}

#[test]
fn the_samples_of_init_are_without_fault() {
    let group = whole(sample(Sample::Group));
    assert_eq!((group.members.len(), group.hosts.len()), (3, 2));
    let biztalk = whole(sample(Sample::BizTalk));
    assert_eq!(biztalk.mark_log, MarkLogKind::BizTalk);
    assert!(biztalk.discovery.is_some() && biztalk.members.is_empty());
}

#[test]
fn options_of_every_client_are_known() {
    for (url, option) in [
        ("s3://b", "aws_endpoint"),
        ("s3://b", "allow_http"),
        ("az://b", "azure_storage_use_emulator"),
        ("gs://b", "google_service_account"),
    ] {
        let text = WHOLE
            .replace("s3://bucket/prefix", url)
            .replace("aws_region", option);
        let secret = if url == "az://b" {
            "azure_storage_account_key"
        } else {
            "google_service_account_key"
        };
        let secret = if url == "s3://b" {
            "aws_secret_access_key"
        } else {
            secret
        };
        whole(&text.replace("aws_secret_access_key", secret));
    }
}

#[test]
fn durations_have_units_and_an_end() {
    for text in ["90", "-5s", "0s", "5 parsecs", "1y", ""] {
        let faults = check(&[("90s", text)]);
        assert!(
            faults.contains("SM0103") && faults.contains("policy.lease_ttl"),
            "{faults}"
        );
    }
    assert_eq!(
        whole(&WHOLE.replace("90s", "1h 30m"))
            .policy
            .lease_ttl
            .as_secs(),
        5400
    );
}

#[test]
fn on_windows_paths_and_logins_are_those_of_windows() {
    let platform = || Platform::Windows {
        program_data: "P".into(),
    };
    let text = WHOLE
        .replace(
            "login = { user = \"stopmark\", password = { env = \"PASSWORD\" } }",
            "login = \"integrated\"",
        )
        .replace("'/mnt/b/", "'\\\\nas\\b\\");
    let config = parsed_on(&text, platform()).unwrap_or_else(|errors| panic!("{}", shown(&errors)));
    assert_eq!(config.state, Path::new("P").join("Stopmark").join("state"));
    let faults = shown(&parsed_on(WHOLE, platform()).expect_err("paths of Unix"));
    assert_eq!(
        faults
            .matches("this is not an absolute path on this machine")
            .count(),
        2,
        "{faults}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stopmark.toml");
    let code = |path: &Path| load(path, &Vault::new()).expect_err("unreadable")[0].code();
    assert_eq!(code(&path), Code::ConfigUnreadable);
    std::fs::write(&path, b"\xff\xfef\0o\0").expect("written");
    assert_eq!(code(&path), Code::ConfigUnreadable);
    std::fs::write(&path, WHOLE.replace("pay2.txt", "/etc/stopmark/pay2.txt")).expect("written");
    assert!(load(&path, &Vault::new()).is_ok());
}

#[test]
fn a_build_that_knows_kerberos_takes_an_integrated_login() {
    let text = WHOLE.replace(
        "login = { user = \"stopmark\", password = { env = \"PASSWORD\" } }",
        "login = \"integrated\"",
    );
    let config = parsed_on(&text, Platform::Unix { has_kerberos: true })
        .unwrap_or_else(|errors| panic!("{}", shown(&errors)));
    let mut logins = config.hosts.values().map(|host| &host.login);
    assert!(logins.any(|login| matches!(login, LoginConfig::Integrated)));
}
