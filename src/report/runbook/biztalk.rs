//! What a BizTalk group needs beside its databases: the file that its own scripts read, and the steps with them.
//!
//! Start at [`section`] and [`update_info`]. The names of elements are those of `SampleUpdateInfo.xml` as Microsoft
//! documents it (restore of BizTalk databases, moving the BAM databases). A database is told by its usual name;
//! one that was renamed goes among the others, and the file says to look.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::moved;
use crate::model::{HostName, MemberName};
use crate::report::script::HostPaper;

/// Databases that the file has an element for.
const ELEMENTS: [(&str, &str); 4] = [
    ("BizTalkMsgBoxDb", "MessageBoxDB"),
    ("BizTalkDTADb", "TrackingDB"),
    ("BizTalkMgmtDb", "ManagementDB"),
    ("BizTalkRuleEngineDb", "RuleEngineDB"),
];

/// Databases of BAM that are properties of deployment units.
const BAM: [(&str, &str); 2] = [
    ("BAMPrimaryImport", "PrimaryImportDatabase"),
    ("BAMArchive", "ArchivingDatabase"),
];

/// Databases that the file does not name: `ssoconfig` and `ssomanage` move them.
const SSO: &str = "SSODB";

/// The steps, for the runbook.
pub(super) fn section(hosts: &[HostPaper<'_>]) -> String {
    let sso = moved(hosts).find(|(member, ..)| is(member, SSO));
    let sso = sso.map_or_else(
        || "the host of `SSODB`".to_owned(),
        |(_, host, _)| super::code(host.as_str()),
    );
    format!(
        "## 7. BizTalk Server\n\n\
         - [ ] **BAM first to last**: `BAMArchive`, `BAMStarSchema` and the Analysis Services databases must come from \
         backups that are *older* than that of `BAMPrimaryImport`. They are outside of the mark; restore them now.\n\
         - [ ] Compare `SampleUpdateInfo.xml` beside this file with the one in `Schema\\Restore` of your BizTalk \
         installation (on 64 bit `Bins32\\Schema\\Restore`): each database once, old server, new server; \
         one line `MessageBoxDB` for each message box, `IsMaster=\"1\"` for the first alone.\n\
         - [ ] On **one** BizTalk server, in a 64-bit prompt as administrator: `cscript UpdateDatabase.vbs \
         SampleUpdateInfo.xml`. On SQL Server 2016 and later replace `SQLOLEDB` by `MSOLEDBSQL` in that script first, \
         or it fails with an invalid attribute of the connection string.\n\
         - [ ] On **every** BizTalk server: `cscript UpdateRegistry.vbs SampleUpdateInfo.xml`.\n\
         - [ ] Enterprise Single Sign-On: on {sso}'s side, `ssomanage -serverall SERVER`, then bring the **master \
         secret** back with `ssoconfig -restoresecret FILE`. It is in no database; without its backup file and password no \
         adapter's credentials can be read.\n\
         - [ ] Restart: BizTalk host instances, Enterprise Single Sign-On, Rule Engine Update Service, WMI. In the \
         administration console remove the group and connect it to the new management database.\n\
         - [ ] SQL Server Agent jobs of BizTalk: make them on the new hosts, leave the old `Backup BizTalk Server` \
         job disabled, run the purge and monitor jobs once.\n"
    )
}

/// The file that `UpdateDatabase.vbs` and `UpdateRegistry.vbs` read, filled in.
pub(super) fn update_info(hosts: &[HostPaper<'_>]) -> String {
    let mut text = "<!-- Written by Stopmark from the members of the group. Databases are told by their usual names:\n     \
                    compare with the file of this name that your version of BizTalk Server installs. -->\n\
                    <UpdateConfiguration>\n"
        .to_owned();
    let mut others = String::new();
    for (member, host, target) in moved(hosts) {
        let database = member.database.as_str();
        let element = ELEMENTS.iter().find(|(name, _)| is_like(member, name));
        if is(member, SSO) || BAM.iter().any(|(name, _)| is(member, name)) {
            continue;
        }
        let attributes = attributes(member, host, target);
        if let Some((name, element)) = element {
            let master = match (*element, database.eq_ignore_ascii_case(name)) {
                ("MessageBoxDB", true) => " IsMaster=\"1\"",
                ("MessageBoxDB", false) => " IsMaster=\"0\"",
                _ => "",
            };
            line(&mut text, &format!("  <{element} {attributes}{master} />"));
        } else {
            let name = escape(database);
            line(
                &mut others,
                &format!("    <Database Name=\"{name}\" {attributes} />"),
            );
        }
    }
    text.push_str(&bam(hosts));
    write!(
        text,
        "  <OtherDatabases>\n{others}  </OtherDatabases>\n</UpdateConfiguration>\n"
    )
    .expect("a string takes everything");
    text
}

fn attributes(member: &MemberName, host: &HostName, target: &str) -> String {
    format!(
        "oldDBName=\"{}\" oldDBServer=\"{}\" newDBName=\"{}\" newDBServer=\"{}\"",
        escape(member.database.as_str()),
        escape(member.host.as_str()),
        escape(target),
        escape(host.as_str())
    )
}

fn bam(hosts: &[HostPaper<'_>]) -> String {
    let mut units = String::new();
    for (database, unit) in BAM {
        let Some((member, host, target)) = moved(hosts).find(|(member, ..)| is(member, database))
        else {
            continue;
        };
        if unit == "PrimaryImportDatabase" {
            let (host, database) = (member.host.as_str(), member.database.as_str());
            units.push_str(&deployment_unit("OldPrimaryImportDatabase", host, database));
        }
        units.push_str(&deployment_unit(unit, host.as_str(), target));
    }
    if units.is_empty() {
        units
    } else {
        format!("  <BAM>\n{units}  </BAM>\n")
    }
}

fn deployment_unit(name: &str, host: &str, database: &str) -> String {
    format!(
        "    <DeploymentUnit Name=\"{name}\">\n      <Property Name=\"ServerName\">{}</Property>\n      \
         <Property Name=\"DatabaseName\">{}</Property>\n    </DeploymentUnit>\n",
        escape(host),
        escape(database)
    )
}

fn is(member: &MemberName, name: &str) -> bool {
    member.database.as_str().eq_ignore_ascii_case(name)
}

/// Further message boxes have names of their own that begin alike.
fn is_like(member: &MemberName, name: &str) -> bool {
    let begins = |start: &str| {
        let database = member.database.as_str();
        database
            .get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    is(member, name) || (name == "BizTalkMsgBoxDb" && begins(name))
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").expect("a string takes everything");
}
