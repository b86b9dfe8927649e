//! Building stages: steps fall into one lane a host. Start at [`Stages`].

use std::collections::BTreeMap;

use super::step::{BackUp, ClearStaging, Deliver, Publish};
use super::{Lane, OnFailure, Stage, StageName, Step};
use crate::config::{Config, PolicyConfig, ReadBack};
use crate::model::{HostName, PieceKind, RunId, SetId, SetKind, Timestamp};

/// The stages of a plan in the making; empty ones are left out.
#[derive(Debug, Default)]
pub(super) struct Stages(Vec<Stage>);

impl Stages {
    /// Adds a stage whose steps each name their host; lanes are in the order of the hosts' names.
    pub(super) fn add(
        &mut self,
        name: StageName,
        on_failure: OnFailure,
        steps: impl IntoIterator<Item = (HostName, Step)>,
    ) {
        let mut lanes: BTreeMap<HostName, Vec<Step>> = BTreeMap::new();
        for (host, step) in steps {
            lanes.entry(host).or_default().push(step);
        }
        let lanes: Vec<Lane> = lanes
            .into_iter()
            .map(|(host, steps)| Lane { host, steps })
            .collect();
        if !lanes.is_empty() {
            self.0.push(Stage {
                name,
                on_failure,
                lanes,
                fan_out: None,
                fetch_ahead_bytes: None,
            });
        }
    }

    /// As [`Self::add`], and so many steps of the stage may go on at the same time.
    pub(super) fn add_fanning_out(
        &mut self,
        name: StageName,
        on_failure: OnFailure,
        steps: impl IntoIterator<Item = (HostName, Step)>,
        fan_out: u16,
    ) {
        let before = self.0.len();
        self.add(name, on_failure, steps);
        for stage in &mut self.0[before..] {
            stage.fan_out = Some(fan_out);
        }
    }

    /// As [`Self::add`], and each lane may fetch so many bytes ahead of their need.
    pub(super) fn add_fetching_ahead(
        &mut self,
        name: StageName,
        on_failure: OnFailure,
        steps: impl IntoIterator<Item = (HostName, Step)>,
        bytes: u64,
    ) {
        let before = self.0.len();
        self.add(name, on_failure, steps);
        for stage in &mut self.0[before..] {
            stage.fetch_ahead_bytes = Some(bytes);
        }
    }

    /// Adds a stage of backups, lane by host.
    pub(super) fn back_up(&mut self, name: StageName, backups: &[BackUp]) {
        let steps = backups
            .iter()
            .map(|step| (step.host().clone(), Step::BackUp(step.clone())));
        self.add(name, OnFailure::Skip, steps);
    }

    /// Adds the tails of logs: nothing is restored over a member whose tail is not safe.
    pub(super) fn back_up_tails(&mut self, tails: &[BackUp]) {
        let steps = tails
            .iter()
            .map(|step| (step.host().clone(), Step::BackUp(step.clone())));
        self.add(StageName::Tail, OnFailure::Halt, steps);
    }

    /// Adds the delivery of these backups.
    pub(super) fn deliver(&mut self, backups: &[BackUp], policy: &PolicyConfig, fan_out: u16) {
        let steps = backups.iter().map(|step| {
            let deliver = Deliver {
                piece: step.piece,
                member: step.member.clone(),
                piece_kind: step.piece_kind,
                stripes: step.stripes.clone(),
                read_back_whole: policy.read_back != ReadBack::Size,
                sample_over_bytes: sample_over(policy, step.piece_kind),
            };
            (step.host().clone(), Step::Deliver(deliver))
        });
        self.add_fanning_out(StageName::Deliver, OnFailure::Skip, steps, fan_out);
    }

    /// Adds the publication of a set.
    pub(super) fn publish(&mut self, cfg: &Config, publish: Publish) {
        let publish = (cfg.management_host.clone(), Step::Publish(publish));
        self.add(StageName::Publish, OnFailure::Unwind, [publish]);
    }

    /// Adds what brings these backups into the store as this set, and clears their files away.
    pub(super) fn bring_home(&mut self, cfg: &Config, taken: &[BackUp], publish: Publish) {
        self.deliver(taken, &cfg.policy, cfg.store.transfer.pieces_in_flight);
        let pieces = taken.iter().map(|step| step.piece).collect();
        self.publish(cfg, Publish { pieces, ..publish });
        self.clear(taken);
    }

    /// Adds the removal of these backups' files.
    pub(super) fn clear(&mut self, backups: &[BackUp]) {
        let steps = backups.iter().map(|step| {
            let clear = ClearStaging {
                piece: step.piece,
                agent_paths: step
                    .stripes
                    .iter()
                    .map(|stripe| stripe.agent_path.clone())
                    .collect(),
            };
            (step.host().clone(), Step::ClearStaging(clear))
        });
        self.add(StageName::Clear, OnFailure::Skip, steps);
    }

    pub(super) fn into_vec(self) -> Vec<Stage> {
        self.0
    }
}

/// A set that makes no claim about a mark, and has no members and no pieces yet.
pub(super) fn unmarked(
    cfg: &Config,
    (set, set_kind): (SetId, SetKind),
    (run, made_at): (RunId, Timestamp),
) -> Publish {
    Publish {
        set,
        set_kind,
        group: cfg.group.clone(),
        run,
        made_at,
        mark: None,
        stamped_at: None,
        members: Vec::new(),
        best_effort: Vec::new(),
        pieces: Vec::new(),
        companions: Vec::new(),
        settings: Vec::new(),
    }
}

/// Logs are small and every mark needs them; fulls and differentials can be too large to be read twice.
fn sample_over(policy: &PolicyConfig, kind: PieceKind) -> Option<u64> {
    match (policy.read_back, kind) {
        (ReadBack::Size, _) | (ReadBack::Whole, PieceKind::Log) => None,
        (ReadBack::Sample, _) => Some(0),
        (ReadBack::Whole, PieceKind::Full | PieceKind::Differential) => {
            Some(policy.sample_over_bytes)
        }
    }
}
