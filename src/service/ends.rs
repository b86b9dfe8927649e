//! How jobs end, in values and in words: for the log, the manager and whoever looks.

use std::any::Any;

use super::seen::{End, Seen};
use crate::error::{Code, Error, Result};
use crate::model::{Severity, Timestamp};
use crate::run::events::Verdict;
use crate::run::record::{Record, Round};

/// How a job ended. A run that stays open does so because it was asked to stop, or because a store owes it an
/// answer.
pub(super) fn end_of(ended: &Result<Option<Record>>, was_asked_to_stop: bool) -> End {
    match ended {
        Ok(Some(record)) => {
            let verdict = record.ended.map(|(verdict, _)| verdict);
            let verdict = verdict.or(was_asked_to_stop.then_some(Verdict::Interrupted));
            let failures = record.rounds.iter().flat_map(Round::failures);
            // What a later round of a good run mended is no news.
            let failures = failures.filter(|_| verdict != Some(Verdict::Done));
            End::Run {
                verdict,
                failure: failures.map(|(_, failure)| failure.line()).next(),
            }
        }
        Ok(None) => End::Nothing,
        Err(error) => End::Error {
            message: error.to_string(),
        },
    }
}

/// Whether the job's time is served; what failed is tried again. What a run took while the store was away is brought
/// home by the next one: to take it again would help nobody.
pub(super) const fn is_served(end: &End) -> bool {
    match end {
        End::Run { verdict, .. } => {
            matches!(verdict, None | Some(Verdict::Done | Verdict::Degraded))
        }
        End::Nothing => true,
        End::Error { .. } => false,
    }
}

/// Up to when the job's time is served. A run that stays open is looked at as one that failed by whoever comes after this
/// time, and it began, by its identity, after the job did: what it took would be taken again and again.
pub(super) fn served_at(ended: &Result<Option<Record>>, began_at: Timestamp) -> Timestamp {
    let open = ended.as_ref().ok().and_then(Option::as_ref);
    let open = open.filter(|record| record.ended.is_none());
    open.map_or(began_at, |record| began_at.max(record.run.made_at()))
}

/// Why a notice reached nobody.
pub(super) fn undelivered(told: std::result::Result<(), String>) -> Option<String> {
    let reason = told.err()?;
    tracing::warn!(code = %Code::NoticeUndelivered, reason, "a notice reached nobody");
    Some(reason)
}

/// A panic as an error: it ended its own run, whose journal stays open for the next one.
pub(super) fn bug(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = "a run met a fault of Stopmark's own and broke off";
    Error::new(Code::Bug, message)
        .at("panic", text.unwrap_or("without words"))
        .hint("the service goes on, and the next run finishes this one; please report it")
}

/// Writes what a terminal would have shown into the log.
pub(super) fn log(text: &str, severity: Severity) {
    for line in text.lines() {
        match severity {
            Severity::Information => tracing::info!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Error => tracing::error!("{line}"),
        }
    }
}

/// One line for `systemctl status` and its like.
pub(super) fn status_line(seen: &Seen) -> String {
    if !seen.role.is_active() {
        return seen.role.words();
    }
    let words: Vec<&str> = seen.working.keys().map(|job| job.word()).collect();
    match (words.is_empty(), seen.turns.first()) {
        (false, _) => format!("at work: {}", words.join(", ")),
        (true, Some(turn)) => format!("next: {} at {}", turn.job.word(), turn.at),
        (true, None) => "nothing is due".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;
    use crate::plan::RunKind;
    use crate::run::events::Event;

    #[test]
    fn a_run_that_stays_open_is_not_done_again_for_the_same_time() {
        let job_began_at = Timestamp::from_millis(1_795_225_500_000);
        let begun_at = job_began_at.plus_millis(5_000);
        let millis = u64::try_from(begun_at.millis()).expect("after 1970");
        let run = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]);
        let began = Event::RunBegan {
            run: RunId(run.into_uuid()),
            group: "payments".parse().expect("a group"),
            kind: RunKind::Full,
            agent_version: String::new(),
            at: begun_at,
        };
        let mut record = Record::begin(&began).expect("it begins");
        let served = |record: &Record| served_at(&Ok(Some(record.clone())), job_began_at);
        assert_eq!(served(&record), begun_at);
        record.ended = Some((Verdict::Degraded, begun_at));
        assert_eq!(served(&record), job_began_at);
        assert_eq!(served_at(&Ok(None), job_began_at), job_began_at);
    }
}
