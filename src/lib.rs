#![doc = include_str!("ARCHITECTURE.md")]

pub mod catalog;
pub mod config;
pub mod error;
pub mod model;
pub mod plan;
pub mod run;
pub mod survey;
pub mod verify;
pub mod world;
