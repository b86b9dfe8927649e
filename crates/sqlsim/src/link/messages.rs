//! The few of SQL Server's messages that only links and distributed transactions raise.
//!
//! Start by searching for the number; all others are in [`crate::messages`]. Nothing here decides
//! when one is raised.

use crate::error::SqlError;

/// 1206: the distributed transaction was rolled back by a coordinator.
#[must_use]
pub fn dtc_cancelled() -> SqlError {
    SqlError::new(
        1206,
        18,
        "The Microsoft Distributed Transaction Coordinator (MS DTC) has cancelled the distributed \
         transaction.",
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

/// 10054: the connection broke while a statement ran.
#[must_use]
pub fn connection_broken() -> SqlError {
    SqlError::new(
        10054,
        16,
        "TCP Provider: An existing connection was forcibly closed by the remote host.",
    )
}

/// 15002: not inside a transaction.
#[must_use]
pub fn not_within_transaction(procedure: &str) -> SqlError {
    SqlError::new(
        15002,
        16,
        format!("The procedure 'sys.{procedure}' cannot be executed within a transaction."),
    )
}

/// 15428: the product `SQL Server` takes no provider.
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
pub fn invalid_product(product: &str) -> SqlError {
    SqlError::new(
        15429,
        16,
        format!("'{product}' is an invalid product name."),
    )
}

/// 15600: an argument that a procedure does not take.
#[must_use]
pub fn invalid_parameter(procedure: &str) -> SqlError {
    SqlError::new(
        15600,
        15,
        format!("An invalid parameter or option was specified for procedure 'sys.{procedure}'."),
    )
}
