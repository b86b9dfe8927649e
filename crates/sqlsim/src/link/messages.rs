//! SQL Server's messages about linked servers, with their numbers, classes and words.
//!
//! Start by searching for the number. Nothing here decides when one is raised.

use crate::error::SqlError;

/// 7202: no such link.
#[must_use]
pub fn server_not_found(server: &str) -> SqlError {
    SqlError::new(
        7202,
        11,
        format!(
            "Could not find server '{server}' in sys.servers. Verify that the correct server name was \
             specified. If necessary, execute the stored procedure sp_addlinkedserver to add the \
             server to sys.servers."
        ),
    )
}

/// 7303: the other host cannot be reached, or does not take the connection.
#[must_use]
pub fn cannot_initialize(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7303,
        16,
        format!(
            "Cannot initialize the data source object of OLE DB provider \"{provider}\" for linked \
             server \"{server}\"."
        ),
    )
}

/// 7412: what the provider says, before the error that follows from it. Class 10, as SQL Server
/// prints it.
#[must_use]
pub fn provider_message(provider: &str, server: &str, text: &str) -> SqlError {
    SqlError::new(
        7412,
        10,
        format!("OLE DB provider \"{provider}\" for linked server \"{server}\" returned message \"{text}\"."),
    )
}

/// 7399: the provider failed without telling more.
#[must_use]
pub fn provider_failed(provider: &str, server: &str, text: &str) -> SqlError {
    SqlError::new(
        7399,
        16,
        format!("The OLE DB provider \"{provider}\" for linked server \"{server}\" reported an error. {text}"),
    )
}

/// 7391: the other host cannot join the transaction.
#[must_use]
pub fn cannot_enlist(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7391,
        16,
        format!(
            "The operation could not be performed because OLE DB provider \"{provider}\" for linked \
             server \"{server}\" was unable to begin a distributed transaction."
        ),
    )
}

/// 7411: `rpc out` or `data access` is off. `feature` is `RPC` or `DATA ACCESS`.
#[must_use]
pub fn not_configured(server: &str, feature: &str) -> SqlError {
    SqlError::new(7411, 16, format!("Server '{server}' is not configured for {feature}."))
}

/// 7416: no mapping for this login.
#[must_use]
pub fn no_login_mapping() -> SqlError {
    SqlError::new(
        7416,
        16,
        "Access to the remote server is denied because no login-mapping exists.",
    )
}

/// 7437: a mapping to oneself cannot be used while impersonating.
#[must_use]
pub fn impersonated() -> SqlError {
    SqlError::new(
        7437,
        16,
        "Linked servers cannot be used under impersonation without a mapping for the impersonated login.",
    )
}

/// 7396: an output parameter of a type that cannot travel.
#[must_use]
pub fn output_too_large(ty: &str) -> SqlError {
    SqlError::new(
        7396,
        16,
        format!(
            "Varchar(max), nvarchar(max), varbinary(max) and large CLR type data types are not supported \
             as return value or output parameter to remote queries ({ty})."
        ),
    )
}

/// 7313: a four-part name without schema or catalog where the provider needs one.
#[must_use]
pub fn invalid_schema(provider: &str, server: &str) -> SqlError {
    SqlError::new(
        7313,
        16,
        format!(
            "An invalid schema or catalog was specified for the provider \"{provider}\" for linked \
             server \"{server}\"."
        ),
    )
}

/// 7314: no such table there, or no right to it.
#[must_use]
pub fn no_such_table(provider: &str, server: &str, table: &str) -> SqlError {
    SqlError::new(
        7314,
        16,
        format!(
            "The OLE DB provider \"{provider}\" for linked server \"{server}\" does not contain the table \
             \"{table}\". The table either does not exist or the current user does not have permissions \
             on that table."
        ),
    )
}

/// 3910: the transaction came back to the host where it began, or met itself on a host.
#[must_use]
pub fn transaction_in_use() -> SqlError {
    SqlError::new(3910, 16, "Transaction context in use by another session.")
}

/// 10054: the connection broke while a statement ran.
#[must_use]
pub fn connection_broken() -> SqlError {
    SqlError::new(
        10054,
        16,
        "TCP Provider: An existing connection was forcibly closed by the remote host.",
    )
}

/// 15028: the link exists.
#[must_use]
pub fn server_exists(server: &str) -> SqlError {
    SqlError::new(15028, 16, format!("The server '{server}' already exists."))
}

/// 15015: no such link, said by the procedures that change links.
#[must_use]
pub fn server_unknown(server: &str) -> SqlError {
    SqlError::new(
        15015,
        16,
        format!("The server '{server}' does not exist. Use sp_helpserver to show available servers."),
    )
}

/// 15190: logins are still mapped.
#[must_use]
pub fn server_has_logins(server: &str) -> SqlError {
    SqlError::new(
        15190,
        16,
        format!("There are still remote logins or linked logins for the server '{server}'."),
    )
}

/// 15007: no such local login.
#[must_use]
pub fn no_such_login(login: &str) -> SqlError {
    SqlError::new(
        15007,
        16,
        format!("'{login}' is not a valid login or you do not have permission."),
    )
}

/// 15600: an option or a value that a procedure does not know.
#[must_use]
pub fn bad_server_option() -> SqlError {
    invalid_parameter("sys.sp_serveroption")
}

/// 15600: an argument that a procedure does not take.
#[must_use]
pub fn invalid_parameter(procedure: &str) -> SqlError {
    SqlError::new(
        15600,
        15,
        format!("An invalid parameter or option was specified for procedure '{procedure}'."),
    )
}

/// 15427: product `SQL Server` takes no provider.
#[must_use]
pub fn product_takes_no_provider(product: &str) -> SqlError {
    SqlError::new(
        15428,
        16,
        format!("You cannot specify a provider or any properties for product '{product}'."),
    )
}

/// 15429: a product without a provider.
#[must_use]
pub fn provider_needed(product: &str) -> SqlError {
    SqlError::new(15429, 16, format!("'{product}' is an invalid product name."))
}

/// 15002: not inside a transaction.
#[must_use]
pub fn not_in_transaction(procedure: &str) -> SqlError {
    SqlError::new(
        15002,
        16,
        format!("The procedure '{procedure}' cannot be executed within a transaction."),
    )
}

/// 15247: the right to change links or logins is missing.
#[must_use]
pub fn no_permission() -> SqlError {
    SqlError::new(15247, 16, "User does not have permission to perform this action.")
}
