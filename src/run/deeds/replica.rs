//! Waiting for a secondary replica: a log backup there holds what has arrived, and the mark may be on its way.
//!
//! Start at [`wait_for_mark`]. What has arrived is told by the block that is on the replica's disk. A block is written
//! whole, so the mark is there as soon as its own block is.

use std::time::Duration;

use crate::error::{Code, Error, Result, Retry};
use crate::model::Lsn;
use crate::plan::BackUp;
use crate::run::book::Book;
use crate::world::World;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// Returns when the replica that takes a log has the mark that the log must carry; at once for every other backup.
///
/// # Errors
/// `SM0508` when the step's limit has passed: the next round then takes the log on the primary replica.
pub(super) async fn wait_for_mark(world: &World, book: &Book, step: &BackUp) -> Result<()> {
    let (Some(wait_ms), Some(mark)) = (step.replica_wait_ms, &step.mark) else {
        return Ok(());
    };
    let placed = book.read(|record| {
        let members = record.confirmed(mark)?;
        members.iter().find(|it| it.member == step.member).cloned()
    });
    let Some(placed) = placed else {
        return Ok(()); // No mark stands in this member: the log goes on without it.
    };
    let (host, database) = (step.host(), &step.member.database);
    let patience = world.clock.monotonic() + Duration::from_millis(wait_ms);
    loop {
        let hardened = world.fleet.hardened(host, database).await?;
        if hardened.is_some_and(|hardened| has_block_of(hardened, placed.lsn)) {
            return Ok(());
        }
        if world.clock.monotonic() >= patience {
            return Err(behind(step, hardened, placed.lsn));
        }
        let pause = world.clock.monotonic() + PAUSE;
        world.clock.sleep_until(pause.min(patience)).await;
    }
}

/// Whether a log that is on disk up to the block `hardened` has this record; its number within the block is no matter.
fn has_block_of(hardened: Lsn, record: Lsn) -> bool {
    (hardened.vlf, hardened.block) >= (record.vlf, record.block)
}

fn behind(step: &BackUp, hardened: Option<Lsn>, mark: Lsn) -> Error {
    let reached = hardened.map_or_else(|| "nothing".to_owned(), |lsn| format!("LSN {lsn}"));
    let message =
        format!("the secondary replica has {reached} on its disk, and the mark is at LSN {mark}");
    Error::new(Code::ReplicaBehind, message)
        .at("host", step.host())
        .at("member", &step.member)
        .retry(Retry::Never)
        .hint(
            "see `sys.dm_hadr_database_replica_states` on the primary replica; `[policy] replica_wait` says how long \
             a mark is waited for",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_on_disk_holds_all_its_records() {
        let at = Lsn::from_parts;
        assert!(has_block_of(at(40, 16, 0), at(40, 16, 7)));
        assert!(has_block_of(at(41, 16, 0), at(40, 900, 7)));
        assert!(!has_block_of(at(40, 16, 0), at(40, 17, 1)));
    }
}
