//! The Windows event log: where an administrator looks first when a service does not start.
//!
//! Start at [`EventLog`], a place for log lines, and [`EventLog::write`], for what is said before there is a log.
//! Warnings and errors go there; what went well is in the log files, and starts and stops are told by Windows.

#![expect(
    unsafe_code,
    reason = "no safe crate for the event log is kept up; the three calls stand in one function"
)]

use std::io;
use std::ptr;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};

use super::NAME;
use crate::model::Severity;

/// An entry may have 31,839 characters (`ReportEventW`); the rest is in the log files.
const TEXT_UNITS_MAX: usize = 30_000;

/// What a failed command is made of reaches the event log as one entry, from whoever ends the service; the lines that
/// the command line logs of it would be entries of their own.
const SAID_ELSEWHERE: &str = "stopmark::cli";

/// The log `Application`, with [`NAME`] as the source.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventLog;

/// A line of the log on its way; one without severity goes nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Entry(Option<Severity>);

impl EventLog {
    /// Writes an entry.
    ///
    /// # Errors
    /// What the event log's service says: it is stopped, or its log is full.
    pub fn write(severity: Severity, text: &str) -> io::Result<()> {
        let (kind, id) = kind_and_id(severity);
        let source = wide(NAME);
        let text = wide(text);
        let texts = [text.as_ptr()];
        // SAFETY: every pointer is to text that ends with NUL and lives to the end of this block, `texts` has the one
        // element that is announced, and the handle is closed once, after its last use.
        unsafe {
            let log = RegisterEventSourceW(ptr::null(), source.as_ptr());
            if log.is_null() {
                return Err(io::Error::last_os_error());
            }
            let nobody = ptr::null_mut();
            let done = ReportEventW(log, kind, 0, id, nobody, 1, 0, texts.as_ptr(), ptr::null());
            let written = if done == 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            };
            DeregisterEventSource(log);
            written
        }
    }
}

impl<'a> MakeWriter<'a> for EventLog {
    type Writer = Entry;

    fn make_writer(&'a self) -> Entry {
        Entry(Some(Severity::Information))
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Entry {
        Entry(severity(*meta.level(), meta.target()))
    }
}

impl io::Write for Entry {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(severity) = self.0 {
            EventLog::write(severity, String::from_utf8_lossy(line).trim_end())?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn severity(level: Level, target: &str) -> Option<Severity> {
    match level {
        _ if target == SAID_ELSEWHERE => None,
        Level::ERROR => Some(Severity::Error),
        Level::WARN => Some(Severity::Warning),
        _ => None,
    }
}

/// The identities are those that the source's message file knows, and what alarms can be made for.
const fn kind_and_id(severity: Severity) -> (u16, u32) {
    match severity {
        Severity::Information => (EVENTLOG_INFORMATION_TYPE, 1),
        Severity::Warning => (EVENTLOG_WARNING_TYPE, 2),
        Severity::Error => (EVENTLOG_ERROR_TYPE, 3),
    }
}

/// The text as Windows takes it. A NUL would end it early.
fn wide(text: &str) -> Vec<u16> {
    let units = text.encode_utf16().filter(|unit| *unit != 0);
    units.take(TEXT_UNITS_MAX).chain([0]).collect()
}
