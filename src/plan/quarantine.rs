//! Quarantine: a member whose chain breaks again and again is not cured again, but shouted about.
//!
//! Start at [`quarantined`], a pure function of what recent runs tried. It ends by itself after a while, or when a
//! person says so (`stopmark group release`), which is a run like any other and stands in the journal.

use std::collections::BTreeMap;

use super::asked::Names;
use super::stages::Stages;
use super::step::Release;
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step};
use crate::config::{Config, PolicyConfig};
use crate::model::{MemberName, PlanId, SurveyId, Timestamp};

/// What one run did about broken chains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunCures {
    /// When it began.
    pub at: Timestamp,
    /// Members whose chain it tried to mend, whatever came of it.
    pub cured: Vec<MemberName>,
    /// Members that a person released.
    pub released: Vec<MemberName>,
}

/// A member that is not cured for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// The member.
    pub member: MemberName,
    /// How often it was cured in vain.
    pub cures: u8,
    /// When it ends by itself.
    pub until: Timestamp,
}

/// The members in quarantine: cured `cures_max` times within `cures_within` runs, the last time less than
/// `quarantine` ago, and not released since. `runs` are those of the group, oldest first.
#[must_use]
pub fn quarantined(runs: &[RunCures], policy: &PolicyConfig, now: Timestamp) -> Vec<Quarantine> {
    let mut cures: BTreeMap<&MemberName, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        for member in &run.released {
            cures.remove(member);
        }
        for member in &run.cured {
            cures.entry(member).or_default().push(index);
        }
    }
    let limit = usize::from(policy.cures_max);
    let within = usize::from(policy.cures_within);
    let members = cures.into_iter().filter_map(|(member, cured)| {
        let recent = cured.len().checked_sub(limit).filter(|_| limit > 0)?;
        let (first, last) = (*cured.get(recent)?, *cured.last()?);
        let until = runs[last].at.plus(policy.quarantine);
        let is_dense = last - first < within;
        (is_dense && now < until).then(|| Quarantine {
            member: member.clone(),
            cures: policy.cures_max,
            until,
        })
    });
    members.collect()
}

/// A plan that ends a member's quarantine: nothing is done to any host, and the journal says who wanted it when.
pub fn plan_release(
    cfg: &Config,
    based_on: SurveyId,
    members: &[MemberName],
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let mut stages = Stages::default();
    let steps = members.iter().map(|member| {
        let member = member.clone();
        (member.host.clone(), Step::Release(Release { member }))
    });
    stages.add(StageName::Release, OnFailure::Pass, steps);
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Release,
        round: 1,
        based_on,
        made_at: now,
        stages: stages.into_vec(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR_MS: i64 = 60 * 60 * 1000;

    fn policy() -> PolicyConfig {
        PolicyConfig {
            cures_max: 3,
            cures_within: 5,
            quarantine: Duration::from_secs(24 * 60 * 60),
            ..PolicyConfig::default()
        }
    }

    fn ledger() -> MemberName {
        "SQL1/Ledger".parse().expect("a member")
    }

    /// One run an hour: `c` cures, `r` releases, anything else does nothing.
    fn runs(acts: &str) -> Vec<RunCures> {
        let run = |(hour, act): (i64, char)| RunCures {
            at: Timestamp::from_millis(hour * HOUR_MS),
            cured: if act == 'c' {
                vec![ledger()]
            } else {
                Vec::new()
            },
            released: if act == 'r' {
                vec![ledger()]
            } else {
                Vec::new()
            },
        };
        (0..).zip(acts.chars()).map(run).collect()
    }

    #[test]
    fn a_member_is_quarantined_by_many_cures_in_few_runs_and_for_a_while() {
        for (acts, hour, expected) in [
            ("ccc", 3, true),
            ("c.c.c", 5, true),
            ("c.c..c", 6, false),
            ("cc", 2, false),
            ("cccr", 4, false),
            ("cccrcc", 6, false),
            ("cccrccc", 7, true),
            ("ccc......", 9, true),
            ("ccc", 25, true),
            ("ccc", 26, false),
        ] {
            let now = Timestamp::from_millis(hour * HOUR_MS);
            let found = quarantined(&runs(acts), &policy(), now);
            assert_eq!(!found.is_empty(), expected, "{acts} at {hour}");
        }
    }

    #[test]
    fn nobody_is_quarantined_where_the_limit_is_nought() {
        let off = PolicyConfig {
            cures_max: 0,
            ..policy()
        };
        assert!(quarantined(&runs("cccccc"), &off, Timestamp::from_millis(0)).is_empty());
    }
}
