//! Changes of role: a secondary replica takes over, in good order or by force, and the primary one steps down.
//!
//! Start at [`Session::fail_over`]. In good order nothing is lost and the log goes on; by force the log goes on from
//! what had arrived, on a fork of its own. A primary replica that was passed over steps down as soon as it hears of
//! it; log of its own that the new one has not keeps it out of step until it is restored anew.

use std::sync::Arc;

use super::transport::{Lines, take_all};
use super::{AvailabilityGroup, change_group, groups};
use crate::error::{SqlError, SqlResult};
use crate::instance::Instance;
use crate::link::literal::text;
use crate::link::server::same;
use crate::session::Session;

impl Session {
    /// `FAILOVER` and `FORCE_FAILOVER_ALLOW_DATA_LOSS`, said to a secondary replica. 41142 where a failover in good
    /// order would lose something, or nobody can say whether it would.
    pub(super) async fn fail_over(
        &mut self,
        group: AvailabilityGroup,
        is_forced: bool,
    ) -> SqlResult<()> {
        let instance = Arc::clone(&self.instance);
        let mut lines = Lines::default();
        let primary = lines.primary_of(&instance, &group).await;
        let epoch = group.epoch + 1;
        let step_down = format!("EXEC sp_sim_hadr_step_down {}, {epoch}", text(&group.name));
        match (primary, is_forced) {
            (Some(primary), false) => {
                // First what takes long, or cannot be done at all.
                catch_up(&instance, &group, &primary, &mut lines).await?;
                lines.ask(&instance, &primary, &step_down).await?;
                catch_up(&instance, &group, &primary, &mut lines).await?;
            }
            (None, false) => return Err(not_synchronized(&group.name)),
            (Some(primary), true) => {
                // It may be cut off; then it hears of it later.
                let _ = lines.ask(&instance, &primary, &step_down).await;
            }
            (None, true) => {}
        }
        change_group(&instance, &group.name, |group| {
            for name in &group.databases {
                let database = instance.needed_database(name)?;
                let fork = is_forced.then(|| instance.new_guid());
                database.storage().take_over(fork)?;
                database.forget_schema();
                instance.replicas.forget(name);
            }
            (group.is_primary, group.epoch) = (true, epoch);
            Ok(())
        })
    }
}

async fn catch_up(
    instance: &Arc<Instance>,
    group: &AvailabilityGroup,
    primary: &str,
    lines: &mut Lines,
) -> SqlResult<()> {
    for name in &group.databases {
        let database = instance.needed_database(name)?;
        let taken = take_all(instance, group, &database, (primary, lines)).await;
        if !taken.unwrap_or(false) {
            return Err(not_synchronized(&group.name));
        }
    }
    Ok(())
}

/// The primary replica of a group becomes a secondary one: all work in its databases ends.
pub(super) fn step_down(instance: &Arc<Instance>, name: &str, epoch: u64) -> SqlResult<()> {
    let mut all = groups(instance).into_iter();
    if !all.any(|group| same(&group.name, name)) {
        return Ok(());
    }
    change_group(instance, name, |group| lay_down(instance, group, epoch))
}

/// The same for a group that is being changed.
pub(super) fn lay_down(
    instance: &Instance,
    group: &mut AvailabilityGroup,
    epoch: u64,
) -> SqlResult<()> {
    if !group.is_primary {
        return Ok(());
    }
    for name in &group.databases {
        let database = instance.needed_database(name)?;
        database.storage().step_down()?;
        instance.replicas.forget(name);
    }
    group.is_primary = false;
    group.epoch = group.epoch.max(epoch);
    Ok(())
}

/// 41142
fn not_synchronized(group: &str) -> SqlError {
    let text = format!(
        "The availability replica for availability group '{group}' on this instance of SQL Server cannot become the \
         primary replica. One or more databases are not synchronized or have not joined the availability group. If \
         the availability replica uses the asynchronous-commit mode, consider performing a forced manual failover \
         (with possible data loss). Otherwise, once all local secondary databases are joined and synchronized, you \
         can perform a planned manual failover to this secondary replica (without data loss). For more information, \
         see SQL Server Books Online."
    );
    SqlError::new(41142, 16, text)
}
