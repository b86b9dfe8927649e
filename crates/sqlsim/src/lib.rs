//! sqlsim
#![forbid(unsafe_code)]

pub mod backup;
pub mod error;
pub mod lang;
pub mod messages;
pub mod query;
pub mod storage;
pub mod value;
