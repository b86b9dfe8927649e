//! The runbook's part on companions: the newest of each before the mark, its files, what it is for, and how it comes
//! back. Start at [`section`].

use super::{cell, code, line, sql};
use crate::report::bytes::size;
use crate::report::companions::{Companion, Role};
use crate::report::script::Companions;
use crate::sql::Batch;
use crate::sql::script;

/// The section; where nobody backed any companion up, what that means.
pub(super) fn section(companions: &Companions<'_>) -> String {
    let mut text = "## Beside the group: companions\n\n".to_owned();
    if companions.newest.is_empty() {
        text.push_str(
            "No backup of `master`, `msdb` or another database beside the group stands before this mark (`[companions]` \
             in the configuration names them, `stopmark backup companions` takes them). What was in them has to come \
             from elsewhere.\n",
        );
        return text;
    }
    text.push_str(
        "They are not at the mark: each is as it was when its backup ended. Take from them what is wanted; none has to \
         be restored for the group to work.\n\n\
         | companion | ended on its host | what it is for |\n| --- | --- | --- |\n",
    );
    for it in &companions.newest {
        let (name, purpose) = (&it.piece.member, Role::of(&it.piece.member).purpose());
        line(
            &mut text,
            &format!(
                "| {} | {} | {purpose} |",
                cell(&name.to_string()),
                it.piece.finished
            ),
        );
    }
    text.push_str(&files(companions));
    text.push_str(&ways(companions));
    text
}

/// Which object becomes which file.
fn files(companions: &Companions<'_>) -> String {
    let mut text = "\nTheir files, brought to the share of each host by:\n\n```sh\n".to_owned();
    let hosts = companions.hosts();
    for host in &hosts {
        line(&mut text, &format!("sh {}", host.fetch_name()));
    }
    text.push_str(
        "```\n\n| companion | file, as SQL Server names it | object | size | root |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    let fetches = hosts.iter().flat_map(|host| &host.fetches);
    for fetch in fetches {
        let mut all = companions.newest.iter();
        let own = all.find(|it| it.piece.id == fetch.source.piece);
        let name = own.map_or_else(String::new, |it| it.piece.member.to_string());
        for (place, stored) in fetch.source.stripes.iter().zip(&fetch.stored) {
            let plain = stored.plain();
            line(
                &mut text,
                &format!(
                    "| {} | {} | {} | {} | `{}` |",
                    cell(&name),
                    cell(&place.sql_path),
                    cell(&stored.key),
                    size(plain.size_bytes),
                    plain.root
                ),
            );
        }
    }
    text
}

fn words(text: &str) -> String {
    sql(&Batch::plain(text.to_owned()))
}

/// How each kind of them comes back.
fn ways(companions: &Companions<'_>) -> String {
    let has = |role| {
        let mut all = companions.newest.iter();
        all.any(|it| Role::of(&it.piece.member) == role)
    };
    let mut text = "\nHow they come back:\n\n".to_owned();
    if has(Role::Master) {
        text.push_str(
            "- [ ] `master`, onto a server of the very same build, name and folders only. Else restore it under another \
             name and read logins, linked servers and settings out of it. To replace it: stop SQL Server, start it in \
             single-user mode (`sqlservr -m`, or start parameter `-m\"SQLCMD\"`) with nothing else connecting, and run \
             this as the only client; SQL Server stops by itself at the end. Take `-m` away and start it:\n\n",
        );
        text.push_str(&words(script::MASTER_WORDS));
        text.push('\n');
    }
    if has(Role::Msdb) {
        text.push_str(
            "- [ ] `msdb`: after `master`, with SQL Server Agent stopped; `model` likewise. Or restore it under another name \
             and script the jobs from there. Leave backup jobs of others disabled:\n\n",
        );
        text.push_str(&words(script::MSDB_WORDS));
        text.push('\n');
    }
    if has(Role::Model) && !has(Role::Msdb) {
        text.push_str("- [ ] `model`: after `master`, `WITH REPLACE`, when nobody uses it.\n");
    }
    for host in companions.hosts() {
        let is_user = |it: &&Companion<'_>| {
            let is_here = it.piece.member.host.is_same_host(host.host);
            is_here && Role::of(&it.piece.member) == Role::User
        };
        if companions.newest.iter().any(|it| is_user(&it)) {
            let (file, name) = (host.script_name(), code(host.host.as_str()));
            line(
                &mut text,
                &format!(
                    "- [ ] The other databases of {name}: `{file}` restores them with RECOVERY."
                ),
            );
        }
    }
    text
}
