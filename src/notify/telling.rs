//! Who is told what, and when not: trouble once and again after a while, good news after bad, and in quiet hours
//! only what is new and bad.
//!
//! Start at [`Telling::notice`]. It decides from values alone; sending is for the notifiers.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::config::{Job, NotifyConfig};
use crate::model::{GroupName, Timestamp};
use crate::world::Notice;

/// What people know already.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// What is in trouble.
    troubles: BTreeMap<Matter, Trouble>,
}

/// What may be in trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Matter {
    Job(Job),
    /// A member, host or volume, with the code of what is wrong with it.
    Alarm {
        about: String,
        code: String,
    },
}

/// Something that was found wrong between runs, as far as people are told.
#[derive(Clone, Debug)]
pub struct Raised {
    /// The member, host or volume.
    pub about: String,
    /// The stable code.
    pub code: String,
    /// What is wrong now, and what helps.
    pub words: String,
}

#[derive(Clone, Debug)]
struct Trouble {
    since: Timestamp,
    times: u32,
    told_at: Timestamp,
    words: String,
}

/// How a job ended, as far as people are told.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The job.
    pub job: Job,
    /// The work was done.
    pub is_good: bool,
    /// A stop ended it, which is no news.
    pub is_stopped: bool,
    /// How, in a few words.
    pub words: &'a str,
}

impl Telling {
    /// The notice that the end of a job calls for, if any.
    pub fn notice(
        &mut self,
        group: &GroupName,
        ended: Ended<'_>,
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Option<Notice> {
        if ended.is_stopped {
            return None;
        }
        let job = ended.job.word();
        let matter = Matter::Job(ended.job);
        if ended.is_good {
            let trouble = self.troubles.remove(&matter)?;
            let (since, times) = (trouble.since, trouble.times);
            return Some(Notice {
                title: format!("Stopmark: {job} of {group} is well again"),
                body: format!("it failed {times} times since {since}: {}", trouble.words),
                is_bad: false,
            });
        }
        let known = self.troubles.get(&matter);
        let is_new = known.is_none_or(|known| known.words != ended.words);
        let (since, times) = self.note(matter, ended.words, is_new, config, now)?;
        Some(Notice {
            title: format!("Stopmark: {job} of {group} needs a look"),
            body: format!("{}\n{times} times since {since}", ended.words),
            is_bad: true,
        })
    }

    /// The notices that a look between runs calls for: what was raised, and what is well again.
    pub fn look(
        &mut self,
        group: &GroupName,
        raised: Vec<Raised>,
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut open = BTreeSet::new();
        for Raised { about, code, words } in raised {
            let title = format!("Stopmark: {about} of {group} needs a look");
            let matter = Matter::Alarm { about, code };
            open.insert(matter.clone());
            // How much is left changes with every look, and is no news.
            let is_new = !self.troubles.contains_key(&matter);
            if let Some((since, _)) = self.note(matter, &words, is_new, config, now) {
                notices.push(Notice {
                    title,
                    body: format!("{words}\nsince {since}"),
                    is_bad: true,
                });
            }
        }
        self.troubles.retain(|matter, trouble| {
            let Matter::Alarm { about, .. } = matter else {
                return true;
            };
            let is_over = !open.contains(matter);
            if is_over {
                let (since, words) = (trouble.since, &trouble.words);
                notices.push(Notice {
                    title: format!("Stopmark: {about} of {group} is well again"),
                    body: format!("it was since {since}: {words}"),
                    is_bad: false,
                });
            }
            !is_over
        });
        notices
    }

    /// Notes trouble; since when it is and how often it was met, where it is to be told now.
    fn note(
        &mut self,
        matter: Matter,
        words: &str,
        is_new: bool,
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Option<(Timestamp, u32)> {
        let known = self.troubles.get(&matter);
        let is_time = known.is_none_or(|known| now >= known.told_at.plus(config.repeat_after));
        let is_told = is_new || (is_time && !is_quiet(config, now));
        let trouble = Trouble {
            since: known.map_or(now, |known| known.since),
            times: known.map_or(1, |known| known.times + 1),
            told_at: match known {
                Some(known) if !is_told => known.told_at,
                _ => now,
            },
            words: words.to_owned(),
        };
        let told = (trouble.since, trouble.times);
        self.troubles.insert(matter, trouble);
        is_told.then_some(told)
    }
}

fn is_quiet(config: &NotifyConfig, now: Timestamp) -> bool {
    let Ok(instant) = jiff::Timestamp::from_millisecond(now.millis()) else {
        return false;
    };
    let time = TimeZone::system().to_datetime(instant).time();
    config.quiet.is_some_and(|quiet| quiet.holds(time))
}

#[cfg(test)]
mod tests {
    use jiff::civil;

    use super::*;
    use crate::config::DayWindow;

    fn told(telling: &mut Telling, hours: i64, words: &str, config: &NotifyConfig) -> Option<bool> {
        let ended = Ended {
            job: Job::Log,
            is_good: words.is_empty(),
            is_stopped: false,
            words,
        };
        let at = Timestamp::from_millis(hours * 3_600_000);
        let group = "pay".parse().expect("a name");
        let notice = telling.notice(&group, ended, config, at);
        notice.map(|notice| notice.is_bad)
    }

    #[test]
    fn trouble_is_told_once_again_after_a_while_and_when_it_is_over() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let mut tell = |hours, words| told(&mut telling, hours, words, &config);
        assert_eq!(tell(0, ""), None);
        assert_eq!(tell(1, "SM0201"), Some(true));
        assert_eq!(tell(2, "SM0201"), None);
        assert_eq!(tell(3, "SM0701"), Some(true), "another trouble is news");
        assert_eq!(tell(7, "SM0701"), Some(true), "it lasts");
        assert_eq!(tell(8, ""), Some(false));
        assert_eq!(tell(9, ""), None);
    }

    #[test]
    fn quiet_hours_hold_back_what_is_known() {
        let config = NotifyConfig {
            quiet: Some(DayWindow {
                from: civil::Time::midnight(),
                until: civil::Time::midnight(),
            }),
            ..NotifyConfig::default()
        };
        let mut telling = Telling::default();
        let mut tell = |hours, words| told(&mut telling, hours, words, &config);
        assert_eq!(tell(1, "SM0201"), Some(true));
        assert_eq!(tell(90, "SM0201"), None);
    }

    #[test]
    fn what_a_look_finds_is_told_once_and_again_when_it_is_over() {
        let config = NotifyConfig::default();
        let group: GroupName = "pay".parse().expect("a name");
        let mut telling = Telling::default();
        let mut look = |minutes: i64, words: &[&str]| {
            let raised = words.iter().map(|words| Raised {
                about: "SQL1/A".to_owned(),
                code: "SM0221".to_owned(),
                words: (*words).to_owned(),
            });
            let at = Timestamp::from_millis(minutes * 60_000);
            let notices = telling.look(&group, raised.collect(), &config, at);
            let bad: Vec<bool> = notices.iter().map(|notice| notice.is_bad).collect();
            bad
        };
        let nothing: &[bool] = &[];
        assert_eq!(look(0, &[]), nothing);
        assert_eq!(look(5, &["71 %"]), [true]);
        assert_eq!(look(10, &["72 %"]), nothing, "a number is no news");
        assert_eq!(look(300, &["90 %"]), [true], "it lasts");
        assert_eq!(look(305, &[]), [false]);
        assert_eq!(look(310, &[]), nothing);
    }

    #[test]
    fn a_stop_is_no_news() {
        let mut telling = Telling::default();
        let ended = Ended {
            job: Job::Full,
            is_good: false,
            is_stopped: true,
            words: "stopped",
        };
        let group = "pay".parse().expect("a name");
        let at = Timestamp::from_millis(0);
        let notice = telling.notice(&group, ended, &NotifyConfig::default(), at);
        assert_eq!(notice, None);
    }
}
