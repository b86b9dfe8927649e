//! The log of the system as a place for notices: syslog, which systemd's journal hears too; on Windows the event log.
//!
//! Start at [`SystemLog`]. A service's own log lines go to the journal or the event log anyway; this is for what people
//! are told, once for each trouble and its end, so that who watches those logs need not count lines.

use async_trait::async_trait;

use crate::model::Severity;
use crate::world::{Notice, Notifier};

/// Writes notices to the log of the system.
#[cfg(unix)]
#[derive(Clone, Debug)]
pub struct SystemLog {
    socket: std::path::PathBuf,
}

/// Writes notices to the log of the system.
#[cfg(windows)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLog;

#[cfg(unix)]
impl Default for SystemLog {
    fn default() -> Self {
        Self::at("/dev/log".into())
    }
}

#[cfg(unix)]
impl SystemLog {
    /// The one that listens at this socket.
    #[must_use]
    pub const fn at(socket: std::path::PathBuf) -> Self {
        Self { socket }
    }

    fn write(&self, severity: Severity, text: &str) -> std::io::Result<()> {
        let socket = std::os::unix::net::UnixDatagram::unbound()?;
        // One that nobody empties must not hold the service up.
        socket.set_nonblocking(true)?;
        let line = syslog_line(severity, std::process::id(), text);
        socket.send_to(line.as_bytes(), &self.socket).map(|_| ())
    }
}

#[cfg(windows)]
impl SystemLog {
    #[expect(clippy::unused_self, reason = "other systems' logs have a place")]
    fn write(self, severity: Severity, text: &str) -> std::io::Result<()> {
        super::windows::EventLog::write(severity, text)
    }
}

#[async_trait]
impl Notifier for SystemLog {
    async fn tell(&self, notice: &Notice) -> Result<(), String> {
        let severity = if notice.is_bad {
            notice.severity
        } else {
            Severity::Information
        };
        let text = format!("{}\n{}", notice.title, notice.body);
        let written = self.write(severity, text.trim_end());
        written.map_err(|error| format!("the log of the system: {error}"))
    }
}

/// A line as local programs write it (RFC 3164; time and host are for whoever takes it), from a daemon.
#[cfg(unix)]
fn syslog_line(severity: Severity, process: u32, text: &str) -> String {
    const DAEMON: u8 = 3;
    let level = match severity {
        Severity::Error => 3,
        Severity::Warning => 4,
        Severity::Information => 6,
    };
    let text = text.lines().collect::<Vec<_>>().join("; ");
    format!("<{}>stopmark[{process}]: {text}", DAEMON * 8 + level)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[tokio::test]
    async fn a_notice_is_one_line_with_its_severity_and_its_end_is_information() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let log = SystemLog::at(path.clone());
        let mut notice = Notice {
            title: "Stopmark: log of pay needs a look".to_owned(),
            body: "SM0201: silent\n3 times".to_owned(),
            is_bad: true,
            severity: Severity::Error,
        };
        let reason = log.tell(&notice).await.expect_err("nobody listens");
        assert!(reason.starts_with("the log of the system: "), "{reason}");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let mut buffer = [0; 512];
        let mut heard = || {
            let length = socket.recv(&mut buffer).expect("a line");
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        let process = std::process::id();
        assert_eq!(log.tell(&notice).await, Ok(()));
        let text = "Stopmark: log of pay needs a look; SM0201: silent; 3 times";
        assert_eq!(heard(), format!("<27>stopmark[{process}]: {text}"));
        notice.is_bad = false;
        assert_eq!(log.tell(&notice).await, Ok(()));
        assert!(heard().starts_with("<30>"));
    }
}
