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

use crate::config::{NotifyConfig, Wants};
use crate::model::Severity;
use crate::world::{Notice, Notifier};

/// Shows notices on the desktop, where there is one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Desktop;

/// Tells nobody: for tests and services.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

/// Tells everybody whom a configuration names, each what it wants to hear.
pub struct Everyone {
    told: Vec<Told>,
}

/// One way of telling.
struct Told {
    way: &'static str,
    notifier: Box<dyn Notifier>,
    wants: Wants,
    /// Nobody counts on it: a desktop is there or not.
    is_extra: bool,
}

impl Everyone {
    /// Those whom the configuration names; the log of the system is for [`Self::and`].
    #[must_use]
    pub fn of(config: &NotifyConfig) -> Self {
        let mut everyone = Self { told: Vec::new() };
        if let Some(mail) = &config.mail {
            everyone.add("mail", mail::Mail::new(mail.clone()), mail.wants);
        }
        for webhook in &config.webhooks {
            let wants = webhook.wants;
            everyone.add("webhook", http::Webhook::new(webhook.clone()), wants);
        }
        if let Some(url) = &config.heartbeat {
            let heartbeat = http::Heartbeat::new(url.clone());
            everyone.add("heartbeat", heartbeat, Wants::default());
        }
        if let Some(from) = config.desktop {
            everyone.told.push(Told {
                way: "desktop",
                notifier: Box::new(Desktop),
                wants: Wants::from(from),
                is_extra: true,
            });
        }
        everyone
    }

    /// And this one, from a severity on.
    #[must_use]
    pub fn and(
        mut self,
        way: &'static str,
        notifier: impl Notifier + 'static,
        from: Severity,
    ) -> Self {
        self.add(way, notifier, Wants::from(from));
        self
    }

    fn add(&mut self, way: &'static str, notifier: impl Notifier + 'static, wants: Wants) {
        self.told.push(Told {
            way,
            notifier: Box::new(notifier),
            wants,
            is_extra: false,
        });
    }

    /// Tries every way, whatever it wants to hear; what each is, and why it failed.
    pub async fn try_all(&self, notice: &Notice) -> Vec<(&'static str, Result<(), String>)> {
        let mut tried = Vec::new();
        for told in &self.told {
            let ended = match told.notifier.tell(notice).await {
                Ok(()) => told.notifier.beat().await,
                failed => failed,
            };
            tried.push((told.way, ended));
        }
        tried
    }
}

impl Told {
    fn wants(&self, notice: &Notice) -> bool {
        notice.severity >= self.wants.min_severity && (notice.is_bad || !self.wants.only_bad)
    }

    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        match self.notifier.tell(notice).await {
            Err(reason) if self.is_extra => {
                tracing::debug!(way = self.way, reason, "no notice was shown");
                Ok(())
            }
            told => told,
        }
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
        let those = self.told.iter().filter(|it| it.wants(notice));
        let told = those.map(|it| it.tell(notice));
        reasons(futures::future::join_all(told).await)
    }

    async fn beat(&self) -> Result<(), String> {
        let told = self.told.iter().map(|it| it.notifier.beat());
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Hears what it is told.
    #[derive(Clone, Default)]
    struct Ear(Arc<Mutex<Vec<String>>>);

    #[async_trait]
    impl Notifier for Ear {
        async fn tell(&self, notice: &Notice) -> Result<(), String> {
            let mut heard = self.0.lock().expect("nobody panics with it");
            heard.push(notice.title.clone());
            Ok(())
        }
    }

    fn notice(title: &str, severity: Severity, is_bad: bool) -> Notice {
        Notice {
            title: title.to_owned(),
            body: String::new(),
            is_bad,
            severity,
        }
    }

    #[tokio::test]
    async fn each_hears_what_it_wants_to() {
        let (all, grave, bad) = (Ear::default(), Ear::default(), Ear::default());
        let mut everyone = Everyone { told: Vec::new() }
            .and("all", all.clone(), Severity::Information)
            .and("grave", grave.clone(), Severity::Error);
        let wants = Wants {
            min_severity: Severity::Warning,
            only_bad: true,
        };
        everyone.add("bad", bad.clone(), wants);
        for (title, severity, is_bad) in [
            ("failed", Severity::Error, true),
            ("well", Severity::Error, false),
            ("in part", Severity::Warning, true),
            ("better", Severity::Warning, false),
            ("done", Severity::Information, false),
        ] {
            let told = everyone.tell(&notice(title, severity, is_bad)).await;
            assert_eq!(told, Ok(()));
        }
        let heard = |ear: &Ear| ear.0.lock().expect("nobody panics with it").join(", ");
        assert_eq!(heard(&all), "failed, well, in part, better, done");
        assert_eq!(heard(&grave), "failed, well");
        assert_eq!(heard(&bad), "failed, in part");
    }

    #[tokio::test]
    async fn a_desktop_that_is_not_there_is_no_failure_of_a_service() {
        let config = NotifyConfig {
            desktop: Some(Severity::Information),
            ..NotifyConfig::default()
        };
        let told = Everyone::of(&config)
            .tell(&notice("x", Severity::Error, true))
            .await;
        assert_eq!(told, Ok(()));
    }
}
