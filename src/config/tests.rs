//! The whole room through one door: a file's text in, a Config or its faults out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
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
    parsed_on(text, Platform::Unix)
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
    let full = include_str!("../../config/full.toml");
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
fn every_fault_is_told_at_once_in_the_order_of_the_file() {
    assert_snapshot!(check(&[
        ("name = \"payments\"", "name = \"Payments\"\nnmae = 1"),
        ("stripes = 4", "stripes = 65"),
        ("PAY2/Accounts", "PAY3/Accounts"),
        ("pay2.example,14330", "pay2.example:14330"),
        ("'D:\\b'", "'b'"),
        ("s3://bucket", "ftp://bucket"),
        ("*/15 *", "*/75 *"),
        ("\"90s\"", "90"),
    ]), @r#"
    error[SM0103]: `Payments` is not a group name: use 1 to 40 of a-z, 0-9, `-` and `_`, a letter or digit first
      file: /etc/stopmark/stopmark.toml:4:8
      key:  group.name
      hint: it is part of keys and file names
    error[SM0102]: key `nmae` is not known here
      file: /etc/stopmark/stopmark.toml:5:1
      key:  group.nmae
      hint: the keys here are `name`, `management_host`, `mark_prefix`, `mark_log`, `members`, `discover`
    error[SM0103]: host `PAY3` is not configured
      file: /etc/stopmark/stopmark.toml:7:40
      key:  group.members[1].name
      hint: write a section `[hosts.'PAY3']`
    error[SM0103]: a piece cannot have 65 stripes
      file: /etc/stopmark/stopmark.toml:7:67
      key:  group.members[1].stripes
      hint: write a number from 1 to 64
    error[SM0103]: a port stands behind a comma, not a colon
      file: /etc/stopmark/stopmark.toml:12:11
      key:  hosts.PAY2.address
      hint: write `host,port`, as SQL Server does
    error[SM0103]: the path is not absolute
      file: /etc/stopmark/stopmark.toml:14:17
      key:  hosts.PAY2.share.sql
      hint: write `'\\server\share\folder'`, `'D:\folder'` or `/folder`
    error[SM0103]: this is not the url of a store
      file: /etc/stopmark/stopmark.toml:17:7
      key:  store.url
      hint: write `file:///folder`, `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`
    error[SM0106]: `*/75 * * * *` is not a schedule: a value is out of its range
      file: /etc/stopmark/stopmark.toml:21:7
      key:  schedule.log
      hint: write minute, hour, day of month, month and weekday: `30 2 * * sun`
    error[SM0102]: a string is wanted here, not an integer
      file: /etc/stopmark/stopmark.toml:23:13
      key:  policy.lease_ttl
      hint: put it in quotes
    "#);
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    assert_snapshot!(check(&[("'PAY1\\SQL'\n", "\"PAY1\\SQL\"\n"), ("lease_ttl = ", "lease_ttl ")]), @r#"
    error[SM0102]: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
      file: /etc/stopmark/stopmark.toml:5:25
      hint: put a text with backslashes in single quotes
    error[SM0102]: key with no value, expected `=`
      file: /etc/stopmark/stopmark.toml:22:11
      hint: look at this line and the one before it; TOML is described at https://toml.io
    "#);
}

#[test]
fn a_key_written_twice_is_a_duplicate() {
    assert_snapshot!(check(&[("lease_ttl = \"90s\"", "lease_ttl = \"90s\"\nlease_ttl = \"80s\"")]), @r#"
    error[SM0104]: duplicate key
      file: /etc/stopmark/stopmark.toml:23:1
      hint: keep one of the two
    "#);
}

#[test]
fn an_empty_file_names_the_sections_that_are_needed() {
    assert_snapshot!(shown(&parsed("").expect_err("a fault")), @r#"
    error[SM0103]: `format` is missing
      file: /etc/stopmark/stopmark.toml
      hint: write `format = 1` as the first line
    error[SM0103]: `hosts` is missing
      file: /etc/stopmark/stopmark.toml
      hint: write a section `[hosts.'HOST\INSTANCE']` for each host
    error[SM0103]: `group` is missing
      file: /etc/stopmark/stopmark.toml
      hint: write a section `[group]`
    error[SM0103]: `store` is missing
      file: /etc/stopmark/stopmark.toml
      hint: write a section `[store]`
    "#);
}

#[test]
fn a_newer_format_is_refused_before_all_else() {
    assert_snapshot!(check(&[("format = 1", "format = 2"), ("\"payments\"", "7")]), @r#"
    error[SM0103]: the file has format 2, this version reads up to 1
      file: /etc/stopmark/stopmark.toml:2:10
      key:  format
      hint: use a newer version of Stopmark
    "#);
    assert_snapshot!(check(&[("format = 1", "format = 0")]), @r#"
    error[SM0103]: there is no such format
      file: /etc/stopmark/stopmark.toml:2:10
      key:  format
      hint: write `format = 1`
    "#);
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    assert_snapshot!(check(&[
        ("{ env = \"PASSWORD\" }", "\"hunter2\""),
        ("{ file = \"pay2.txt\" }", "{ value = \"hunter2\" }"),
        ("{ credential = \"link\" }", "[\"hunter2\"]"),
        ("aws_region = \"eu-central-1\"", "aws_session_token = \"hunter2\""),
        ("s3://bucket", "s3://me:hunter2@bucket"),
    ]), @r#"
    error[SM0103]: a secret may not stand in the configuration itself
      file: /etc/stopmark/stopmark.toml:8:41
      key:  hosts.'PAY1\SQL'.login.password
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    error[SM0103]: a secret has exactly one place
      file: /etc/stopmark/stopmark.toml:12:30
      key:  hosts.PAY2.login.password
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    error[SM0102]: key `value` is not known here
      file: /etc/stopmark/stopmark.toml:12:43
      key:  hosts.PAY2.login.password.value
      hint: the keys here are `env`, `file`, `credential`
    error[SM0103]: a secret may not stand in the configuration itself
      file: /etc/stopmark/stopmark.toml:14:42
      key:  hosts.PAY2.link_login.password
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    error[SM0103]: a store's url holds no user, password or query
      file: /etc/stopmark/stopmark.toml:16:7
      key:  store.url
      hint: put keys and tokens into `[store.secrets]`
    error[SM0103]: option `aws_session_token` is a secret
      file: /etc/stopmark/stopmark.toml:17:33
      key:  store.options.aws_session_token
      hint: move it into `[store.secrets]`
    "#);
}

#[test]
fn a_secret_in_a_wrong_place_is_not_repeated() {
    assert_snapshot!(check(&[
        ("pay2.example,14330", "Server=pay2;Password=hunter2"),
        ("login = { user = \"stopmark\", password = { file = \"pay2.txt\" } }", "login = \"stopmark:hunter2\""),
        ("login = { user = \"stopmark\", password = { env", "login = { user = \"stopmark\", password = \"hunter2\" } #"),
    ]), @r#"
    error[SM0103]: a secret may not stand in the configuration itself
      file: /etc/stopmark/stopmark.toml:8:41
      key:  hosts.'PAY1\SQL'.login.password
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    error[SM0103]: this looks like a connection string, not an address
      file: /etc/stopmark/stopmark.toml:11:11
      key:  hosts.PAY2.address
      hint: write `host`, `host,port` or `host\instance`
    error[SM0103]: this is not a login
      file: /etc/stopmark/stopmark.toml:12:9
      key:  hosts.PAY2.login
      hint: write `{ user = "NAME", password = { env = "NAME" } }` or `"integrated"`
    "#);
}

#[test]
fn a_missing_secret_is_told_by_its_place() {
    assert_snapshot!(check(&[
        ("{ env = \"PASSWORD\" }", "{ env = \"UNSET\" }"),
        ("{ file = \"pay2.txt\" }", "{ file = \"empty\" }"),
        ("{ credential = \"link\" }", "{ credential = \"../link\" }"),
        ("aws_secret_access_key = { env = \"PASSWORD\" }", "aws_secret_access_key = { env = \"A\", file = \"B\" }"),
    ]), @r#"
    error[SM0105]: the environment variable `UNSET` is not set
      file: /etc/stopmark/stopmark.toml:8:49
      key:  hosts.'PAY1\SQL'.login.password.env
      hint: give the secret to the account that runs this command, or name another place
    error[SM0105]: the secret is empty
      file: /etc/stopmark/stopmark.toml:12:30
      key:  hosts.PAY2.login.password
      hint: give the secret to the account that runs this command, or name another place
    error[SM0103]: a credential's name is not a path
      file: /etc/stopmark/stopmark.toml:14:57
      key:  hosts.PAY2.link_login.password.credential
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    error[SM0103]: a secret has exactly one place
      file: /etc/stopmark/stopmark.toml:18:13
      key:  store.secrets.aws_secret_access_key
      hint: write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`
    "#);
    assert_snapshot!(check(&[("pay2.txt", "absent"), ("credential = \"link\"", "credential = \"none\"")]), @r#"
    error[SM0105]: `/etc/stopmark/absent` cannot be read: entity not found
      file: /etc/stopmark/stopmark.toml:12:50
      key:  hosts.PAY2.login.password.file
      hint: give the secret to the account that runs this command, or name another place
    error[SM0105]: `/run/cred/none` cannot be read: entity not found
      file: /etc/stopmark/stopmark.toml:14:57
      key:  hosts.PAY2.link_login.password.credential
      hint: give the secret to the account that runs this command, or name another place
    "#);
}

#[test]
fn two_entries_for_one_thing_are_refused() {
    assert_snapshot!(check(&[
        ("members = [", "members = ['PAY2/ACCOUNTS', "),
        ("[store]", "[hosts.pay2]\nlogin = \"integrated\"\n[store]"),
        ("'D:\\b', agent = '/mnt/b/PAY2'", "'D:\\b', agent = '/mnt/b/PAY1/'"),
        ("options = { ", "options = { AWS_SECRET_ACCESS_KEY = '', "),
    ]), @r#"
    error[SM0104]: `PAY2/ACCOUNTS` is listed twice
      file: /etc/stopmark/stopmark.toml:6:48
      key:  group.members[2]
      hint: keep one of the two
    error[SM0104]: `PAY2` and `PAY1\SQL` have one share
      file: /etc/stopmark/stopmark.toml:10:8
      key:  hosts.PAY2
      hint: give each host a folder of its own below the share
    error[SM0104]: `pay2` and `PAY2` are one host
      file: /etc/stopmark/stopmark.toml:15:8
      key:  hosts.pay2
      hint: SQL Server compares host names without case
    error[SM0103]: option `AWS_SECRET_ACCESS_KEY` is a secret
      file: /etc/stopmark/stopmark.toml:19:37
      key:  store.options.AWS_SECRET_ACCESS_KEY
      hint: move it into `[store.secrets]`
    error[SM0104]: option `aws_secret_access_key` stands in `options` and in `secrets`
      file: /etc/stopmark/stopmark.toml:20:13
      key:  store.secrets.aws_secret_access_key
      hint: keep the secret
    "#);
}

#[test]
fn a_group_needs_members_on_known_hosts_with_shares() {
    assert_snapshot!(check(&[("management_host = 'PAY1", "management_host = 'PAY9"), ("'PAY1\\SQL/Orders'", "'Orders'")]), @r#"
    error[SM0103]: host `PAY9\SQL` is not configured
      file: /etc/stopmark/stopmark.toml:5:19
      key:  group.management_host
      hint: write a section `[hosts.'PAY9\SQL']`
    error[SM0103]: `Orders` is not a member: write `HOST/DATABASE` or `HOST\INSTANCE/DATABASE`
      file: /etc/stopmark/stopmark.toml:6:12
      key:  group.members[0]
      hint: the host's part is the key of its section
    "#);
    assert_snapshot!(check(&[("share = { sql = 'D:", "#")]), @r#"
    error[SM0103]: `PAY2/Accounts` is on a host without a share
      file: /etc/stopmark/stopmark.toml:10:8
      key:  hosts.PAY2
      hint: write `share = { sql = '\\nas\b\SQL1', agent = '/mnt/b/SQL1' }` for the host
    "#);
    assert_snapshot!(check(&[("members = ", "#")]), @r#"
    error[SM0103]: the group has no members
      file: /etc/stopmark/stopmark.toml:3:2
      key:  group
      hint: write `members = ['HOST\INSTANCE/DATABASE']` or `discover = { biztalk = "BizTalkMgmtDb" }`
    "#);
    assert_snapshot!(check(&[("members = ", "discover = {}\n#")]), @r#"
    error[SM0103]: `group.discover.biztalk` is missing
      file: /etc/stopmark/stopmark.toml:6:1
      key:  group.discover
      hint: write `discover = { biztalk = "BizTalkMgmtDb" }`
    "#);
}

#[test]
fn hosts_are_reached_by_tcp_with_a_login() {
    assert_snapshot!(check(&[
        ("address = \"pay2.example,14330\"", "address = 'np:\\\\pay2\\pipe\\sql\\query'\nencryption = \"off\"\ntrust_any_certificate = true\ntrust_ca = \"ca.pem\""),
        ("link_login = { user = \"link\", password = { credential = \"link\" } }", "link_login = \"integrated\"\nlink_address = \"\""),
        ("login = { user = \"stopmark\", password = { env = \"PASSWORD\" } }", "login = \"integrated\""),
        ("/mnt/b/PAY2", "mnt"),
    ]), @r#"
    error[SM0103]: `login = "integrated"` works on Windows only in this version
      file: /etc/stopmark/stopmark.toml:8:9
      key:  hosts.'PAY1\SQL'.login
      hint: use a SQL Server login
    error[SM0103]: `trust_ca` and `trust_any_certificate` exclude each other
      file: /etc/stopmark/stopmark.toml:10:8
      key:  hosts.PAY2
      hint: keep `trust_ca`
    error[SM0103]: named pipes are not spoken, only tcp
      file: /etc/stopmark/stopmark.toml:11:11
      key:  hosts.PAY2.address
      hint: write `host`, `host,port` or `host\instance`
    error[SM0103]: `off` is not known here
      file: /etc/stopmark/stopmark.toml:12:14
      key:  hosts.PAY2.encryption
      hint: write `"required"` or `"strict"` or `"login-only"`
    error[SM0103]: this is not an absolute path on this machine
      file: /etc/stopmark/stopmark.toml:16:33
      key:  hosts.PAY2.share.agent
      hint: mount the share on this machine and write where, `/mnt/..`
    error[SM0103]: a link's login is a SQL Server login
      file: /etc/stopmark/stopmark.toml:17:14
      key:  hosts.PAY2.link_login
      hint: leave `link_login` out to pass the agent's own identity on
    error[SM0103]: this is not the address of a host
      file: /etc/stopmark/stopmark.toml:18:16
      key:  hosts.PAY2.link_address
      hint: write `host`, `host,port` or `host\instance`
    "#);
}

#[test]
fn an_option_that_the_store_would_pass_over_is_refused() {
    assert_snapshot!(check(&[("aws_region", "azure_endpoint")]), @r#"
    error[SM0102]: option `azure_endpoint` is not known to this kind of store
      file: /etc/stopmark/stopmark.toml:17:30
      key:  store.options.azure_endpoint
      hint: options have `object_store`'s names, such as `aws_region` or `aws_endpoint`
    "#);
    assert_snapshot!(check(&[("s3://bucket/prefix", "file:///srv/stopmark")]), @r#"
    error[SM0102]: option `aws_region` is not known to this kind of store
      file: /etc/stopmark/stopmark.toml:17:26
      key:  store.options.aws_region
      hint: options have `object_store`'s names, such as `aws_region` or `aws_endpoint`
    error[SM0102]: option `aws_secret_access_key` is not known to this kind of store
      file: /etc/stopmark/stopmark.toml:18:13
      key:  store.secrets.aws_secret_access_key
      hint: options have `object_store`'s names, such as `aws_region` or `aws_endpoint`
    "#);
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
fn a_file_without_hosts_does_not_blame_its_members() {
    assert_snapshot!(shown(&parsed(
        "format = 1\nhosts = {}\n[group]\nname = \"g\"\nmanagement_host = \"A\"\nmembers = [\"A/x\", 7]\n[store]\nurl = \"file:///s\""
    ).expect_err("a fault")), @r#"
    error[SM0103]: no host is configured
      file: /etc/stopmark/stopmark.toml:2:1
      key:  hosts
      hint: write a section `[hosts.'HOST\INSTANCE']` for each host
    error[SM0102]: a string is wanted here, not an integer
      file: /etc/stopmark/stopmark.toml:6:19
      key:  group.members[1]
      hint: put it in quotes
    "#);
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
