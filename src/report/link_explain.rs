//! What happens on the wire when a mark crosses a link, step by step, for an operator who meets it in a trace.
//!
//! Start at [`LinkExplanation::of`]. It tells what the host saw and what each event is for; which statements a provider
//! sends besides is its own affair, and what is not known here is shown as it came.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::link_trials::{LinkTrial, millis, trials_of};
use crate::model::{HostName, Timestamp};
use crate::run::events::{LeftBehind, Outcome, WatchedEvent};
use crate::run::record::{Record, Round};

/// Characters of a statement that are worth a line.
const STATEMENT_CHARACTERS_MAX: usize = 100;

/// What a host saw of one mark.
#[derive(Clone, Debug, Serialize)]
pub struct LinkExplanation {
    /// The host that watched.
    pub host: HostName,
    /// The mark.
    pub trial: Option<LinkTrial>,
    /// What was seen, in order.
    pub steps: Vec<WireStep>,
    /// What connections that died have left on the host.
    pub left_behind: Vec<Leftover>,
    /// Why something is missing.
    pub untold: Vec<String>,
}

/// One thing that was seen.
#[derive(Clone, Debug, Serialize)]
pub struct WireStep {
    /// What it is for.
    pub phase: Phase,
    /// Milliseconds since the first of all.
    pub after_ms: i64,
    /// The event as the host raised it.
    #[serde(flatten)]
    pub event: WatchedEvent,
}

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A connection begins.
    Connect,
    /// The provider asks what it talks to.
    Metadata,
    /// The transaction becomes distributed: the host joins.
    Join,
    /// The host's own mark begins.
    Mark,
    /// A further member of the host joins.
    Member,
    /// The host is asked to promise.
    Prepare,
    /// The host has promised.
    Promise,
    /// The host is told the outcome: commit.
    Commit,
    /// The host is told the outcome: roll back.
    Abort,
    /// The connection goes back to its pool.
    Reset,
    /// The connection ends.
    Disconnect,
    /// Something else.
    Other,
}

/// Something that a connection left, and how it is ended.
#[derive(Clone, Debug, Serialize)]
pub struct Leftover {
    /// What it is.
    #[serde(flatten)]
    pub left: LeftBehind,
    /// What a person runs on the host, after they looked whose it is.
    pub cure: String,
}

impl Phase {
    /// Its word in the table.
    const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Metadata => "metadata",
            Self::Join => "join",
            Self::Mark => "mark",
            Self::Member => "member",
            Self::Prepare => "prepare",
            Self::Promise => "promise",
            Self::Commit => "commit",
            Self::Abort => "abort",
            Self::Reset => "reset",
            Self::Disconnect => "disconnect",
            Self::Other => "other",
        }
    }

    /// What it means, for an operator.
    const fn meaning(self) -> &'static str {
        match self {
            Self::Connect => "the link opens a connection, or takes one from its pool",
            Self::Metadata => {
                "the provider asks what kind of server and login it has; it reads no member"
            }
            Self::Join => "the transaction becomes distributed: this host joins it through MSDTC",
            Self::Mark => "the first member here begins this host's own mark and writes its row",
            Self::Member => "the next member's row, in the same transaction",
            Self::Prepare => "the coordinator asks this host to promise that it can commit",
            Self::Promise => "this host has promised: its locks stay until it hears the outcome",
            Self::Commit => "the outcome: the mark stands in this host's logs from here on",
            Self::Abort => "the outcome: nothing stands, and no mark was placed",
            Self::Reset => "the connection goes back to the pool, and forgets what was set on it",
            Self::Disconnect => "the connection ends; a pooled one does so minutes later",
            Self::Other => "not part of a mark as Stopmark knows it",
        }
    }

    /// By the event's name and what it says.
    fn of(event: &WatchedEvent) -> Self {
        let what = event.what.as_deref().unwrap_or_default().to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| what.contains(word));
        match event.name.as_str() {
            "login" => Self::Connect,
            "logout" => Self::Disconnect,
            "dtc_transaction" if says(&["enlist", "propagate"]) => Self::Join,
            "dtc_transaction" if says(&["preparing"]) => Self::Prepare,
            "dtc_transaction" if says(&["prepared"]) => Self::Promise,
            "dtc_transaction" if says(&["commit"]) => Self::Commit,
            "dtc_transaction" if says(&["abort"]) => Self::Abort,
            _ if says(&["sp_reset_connection"]) => Self::Reset,
            _ if says(&["setmarkremote"]) => Self::Mark,
            _ if says(&["setmark"]) => Self::Member,
            _ if says(&["serverproperty", "collationname", "sp_oledb", "_rowset"]) => {
                Self::Metadata
            }
            _ => Self::Other,
        }
    }
}

impl LinkExplanation {
    /// What a run of `link explain` found out.
    #[must_use]
    pub fn of(host: &HostName, record: &Record) -> Self {
        let trial = trials_of(record).into_iter().next();
        let watched = record.outcomes().find_map(|outcome| match outcome {
            Outcome::Watched {
                events,
                left_behind,
            } => Some((events.clone(), left_behind.clone())),
            _ => None,
        });
        let (events, left) = watched.unwrap_or_default();
        let mut untold: Vec<String> = untold(record);
        let steps = steps(&of_link(events, trial.as_ref()));
        if steps.is_empty() && untold.is_empty() {
            let why = "the event session heard nothing of the link within its time: run it again";
            untold.push(why.to_owned());
        }
        Self {
            host: host.clone(),
            trial,
            steps,
            left_behind: left.into_iter().map(Leftover::of).collect(),
            untold,
        }
    }

    /// The text for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "a mark on its way to `{}`, as that host saw it\n",
            self.host
        );
        self.write(&mut text).expect("a string takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        for step in &self.steps {
            step.write(text)?;
        }
        if let Some(trial) = &self.trial {
            trial.write(text)?;
        }
        for why in &self.untold {
            writeln!(text, "  not told: {why}")?;
        }
        for left in &self.left_behind {
            left.write(text)?;
        }
        if self.left_behind.is_empty() && self.untold.is_empty() {
            writeln!(
                text,
                "  nothing that died has left locks behind on this host"
            )?;
        }
        Ok(())
    }
}

/// Why something is missing: what was not planned, and what failed beside the mark itself.
fn untold(record: &Record) -> Vec<String> {
    let warnings = record.rounds.iter().flat_map(|round| &round.plan.warnings);
    let warnings = warnings.map(|warning| format!("{}: {}", warning.code, warning.message));
    let failures = record.rounds.iter().flat_map(Round::failures);
    let failures = failures.filter(|(step, _)| !matches!(step, crate::plan::Step::ProbeMark(_)));
    warnings
        .chain(failures.map(|(_, failure)| failure.line()))
        .collect()
}

/// The events of connections that carried the mark, and all of the coordinator's: the agent's own connections may bear
/// the same program's name, and the number of a session that has ended is given to the next.
fn of_link(events: Vec<WatchedEvent>, trial: Option<&LinkTrial>) -> Vec<WatchedEvent> {
    let connections = connections(&events);
    let is_of_mark = |event: &WatchedEvent| {
        let what = event.what.as_deref().unwrap_or_default();
        let names = trial.is_some_and(|trial| what.contains(trial.mark.as_str()));
        names && matches!(Phase::of(event), Phase::Mark | Phase::Member)
    };
    let pairs = connections.iter().zip(&events);
    let carriers = pairs.filter_map(|(of, event)| of.filter(|_| is_of_mark(event)));
    let carriers: BTreeSet<(i32, usize)> = carriers.collect();
    let is_kept = |(of, event): &(Option<(i32, usize)>, WatchedEvent)| {
        event.name == "dtc_transaction" || of.is_some_and(|of| carriers.contains(&of))
    };
    let pairs = connections.into_iter().zip(events);
    pairs.filter(is_kept).map(|(_, event)| event).collect()
}

/// The connection that each event belongs to: its session's number, and how often that was given away before.
fn connections(events: &[WatchedEvent]) -> Vec<Option<(i32, usize)>> {
    let mut given: BTreeMap<i32, usize> = BTreeMap::new();
    let mut connection = |event: &WatchedEvent| {
        let session = event.session?;
        let times = given.entry(session).or_default();
        if event.name == "login" {
            *times += 1;
        }
        Some((session, *times))
    };
    events.iter().map(&mut connection).collect()
}

fn steps(events: &[WatchedEvent]) -> Vec<WireStep> {
    let first = events
        .first()
        .map_or(Timestamp::from_millis(0), |event| event.at);
    let step = |event: &WatchedEvent| WireStep {
        phase: Phase::of(event),
        after_ms: event.at.millis() - first.millis(),
        event: event.clone(),
    };
    events.iter().map(step).collect()
}

impl WireStep {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        let event = &self.event;
        let session = event
            .session
            .map_or_else(String::new, |id| format!(", session {id}"));
        let took = event.took_us;
        let took = took.map_or_else(String::new, |took| format!(", took {} ms", millis(took)));
        writeln!(
            text,
            "  {:>6} ms  {:<10}  {}\n              seen: {}{session}{took}",
            self.after_ms,
            self.phase.word(),
            self.phase.meaning(),
            event.name
        )?;
        match &event.what {
            Some(what) => writeln!(text, "              {}", one_line(what)),
            None => Ok(()),
        }
    }
}

fn one_line(what: &str) -> String {
    let line = what.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= STATEMENT_CHARACTERS_MAX {
        return line;
    }
    let short: String = line.chars().take(STATEMENT_CHARACTERS_MAX).collect();
    format!("{short} ...")
}

impl Leftover {
    fn of(left: LeftBehind) -> Self {
        let cure = left.unit_of_work.map_or_else(
            || format!("KILL {};", left.session),
            |unit| format!("KILL '{unit}';"),
        );
        Self { left, cure }
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        let what = match self.left.unit_of_work {
            Some(_) => {
                "a distributed transaction that no session has any more (session -2) holds its locks: its coordinator \
                 died or is not reached"
            }
            None => {
                "a connection of the link sleeps in an open transaction and holds its locks, schema locks among them: \
                 whoever opened it is gone"
            }
        };
        writeln!(
            text,
            "  LEFT BEHIND: {what}\n         look: see with MSDTC on the management host whether it is still decided \
             there; it ends by itself then\n         cure: {} -- only if it does not: the outcome is forced on this \
             host alone",
            self.cure
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, what: &str) -> WatchedEvent {
        WatchedEvent {
            at: Timestamp::from_millis(0),
            name: name.to_owned(),
            session: Some(57),
            what: Some(what.to_owned()),
            took_us: None,
        }
    }

    #[test]
    fn what_providers_send_is_told_apart() {
        for (name, what, phase) in [
            ("rpc_completed", "exec sp_reset_connection", Phase::Reset),
            (
                "rpc_completed",
                "exec [sys].sp_oledb_ro_usrname",
                Phase::Metadata,
            ),
            (
                "sql_batch_completed",
                "select collationname(0x0904D00034)",
                Phase::Metadata,
            ),
            (
                "rpc_completed",
                "exec [Pay].[sys].sp_procedures_rowset2 N'x'",
                Phase::Metadata,
            ),
            (
                "rpc_completed",
                "exec \"Pay\".\"dbo\".\"sp_SetMarkRemote\" N'M'",
                Phase::Mark,
            ),
            (
                "rpc_completed",
                "exec \"Pay\".\"dbo\".\"sp_SetMark\" N'M'",
                Phase::Member,
            ),
            ("dtc_transaction", "Propagate Transaction", Phase::Join),
            ("dtc_transaction", "Transaction is aborting", Phase::Abort),
            ("sql_batch_completed", "SELECT 1", Phase::Other),
        ] {
            assert_eq!(Phase::of(&event(name, what)), phase, "{what}");
        }
    }

    #[test]
    fn only_the_connection_that_carried_the_mark_is_told_of() {
        let trial = LinkTrial {
            hosts: Vec::new(),
            mark: "SMPROBE_2026_11_21_02_00_00_007".parse().expect("a mark"),
            committed: true,
            cost: None,
            failure: None,
        };
        let call = format!("exec dbo.sp_SetMarkRemote N'{}'", trial.mark);
        let history = format!(
            "SELECT 1 FROM logmarkhistory WHERE mark_name = N'{}'",
            trial.mark
        );
        let events = [
            event("login", ""),
            event("rpc_completed", "of the agent"),
            event("logout", ""),
            event("login", ""),
            event("rpc_completed", &call),
            event("logout", ""),
            event("login", ""),
            event("rpc_completed", &history),
        ];
        let kept = of_link(events.to_vec(), Some(&trial));
        assert_eq!(kept, events[3..6]);
        assert_eq!(of_link(events.to_vec(), None), []);
    }

    #[test]
    fn what_is_left_is_ended_by_its_session_or_its_unit_of_work() {
        let sleeping = Leftover::of(LeftBehind {
            session: 57,
            unit_of_work: None,
        });
        assert_eq!(sleeping.cure, "KILL 57;");
        let unit = uuid::Uuid::from_u128(7);
        let orphan = Leftover::of(LeftBehind {
            session: -2,
            unit_of_work: Some(unit),
        });
        assert_eq!(orphan.cure, format!("KILL '{unit}';"));
        let mut text = String::new();
        orphan.write(&mut text).expect("a string takes everything");
        assert!(
            text.contains("session -2") && text.contains(&orphan.cure),
            "{text}"
        );
    }
}
