//! What can be seen of a service from outside: values for the status page, the metrics and the tests.
//!
//! Start at [`Seen`]. The loop publishes a new one whenever something changed; readers never hold it up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::alarm::Alarm;
use super::due::Turn;
use super::watch::BrokenSeen;
use crate::config::Job;
use crate::model::{GroupName, HostName, Severity, Timestamp};
use crate::run::events::Verdict;
use crate::survey::HostRoom;
use crate::world::{Progress, StepProgress};

/// How a service stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seen {
    /// The group; none before the configuration was read.
    pub group: Option<GroupName>,
    /// When the service began.
    pub started_at: Option<Timestamp>,
    /// When the loop last looked.
    pub looked_at: Option<Timestamp>,
    /// When it looks again if nothing happens.
    pub wakes_at: Option<Timestamp>,
    /// The jobs' next turns, the next one first; without those at work.
    pub turns: Vec<Turn>,
    /// What is at work.
    pub working: BTreeMap<Job, Timestamp>,
    /// How each job last ended in this service's life.
    pub last: BTreeMap<Job, Last>,
    /// Why what is due does not begin.
    pub waiting: Option<String>,
    /// What is wrong with the configuration file, which is not in force.
    pub fault: Option<String>,
    /// The newest notice that reached nobody.
    pub undelivered: Option<String>,
    /// The service is stopping.
    pub is_stopping: bool,
    /// Whether this agent works on the group.
    pub role: Role,
    /// What hosts had left when they were last asked.
    pub rooms: BTreeMap<HostName, HostRoom>,
    /// What is wrong with that.
    pub alarms: Vec<Alarm>,
    /// When a look last told how the members' chains stand.
    pub chains_looked_at: Option<Timestamp>,
    /// The chains that are broken.
    pub broken: Vec<BrokenSeen>,
}

/// What this agent is to the group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Role {
    /// The only one, as far as the configuration says.
    #[default]
    Alone,
    /// One of several, and the one that works.
    Active,
    /// One of several that waits for another to go away.
    Standby {
        /// Who works; none where that cannot be found out.
        holder: Option<String>,
    },
}

impl Role {
    /// Whether it works.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        !matches!(self, Self::Standby { .. })
    }

    /// The role in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Alone => "alone".to_owned(),
            Self::Active => "active".to_owned(),
            Self::Standby {
                holder: Some(holder),
            } => format!("standby: {holder} works"),
            Self::Standby { holder: None } => "standby: nobody knows who works".to_owned(),
        }
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Last {
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub end: End,
}

/// The ends of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// A run ended so; none: it goes on with the next start.
    Run {
        /// The verdict.
        verdict: Option<Verdict>,
        /// The first failure, where there was one.
        failure: Option<String>,
    },
    /// There was nothing to do.
    Nothing,
    /// No run came of it, or it broke off.
    Error {
        /// Code and message.
        message: String,
    },
}

impl End {
    /// Whether the work was done.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        match self {
            Self::Run { verdict, .. } => matches!(verdict, Some(Verdict::Done)),
            Self::Nothing => true,
            Self::Error { .. } => false,
        }
    }

    /// How grave it is that it ended so; none: the work was done, or a stop ended it.
    #[must_use]
    pub const fn trouble(&self) -> Option<Severity> {
        match self {
            Self::Nothing => None,
            Self::Error { .. } => Some(Severity::Error),
            Self::Run { verdict, .. } => match verdict {
                Some(Verdict::Done | Verdict::Interrupted) => None,
                Some(Verdict::Degraded) | None => Some(Severity::Warning),
                Some(Verdict::Failed | Verdict::Abandoned) => Some(Severity::Error),
            },
        }
    }

    /// Whether a stop ended it, which is nobody's fault.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        match self {
            Self::Run { verdict, .. } => matches!(verdict, Some(Verdict::Interrupted)),
            Self::Nothing | Self::Error { .. } => false,
        }
    }

    /// The end in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Nothing => "nothing to do".to_owned(),
            Self::Error { message } => message.clone(),
            Self::Run { verdict, failure } => {
                let word = match verdict {
                    Some(Verdict::Done) => "done",
                    Some(Verdict::Degraded) => "done in part",
                    Some(Verdict::Failed) => "failed",
                    Some(Verdict::Abandoned) => "broken off",
                    Some(Verdict::Interrupted) => "stopped",
                    None => "goes on with the next start",
                };
                let more = failure.iter().map(|failure| format!(": {failure}"));
                std::iter::once(word.to_owned()).chain(more).collect()
            }
        }
    }
}

/// The steps that are at work now, as far as they tell.
#[derive(Debug, Default)]
pub struct Steps {
    next: AtomicU64,
    now: Mutex<BTreeMap<u64, StepSeen>>,
}

/// One step at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepSeen {
    /// What is done.
    pub label: String,
    /// All bytes of it, where they are known.
    pub total_bytes: Option<u64>,
    /// Bytes that are done.
    pub done_bytes: u64,
    /// Per cent, as a server counts.
    pub percent: Option<u8>,
}

struct Watched {
    steps: Arc<Steps>,
    number: u64,
}

/// Keeps the steps for whoever looks.
#[derive(Clone, Debug, Default)]
pub struct WatchedProgress(
    /// Where they are seen.
    pub Arc<Steps>,
);

impl Steps {
    /// The steps, oldest first.
    #[must_use]
    pub fn seen(&self) -> Vec<StepSeen> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, StepSeen>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StepSeen {
    /// How much is done, in per cent; none where nobody knows.
    #[must_use]
    pub fn done_percent(&self) -> Option<u8> {
        let of_bytes = self.total_bytes.filter(|total| *total > 0).map(|total| {
            let percent = self.done_bytes.min(total).saturating_mul(100) / total;
            u8::try_from(percent).unwrap_or(100)
        });
        self.percent.or(of_bytes)
    }
}

impl Progress for WatchedProgress {
    fn begin(&self, label: &str, total_bytes: Option<u64>) -> Box<dyn StepProgress> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let step = StepSeen {
            label: label.to_owned(),
            total_bytes,
            done_bytes: 0,
            percent: None,
        };
        self.0.lock().insert(number, step);
        Box::new(Watched {
            steps: self.0.clone(),
            number,
        })
    }

    fn say(&self, line: &str) {
        tracing::info!("{line}");
    }
}

impl StepProgress for Watched {
    fn percent(&self, percent: u8) {
        if let Some(step) = self.steps.lock().get_mut(&self.number) {
            step.percent = Some(percent.min(100));
        }
    }

    fn bytes(&self, more: u64) {
        if let Some(step) = self.steps.lock().get_mut(&self.number) {
            step.done_bytes = step.done_bytes.saturating_add(more);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.steps.lock().remove(&self.number);
    }
}
