//! Retention against its own promises: histories that a hand can check, and random ones against brute force.

mod away;
mod brute_force;
mod history;
mod rules;
