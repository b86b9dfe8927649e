//! What the walk meets, made sense of: which block belongs where, and who takes its streams.
//!
//! Start at [`Medium`]. It keeps the order of blocks, reads records, and hands contents on to the
//! [set](super::set) that is open and to the receiver of [`Contents`].
//!
//! This file never holds a stream but the short ones: media set, identity, checksum.

use std::collections::VecDeque;

use super::findings::Findings;
use super::place::Place;
use super::places::Places;
use super::set::{OpenSet, View};
use super::walk::{Reached, Visitor};
use super::{Contents, KEPT_BYTES_MAX, MARKS_MAX};
use crate::frame::{BlockHead, BlockKind, StreamHead, identity, records};
use crate::{FindingKind, Level, MediaFamily, Report, SetReport, bytes};

/// What a backup set takes in a report beside the length of its identity record.
const SET_BYTES: usize = 1024;
const RAID_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;
/// Zero bytes in front of data and log.
const PAD_BYTES: u8 = 2;
const ABORTED: u32 = 0x0004_0000;
const SOFTWARE: &str = "Microsoft SQL Server";

#[derive(Debug)]
pub(super) struct Medium<C> {
    pub(super) contents: C,
    findings: Findings,
    level: Level,
    media: Option<MediaFamily>,
    has_media_set: bool,
    is_foreign: bool,
    place: Place,
    /// Offsets of filemarks, newest first.
    marks: VecDeque<u64>,
    block: BlockKind,
    stream: Stream,
    open: Option<OpenSet>,
    sets: Vec<SetReport>,
    sets_seen: u64,
    kept_bytes: usize,
    /// Where the walk is.
    at: u64,
}

/// What becomes of the stream that the walk is in.
#[derive(Debug)]
enum Stream {
    Skipped,
    /// Held up to the given length, used when it is over.
    Held {
        at: u64,
        id: [u8; 4],
        bytes: Vec<u8>,
        length_max: usize,
    },
    Data {
        pad: u8,
    },
    Log {
        pad: u8,
    },
}

impl<C: Contents> Medium<C> {
    /// A medium of which no more is looked at than `level` asks for.
    pub(super) fn new(contents: C, level: Level) -> Self {
        Self {
            contents,
            level,
            findings: Findings::default(),
            media: None,
            has_media_set: false,
            is_foreign: false,
            place: Place::default(),
            marks: VecDeque::new(),
            block: BlockKind::Media,
            stream: Stream::Skipped,
            open: None,
            sets: Vec::new(),
            sets_seen: 0,
            kept_bytes: 0,
            at: 0,
        }
    }

    /// Whether the walk is in a stream whose bytes nobody wants.
    pub(super) fn passes_over(&self) -> bool {
        matches!(self.stream, Stream::Skipped)
    }

    /// Where things are in the file.
    pub(super) fn places(&mut self) -> &mut Places {
        &mut self.findings.places
    }

    /// Notes what was noticed at this offset of the file, outside of the media.
    pub(super) fn note(&mut self, at: u64, kind: FindingKind) {
        self.findings.add_in_file(at, kind);
    }

    /// A record of a container held what came last.
    pub(super) fn record_seen(&mut self, is_right: bool) {
        if let Some(open) = &mut self.open {
            open.record_seen(is_right);
        }
    }

    /// The file is over, after so many bytes of media and at such a place of the walk.
    pub(super) fn finish(mut self, media_bytes: u64, reached: Reached) -> (Report, C) {
        let bytes = self.findings.places.file_offset(media_bytes);
        if bytes == 0 {
            self.findings.add(0, FindingKind::Empty);
        } else if reached != Reached::Nowhere && !self.is_foreign {
            if reached != Reached::BlockEnd || self.place != Place::Set {
                let expected = match reached {
                    Reached::InStreams => format!("the rest of `{}`", self.block.text()),
                    _ => self.place.expected().to_owned(),
                };
                self.note(bytes, FindingKind::Truncated { expected });
            } else if self.sets_seen == 0 {
                self.note(bytes, FindingKind::NoSets);
            }
        }
        // That a set came to no identity goes without saying where the file is cut or unreadable.
        if let Some(report) = self.open.take().and_then(OpenSet::report) {
            self.keep(report);
        }
        let (findings, findings_not_kept) = self.findings.take();
        let filemarks = self.marks.into();
        let report = Report {
            media: self.media,
            sets: self.sets,
            findings,
            findings_not_kept,
            filemarks,
            bytes,
            level: self.level,
            is_compressed: false,
        };
        (report, self.contents)
    }

    fn follow(&mut self, at: u64, kind: BlockKind) {
        if let Some(place) = self.place.after(kind) {
            self.place = place;
            return;
        }
        let found = kind.text();
        let finding = match kind {
            BlockKind::Unknown(_) => FindingKind::UnknownBlock { found },
            BlockKind::EndOfMedium => FindingKind::ContinuesElsewhere,
            _ => {
                let expected = self.place.expected().to_owned();
                FindingKind::OutOfOrder { found, expected }
            }
        };
        self.findings.add(at, finding);
        self.place = self.place.regain(kind);
    }

    fn media_begins(&mut self, at: u64, head: &BlockHead, raw: &[u8]) {
        let media = records::read_media(raw, head.string_type);
        if !media.software.starts_with(SOFTWARE) {
            self.is_foreign = true;
            let software = media.software.clone();
            self.findings
                .add(at, FindingKind::ForeignSoftware { software });
        }
        self.media = Some(media);
    }

    fn set_begins(&mut self, at: u64, head: &BlockHead, raw: &[u8]) {
        self.keep_set();
        self.sets_seen += 1;
        let start = records::read_set_start(raw, head.string_type);
        let is_striped = self
            .media
            .as_ref()
            .is_some_and(|media| media.family_count > 1);
        let view = View {
            is_striped,
            level: self.level,
        };
        self.open = Some(OpenSet::begins(at, start, view, &mut self.findings));
    }

    fn filemark(&mut self, at: u64, raw: &[u8]) {
        let listed = records::read_filemarks(raw);
        let whole = listed.as_ref().is_some_and(|listed| {
            let known = listed.len() == self.marks.len();
            let is_full = listed.len() >= bytes::u32_at(raw, 52) as usize;
            (known || is_full) && listed.iter().eq(self.marks.iter().take(listed.len()))
        });
        if !whole {
            self.findings.add(at, FindingKind::FilemarksDisagree);
        }
        self.marks.push_front(self.findings.places.file_offset(at));
        self.marks.truncate(MARKS_MAX);
        if self.place == Place::Set {
            if let Some(identity) = self.open.as_ref().and_then(|set| set.identity.as_ref()) {
                self.contents.set_ends(identity);
            }
            self.keep_set();
        }
    }

    /// Moves the open set, if it came to its identity, to those of the report.
    fn keep_set(&mut self) {
        let Some(open) = self.open.take() else { return };
        match open.report() {
            Some(report) => self.keep(report),
            None => self.findings.add(self.at, FindingKind::NoIdentity),
        }
    }

    fn keep(&mut self, report: SetReport) {
        if self.kept_bytes > KEPT_BYTES_MAX {
            self.findings.add(self.at, FindingKind::SetsNotKept);
        } else {
            self.sets.push(report);
        }
    }

    fn set_end(&mut self, at: u64, head: &BlockHead, raw: &[u8]) {
        if head.attributes & ABORTED != 0 {
            self.findings.add(at, FindingKind::Aborted);
        }
        if let Some(open) = &self.open {
            open.check_end(at, records::read_set_end(raw), &mut self.findings);
        }
    }

    fn stream_for(&mut self, at: u64, head: &StreamHead) -> Stream {
        let has_bytes = head.length > u64::from(PAD_BYTES);
        let keep = |length_max| Stream::Held {
            at,
            id: head.id,
            bytes: Vec::new(),
            length_max,
        };
        match (self.block, &head.id) {
            (BlockKind::Media, b"RAID") => keep(RAID_BYTES),
            (BlockKind::Front | BlockKind::Identity, b"MQCI") => {
                if head.length > identity::LENGTH_MAX {
                    let length_bytes = head.length;
                    self.findings
                        .add(at, FindingKind::TooLarge { length_bytes });
                    return Stream::Skipped;
                }
                keep(usize::try_from(head.length).unwrap_or(0))
            }
            (BlockKind::Data | BlockKind::Log, _) if self.level != Level::Content => {
                Stream::Skipped
            }
            (BlockKind::Data | BlockKind::Log, b"CSUM") => keep(CHECKSUM_BYTES),
            (BlockKind::Data, b"MQDA") if has_bytes => Stream::Data { pad: PAD_BYTES },
            (BlockKind::Log, b"MQTL") if has_bytes => Stream::Log { pad: PAD_BYTES },
            _ => Stream::Skipped,
        }
    }

    fn contents_begin(&mut self, at: u64, head: &StreamHead) {
        let Some(open) = &mut self.open else { return };
        match self.stream {
            Stream::Data { .. } => open.segment_begins(at),
            Stream::Log { .. } => {
                open.segment_begins(at);
                if !open.log_begins(head.length - u64::from(PAD_BYTES)) {
                    self.findings.add(at, FindingKind::LogStriped);
                }
                self.contents.log_begins(open.log_extent());
            }
            Stream::Skipped | Stream::Held { .. } => {}
        }
    }

    fn held_is_over(&mut self, at: u64, id: [u8; 4], bytes: &[u8]) {
        match (&id, self.block) {
            (b"RAID", _) => self.raid(at, bytes),
            (b"CSUM", _) => {
                if let Some(open) = &mut self.open {
                    open.checksum(at, bytes::u32_at(bytes, 0), &mut self.findings);
                }
            }
            (_, BlockKind::Front) => self.front_identity(at, bytes),
            _ => self.closing_identity(at, bytes),
        }
    }

    fn raid(&mut self, at: u64, raid: &[u8]) {
        let Some(media) = &mut self.media else { return };
        self.has_media_set = records::read_raid(raid, media);
        let (number, count) = (media.family_number, media.family_count);
        if number == 0 || number > count {
            self.findings
                .add(at, FindingKind::BadStripe { number, count });
        } else if count > 1 {
            self.findings
                .add(at, FindingKind::StripeOf { number, count });
        }
    }

    fn front_identity(&mut self, at: u64, payload: &[u8]) {
        let Some(open) = &mut self.open else { return };
        match identity::read(payload) {
            Ok(set) => {
                let set = open.complete(set);
                self.contents.set_begins(&set);
                open.front = Some(set);
            }
            Err(reason) => bad_identity(&mut self.findings, at, reason),
        }
    }

    fn closing_identity(&mut self, at: u64, payload: &[u8]) {
        let Some(open) = &mut self.open else { return };
        match identity::read(payload) {
            Ok(set) => {
                let set = open.complete(set);
                open.check_identity(at, &set, &mut self.findings);
                open.identity = Some(set);
                self.kept_bytes += payload.len() + SET_BYTES;
            }
            Err(reason) => bad_identity(&mut self.findings, at, reason),
        }
    }
}

fn bad_identity(findings: &mut Findings, at: u64, reason: &str) {
    findings.add(
        at,
        FindingKind::BadIdentity {
            reason: reason.to_owned(),
        },
    );
}

impl<C: Contents> Visitor for Medium<C> {
    fn block(&mut self, at: u64, head: &BlockHead, raw: &[u8]) {
        self.at = at;
        self.block = head.kind;
        if self.is_foreign {
            return;
        }
        self.follow(at, head.kind);
        match head.kind {
            BlockKind::Media => self.media_begins(at, head, raw),
            BlockKind::Filemark => self.filemark(at, raw),
            BlockKind::SetStart => self.set_begins(at, head, raw),
            BlockKind::SetEnd => self.set_end(at, head, raw),
            _ => {}
        }
        let Some(open) = &mut self.open else { return };
        match head.kind {
            BlockKind::Filemark | BlockKind::SetEnd | BlockKind::Media => return,
            BlockKind::Volume => open.machine_name = records::read_volume(raw, head.string_type),
            BlockKind::Data => open.data_block_begins(),
            BlockKind::Log => {
                open.log_block_begins(at, records::read_log_extent(raw), &mut self.findings);
            }
            _ => {}
        }
        open.check_address(at, head, &mut self.findings);
    }

    fn stream(&mut self, at: u64, head: &StreamHead) {
        self.stream = if self.is_foreign {
            Stream::Skipped
        } else {
            self.stream_for(at, head)
        };
        self.contents_begin(at, head);
    }

    fn payload(&mut self, at: u64, bytes: &[u8]) {
        let (pad, is_log) = match &mut self.stream {
            Stream::Skipped => return,
            Stream::Held {
                bytes: held,
                length_max,
                ..
            } => {
                let mine = bytes.len().min(*length_max - held.len());
                held.extend_from_slice(&bytes[..mine]);
                return;
            }
            Stream::Data { pad } => (pad, false),
            Stream::Log { pad } => (pad, true),
        };
        let skipped = bytes.len().min(usize::from(*pad));
        *pad -= u8::try_from(skipped).unwrap_or(*pad);
        let (at, bytes) = (at + skipped as u64, &bytes[skipped..]);
        let Some(open) = self.open.as_mut().filter(|_| !bytes.is_empty()) else {
            return;
        };
        if is_log {
            let bytes = open.log(at, bytes, &mut self.findings);
            if !bytes.is_empty() {
                self.contents.log(bytes);
            }
        } else {
            open.data(at, bytes, &mut self.findings);
            self.contents.data(bytes);
        }
    }

    fn stream_over(&mut self) {
        match std::mem::replace(&mut self.stream, Stream::Skipped) {
            Stream::Skipped => {}
            Stream::Held { at, id, bytes, .. } => self.held_is_over(at, id, &bytes),
            Stream::Data { .. } | Stream::Log { .. } => {
                if let Some(open) = &mut self.open {
                    open.segment_ends();
                }
            }
        }
    }

    fn block_over(&mut self) {
        match (self.block, &mut self.open) {
            (BlockKind::Media, _) if !self.has_media_set && !self.is_foreign => {
                self.findings.add(self.at, FindingKind::NoMediaSet);
            }
            (BlockKind::Data, Some(open)) => open.data_block_ends(self.at, &mut self.findings),
            (BlockKind::Log, Some(open)) => open.log_block_ends(self.at, &mut self.findings),
            _ => {}
        }
    }

    fn may_end(&self) -> bool {
        self.place == Place::Set && self.sets_seen > 0
    }

    fn notice(&mut self, at: u64, kind: FindingKind) {
        self.findings.add(at, kind);
    }
}
