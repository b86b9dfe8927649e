//! The survey: facts read from the hosts, dated, maybe partial. The planner sees nothing else of the world.
//!
//! Start at [`Survey`] and [`take`]; [`TargetFacts`] are those of a host that a restore goes to. Gathering reads
//! only; a host that does not answer is a fact of its own.

mod biztalk;
mod drift;
mod facts;
mod gather;
mod links;
mod milink;
mod replicas;
mod reported;
mod rivals;
mod room;
mod support;
mod target;

pub use biztalk::{BackupJobFacts, BizTalkFacts, HistoryRowFacts, ListedDatabase};
pub use drift::{Change, Drift};
pub use facts::{
    BackupRow, HostFacts, HostReport, MarkLogFacts, MemberFacts, MemberState, MovedMember,
    RecoveryModel, Survey, UnresolvedMember, no_access,
};
pub use gather::take;
pub use links::{LINK_SIGNATURE, LinkFacts, LinkMapping};
pub use milink::{MilinkDatabase, MilinkFacts, MirrorEndpoint, ServerCertificate, major};
pub use replicas::{FarSide, Replica, Secondary, Seeding};
pub use reported::{EventSession, PROGRAM_NAME, ReportedError, event_session_name};
pub use rivals::{JobStep, RivalFacts, ShippedDatabase, TakenByOthers};
pub use room::{HostRoom, LogFile, LogRoom, most_bytes};
pub use support::{Support, support};
pub use target::{
    LastRestored, ShippingDestination, TargetDatabase, TargetFacts, TargetFile, TargetState, Volume,
};
