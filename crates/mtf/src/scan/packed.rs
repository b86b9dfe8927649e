//! The chain of a container: from record to record, and what they hold to the walk.
//!
//! Start at [`Unpacker::feed`]. Each record is held, checked and decoded, and its contents go where
//! the bytes of plain media would have gone; filemarks go there as they are. Whatever the walk
//! finds in them is given the place in the file by [`Places`](super::places::Places).
//!
//! This file never holds more than one record, and never believes a header that nothing else
//! speaks for: where no record at all has its checksum, the container is unreadable, not damaged.

use super::Contents;
use super::medium::Medium;
use super::walk::{Reached, Visitor as _, Walk};
use crate::FindingKind;
use crate::checksum::word_roll;
use crate::container::xca::Decoder;
use crate::container::{FIRST_RECORD, Item, RECORD_HEAD, RecordHead, is_older};

/// What is looked through for a first record that is not where it was seen so far.
const SEARCHED_BYTES: usize = 96 * 1024;
/// How often a checksum is computed in that search.
const CHECKS_MAX: usize = 64;
/// Bytes at the front that say which container it is.
const FRONT: usize = 16;
/// Zeros where an item belongs that say that nobody wrote one.
const ZEROS_SEEN: usize = 64;
/// Damaged records remembered until one was sound.
const DOUBTED_MAX: usize = 256;

/// What a container holds: the walk through it and what that tells.
pub(super) struct Inside<'a, C> {
    pub(super) walk: &'a mut Walk,
    pub(super) medium: &'a mut Medium<C>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The first record, to be told from so many bytes.
    First(usize),
    /// An item, whose head is so long.
    Head(usize),
    /// The payload of a record.
    Record(RecordHead),
    /// A filemark of so many bytes.
    Filemark(usize),
    /// So many bytes without contents.
    Other(u64),
    /// Nothing that could be understood.
    Lost,
}

#[derive(Debug)]
pub(super) struct Unpacker {
    next: Next,
    /// Offset in the file of the next byte to come.
    at: u64,
    /// What has come of an item that is not whole yet.
    held: Vec<u8>,
    decoder: Decoder,
    contents: Vec<u8>,
    /// Some record had its checksum.
    is_proved: bool,
    /// Records without theirs, while none had it.
    doubted: Vec<u64>,
    /// A gap hides where the walk is.
    is_blind: bool,
    /// A finding says already why the container is unreadable.
    is_named: bool,
}

impl Default for Unpacker {
    fn default() -> Self {
        Self {
            next: Next::First(FRONT),
            at: 0,
            held: Vec::new(),
            decoder: Decoder::default(),
            contents: Vec::new(),
            is_proved: false,
            doubted: Vec::new(),
            is_blind: false,
            is_named: false,
        }
    }
}

impl Unpacker {
    /// Takes the next bytes of the file.
    pub(super) fn feed<C: Contents>(&mut self, mut bytes: &[u8], inside: &mut Inside<'_, C>) {
        while !bytes.is_empty() {
            let (mine, rest) = bytes.split_at(bytes.len().min(self.room()));
            bytes = rest;
            self.at += mine.len() as u64;
            match &mut self.next {
                Next::Lost => {}
                Next::Other(left) => {
                    *left -= mine.len() as u64;
                    if *left == 0 {
                        self.next = Next::Head(1);
                    }
                }
                _ => {
                    self.held.extend_from_slice(mine);
                    if self.room() == 0 {
                        self.step(inside);
                    }
                }
            }
        }
    }

    /// The file is over: where the walk is, unless a finding has said already that it is nowhere.
    pub(super) fn finish<C: Contents>(&mut self, inside: &mut Inside<'_, C>) -> Reached {
        if let Next::First(_) = self.next {
            match search(&self.held) {
                Some(place) => self.open(place, inside),
                None => return self.never_opened(inside),
            }
        }
        inside.medium.places().begins(inside.walk.at(), self.at);
        let is_between = matches!(self.next, Next::Head(_)) && self.held.is_empty();
        if !is_between && self.next != Next::Lost {
            let expected = "the rest of an item of the container".to_owned();
            inside
                .medium
                .note(self.at, FindingKind::Truncated { expected });
        }
        if !self.is_proved && !self.is_named {
            inside.medium.note(0, FindingKind::Container);
        }
        if is_between && self.is_proved && !self.is_blind {
            inside.walk.reached()
        } else {
            Reached::Nowhere
        }
    }

    /// How many bytes may come until there is something to do.
    fn room(&self) -> usize {
        let wanted = match self.next {
            Next::First(wanted) | Next::Head(wanted) | Next::Filemark(wanted) => wanted,
            Next::Record(head) => RECORD_HEAD + head.payload_bytes,
            Next::Other(left) => return usize::try_from(left).unwrap_or(usize::MAX),
            Next::Lost => return usize::MAX,
        };
        wanted.saturating_sub(self.held.len())
    }

    fn step<C: Contents>(&mut self, inside: &mut Inside<'_, C>) {
        match self.next {
            Next::First(_) => self.first(inside),
            Next::Head(wanted) => self.head(wanted, inside),
            Next::Record(head) => self.record(head, inside),
            Next::Filemark(_) => self.filemark(inside),
            Next::Other(_) | Next::Lost => {}
        }
    }

    fn first<C: Contents>(&mut self, inside: &mut Inside<'_, C>) {
        match first_record(&self.held) {
            First::Wanted(bytes) => self.next = Next::First(bytes),
            First::At(place) => self.open(place, inside),
            First::Older => self.lose(FindingKind::OlderContainer, inside),
            First::Missing => self.lose(FindingKind::Container, inside),
        }
    }

    /// Goes on at the first record, which begins `place` bytes into what is held.
    fn open<C: Contents>(&mut self, place: usize, inside: &mut Inside<'_, C>) {
        let held = std::mem::take(&mut self.held);
        inside.walk.enter_container();
        self.at = place as u64;
        self.next = Next::Head(1);
        self.feed(&held[place..], inside);
    }

    fn head<C: Contents>(&mut self, seen: usize, inside: &mut Inside<'_, C>) {
        let is_over = inside.walk.reached() == Reached::BlockEnd && inside.medium.may_end();
        let wanted = match self.held[0] {
            // No item begins like that. Many zeros say that nobody wrote one.
            0 if !is_over => ZEROS_SEEN,
            kind => Item::head_bytes(kind),
        };
        if seen < wanted {
            self.next = Next::Head(wanted);
            return;
        }
        self.next = match Item::read(&self.held) {
            Item::Record(head) => Next::Record(head),
            Item::Filemark(size) if size > wanted => Next::Filemark(size),
            Item::Other(length) if length > wanted as u64 => {
                self.held.clear();
                Next::Other(length - wanted as u64)
            }
            _ => {
                let is_zero = self.held.iter().all(|byte| *byte == 0);
                let kind = if is_zero && !is_over {
                    let expected = "an item of the container".to_owned();
                    FindingKind::Unwritten { expected }
                } else {
                    let found = format!("{:#04x}", self.held[0]);
                    FindingKind::UnknownRecord { found }
                };
                return self.lose(kind, inside);
            }
        };
    }

    fn filemark<C: Contents>(&mut self, inside: &mut Inside<'_, C>) {
        let places = inside.medium.places();
        places.begins(inside.walk.at(), self.at - self.held.len() as u64);
        places.mark_ends(self.at);
        if !self.is_blind {
            inside.walk.feed(&self.held, inside.medium);
        }
        self.next_item();
    }

    fn record<C: Contents>(&mut self, head: RecordHead, inside: &mut Inside<'_, C>) {
        let at = self.at - self.held.len() as u64;
        let is_sound = word_roll(&self.held[RECORD_HEAD..]) == head.check;
        let could_be_first = inside.walk.at() == 0 && self.doubted.is_empty() && !self.is_blind;
        inside.medium.places().begins(inside.walk.at(), at);
        if is_sound {
            self.prove(inside);
        } else {
            self.doubt(at, inside);
        }
        let is_understood = self.is_blind || self.contents(head, is_sound, inside);
        if is_sound && !is_understood {
            if could_be_first {
                return self.lose(FindingKind::Container, inside);
            }
            inside.medium.note(at, FindingKind::RecordDamaged);
        }
        inside.medium.record_seen(is_sound && is_understood);
        self.next_item();
    }

    /// Hands what the record holds to the walk; `false` if it could not be decoded.
    fn contents<C: Contents>(
        &mut self,
        head: RecordHead,
        is_sound: bool,
        inside: &mut Inside<'_, C>,
    ) -> bool {
        let is_inside_stream = inside.walk.left() >= head.contents_bytes as u64;
        if is_inside_stream && inside.medium.passes_over() {
            inside.walk.skip(head.contents_bytes as u64, inside.medium);
            return true;
        }
        let payload = &self.held[RECORD_HEAD..];
        let decoded = self
            .decoder
            .decode(payload, head.contents_bytes, &mut self.contents);
        let begins_well = inside.walk.at() > 0 || self.contents.starts_with(b"TAPE");
        let is_understood = decoded.is_ok() && begins_well;
        if !is_understood && !is_sound && is_inside_stream {
            // What is lost is no more than contents, so the identity behind them can be reached.
            self.contents.clear();
            self.contents.resize(head.contents_bytes, 0);
        } else if !is_understood {
            self.is_blind = true;
            return false;
        }
        inside.walk.feed(&self.contents, inside.medium);
        is_understood
    }

    /// A record has its checksum, so this is a container as we know it.
    fn prove<C: Contents>(&mut self, inside: &mut Inside<'_, C>) {
        self.is_proved = true;
        for doubted in std::mem::take(&mut self.doubted) {
            inside.medium.note(doubted, FindingKind::RecordDamaged);
        }
    }

    /// The record at `at` does not have its checksum.
    fn doubt<C: Contents>(&mut self, at: u64, inside: &mut Inside<'_, C>) {
        if self.is_proved {
            inside.medium.note(at, FindingKind::RecordDamaged);
        } else if self.doubted.len() < DOUBTED_MAX {
            self.doubted.push(at);
        }
    }

    fn next_item(&mut self) {
        self.held.clear();
        self.next = Next::Head(1);
    }

    fn lose<C: Contents>(&mut self, kind: FindingKind, inside: &mut Inside<'_, C>) {
        let is_of_all = matches!(kind, FindingKind::Container | FindingKind::OlderContainer);
        if is_of_all {
            inside.medium.note(0, kind);
        } else if self.is_proved {
            inside.medium.note(self.at - self.held.len() as u64, kind);
        }
        self.is_named |= is_of_all;
        self.held = Vec::new();
        self.next = Next::Lost;
    }

    fn never_opened<C: Contents>(&self, inside: &mut Inside<'_, C>) -> Reached {
        let kind = if is_cut(&self.held) {
            let expected = "the first record of the container".to_owned();
            FindingKind::Truncated { expected }
        } else {
            FindingKind::Container
        };
        let at = if kind == FindingKind::Container {
            0
        } else {
            self.at
        };
        inside.medium.places().begins(0, self.at);
        inside.medium.note(at, kind);
        Reached::Nowhere
    }
}

/// Where the first record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// To be told from this many bytes.
    Wanted(usize),
    At(usize),
    /// The container is of the older layout.
    Older,
    Missing,
}

/// Looks for the first record in the first bytes of a file.
fn first_record(held: &[u8]) -> First {
    if held.len() >= FRONT && is_older(held) {
        return First::Older;
    }
    if held.len() < FIRST_RECORD + RECORD_HEAD {
        return First::Wanted(FIRST_RECORD + RECORD_HEAD);
    }
    // A head that can be one is believed here, so that its damage can be told from encryption.
    if RecordHead::read(&held[FIRST_RECORD..]).is_some() {
        return First::At(FIRST_RECORD);
    }
    if held.len() < SEARCHED_BYTES {
        return First::Wanted(SEARCHED_BYTES);
    }
    search(held).map_or(First::Missing, First::At)
}

/// The first place of a whole record with its checksum.
fn search(held: &[u8]) -> Option<usize> {
    let places = FRONT..held.len();
    let heads = places.filter_map(|at| Some((at, RecordHead::read(&held[at..])?)));
    let is_sound = |at: usize, head: RecordHead| {
        let payload = at + RECORD_HEAD..at + RECORD_HEAD + head.payload_bytes;
        held.get(payload)
            .is_some_and(|payload| word_roll(payload) == head.check)
    };
    let mut tried = heads.take(CHECKS_MAX);
    tried
        .find(|(at, head)| is_sound(*at, *head))
        .map(|(at, _)| at)
}

/// Whether a container in which no first record was found ends too early to have one.
fn is_cut(held: &[u8]) -> bool {
    held.len() < FIRST_RECORD + RECORD_HEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{CONTENTS_MAX, write_front, xca::encode};
    use crate::frame::StreamHead;
    use crate::{MediaFamily, MediaTime, MediaWriter, Scanner, bytes};

    /// A front, `gap` zeros, and a record of some bytes.
    fn container(gap: usize) -> Vec<u8> {
        let payload = [7; 300];
        let head = RecordHead {
            contents_bytes: 4096,
            payload_bytes: payload.len(),
            check: word_roll(&payload),
        };
        let head = head.write().expect("it is short");
        [&write_front()[..], &vec![0; gap], &head, &payload].concat()
    }

    #[test]
    fn the_first_record_is_where_it_always_was_or_where_its_checksum_says() {
        assert_eq!(first_record(&container(0)), First::At(FIRST_RECORD));
        let far = container(333);
        assert_eq!(first_record(&far), First::Wanted(SEARCHED_BYTES));
        assert_eq!(search(&far), Some(FIRST_RECORD + 333));
        let full = [far, vec![0; SEARCHED_BYTES]].concat();
        assert_eq!(first_record(&full), First::At(FIRST_RECORD + 333));
    }

    #[test]
    fn a_search_without_end_gives_up() {
        let heads =
            container(0)[FIRST_RECORD..][..RECORD_HEAD].repeat(SEARCHED_BYTES / RECORD_HEAD);
        let hostile = [
            &write_front()[..FRONT],
            &heads,
            &container(0)[FIRST_RECORD..],
        ]
        .concat();
        assert_eq!(search(&hostile), None);
    }

    /// A container whose records hold this image, filemarks apart from its first one.
    fn packed(image: &[u8]) -> Vec<u8> {
        let mut container = write_front().to_vec();
        for contents in image.chunks(CONTENTS_MAX) {
            let payload = encode(contents);
            let head = RecordHead {
                contents_bytes: contents.len(),
                payload_bytes: payload.len(),
                check: word_roll(&payload),
            };
            container.extend(head.write().expect("it is short"));
            container.extend(payload);
        }
        container
    }

    #[test]
    fn lengths_inside_of_records_are_believed_no_more_than_elsewhere() {
        let family = MediaFamily::default();
        let writer = MediaWriter::new(Vec::new(), &family, MediaTime::default());
        let media = writer.and_then(MediaWriter::finish).expect("it is memory");
        let head = bytes::u16_at(&media, 8).into();
        for (length_bytes, is_possible) in [(1 << 63, false), (1 << 55, true)] {
            let mut image = media[..1024].to_vec();
            let stream = StreamHead {
                id: *b"RAID",
                media_attributes: 0,
                length: length_bytes,
            };
            bytes::put(&mut image, head, &stream.to_bytes());
            let container = packed(&image);
            let mut scanner = Scanner::new();
            scanner.feed(&container);
            let findings = scanner.finish().0.findings;
            let [finding] = findings.as_slice() else {
                panic!("{findings:?}");
            };
            if is_possible {
                assert!(matches!(finding.kind, FindingKind::Truncated { .. }));
                assert_eq!(finding.offset, container.len() as u64);
            } else {
                assert_eq!(finding.kind, FindingKind::ImpossibleLength { length_bytes });
                assert_eq!(finding.offset, FIRST_RECORD as u64);
            }
        }
    }
}
