//! The one integration-test binary: `cargo test --test it`.
//!
//! Everything here needs cargo and a C compiler only. What needs foreign programs is in `tests/foreign`.

mod adopt;
mod adopt_bucket;
mod agent_seeds;
mod agent_stories;
mod agreement;
mod bad_input;
mod bank;
mod biztalk_group;
mod biztalk_stage;
mod book;
mod bucket;
mod chain_stories;
mod clock_time;
#[path = "../conformance/store.rs"]
mod conformance;
mod damage;
mod disagreements;
mod drill;
mod failover;
mod fan_out;
mod fate;
mod fleet_backups;
mod fleet_biztalk;
mod fleet_hosts;
mod fleet_links;
mod fleet_marks;
mod fleet_survey;
mod flow;
mod hostile_names;
mod inspect;
mod inspect_corpus;
mod inspect_places;
mod kill;
mod leaping;
mod link_check;
mod link_trial;
mod log_shipping;
#[path = "../../crates/mtf/tests/it/common.rs"]
#[expect(dead_code, reason = "made for the tests of `mtf`, which use all of it")]
mod made;
mod milink;
mod packages;
mod points;
mod printing;
mod prune;
mod publishing;
mod quarantine;
mod rebuild;
mod replicas;
mod reported;
mod restore;
mod restore_beside;
mod restore_faults;
mod rivals;
mod saga;
mod saga_kinds;
mod saga_story;
mod saga_twice;
mod script;
mod scrub;
mod sealed;
mod secrets;
mod seeding;
mod service;
mod service_agents;
mod service_hosts;
mod service_notices;
mod service_page;
mod service_rooms;
#[cfg(unix)]
mod service_signals;
mod set_states;
mod setting_up;
mod several_stores;
mod shelf;
mod stage;
mod store_away;
mod store_options;
mod stores;
mod storms;
mod strike;
mod strike_biztalk;
mod strike_share;
mod tidy;
