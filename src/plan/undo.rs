//! What it takes to make a step not have happened: nothing, another step, or more than there is.

use super::Step;

/// What it would take to make a step not have happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// It only read, or what it left is harmless and swept later.
    Nothing,
    /// A step that puts things back; safe to run twice.
    By(Box<Step>),
    /// It cannot be taken back.
    Never(Keep),
}

/// What must be remembered because of a step that cannot be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The mark stands in the logs whatever becomes of the run.
    Mark,
    /// The log was truncated: the piece is part of the chain.
    Piece,
    /// The set was published.
    Set,
    /// The database exists now.
    Database,
    /// The pieces are let go.
    Gap,
}
