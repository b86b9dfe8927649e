//! The service: the schedule's work begun by itself, run beside each other where that is allowed, seen and told.
//!
//! Start at [`keeper::serve`], and at [`due`] for what is due and why. Due work is computed from schedule, ledger
//! and journals at every look; a service that was away for a week knows as much as one that was not.
//!
//! Between runs the service looks at the hosts' room ([`alarm`]) and at the members' chains ([`watch`]).
//!
//! This room decides nothing about backups: it begins the runs that the commands begin too.

pub mod alarm;
pub mod due;
mod ends;
pub mod keeper;
mod kept;
pub mod ledger;
pub mod live;
pub mod lock;
pub mod outlook;
pub mod past;
pub mod published;
pub mod seen;
pub mod system_log;
#[cfg(unix)]
pub mod systemd;
pub mod watch;
#[cfg(windows)]
pub mod windows;
pub mod work;

pub use keeper::{Ask, Parts, serve};
pub use seen::{Role, Seen};
pub use system_log::SystemLog;
pub use work::{Deeds, House, Manager, Opened, Runs, Scene, Unwatched};
