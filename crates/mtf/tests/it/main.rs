//! The crate from outside: what its writer writes, its reader reads; what is damaged, it finds.
//!
//! Start at [`common`], which makes small media. Real media are tried in `corpus.rs`.
//!
//! These tests never touch a disk.

mod common;
mod damage;
mod hostile;
mod packed;
mod pages;
mod round_trip;
mod stripes;
