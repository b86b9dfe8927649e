//! Notices by HTTP: webhooks of anybody, Teams and Slack, and the heartbeat.
//!
//! Start at [`Webhook`]. An address may be a secret: it is in no error and no log line. The client is the one that
//! the object stores use too.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::config::{WebhookConfig, WebhookKind};
use crate::world::{Notice, Notifier};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Calls one address.
#[derive(Clone, Debug)]
pub struct Webhook {
    config: WebhookConfig,
}

/// Fetches one address when all is well.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    url: SecretString,
}

impl Webhook {
    /// A webhook as configured.
    #[must_use]
    pub const fn new(config: WebhookConfig) -> Self {
        Self { config }
    }
}

impl Heartbeat {
    /// A heartbeat to this address.
    #[must_use]
    pub const fn new(url: SecretString) -> Self {
        Self { url }
    }
}

#[async_trait]
impl Notifier for Webhook {
    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let body = body(self.config.kind, notice).to_string();
        let request = client()?
            .post(self.config.url.expose_secret())
            .header("content-type", "application/json")
            .body(body);
        send(request, "the webhook").await
    }
}

#[async_trait]
impl Notifier for Heartbeat {
    async fn tell(&self, _notice: &Notice) -> Result<(), String> {
        Ok(())
    }

    async fn beat(&self) -> Result<(), String> {
        let request = client()?.get(self.url.expose_secret());
        send(request, "the heartbeat").await
    }
}

fn client() -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build();
    client.map_err(|error| error.without_url().to_string())
}

async fn send(request: reqwest::RequestBuilder, what: &str) -> Result<(), String> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| format!("{what}: {}", words(&error.without_url())))?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(format!("{what} answers {}", answer.status()))
}

/// The error and what is beneath it: "error sending request" alone says nothing.
fn words(error: &dyn std::error::Error) -> String {
    let beneath = std::iter::successors(error.source(), |error| error.source());
    let texts = std::iter::once(error.to_string()).chain(beneath.map(ToString::to_string));
    texts.collect::<Vec<_>>().join(": ")
}

/// What is sent, as each kind of listener wants it.
fn body(kind: WebhookKind, notice: &Notice) -> Value {
    let (title, text) = (&notice.title, &notice.body);
    match kind {
        WebhookKind::Generic => json!({
            "source": "stopmark",
            "severity": notice.severity.word(),
            "is_bad": notice.is_bad,
            "title": title,
            "body": text,
        }),
        // Slack takes three characters for its own: https://docs.slack.dev/messaging/formatting-message-text
        WebhookKind::Slack => {
            let text = format!("{title}\n{text}");
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            json!({ "text": text.replace('>', "&gt;") })
        }
        WebhookKind::Teams => json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "content": {
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [
                        { "type": "TextBlock", "text": title, "weight": "Bolder", "wrap": true },
                        { "type": "TextBlock", "text": text, "wrap": true },
                    ],
                },
            }],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;

    #[test]
    fn each_listener_gets_what_it_understands() {
        let notice = Notice {
            title: "log <needs> a look".to_owned(),
            body: "SM0201".to_owned(),
            is_bad: true,
            severity: Severity::Warning,
        };
        let generic = body(WebhookKind::Generic, &notice);
        assert_eq!(
            (&generic["severity"], &generic["body"]),
            (&json!("warning"), &json!("SM0201"))
        );
        let slack = body(WebhookKind::Slack, &notice);
        assert_eq!(slack["text"], "log &lt;needs&gt; a look\nSM0201");
        let teams = body(WebhookKind::Teams, &notice);
        let card = &teams["attachments"][0]["content"];
        assert_eq!(card["body"][0]["text"], "log <needs> a look");
    }
}
