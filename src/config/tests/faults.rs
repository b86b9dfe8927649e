//! What each kind of fault says, and where: the words are looked at when they change.

use insta::assert_snapshot;

use super::{Code, SECRET, WHOLE, check, parsed, shown};

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
      hint: the keys here are `name`, `kind`, `management_host`, `mark_prefix`, `mark_log`, `members`, `discover`
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
      file: /etc/stopmark/stopmark.toml:12:50
      key:  hosts.PAY2.login.password.file
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
        ("options = { ", "options = { AWS_SECRET_ACCESS_KEY = '', "),
    ]), @r#"
    error[SM0104]: `PAY2/ACCOUNTS` is listed twice
      file: /etc/stopmark/stopmark.toml:6:48
      key:  group.members[2]
      hint: keep one of the two
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
        ("address = \"pay2.example,14330\"", concat!(
            "address = 'np:\\\\pay2\\pipe\\sql\\query'\n",
            "encryption = \"off\"\ntrust_any_certificate = true\ntrust_ca = \"ca.pem\"",
        )),
        ("link_login = { user = \"link\", password = { credential = \"link\" } }", "link_login = \"integrated\"\nlink_address = \"\""),
        ("login = { user = \"stopmark\", password = { env = \"PASSWORD\" } }", "login = \"integrated\""),
        ("/mnt/b/PAY2", "mnt"),
    ]), @r#"
    error[SM0103]: `login = "integrated"` needs Windows, or a build that knows Kerberos
      file: /etc/stopmark/stopmark.toml:8:9
      key:  hosts.'PAY1\SQL'.login
      hint: use a SQL Server login, or build with `--features kerberos` (docs/rights.md says what it needs)
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
fn a_file_cut_anywhere_is_refused_without_a_panic_or_a_secret() {
    let text = WHOLE.replace("{ env = \"PASSWORD\" }", "\"hunter2\"");
    for (end, _) in text.char_indices() {
        let errors = parsed(&text[..end]).expect_err("no cut file is whole");
        assert!(!errors.is_empty() && !shown(&errors).contains(SECRET));
        assert!(
            errors.iter().all(|error| error.code() != Code::Bug),
            "cut at {end}"
        );
    }
}

#[test]
fn a_value_of_any_type_in_any_place_is_refused_without_a_panic() {
    for at in 0..WHOLE.lines().count() {
        for value in [
            "7",
            "[]",
            "{}",
            "true",
            "1.5",
            "2026-11-21",
            "''",
            "[[1]]",
            "{ a = 1 }",
        ] {
            let lines = WHOLE
                .lines()
                .enumerate()
                .map(|(n, line)| match line.split_once(" = ") {
                    Some((key, _)) if n == at => format!("{key} = {value}\n"),
                    _ => format!("{line}\n"),
                });
            if let Err(errors) = parsed(&lines.collect::<String>()) {
                assert!(!shown(&errors).contains("SM9001"), "{value} in line {at}");
            }
        }
    }
}

#[test]
fn what_is_said_of_a_biztalk_group_must_fit_one() {
    let no_group = check(&[("[store]", "[biztalk]\nengine = 'stopmark'\n[store]")]);
    assert!(
        no_group.contains("the group is no BizTalk group"),
        "{no_group}"
    );
    let kind = ("[group]", "[group]\nkind = \"biztalk\"");
    for (rules, told) in [
        ("engine = \"oracle\"", "`oracle` is not known here"),
        ("keep_for = \"1h\"", "must still find its files"),
        ("drift = true", "a string is wanted here"),
        (
            "servers = { 'x' = 'NOBODY' }",
            "host `NOBODY` is not configured",
        ),
        ("journal = 1", "journal"),
    ] {
        let faults = check(&[kind, ("[store]", &format!("[biztalk]\n{rules}\n[store]"))]);
        assert!(faults.contains(told), "{told}: {faults}");
    }
    let striped = check(&[
        kind,
        (
            "'PAY1\\SQL/Orders'",
            "{ name = 'PAY1\\SQL/Orders', stripes = 2 }",
        ),
    ]);
    assert!(striped.contains("names one file"), "{striped}");
}
