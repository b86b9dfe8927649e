//! Plans that bring away what an interrupted run had taken. Start at [`plan_salvage`].

use super::asked::{Leftovers, Names};
use super::stages::Stages;
use super::step::Publish;
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step};
use crate::config::{Config, ReadBack};
use crate::model::{MarkName, PlanId, SetId, SetKind, Timestamp};

/// Delivers and publishes backups that were taken and are in no set. A log that was taken is part of its
/// chain whatever became of its run; the set makes no claim about a mark.
pub fn plan_salvage(
    cfg: &Config,
    left: &Leftovers,
    newest_stamp: Option<Timestamp>,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let (_, made_at) = MarkName::stamp(&cfg.mark_prefix, now, newest_stamp);
    let id = PlanId(names.next());
    let mut stages = Stages::default();
    if !left.undelivered.is_empty() {
        stages.deliver(&left.undelivered, cfg.policy.read_back == ReadBack::Whole);
        let publish = Publish {
            set: SetId(names.next()),
            set_kind: SetKind::Salvage,
            group: cfg.group.clone(),
            run: left.run,
            made_at,
            mark: None,
            stamped_at: None,
            members: left.members.clone(),
            pieces: left.undelivered.iter().map(|step| step.piece).collect(),
        };
        let lane = (cfg.management_host.clone(), Step::Publish(publish));
        stages.add(StageName::Publish, OnFailure::Unwind, [lane]);
        stages.clear(&left.undelivered);
    }
    Plan {
        format: PLAN_FORMAT,
        id,
        group: cfg.group.clone(),
        kind: RunKind::Salvage,
        round: left.round,
        based_on: left.based_on,
        made_at,
        stages: stages.into_vec(),
        warnings: Vec::new(),
    }
}
