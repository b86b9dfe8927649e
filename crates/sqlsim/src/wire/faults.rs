//! Where a test may break a connection.
//!
//! Start at [`ConnectionFaults`]. The wire asks before each thing it says and obeys; what to
//! break, and when, is decided elsewhere. To delay, an implementation simply takes its time, by
//! its own clock.

use async_trait::async_trait;

/// What shall become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing happens.
    Pass,
    /// The connection is dropped at once, in the middle of whatever it was saying.
    Cut,
}

/// Breaks connections on demand.
#[async_trait]
pub trait ConnectionFaults: Send + Sync {
    /// Asked once for each connection, before its first byte is read.
    async fn connecting(&self) -> Verdict {
        Verdict::Pass
    }

    /// Asked before each event of a session is said; `said` counts those before it, from login
    /// on. What was said before is sent first.
    async fn saying(&self, spid: i16, said: u64) -> Verdict {
        let _ = (spid, said);
        Verdict::Pass
    }
}

/// Breaks nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl ConnectionFaults for NoFaults {}
