//! Findings: what a scan noticed, where, and how grave it is.
//!
//! Start at [`FindingKind`]. A finding is a value, not an error: bad media are what a reader of
//! media is for.
//!
//! This file never decides that something is wrong; it says what was.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Lsn;
use crate::block::BlockVerdict;

/// How deep one must look to notice.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// L1: headers, their checksums and their order.
    #[default]
    Structure,
    /// L2: what the media say they are, told twice and compared.
    Identity,
    /// L3: the bytes of pages, log and streams.
    Content,
}

impl Level {
    /// All levels, from the shallowest.
    pub const ALL: [Self; 3] = [Self::Structure, Self::Identity, Self::Content];

    /// Its number: 1 for structure, 2 for identity, 3 for content.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Structure => 1,
            Self::Identity => 2,
            Self::Content => 3,
        }
    }
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; speaks against nothing.
    Note,
    /// May be damage, may be harmless; what would tell is not in this file.
    Suspect,
    /// Not understood, so nothing was proved.
    Unreadable,
    /// The bytes are not what SQL Server wrote.
    Damage,
}

/// Something noticed at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// How deep one had to look.
    pub level: Level,
    /// What it is; in JSON its name stands in `kind` and its fields beside `offset`.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// What was noticed. The variants stand by level: structure, identity, content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The file has no bytes.
    Empty,
    /// The file is no backup media at all.
    NotMedia,
    /// A container in which nothing could be read: encrypted, or compressed in an unknown way.
    Container,
    /// A compressed container of the layout before SQL Server 2014, which nobody could try here.
    OlderContainer,
    /// A record of a compressed container does not have its checksum, or does not decode.
    RecordDamaged,
    /// What stands in a compressed container is of an unknown kind; nothing after it could be read.
    UnknownRecord {
        /// Its first byte.
        found: String,
    },
    /// Tape media, but not of SQL Server.
    ForeignSoftware {
        /// The software that wrote them.
        software: String,
    },
    /// The media go on in another file (`EOTM`).
    ContinuesElsewhere,
    /// A block header is not one, or its checksum is wrong; nothing after it could be read.
    BadBlockHeader,
    /// A stream header is not one, or its checksum is wrong; nothing after it could be read.
    BadStreamHeader,
    /// A length that no file can have.
    ImpossibleLength {
        /// The length claimed, in bytes.
        length_bytes: u64,
    },
    /// The media header claims a filemark size that no device has.
    BadFilemarkSize {
        /// The size claimed, in bytes.
        size_bytes: u32,
    },
    /// A block stands where another kind belongs.
    OutOfOrder {
        /// The block found.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// A kind of block that this crate does not know; its streams were passed over.
    UnknownBlock {
        /// Its four letters.
        found: String,
    },
    /// A block says that it lies elsewhere: bytes before it are missing or too many.
    Misplaced,
    /// A filemark does not list the filemarks before it.
    FilemarksDisagree,
    /// The end of a backup set names another number or date than its beginning.
    EndDisagrees,
    /// The backup set was given up while it was written.
    Aborted,
    /// The file ends too early.
    Truncated {
        /// What belongs where it ends.
        expected: String,
    },
    /// Zeros stand where something belongs: room was made in the file, and whoever wrote it was stopped before he used it.
    /// SQL Server makes room ahead for compressed backups.
    Unwritten {
        /// What belongs there.
        expected: String,
    },
    /// The media are formatted but hold no backup set.
    NoSets,
    /// A record is longer than any that SQL Server writes; it was passed over.
    TooLarge {
        /// Its length in bytes.
        length_bytes: u64,
    },
    /// More backup sets than are kept in a report: they were scanned, but are not listed.
    SetsNotKept,

    /// The media header has no readable description of its media set.
    NoMediaSet,
    /// One stripe of several: it can be restored only together with its siblings.
    StripeOf {
        /// This stripe, from 1.
        number: u16,
        /// Stripes in all.
        count: u16,
    },
    /// The stripe number is none from 1 to the stripe count.
    BadStripe {
        /// The number claimed.
        number: u16,
        /// The count claimed.
        count: u16,
    },
    /// An identity record cannot be read.
    BadIdentity {
        /// What about it.
        reason: String,
    },
    /// A backup set has no readable identity in front or behind.
    NoIdentity,
    /// The copies of the identity in front and behind differ where they must not.
    CopiesDisagree {
        /// The field in which they differ.
        field: String,
    },
    /// The log in the backup set does not begin or end at the LSN of its identity.
    LogRangeDisagrees {
        /// The LSN of the identity.
        lsn: Lsn,
    },
    /// A log extent ends before it begins.
    BadLogExtent {
        /// Offset in the log file where it says that it begins, in bytes.
        start_bytes: u64,
        /// Offset in the log file where it says that it ends, in bytes.
        end_bytes: u64,
    },
    /// The backup set does not hold as many pages as its identity says.
    PagesDisagree {
        /// Pages by the identity.
        expected: u64,
        /// Pages found.
        found: u64,
    },

    /// A stream of `WITH CHECKSUM` does not have its checksum.
    StreamChecksumWrong,
    /// A stream of a backup set `WITH CHECKSUM` is followed by no checksum.
    StreamChecksumMissing,
    /// A stream in several segments has a checksum of a kind that could not be recomputed.
    StreamChecksumUnproved,
    /// The data are not a whole number of pages; the rest was not looked at.
    NotWholePages,
    /// A page that is in use is damaged.
    PageDamaged {
        /// The file, 0 if not known.
        file_id: u16,
        /// The page that belongs there.
        page_id: u32,
    },
    /// A page looks damaged, but whether it is in use is not known.
    PageSuspect {
        /// The file.
        file_id: u16,
        /// The page.
        page_id: u32,
    },
    /// A log block is damaged, or not where it says.
    LogBlockDamaged {
        /// The block that belongs there.
        lsn: Lsn,
        /// What is wrong with it.
        verdict: BlockVerdict,
    },
    /// A log extent holds fewer bytes than it says.
    LogShort {
        /// Bytes by its header.
        expected_bytes: u64,
        /// Bytes found.
        found_bytes: u64,
    },
    /// A log extent is spread over several stripes; its blocks were not verified.
    LogStriped,
}

impl Finding {
    pub(crate) fn new(offset: u64, kind: FindingKind) -> Self {
        Self {
            offset,
            level: kind.level(),
            kind,
        }
    }
}

impl FindingKind {
    /// How deep one must look to notice.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::NoMediaSet
            | Self::StripeOf { .. }
            | Self::BadStripe { .. }
            | Self::BadIdentity { .. }
            | Self::NoIdentity
            | Self::CopiesDisagree { .. }
            | Self::LogRangeDisagrees { .. }
            | Self::BadLogExtent { .. }
            | Self::PagesDisagree { .. } => Level::Identity,
            Self::StreamChecksumWrong
            | Self::StreamChecksumMissing
            | Self::StreamChecksumUnproved
            | Self::NotWholePages
            | Self::PageDamaged { .. }
            | Self::PageSuspect { .. }
            | Self::LogBlockDamaged { .. }
            | Self::LogShort { .. }
            | Self::LogStriped => Level::Content,
            _ => Level::Structure,
        }
    }

    /// How grave it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::UnknownBlock { .. }
            | Self::SetsNotKept
            | Self::StripeOf { .. }
            | Self::StreamChecksumUnproved
            | Self::NotWholePages
            | Self::LogStriped => Severity::Note,
            Self::PageSuspect { .. } => Severity::Suspect,
            Self::Empty
            | Self::NotMedia
            | Self::Container
            | Self::OlderContainer
            | Self::UnknownRecord { .. }
            | Self::ForeignSoftware { .. }
            | Self::ContinuesElsewhere
            | Self::NoSets
            | Self::TooLarge { .. } => Severity::Unreadable,
            _ => Severity::Damage,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level() {
            Level::Structure => self.fmt_structure(f),
            Level::Identity => self.fmt_identity(f),
            Level::Content => self.fmt_content(f),
        }
    }
}

impl FindingKind {
    fn fmt_structure(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty"),
            Self::Container => f.write_str("a compressed or encrypted container, unreadable"),
            Self::OlderContainer => {
                f.write_str("an older compressed container, which this version cannot read")
            }
            Self::RecordDamaged => f.write_str("a record of the compressed container is damaged"),
            Self::UnknownRecord { found } => {
                write!(
                    f,
                    "a record of the compressed container is of an unknown kind, `{found}`"
                )
            }
            Self::ForeignSoftware { software } => {
                write!(f, "tape media written by `{software}`, not by SQL Server")
            }
            Self::ContinuesElsewhere => f.write_str("the media go on in another file"),
            Self::BadBlockHeader => f.write_str("the block header is damaged"),
            Self::BadStreamHeader => f.write_str("the stream header is damaged"),
            Self::ImpossibleLength { length_bytes } => {
                write!(
                    f,
                    "the stream claims an impossible length of {length_bytes} bytes"
                )
            }
            Self::BadFilemarkSize { size_bytes } => {
                write!(f, "the media header claims filemarks of {size_bytes} bytes")
            }
            Self::OutOfOrder { found, expected } => {
                write!(f, "`{found}` stands where {expected} belongs")
            }
            Self::UnknownBlock { found } => write!(f, "block `{found}` is of an unknown kind"),
            Self::Misplaced => f.write_str("the block says that it belongs elsewhere"),
            Self::FilemarksDisagree => f.write_str("the filemark does not list those before it"),
            Self::EndDisagrees => {
                f.write_str("number or date at the end of the backup set differ from its beginning")
            }
            Self::Aborted => f.write_str("the backup set was given up while it was written"),
            Self::Truncated { expected } => {
                write!(f, "the file ends where {expected} belongs")
            }
            Self::Unwritten { expected } => {
                write!(
                    f,
                    "zeros stand where {expected} belongs: the file was not written to its end"
                )
            }
            Self::NoSets => f.write_str("the media hold no backup set"),
            Self::TooLarge { length_bytes } => {
                write!(f, "a record of {length_bytes} bytes is too long to be one")
            }
            Self::SetsNotKept => f.write_str("further backup sets were scanned but are not listed"),
            _ => f.write_str("the file is no SQL Server backup media"),
        }
    }

    fn fmt_identity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMediaSet => f.write_str("the media header does not describe its media set"),
            Self::StripeOf { number, count } => write!(f, "stripe {number} of {count}"),
            Self::BadStripe { number, count } => {
                write!(f, "stripe {number} of {count} cannot be")
            }
            Self::BadIdentity { reason } => write!(f, "the identity cannot be read: {reason}"),
            Self::CopiesDisagree { field } => {
                write!(f, "the copies of the identity differ in their {field}")
            }
            Self::LogRangeDisagrees { lsn } => {
                write!(
                    f,
                    "the log in the backup set does not begin or end at {lsn} as it says"
                )
            }
            Self::BadLogExtent {
                start_bytes,
                end_bytes,
            } => write!(
                f,
                "a log extent cannot begin at byte {start_bytes} and end at byte {end_bytes}"
            ),
            Self::PagesDisagree { expected, found } => {
                write!(f, "the backup set holds {found} pages, but says {expected}")
            }
            _ => f.write_str("the backup set has no readable identity"),
        }
    }

    fn fmt_content(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StreamChecksumMissing => f.write_str("the stream has no checksum but must"),
            Self::StreamChecksumUnproved => {
                f.write_str("the checksum of a stream in several segments was not recomputed")
            }
            Self::NotWholePages => f.write_str("the data are not a whole number of pages"),
            Self::PageDamaged { file_id, page_id } => {
                write!(f, "page {file_id}:{page_id} is damaged")
            }
            Self::PageSuspect { file_id, page_id } => {
                write!(
                    f,
                    "page {file_id}:{page_id} looks damaged but may not be in use"
                )
            }
            Self::LogBlockDamaged { lsn, verdict } => {
                let why = match verdict {
                    BlockVerdict::WrongSize => "has an impossible size",
                    BlockVerdict::WrongPlace => "belongs elsewhere in the log",
                    _ => "is damaged",
                };
                write!(f, "log block {} {why}", lsn.colon())
            }
            Self::LogShort {
                expected_bytes,
                found_bytes,
            } => {
                write!(
                    f,
                    "the log extent holds {found_bytes} of {expected_bytes} bytes"
                )
            }
            Self::LogStriped => f.write_str("the log extent is spread over several stripes"),
            _ => f.write_str("the checksum of the stream is wrong"),
        }
    }
}
