#![doc = include_str!("ARCHITECTURE.md")]

pub mod catalog;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod model;
pub mod notify;
pub mod plan;
pub mod report;
pub mod run;
pub mod sql;
pub mod store;
pub mod survey;
pub mod verify;
pub mod world;
