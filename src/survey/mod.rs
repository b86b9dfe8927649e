//! The survey: facts read from the hosts, dated, maybe partial. The planner sees nothing else of the world.
//!
//! Start at [`Survey`] and [`take`]. Gathering reads only; a host that does not answer is a fact of its own.

mod facts;
mod gather;
mod reported;

pub use facts::{
    BackupRow, HostFacts, HostReport, LINK_SIGNATURE, LinkFacts, LinkMapping, MarkLogFacts,
    MemberFacts, MemberState, MovedMember, RecoveryModel, Replica, Seeding, Survey,
    UnresolvedMember,
};
pub use gather::take;
pub use reported::{EventSession, PROGRAM_NAME, ReportedError, event_session_name};
