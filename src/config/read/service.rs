//! `[service]`, `[page]`, `[alarms]` and `[notify]`: how the service runs, is seen, what it looks at, and whom it
//! tells. Start at [`service`].

use std::net::SocketAddr;
use std::time::Duration;

use super::Surroundings;
use super::policy::{duration, section, small};
use super::schedule::window;
use super::transfer::size;
use crate::config::node::{Node, Table};
use crate::config::service::{
    AlarmsConfig, MailConfig, MailTls, NotifyConfig, PageConfig, ServiceConfig, Wants,
    WebhookConfig, WebhookKind,
};
use crate::error::Code;
use crate::model::Severity;

pub(super) const KEYS: &[&str] = &[
    "stop_within",
    "log_json",
    "log_days",
    "several_agents",
    "watch_every",
];
pub(super) const ALARMS_KEYS: &[&str] = &["every", "log_used", "disk_free"];
pub(super) const PAGE_KEYS: &[&str] = &["listen", "token"];
pub(super) const NOTIFY_KEYS: &[&str] = &[
    "mail",
    "webhooks",
    "desktop",
    "system_log",
    "heartbeat",
    "quiet",
    "repeat_after",
];
pub(super) const MAIL_KEYS: &[&str] = &[
    "server",
    "port",
    "tls",
    "from",
    "to",
    "user",
    "password",
    "min_severity",
    "only_bad",
];
pub(super) const WEBHOOK_KEYS: &[&str] = &["url", "kind", "min_severity", "only_bad"];

/// Ten years of days.
const LOG_DAYS_MAX: i64 = 3660;

const TLS: &[(&str, MailTls)] = &[
    ("starttls", MailTls::StartTls),
    ("tls", MailTls::Tls),
    ("none", MailTls::None),
];

const SEVERITIES: &[(&str, Severity)] = &[
    ("information", Severity::Information),
    ("warning", Severity::Warning),
    ("error", Severity::Error),
];

const KINDS: &[(&str, WebhookKind)] = &[
    ("generic", WebhookKind::Generic),
    ("teams", WebhookKind::Teams),
    ("slack", WebhookKind::Slack),
];

/// The four sections; a value with a fault keeps its default.
pub(super) fn service(root: &Table<'_>, around: &Surroundings<'_>) -> ServiceConfig {
    let mut service = ServiceConfig {
        page: page(root, around),
        alarms: alarms(root),
        notify: notify(root, around),
        ..ServiceConfig::default()
    };
    let Some(table) = section(root, "service", KEYS) else {
        return service;
    };
    let stop_within = table.optional("stop_within");
    if let Some(wait) = stop_within.and_then(|node| duration(&node)) {
        service.stop_within = wait;
    }
    if let Some(is_json) = table.optional("log_json").and_then(|node| node.boolean()) {
        service.log_json = is_json;
    }
    if let Some(days) = table.optional("log_days").and_then(|node| days(&node)) {
        service.log_days = days;
    }
    let several = table.optional("several_agents");
    if let Some(several) = several.and_then(|node| node.boolean()) {
        service.several_agents = several;
    }
    if let Some(node) = table.optional("watch_every") {
        service.watch_every = every(&node);
    }
    service
}

fn alarms(root: &Table<'_>) -> AlarmsConfig {
    let mut alarms = AlarmsConfig::default();
    let Some(table) = section(root, "alarms", ALARMS_KEYS) else {
        return alarms;
    };
    if let Some(node) = table.optional("every") {
        alarms.every = every(&node);
    }
    if let Some(used) = table.optional("log_used").and_then(|node| small(&node)) {
        alarms.log_used_percent = used;
    }
    if let Some(free) = table.optional("disk_free").and_then(|node| size(&node)) {
        alarms.disk_free_bytes = free;
    }
    alarms
}

/// How often, or `off`.
fn every(node: &Node<'_>) -> Option<Duration> {
    match node.string() {
        Some("off") | None => None,
        Some(_) => duration(node),
    }
}

fn days(node: &Node<'_>) -> Option<u16> {
    let days = node.integer()?;
    if !(1..=LOG_DAYS_MAX).contains(&days) {
        let message = format!("log files cannot be kept for {days} days");
        node.refuse(Code::ConfigValue, message, "write 1 to 3660");
        return None;
    }
    u16::try_from(days).ok()
}

fn page(root: &Table<'_>, around: &Surroundings<'_>) -> PageConfig {
    let mut page = PageConfig::default();
    let Some(table) = section(root, "page", PAGE_KEYS) else {
        return page;
    };
    let token = table.optional("token");
    page.token = token.as_ref().and_then(|node| around.secrets.read(node));
    if let Some(node) = table.optional("listen") {
        page.listen = match node.string() {
            Some("off") | None => None,
            Some(_) => node.parsed::<SocketAddr>("write an address and a port, or `off`"),
        };
        let is_open = page.listen.is_some_and(|at| !at.ip().is_loopback());
        if is_open && token.is_none() {
            let message = "whoever reaches this address would see the page";
            let hint = "set `token` too, or listen on 127.0.0.1";
            node.refuse(Code::ConfigValue, message, hint);
        }
    }
    page
}

fn notify(root: &Table<'_>, around: &Surroundings<'_>) -> NotifyConfig {
    let mut notify = NotifyConfig::default();
    let Some(table) = section(root, "notify", NOTIFY_KEYS) else {
        return notify;
    };
    let mail_node = table.optional("mail");
    notify.mail = mail_node.and_then(|node| mail(&node, around));
    let webhooks = table.optional("webhooks").and_then(|node| node.items());
    let webhooks = webhooks.unwrap_or_default();
    let read = |node: &Node<'_>| webhook(node, around);
    notify.webhooks = webhooks.iter().filter_map(read).collect();
    notify.desktop = from_severity(&table, "desktop");
    notify.system_log = from_severity(&table, "system_log");
    let heartbeat = table.optional("heartbeat");
    notify.heartbeat = heartbeat.and_then(|node| around.secrets.read(&node));
    notify.quiet = table.optional("quiet").and_then(|node| window(&node));
    let repeat = table.optional("repeat_after");
    if let Some(wait) = repeat.and_then(|node| duration(&node)) {
        notify.repeat_after = wait;
    }
    notify
}

/// A severity, or `off`, which is the default.
fn from_severity(table: &Table<'_>, key: &str) -> Option<Severity> {
    let node = table.optional(key)?;
    match node.string() {
        Some("off") | None => None,
        Some(_) => node.choice(SEVERITIES),
    }
}

/// What somebody wants to hear: everything where nothing is said.
fn wants(table: &Table<'_>) -> Wants {
    let severity = table.optional("min_severity");
    let severity = severity.and_then(|node| node.choice(SEVERITIES));
    let only_bad = table.optional("only_bad").and_then(|node| node.boolean());
    Wants {
        min_severity: severity.unwrap_or(Severity::Information),
        only_bad: only_bad.unwrap_or(false),
    }
}

fn mail(node: &Node<'_>, around: &Surroundings<'_>) -> Option<MailConfig> {
    let table = node.table(MAIL_KEYS)?;
    let tls = table.optional("tls").and_then(|node| node.choice(TLS));
    let tls = tls.unwrap_or(MailTls::StartTls);
    let port = match table.optional("port") {
        Some(node) => port(&node)?,
        None => usual_port(tls),
    };
    let server = table.required("server", "name the server that takes the mail");
    let from = table.required("from", "write the sender's address");
    let to = table.required("to", "write the addresses in an array");
    let password = table.optional("password");
    let password = password.and_then(|node| around.secrets.read(&node));
    let user = table.optional("user");
    let user = user.and_then(|node| node.filled().map(str::to_owned));
    Some(MailConfig {
        server: server?.filled()?.to_owned(),
        port,
        tls,
        from: address(&from?)?,
        to: to?.items()?.iter().filter_map(address).collect(),
        login: user.zip(password),
        wants: wants(&table),
    })
}

const fn usual_port(tls: MailTls) -> u16 {
    match tls {
        MailTls::StartTls => 587,
        MailTls::Tls => 465,
        MailTls::None => 25,
    }
}

fn port(node: &Node<'_>) -> Option<u16> {
    let port = u16::try_from(node.integer()?).ok().filter(|it| *it > 0);
    if port.is_none() {
        node.refuse(
            Code::ConfigValue,
            "there is no such port",
            "write 1 to 65535",
        );
    }
    port
}

/// An address as far as it can be told from its form.
fn address(node: &Node<'_>) -> Option<String> {
    let text = node.filled()?;
    let is_whole = text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace)
    });
    if !is_whole {
        let message = format!("`{text}` is not a mail address");
        node.refuse(Code::ConfigValue, message, "write `name@example.com`");
        return None;
    }
    Some(text.to_owned())
}

fn webhook(node: &Node<'_>, around: &Surroundings<'_>) -> Option<WebhookConfig> {
    let table = node.table(WEBHOOK_KEYS)?;
    let url = table.required("url", r#"write `{ env = "NAME" }` or `{ file = "PATH" }`"#)?;
    let kind = table.optional("kind").and_then(|node| node.choice(KINDS));
    Some(WebhookConfig {
        url: around.secrets.read(&url)?,
        kind: kind.unwrap_or(WebhookKind::Generic),
        wants: wants(&table),
    })
}
