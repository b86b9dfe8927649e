//! Who is told what, and when not: trouble once and again after a while, its end when it is over, and in quiet hours
//! only what is new and bad.
//!
//! Start at [`Telling::ended`] and [`Telling::look`]. It decides from values alone; sending is for the notifiers, and
//! whoever holds a [`Telling`] may keep it over a restart.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::config::{Job, NotifyConfig};
use crate::model::{GroupName, Severity, Timestamp};
use crate::world::Notice;

/// A word with so many digits in it is a time, a name made from one, or an id: it differs from try to try.
const DIGITS_OF_A_STAMP: usize = 8;

/// What people know already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// What is in trouble, and what is over but was not told yet.
    troubles: Vec<Trouble>,
}

/// What may be in trouble.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Matter {
    Job {
        job: Job,
    },
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
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong now, and what helps.
    pub words: String,
    /// It is not what was wrong before, and is told whatever was told then.
    pub is_news: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trouble {
    matter: Matter,
    since: Timestamp,
    times: u32,
    told_at: Timestamp,
    /// How grave it is now.
    severity: Severity,
    /// The gravest that it was: who heard of that wants to hear of its end.
    gravest: Severity,
    words: String,
    /// When it ended, where quiet hours hold that back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_at: Option<Timestamp>,
}

/// How a job ended, as far as people are told.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The job.
    pub job: Job,
    /// How grave it is; none: the work was done.
    pub trouble: Option<Severity>,
    /// A stop ended it, which is no news.
    pub is_stopped: bool,
    /// How, in a few words.
    pub words: &'a str,
}

impl Telling {
    /// The notices that the end of a job calls for.
    pub fn ended(
        &mut self,
        group: &GroupName,
        ended: Ended<'_>,
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Vec<Notice> {
        if ended.is_stopped {
            return Vec::new();
        }
        let matter = Matter::Job { job: ended.job };
        let Some(severity) = ended.trouble else {
            self.is_over(now, |known| *known == matter);
            return self.ends(group, config, now);
        };
        let known = self.troubles.iter().find(|known| known.matter == matter);
        let is_news = known.is_some_and(|known| steady(&known.words) != steady(ended.words));
        let mut met = self.meet(matter, severity, ended.words, now);
        let told = met.tell(is_news, config, now);
        told.then(|| met.notice(group)).into_iter().collect()
    }

    /// The notices that a look between runs calls for: what was raised, and what is well again. `is_asked` says of a
    /// code whether this look would have raised it: nothing else is over for not being raised.
    pub fn look(
        &mut self,
        group: &GroupName,
        (raised, is_asked): (Vec<Raised>, impl Fn(&str) -> bool),
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        let mut open = BTreeSet::new();
        for found in raised {
            let (about, code) = (found.about, found.code);
            let matter = Matter::Alarm { about, code };
            open.insert(matter.clone());
            let mut met = self.meet(matter, found.severity, &found.words, now);
            // How much is left changes with every look, and is no news by itself.
            if met.tell(found.is_news, config, now) {
                notices.push(met.notice(group));
            }
        }
        self.is_over(now, |known| match known {
            Matter::Alarm { code, .. } => is_asked(code) && !open.contains(known),
            Matter::Job { .. } => false,
        });
        notices.extend(self.ends(group, config, now));
        notices
    }

    /// What is over and was not told yet; in quiet hours nothing.
    pub fn ends(
        &mut self,
        group: &GroupName,
        config: &NotifyConfig,
        now: Timestamp,
    ) -> Vec<Notice> {
        if is_quiet(config, now) {
            return Vec::new();
        }
        let (over, open) = std::mem::take(&mut self.troubles)
            .into_iter()
            .partition(|trouble| trouble.over_at.is_some());
        self.troubles = open;
        let over: Vec<Trouble> = over;
        over.iter().map(|trouble| trouble.notice(group)).collect()
    }

    fn is_over(&mut self, now: Timestamp, is_meant: impl Fn(&Matter) -> bool) {
        for trouble in &mut self.troubles {
            if trouble.over_at.is_none() && is_meant(&trouble.matter) {
                trouble.over_at = Some(now);
            }
        }
    }

    /// The trouble, met once more. One that is new or graver than it was is told whatever was told before.
    fn meet(&mut self, matter: Matter, severity: Severity, words: &str, now: Timestamp) -> Met<'_> {
        let known = self.troubles.iter().position(|it| it.matter == matter);
        let at = known.unwrap_or(self.troubles.len());
        if known.is_none() {
            self.troubles.push(Trouble {
                matter,
                since: now,
                times: 0,
                told_at: now,
                severity,
                gravest: severity,
                words: String::new(),
                over_at: None,
            });
        }
        let trouble = &mut self.troubles[at];
        let is_graver = severity > trouble.severity;
        trouble.times += 1;
        trouble.severity = severity;
        trouble.gravest = trouble.gravest.max(severity);
        words.clone_into(&mut trouble.words);
        trouble.over_at = None;
        Met {
            trouble,
            is_news: known.is_none() || is_graver,
        }
    }
}

/// Trouble that was just met.
struct Met<'a> {
    trouble: &'a mut Trouble,
    is_news: bool,
}

impl Met<'_> {
    /// Whether people are to be told now.
    fn tell(&mut self, is_news: bool, config: &NotifyConfig, now: Timestamp) -> bool {
        let is_time = now >= self.trouble.told_at.plus(config.repeat_after);
        let is_told = self.is_news || is_news || (is_time && !is_quiet(config, now));
        if is_told {
            self.trouble.told_at = now;
        }
        is_told
    }

    fn notice(&self, group: &GroupName) -> Notice {
        self.trouble.notice(group)
    }
}

impl Trouble {
    /// What people are told of it as it stands.
    fn notice(&self, group: &GroupName) -> Notice {
        let Self {
            since,
            times,
            words,
            ..
        } = self;
        let what = match &self.matter {
            Matter::Job { job } => job.word(),
            Matter::Alarm { about, .. } => about,
        };
        let how = match self.over_at {
            Some(_) => "is well again",
            None => "needs a look",
        };
        let body = match (self.over_at, &self.matter) {
            (None, Matter::Job { .. }) => format!("{words}\n{times} times since {since}"),
            (None, Matter::Alarm { .. }) => format!("{words}\nsince {since}"),
            (Some(over_at), Matter::Job { .. }) => {
                format!("it failed {times} times from {since} to {over_at}: {words}")
            }
            (Some(over_at), Matter::Alarm { .. }) => {
                format!("it was so from {since} to {over_at}: {words}")
            }
        };
        Notice {
            title: format!("Stopmark: {what} of {group} {how}"),
            body,
            is_bad: self.over_at.is_none(),
            severity: match self.over_at {
                Some(_) => self.gravest,
                None => self.severity,
            },
        }
    }
}

/// The words that stay the same while the trouble does: without numbers, times and ids.
fn steady(words: &str) -> Vec<&str> {
    let is_steady = |word: &&str| {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let mut letters = word
            .trim_start_matches(|it: char| !it.is_alphanumeric())
            .chars();
        digits < DIGITS_OF_A_STAMP && !letters.next().is_some_and(|it| it.is_ascii_digit())
    };
    words.split_whitespace().filter(is_steady).collect()
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

    fn group() -> GroupName {
        "pay".parse().expect("a name")
    }

    fn hours(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * 3_600_000)
    }

    /// How a job that ended so is told: whether it is trouble, and how grave.
    fn told(
        telling: &mut Telling,
        at: i64,
        words: &str,
        config: &NotifyConfig,
    ) -> Vec<(bool, Severity)> {
        let trouble = match words {
            "" => None,
            words if words.starts_with("in part") => Some(Severity::Warning),
            _ => Some(Severity::Error),
        };
        let ended = Ended {
            job: Job::Log,
            trouble,
            is_stopped: false,
            words,
        };
        let notices = telling.ended(&group(), ended, config, hours(at));
        notices.iter().map(|it| (it.is_bad, it.severity)).collect()
    }

    fn always_quiet() -> NotifyConfig {
        NotifyConfig {
            quiet: Some(DayWindow {
                from: civil::Time::midnight(),
                until: civil::Time::midnight(),
            }),
            ..NotifyConfig::default()
        }
    }

    const BAD: [(bool, Severity); 1] = [(true, Severity::Error)];
    const OVER: [(bool, Severity); 1] = [(false, Severity::Error)];

    #[test]
    fn trouble_is_told_once_again_after_a_while_and_when_it_is_over() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let mut tell = |hours, words| told(&mut telling, hours, words, &config);
        assert_eq!(tell(0, ""), []);
        assert_eq!(tell(1, "SM0201"), BAD);
        assert_eq!(tell(2, "SM0201"), []);
        assert_eq!(tell(3, "SM0701"), BAD, "another trouble is news");
        assert_eq!(tell(7, "SM0701"), BAD, "it lasts");
        assert_eq!(tell(8, ""), OVER);
        assert_eq!(tell(9, ""), []);
    }

    #[test]
    fn trouble_that_differs_by_a_number_or_a_time_is_the_same_trouble() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let mut tell = |hours, words| told(&mut telling, hours, words, &config);
        assert_eq!(tell(1, "SQL1 is silent for 12s after P_2026_01_02_03"), BAD);
        assert_eq!(tell(2, "SQL1 is silent for 9s after P_2026_01_02_04"), []);
        assert_eq!(tell(3, "SQL2 is silent for 9s after P_2026_01_02_04"), BAD);
    }

    #[test]
    fn trouble_that_becomes_graver_is_news_and_its_end_is_as_grave() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let mut tell = |hours, words| told(&mut telling, hours, words, &config);
        assert_eq!(tell(1, "in part: it"), [(true, Severity::Warning)]);
        assert_eq!(tell(2, "failed: it"), BAD);
        assert_eq!(tell(3, "in part: it"), [(true, Severity::Warning)]);
        assert_eq!(tell(4, ""), OVER);
    }

    #[test]
    fn quiet_hours_hold_back_what_is_known_and_what_is_over() {
        let (quiet, loud) = (always_quiet(), NotifyConfig::default());
        let mut telling = Telling::default();
        assert_eq!(told(&mut telling, 1, "SM0201", &quiet), BAD);
        assert_eq!(told(&mut telling, 90, "SM0201", &quiet), []);
        assert_eq!(told(&mut telling, 91, "", &quiet), []);
        assert_eq!(told(&mut telling, 92, "SM0201", &quiet), [], "it is back");
        assert_eq!(told(&mut telling, 93, "", &quiet), []);
        assert_eq!(telling.ends(&group(), &quiet, hours(94)), []);
        let over = telling.ends(&group(), &loud, hours(95));
        assert_eq!(over.len(), 1);
        assert!(over[0].body.contains("it failed 3 times"), "{over:?}");
        assert_eq!(telling, Telling::default());
    }

    #[test]
    fn what_people_know_outlives_a_restart() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        assert_eq!(told(&mut telling, 1, "SM0201", &config), BAD);
        let text = serde_json::to_string(&telling).expect("plain values");
        let mut telling: Telling = serde_json::from_str(&text).expect("the same");
        assert_eq!(told(&mut telling, 2, "SM0201", &config), []);
        assert_eq!(told(&mut telling, 3, "", &config), OVER);
    }

    #[test]
    fn what_a_look_finds_is_told_once_and_again_when_it_is_over() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let mut look = |minutes: i64, words: &[&str]| {
            let raised = words.iter().map(|words| Raised {
                about: "SQL1/A".to_owned(),
                code: "SM0221".to_owned(),
                severity: Severity::Error,
                words: (*words).to_owned(),
                is_news: words.ends_with('!'),
            });
            let at = Timestamp::from_millis(minutes * 60_000);
            let raised = (raised.collect(), |code: &str| code == "SM0221");
            let notices = telling.look(&group(), raised, &config, at);
            let bad: Vec<bool> = notices.iter().map(|notice| notice.is_bad).collect();
            bad
        };
        let nothing: &[bool] = &[];
        assert_eq!(look(0, &[]), nothing);
        assert_eq!(look(5, &["71 %"]), [true]);
        assert_eq!(look(10, &["72 %"]), nothing, "a number is no news");
        assert_eq!(look(15, &["another!"]), [true], "it is another trouble");
        assert_eq!(look(300, &["90 %"]), [true], "it lasts");
        assert_eq!(look(305, &[]), [false]);
        assert_eq!(look(310, &[]), nothing);
    }

    #[test]
    fn a_look_ends_no_trouble_that_it_did_not_ask_about() {
        let config = NotifyConfig::default();
        let mut telling = Telling::default();
        let found = Raised {
            about: "SQL1/A".to_owned(),
            code: "SM0221".to_owned(),
            severity: Severity::Error,
            words: "71 %".to_owned(),
            is_news: false,
        };
        let is_room = |code: &str| code == "SM0221";
        let raised = (vec![found], is_room);
        assert_eq!(telling.look(&group(), raised, &config, hours(0)).len(), 1);
        let of_chains = (Vec::new(), |code: &str| !is_room(code));
        assert_eq!(telling.look(&group(), of_chains, &config, hours(1)), []);
        let of_rooms = (Vec::new(), is_room);
        assert_eq!(telling.look(&group(), of_rooms, &config, hours(2)).len(), 1);
    }

    #[test]
    fn a_stop_is_no_news() {
        let ended = Ended {
            job: Job::Full,
            trouble: Some(Severity::Warning),
            is_stopped: true,
            words: "stopped",
        };
        let config = NotifyConfig::default();
        let notices = Telling::default().ended(&group(), ended, &config, hours(0));
        assert_eq!(notices, []);
    }
}
