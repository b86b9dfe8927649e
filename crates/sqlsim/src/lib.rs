//! sqlsim
#![forbid(unsafe_code)]

pub mod availability;
pub mod backup;
pub mod biztalk;
pub mod catalog;
pub mod certificate;
pub mod clock;
pub mod dtc;
pub mod error;
pub mod faults;
pub mod instance;
pub mod lang;
pub mod link;
pub mod messages;
pub mod msdb;
pub mod proc;
pub mod query;
pub mod server;
pub mod session;
pub mod storage;
pub mod value;
pub mod wire;
