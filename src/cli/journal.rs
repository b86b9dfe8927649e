//! Lines for systemd's journal: the level stands at the beginning of each line as `<4>`, which the journal takes off and
//! keeps as the entry's priority (`man 3 sd-daemon`). `journalctl -p warning` then shows what needs a look.
//!
//! Start at [`ForJournal`]. Time is left out: the journal stamps entries by itself.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines of another format, each with its priority before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ForJournal<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for ForJournal<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(ctx, writer, event)
    }
}

/// syslog's number of a level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn each_line_begins_with_its_priority() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let file = fs::File::create(&path).expect("a file");
        let format = tracing_subscriber::fmt::format().without_time();
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(Arc::new(file))
            .event_format(ForJournal(format.with_ansi(false)));
        let heard = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(heard, || {
            tracing::error!("one");
            tracing::warn!("two");
            tracing::info!("three");
        });
        let text = fs::read_to_string(&path).expect("it was written");
        let begins: Vec<&str> = text.lines().map(|line| &line[..3]).collect();
        assert_eq!(begins, ["<3>", "<4>", "<6>"], "{text}");
    }
}
