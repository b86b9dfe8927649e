//! The way from BizTalk's own backup job to Stopmark: a configuration that does what the job does, and the cut-over.
//!
//! Start at [`Migration::of`]. The job's steps say when, whither and under which marks; the list says which hosts; the
//! history says where the files of the past lie. What nobody can know here, such as addresses and passwords, stands in
//! the configuration as something to be filled in.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;

use crate::config::Config;
use crate::doctor::{JobSettings, settings_of};
use crate::model::DatabaseName;
use crate::survey::{BackupJobFacts, BizTalkFacts, Survey};

/// What a person needs for the change.
#[derive(Clone, Debug, Serialize)]
pub struct Migration {
    /// The job, by name; none where the login sees none.
    pub job: Option<String>,
    /// What the job is told to do.
    pub settings: JobSettings,
    /// The new configuration's text.
    pub config: String,
    /// The cut-over, step by step.
    pub plan: String,
}

/// Everything that the texts are made of.
struct Given<'a> {
    config: &'a Config,
    database: &'a DatabaseName,
    facts: &'a BizTalkFacts,
    job: Option<&'a BackupJobFacts>,
    settings: &'a JobSettings,
}

impl Migration {
    /// Of a group that the current configuration reaches as far as its management database; none where that said
    /// nothing.
    #[must_use]
    pub fn of(config: &Config, survey: &Survey, database: &DatabaseName) -> Option<Self> {
        let facts = survey.biztalk.as_ref()?;
        let enabled = facts.jobs.iter().find(|job| job.is_enabled);
        let job = enabled.or(facts.jobs.first());
        let settings = job
            .map(|job| settings_of(&job.commands))
            .unwrap_or_default();
        let given = Given {
            config,
            database,
            facts,
            job,
            settings: &settings,
        };
        let (text, plan) = (given.config_text(), given.plan());
        Some(Self {
            job: job.map(|job| job.name.clone()),
            config: text,
            plan,
            settings,
        })
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n# ---- the configuration ----\n{}",
            self.plan, self.config
        )
    }
}

impl Given<'_> {
    fn config_text(&self) -> String {
        let mut text = String::from(
            "# Written from BizTalk's own backup job. Fill in what stands between < and >, then run `stopmark check`.\n\
             format = 1\n\n",
        );
        let prefix = self.settings.mark_prefix.as_deref().unwrap_or("BTS");
        let (group, manager) = (&self.config.group, &self.config.management_host);
        let _ = writeln!(
            text,
            "[group]\nname = {}\nkind = \"biztalk\"\nmanagement_host = {}\nmark_prefix = {}\ndiscover = {{ biztalk = {} }}\n",
            quoted(group.as_str()),
            quoted(manager.as_str()),
            quoted(prefix),
            quoted(self.database.as_str())
        );
        for server in self.servers() {
            self.add_host(&mut text, &server);
        }
        let _ = writeln!(text, "[store]\nurl = {}\n", quoted(&self.config.store.url));
        self.add_rules(&mut text);
        self.add_schedule(&mut text);
        text
    }

    /// Hosts by true name where the configuration knows them, else as the list names them.
    fn servers(&self) -> BTreeSet<String> {
        let listed = self.facts.listed.iter().map(|row| match &row.member {
            Some(member) => member.host.to_string(),
            None => row.server.clone(),
        });
        let manager = self.config.management_host.to_string();
        listed.chain([manager]).collect()
    }

    fn add_host(&self, text: &mut String, server: &str) {
        let name = server.parse().ok();
        let known = name.as_ref().and_then(|name| self.config.host(name));
        let address = known.map_or(server, |host| host.address.as_str());
        let folder = self
            .settings
            .folders
            .first()
            .map_or("<the job's folder>", String::as_str);
        let share = known.and_then(|host| host.share.as_ref());
        let (sql, agent) = match share {
            Some(share) => (share.sql.clone(), share.agent.display().to_string()),
            None => (
                folder.to_owned(),
                "<the same folder as this machine sees it>".to_owned(),
            ),
        };
        let variable: String = server
            .to_uppercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let _ = writeln!(
            text,
            "[hosts.{}]\naddress = {}\nlogin = {{ user = \"stopmark\", password = {{ env = \"STOPMARK_{variable}_PASSWORD\" }} }}\n\
             link_login = {{ user = \"stopmark_link\", password = {{ env = \"STOPMARK_LINK_PASSWORD\" }} }}\n\
             share = {{ sql = {}, agent = {} }}",
            quoted(server),
            quoted(address),
            quoted(&sql),
            quoted(&agent)
        );
        if known.is_none() {
            text.push_str("# The key of this section must be what SELECT SERVERPROPERTY('ServerName') says there.\n");
        }
        text.push('\n');
    }

    fn add_rules(&self, text: &mut String) {
        let days = self.settings.days_to_keep.unwrap_or(14).max(1);
        text.push_str("[biztalk]\nengine = \"stopmark\"\n");
        text.push_str("# Where no log shipping reads the files: false, and they are removed once they are in the store.\n");
        let _ = writeln!(text, "log_shipping = true\nkeep_for = \"{days}d\"");
        if !self.settings.full_after_partial && self.job.is_some() {
            text.push_str("# The job did not do this: a set that failed stayed the end of what could be restored.\n");
        }
        text.push_str("full_after_partial = true\n\n");
    }

    fn add_schedule(&self, text: &mut String) {
        let hour = self.settings.hour.unwrap_or(0);
        let full = match self.settings.frequency {
            Some('h') => "0 * * * *".to_owned(),
            Some('w') => format!("0 {hour} * * sun"),
            Some('m') => format!("0 {hour} 1 * *"),
            Some('y') => format!("0 {hour} 1 1 *"),
            _ => format!("0 {hour} * * *"),
        };
        text.push_str("[schedule]\n");
        if !self.settings.use_local_time && self.settings.hour.is_none() {
            text.push_str("# The job counted its days in UTC.\ntime_zone = \"UTC\"\n");
        }
        let _ = writeln!(text, "full = \"{full}\"");
        text.push_str(
            "# As BizTalk ships the job's schedule; compare with yours.\nlog = \"*/15 * * * *\"\n",
        );
    }

    fn plan(&self) -> String {
        let mut steps = vec![
            "fill the configuration in, and run `stopmark check` and `stopmark check biztalk` until only the job itself is \
             left as a finding"
                .to_owned(),
            "run `stopmark backup log --dry-run`: it shows the links, fulls and logs of the first run".to_owned(),
        ];
        steps.push(match self.job {
            Some(job) => format!(
                "between two runs of the job, disable it:\n   EXEC msdb.dbo.sp_update_job @job_name = N'{}', @enabled = 0;",
                job.name.replace('\'', "''")
            ),
            None => "disable the job `Backup BizTalk Server`; the login may not see it (SELECT on msdb.dbo.sysjobs)".to_owned(),
        });
        steps.extend(self.adoptions());
        steps.push(
            "run `stopmark backup full`, then `stopmark backup log`: from here on the group has points; a destination of \
             log shipping goes on from the same history"
                .to_owned(),
        );
        steps.push("start the service: `stopmark service run`".to_owned());
        steps.push(
            "look at the destination: it must reach the folders of the new files, which its history names".to_owned(),
        );
        let mut text = format!("the cut-over of group `{}`\n", self.config.group);
        for (at, step) in steps.iter().enumerate() {
            let _ = writeln!(text, "{}. {step}", at + 1);
        }
        let enable = self.job.map_or_else(String::new, |job| {
            let name = job.name.replace('\'', "''");
            format!("EXEC msdb.dbo.sp_update_job @job_name = N'{name}', @enabled = 1; ")
        });
        let _ = writeln!(
            text,
            "the way back, at any time: stop the service, then {enable}EXEC {}.dbo.sp_ForceFullBackup;",
            self.database
        );
        text
    }

    /// The old files join the catalog, so that what could be restored yesterday can be restored tomorrow.
    fn adoptions(&self) -> Vec<String> {
        let folders: BTreeSet<&str> = self
            .facts
            .newest_rows
            .iter()
            .map(|row| row.folder.as_str())
            .collect();
        let group = &self.config.group;
        let told = folders.into_iter().map(|folder| {
            format!("adopt the old files, as this machine sees `{folder}`: `stopmark adopt --group {group} '<{folder}>'`")
        });
        told.collect()
    }
}

/// A TOML string: a literal one, but where it holds a quote of its own.
fn quoted(text: &str) -> String {
    if text.contains(['\'', '\n', '\r']) {
        toml::Value::String(text.to_owned()).to_string()
    } else {
        format!("'{text}'")
    }
}
