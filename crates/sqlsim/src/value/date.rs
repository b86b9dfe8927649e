//! Dates and times as text, and back.
//!
//! Start at [`parse`] and [`format`].
