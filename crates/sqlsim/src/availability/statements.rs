//! `CREATE`, `ALTER` and `DROP AVAILABILITY GROUP`, joining and leaving.
//!
//! Start at [`Session::availability_group`].

use std::sync::Arc;

use super::{
    AvailabilityGroup, BackupPreference, ReplicaRecord, change_group, failover, group_of, groups,
    needed_group, put_group,
};
use crate::error::{SqlError, SqlResult};
use crate::instance::DatabaseHandle;
use crate::lang::ast::{
    AvailabilityGroupAction, CreateAvailabilityGroup, NamedOption, Replica, StatementKind,
};
use crate::link::server::same;
use crate::messages;
use crate::session::Session;
use crate::storage::{DatabaseState, RecoveryModel};

impl Session {
    /// CREATE, ALTER and DROP AVAILABILITY GROUP.
    pub(crate) async fn availability_group(&mut self, kind: &StatementKind) -> SqlResult<()> {
        self.require_server("ALTER ANY AVAILABILITY GROUP")?;
        match kind {
            StatementKind::CreateAvailabilityGroup(create) => self.create_group(create),
            StatementKind::AlterAvailabilityGroup { name, action } => {
                self.alter_group(name, action).await
            }
            StatementKind::DropAvailabilityGroup { name } => {
                let group = needed_group(&self.instance, name)?;
                for database in &group.databases {
                    self.leave(&group, database)?;
                }
                put_group(&self.instance, name, None)
            }
            _ => Ok(()),
        }
    }

    fn create_group(&mut self, create: &CreateAvailabilityGroup) -> SqlResult<()> {
        if self.has_group(&create.name) {
            // 41042: the name is taken.
            let text = format!("The availability group '{}' already exists.", create.name);
            return Err(SqlError::new(41042, 16, text));
        }
        let mut group = AvailabilityGroup {
            name: create.name.clone(),
            is_primary: true,
            replicas: self.replicas(&create.replicas)?,
            databases: Vec::new(),
            seeding: Vec::new(),
            seeding_failed: Vec::new(),
            preference: BackupPreference::Secondary,
            dtc_support: false,
            cluster_type: "WSFC".to_owned(),
            epoch: 0,
            distributed: None,
        };
        self.set_group_options(&mut group, &create.options)?;
        for database in &create.databases {
            self.join_group(&mut group, database)?;
        }
        put_group(&self.instance, &create.name, Some(&group))
    }

    async fn alter_group(&mut self, name: &str, action: &AvailabilityGroupAction) -> SqlResult<()> {
        if let (AvailabilityGroupAction::Join, false) = (action, self.has_group(name)) {
            return self.join_as_replica(name);
        }
        let group = needed_group(&self.instance, name)?;
        if let AvailabilityGroupAction::Failover { is_forced } = action
            && !group.is_primary
        {
            return self.fail_over(group, *is_forced).await;
        }
        let change = |group: &mut AvailabilityGroup| self.change(group, action);
        change_group(&self.instance, name, change)
    }

    fn change(
        &self,
        group: &mut AvailabilityGroup,
        action: &AvailabilityGroupAction,
    ) -> SqlResult<()> {
        if !group.is_primary && changes_databases(action) {
            return Err(not_in_this_role(group));
        }
        match action {
            AvailabilityGroupAction::AddDatabases(databases) => {
                for database in databases {
                    self.join_group(group, database)?;
                }
            }
            AvailabilityGroupAction::RemoveDatabases(databases) => {
                let leaves = |name: &str| databases.iter().any(|leaving| same(leaving, name));
                group.databases.retain(|name| !leaves(name));
            }
            AvailabilityGroupAction::AddReplicas(replicas) => {
                group.replicas.extend(self.replicas(replicas)?);
            }
            AvailabilityGroupAction::ModifyReplica(replica) => {
                self.modify_replica(group, replica)?;
            }
            AvailabilityGroupAction::Set(options) => {
                self.set_group_options(group, options)?;
            }
            AvailabilityGroupAction::GrantCreateAnyDatabase => {}
            AvailabilityGroupAction::Join | AvailabilityGroupAction::Failover { .. } => {
                return Err(not_in_this_role(group));
            }
        }
        Ok(())
    }

    /// The checks of SQL Server in its order: the database is there and open, in FULL, in no group,
    /// and its log chain was begun by a regular full and holds no bulk change without a backup.
    fn join_group(&self, group: &mut AvailabilityGroup, name: &str) -> SqlResult<()> {
        let database = self.instance.needed_database(name)?;
        check_joinable(&database)?;
        if group_of(&self.instance, name).is_some() {
            // 1468: the operation is not allowed on a database that takes part already.
            let text = format!(
                "The operation cannot be performed on database \"{name}\" because it \
                is involved in a database mirroring session or an availability group. Some \
                operations are not allowed on a database that is participating in a database \
                mirroring session or in an availability group."
            );
            return Err(SqlError::new(1468, 16, text));
        }
        group.databases.push(database.name());
        Ok(())
    }

    /// `JOIN`: this host becomes a secondary of a group that was made elsewhere.
    fn join_as_replica(&mut self, name: &str) -> SqlResult<()> {
        let own = ReplicaRecord {
            name: self.instance.name(),
            options: Vec::new(),
        };
        let group = AvailabilityGroup {
            name: name.to_owned(),
            is_primary: false,
            replicas: vec![own],
            databases: Vec::new(),
            seeding: Vec::new(),
            seeding_failed: Vec::new(),
            preference: BackupPreference::Secondary,
            dtc_support: false,
            cluster_type: "NONE".to_owned(),
            epoch: 0,
            distributed: None,
        };
        put_group(&self.instance, name, Some(&group))
    }

    fn has_group(&self, name: &str) -> bool {
        groups(&self.instance)
            .iter()
            .any(|group| same(&group.name, name))
    }

    fn replicas(&self, replicas: &[Replica]) -> SqlResult<Vec<ReplicaRecord>> {
        let record = |replica: &Replica| {
            Ok(ReplicaRecord {
                name: replica.name.clone(),
                options: self.replica_options(&replica.options)?,
            })
        };
        replicas.iter().map(record).collect()
    }

    fn replica_options(&self, options: &[NamedOption]) -> SqlResult<Vec<(String, String)>> {
        let read = |option: &NamedOption| {
            let value = option
                .values
                .first()
                .map(|value| self.text(value))
                .transpose()?;
            Ok((option.name.clone(), value.flatten().unwrap_or_default()))
        };
        options.iter().map(read).collect()
    }

    fn modify_replica(&self, group: &mut AvailabilityGroup, change: &Replica) -> SqlResult<()> {
        let options = self.replica_options(&change.options)?;
        let found = group
            .replicas
            .iter_mut()
            .find(|known| same(&known.name, &change.name));
        let Some(replica) = found else {
            return Err(messages::principal_not_found(
                "alter",
                "availability replica",
                &change.name,
            ));
        };
        replica
            .options
            .retain(|(name, _)| options.iter().all(|(new, _)| new != name));
        replica.options.extend(options);
        Ok(())
    }

    fn set_group_options(
        &self,
        group: &mut AvailabilityGroup,
        options: &[NamedOption],
    ) -> SqlResult<()> {
        for option in options {
            let value = option
                .values
                .first()
                .map(|value| self.text(value))
                .transpose()?;
            let value = value.flatten().unwrap_or_default().to_uppercase();
            match (option.name.as_str(), value.as_str()) {
                ("AUTOMATED_BACKUP_PREFERENCE", word) => {
                    let wanted = BackupPreference::parse(word);
                    group.preference = wanted.ok_or_else(|| messages::incorrect_syntax(word))?;
                }
                ("DTC_SUPPORT", word) => group.dtc_support = word == "PER_DB",
                ("CLUSTER_TYPE", word) => word.clone_into(&mut group.cluster_type),
                ("ROLE", "SECONDARY") => {
                    failover::lay_down(&self.instance, group, 0)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// `ALTER DATABASE .. SET HADR AVAILABILITY GROUP = ..`: what a secondary replica says, of a
    /// database that was restored without recovery (1464). Where this host is the primary, there is
    /// no other to be reached (35250).
    pub(crate) fn join_availability_group(
        &mut self,
        database: &Arc<DatabaseHandle>,
        group: &str,
    ) -> SqlResult<()> {
        change_group(&self.instance, group, |group| {
            if group.is_primary {
                check_joinable(database)?;
                return Err(messages::replica_not_connected());
            }
            if database.storage().facts().state != DatabaseState::Restoring {
                return Err(not_restoring(&database.name()));
            }
            database.storage().join_replica()?;
            database.forget_schema();
            if !group.has(&database.name()) {
                group.databases.push(database.name());
            }
            Ok(())
        })
    }

    /// `ALTER DATABASE .. SET HADR OFF | SUSPEND | RESUME`.
    pub(crate) fn hadr(&mut self, database: &Arc<DatabaseHandle>, action: &str) -> SqlResult<()> {
        let name = database.name();
        let Some(group) = group_of(&self.instance, &name) else {
            // 35240: the database is in no group.
            let text = format!(
                "Database '{name}' cannot be joined to or unjoined from availability \
                group. This operation is not supported on the primary replica of the availability \
                group."
            );
            return Err(SqlError::new(35240, 16, text));
        };
        if action.trim() == "OFF" {
            return change_group(&self.instance, &group.name, |group| {
                self.leave(group, &name)?;
                group.databases.retain(|known| !same(known, &name));
                Ok(())
            });
        }
        Ok(())
    }

    /// `ALTER DATABASE .. SET PARTNER`: 1475 as for a group; then 1418, since nobody answers.
    #[expect(clippy::unused_self, reason = "a statement like its neighbours")]
    pub(crate) fn begin_mirroring(&mut self, database: &Arc<DatabaseHandle>) -> SqlResult<()> {
        check_joinable(database)?;
        // 1418: no endpoint there.
        Err(SqlError::new(
            1418,
            16,
            "The server network address can not be reached or does not \
            exist. Check the network address name and that the ports for the local and remote \
            endpoints are operational.",
        ))
    }

    /// A secondary replica's database is RESTORING when it has left its group.
    fn leave(&self, group: &AvailabilityGroup, name: &str) -> SqlResult<()> {
        let database = self.instance.needed_database(name)?;
        self.instance.replicas.forget(name);
        if group.is_primary {
            return Ok(());
        }
        database.storage().leave_restoring()
    }
}

fn check_joinable(database: &DatabaseHandle) -> SqlResult<()> {
    let (name, facts) = (database.name(), database.storage().facts());
    match facts.state {
        DatabaseState::Restoring => return Err(messages::database_restoring(&name)),
        DatabaseState::Offline => return Err(messages::database_offline(&name)),
        DatabaseState::Online | DatabaseState::Standby => {}
    }
    if facts.recovery_model != RecoveryModel::Full {
        return Err(messages::recovery_not_full(&name));
    }
    if facts.might_hold_unbacked_bulk_changes {
        return Err(messages::bulk_logged_changes(&name));
    }
    Ok(())
}

fn not_in_this_role(group: &AvailabilityGroup) -> SqlError {
    messages::availability_group_state(&group.name, "ALTER AVAILABILITY GROUP")
}

/// What only the primary may do.
fn changes_databases(action: &AvailabilityGroupAction) -> bool {
    matches!(
        action,
        AvailabilityGroupAction::AddDatabases(_)
            | AvailabilityGroupAction::RemoveDatabases(_)
            | AvailabilityGroupAction::AddReplicas(_)
    )
}

impl BackupPreference {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "PRIMARY" => Self::Primary,
            "SECONDARY_ONLY" => Self::SecondaryOnly,
            "SECONDARY" => Self::Secondary,
            "NONE" => Self::None,
            _ => return None,
        })
    }
}

/// 1464: a database that joins a secondary must be restoring.
fn not_restoring(database: &str) -> SqlError {
    let text = format!(
        "Database \"{database}\" is not in a recovering state which is required for a mirror \
         database or secondary database. The remote database must be restored using WITH \
         NORECOVERY."
    );
    SqlError::new(1464, 16, text)
}
