//! How the service is seen, what it looks at and whom it tells: `[service]`, `[page]`, `[alarms]` and `[notify]`,
//! once they are checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;

use super::jobs::DayWindow;
use crate::model::Severity;

/// Where the status page is when the file does not say: this machine only.
const PAGE_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7475);

/// How the service runs, is seen, and whom it tells.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// How long a stop waits for the steps that are running.
    pub stop_within: Duration,
    /// Log files are JSON, a line an event; else text.
    pub log_json: bool,
    /// Log files are kept this many days.
    pub log_days: u16,
    /// The status page and the metrics.
    pub page: PageConfig,
    /// Other agents serve the group too: the one that holds the lease works, the others stand by.
    pub several_agents: bool,
    /// How often the service looks at the members' chains between runs; none: it does not.
    pub watch_every: Option<Duration>,
    /// What the service looks at between runs.
    pub alarms: AlarmsConfig,
    /// The people to be told.
    pub notify: NotifyConfig,
}

/// When the room that hosts have left is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmsConfig {
    /// How often the service looks; none: it does not.
    pub every: Option<Duration>,
    /// How full a member's log may become, in per cent of what it may grow to; 0: as full as it likes.
    pub log_used_percent: u8,
    /// How much must be free where members have their files, in bytes.
    pub disk_free_bytes: u64,
}

/// The status page.
#[derive(Clone, Debug)]
pub struct PageConfig {
    /// Where it listens; none: there is none.
    pub listen: Option<SocketAddr>,
    /// What a visitor must show; always set where the page is not on loopback.
    pub token: Option<SecretString>,
}

/// The people to be told.
#[derive(Clone, Debug)]
pub struct NotifyConfig {
    /// By mail.
    pub mail: Option<MailConfig>,
    /// By HTTP.
    pub webhooks: Vec<WebhookConfig>,
    /// On the desktop of whoever runs the service, from this severity on; none: never.
    pub desktop: Option<Severity>,
    /// In the log of the system, from this severity on: syslog or the journal, on Windows the event log; none: never.
    pub system_log: Option<Severity>,
    /// A URL that is fetched after each good run of logs: who watches it notices silence.
    pub heartbeat: Option<SecretString>,
    /// Hours in which only what is new and bad is told, in local time; the end of trouble is told when they are over.
    pub quiet: Option<DayWindow>,
    /// How long the same trouble is not told again.
    pub repeat_after: Duration,
}

/// What somebody wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Nothing below this.
    pub min_severity: Severity,
    /// Only trouble, not its end.
    pub only_bad: bool,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The server's name.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who sends.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// The login; none where the server wants none.
    pub login: Option<(String, SecretString)>,
    /// What is told there.
    pub wants: Wants,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// In the clear first, then TLS or nothing.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// In the clear: for a relay on this machine.
    None,
}

/// One address that is called.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// The address, which often is a secret itself.
    pub url: SecretString,
    /// Who listens there.
    pub kind: WebhookKind,
    /// What is told there.
    pub wants: Wants,
}

/// Who listens at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookKind {
    /// Anybody: a small JSON object.
    Generic,
    /// A workflow of Microsoft Teams.
    Teams,
    /// Slack, or who speaks as it does.
    Slack,
}

impl Wants {
    /// Everything from a severity on, its end included.
    #[must_use]
    pub const fn from(min_severity: Severity) -> Self {
        Self {
            min_severity,
            only_bad: false,
        }
    }
}

impl Default for Wants {
    fn default() -> Self {
        Self::from(Severity::Information)
    }
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            stop_within: Duration::from_secs(5 * 60),
            log_json: false,
            log_days: 30,
            page: PageConfig::default(),
            several_agents: false,
            watch_every: Some(Duration::from_secs(5 * 60)),
            alarms: AlarmsConfig::default(),
            notify: NotifyConfig::default(),
        }
    }
}

impl Default for AlarmsConfig {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(5 * 60)),
            log_used_percent: 70,
            disk_free_bytes: 10 << 30,
        }
    }
}

impl Default for PageConfig {
    fn default() -> Self {
        Self {
            listen: Some(PAGE_DEFAULT),
            token: None,
        }
    }
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self {
            mail: None,
            webhooks: Vec::new(),
            desktop: None,
            system_log: None,
            heartbeat: None,
            quiet: None,
            repeat_after: Duration::from_secs(4 * 60 * 60),
        }
    }
}
