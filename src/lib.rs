//! stopmark
