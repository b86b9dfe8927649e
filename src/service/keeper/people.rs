//! People who are told, beside the loop: a mail server that does not answer holds nothing up.

use super::super::alarm::Alarm;
use super::super::seen::End;
use super::Keeper;
use crate::config::Job;
use crate::model::Timestamp;
use crate::notify::telling::{Ended, Raised};
use crate::world::Notice;

impl Keeper {
    /// Tells of the end of a job, where that is news.
    pub(super) fn tell(&mut self, job: Job, end: &End, now: Timestamp) {
        let scene = &self.opened.scene;
        let notify = &scene.config.service.notify;
        let group = &scene.config.group;
        let words = end.words();
        let ended = Ended {
            job,
            is_good: end.is_good(),
            is_stopped: end.is_stopped(),
            words: &words,
        };
        let notice = self.telling.notice(group, ended, notify, now);
        let beats = job == Job::Log && end.is_good();
        let notifier = scene.world.notifier.clone();
        if notice.is_none() && !beats {
            return;
        }
        self.notices.spawn(async move {
            if beats {
                notifier.beat().await?;
            }
            match notice {
                Some(notice) => notifier.tell(&notice).await,
                None => Ok(()),
            }
        });
    }

    /// Tells of what a look between runs found.
    pub(super) fn tell_of_rooms(&mut self, now: Timestamp) {
        let config = &self.opened.scene.config;
        let raised = self.seen.alarms.iter().map(raised).collect();
        let notify = &config.service.notify;
        let notices = self.telling.look(&config.group, raised, notify, now);
        for notice in notices {
            self.send(notice);
        }
    }

    /// Tells that this agent took the group over from another.
    pub(super) fn tell_of_takeover(&mut self, holder: Option<&str>) {
        let group = &self.opened.scene.config.group;
        let holder = holder.unwrap_or("another agent");
        self.send(Notice {
            title: format!("Stopmark: this agent works on {group} now"),
            body: format!("it stood by, and {holder} gave the lease up or has not renewed it"),
            is_bad: true,
        });
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
        words: format!("{}: {}\nhint: {}", alarm.code, alarm.message, alarm.hint),
    }
}
