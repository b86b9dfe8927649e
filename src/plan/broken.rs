//! How the members' chains stand between runs: which of them are broken, and what comes of that.
//!
//! Start at [`look_at_chains`]. It judges as the planner of backups does, with the same functions, so that what is told
//! between runs is what the next run finds. Whoever gives no facts is not judged: silence is no break.
//!
//! Nothing is mended here: a run of logs does that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::asked::CatalogView;
use super::assess::{Able, assess};
use super::astray::logs_astray;
use super::bases::with_holding;
use super::pauses::Pauses;
use super::quarantine::Quarantine;
use crate::chain::{Break, Cure, Health, cure, health};
use crate::config::Config;
use crate::model::{MemberName, RunId, Timestamp};
use crate::survey::Survey;

/// How the chains stand, as far as hosts said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChainsSeen {
    /// The members of the group, whether their hosts answered or not.
    pub members: BTreeSet<MemberName>,
    /// Those whose chain runs, or was never begun: that is for the schedule's work, and no break.
    pub sound: BTreeSet<MemberName>,
    /// Those whose chain is broken, in the order of their names.
    pub broken: Vec<BrokenChain>,
}

/// A chain that the next log backup would not continue.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokenChain {
    /// Whose.
    pub member: MemberName,
    /// Why.
    pub reason: Break,
    /// What mends it.
    pub remedy: Remedy,
}

/// What mends a broken chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Remedy {
    /// The next run of logs.
    Run {
        /// What it does, in words.
        how: String,
    },
    /// Nothing for now: it was mended too often.
    Quarantined {
        /// When that ends by itself.
        until: Timestamp,
    },
    /// Only a person.
    Person {
        /// What is to be done.
        hint: String,
    },
}

/// Compares what hosts say with what is held.
#[must_use]
pub fn look_at_chains(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    quarantined: &[Quarantine],
) -> ChainsSeen {
    let mut seen = ChainsSeen {
        members: survey.members.iter().cloned().collect(),
        ..ChainsSeen::default()
    };
    let astray = logs_astray(cfg, survey, have);
    // Nobody's run: whatever is held counts.
    let pauses = Pauses::new(&cfg.policy, survey, have, RunId(Uuid::nil()));
    for Able { name, facts } in assess(cfg, survey, pauses).able {
        let health = with_holding(cfg, have, name, |held| match health(facts, held) {
            Health::Broken(reason) => Some((cure(facts, held, &reason), reason)),
            Health::Running { .. } | Health::NeverBased => None,
        });
        let Some((cure, reason)) = health else {
            seen.sound.insert(name.clone());
            continue;
        };
        let quarantine = quarantined.iter().find(|it| it.member == *name);
        let remedy = match (&reason, quarantine) {
            (Break::RecoverySimple, _) => Remedy::Person {
                hint: "set its recovery model to FULL: a log run begins its chain then".to_owned(),
            },
            // No cure is needed for it, so that a quarantine does not keep from it.
            _ if astray.iter().any(|it| it.member == *name) => {
                by_run("brings the file of that log into the chain")
            }
            (_, Some(quarantine)) => Remedy::Quarantined {
                until: quarantine.until,
            },
            (_, None) => by_run(match cure {
                Cure::Differential => "bridges it with a differential on our full",
                Cure::Full(_) => "begins the chain anew with a full",
            }),
        };
        seen.broken.push(BrokenChain {
            member: name.clone(),
            reason,
            remedy,
        });
    }
    seen
}

fn by_run(how: &str) -> Remedy {
    Remedy::Run {
        how: how.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::samples::lsn;
    use crate::plan::samples::{catalog, change_member, config, host, member, now, survey};
    use crate::survey::{HostReport, RecoveryModel};

    const ORDERS: &str = r"PAY2\SQL/Orders";

    fn seen(survey: &Survey, quarantined: &[Quarantine]) -> ChainsSeen {
        look_at_chains(&config(), survey, &catalog(), quarantined)
    }

    /// A log of one member went where no piece holds it.
    fn with_a_lost_log() -> Survey {
        let mut survey = survey(Some(30));
        change_member(&mut survey, ORDERS, |facts| {
            facts.last_log_backup_lsn = Some(lsn(40));
        });
        survey
    }

    #[test]
    fn chains_that_run_or_were_never_begun_are_sound() {
        let survey = survey(Some(30));
        let all_sound = |seen: ChainsSeen| {
            assert_eq!(seen.broken, []);
            assert_eq!((seen.sound.len(), seen.members.len()), (5, 5));
        };
        all_sound(seen(&survey, &[]));
        let nothing = CatalogView::default();
        all_sound(look_at_chains(&config(), &survey, &nothing, &[]));
    }

    #[test]
    fn a_lost_log_breaks_one_chain_and_a_run_mends_it_but_for_a_quarantine() {
        let survey = with_a_lost_log();
        let found = seen(&survey, &[]);
        assert_eq!((found.sound.len(), found.broken.len()), (4, 1));
        let broken = &found.broken[0];
        assert_eq!(broken.member, member(ORDERS));
        let (reached, next) = (lsn(30), lsn(40));
        assert_eq!(broken.reason, Break::LogLost { reached, next });
        assert!(
            matches!(&broken.remedy, Remedy::Run { how } if how.contains("differential")),
            "{broken:?}"
        );
        let quarantine = Quarantine {
            member: member(ORDERS),
            cures: 4,
            until: now(),
        };
        let held = seen(&survey, &[quarantine]);
        assert_eq!(held.broken[0].remedy, Remedy::Quarantined { until: now() });
    }

    #[test]
    fn a_member_in_simple_waits_for_a_person() {
        let mut survey = survey(Some(30));
        change_member(&mut survey, ORDERS, |facts| {
            facts.recovery_model = RecoveryModel::Simple;
            facts.last_log_backup_lsn = None;
        });
        let found = seen(&survey, &[]);
        assert_eq!(found.broken[0].reason, Break::RecoverySimple);
        assert!(matches!(found.broken[0].remedy, Remedy::Person { .. }));
    }

    #[test]
    fn of_a_silent_host_nothing_is_said() {
        let mut survey = with_a_lost_log();
        let silent = HostReport::Silent {
            code: "SM0201".to_owned(),
            message: "connection refused".to_owned(),
            hint: None,
            true_name: None,
        };
        survey.hosts.insert(host(r"PAY2\SQL"), silent);
        let found = seen(&survey, &[]);
        assert_eq!(found.broken, []);
        assert_eq!((found.sound.len(), found.members.len()), (3, 5));
    }
}
