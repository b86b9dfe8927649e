//! Plans of what `stopmark check` tries, and of what a broken check left. Start at [`plan_check`].
//!
//! A trial leaves something behind for a moment, so it is planned, written down and removed like every other
//! act. Trials stand in nobody's way: each host is tried, whatever becomes of the others.

use super::asked::Names;
use super::keys::{probe_key, probe_stripe, share_of};
use super::stages::Stages;
use super::trials::{ProbeStore, TrialBackup};
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Undo};
use crate::config::Config;
use crate::model::{GroupName, HostName, PlanId, SurveyId, Timestamp};
use crate::survey::Survey;

/// A trial backup on every host that answers and has a share, and a probe of each store; then their removal.
pub fn plan_check(cfg: &Config, survey: &Survey, names: &mut dyn Names, now: Timestamp) -> Plan {
    let id = PlanId(names.next());
    let mut trials: Vec<(HostName, Step)> = Vec::new();
    for host in cfg.hosts.values() {
        let answers = survey.host(&host.name).is_some();
        if let Some(share) = share_of(Some(host)).filter(|_| answers) {
            let stripe = probe_stripe(share, &cfg.group, names.next());
            trials.push((host.name.clone(), Step::TrialBackup(TrialBackup { stripe })));
        }
    }
    for store in cfg.stores() {
        let probe = Step::ProbeStore(ProbeStore {
            key: probe_key(names.next()),
            // Where there is one, nobody needs to be told which.
            store: (!cfg.further_stores.is_empty()).then(|| store.name.clone()),
        });
        trials.push((cfg.management_host.clone(), probe));
    }
    let removals = removals(&trials);
    let mut stages = Stages::default();
    stages.add(StageName::Trial, OnFailure::Pass, trials);
    stages.add(StageName::Clear, OnFailure::Pass, removals);
    Plan {
        format: PLAN_FORMAT,
        id,
        group: cfg.group.clone(),
        kind: RunKind::Check,
        round: 1,
        based_on: survey.id,
        made_at: now,
        stages: stages.into_vec(),
        warnings: Vec::new(),
    }
}

/// The removal of what trials and drills left, each on the host that it was made on, and then the certificate that
/// says so; none where nothing is left.
#[must_use]
pub fn plan_tidying(
    left: Vec<(HostName, Step)>,
    (group, based_on): (&GroupName, SurveyId),
    names: &mut dyn Names,
    number: u8,
    now: Timestamp,
) -> Option<Plan> {
    if left.is_empty() {
        return None;
    }
    let mut stages = Stages::default();
    let is_certificate = |(_, step): &(HostName, Step)| matches!(step, Step::Certify(_));
    let (certificates, left): (Vec<_>, Vec<_>) = left.into_iter().partition(is_certificate);
    stages.add(StageName::Clear, OnFailure::Pass, left);
    stages.add(StageName::Certify, OnFailure::Pass, certificates);
    Some(Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: group.clone(),
        kind: RunKind::Salvage,
        round: number,
        based_on,
        made_at: now,
        stages: stages.into_vec(),
        warnings: Vec::new(),
    })
}

fn removals(trials: &[(HostName, Step)]) -> Vec<(HostName, Step)> {
    let undone = trials.iter().filter_map(|(host, step)| match step.undo() {
        Undo::By(removal) => Some((host.clone(), *removal)),
        Undo::Nothing | Undo::Never(_) => None,
    });
    undone.collect()
}
