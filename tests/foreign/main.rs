//! Tests that need programs which nobody here wrote: `tests/foreign/run.sh` installs them, starts the servers,
//! and calls this.
//!
//! A test that misses its program or its server fails; none is skipped.

mod age;
mod clients;
#[path = "../conformance/store.rs"]
mod conformance;
mod hosts;
mod service;
mod stores;
mod tsql;
