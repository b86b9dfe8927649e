//! Hears what tiberius only logs: messages of the server, as they come.
//!
//! Start at [`Ears`].

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

/// Hears what tiberius logs in this thread.
#[derive(Clone, Default)]
pub(super) struct Ears {
    texts: Arc<Mutex<Vec<String>>>,
    /// Told when a backup's progress was heard.
    pub(super) progress: Arc<Notify>,
}

impl Ears {
    pub(super) fn has_heard(&self, words: &str) -> bool {
        let texts = self.texts.lock().expect("nobody panics under it");
        texts.iter().any(|text| text.contains(words))
    }
}

impl tracing::Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "tiberius::tds::stream::token"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(
            &mut |_: &tracing::field::Field, told: &dyn std::fmt::Debug| {
                let text = format!("{told:?}");
                if text.contains("percent processed") {
                    self.progress.notify_one();
                }
                self.texts
                    .lock()
                    .expect("nobody panics under it")
                    .push(text);
            },
        );
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
