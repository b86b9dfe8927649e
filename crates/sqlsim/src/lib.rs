//! A simulated SQL Server: real TDS in front; databases, transaction log, marks, backups and
//! two-phase commit behind.
//!
//! Start at [`Simulator`]. A host is a folder; it survives being killed at any moment. Its backups
//! are real media, its log sequence numbers rise as SQL Server's do, its linked servers are TDS
//! connections to other simulated hosts, and a marked transaction over several of them stands at
//! one moment on all. Errors have SQL Server's numbers, classes and words; what the simulator does
//! not know raises one of them, and never succeeds in silence.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use sqlsim::certificate::Authority;
//! use sqlsim::{InstanceOptions, Simulator};
//!
//! let folder = std::path::Path::new("host1");
//! let authority = Authority::open(&folder.join("authority"))?;
//! let options = InstanceOptions::new("HOST1");
//! let host = Simulator::start(folder, options, "127.0.0.1:0".parse()?, &authority).await?;
//! host.instance().create_login("sa", "Str0ng!", &["sysadmin"])?;
//! println!("sqlcmd -S {} -U sa -P Str0ng!", host.address());
//! host.stop().await?;
//! # Ok(())
//! # }
//! ```
//!
//! The rooms: `wire/` speaks TDS; `session/` runs statements, which `lang/` has parsed, and
//! `query/` computes what they select; `catalog/` tells tables from procedures; `storage/` and
//! `backup/` keep rows, log and media; `link/` and `dtc/` reach other hosts; `instance/` holds it
//! all together.
//!
//! It never opens a real SQL Server's files, never runs a query plan, and knows only the T-SQL that
//! backups, marks and their administration need.
#![forbid(unsafe_code)]

pub mod availability;
pub mod backup;
pub mod biztalk;
pub mod catalog;
pub mod certificate;
pub mod clock;
pub mod dtc;
pub mod error;
pub mod events;
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
mod simulator;
pub mod storage;
pub mod value;
pub mod wire;

pub use instance::{Instance, InstanceOptions, PathMap, Version};
pub use simulator::{Simulator, StartError};
