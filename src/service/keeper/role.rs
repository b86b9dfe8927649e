//! Several agents for one group: the one that holds the lease works, the others stand by.
//!
//! Start at [`Keeper::stand`]. It is asked at every look; the lease itself is the store's affair.

use std::time::Duration;

use super::super::seen::Role;
use super::Keeper;
use crate::world::Footing;

impl Keeper {
    /// Whether this agent works on the group; where several may, the lease decides.
    pub(super) async fn stand(&mut self) -> bool {
        let scene = self.opened.scene.clone();
        self.takes_over_at = None;
        if !scene.config.service.several_agents {
            self.seen.role = Role::Alone;
            return true;
        }
        let deeds = self.parts.deeds.clone();
        let role = match deeds.stand(&scene).await {
            Ok(Footing::Active) => Role::Active,
            Ok(Footing::Standby { holder, until }) => {
                self.takes_over_at = Some(until);
                Role::Standby {
                    holder: Some(holder),
                }
            }
            Err(error) => {
                self.wait_for(&error);
                Role::Standby { holder: None }
            }
        };
        let was_active = self.seen.role == Role::Active;
        if role != Role::Active || !was_active {
            // What others did meanwhile is neither late nor due any more.
            self.is_stale = true;
            if let Err(error) = deeds.catch_up(&scene).await {
                self.wait_for(&error);
                // Who does not know what was done begins nothing.
                return false;
            }
        }
        self.take_role(role);
        self.seen.role == Role::Active
    }

    fn take_role(&mut self, role: Role) {
        if self.seen.role == role {
            return;
        }
        tracing::info!(role = role.words(), "the role of this agent");
        if let (Role::Standby { holder }, Role::Active) = (self.seen.role.clone(), &role) {
            self.tell_of_takeover(holder.as_deref());
        }
        self.seen.role = role;
    }

    /// The longest time until the next look: a lease is renewed long before it runs out.
    pub(super) fn tick(&self) -> Duration {
        let config = &self.opened.scene.config;
        if config.service.several_agents {
            super::TICK.min(config.policy.lease_ttl / 3)
        } else {
            super::TICK
        }
    }
}
