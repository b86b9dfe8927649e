//! Trying a step again: which failures pass by themselves, and how long to wait for each.
//!
//! Start at [`RetryRule::wait_before`]. The rule stands in the step, so that the executor has nothing to decide;
//! what an error calls for stands in `chain::errors`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chain::errors::{Class, classify, os_error};
use crate::config::PolicyConfig;
use crate::error::{Code, Error, Retry};

/// How often a step is tried again, and after which waits: each is twice the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRule {
    /// Tries after the first; 0 for none at all.
    pub times: u8,
    /// The wait before the first of them, in milliseconds.
    pub first_wait_ms: u64,
    /// The longest wait, in milliseconds.
    pub wait_ms_max: u64,
    /// All waits together for something that holds the database (3023), in milliseconds: then it is the time
    /// that counts, not the tries.
    pub busy_ms_max: u64,
}

/// What happened to a step so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Tries that failed, the first included.
    pub tries: u8,
    /// All waits between them.
    pub waited: Duration,
}

/// Why the same thing may work after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// Something else holds the database, and will let it go.
    Busy,
    /// A deadlock, the network, a store that was away.
    Transient,
}

impl RetryRule {
    /// The rule of a configuration.
    #[must_use]
    pub fn of(policy: &PolicyConfig) -> Self {
        let ms = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            times: policy.retry_times,
            first_wait_ms: ms(policy.retry_first_wait),
            wait_ms_max: ms(policy.retry_wait_max),
            busy_ms_max: ms(policy.busy_wait_max),
        }
    }

    /// How long to wait before the next try; none where there is to be none. `chance` spreads the wait over its
    /// second half, so that members that failed together do not come back together.
    #[must_use]
    pub fn wait_before(&self, passing: Passing, tried: Tried, chance: u16) -> Option<Duration> {
        let has_left = match passing {
            Passing::Busy => tried.waited < Duration::from_millis(self.busy_ms_max),
            Passing::Transient => tried.tries <= self.times,
        };
        if self.times == 0 || !has_left {
            return None;
        }
        let doubled = u32::from(tried.tries.saturating_sub(1)).min(20);
        let whole = self.first_wait_ms.saturating_mul(1 << doubled);
        let whole = whole.min(self.wait_ms_max);
        let spread = u128::from(whole / 2) * u128::from(chance) / u128::from(u16::MAX);
        let spread = u64::try_from(spread).unwrap_or(whole / 2);
        Some(Duration::from_millis(whole - whole / 2 + spread))
    }
}

/// Whether a failure passes by itself. SQL Server's number decides where there is one; without an answer it is
/// the connection that was lost. Full disks, missing rights and broken chains do not pass.
#[must_use]
pub fn passing(error: &Error) -> Option<Passing> {
    if let Some(cause) = error.sql() {
        let known = classify(cause.number, os_error(&cause.text))?;
        return match known.class {
            Class::Serialise => Some(Passing::Busy),
            Class::Retry => Some(Passing::Transient),
            _ => None,
        };
    }
    if error.code() == Code::BackupRunning {
        return Some(Passing::Busy);
    }
    let is_lost = matches!(error.code(), Code::ConnectionLost | Code::HostUnreachable);
    (is_lost && error.retry_verdict() != Retry::Never).then_some(Passing::Transient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SqlCause;

    const RULE: RetryRule = RetryRule {
        times: 3,
        first_wait_ms: 2_000,
        wait_ms_max: 10_000,
        busy_ms_max: 60_000,
    };

    fn tried(tries: u8, waited_s: u64) -> Tried {
        Tried {
            tries,
            waited: Duration::from_secs(waited_s),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_the_tries() {
        let wait = |tries, chance| {
            let wait = RULE.wait_before(Passing::Transient, tried(tries, 0), chance);
            wait.map(|wait| wait.as_millis())
        };
        assert_eq!(wait(1, 0), Some(1_000));
        assert_eq!(wait(1, u16::MAX), Some(2_000));
        assert_eq!(wait(2, u16::MAX), Some(4_000));
        assert_eq!(wait(3, u16::MAX), Some(8_000));
        assert_eq!(wait(4, 0), None);
    }

    #[test]
    fn what_is_busy_is_waited_for_by_time() {
        let wait =
            |tries, waited_s| RULE.wait_before(Passing::Busy, tried(tries, waited_s), u16::MAX);
        assert_eq!(wait(200, 59), Some(Duration::from_secs(10)));
        assert_eq!(wait(2, 60), None);
        let off = RetryRule { times: 0, ..RULE };
        assert_eq!(off.wait_before(Passing::Busy, tried(1, 0), 0), None);
    }

    #[test]
    fn each_class_of_error_goes_its_own_way() {
        let refused = |number: i32, text: &str| {
            passing(
                &Error::new(Code::BackupFailed, "x").caused_by_sql(SqlCause {
                    number,
                    class: 16,
                    text: text.to_owned(),
                }),
            )
        };
        assert_eq!(refused(3023, ""), Some(Passing::Busy));
        assert_eq!(refused(1205, ""), Some(Passing::Transient));
        let lost = "Cannot open backup device 'x'. Operating system error 64(gone.).";
        assert_eq!(refused(3201, lost), Some(Passing::Transient));
        let taken = "Cannot open backup device 'x'. Operating system error 32(in use.).";
        assert_eq!(refused(3201, taken), Some(Passing::Busy));
        let full = "Write on \"x\" failed: 112(There is not enough space on the disk.)";
        assert_eq!(refused(3202, full), None);
        for number in [4214, 3043, 3201, 262, 8134] {
            assert_eq!(refused(number, "x"), None, "{number}");
        }
        let lost = Error::new(Code::ConnectionLost, "x").retry(Retry::AfterCheck);
        assert_eq!(passing(&lost), Some(Passing::Transient));
        assert_eq!(passing(&Error::new(Code::ShareUnseen, "x")), None);
    }
}
