//! The data file: committed rows at a checkpoint, laid over sealed 8 KiB pages. Pure.
//!
//! Start at [`Image`]. Pages 0 and 1 are file header and PFS as in SQL Server, 9 and 10 hold the
//! boot record, and streams of bytes follow from page 16 on: one for the counters, one for each
//! table, and last the map of the differential base (last, so that its length moves no page).

use mtf::page::{self, EXTENT_PAGES, EXTENT_SIZE, PageHeader, PageVerdict};

use super::boot::{self, Boot};
use super::codec::{Decoded, Decoder, Encoder, Malformed};
use super::fingerprint::fingerprint;
use super::ids::{RowId, TableId};
use super::rows::{Table, Tables};

const FIRST_STREAM_PAGE: u32 = 16;
const TYPE_DATA: u8 = 1;
const TYPE_FILE_HEADER: u8 = 15;
const STREAM: usize = page::HEADER_SIZE;
const BODY: usize = STREAM + 7;
const ROOM: usize = page::SIZE - BODY;

const COUNTERS: u8 = 1;
const TABLE: u8 = 2;
const BASE_MAP: u8 = 3;

/// Everything that a data file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    /// The boot record.
    pub boot: Boot,
    /// Committed rows at `boot.checkpoint_lsn`.
    pub tables: Tables,
    /// The number that the log gives to the next transaction.
    pub next_transaction: u64,
    /// One hash for each extent of the differential base; empty while there is none.
    pub base_map: Vec<u64>,
}

/// Why bytes are not a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// This page has a wrong checksum or is not what its place says.
    Page(u32),
    /// The pages are whole and do not make sense together.
    Contents,
}

impl Image {
    /// The pages, whole extents of them. Fails where the boot record is too long for its page.
    pub(super) fn build(&self) -> Result<Vec<u8>, Damage> {
        let streams = self.streams();
        let chunks: Vec<_> = streams.iter().flat_map(Stream::chunks).collect();
        let mut pages = Pages::default();
        pages.put_header(0);
        pages.put_boot(&self.boot)?;
        let mut page_id = FIRST_STREAM_PAGE;
        for (kind, id, chunk) in chunks {
            pages.put_chunk(page_id, kind, id, chunk);
            page_id = next_page(page_id);
        }
        Ok(pages.finish())
    }

    /// The image in these pages; every allocated page must be sound.
    pub(super) fn read(pages: &[u8]) -> Result<Self, Damage> {
        check_pages(pages)?;
        let boot = read_boot(pages).ok_or(Damage::Page(boot::PAGES[0]))?;
        let (tables, next_transaction, base_map) = (Tables::default(), 1, Vec::new());
        let mut image = Self {
            boot,
            tables,
            next_transaction,
            base_map,
        };
        for (kind, id, bytes) in collect_streams(pages) {
            image
                .take_stream(kind, id, &bytes)
                .map_err(|_| Damage::Contents)?;
        }
        Ok(image)
    }

    fn streams(&self) -> Vec<Stream> {
        let mut counters = Encoder::default();
        counters.number(self.next_transaction);
        let mut streams = vec![Stream {
            kind: COUNTERS,
            id: 0,
            bytes: counters.0,
        }];
        for (id, table) in &self.tables.0 {
            streams.push(Stream {
                kind: TABLE,
                id: id.0,
                bytes: encode_table(table),
            });
        }
        let bytes = self
            .base_map
            .iter()
            .flat_map(|hash| hash.to_le_bytes())
            .collect();
        streams.push(Stream {
            kind: BASE_MAP,
            id: 0,
            bytes,
        });
        streams
    }

    fn take_stream(&mut self, kind: u8, id: u32, bytes: &[u8]) -> Decoded<()> {
        match kind {
            COUNTERS => self.next_transaction = Decoder(bytes).number()?,
            TABLE => {
                self.tables.0.insert(TableId(id), decode_table(bytes)?);
            }
            BASE_MAP => {
                let hashes = bytes.as_chunks::<8>().0.iter();
                self.base_map = hashes.map(|hash| u64::from_le_bytes(*hash)).collect();
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }
}

/// The newer of the two boot records in the pages.
#[must_use]
pub(super) fn read_boot(pages: &[u8]) -> Option<Boot> {
    let records = boot::PAGES
        .iter()
        .filter_map(|id| Boot::read(page_at(pages, *id)?));
    records.max_by_key(|boot| boot.version)
}

/// A hash of every extent, by which a differential knows what changed.
#[must_use]
pub(super) fn hashes(pages: &[u8]) -> Vec<u64> {
    pages.chunks(EXTENT_SIZE).map(fingerprint).collect()
}

/// The extents that a differential must carry: those whose hash is not that of the base, and those
/// that restoring needs in any case (the headers, the boot record, every PFS page).
#[must_use]
pub(super) fn changed_extents(pages: &[u8], base_map: &[u64]) -> Vec<u32> {
    let changed = hashes(pages)
        .into_iter()
        .enumerate()
        .filter(|(extent, hash)| {
            let first_page = extent * EXTENT_PAGES;
            let holds_pfs = first_page.is_multiple_of(page::PFS_INTERVAL as usize);
            *extent < 2 || holds_pfs || base_map.get(*extent) != Some(hash)
        });
    changed
        .filter_map(|(extent, _)| u32::try_from(extent).ok())
        .collect()
}

/// Lays the extents of a differential over the pages of its base.
pub(super) fn lay_over(base: &mut Vec<u8>, page_id: u32, page_bytes: &[u8]) {
    let start = page_id as usize * page::SIZE;
    let end = start + page_bytes.len();
    if base.len() < end {
        base.resize(end, 0);
    }
    base[start..end].copy_from_slice(page_bytes);
}

/// The length in bytes that the file header says the file has; 0 where there is no header.
#[must_use]
pub(super) fn length_bytes(pages: &[u8]) -> usize {
    let count = pages
        .get(STREAM..STREAM + 4)
        .map_or(0, |_| word(pages, STREAM));
    count as usize * page::SIZE
}

struct Stream {
    kind: u8,
    id: u32,
    bytes: Vec<u8>,
}

impl Stream {
    fn chunks(&self) -> impl Iterator<Item = (u8, u32, &[u8])> {
        self.bytes
            .chunks(ROOM)
            .map(|chunk| (self.kind, self.id, chunk))
    }
}

/// Pages in the making; they are marked as allocated as they are put.
#[derive(Default)]
struct Pages {
    bytes: Vec<u8>,
}

impl Pages {
    fn put_header(&mut self, count: u32) {
        let page_type = TYPE_FILE_HEADER;
        let header = PageHeader {
            page_type,
            page_id: 0,
            file_id: 1,
            ..PageHeader::default()
        };
        self.put(header, &count.to_le_bytes());
    }

    fn put_boot(&mut self, boot: &Boot) -> Result<(), Damage> {
        let (page_id, bytes) = boot.page().ok_or(Damage::Page(boot::PAGES[0]))?;
        for id in boot::PAGES {
            self.put(boot::header(id), &[]);
        }
        lay_over(&mut self.bytes, page_id, &bytes[..]);
        Ok(())
    }

    fn put_chunk(&mut self, page_id: u32, kind: u8, id: u32, chunk: &[u8]) {
        let length = u16::try_from(chunk.len()).expect("a chunk is shorter than a page");
        let mut body = vec![kind];
        body.extend_from_slice(&id.to_le_bytes());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(chunk);
        let page_type = TYPE_DATA;
        self.put(
            PageHeader {
                page_type,
                page_id,
                file_id: 1,
                ..PageHeader::default()
            },
            &body,
        );
    }

    fn put(&mut self, header: PageHeader, body: &[u8]) {
        let mut page = [0; page::SIZE];
        header.write(&mut page);
        page[STREAM..STREAM + body.len()].copy_from_slice(body);
        page::seal(&mut page);
        lay_over(&mut self.bytes, header.page_id, &page);
    }

    /// Rounds up to whole extents and writes the PFS pages, which say what was put.
    fn finish(mut self) -> Vec<u8> {
        let put: Vec<u32> = (0_u32..)
            .zip(self.bytes.chunks(page::SIZE))
            .filter(|(_, page)| page[0] == 1)
            .map(|(id, _)| id)
            .collect();
        let length = self.bytes.len().next_multiple_of(EXTENT_SIZE);
        self.bytes.resize(length, 0);
        let count = u32::try_from(length / page::SIZE).unwrap_or(u32::MAX);
        self.put_header(count);
        for pfs_id in (0..count).filter(|id| page::is_pfs(*id)) {
            self.put_pfs(pfs_id, &put);
        }
        self.bytes
    }

    fn put_pfs(&mut self, pfs_id: u32, put: &[u32]) {
        let mut pfs = [0; page::SIZE];
        let page_type = page::TYPE_PFS;
        let header = PageHeader {
            page_type,
            page_id: pfs_id,
            file_id: 1,
            ..PageHeader::default()
        };
        header.write(&mut pfs);
        page::set_allocated(&mut pfs, pfs_id, true);
        for id in put.iter().filter(|id| page::pfs_of(**id) == pfs_id) {
            page::set_allocated(&mut pfs, *id, true);
        }
        page::seal(&mut pfs);
        lay_over(&mut self.bytes, pfs_id, &pfs);
    }
}

fn next_page(page_id: u32) -> u32 {
    if page::is_pfs(page_id + 1) {
        page_id + 2
    } else {
        page_id + 1
    }
}

fn page_at(pages: &[u8], page_id: u32) -> Option<&[u8]> {
    let start = (page_id as usize).checked_mul(page::SIZE)?;
    pages.get(start..start.checked_add(page::SIZE)?)
}

fn in_use(pages: &[u8], page_id: u32) -> bool {
    page_at(pages, page::pfs_of(page_id)).is_some_and(|pfs| page::is_allocated(pfs, page_id))
}

fn check_pages(pages: &[u8]) -> Result<(), Damage> {
    for (page_id, bytes) in (0_u32..).zip(pages.chunks(page::SIZE)) {
        let is_boot = boot::PAGES.contains(&page_id);
        let judged = page::is_pfs(page_id) || in_use(pages, page_id) && !is_boot;
        let placed = PageHeader::read(bytes).page_id == page_id;
        if judged && (page::check(bytes) != PageVerdict::Sound || !placed) {
            return Err(Damage::Page(page_id));
        }
    }
    Ok(())
}

/// Streams in page order; each begins on a page of its own and goes on in the next ones.
fn collect_streams(pages: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut streams: Vec<(u8, u32, Vec<u8>)> = Vec::new();
    for (page_id, page) in (0_u32..).zip(pages.chunks_exact(page::SIZE)) {
        if page_id < FIRST_STREAM_PAGE || page::is_pfs(page_id) || !in_use(pages, page_id) {
            continue;
        }
        let (kind, id) = (page[STREAM], word(page, STREAM + 1));
        let length = usize::from(u16::from_le_bytes([page[STREAM + 5], page[STREAM + 6]]));
        let chunk = &page[BODY..BODY + length.min(ROOM)];
        match streams.last_mut() {
            Some(last) if (last.0, last.1) == (kind, id) => last.2.extend_from_slice(chunk),
            _ => streams.push((kind, id, chunk.to_vec())),
        }
    }
    streams
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn encode_table(table: &Table) -> Vec<u8> {
    let mut to = Encoder::default();
    to.number(table.next_row);
    to.byte(table.counter.is_some().into());
    to.signed(table.counter.unwrap_or_default());
    to.number(table.rows.len() as u64);
    for (id, row) in &table.rows {
        to.number(id.0);
        to.row(row);
    }
    to.0
}

fn decode_table(bytes: &[u8]) -> Decoded<Table> {
    let mut from = Decoder(bytes);
    let next_row = from.number()?;
    let has_counter = from.byte()? == 1;
    let counter = Some(from.signed()?).filter(|_| has_counter);
    let mut table = Table {
        next_row,
        counter,
        ..Table::default()
    };
    for _ in 0..from.number()? {
        table.rows.insert(RowId(from.number()?), from.row()?);
    }
    Ok(table)
}
