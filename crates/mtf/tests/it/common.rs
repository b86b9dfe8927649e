//! Small media for the tests: sealed pages, sealed log blocks, identities that agree with them.
//!
//! Start at [`Medium`].
//!
//! This file never asserts anything about the reader.

use mtf::{
    BackupKind, BackupSet, Contents, DatabaseFile, FileKind, LogExtent, Lsn, MediaFamily,
    MediaTime, MediaWriter, Report, Scanner, ServerVersion, SetFlags, Vlf, block, page,
};
use uuid::Uuid;

/// Where the one virtual log file of the tests begins in its log file.
pub(crate) const VLF_START: u64 = 8192;
const VLF_SEQUENCE: u32 = 35;

/// A backup set to be written: data extents, log blocks, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    pub(crate) family: MediaFamily,
    pub(crate) identity: BackupSet,
    pub(crate) data: Vec<u8>,
    pub(crate) extent: LogExtent,
    pub(crate) log: Vec<u8>,
}

impl Medium {
    /// A backup set of this kind with so many extents of data and units of log.
    pub(crate) fn new(kind: BackupKind, extents: u32, log_units: u32) -> Self {
        let data = if kind == BackupKind::Log {
            Vec::new()
        } else {
            pages(extents)
        };
        let extent = log_extent(16, log_units);
        let log = log_blocks(&extent);
        let identity = identity(kind, &data, &extent);
        Self {
            family: family(),
            identity,
            data,
            extent,
            log,
        }
    }

    pub(crate) fn with_checksums(mut self) -> Self {
        self.identity.flags = self.identity.flags.with(SetFlags::BACKUP_CHECKSUMS, true);
        self
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let writer = MediaWriter::new(Vec::new(), &self.family, time(1));
        let mut writer = writer.expect("memory takes everything");
        self.write_set(&mut writer);
        writer.finish().expect("memory takes everything")
    }

    pub(crate) fn write_set(&self, writer: &mut MediaWriter<Vec<u8>>) {
        let front = BackupSet {
            backup_size_bytes: 1,
            ..self.identity.clone()
        };
        writer.begin_set(&front).expect("memory takes everything");
        if !self.data.is_empty() {
            let length = self.data.len() as u64;
            writer
                .data(length, &mut self.data.as_slice())
                .expect("there is as much");
        }
        writer
            .log(&self.extent, &mut self.log.as_slice())
            .expect("there is as much");
        writer
            .end_set(&self.identity)
            .expect("memory takes everything");
    }
}

pub(crate) fn scan(bytes: &[u8]) -> Report {
    let mut scanner = Scanner::new();
    scanner.feed(bytes);
    scanner.finish().0
}

/// Everything that a scanner hands over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Collected {
    pub(crate) fronts: Vec<BackupSet>,
    pub(crate) data: Vec<u8>,
    pub(crate) extents: Vec<LogExtent>,
    pub(crate) log: Vec<u8>,
    pub(crate) identities: Vec<BackupSet>,
}

impl Contents for Collected {
    fn set_begins(&mut self, front: &BackupSet) {
        self.fronts.push(front.clone());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    fn log_begins(&mut self, extent: &LogExtent) {
        self.extents.push(extent.clone());
    }

    fn log(&mut self, bytes: &[u8]) {
        self.log.extend_from_slice(bytes);
    }

    fn set_ends(&mut self, identity: &BackupSet) {
        self.identities.push(identity.clone());
    }
}

pub(crate) fn collect(bytes: &[u8]) -> (Report, Collected) {
    let mut scanner = Scanner::with(Collected::default());
    scanner.feed(bytes);
    scanner.finish()
}

pub(crate) fn time(minute: u8) -> MediaTime {
    MediaTime {
        year: 2026,
        month: 11,
        day: 21,
        hour: 9,
        minute,
        second: 30,
    }
}

pub(crate) fn family() -> MediaFamily {
    MediaFamily {
        media_set_id: Uuid::from_u128(7),
        family_count: 1,
        family_number: 1,
        family_id: 99,
        software: "Microsoft SQL Server".to_owned(),
        block_size_bytes: 65536,
        filemark_bytes: 512,
        name: "shelf".to_owned(),
        description: String::new(),
    }
}

/// Extents of file 1, all pages in use and sealed, page 1 their PFS page.
pub(crate) fn pages(extents: u32) -> Vec<u8> {
    let count = extents * 8;
    (0..count)
        .flat_map(|page_id| page_of(page_id, count))
        .collect()
}

fn page_of(page_id: u32, count: u32) -> [u8; page::SIZE] {
    let mut raw = [0; page::SIZE];
    let is_pfs = page::is_pfs(page_id);
    let page_type = if is_pfs { page::TYPE_PFS } else { 1 };
    page::PageHeader {
        page_type,
        page_id,
        file_id: 1,
        ..page::PageHeader::default()
    }
    .write(&mut raw);
    if is_pfs {
        (0..count).for_each(|page_id| page::set_allocated(&mut raw, page_id, true));
    } else {
        let mut word = page_id.wrapping_mul(0x9E37_79B9) | 1;
        for byte in &mut raw[page::HEADER_SIZE..] {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = word.to_be_bytes()[0];
        }
    }
    page::seal(&mut raw);
    raw
}

/// An extent of `units` log units of 512 bytes, from unit `first` of the virtual log file.
pub(crate) fn log_extent(first: u32, units: u32) -> LogExtent {
    let start_bytes = VLF_START + u64::from(first) * 512;
    LogExtent {
        start_bytes,
        end_bytes: start_bytes + u64::from(units) * 512,
        file_id: 2,
        vlfs: vec![Vlf {
            sequence: VLF_SEQUENCE,
            size_bytes: 1 << 20,
            start_bytes: VLF_START,
            file_id: 2,
            parity: 0x40,
        }],
    }
}

/// Sealed blocks of one, two, one, two, .. units that fill the extent.
pub(crate) fn log_blocks(extent: &LogExtent) -> Vec<u8> {
    let mut out = Vec::new();
    let mut size = 512;
    while (out.len() as u64) < extent.len_bytes() {
        let at = extent.start_bytes + out.len() as u64;
        let left = usize::try_from(extent.end_bytes - at).expect("extents of tests are small");
        let mut raw = vec![0x5A; left.min(size)];
        let (vlf, number) = extent
            .block_at(at)
            .expect("the extent lies in its virtual log file");
        block::seal(&mut raw, vlf, number);
        out.extend(raw);
        size = 1536 - size;
    }
    out
}

fn identity(kind: BackupKind, data: &[u8], extent: &LogExtent) -> BackupSet {
    let lsn_at = |position: u64| {
        let block = u32::try_from((position - VLF_START) / 512).expect("it is small");
        Lsn::from_parts(VLF_SEQUENCE, block, 1)
    };
    let pages = u32::try_from(data.len() / page::SIZE).expect("media of tests are small");
    BackupSet {
        position: 1,
        name: "nightly".to_owned(),
        description: "all of it".to_owned(),
        user_name: r"DOMAIN\operator".to_owned(),
        machine_name: "HOST1".to_owned(),
        server_name: r"HOST1\SQL".to_owned(),
        database_name: "Ledger é𝄞".to_owned(),
        kind,
        flags: SetFlags(SetFlags::ALWAYS),
        set_guid: Uuid::from_u128(0x1234_5678),
        server_version: ServerVersion {
            major: 13,
            minor: 0,
            build: 5026,
        },
        database_version: 852,
        compatibility_level: 130,
        started: time(2),
        finished: Some(time(3)),
        time_zone_quarters: Some(-28),
        database_created: time(0),
        first_lsn: lsn_at(extent.start_bytes),
        last_lsn: lsn_at(extent.end_bytes),
        checkpoint_lsn: lsn_at(extent.start_bytes),
        database_backup_lsn: Lsn::from_parts(30, 8, 1),
        recovery_fork_guid: Uuid::from_u128(11),
        first_recovery_fork_guid: Uuid::from_u128(11),
        family_guid: Uuid::from_u128(12),
        binding_id: Uuid::from_u128(13),
        base_full_guid: Some(Uuid::from_u128(14)),
        backup_size_bytes: data.len() as u64,
        filegroups: vec!["PRIMARY".to_owned()],
        files: files(pages),
        ..BackupSet::default()
    }
}

fn files(pages: u32) -> Vec<DatabaseFile> {
    let file = |file_id, kind, filegroup_id, name: &str, pages_in_backup| DatabaseFile {
        file_id,
        kind,
        filegroup_id,
        logical_name: name.to_owned(),
        physical_name: format!(r"C:\data\{name}"),
        size_bytes: 1 << 24,
        pages_in_backup,
    };
    vec![
        file(1, FileKind::Data, 1, "ledger", pages),
        file(2, FileKind::Log, 0, "ledger_log", 0),
    ]
}
