//! Notices by mail. Start at [`Mail`]. The password goes into the login and nowhere else.

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::ExposeSecret as _;

use crate::config::{MailConfig, MailTls};
use crate::world::{Notice, Notifier};

/// Sends mail through one server.
#[derive(Clone, Debug)]
pub struct Mail {
    config: MailConfig,
}

impl Mail {
    /// Mail as configured.
    #[must_use]
    pub const fn new(config: MailConfig) -> Self {
        Self { config }
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let config = &self.config;
        let builder = match config.tls {
            MailTls::StartTls => {
                AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&config.server)
            }
            MailTls::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(&config.server),
            MailTls::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(
                &config.server,
            )),
        };
        let mut builder = builder.map_err(|error| said(&error))?.port(config.port);
        if let Some((user, password)) = &config.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user.clone(), password));
        }
        Ok(builder.build())
    }

    fn message(&self, notice: &Notice) -> Result<Message, String> {
        let mailbox = |text: &String| text.parse::<Mailbox>().map_err(|error| error.to_string());
        let mut message = Message::builder()
            .from(mailbox(&self.config.from)?)
            .subject(&notice.title);
        for to in &self.config.to {
            message = message.to(mailbox(to)?);
        }
        let message = message.body(format!("{}\n", notice.body));
        message.map_err(|error| error.to_string())
    }
}

fn said(error: &lettre::transport::smtp::Error) -> String {
    format!("the mail server: {error}")
}

#[async_trait]
impl Notifier for Mail {
    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let message = self.message(notice)?;
        let sent = self.transport()?.send(message).await;
        sent.map(|_| ()).map_err(|error| said(&error))
    }
}
