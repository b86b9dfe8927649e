//! Databases in availability groups: nothing is restored over one that is in a group (3104), so it leaves first.
//!
//! Start at [`grouped`]. Only a person who says so has databases taken out: until they are joined again nobody takes over
//! for the host that has them.

use super::asked::RestoreAsked;
use super::check::Finding;
use super::way::Way;
use crate::error::{Code, Error};
use crate::plan::{LeaveGroup, Step};

/// What is to be known of a database that is in a group: that it leaves, or what to say so that it does.
pub(super) fn grouped(asked: &RestoreAsked, way: &Way<'_>) -> Option<Finding> {
    let there = way.there?;
    let group = there.availability_group.as_ref()?;
    let target = &way.target;
    let at = |error: Error| error.at("host", &way.host).at("member", way.member);
    if leaves(asked, way) {
        let message = format!("database `{target}` leaves availability group `{group}`");
        let error = Error::new(Code::GroupLeft, message).hint(
            "its secondary replicas are left restoring; after the restore take a full and a log, ADD DATABASE to the \
             group again, and let the secondary replicas be seeded or restore them WITH NORECOVERY",
        );
        return Some(Finding::told(at(error)));
    }
    let message = format!("database `{target}` is in availability group `{group}`");
    let hint = if there.is_primary {
        "say `--leave-group` to have it taken out first; its secondary replicas are then left restoring, and have to be \
         joined again"
    } else {
        "restore on the host of its primary replica (`--map`), or take it out of the group by hand: ALTER DATABASE .. SET \
         HADR OFF"
    };
    Some(Finding::refusal(at(
        Error::new(Code::TargetUnfit, message).hint(hint)
    )))
}

/// The step that takes the database out of its group.
pub(super) fn leave(asked: &RestoreAsked, way: &Way<'_>) -> Option<Step> {
    let group = way.there?.availability_group.clone()?;
    leaves(asked, way).then(|| {
        Step::LeaveGroup(LeaveGroup {
            member: way.member.clone(),
            target: way.target.clone(),
            group,
        })
    })
}

/// Only the primary replica can take a database out of its group.
fn leaves(asked: &RestoreAsked, way: &Way<'_>) -> bool {
    let is_primary = way.there.is_some_and(|there| there.is_primary);
    asked.leaves_groups && is_primary
}
