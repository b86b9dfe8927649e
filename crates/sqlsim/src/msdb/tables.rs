//! The tables of msdb that backups, restores and marks write to, with SQL Server's own columns.
//!
//! Start at [`TABLES`]. Columns stand in the order of Microsoft's documentation; types are given as
//! T-SQL writes them. This file holds no rows and writes none.

use crate::instance::Version;
use crate::value::SqlType;

/// One system table of msdb.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name in schema `dbo`.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Shape],
}

/// One column: its name, its type, and whether it takes NULL or counts by itself.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    name: &'static str,
    ty: SqlType,
    is: Is,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Identity,
    Required,
    Nullable,
    /// Came with SQL Server 2022.
    Since2022,
}

const fn identity(name: &'static str) -> Shape {
    Shape {
        name,
        ty: SqlType::Int,
        is: Is::Identity,
    }
}

const fn required(name: &'static str, ty: SqlType) -> Shape {
    Shape {
        name,
        ty,
        is: Is::Required,
    }
}

const fn column(name: &'static str, ty: SqlType) -> Shape {
    Shape {
        name,
        ty,
        is: Is::Nullable,
    }
}

const fn since_2022(name: &'static str, ty: SqlType) -> Shape {
    Shape {
        name,
        ty,
        is: Is::Since2022,
    }
}

const BIT: SqlType = SqlType::Bit;
const TINY: SqlType = SqlType::TinyInt;
const SMALL: SqlType = SqlType::SmallInt;
const INT: SqlType = SqlType::Int;
const GUID: SqlType = SqlType::UniqueIdentifier;
const LSN: SqlType = SqlType::LSN;
const NAME: SqlType = SqlType::SYSNAME;
const TIME: SqlType = SqlType::DateTime;
const LETTER: SqlType = SqlType::Char(1);
const BYTES: SqlType = SqlType::Decimal {
    precision: 20,
    scale: 0,
};
const COUNT: SqlType = SqlType::Decimal {
    precision: 10,
    scale: 0,
};
const TEXT: SqlType = SqlType::NVarChar(Some(255));
const PATH: SqlType = SqlType::NVarChar(Some(260));
const WORD: SqlType = SqlType::NVarChar(Some(32));

/// Every table, in the order of their making.
pub const TABLES: [Table; 7] = [
    Table {
        name: "backupmediaset",
        columns: &MEDIA_SET,
    },
    Table {
        name: "backupmediafamily",
        columns: &MEDIA_FAMILY,
    },
    Table {
        name: "backupset",
        columns: &BACKUP_SET,
    },
    Table {
        name: "backupfile",
        columns: &BACKUP_FILE,
    },
    Table {
        name: "restorehistory",
        columns: &RESTORE_HISTORY,
    },
    Table {
        name: "logmarkhistory",
        columns: &LOG_MARK_HISTORY,
    },
    Table {
        name: "suspect_pages",
        columns: &SUSPECT_PAGES,
    },
];

const MEDIA_SET: [Shape; 12] = [
    identity("media_set_id"),
    column("media_uuid", GUID),
    column("media_family_count", TINY),
    column("name", NAME),
    column("description", TEXT),
    column("software_name", NAME),
    column("software_vendor_id", INT),
    column("MTF_major_version", TINY),
    column("mirror_count", TINY),
    column("is_password_protected", BIT),
    column("is_compressed", BIT),
    column("is_encrypted", BIT),
];

const MEDIA_FAMILY: [Shape; 9] = [
    required("media_set_id", INT),
    required("family_sequence_number", TINY),
    column("media_family_id", GUID),
    column("media_count", INT),
    column("logical_device_name", NAME),
    column("physical_device_name", PATH),
    column("device_type", TINY),
    column("physical_block_size", INT),
    required("mirror", TINY),
];

const BACKUP_SET: [Shape; 65] = [
    identity("backup_set_id"),
    required("backup_set_uuid", GUID),
    required("media_set_id", INT),
    column("first_family_number", TINY),
    column("first_media_number", SMALL),
    column("last_family_number", TINY),
    column("last_media_number", SMALL),
    column("catalog_family_number", TINY),
    column("catalog_media_number", SMALL),
    column("position", INT),
    column("expiration_date", TIME),
    column("software_vendor_id", INT),
    column("name", NAME),
    column("description", TEXT),
    column("user_name", NAME),
    column("software_major_version", TINY),
    column("software_minor_version", TINY),
    column("software_build_version", SMALL),
    column("time_zone", SMALL),
    column("mtf_minor_version", TINY),
    column("first_lsn", LSN),
    column("last_lsn", LSN),
    column("checkpoint_lsn", LSN),
    column("database_backup_lsn", LSN),
    column("database_creation_date", TIME),
    column("backup_start_date", TIME),
    column("backup_finish_date", TIME),
    column("type", LETTER),
    column("sort_order", SMALL),
    column("code_page", SMALL),
    column("compatibility_level", TINY),
    column("database_version", INT),
    column("backup_size", BYTES),
    column("database_name", NAME),
    column("server_name", NAME),
    column("machine_name", NAME),
    column("flags", INT),
    column("unicode_locale", INT),
    column("unicode_compare_style", INT),
    column("collation_name", NAME),
    column("is_password_protected", BIT),
    column("recovery_model", SqlType::NVarChar(Some(60))),
    column("has_bulk_logged_data", BIT),
    column("is_snapshot", BIT),
    column("is_readonly", BIT),
    column("is_single_user", BIT),
    column("has_backup_checksums", BIT),
    column("is_damaged", BIT),
    column("begins_log_chain", BIT),
    column("has_incomplete_metadata", BIT),
    column("is_force_offline", BIT),
    column("is_copy_only", BIT),
    column("first_recovery_fork_guid", GUID),
    column("last_recovery_fork_guid", GUID),
    column("fork_point_lsn", LSN),
    column("database_guid", GUID),
    column("family_guid", GUID),
    column("differential_base_lsn", LSN),
    column("differential_base_guid", GUID),
    column("compressed_backup_size", BYTES),
    column("key_algorithm", WORD),
    column("encryptor_thumbprint", SqlType::VarBinary(Some(20))),
    column("encryptor_type", WORD),
    since_2022("last_valid_restore_time", TIME),
    since_2022("compression_algorithm", WORD),
];

const BACKUP_FILE: [Shape; 26] = [
    required("backup_set_id", INT),
    column("first_family_number", TINY),
    column("first_media_number", SMALL),
    column("filegroup_name", NAME),
    column("page_size", INT),
    required("file_number", COUNT),
    column("backed_up_page_count", COUNT),
    column("file_type", LETTER),
    column("source_file_block_size", COUNT),
    column("file_size", BYTES),
    column("logical_name", NAME),
    column("physical_drive", PATH),
    column("physical_name", PATH),
    column("state", TINY),
    column("state_desc", SqlType::NVarChar(Some(64))),
    column("create_lsn", LSN),
    column("drop_lsn", LSN),
    column("file_guid", GUID),
    column("read_only_lsn", LSN),
    column("read_write_lsn", LSN),
    column("differential_base_lsn", LSN),
    column("differential_base_guid", GUID),
    column("backup_size", BYTES),
    column("filegroup_guid", GUID),
    column("is_readonly", BIT),
    column("is_present", BIT),
];

const RESTORE_HISTORY: [Shape; 13] = [
    identity("restore_history_id"),
    column("restore_date", TIME),
    column("destination_database_name", NAME),
    column("user_name", NAME),
    required("backup_set_id", INT),
    column("restore_type", LETTER),
    column("replace", BIT),
    column("recovery", BIT),
    column("restart", BIT),
    column("stop_at", TIME),
    column("device_count", TINY),
    column("stop_at_mark_name", NAME),
    column("stop_before", BIT),
];

const LOG_MARK_HISTORY: [Shape; 6] = [
    required("database_name", NAME),
    required("mark_name", NAME),
    column("description", TEXT),
    required("user_name", NAME),
    required("lsn", LSN),
    required("mark_time", TIME),
];

const SUSPECT_PAGES: [Shape; 6] = [
    required("database_id", INT),
    required("file_id", INT),
    required("page_id", SqlType::BigInt),
    required("event_type", INT),
    required("error_count", INT),
    required("last_update_date", TIME),
];

/// The name of a table's identity column, if it has one.
#[must_use]
pub fn identity_of(table: &Table) -> Option<&'static str> {
    let shape = table.columns.iter().find(|shape| shape.is == Is::Identity);
    shape.map(|shape| shape.name)
}

/// The columns that a table has in this version, by name, in order.
pub fn columns(table: &Table, version: Version) -> impl Iterator<Item = &'static str> {
    known(table, version).map(|shape| shape.name)
}

fn known(table: &Table, version: Version) -> impl Iterator<Item = &'static Shape> {
    let is_known = move |is: Is| is != Is::Since2022 || version >= Version::V2022;
    table.columns.iter().filter(move |shape| is_known(shape.is))
}

/// The statement that makes a table.
#[must_use]
pub fn text(table: &Table, version: Version) -> String {
    let columns: Vec<_> = known(table, version).map(definition).collect();
    format!("CREATE TABLE dbo.{} ({})", table.name, columns.join(", "))
}

fn definition(shape: &Shape) -> String {
    let suffix = match shape.is {
        Is::Identity => "IDENTITY(1,1) NOT NULL PRIMARY KEY",
        Is::Required => "NOT NULL",
        Is::Nullable | Is::Since2022 => "NULL",
    };
    format!("{} {} {suffix}", shape.name, shape.ty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(version: Version) -> Vec<&'static str> {
        super::columns(&TABLES[2], version).collect()
    }

    #[test]
    fn the_columns_of_2022_are_absent_before_it() {
        let new = ["last_valid_restore_time", "compression_algorithm"];
        let after = columns(Version::V2022);
        assert!(new.iter().all(|name| after.contains(name)));
        let before = columns(Version::V2019);
        assert!(!new.iter().any(|name| before.contains(name)));
        assert_eq!(before.len() + 2, after.len());
    }

    #[test]
    fn a_table_is_made_by_a_statement() {
        assert_eq!(
            text(&TABLES[5], Version::V2022),
            "CREATE TABLE dbo.logmarkhistory (database_name nvarchar(128) NOT NULL, \
              mark_name nvarchar(128) NOT NULL, description nvarchar(255) NULL, \
              user_name nvarchar(128) NOT NULL, lsn decimal(25,0) NOT NULL, \
              mark_time datetime NOT NULL)"
        );
    }

    #[test]
    fn no_table_has_two_columns_of_one_name() {
        for table in TABLES {
            let mut names: Vec<_> = table.columns.iter().map(|shape| shape.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        }
    }
}
