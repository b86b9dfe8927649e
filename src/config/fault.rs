//! Faults of a configuration while they are collected, and how they become errors with a place.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use crate::error::{Code, Error};

/// Where in the file something stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The path of keys, `hosts."PAY1\SQL".address`.
    pub(super) key: String,
    /// Bytes of the text; none for what is not there.
    pub(super) span: Option<Range<usize>>,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) place: Place,
    pub(super) hint: String,
}

/// All that is wrong so far. Shared by everything that reads one file.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        self.0.borrow_mut().push(fault);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// The faults as errors, in the order of the file; what has no place of its own comes first.
    pub(super) fn into_errors(self, file: &Path, text: &str) -> Vec<Error> {
        let mut faults = self.0.into_inner();
        faults.sort_by_key(|fault| fault.place.span.as_ref().map(|span| span.start));
        faults
            .into_iter()
            .map(|fault| error(fault, file, text))
            .collect()
    }
}

fn error(fault: Fault, file: &Path, text: &str) -> Error {
    let mut error = Error::new(fault.code, fault.message).at("file", file.display());
    if let Some(span) = fault.place.span {
        let (line, column) = position(text, span.start);
        error = error.at("line", line).at("column", column);
    }
    if !fault.place.key.is_empty() {
        error = error.at("key", fault.place.key);
    }
    error.hint(fault.hint)
}

/// Line and column of a byte, both from 1, the column in characters.
fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}
