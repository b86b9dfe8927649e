//! sqlsim
#![forbid(unsafe_code)]

pub mod certificate;
pub mod error;
pub mod lang;
pub mod messages;
pub mod query;
pub mod server;
pub mod value;
pub mod wire;
