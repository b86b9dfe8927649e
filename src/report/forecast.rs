//! How long a restore would take, by what earlier ones took. Start at [`Pace::of`] and [`forecast`].
//!
//! Fulls and differentials go by their bytes, logs by their number: most logs are small, and what they cost is their
//! statement. It is an estimate and says so; a drill measures.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::bytes::{size, span};
use crate::model::{HostName, PieceId};
use crate::plan::{Fetch, Plan, Step};
use crate::run::events::{Event, StepPlace};
use crate::run::record::Record;

/// What steps of one sort took all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Took {
    steps: u64,
    bytes: u64,
    millis: u64,
}

/// What earlier restores took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    fetches: Took,
    databases: Took,
    logs: Took,
}

/// How long a planned restore would take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// All together, in milliseconds.
    pub millis: u64,
    /// The host that takes longest.
    pub slowest: HostName,
    /// What that host's fulls and differentials take.
    pub databases_millis: u64,
    /// What its logs take.
    pub logs_millis: u64,
    /// What bringing its pieces from the store takes; it goes on beside the rest.
    pub fetches_millis: u64,
    /// Bytes that are brought from the store for all hosts.
    pub bytes: u64,
}

impl Took {
    fn add(&mut self, bytes: u64, millis: u64) {
        self.steps += 1;
        self.bytes += bytes;
        self.millis += millis;
    }

    fn by_bytes(self, bytes: u64) -> u64 {
        let millis = u128::from(bytes) * u128::from(self.millis) / u128::from(self.bytes.max(1));
        u64::try_from(millis).unwrap_or(u64::MAX)
    }

    fn by_steps(self, steps: u64) -> u64 {
        steps.saturating_mul(self.millis) / self.steps.max(1)
    }
}

impl Pace {
    /// What one run's journal tells, beside what others told.
    #[must_use]
    pub fn of(mut self, events: &[Event]) -> Self {
        let Some(record) = Record::fold(events).ok().flatten() else {
            return self;
        };
        let mut begun: HashMap<StepPlace, i64> = HashMap::new();
        for event in events {
            match event {
                Event::StepStarted { place, at } => {
                    begun.insert(*place, at.millis());
                }
                Event::StepEnded { place, at, .. } => {
                    let round = usize::from(place.round).checked_sub(1);
                    let round = round.and_then(|round| record.rounds.get(round));
                    let step = round.and_then(|round| Some((round, round.step(*place)?)));
                    if let (Some((round, step)), Some(from)) = (step, begun.get(place)) {
                        let millis = u64::try_from(at.millis() - from).unwrap_or(0);
                        self.take(step, &sizes(&round.plan), millis);
                    }
                }
                _ => {}
            }
        }
        self
    }

    fn take(&mut self, step: &Step, sizes: &HashMap<PieceId, u64>, millis: u64) {
        let bytes = step.piece().and_then(|piece| sizes.get(&piece));
        let bytes = bytes.copied().unwrap_or(0);
        match step {
            Step::Fetch(_) => self.fetches.add(bytes, millis),
            Step::RestoreDatabase(_) => self.databases.add(bytes, millis),
            Step::RestoreLog(_) => self.logs.add(bytes, millis),
            _ => {}
        }
    }
}

/// What a restore by this plan takes at this pace; none where nothing was ever measured, or nothing is restored.
#[must_use]
pub fn forecast(plan: &Plan, pace: &Pace) -> Option<Forecast> {
    if pace.databases.steps == 0 || pace.logs.steps == 0 || pace.fetches.steps == 0 {
        return None;
    }
    let sizes = sizes(plan);
    let mut hosts: BTreeMap<&HostName, (u64, u64, u64)> = BTreeMap::new();
    for lane in plan.stages.iter().flat_map(|stage| &stage.lanes) {
        for step in &lane.steps {
            let bytes = step.piece().and_then(|piece| sizes.get(&piece)).copied();
            let bytes = bytes.unwrap_or(0);
            let (databases, logs, fetched) = hosts.entry(&lane.host).or_default();
            match step {
                Step::Fetch(_) => *fetched += bytes,
                Step::RestoreDatabase(_) => *databases += bytes,
                Step::RestoreLog(_) => *logs += 1,
                _ => {}
            }
        }
    }
    let of_host = |(host, (databases, logs, fetched)): (&HostName, (u64, u64, u64))| {
        let databases_millis = pace.databases.by_bytes(databases);
        let logs_millis = pace.logs.by_steps(logs);
        let fetches_millis = pace.fetches.by_bytes(fetched);
        Forecast {
            millis: fetches_millis.max(databases_millis + logs_millis),
            slowest: host.clone(),
            databases_millis,
            logs_millis,
            fetches_millis,
            bytes: sizes.values().sum(),
        }
    };
    let hosts = hosts.into_iter().map(of_host);
    let slowest = hosts.max_by_key(|host| host.millis)?;
    (slowest.bytes > 0).then_some(slowest)
}

/// The stored bytes of the pieces that a plan fetches.
fn sizes(plan: &Plan) -> HashMap<PieceId, u64> {
    let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let fetches = lanes
        .flat_map(|lane| &lane.steps)
        .filter_map(|step| match step {
            Step::Fetch(fetch) => Some((fetch.source.piece, bytes_of(fetch))),
            _ => None,
        });
    fetches.collect()
}

fn bytes_of(fetch: &Fetch) -> u64 {
    fetch.stored.iter().map(|stripe| stripe.size_bytes).sum()
}

impl Forecast {
    /// The estimate in a line, and what would shorten it most.
    #[must_use]
    pub fn text(&self) -> String {
        let ms = |millis: u64| span(i64::try_from(millis).unwrap_or(i64::MAX));
        let cure = if self.fetches_millis > self.databases_millis + self.logs_millis {
            "a store that is nearer, or more parts in flight"
        } else if self.logs_millis > self.databases_millis {
            "fulls or differentials more often: most of it are logs"
        } else {
            "more stripes, or members spread over more hosts: most of it are fulls"
        };
        format!(
            "forecast: about {} for {} at the pace of restores before, longest on `{}`; shorter by {cure}",
            ms(self.millis),
            size(self.bytes),
            self.slowest
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_measured_forecasts_nothing_and_the_rest_by_rule_of_three() {
        let mut took = Took::default();
        assert_eq!((took.by_bytes(0), took.by_steps(9)), (0, 0), "no division");
        took.add(1000, 10);
        took.add(3000, 30);
        assert_eq!(took.by_bytes(8000), 80);
        assert_eq!(took.by_steps(3), 60);
        assert_eq!(took.by_bytes(u64::MAX), u64::MAX / 100, "no overflow");
    }

    #[test]
    fn the_cure_goes_with_what_takes_longest() {
        let of = |databases_millis, logs_millis, fetches_millis| {
            let forecast = Forecast {
                millis: 60_000,
                slowest: "PAY1".parse().expect("a host"),
                databases_millis,
                logs_millis,
                fetches_millis,
                bytes: 1 << 30,
            };
            forecast.text()
        };
        assert!(of(1, 1, 9).contains("store"), "{}", of(1, 1, 9));
        assert!(of(1, 9, 1).contains("logs"), "{}", of(1, 9, 1));
        assert!(of(9, 1, 1).contains("stripes"), "{}", of(9, 1, 1));
    }
}
