//! The one integration-test binary: `cargo test --test it`.
//!
//! Everything here needs cargo and a C compiler only. What needs foreign programs is in `tests/foreign`.

mod bad_input;
mod bank;
mod clock_time;
#[path = "../conformance/store.rs"]
mod conformance;
mod damage;
mod fleet_backups;
mod fleet_biztalk;
mod fleet_hosts;
mod fleet_links;
mod fleet_marks;
mod fleet_survey;
mod flow;
mod hostile_names;
mod kill;
mod printing;
mod saga;
mod saga_kinds;
mod saga_story;
mod scrub;
mod secrets;
mod stage;
mod stores;
mod strike;
mod tidy;
