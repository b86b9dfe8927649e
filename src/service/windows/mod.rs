//! Windows as the manager: the service control manager, the event log, and the service made and removed.
//!
//! Start at [`scm`] for the service at work and at [`install`] for what an administrator does once. The loop is the
//! same as everywhere; nothing here decides what it does.

mod event_log;
pub mod install;
pub mod scm;

pub use event_log::EventLog;
pub use scm::Scm;

/// The service's name, and that of its source in the event log.
pub const NAME: &str = "Stopmark";
