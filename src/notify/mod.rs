//! Notices to people: the desktop of whoever started a run; mail, webhooks and a heartbeat from a service.
//!
//! Start at [`Desktop`] and at [`Everyone`]; what is told and what is not is for [`telling`].
//!
//! A notice that cannot be shown is a warning in the record, never an error of a run; on a
//! machine without a desktop it is silence.

pub mod http;
pub mod mail;
pub mod telling;

use async_trait::async_trait;

use crate::config::NotifyConfig;
use crate::world::{Notice, Notifier};

/// Shows notices on the desktop, where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desktop;

/// Tells nobody: for tests and services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

/// Tells everybody whom a configuration names.
pub struct Everyone {
    named: Vec<(&'static str, Box<dyn Notifier>)>,
}

impl Everyone {
    /// Those whom the configuration names.
    #[must_use]
    pub fn of(config: &NotifyConfig) -> Self {
        let mut named: Vec<(&'static str, Box<dyn Notifier>)> = Vec::new();
        if let Some(mail) = &config.mail {
            named.push(("mail", Box::new(mail::Mail::new(mail.clone()))));
        }
        for webhook in &config.webhooks {
            named.push(("webhook", Box::new(http::Webhook::new(webhook.clone()))));
        }
        if let Some(url) = &config.heartbeat {
            named.push(("heartbeat", Box::new(http::Heartbeat::new(url.clone()))));
        }
        Self { named }
    }

    /// Tries every way; what each is, and why it failed.
    pub async fn try_all(&self, notice: &Notice) -> Vec<(&'static str, Result<(), String>)> {
        let mut tried = Vec::new();
        for (name, notifier) in &self.named {
            let told = notifier.tell(notice).await;
            let told = match told {
                Ok(()) => notifier.beat().await,
                failed => failed,
            };
            tried.push((*name, told));
        }
        tried
    }
}

/// Every reason, or none.
fn reasons(told: Vec<Result<(), String>>) -> Result<(), String> {
    let reasons: Vec<String> = told.into_iter().filter_map(Result::err).collect();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(reasons.join("; "))
}

#[async_trait]
impl Notifier for Everyone {
    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let told = self.named.iter().map(|(_, it)| it.tell(notice));
        reasons(futures::future::join_all(told).await)
    }

    async fn beat(&self) -> Result<(), String> {
        let told = self.named.iter().map(|(_, it)| it.beat());
        reasons(futures::future::join_all(told).await)
    }
}

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
