#![doc = include_str!("ARCHITECTURE.md")]

pub mod config;
pub mod error;
pub mod model;
pub mod plan;
pub mod run;
pub mod sql;
pub mod survey;
pub mod world;
