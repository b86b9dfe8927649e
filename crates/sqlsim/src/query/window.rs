//! `ROW_NUMBER()`.
//!
//! Start at [`number`].

use std::collections::HashMap;

use super::aggregate::order_values;
use super::bind::BoundWindow;
use super::bound::Frame;
use super::core::Line;
use super::eval;
use super::names::Names;
use crate::error::SqlResult;
use crate::value::compare::{Key, key};
use crate::value::{Row, Value};

/// Gives every line its number within its partition.
pub(super) fn number(
    lines: &mut [Line<'_>],
    window: &BoundWindow,
    names: &dyn Names,
    parent: Option<&Frame<'_>>,
) -> SqlResult<()> {
    let mut keyed = Vec::with_capacity(lines.len());
    for (place, line) in lines.iter().enumerate() {
        let frame = line.frame(parent);
        let partition: SqlResult<Vec<Key>> = window
            .partition_by
            .iter()
            .map(|bound| Ok(key(&eval::value(bound, names, &frame)?)))
            .collect();
        let order: SqlResult<Row> = window
            .order_by
            .iter()
            .map(|(bound, _)| eval::value(bound, names, &frame))
            .collect();
        keyed.push((partition?, order?, place));
    }
    keyed.sort_by(|(_, a, _), (_, b, _)| {
        order_values(
            a,
            b,
            window.order_by.iter().map(|(_, descending)| *descending),
        )
    });
    let mut counts: HashMap<Vec<Key>, i64> = HashMap::new();
    for (partition, _, place) in keyed {
        let count = counts.entry(partition).or_insert(0);
        *count += 1;
        lines[place].windows.push(Value::Int(*count));
    }
    Ok(())
}
