//! Messages of rights, logins, linked servers and distributed transactions.
//!
//! Search for the number. Nothing here decides when a message is raised.

use crate::error::SqlError;

/// 229: a right that is missing on an object.
#[must_use]
pub fn permission_denied_on_object(
    permission: &str,
    object: &str,
    database: &str,
    schema: &str,
) -> SqlError {
    SqlError::new(
        229,
        14,
        format!(
            "The {permission} permission was denied on the object '{object}', database \
         '{database}', schema '{schema}'."
        ),
    )
}

/// 262: a right that is missing in a database.
#[must_use]
pub fn permission_denied_in_database(permission: &str, database: &str) -> SqlError {
    SqlError::new(
        262,
        14,
        format!("{permission} permission denied in database '{database}'."),
    )
}

/// 297: a right that is missing on the server.
#[must_use]
pub fn no_permission_for_action() -> SqlError {
    SqlError::new(
        297,
        16,
        "The user does not have permission to perform this action.",
    )
}

/// 300: a right that is missing, for instance `VIEW SERVER STATE` on `server`.
#[must_use]
pub fn permission_denied(permission: &str, object: &str, database: &str) -> SqlError {
    SqlError::new(
        300,
        14,
        format!("{permission} permission was denied on object '{object}', database '{database}'."),
    )
}

/// 4060: a login into a database that does not open.
#[must_use]
pub fn cannot_open_database(database: &str) -> SqlError {
    SqlError::new(
        4060,
        11,
        format!("Cannot open database \"{database}\" requested by the login. The login failed."),
    )
}

/// 7202: an unknown linked server.
#[must_use]
pub fn server_not_found(server: &str) -> SqlError {
    SqlError::new(
        7202,
        11,
        format!(
            "Could not find server '{server}' in sys.servers. Verify that the correct \
         server name was specified. If necessary, execute the stored procedure \
         sp_addlinkedserver to add the server to sys.servers."
        ),
    )
}

/// 7303: a linked server that does not answer or refuses.
#[must_use]
pub fn cannot_initialize_link(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7303,
        16,
        format!(
            "Cannot initialize the data source object of OLE DB provider \"{provider}\" \
         for linked server \"{server}\"."
        ),
    )
}

/// 7314: a table that is not there.
#[must_use]
pub fn remote_table_not_found(provider: &str, server: &str, table: &str) -> SqlError {
    SqlError::new(
        7314,
        16,
        format!(
            "The OLE DB provider \"{provider}\" for linked server \"{server}\" does not \
         contain the table \"{table}\". The table either does not exist or the \
         current user does not have permissions on that table."
        ),
    )
}

/// 7391: a linked server that cannot enlist.
#[must_use]
pub fn cannot_begin_distributed(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7391,
        16,
        format!(
            "The operation could not be performed because OLE DB provider \"{provider}\" \
         for linked server \"{server}\" was unable to begin a distributed \
         transaction."
        ),
    )
}

/// 7392: a linked server that begins no transaction.
#[must_use]
pub fn cannot_start_remote_transaction(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7392,
        16,
        format!(
            "Cannot start a transaction for OLE DB provider \"{provider}\" for linked \
         server \"{server}\"."
        ),
    )
}

/// 7395: a remote change without `XACT_ABORT ON`.
#[must_use]
pub fn nested_remote_transaction(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7395,
        16,
        format!(
            "Unable to start a nested transaction for OLE DB provider \"{provider}\" for \
         linked server \"{server}\". A nested transaction was required because the \
         XACT_ABORT option was set to OFF."
        ),
    )
}

/// 7396: a `max` output over a linked server.
#[must_use]
pub fn max_type_to_remote() -> SqlError {
    SqlError::new(
        7396,
        16,
        "Varchar(max), nvarchar(max), varbinary(max) and large CLR type data types \
         are not supported as return value or output parameter to remote queries.",
    )
}

/// 7399: any failure of a provider.
#[must_use]
pub fn provider_error(provider: &str, server: &str, text: &str) -> SqlError {
    SqlError::new(
        7399,
        16,
        format!(
            "The OLE DB provider \"{provider}\" for linked server \"{server}\" reported \
         an error. {text}"
        ),
    )
}

/// 7411: a linked server without `RPC` or `DATA ACCESS`.
#[must_use]
pub fn not_configured_for(server: &str, kind: &str) -> SqlError {
    SqlError::new(
        7411,
        16,
        format!("Server '{server}' is not configured for {kind}."),
    )
}

/// 7412: what the provider says.
#[must_use]
pub fn provider_message(provider: &str, server: &str, text: &str) -> SqlError {
    SqlError::new(
        7412,
        16,
        format!(
            "OLE DB provider \"{provider}\" for linked server \"{server}\" returned \
         message \"{text}\"."
        ),
    )
}

/// 7416: a login without mapping.
#[must_use]
pub fn no_login_mapping() -> SqlError {
    SqlError::new(
        7416,
        16,
        "Access to the remote server is denied because no login-mapping exists.",
    )
}

/// 7437: a linked server under `EXECUTE AS`.
#[must_use]
pub fn impersonation_without_mapping() -> SqlError {
    SqlError::new(
        7437,
        16,
        "Linked servers cannot be used under impersonation without a mapping for the \
         impersonated login.",
    )
}

/// 8501: MSDTC that does not run.
#[must_use]
pub fn dtc_unavailable(server: &str) -> SqlError {
    SqlError::new(
        8501,
        16,
        format!("MSDTC on server '{server}' is unavailable."),
    )
}

/// 8509: a transaction that could not be enlisted.
#[must_use]
pub fn dtc_import_failed(reason: &str) -> SqlError {
    SqlError::new(
        8509,
        16,
        format!(
            "Import of Microsoft Distributed Transaction Coordinator (MS DTC) transaction \
         failed: {reason}."
        ),
    )
}

/// 8522: a transaction that MSDTC ended.
#[must_use]
pub fn dtc_aborted() -> SqlError {
    SqlError::new(
        8522,
        20,
        "Microsoft Distributed Transaction Coordinator (MS DTC) has stopped this \
         transaction.",
    )
}

/// 15007: an unknown login.
#[must_use]
pub fn not_a_valid_login(name: &str) -> SqlError {
    SqlError::new(
        15007,
        16,
        format!("'{name}' is not a valid login or you do not have permission."),
    )
}

/// 15009: an unknown object of a system procedure.
#[must_use]
pub fn object_invalid_for_operation(object: &str, database: &str) -> SqlError {
    SqlError::new(
        15009,
        16,
        format!(
            "The object '{object}' does not exist in database '{database}' or is invalid \
         for this operation."
        ),
    )
}

/// 15015: an unknown server of `sp_dropserver` and its kin.
#[must_use]
pub fn link_not_found(server: &str) -> SqlError {
    SqlError::new(
        15015,
        16,
        format!(
            "The server '{server}' does not exist. Use sp_helpserver to show available \
         servers."
        ),
    )
}

/// 15023: a user name taken.
#[must_use]
pub fn principal_exists_in_database(name: &str) -> SqlError {
    SqlError::new(
        15023,
        16,
        format!("User, group, or role '{name}' already exists in the current database."),
    )
}

/// 15025: a login name taken.
#[must_use]
pub fn principal_exists(name: &str) -> SqlError {
    SqlError::new(
        15025,
        16,
        format!("The server principal '{name}' already exists."),
    )
}

/// 15028: a linked server name taken.
#[must_use]
pub fn link_exists(server: &str) -> SqlError {
    SqlError::new(15028, 16, format!("The server '{server}' already exists."))
}

/// 15123: an unknown option of `sp_configure`.
#[must_use]
pub fn option_does_not_exist(option: &str) -> SqlError {
    SqlError::new(
        15123,
        16,
        format!(
            "The configuration option '{option}' does not exist, or it may be an advanced \
         option."
        ),
    )
}

/// 15151: an unknown principal; action is `drop`, `alter`, `find` or `add`.
#[must_use]
pub fn principal_not_found(action: &str, kind: &str, name: &str) -> SqlError {
    SqlError::new(
        15151,
        16,
        format!(
            "Cannot {action} the {kind} '{name}', because it does not exist or you do not \
         have permission."
        ),
    )
}

/// 15190: `sp_dropserver` without `droplogins`.
#[must_use]
pub fn remote_logins_left(server: &str) -> SqlError {
    SqlError::new(
        15190,
        16,
        format!("There are still remote logins or linked logins for the server '{server}'."),
    )
}

/// 15247: a system procedure without the right.
#[must_use]
pub fn no_permission() -> SqlError {
    SqlError::new(
        15247,
        16,
        "User does not have permission to perform this action.",
    )
}

/// 15457: information of `sp_configure`.
#[must_use]
pub fn configuration_changed(option: &str, from: i64, to: i64) -> SqlError {
    SqlError::new(
        15457,
        10,
        format!(
            "Configuration option '{option}' changed from {from} to {to}. Run the \
         RECONFIGURE statement to install."
        ),
    )
}

/// 15517: `EXECUTE AS` of someone impossible; kind is `server` or `database`.
#[must_use]
pub fn cannot_execute_as(kind: &str, name: &str) -> SqlError {
    SqlError::new(
        15517,
        16,
        format!(
            "Cannot execute as the {kind} principal because the principal \"{name}\" does \
         not exist, this type of principal cannot be impersonated, or you do not have \
         permission."
        ),
    )
}

/// 18452: a Windows login from elsewhere.
#[must_use]
pub fn untrusted_domain() -> SqlError {
    SqlError::new(
        18452,
        14,
        "Login failed. The login is from an untrusted domain and cannot be used with \
         Integrated authentication.",
    )
}

/// 18456: a refused login.
#[must_use]
pub fn login_failed(name: &str) -> SqlError {
    SqlError::new(18456, 14, format!("Login failed for user '{name}'."))
}
