//! SQL Server's messages, one function each, with their numbers, classes and words.
//!
//! Start by searching for the number. Errors and information are one type, [`SqlError`];
//! information has class 10 here and travels as class 0, which is the wire's affair. Nothing here
//! decides when a message is raised. All functions are re-exported, so `messages::lock_timeout()`
//! is the way to say it.
//!
//! [`SqlError`]: crate::error::SqlError

mod backup;
mod data;
mod database;
mod restore;
mod security;
mod syntax;
mod transaction;

pub use backup::*;
pub use data::*;
pub use database::*;
pub use restore::*;
pub use security::*;
pub use syntax::*;
pub use transaction::*;

use crate::error::SqlError;

/// 3014: the last information of a successful backup or restore. `statement` is `BACKUP DATABASE`,
/// `RESTORE LOG`, ...; the time and the rate are computed from `pages` of 8 KiB and milliseconds.
#[must_use]
pub fn successfully_processed(statement: &str, pages: u64, milliseconds: u64) -> SqlError {
    let milliseconds = milliseconds.max(1);
    // Thousandths of a mebibyte a second: pages / 128 * 1000 * 1000 / ms.
    let rate = u128::from(pages) * 1_000_000 / 128 / u128::from(milliseconds);
    let (seconds, thousandths) = (milliseconds / 1000, milliseconds % 1000);
    let text = format!(
        "{statement} successfully processed {pages} pages in {seconds}.{thousandths:03} seconds \
         ({}.{:03} MB/sec).",
        rate / 1000,
        rate % 1000
    );
    SqlError::new(3014, 10, text)
}

/// 50000: what `RAISERROR` with a text and `THROW` raise, with the severity and state asked for.
#[must_use]
pub fn user_message(number: i32, class: u8, state: u8, text: &str) -> SqlError {
    SqlError::new(number, class, text).with_state(state)
}

/// 0: what `PRINT` sends.
#[must_use]
pub fn printed(text: &str) -> SqlError {
    SqlError::new(0, 0, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_numbers_classes_and_words() {
        let message = log_backup_without_full();
        assert_eq!(
            (message.number, message.class, message.state),
            (4214, 16, 1)
        );
        assert_eq!(
            message.text,
            "BACKUP LOG cannot be performed because there is no current database backup."
        );
        assert!(log_chain_broken().is_info());
        assert!(!bulk_logged_changes("a").is_info());
        let deadlock = deadlock_victim(55, "lock");
        assert!(
            deadlock
                .text
                .contains("(Process ID 55) was deadlocked on lock resources")
        );
    }

    #[test]
    fn the_rate_of_3014_is_computed_from_pages_and_time() {
        let text = successfully_processed("BACKUP LOG", 256, 500).text;
        assert_eq!(
            text,
            "BACKUP LOG successfully processed 256 pages in 0.500 seconds (4.000 MB/sec)."
        );
    }
}
