//! The nouns of Stopmark as values: names, ids, times, marks, pieces, sets.
//!
//! Start at [`MemberName`], [`Mark`] and [`Piece`]; every other room speaks in these. `docs/design` terms
//! hold here: one noun per thing.
//!
//! This room never does I/O, never asks a clock and never knows tokio.

mod certificate;
mod digest;
mod ids;
mod mark;
mod names;
mod piece;
mod set;
mod settings;
mod severity;
mod store;
mod time;

pub use certificate::{
    CERTIFICATE_FORMAT, Certificate, DrilledCheck, DrilledMember, DrilledPhase, DrilledPiece,
    Lapse, Soundness,
};
pub use digest::{CHUNK_SIZE_BYTES, Sha256Digest};
pub use ids::{PieceId, PlanId, RunId, SetId, SurveyId};
pub use mark::{Mark, MarkName, MarkNameError, MarkPrefix, MemberMark};
pub use mtf::Lsn;
pub use names::{DatabaseName, GroupName, HostName, MemberName, NameError};
pub use piece::{
    DatabaseFile, DatabaseFileKind, DifferentialBase, Piece, PieceKind, PlainStripe, ProofLevel,
    SealedStripe, StoredStripe,
};
pub(crate) use piece::{first_on_medium, is_first_on_medium};
pub use set::{MissingMember, Origin, Set, SetKind};
pub use settings::{DatabaseSettings, MemberSettings, UserLogin};
pub use severity::Severity;
pub use store::{PieceCopy, StoreName, StoreNameError};
pub use time::{ServerLocal, Timestamp};
