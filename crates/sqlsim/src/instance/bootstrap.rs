//! The first start of an instance, and every one after it: system databases, fixed principals,
//! recovery.
//!
//! Start at [`open`]. What `msdb` holds is told by `msdb/` as T-SQL and run here like a user's
//! script.

use std::sync::Arc;

use super::{DatabaseRecord, FIRST_USER_DATABASE, Instance};
use crate::catalog::principal::{DatabasePrincipal, Membership, PrincipalKind};
use crate::catalog::record;
use crate::catalog::schema::{DBO, FIXED_ROLES, GUEST};
use crate::error::{SqlError, SqlResult};
use crate::session::Session;
use crate::storage::{Database, RecoveryModel, TxId};

/// Databases that every instance has, in the order of their numbers from 1.
pub(super) const SYSTEM_DATABASES: [&str; 4] = ["master", "tempdb", "model", "msdb"];

/// `sid` of `sa`.
pub(crate) const SA_SID: [u8; 1] = [1];

/// Opens or makes all databases of the instance.
pub(super) async fn open(instance: &Arc<Instance>) -> SqlResult<()> {
    for folder in [
        instance.data_folder(),
        instance.backup_folder(),
        instance.log_folder(),
    ] {
        std::fs::create_dir_all(folder).map_err(|error| no_folder(instance, &error))?;
    }
    let is_new = !instance
        .disk
        .exists(&instance.data_folder().join("master.mdf"));
    if is_new {
        create(instance)?;
        run_script(
            instance,
            "msdb",
            &crate::msdb::schema(instance.options.version),
        )
        .await?;
    } else {
        recover(instance)?;
    }
    crate::events::start_all(instance);
    crate::availability::recover(instance);
    crate::dtc::recover(instance)
}

/// A message for what has no number in SQL Server, as the instance does not start at all.
fn no_folder(instance: &Instance, error: &std::io::Error) -> SqlError {
    let folder = instance.data_folder();
    SqlError::new(
        5133,
        16,
        format!(
            "Directory lookup for \"{}\" failed: {error}",
            folder.display()
        ),
    )
}

fn create(instance: &Instance) -> SqlResult<()> {
    for name in SYSTEM_DATABASES {
        make_system_database(instance, name)?;
    }
    Ok(())
}

fn make_system_database(instance: &Instance, name: &str) -> SqlResult<()> {
    let model = if name == "model" {
        RecoveryModel::Full
    } else {
        RecoveryModel::Simple
    };
    let mut files = instance.default_files(name);
    files.data = instance.data_folder().join(format!("{name}.mdf"));
    instance
        .create_database(name, files, model, &SA_SID)
        .map(drop)
}

fn recover(instance: &Instance) -> SqlResult<()> {
    let files = files_of(instance, "master");
    let storage = Arc::new(Database::open(Arc::clone(&instance.disk), files.clone())?);
    let known = record::all::<DatabaseRecord>(&storage, None);
    instance.attach(master_record(instance, files), storage);
    for (_, known) in known {
        if known.name == "tempdb" {
            for file in [&known.files.data, &known.files.log] {
                // tempdb begins empty at every start.
                let _ = instance.disk.remove(file);
            }
            remake_tempdb(instance, known)?;
            continue;
        }
        let opened = Database::open(Arc::clone(&instance.disk), known.files.clone());
        // A database that cannot be opened is missing from the instance, which itself starts.
        match opened {
            Ok(storage) => drop(instance.attach(known, Arc::new(storage))),
            Err(error) if known.id < FIRST_USER_DATABASE => return Err(error),
            Err(error) => tracing::error!(database = known.name, %error, "cannot open database"),
        }
    }
    Ok(())
}

fn remake_tempdb(instance: &Instance, known: DatabaseRecord) -> SqlResult<()> {
    let new = crate::storage::NewDatabase {
        name: known.name.clone(),
        database_guid: instance.new_guid(),
        family_guid: instance.new_guid(),
        fork_guid: instance.new_guid(),
        created: instance.clock.local(),
        recovery_model: RecoveryModel::Simple,
        compatibility_level: known.compatibility_level,
        collation: super::COLLATION.to_owned(),
    };
    let storage = Database::create(Arc::clone(&instance.disk), known.files.clone(), &new)?;
    instance.change_storage(&storage, |db, tx| fill_catalog(db, tx, &SA_SID))?;
    instance.attach(known, Arc::new(storage));
    Ok(())
}

fn files_of(instance: &Instance, name: &str) -> crate::storage::DatabaseFiles {
    let data = instance.data_folder().join(format!("{name}.mdf"));
    let log = instance.data_folder().join(format!("{name}_log.ldf"));
    crate::storage::DatabaseFiles {
        data_logical_name: name.to_owned(),
        log_logical_name: format!("{name}_log"),
        data_physical_name: data.display().to_string(),
        log_physical_name: log.display().to_string(),
        data,
        log,
    }
}

/// Master's own record cannot be read before master is open.
fn master_record(instance: &Instance, files: crate::storage::DatabaseFiles) -> DatabaseRecord {
    DatabaseRecord {
        id: 1,
        name: "master".to_owned(),
        files,
        owner_sid: SA_SID.to_vec(),
        created: instance.clock.local(),
        compatibility_level: instance.options.version.compatibility_level(),
        options: Vec::new(),
    }
}

/// Gives a new database its fixed users and roles.
pub(super) fn fill_catalog(db: &Database, tx: TxId, owner_sid: &[u8]) -> SqlResult<()> {
    for (id, name) in FIXED_ROLES {
        add_principal(db, tx, id, name, PrincipalKind::Role, None)?;
    }
    add_principal(
        db,
        tx,
        DBO,
        "dbo",
        PrincipalKind::User,
        Some(owner_sid.to_vec()),
    )?;
    add_principal(db, tx, GUEST, "guest", PrincipalKind::User, None)?;
    let owners = FIXED_ROLES
        .iter()
        .find(|(_, name)| *name == "db_owner")
        .map(|(id, _)| *id);
    let owner = Membership {
        role: owners.unwrap_or_default(),
        member: DBO,
    };
    record::add(db, tx, &owner).map(drop)
}

fn add_principal(
    db: &Database,
    tx: TxId,
    id: i32,
    name: &str,
    kind: PrincipalKind,
    sid: Option<Vec<u8>>,
) -> SqlResult<()> {
    let is_fixed_role = kind == PrincipalKind::Role;
    let principal = DatabasePrincipal {
        id,
        name: name.to_owned(),
        kind,
        sid,
        is_fixed_role,
    };
    record::add(db, tx, &principal).map(drop)
}

/// Runs batches separated by lines of `GO` in a database, with all rights; the first error ends it.
pub async fn run_script(instance: &Arc<Instance>, database: &str, text: &str) -> SqlResult<()> {
    let mut session = Session::internal(instance, database)?;
    for batch in text.split("\nGO\n") {
        session.run_to_end(batch).await?;
    }
    Ok(())
}
