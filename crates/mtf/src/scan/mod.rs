//! Reading: a scanner that is fed with bytes and finds out what they are.
//!
//! Start at [`Scanner`].
//!
//! This room never opens a file and never seeks.

mod compare;
mod findings;
mod log;
mod medium;
mod packed;
mod pages;
mod place;
mod places;
mod reader;
mod set;
mod streams;
mod walk;

use self::medium::Medium;
use self::packed::{Inside, Unpacker};
pub use self::reader::{scan_reader, scan_seekable};
use self::walk::Walk;

use crate::container::MAGIC;
use crate::{BackupSet, Level, LogExtent, Report};

/// What media hold, in order, for whoever restores from them.
///
/// Bytes are handed over as they come, before they could be verified: keep what is made of them
/// apart until the [`Report`] says that the media are sound.
pub trait Contents {
    /// A backup set begins. `front` is provisional: its LSNs and size may be those of a moment
    /// before the backup ended.
    fn set_begins(&mut self, front: &BackupSet);
    /// Bytes of data pages, in any slicing.
    fn data(&mut self, bytes: &[u8]);
    /// A log extent that holds bytes begins. In a stripe it may hold only some of them.
    fn log_begins(&mut self, extent: &LogExtent);
    /// Bytes of that log extent, in any slicing; padding after its end is left out.
    fn log(&mut self, bytes: &[u8]);
    /// The backup set is over. `identity` is authoritative.
    fn set_ends(&mut self, identity: &BackupSet);
}

/// Contents that nobody wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Nothing;

impl Contents for Nothing {
    fn set_begins(&mut self, _front: &BackupSet) {}
    fn data(&mut self, _bytes: &[u8]) {}
    fn log_begins(&mut self, _extent: &LogExtent) {}
    fn log(&mut self, _bytes: &[u8]) {}
    fn set_ends(&mut self, _identity: &BackupSet) {}
}

/// Scans one file of backup media, fed in any slicing. It neither reads nor seeks itself; for
/// that there are [`scan_reader`] and [`scan_seekable`].
///
/// It holds some tens of megabytes at most, and mostly a few, whatever the file claims.
#[derive(Debug)]
pub struct Scanner<C = Nothing> {
    source: Source,
    walk: Walk,
    medium: Medium<C>,
}

/// What is fed to a scanner.
#[derive(Debug)]
enum Source {
    /// So far only these bytes.
    Unknown(Vec<u8>),
    /// Media, or something else altogether.
    Plain,
    /// A container of media.
    Packed(Box<Unpacker>),
}

impl Scanner {
    /// A scanner that only reports.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Nothing)
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Contents> Scanner<C> {
    /// A scanner that also hands the contents over.
    #[must_use]
    pub fn with(contents: C) -> Self {
        Self {
            source: Source::Unknown(Vec::new()),
            walk: Walk::default(),
            medium: Medium::new(contents, Level::Content),
        }
    }

    /// Looks no deeper than `level`. Below [`Level::Content`] data and log are passed over: they
    /// are neither judged nor handed to the receiver, and coverage stays zero. At
    /// [`Level::Structure`] identities are still read, or nobody could say what the file is of, but
    /// not compared with anything.
    #[must_use]
    pub fn up_to(self, level: Level) -> Self {
        Self {
            medium: Medium::new(self.medium.contents, level),
            ..self
        }
    }

    /// How many of the next bytes need not be fed, but may be [skipped](Self::skip). None of a
    /// container: each of its records has a checksum, and below [`Level::Content`] it saves only the
    /// decoding of contents.
    #[must_use]
    pub fn skippable(&self) -> u64 {
        match self.source {
            Source::Plain if self.medium.passes_over() => self.walk.left(),
            _ => 0,
        }
    }

    /// Takes note that so many bytes were passed over, at most [`Self::skippable`].
    pub fn skip(&mut self, bytes: u64) {
        self.walk
            .skip(bytes.min(self.skippable()), &mut self.medium);
    }

    /// Takes the next bytes of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.source {
            Source::Unknown(front) => {
                let (mine, rest) = bytes.split_at(bytes.len().min(MAGIC.len() - front.len()));
                front.extend_from_slice(mine);
                if front.len() == MAGIC.len() || !MAGIC.starts_with(front) {
                    let front = std::mem::take(front);
                    self.source = Source::of(&front);
                    self.feed(&front);
                    self.feed(rest);
                }
            }
            Source::Plain => self.walk.feed(bytes, &mut self.medium),
            Source::Packed(unpacker) => {
                let (walk, medium) = (&mut self.walk, &mut self.medium);
                unpacker.feed(bytes, &mut Inside { walk, medium });
            }
        }
    }

    /// The receiver of the contents, while it receives them.
    pub fn contents(&mut self) -> &mut C {
        &mut self.medium.contents
    }

    /// The file is over: what was found, and the receiver of the contents.
    #[must_use]
    pub fn finish(mut self) -> (Report, C) {
        let (walk, medium) = (&mut self.walk, &mut self.medium);
        let is_compressed = matches!(self.source, Source::Packed(_));
        let reached = match self.source {
            Source::Packed(mut unpacker) => unpacker.finish(&mut Inside { walk, medium }),
            Source::Unknown(front) => {
                walk.feed(&front, medium);
                walk.finish(medium);
                walk.reached()
            }
            Source::Plain => {
                walk.finish(medium);
                walk.reached()
            }
        };
        let (report, contents) = self.medium.finish(self.walk.at(), reached);
        let report = Report {
            is_compressed,
            ..report
        };
        (report, contents)
    }
}

impl Source {
    fn of(front: &[u8]) -> Self {
        if front == MAGIC {
            Self::Packed(Box::default())
        } else {
            Self::Plain
        }
    }
}

/// What the identities of a report may take together; sets beyond are scanned, but not listed.
const KEPT_BYTES_MAX: usize = 12 << 20;
/// Filemarks remembered: as many as the largest filemark can list.
pub(crate) const MARKS_MAX: usize = 8192;
