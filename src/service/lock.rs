//! Locks on the state folder: one service at a time, and one command or run of a service that acts. The operating
//! system frees the lock of a dead process.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::error::{Code, Error, Result};

/// Held while somebody acts.
#[derive(Debug)]
pub struct Held {
    _file: File,
}

/// The right to act with this state folder.
///
/// # Errors
/// `SM0904` while somebody else has it.
pub fn acting(state: &Path) -> Result<Held> {
    let busy = || {
        Error::new(
            Code::RunBusy,
            "another stopmark is at work with this state folder",
        )
        .hint("wait for it to end; a schedule or a service may have started it")
    };
    hold(state, "lock", busy)
}

/// The right to be the service of this state folder.
///
/// # Errors
/// `SM0905` while another service has it.
pub fn serving(state: &Path) -> Result<Held> {
    let busy = || {
        Error::new(
            Code::ServiceTwice,
            "another stopmark service uses this state folder",
        )
        .hint("stop it, or give each service a configuration with a `[paths] state` of its own")
    };
    fs::create_dir_all(state).map_err(|error| unwritable(state, error))?;
    hold(state, "service.lock", busy)
}

fn hold(state: &Path, name: &str, busy: impl FnOnce() -> Error) -> Result<Held> {
    let path = state.join(name);
    let file = File::create(&path).map_err(|error| unwritable(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Held { _file: file }),
        Err(TryLockError::WouldBlock) => Err(busy().at("folder", state.display())),
        Err(TryLockError::Error(error)) => Err(unwritable(&path, error)),
    }
}

/// A state folder that cannot be used.
#[must_use]
pub fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(Code::StateUnwritable, "the state folder cannot be used")
        .at("file", path.display())
        .hint("set `[paths] state`, or give the agent's account the right to write there")
        .source(error)
}
