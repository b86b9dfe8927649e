//! A log backup on a secondary replica: the primary one says where it begins, and takes note of where it ended.
//!
//! Start at [`Primary::find`]. There is one chain for all replicas, and the primary one keeps its end.

use mtf::Lsn;

use super::AvailabilityGroup;
use super::transport::Lines;
use crate::error::SqlResult;
use crate::faults::{FaultKind, Lost};
use crate::instance::Instance;
use crate::link::literal::text;
use crate::link::messages::connection_broken;
use crate::messages;
use crate::storage::Archive;

/// The primary replica of a database that is backed up on a secondary one.
#[derive(Debug)]
pub(crate) struct Primary {
    lines: Lines,
    name: String,
    group: String,
    database: String,
}

/// Whether the primary replica knows of a log backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It said so.
    Surely,
    /// It may have heard; nobody can tell (35297).
    Perhaps,
}

impl Primary {
    /// Finds it: 3062 where the secondary replica is not in touch with it, 35294 where it is not to be found.
    pub(crate) async fn find(
        instance: &Instance,
        group: &AvailabilityGroup,
        database: &str,
    ) -> SqlResult<Self> {
        let now = instance.clock.monotonic();
        let giver = instance.replicas.giver(database);
        if !giver.is_some_and(|giver| giver.is_recent(now)) {
            return Err(messages::secondary_not_synchronizing());
        }
        let mut lines = Lines::default();
        let found = lines.primary_of(instance, group).await;
        Ok(Self {
            lines,
            name: found.ok_or_else(|| messages::no_synchronization_point(database))?,
            group: group.name.clone(),
            database: database.to_owned(),
        })
    }

    /// Where the next log backup begins, on whatever replica it is taken. 35294 where it does not say.
    pub(crate) async fn archive(
        &mut self,
        instance: &Instance,
        for_log: bool,
    ) -> SqlResult<Archive> {
        let (group, database) = (text(&self.group), text(&self.database));
        let for_log = u8::from(for_log);
        let sql = format!("EXEC sp_sim_hadr_archive {group}, {database}, {for_log}");
        let learnt = self.lines.learn(instance, &self.name, &sql).await;
        learnt.map_err(|_| messages::no_synchronization_point(&self.database))
    }

    /// Tells of a log backup that was taken. 35296 where it is not taken note of, and so does not count.
    pub(crate) async fn archived(
        &mut self,
        instance: &Instance,
        (first, last): (Lsn, Lsn),
    ) -> SqlResult<Noted> {
        let is_lost = |lost| {
            let kind = FaultKind::LosePoint(lost);
            let struck = instance.faults.strike(kind, "BACKUP LOG", &self.database);
            struck.is_some()
        };
        if is_lost(Lost::Word) {
            return Ok(Noted::Perhaps);
        }
        let is_answer_lost = is_lost(Lost::Answer);
        let (group, database) = (text(&self.group), text(&self.database));
        let sql = format!("EXEC sp_sim_hadr_archived {group}, {database}, '{first}', '{last}'");
        let broken = connection_broken().number;
        match self.lines.ask(instance, &self.name, &sql).await {
            Ok(_) if is_answer_lost => Ok(Noted::Perhaps),
            Ok(_) => Ok(Noted::Surely),
            Err(error) if error.number == broken => Ok(Noted::Perhaps),
            Err(_) => Err(messages::point_not_committed(&self.database)),
        }
    }
}
