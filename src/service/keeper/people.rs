//! People who are told, beside the loop: a mail server that does not answer holds nothing up.
//!
//! What they know already is kept in `<state>/told.json`, so that a service that starts again tells nothing twice and
//! the end of what one before it told. Lost, trouble that lasts is told once more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::alarm::Alarm;
use super::super::kept::{self, Formatted};
use super::super::seen::End;
use super::super::watch::BrokenSeen;
use super::Keeper;
use crate::config::{Job, NotifyConfig};
use crate::error::Code;
use crate::model::{GroupName, MemberName, Severity, Timestamp};
use crate::notify::telling::{Ended, Raised, Telling};
use crate::world::Notice;

/// The newest format of the file.
const FORMAT: u16 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Told {
    format: u16,
    #[serde(flatten)]
    telling: Telling,
}

impl Formatted for Told {
    const NEWEST: u16 = FORMAT;

    fn format(&self) -> u16 {
        self.format
    }
}

/// What people knew when a service last told them something.
pub(super) fn known(state: &Path) -> Telling {
    kept::read::<Told>(&place(state)).map_or_else(Telling::default, |told| told.telling)
}

fn place(state: &Path) -> PathBuf {
    state.join("told.json")
}

impl Keeper {
    /// Tells of the end of a job, where that is news.
    pub(super) fn tell(&mut self, job: Job, end: &End, now: Timestamp) {
        let words = end.words();
        let ended = Ended {
            job,
            trouble: end.trouble(),
            is_stopped: end.is_stopped(),
            words: &words,
        };
        self.news(|telling, group, notify| telling.ended(group, ended, notify, now));
        if job == Job::Log && end.is_good() {
            // Beside the notices: who watches over silence and who is told do not wait for each other.
            let notifier = self.opened.scene.world.notifier.clone();
            self.notices.spawn(async move { notifier.beat().await });
        }
    }

    /// Tells of what a look at the hosts' room found.
    pub(super) fn tell_of_rooms(&mut self, now: Timestamp) {
        let raised = self.seen.alarms.iter().map(raised).collect();
        let raised = (raised, |code: &str| code != Code::ChainBroken.text());
        self.news(|telling, group, notify| telling.look(group, raised, notify, now));
    }

    /// Tells of what a look at the chains found; those of `news` have a break that they did not have before.
    pub(super) fn tell_of_chains(&mut self, news: &BTreeSet<MemberName>, now: Timestamp) {
        let schedule = &self.opened.scene.config.schedule;
        let has_logs = schedule.jobs.contains_key(&Job::Log);
        let broken = self.watching.watch.broken();
        let raised = broken.map(|it| raised_chain(it, has_logs, news.contains(&it.member)));
        let raised = (raised.collect(), |code: &str| {
            code == Code::ChainBroken.text()
        });
        self.news(|telling, group, notify| telling.look(group, raised, notify, now));
    }

    /// Tells what quiet hours held back, once they are over.
    pub(super) fn tell_of_ends(&mut self, now: Timestamp) {
        self.news(|telling, group, notify| telling.ends(group, notify, now));
    }

    /// Tells that this agent took the group over from another.
    pub(super) fn tell_of_takeover(&mut self, holder: Option<&str>) {
        let group = &self.opened.scene.config.group;
        let holder = holder.unwrap_or("another agent");
        self.send(Notice {
            title: format!("Stopmark: this agent works on {group} now"),
            body: format!("it stood by, and {holder} gave the lease up or has not renewed it"),
            is_bad: true,
            severity: Severity::Warning,
        });
    }

    /// Sends what is news, and keeps what people know now.
    fn news(&mut self, look: impl FnOnce(&mut Telling, &GroupName, &NotifyConfig) -> Vec<Notice>) {
        let config = self.opened.scene.config.clone();
        let before = self.telling.clone();
        let notices = look(&mut self.telling, &config.group, &config.service.notify);
        if self.telling != before {
            let told = Told {
                format: FORMAT,
                telling: self.telling.clone(),
            };
            if let Err(error) = kept::write(&place(&config.state), &told) {
                tracing::warn!(%error, "what people were told cannot be kept in the state folder");
            }
        }
        for notice in notices {
            self.send(notice);
        }
    }

    fn send(&mut self, notice: Notice) {
        let notifier = self.opened.scene.world.notifier.clone();
        self.notices
            .spawn(async move { notifier.tell(&notice).await });
    }
}

fn raised(alarm: &Alarm) -> Raised {
    Raised {
        about: alarm.about.clone(),
        code: alarm.code.clone(),
        severity: alarm.severity(),
        words: format!("{}: {}\nhint: {}", alarm.code, alarm.message, alarm.hint),
        is_news: false,
    }
}

fn raised_chain(broken: &BrokenSeen, has_logs: bool, is_news: bool) -> Raised {
    let code = Code::ChainBroken.text();
    let (reason, next) = (&broken.reason, broken.next(has_logs));
    Raised {
        about: broken.member.to_string(),
        code: code.to_owned(),
        severity: broken.severity(has_logs),
        words: format!("{code}: the chain is broken: {reason}\nnext: {next}"),
        is_news,
    }
}
