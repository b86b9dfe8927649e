//! Progress bars on long work: `world::Progress` over indicatif, on stderr, and only on a terminal.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::error::plain::plain;
use crate::world::{Progress, StepProgress};

/// Bars for a person who watches.
#[derive(Debug, Default)]
pub struct Bars {
    bars: MultiProgress,
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

struct Bar(ProgressBar);

/// Bars if stderr is a terminal and the output is for people, else nothing.
#[must_use]
pub fn for_people(is_json: bool) -> std::sync::Arc<dyn Progress> {
    if !is_json && std::io::stderr().is_terminal() {
        std::sync::Arc::new(Bars::default())
    } else {
        std::sync::Arc::new(NoProgress)
    }
}

impl Progress for Bars {
    fn begin(&self, label: &str, total_bytes: Option<u64>) -> Box<dyn StepProgress> {
        let (bar, template) = match total_bytes {
            Some(total) => {
                let bar = ProgressBar::new(total);
                (
                    bar,
                    "{msg:40!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}",
                )
            }
            None => (ProgressBar::new(100), "{msg:40!} {bar:30} {percent}%"),
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = self
            .bars
            .add(bar.with_style(style).with_message(label.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(250));
        Box::new(Bar(bar))
    }

    fn say(&self, line: &str) {
        // A terminal that has gone away hears nothing, and the log has the line as well.
        let _ = self.bars.println(plain(line));
    }
}

impl StepProgress for Bar {
    fn percent(&self, percent: u8) {
        self.0.set_position(u64::from(percent));
    }

    fn bytes(&self, more: u64) {
        self.0.inc(more);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for NoProgress {
    fn begin(&self, _label: &str, _total_bytes: Option<u64>) -> Box<dyn StepProgress> {
        Box::new(Self)
    }

    fn say(&self, _line: &str) {}
}

impl StepProgress for NoProgress {
    fn percent(&self, _percent: u8) {}

    fn bytes(&self, _more: u64) {}
}
