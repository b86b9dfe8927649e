//! What the catalog says of the group, whoever published it: which work of the schedule is done, how far the logs have
//! grown since the fulls, and whose chains are broken.
//!
//! Start at [`Published::of`] and [`Published::add_to`]. The catalog is this machine's own; nobody else is asked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::due::{Past, Why};
use super::ledger::is_to_come;
use crate::chain::Break;
use crate::config::{Job, ScheduleConfig, TriggersConfig};
use crate::error::Result;
use crate::model::{GroupName, MemberName, PieceKind, RunId, Set, SetKind, Timestamp};
use crate::world::{Catalog, Standing};

/// What a full did not mend, another one is not tried for until then.
const FULL_REST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a run did not mend, another one is not begun early for until then; twice as long after each further one, for a
/// member in quarantine is mended by a person, and the group is not to be backed up in a loop until then.
const BREAK_REST: Duration = Duration::from_secs(10 * 60);

/// What was published of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The sets that serve a job, with the run that took them.
    sets: Vec<(Job, RunId, Timestamp)>,
    members: Vec<Based>,
    broken: Option<Broken>,
}

/// A member's newest full, and what followed it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Based {
    member: MemberName,
    full_at: Timestamp,
    /// Its logs since then in bytes, oldest first.
    logs: Vec<(Timestamp, u64)>,
}

/// Members whose chains keep the newest mark from being a Point.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Broken {
    since: Timestamp,
    members: Vec<MemberName>,
    /// The newest Point, if any.
    point: Option<Timestamp>,
}

impl Published {
    /// What the catalog holds.
    ///
    /// # Errors
    /// Those of the catalog.
    pub async fn of(catalog: &dyn Catalog, group: &GroupName) -> Result<Self> {
        let sets = catalog.recent(group, 1, &[]).await?;
        let standing = catalog.standing(group).await?;
        Ok(Self::from(&sets, &standing))
    }

    /// The same from values: sets, oldest first, from the newest full of each member on.
    #[must_use]
    pub fn from(sets: &[Set], standing: &Standing) -> Self {
        let served = |set: &Set| Some((served_by(set)?, set.run, set.made_at));
        let mut based: BTreeMap<&MemberName, Based> = BTreeMap::new();
        for (set, piece) in sets
            .iter()
            .flat_map(|set| set.pieces.iter().map(move |it| (set, it)))
        {
            match piece.kind {
                PieceKind::Full if !piece.is_copy_only => {
                    let full = Based {
                        member: piece.member.clone(),
                        full_at: set.made_at,
                        logs: Vec::new(),
                    };
                    based.insert(&piece.member, full);
                }
                PieceKind::Log => {
                    if let Some(based) = based.get_mut(&piece.member) {
                        based.logs.push((set.made_at, piece.size_bytes()));
                    }
                }
                PieceKind::Full | PieceKind::Differential => {}
            }
        }
        // A member that has left the group has no full any more that could become too old.
        let members = sets.last().map_or(&[][..], |newest| &newest.members);
        based.retain(|member, _| members.contains(member));
        Self {
            sets: sets.iter().filter_map(served).collect(),
            members: based.into_values().collect(),
            broken: broken(standing),
        }
    }

    /// Adds to the jobs' pasts what others did, and what makes jobs due beside their time. `own` are the runs that
    /// this machine has journals of, in order: these say themselves what became of them.
    pub fn add_to(
        &self,
        pasts: &mut BTreeMap<Job, Past>,
        own: &[RunId],
        schedule: &ScheduleConfig,
        now: Timestamp,
    ) {
        // Stamps rise, after a clock that ran ahead, too: those tell no time.
        let others = self.sets.iter().filter(|(_, _, at)| !is_to_come(*at, now));
        for (job, _, at) in others.filter(|(_, run, _)| own.binary_search(run).is_err()) {
            if let Some(past) = pasts.get_mut(job).filter(|past| *at > past.served) {
                past.served = *at;
                past.failures = 0;
                past.failed_at = None;
            }
        }
        // A run of logs mends what is broken, and makes a Point of it at once.
        let has_logs = schedule.jobs.contains_key(&Job::Log);
        let mends = if has_logs { Job::Log } else { Job::Full };
        for (job, past) in pasts {
            let triggers = schedule.jobs.get(job).map(|it| it.triggers);
            let triggers = triggers.unwrap_or_default();
            let broken = (*job == mends).then(|| self.mending(mends, past.served));
            let due = [
                broken.flatten(),
                self.grown(triggers, past.served),
                self.aged(triggers, past.served),
            ];
            past.triggered = due.into_iter().flatten().min_by_key(|(at, _)| *at);
        }
    }

    /// When the logs of a member had grown too far, the first of them.
    fn grown(&self, triggers: TriggersConfig, served: Timestamp) -> Option<(Timestamp, Why)> {
        let bound_bytes = triggers.log_since_bytes?;
        let grown = self.members.iter().filter_map(|based| {
            let mut bytes = 0_u64;
            let mut crossed = None;
            for (at, more) in &based.logs {
                bytes = bytes.saturating_add(*more);
                if bytes >= bound_bytes {
                    crossed = crossed.or(Some(*at));
                }
            }
            let member = based.member.clone();
            let why = Why::Grown {
                member,
                bytes,
                bound_bytes,
            };
            Some((after(crossed?, served), why))
        });
        grown.min_by_key(|(at, _)| *at)
    }

    /// When the oldest of the newest fulls is too old.
    fn aged(&self, triggers: TriggersConfig, served: Timestamp) -> Option<(Timestamp, Why)> {
        let age = triggers.age?;
        let oldest = self.members.iter().min_by_key(|based| based.full_at)?;
        let why = Why::Aged {
            member: oldest.member.clone(),
            since: oldest.full_at,
        };
        Some((after(oldest.full_at.plus(age), served), why))
    }

    fn mending(&self, mends: Job, served: Timestamp) -> Option<(Timestamp, Why)> {
        let broken = self.broken.as_ref()?;
        let members = broken.members.clone();
        let sets = self.sets.iter();
        let in_vain = sets.filter(|(job, _, at)| *job == mends && Some(*at) > broken.point);
        let rest = rest_after(in_vain.count());
        let at = broken.since.max(served.plus(rest));
        let reason = None;
        Some((at, Why::Broken { members, reason }))
    }
}

/// How long a break is left alone after so many runs that did not mend it.
fn rest_after(runs: usize) -> Duration {
    let doublings = u32::try_from(runs.saturating_sub(1)).unwrap_or(u32::MAX);
    let times = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
    BREAK_REST.saturating_mul(times).min(FULL_REST)
}

/// A full that ran since then did not help, whatever kept it from doing so.
fn after(at: Timestamp, served: Timestamp) -> Timestamp {
    if at > served {
        at
    } else {
        served.plus(FULL_REST)
    }
}

const fn served_by(set: &Set) -> Option<Job> {
    match set.kind {
        _ if set.is_of_companions() => Some(Job::Companions),
        SetKind::Full => Some(Job::Full),
        SetKind::Differential => Some(Job::Differential),
        SetKind::Log => Some(Job::Log),
        SetKind::Salvage | SetKind::Adopted => None,
    }
}

/// Whose chains a full would mend.
fn broken(standing: &Standing) -> Option<Broken> {
    let (marked, breaks) = standing.held_back.as_ref()?;
    let newest = standing.newest_point.as_ref();
    let mended = breaks.iter().filter(|(_, why)| is_mended_by_full(why));
    let members: Vec<MemberName> = mended.map(|(member, _)| member.clone()).collect();
    (!members.is_empty()).then_some(Broken {
        since: marked.mark.placed_at,
        members,
        point: newest.map(|it| it.mark.placed_at),
    })
}

/// Whether the next log backups alone would lead nowhere.
const fn is_mended_by_full(why: &Break) -> bool {
    match why {
        Break::NoFull
        | Break::Gap { .. }
        | Break::NoLogBackupPossible
        | Break::ForeignLog { .. }
        | Break::Damaged { .. }
        | Break::LogLost { .. }
        | Break::Forked { .. }
        | Break::Replaced
        | Break::Refused { .. }
        | Break::Reported { .. } => true,
        Break::MarkMissing
        | Break::NotYet
        | Break::BulkLogged { .. }
        | Break::RecoverySimple
        | Break::Asked
        | Break::TooFewCopies { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use uuid::Uuid;

    use super::*;
    use crate::chain::samples::{full, log, member};
    use crate::config::{JobConfig, Schedule};
    use crate::model::{Piece, SetId};

    const HOUR: i64 = 3_600_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_millis(hours * HOUR)
    }

    fn schedule(jobs: &[Job], triggers: TriggersConfig) -> ScheduleConfig {
        let config = |job: &Job| {
            let text = "0 0 1 1 *";
            let schedule = Schedule::parse(text).expect("an expression");
            let config = JobConfig {
                triggers: if *job == Job::Full {
                    triggers
                } else {
                    TriggersConfig::default()
                },
                ..JobConfig::of(text, schedule, TimeZone::UTC)
            };
            (*job, config)
        };
        ScheduleConfig {
            jobs: jobs.iter().map(config).collect(),
        }
    }

    fn pasts(jobs: &[Job], served: i64) -> BTreeMap<Job, Past> {
        let past = |job: &Job| (*job, Past::since(at(served)));
        jobs.iter().map(past).collect()
    }

    /// A full at hour 1 and a log of 100 bytes at each hour after it.
    fn grown() -> Published {
        let member: MemberName = "SQL1/A".parse().expect("a name");
        Published {
            members: vec![Based {
                member,
                full_at: at(1),
                logs: (2..8).map(|hour| (at(hour), 100)).collect(),
            }],
            ..Published::default()
        }
    }

    fn triggered(
        published: &Published,
        triggers: TriggersConfig,
        served: i64,
    ) -> Option<(Timestamp, Why)> {
        let jobs = [Job::Full, Job::Log];
        let mut pasts = pasts(&jobs, served);
        published.add_to(&mut pasts, &[], &schedule(&jobs, triggers), at(9999));
        assert_eq!(pasts[&Job::Log].triggered, None);
        pasts[&Job::Full].triggered.clone()
    }

    #[test]
    fn a_full_is_due_when_the_logs_since_the_last_one_have_grown() {
        let bound = |bytes| TriggersConfig {
            log_since_bytes: Some(bytes),
            age: None,
        };
        let (due, why) = triggered(&grown(), bound(300), 1).expect("they have grown");
        assert_eq!(due, at(4), "with the third log");
        let Why::Grown {
            bytes, bound_bytes, ..
        } = why
        else {
            panic!("{why:?}");
        };
        assert_eq!((bytes, bound_bytes), (600, 300));
        assert_eq!(triggered(&grown(), bound(601), 1), None);
        let (again, _) = triggered(&grown(), bound(300), 9).expect("it is still so");
        assert_eq!(
            again,
            at(9 + 24),
            "a full that did not help is not repeated at once"
        );
    }

    #[test]
    fn a_full_is_due_when_the_last_one_is_old() {
        let age = TriggersConfig {
            log_since_bytes: None,
            age: Some(Duration::from_secs(8 * 3600)),
        };
        let (due, why) = triggered(&grown(), age, 1).expect("it grows old");
        assert_eq!(due, at(9));
        assert!(
            matches!(why, Why::Aged { since, .. } if since == at(1)),
            "{why:?}"
        );
        assert_eq!(triggered(&grown(), TriggersConfig::default(), 1), None);
        assert_eq!(
            triggered(&Published::default(), age, 1),
            None,
            "a first full is not old"
        );
    }

    #[test]
    fn a_broken_chain_is_mended_by_logs_or_else_by_fulls() {
        let members = vec!["SQL1/A".parse().expect("a name")];
        let published = Published {
            broken: Some(Broken {
                since: at(5),
                members,
                point: None,
            }),
            ..Published::default()
        };
        for (jobs, mends) in [
            (&[Job::Full, Job::Log][..], Job::Log),
            (&[Job::Full], Job::Full),
        ] {
            let mut pasts = pasts(jobs, 1);
            let schedule = schedule(jobs, TriggersConfig::default());
            published.add_to(&mut pasts, &[], &schedule, at(9999));
            for (job, past) in pasts {
                let due = past.triggered.map(|(at, _)| at);
                assert_eq!(due, (job == mends).then(|| at(5)), "{job:?}");
            }
        }
    }

    #[test]
    fn a_break_that_runs_do_not_mend_is_left_alone_for_longer_each_time() {
        let due_after = |runs: u128| {
            let run = |number| (Job::Log, RunId(Uuid::from_u128(number)), at(5));
            let before = (Job::Log, RunId(Uuid::nil()), at(3));
            let published = Published {
                sets: std::iter::once(before).chain((1..=runs).map(run)).collect(),
                broken: Some(Broken {
                    since: at(5),
                    members: vec!["SQL1/A".parse().expect("a name")],
                    point: Some(at(4)),
                }),
                ..Published::default()
            };
            let mut pasts = pasts(&[Job::Log], 5);
            let schedule = schedule(&[Job::Log], TriggersConfig::default());
            published.add_to(&mut pasts, &[], &schedule, at(9999));
            let (due, _) = pasts[&Job::Log].triggered.clone().expect("it is broken");
            (due.millis() - at(5).millis()) / 60_000
        };
        let minutes: Vec<i64> = [0, 1, 2, 3, 8, 9, 200].map(due_after).to_vec();
        assert_eq!(minutes, [10, 10, 20, 40, 1280, 1440, 1440]);
    }

    #[test]
    fn what_others_did_is_done_and_what_this_machine_did_its_journals_say() {
        let run = |number: u128| RunId(Uuid::from_u128(number));
        let published = Published {
            sets: vec![(Job::Log, run(1), at(4)), (Job::Log, run(2), at(6))],
            ..Published::default()
        };
        let failed = Past {
            failures: 3,
            failed_at: Some(at(2)),
            ..Past::since(at(2))
        };
        let schedule = schedule(&[Job::Log], TriggersConfig::default());
        let served_by = |own: &[RunId], now: Timestamp| {
            let mut pasts = BTreeMap::from([(Job::Log, failed.clone())]);
            published.add_to(&mut pasts, own, &schedule, now);
            let past = &pasts[&Job::Log];
            (past.served, past.failures)
        };
        let served = |own: &[RunId]| served_by(own, at(9999));
        assert_eq!(served(&[]), (at(6), 0));
        assert_eq!(served_by(&[], at(5)), (at(4), 0), "a clock ran ahead");
        assert_eq!(served(&[run(2)]), (at(4), 0));
        assert_eq!(served(&[run(1), run(2)]), (at(2), 3));
    }

    #[test]
    fn fulls_and_logs_are_found_in_sets_whatever_they_were_taken_for() {
        let set = |hours, pieces: &[Piece]| Set {
            id: SetId(Uuid::from_u128(1)),
            group: "pay".parse().expect("a name"),
            kind: SetKind::Log,
            run: RunId(Uuid::from_u128(2)),
            made_at: at(hours),
            mark: None,
            pieces: pieces.to_vec(),
            members: vec![member()],
            missing: Vec::new(),
            adopted: Vec::new(),
            companions: Vec::new(),
            best_effort: Vec::new(),
            settings: Vec::new(),
        };
        let mended = set(1, &[full(1, 10, 12), log(2, 10, 20)]);
        let sets = [mended, set(2, &[log(3, 20, 30)])];
        let published = Published::from(&sets, &Standing::default());
        let based: Vec<_> = published.members.iter().collect();
        assert_eq!(based.len(), 1);
        assert_eq!((based[0].full_at, based[0].logs.len()), (at(1), 2));
        assert_eq!(published.broken, None);
        assert_eq!(published.sets.len(), 2);
    }
}
