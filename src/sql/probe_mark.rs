//! Tries a mark out: the same batch as a mark's, but for its end and the clock beside it.
//!
//! Start at [`probe_mark`]. Times are the management host's own, so that no network is in them.

use super::every::Sample;
use super::mark::{self, joining_sql};
use super::statement::Batch;
use super::{SqlFleet, rows};
use crate::config::MarkLogKind;
use crate::error::Result;
use crate::plan::ProbeMark;
use crate::run::events::MarkCost;

/// Begins the mark, lets every member join, and commits it or rolls it back.
pub(super) async fn probe_mark(fleet: &SqlFleet, step: &ProbeMark) -> Result<MarkCost> {
    let answer = mark::under_lock(fleet, &step.place, &probe_sql(step)).await?;
    let read = || {
        let row = rows::only(&answer)?;
        Ok(MarkCost {
            joined_us: row.long("joined_us")?,
            ended_us: row.long("ended_us")?,
        })
    };
    read().map_err(|fault| mark::mark_error(fault, &step.place))
}

fn probe_sql(step: &ProbeMark) -> Batch {
    let end = if step.commits {
        "COMMIT TRANSACTION;"
    } else {
        "ROLLBACK TRANSACTION;"
    };
    Batch::plain(format!(
        "DECLARE @began datetime2(7) = SYSUTCDATETIME();\n\
         DECLARE @joined datetime2(7);\n\
         {}\
         SET @joined = SYSUTCDATETIME();\n\
         {end}\n\
         SELECT CAST(@@TRANCOUNT AS int) AS open_transactions,\n    \
         DATEDIFF_BIG(microsecond, @began, @joined) AS joined_us,\n    \
         DATEDIFF_BIG(microsecond, @joined, SYSUTCDATETIME()) AS ended_us;",
        joining_sql(&step.place)
    ))
}

/// The texts of this file.
pub(super) fn statements(sample: &Sample) -> Vec<(&'static str, Batch)> {
    let place = mark::step(sample, MarkLogKind::Stopmark, true, true);
    let probe = |commits| {
        let place = place.clone();
        probe_sql(&ProbeMark { place, commits })
    };
    vec![
        ("probe_mark.roll_back", probe(false)),
        ("probe_mark.commit", probe(true)),
    ]
}
