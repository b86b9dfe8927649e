//! Which bytes of a sound medium a checksum covers, reckoned without the reader.
//!
//! Start at [`covered`]. Headers have checksums; so have streams `WITH CHECKSUM`, pages in use, and
//! log blocks. Padding, free pages and the fields of records have none, so no reader can promise to
//! find a flipped bit there.
//!
//! This file never judges a medium.

use std::collections::BTreeMap;
use std::ops::Range;

use mtf::block::{self, BlockVerdict};
use mtf::page::{self, PageHeader, PageVerdict};

use crate::frames::{BLOCK_HEAD, Frame, STREAM_HEAD, Stream, frames, number};

/// Zero bytes in front of data and log, which no checksum covers.
const PAD: usize = 2;

/// Ranges of covered bytes, in order.
pub(crate) fn covered(bytes: &[u8]) -> Vec<Range<usize>> {
    let frames = frames(bytes);
    let in_use = pages_in_use(bytes, &frames);
    let mut ranges = Vec::new();
    for frame in &frames {
        ranges.push(frame.at..frame.at + BLOCK_HEAD);
        for (index, stream) in frame.streams.iter().enumerate() {
            ranges.push(stream.at..stream.at + STREAM_HEAD);
            let next = frame.streams.get(index + 1);
            let has_checksum = next.is_some_and(|next| &next.id == b"CSUM");
            match &stream.id {
                b"CSUM" => ranges.push(stream.payload()..stream.payload() + 4),
                b"MQDA" | b"MQTL" if has_checksum => ranges.push(contents(*stream)),
                b"MQDA" => ranges.extend(sealed_pages(bytes, contents(*stream), &in_use)),
                b"MQTL" => ranges.extend(sealed_blocks(bytes, frame, contents(*stream))),
                _ => {}
            }
        }
    }
    ranges
}

/// Bytes in all ranges.
pub(crate) fn length(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(ExactSizeIterator::len).sum()
}

/// The byte that lies `index` bytes into the ranges, counted over all of them.
pub(crate) fn nth(ranges: &[Range<usize>], mut index: usize) -> usize {
    for range in ranges {
        if index < range.len() {
            return range.start + index;
        }
        index -= range.len();
    }
    panic!("there are not so many bytes");
}

fn contents(stream: Stream) -> Range<usize> {
    let end = stream.end().expect("the medium is sound");
    (stream.payload() + PAD).min(end)..end
}

/// The pages of the PFS pages of a medium, by file and number of the PFS page.
type Maps<'a> = BTreeMap<(u16, u32), &'a [u8]>;

fn pages_in_use<'a>(bytes: &'a [u8], frames: &[Frame]) -> Maps<'a> {
    let streams = frames.iter().flat_map(|frame| &frame.streams);
    let data = streams.filter(|stream| &stream.id == b"MQDA");
    let pages = data.flat_map(|stream| bytes[contents(*stream)].chunks(page::SIZE));
    pages
        .map(|raw| (PageHeader::read(raw), raw))
        .filter(|(header, _)| header.page_type == page::TYPE_PFS && page::is_pfs(header.page_id))
        .map(|(header, raw)| ((header.file_id, header.page_id), raw))
        .collect()
}

fn sealed_pages(bytes: &[u8], data: Range<usize>, in_use: &Maps<'_>) -> Vec<Range<usize>> {
    let starts = data.step_by(page::SIZE);
    let is_sealed = |at: &usize| {
        let raw = &bytes[*at..*at + page::SIZE];
        let header = PageHeader::read(raw);
        let map = in_use.get(&(header.file_id, page::pfs_of(header.page_id)));
        page::check(raw) == PageVerdict::Sound
            && map.is_some_and(|map| page::is_allocated(map, header.page_id))
    };
    starts
        .filter(is_sealed)
        .map(|at| at..at + page::SIZE)
        .collect()
}

fn sealed_blocks(bytes: &[u8], frame: &Frame, log: Range<usize>) -> Vec<Range<usize>> {
    let start = number(bytes, frame.at + 60, 8).expect("a log block is so long");
    let end = number(bytes, frame.at + 68, 8).expect("a log block is so long");
    let length = usize::try_from(end - start).expect("media of tests are small");
    let end = log.end.min(log.start + length);
    let mut found = Vec::new();
    let mut at = log.start;
    while at < end {
        let size = block::size_of(&bytes[at..]).expect("the medium is sound");
        let raw = &bytes[at..at + size];
        let lsn = block::lsn_of(raw);
        if block::check(raw, lsn.vlf, lsn.block) == BlockVerdict::Sound {
            found.push(at..at + size);
        }
        at += size;
    }
    found
}
