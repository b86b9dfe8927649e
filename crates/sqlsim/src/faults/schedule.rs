//! Faults by seed: the same number always plans the same misfortunes.
//!
//! Start at [`FaultSchedule::from_seed`]. Pure: whoever holds the schedule decides when time has
//! passed, and arms what is due.

use std::sync::Arc;
use std::time::Duration;

use super::{Act, Dice, Fault, FaultKind, KillPoint};
use crate::error::SqlError;
use crate::instance::Instance;

/// What a schedule may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleScope {
    /// How many hosts there are; a schedule over none plans nothing.
    pub hosts: usize,
    /// The databases that acts are done to.
    pub databases: Vec<String>,
    /// The time over which faults are spread.
    pub span: Duration,
    /// How many faults are planned.
    pub count: usize,
}

/// One fault, its host and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// When it is armed, counted from the start.
    pub after: Duration,
    /// The host, by its place in the list.
    pub host: usize,
    /// The fault.
    pub fault: Fault,
}

/// Faults in the order of their times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSchedule {
    /// The number that it was made of.
    pub seed: u64,
    /// What is still to come, the next one last.
    planned: Vec<PlannedFault>,
}

impl FaultSchedule {
    /// Plans faults within a scope.
    #[must_use]
    pub fn from_seed(seed: u64, scope: &ScheduleScope) -> Self {
        let mut dice = Dice::new(seed);
        let count = if scope.hosts == 0 { 0 } else { scope.count };
        let mut planned: Vec<PlannedFault> = (0..count)
            .map(|_| planned_fault(&mut dice, scope))
            .collect();
        planned.sort_by_key(|fault| std::cmp::Reverse(fault.after));
        Self { seed, planned }
    }

    /// What is still to come, the next one first.
    pub fn pending(&self) -> impl Iterator<Item = &PlannedFault> {
        self.planned.iter().rev()
    }

    /// Takes out what is due after this much time.
    pub fn take_due(&mut self, elapsed: Duration) -> Vec<PlannedFault> {
        let kept = self.planned.partition_point(|fault| fault.after > elapsed);
        let mut due = self.planned.split_off(kept);
        due.reverse();
        due
    }

    /// Arms on each host what is due after this much time; gives back how many faults that were.
    pub fn arm_due(&mut self, elapsed: Duration, hosts: &[Arc<Instance>]) -> usize {
        let due = self.take_due(elapsed);
        let count = due.len();
        for planned in due {
            if let Some(host) = hosts.get(planned.host) {
                host.faults.arm(planned.fault);
            }
        }
        count
    }
}

fn planned_fault(dice: &mut Dice, scope: &ScheduleScope) -> PlannedFault {
    let span = u64::try_from(scope.span.as_millis()).unwrap_or(u64::MAX);
    let after = Duration::from_millis(dice.below(span.saturating_add(1)));
    let host = dice.place(scope.hosts);
    PlannedFault {
        after,
        host,
        fault: fault(dice, &scope.databases),
    }
}

/// The kinds that a schedule deals out; all of them end by themselves or by a restart.
const DEALT: [FaultKind; 14] = [
    FaultKind::Fail,
    FaultKind::DiskFull,
    FaultKind::Damage,
    FaultKind::DtcOff,
    FaultKind::Cut,
    FaultKind::Refuse,
    FaultKind::Delay,
    FaultKind::Kill(KillPoint::BeforeDecision),
    FaultKind::Kill(KillPoint::AfterDecision),
    FaultKind::Kill(KillPoint::AfterPrepare),
    FaultKind::Act(Act::SkewClock),
    FaultKind::Act(Act::ForeignLogBackup),
    FaultKind::Act(Act::SwitchRecoveryModel),
    FaultKind::Act(Act::BulkChange),
];

/// Statements that a dealt failure strikes.
const STRUCK: [&str; 3] = ["BACKUP LOG", "BACKUP DATABASE", "COMMIT TRANSACTION"];

fn fault(dice: &mut Dice, databases: &[String]) -> Fault {
    let kind = DEALT[dice.place(DEALT.len())];
    let mut fault = Fault::once(kind);
    fault.skip = u32::try_from(dice.below(4)).unwrap_or_default();
    match kind {
        FaultKind::Fail => {
            fault.statement = Some(STRUCK[dice.place(STRUCK.len())].to_owned());
            let text = "A nonrecoverable I/O error occurred on file: 1117(I/O device error).";
            fault.error = Some(SqlError::new(3271, 16, text));
        }
        FaultKind::Damage => fault.offset_bytes = dice.below(200_000),
        FaultKind::Delay => {
            fault.milliseconds = i64::try_from(dice.below(2_000)).unwrap_or_default();
        }
        FaultKind::Act(act) => {
            if act == Act::SkewClock {
                fault.milliseconds =
                    i64::try_from(dice.below(120_000)).unwrap_or_default() - 60_000;
            } else if !databases.is_empty() {
                fault.database = Some(databases[dice.place(databases.len())].clone());
            }
        }
        _ => {}
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> ScheduleScope {
        ScheduleScope {
            hosts: 3,
            databases: vec!["A".to_owned(), "B".to_owned()],
            span: Duration::from_secs(60),
            count: 200,
        }
    }

    #[test]
    fn one_seed_plans_the_same_faults_for_ever_and_another_seed_others() {
        let first = FaultSchedule::from_seed(7, &scope());
        assert_eq!(first, FaultSchedule::from_seed(7, &scope()));
        let other = FaultSchedule::from_seed(8, &scope());
        assert!(first.pending().ne(other.pending()));
    }

    #[test]
    fn faults_become_due_in_the_order_of_their_times() {
        let mut schedule = FaultSchedule::from_seed(7, &scope());
        let early = schedule.take_due(Duration::from_secs(30));
        let late = schedule.take_due(Duration::from_secs(60));
        assert_eq!(early.len() + late.len(), 200);
        let times: Vec<_> = early.iter().chain(&late).map(|fault| fault.after).collect();
        assert!(times.is_sorted() && !early.is_empty() && !late.is_empty());
        assert!(early.iter().chain(&late).all(|fault| fault.host < 3));
    }

    #[test]
    fn every_kind_that_can_be_dealt_is_dealt() {
        let schedule = FaultSchedule::from_seed(1, &scope());
        let has = |kind| schedule.pending().any(|planned| planned.fault.kind == kind);
        assert!(DEALT.into_iter().all(has));
    }
}
