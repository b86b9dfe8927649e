//! systemd as the manager: `Type=notify`, its watchdog, and the line that `systemctl status` shows.
//!
//! Where nobody set `NOTIFY_SOCKET`, every call is silence.

use sd_notify::NotifyState;

use super::work::Manager;

/// Tells systemd how the service stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Systemd;

/// A manager that does not hear is no reason to stop working.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not hear");
    }
}

impl Manager for Systemd {
    fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    fn alive(&self, status: &str) {
        tell(&[NotifyState::Watchdog, NotifyState::Status(status)]);
    }

    fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}
