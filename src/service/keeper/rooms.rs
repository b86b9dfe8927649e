//! Looks between runs at the room that hosts have left.
//!
//! Start at [`Keeper::look_at_rooms`]. A look is a task of its own: a host that does not answer holds nothing up.

use super::super::alarm::{self, Rooms};
use super::Keeper;
use crate::error::Code;
use crate::model::Timestamp;

impl Keeper {
    /// Asks the hosts where it is time to.
    pub(super) fn look_at_rooms(&mut self, now: Timestamp) {
        let scene = self.opened.scene.clone();
        let Some(every) = scene.config.service.alarms.every else {
            return;
        };
        let is_due = self
            .asked_rooms_at
            .is_none_or(|at| now >= at.plus(every) || now < at);
        if is_due && self.looking.is_empty() {
            self.asked_rooms_at = Some(now);
            let deeds = self.parts.deeds.clone();
            self.looking.spawn(async move { deeds.rooms(&scene).await });
        }
    }

    /// Takes in what the hosts said. What a host said before counts until it says something else.
    pub(super) fn take_in_rooms(&mut self, rooms: Rooms) {
        for (host, room) in rooms {
            let is_news = match &room {
                Ok(_) => true,
                Err(error) => {
                    tracing::info!(%host, %error, "the room of a host is not known");
                    error.code() == Code::RightMissing
                }
            };
            if is_news {
                self.rooms.insert(host, room);
            }
        }
        if self.rooms.is_empty() {
            return;
        }
        let (config, now) = (self.opened.scene.config.clone(), self.now());
        let found = alarm::alarms(&config.service.alarms, &self.rooms);
        for alarm in found.iter().filter(|it| !self.seen.alarms.contains(it)) {
            let (code, about, message) = (&alarm.code, &alarm.about, &alarm.message);
            tracing::warn!(code, about, "{message}");
        }
        let whole = self.rooms.iter();
        let whole =
            whole.filter_map(|(host, room)| Some((host.clone(), room.as_ref().ok()?.clone())));
        self.seen.rooms = whole.collect();
        self.seen.alarms = found;
        if let Err(error) = alarm::keep(&config.state, &self.seen.alarms, now) {
            tracing::warn!(%error, "alarms cannot be kept in the state folder");
        }
        self.tell_of_rooms(now);
    }
}
