//! Notices to people. Today: the desktop of whoever started a run; mail and webhooks have room here.
//!
//! Start at [`Desktop`]. A notice that cannot be shown is a warning in the record, never an error of a run; on a
//! machine without a desktop it is silence.

use async_trait::async_trait;

use crate::world::{Notice, Notifier};

/// Shows notices on the desktop, where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desktop;

/// Tells nobody: for tests and services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait]
impl Notifier for Desktop {
    #[cfg(feature = "desktop")]
    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let mut shown = notify_rust::Notification::new();
        shown
            .appname("Stopmark")
            .summary(&notice.title)
            .body(&notice.body);
        // The library talks to the desktop's bus and waits for it, so it gets a thread of its own.
        let told = tokio::task::spawn_blocking(move || shown.show().map(|_| ())).await;
        match told {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg(not(feature = "desktop"))]
    async fn tell(&self, _notice: &Notice) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl Notifier for Silent {
    async fn tell(&self, _notice: &Notice) -> Result<(), String> {
        Ok(())
    }
}
