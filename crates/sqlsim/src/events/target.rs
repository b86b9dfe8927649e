//! Targets: where event sessions keep what they hear.
//!
//! Start at [`Target`]. A ring buffer lives as long as its session runs; files stay.

use std::collections::VecDeque;
use std::path::PathBuf;

use jiff::Timestamp;

use super::file::FileTarget;
use super::occurrence::escaped;
use crate::error::{SqlError, SqlResult};
use crate::instance::Instance;
use crate::lang::ast::EventTarget;

/// One target of a running session.
#[derive(Debug)]
pub(super) struct Target {
    name: String,
    taken: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Ring(Ring),
    File(FileTarget),
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<String>,
    events_max: usize,
    bytes: usize,
    bytes_max: usize,
}

/// `max_events_limit` of a ring buffer that says nothing.
const EVENTS_MAX: usize = 1000;
/// `max_memory` of a ring buffer that says nothing, in KB.
const MEMORY_KB_MAX: usize = 4096;
/// `max_rollover_files` of a file target that says nothing.
const ROLLOVER_FILES: usize = 5;
/// `max_file_size` of a file target that says nothing, in MB.
const FILE_MB_MAX: u64 = 1024;

impl Target {
    /// Opens a target; 25602 for a file that cannot be made.
    pub(super) fn open(instance: &Instance, target: &EventTarget) -> SqlResult<Self> {
        let setting = |name: &str| {
            let found = target.settings.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let number = |name: &str, default: u64| {
            let given = setting(name).and_then(|value| value.parse::<u64>().ok());
            given.filter(|number| *number > 0).unwrap_or(default)
        };
        let size = |name: &str, default: usize| {
            usize::try_from(number(name, default as u64)).unwrap_or(usize::MAX)
        };
        let kind = if target.name == "ring_buffer" {
            Kind::Ring(Ring {
                events: VecDeque::new(),
                events_max: size("max_events_limit", EVENTS_MAX),
                bytes: 0,
                bytes_max: size("max_memory", MEMORY_KB_MAX).saturating_mul(1024),
            })
        } else {
            let name = setting("filename").unwrap_or_default();
            let path = file_path(instance, &name)
                .map_err(|why| cannot_open(&target.name, why.os_error()))?;
            let file = FileTarget::create(
                &path,
                number("max_file_size", FILE_MB_MAX).saturating_mul(1024 * 1024),
                size("max_rollover_files", ROLLOVER_FILES),
                instance.clock.now(),
            );
            let file = file.map_err(|error| cannot_open(&target.name, &error.to_string()))?;
            Kind::File(file)
        };
        Ok(Self {
            name: target.name.clone(),
            taken: 0,
            kind,
        })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// `target_name`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// `execution_count`.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Keeps an event.
    pub(super) fn take(&mut self, at: Timestamp, xml: &str) {
        self.taken += 1;
        match &mut self.kind {
            Kind::Ring(ring) => ring.take(xml),
            // An event that cannot be written is lost; no session fails because it is watched.
            Kind::File(file) => drop(file.take(at, xml)),
        }
    }

    /// `target_data`.
    pub(super) fn data(&self) -> String {
        match &self.kind {
            Kind::Ring(ring) => format!(
                "<RingBufferTarget truncated=\"0\" processingTime=\"0\" \
                 totalEventsProcessed=\"{}\" eventCount=\"{}\" droppedCount=\"0\" \
                 memoryUsed=\"{}\">{}</RingBufferTarget>",
                self.taken,
                ring.events.len(),
                ring.bytes,
                ring.events.iter().map(String::as_str).collect::<String>()
            ),
            Kind::File(file) => format!(
                "<EventFileTarget truncated=\"0\"><Buffers logged=\"{}\" dropped=\"0\"/>\
                 <File name=\"{}\"/></EventFileTarget>",
                self.taken,
                escaped(&file.path().display().to_string())
            ),
        }
    }
}

impl Ring {
    fn take(&mut self, xml: &str) {
        self.bytes += xml.len();
        self.events.push_back(xml.to_owned());
        while self.events.len() > self.events_max || self.bytes > self.bytes_max {
            match self.events.pop_front() {
                Some(oldest) => self.bytes -= oldest.len(),
                None => return,
            }
        }
    }
}

/// A file's path; a relative one lies in the instance's log folder.
pub(super) fn file_path(
    instance: &Instance,
    name: &str,
) -> Result<PathBuf, crate::instance::Unreachable> {
    instance.options.paths.resolve(name, &instance.log_folder())
}

/// 25602: a target whose file cannot be made.
fn cannot_open(target: &str, reason: &str) -> SqlError {
    let text = format!(
        "The target, \"{target}\", encountered a configuration error during initialization. Object \
         cannot be added to the event session. The operating system returned error {reason} while \
         creating the file."
    );
    SqlError::new(25602, 17, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_keeps_the_newest_events() {
        let mut ring = Ring {
            events: VecDeque::new(),
            events_max: 2,
            bytes: 0,
            bytes_max: 5,
        };
        for event in ["aa", "bb", "cc"] {
            ring.take(event);
        }
        assert_eq!(ring.events, ["bb", "cc"]);
        ring.take("dddd");
        assert_eq!((ring.events.len(), ring.bytes), (1, 4));
        ring.take("much too long");
        assert_eq!((ring.events.len(), ring.bytes), (0, 0));
    }
}
