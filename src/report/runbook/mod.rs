//! The runbook of a restore: the steps around the scripts, in the order in which a person takes them.
//!
//! Start at [`files`]. It is Markdown that reads well without a renderer. What Stopmark does not know it does not guess:
//! it says where to look.

mod biztalk;
mod companions;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::bytes::{counted, size};
use super::script::{Companions, HostPaper, PaperFacts, PaperFile, kind_word};
use crate::config::{Discovery, LoginConfig, MarkLogKind};
use crate::error::plain::plain;
use crate::model::{HostName, MemberName, Piece};
use crate::plan::ProveMark;
use crate::sql::{Batch, script};

/// `RUNBOOK.md`, and for a BizTalk group the file that its own scripts read.
#[must_use]
pub(super) fn files(
    facts: &PaperFacts<'_>,
    hosts: &[HostPaper<'_>],
    beside: &Companions<'_>,
) -> Vec<PaperFile> {
    let is_biztalk = is_biztalk(facts);
    let mut sections = vec![
        opening(facts, hosts),
        before(),
        bring(hosts),
        restore(hosts),
        links(facts),
        logins(hosts),
        rest(facts, hosts),
        companions::section(beside),
    ];
    if is_biztalk {
        sections.push(biztalk::section(hosts));
    }
    sections.push(afterwards(facts));
    sections.push(pieces(facts, hosts));
    let text = sections.join("\n");
    let mut files = vec![PaperFile {
        name: "RUNBOOK.md".to_owned(),
        text,
    }];
    if is_biztalk {
        files.push(PaperFile {
            name: "SampleUpdateInfo.xml".to_owned(),
            text: biztalk::update_info(hosts),
        });
    }
    files
}

fn is_biztalk(facts: &PaperFacts<'_>) -> bool {
    let is_found = matches!(facts.config.discovery, Some(Discovery::BizTalk { .. }));
    is_found || facts.config.mark_log == MarkLogKind::BizTalk
}

fn opening(facts: &PaperFacts<'_>, hosts: &[HostPaper<'_>]) -> String {
    let (group, mark) = (
        code(facts.plan.group.as_str()),
        code(facts.mark.name.as_str()),
    );
    let members: usize = hosts.iter().map(|host| host.proofs.len()).sum();
    let mut text = format!(
        "# Bringing group {group} back to mark {mark}\n\n\
         The mark was placed {placed}; whatever was committed later is lost. Written by Stopmark {version} on {made}: \
         {members} on {hosts}. Nothing of Stopmark is needed for what follows.\n\n\
         | member | becomes | on host |\n| --- | --- | --- |\n",
        placed = facts.mark.placed_at,
        version = env!("CARGO_PKG_VERSION"),
        made = facts.made_at(),
        members = counted(members, "database"),
        hosts = counted(hosts.len(), "host"),
    );
    for (host, proof) in proofs(hosts) {
        line(
            &mut text,
            &format!(
                "| {} | {} | {} |",
                cell(&proof.member.to_string()),
                cell(proof.target.as_str()),
                cell(host.host.as_str())
            ),
        );
    }
    let without = facts
        .plan
        .warnings
        .iter()
        .map(|it| format!("- {}\n", plain(&it.message)));
    let without: String = without.collect();
    if !without.is_empty() {
        write!(text, "\nKnow this first:\n\n{without}").expect("a string takes everything");
    }
    text.push_str(
        "\nTwo rules, whatever happens. **All members come back to this one mark, or none is used**: transactions span \
         them. **Never `RESTORE DATABASE .. WITH RECOVERY` on a database that stays RESTORING**: it opens it at the \
         end of its log, past the mark, and cannot be taken back.\n",
    );
    text
}

fn before() -> String {
    format!(
        "## 1. Before anything\n\n\
         - [ ] Say who decides, and write down the time. What happened to the hosts that were?\n\
         - [ ] Stop what writes: applications, services, SQL Server Agent jobs, receive locations. A member that takes new \
         transactions while others are restored is lost twice.\n\
         - [ ] Where an old host still answers, take the tail of each log first (`{tail}`) and keep it: it may hold a \
         later mark.\n\
         - [ ] See that the hosts have room, a version that is not older than the one that was backed up, and the \
         certificates of encrypted databases and backups (TDE): `SELECT name, thumbprint FROM master.sys.certificates`.\n",
        tail = script::TAIL_WORDS
    )
}

fn bring(hosts: &[HostPaper<'_>]) -> String {
    let mut text = "## 2. Bring the backup files\n\n\
                    On a machine that reaches the store and the shares, for each host:\n\n```sh\n"
        .to_owned();
    for host in hosts {
        line(&mut text, &format!("sh {}", host.fetch_name()));
    }
    text.push_str(
        "```\n\nEach script ends with ALL FILES ARE THERE. By hand: the table at the end says which object becomes which \
         file. Objects that end in `.age` are opened with `age -d -i key.txt piece.bak.age > piece.bak`; segments \
         (`.seg00001` ..) are put together in order first. The digest of record (`root`) is SHA-256 over the raw SHA-256 \
         digests of the chunks of 8 MiB:\n\n```sh\n\
         split --bytes=8M --filter=sha256sum piece.bak | cut -c1-64 | xxd -r -p | sha256sum\n```\n",
    );
    text
}

fn restore(hosts: &[HostPaper<'_>]) -> String {
    let mut text = "## 3. Restore, all hosts at the same time\n\n```sh\n".to_owned();
    for host in hosts {
        let (name, file) = (plain(host.host.as_str()), host.script_name());
        line(
            &mut text,
            &format!("sqlcmd -S \"{name}\" -d master -E -x -f 65001 -i {file}"),
        );
    }
    text.push_str(
        "```\n\n- [ ] Each script ended with EVERY MEMBER ON THIS HOST STANDS AT MARK.\n\
         - [ ] Not before that on *every* host: let anybody use any of the databases.\n",
    );
    text
}

fn links(facts: &PaperFacts<'_>) -> String {
    let config = facts.config;
    let management = code(config.management_host.as_str());
    let mut text = format!(
        "## 4. Linked servers\n\n\
         Marks travel from {management} through linked servers, and so may your applications. They are kept in `master`, \
         which no member is. Where hosts have new names, make them anew (`stopmark link apply`, or `{}`), then try each \
         with `sp_testlinkedserver`. MSDTC must be reachable both ways.\n\n\
         | linked server on {management} | data source | login there |\n| --- | --- | --- |\n",
        script::LINK_WORDS.join("`, `"),
    );
    let others = config
        .hosts
        .values()
        .filter(|host| !host.name.is_same_host(&config.management_host));
    for host in others {
        let source = host.link_address.as_ref().unwrap_or(&host.address);
        let login = match &host.link_login {
            Some(LoginConfig::Sql { user, .. }) => cell(user),
            Some(LoginConfig::Integrated) | None => "the caller's own".to_owned(),
        };
        line(
            &mut text,
            &format!(
                "| {} | {} | {login} |",
                cell(host.name.as_str()),
                cell(source)
            ),
        );
    }
    text
}

fn logins(hosts: &[HostPaper<'_>]) -> String {
    let mut text = "## 5. Logins, with their SIDs\n\n\
                    Logins are kept in `master`. A login that is made by name alone has another SID, and the users in \
                    the databases are orphans. Where an old host, or a restored `master` of it under another name, still \
                    answers, this writes the statements that make its SQL logins elsewhere; treat what it prints \
                    as secrets:\n\n"
        .to_owned();
    text.push_str(&sql(&script::logins_sql()));
    text.push_str("\nThen, on each host, these must return no rows:\n\n");
    let mut seen = BTreeSet::new();
    for (host, proof) in proofs(hosts) {
        if seen.insert((host.host, &proof.target)) {
            text.push_str(&sql(&script::orphans_sql(&proof.target)));
        }
    }
    text.push_str(
        "\n`ALTER USER [name] WITH LOGIN = [name]` ties an orphan to a login of that name.\n",
    );
    text
}

fn rest(facts: &PaperFacts<'_>, hosts: &[HostPaper<'_>]) -> String {
    "## 6. What else is not in the databases\n\n\
     - [ ] SQL Server Agent jobs, operators, alerts, Database Mail: in `msdb`. Restore it under another name and \
     script them from there, or from your own scripts. Leave backup jobs of others disabled.\n\
     - [ ] Owner, TRUSTWORTHY, cross-database chaining, Service Broker, CDC and replication settings: a restore resets \
     some of them. What the members had:\n\n"
        .to_owned()
        + &had(facts, hosts)
        + "\nCompare with the hosts that were, where they still answer, and with what is there now:\n\n"
        + &sql(&script::settings_sql())
        + "\n- [ ] Server settings (`sp_configure`), endpoints, credentials, availability groups, Always Encrypted \
           column master keys, certificates.\n\
           - [ ] Names that applications use: DNS, aliases, connection strings, firewalls.\n"
}

/// What the manifests say of owner, settings and certificate of each member.
fn had(facts: &PaperFacts<'_>, hosts: &[HostPaper<'_>]) -> String {
    let mut text =
        "| member | owner | on | certificate (thumbprint) | its host's collation and edition |\n\
         | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for (_, proof) in proofs(hosts) {
        let member = cell(&proof.member.to_string());
        let Some(had) = facts.have.settings(&proof.member) else {
            line(&mut text, &format!("| {member} | not known | | | |"));
            continue;
        };
        let switches = [
            (had.is_trustworthy, "TRUSTWORTHY"),
            (had.is_db_chaining, "DB_CHAINING"),
            (had.is_broker_enabled, "broker"),
            (had.is_cdc_enabled, "CDC"),
            (had.is_published, "replication"),
        ];
        let on = switches.iter().filter(|(is_on, _)| *is_on);
        let on: Vec<&str> = on.map(|(_, word)| *word).collect();
        line(
            &mut text,
            &format!(
                "| {member} | {} | {} | {} | {}, {} |",
                had.owner.as_deref().map_or_else(String::new, cell),
                on.join(", "),
                had.encryptor.as_deref().unwrap_or("none"),
                cell(&had.server_collation),
                cell(&had.server_edition)
            ),
        );
    }
    text
}

fn afterwards(facts: &PaperFacts<'_>) -> String {
    let group = code(facts.plan.group.as_str());
    format!(
        "## Last. Back to work\n\n\
         - [ ] Run your own checks across the databases: sums that must agree, queues, the newest business record.\n\
         - [ ] Look for transactions in doubt: `SELECT * FROM sys.dm_tran_locks WHERE request_session_id = -2`.\n\
         - [ ] Begin new chains at once, for nothing is protected until then: `stopmark backup full`, then \
         `stopmark backup log`, then `stopmark points` must offer a point of group {group} again.\n\
         - [ ] Members that are to be in an availability group: after their full and log `{}` on the primary replica, then let the \
         others be seeded, or restore full and logs there WITH NORECOVERY and `{}`.\n\
         - [ ] Start applications, one after the other. Write down when: that was your recovery time.\n",
        script::GROUP_WORDS[0],
        script::GROUP_WORDS[1]
    )
}

fn pieces(facts: &PaperFacts<'_>, hosts: &[HostPaper<'_>]) -> String {
    let mut text = "## The backup files\n\nIn the order of restoring. Stores: ".to_owned();
    let stores = facts.config.stores();
    let stores: Vec<String> = stores
        .map(|store| format!("{} = {}", store.name, code(&store.url)))
        .collect();
    text.push_str(&stores.join(", "));
    text.push_str(".\n");
    for host in hosts {
        write!(text, "\n### On {}\n\n", code(host.host.as_str()))
            .expect("a string takes everything");
        text.push_str("| member | piece | file, as SQL Server names it | object | size | root |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for step in &host.fetches {
            let piece = facts.piece(step.source.piece);
            for (place, stored) in step.source.stripes.iter().zip(&step.stored) {
                line(
                    &mut text,
                    &format!(
                        "| {} | {} | {} | {} | {} | `{}` |",
                        cell(&member_of(piece)),
                        piece.map_or("", |piece| kind_word(piece.kind)),
                        cell(&place.sql_path),
                        cell(&stored.key),
                        size(stored.plain().size_bytes),
                        stored.plain().root
                    ),
                );
            }
        }
    }
    text
}

fn member_of(piece: Option<&Piece>) -> String {
    piece.map_or_else(String::new, |piece| piece.member.to_string())
}

/// Every proof with its host, host by host.
fn proofs<'a, 'b>(
    hosts: &'b [HostPaper<'a>],
) -> impl Iterator<Item = (&'b HostPaper<'a>, &'a ProveMark)> {
    hosts
        .iter()
        .flat_map(|host| host.proofs.iter().map(move |proof| (host, *proof)))
}

/// Where each member was and where it comes to, for files that map one to the other.
fn moved<'a>(
    hosts: &'a [HostPaper<'_>],
) -> impl Iterator<Item = (&'a MemberName, &'a HostName, &'a str)> {
    proofs(hosts).map(|(host, proof)| (&proof.member, host.host, proof.target.as_str()))
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("a string takes everything");
}

fn sql(batch: &Batch) -> String {
    format!("```sql\n{}\n```\n", batch.text)
}

/// A name as Markdown leaves it alone, whatever is in it.
fn code(name: &str) -> String {
    let name = plain(name);
    let longest = name
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{name}{pad}{fence}")
}

/// The same within a table.
fn cell(name: &str) -> String {
    code(name).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_their_code_or_their_cell() {
        assert_eq!(code("plain"), "`plain`");
        assert_eq!(code("a``b"), "``` a``b ```");
        assert_eq!(cell("a|b"), r"`a\|b`");
        assert_eq!(code("a\nb"), r"`a\u{a}b`");
    }
}
