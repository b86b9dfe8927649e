//! Extended Events, so far as somebody needs them who waits for errors or watches a link: sessions
//! on a handful of events, with predicates, actions, a ring buffer and event files.
//!
//! Start at [`Events`] (what runs) and `Session::event_session` in `statements.rs` (what is
//! defined). Definitions are records in master, so that `STARTUP_STATE = ON` outlives a restart.
//! Events reach their targets at once: there is no dispatch latency, and none is ever lost but by
//! the limits of a target. No other events fire than those of `happening.rs`.

mod definition;
mod file;
mod happening;
mod occurrence;
mod predicate;
mod statements;
mod target;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::DateTime;

pub use definition::EventSession;
pub use happening::{Coordinated, Happening};
pub use occurrence::{Ears, Occurrence};
pub(crate) use views::{VIEWS, read_file_target};

use crate::error::SqlResult;
use crate::instance::Instance;
use target::Target;

/// The event sessions that run on an instance.
#[derive(Debug, Default)]
pub struct Events {
    running: Mutex<Vec<Running>>,
}

/// One event session that runs.
#[derive(Debug)]
struct Running {
    session: EventSession,
    targets: Vec<Target>,
    started: DateTime,
}

impl Events {
    /// Every running session hears of an occurrence, and keeps it if its predicate says so.
    pub fn fire(&self, occurrence: &Occurrence) {
        for running in self.lock().iter_mut() {
            let wants = |event: &&crate::lang::ast::EventDefinition| {
                if event.name != occurrence.what.event() {
                    return false;
                }
                let predicate = event.predicate.as_ref();
                predicate.is_none_or(|predicate| predicate::holds(predicate, occurrence))
            };
            if let Some(event) = running.session.events.iter().find(wants) {
                let xml = occurrence.xml(&event.actions);
                for target in &mut running.targets {
                    target.take(occurrence.at, &xml);
                }
            }
        }
    }

    /// Whether anybody listens; what nobody hears need not be described.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }

    fn is_running(&self, name: &str) -> bool {
        self.lock().iter().any(|running| running.is(name))
    }

    /// Starts a session; 25602 when a target's file cannot be made.
    fn start(&self, instance: &Instance, session: EventSession) -> SqlResult<()> {
        let opened = session
            .targets
            .iter()
            .map(|one| Target::open(instance, one));
        let targets = opened.collect::<SqlResult<Vec<_>>>()?;
        self.lock().push(Running {
            session,
            targets,
            started: instance.clock.local(),
        });
        Ok(())
    }

    fn stop(&self, name: &str) {
        self.lock().retain(|running| !running.is(name));
    }

    /// A running session goes on with another definition; targets that stay keep what they hold.
    fn change(&self, instance: &Instance, session: &EventSession) -> SqlResult<()> {
        let mut all = self.lock();
        let Some(running) = all.iter_mut().find(|running| running.is(&session.name)) else {
            return Ok(());
        };
        let mut kept = std::mem::take(&mut running.targets);
        for wanted in &session.targets {
            let target = match kept.iter().position(|target| target.is(&wanted.name)) {
                Some(at) => kept.swap_remove(at),
                None => Target::open(instance, wanted)?,
            };
            running.targets.push(target);
        }
        running.session = session.clone();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn is(&self, name: &str) -> bool {
        crate::link::server::same(&self.session.name, name)
    }
}

/// Starts every session that says so, as a starting instance does.
pub(crate) fn start_all(instance: &Arc<Instance>) {
    let all = definition::sessions(instance).into_iter();
    for session in all.filter(EventSession::starts_up) {
        let name = session.name.clone();
        if let Err(error) = instance.events.start(instance, session) {
            tracing::error!(session = name, %error, "cannot start an event session");
        }
    }
}
