//! Plans of backup runs: full, differential, log. Start at [`plan_backup`].

use super::asked::{Asked, BackupKind, CatalogView, Names};
use super::{PLAN_FORMAT, Plan, RunKind};
use crate::config::Config;
use crate::model::{MarkName, PlanId, Timestamp};
use crate::survey::Survey;

/// What one round of a backup run will do. Never fails: what cannot be done is a warning in the plan.
pub fn plan_backup(
    cfg: &Config,
    survey: &Survey,
    have: &CatalogView,
    asked: &Asked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Plan {
    let (_, stamp) = MarkName::stamp(&cfg.mark_prefix, now, have.newest_stamp);
    Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: match asked.kind {
            BackupKind::Full => RunKind::Full,
            BackupKind::Differential => RunKind::Differential,
            BackupKind::Log => RunKind::Log,
        },
        round: asked.round,
        based_on: survey.id,
        made_at: stamp,
        stages: Vec::new(),
        warnings: Vec::new(),
    }
}
