//! Tests that need programs which nobody here wrote: `tests/foreign/run.sh` installs them, starts the servers,
//! and calls this.
//!
//! A test that misses its program or its server fails; none is skipped.

mod age;
mod browser;
mod clients;
#[path = "../conformance/store.rs"]
mod conformance;
mod hosts;
#[path = "../it/leaping.rs"]
#[expect(dead_code, reason = "made for the tests of `it`, which use all of it")]
mod leaping;
mod milink;
mod page;
mod paper;
#[path = "../it/scrub.rs"]
mod scrub;
mod service;
#[path = "../it/stage.rs"]
#[expect(dead_code, reason = "made for the tests of `it`, which use all of it")]
mod stage;
mod state;
mod stores;
#[path = "../it/story.rs"]
#[expect(dead_code, reason = "made for the tests of `it`, which use all of it")]
mod story;
mod tsql;
mod windows;
