//! A folder of made backup files: real media by `mtf`'s own writer, of one small database.
//!
//! Start at [`Shelf`]. Log positions are units of 512 bytes in one virtual log file.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use mtf::{BackupKind, BackupSet, Lsn, MediaWriter};
use stopmark::cli;
use stopmark::run::Interrupt;
use tempfile::TempDir;
use uuid::Uuid;

use crate::made::{Medium, log_blocks, log_extent, time};
use crate::stage::Printed;

/// A folder, and the command that looks at it.
pub(crate) struct Shelf {
    folder: TempDir,
}

impl Shelf {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// A full, a differential and three logs of one database, and a file that is no backup.
    pub(crate) fn of_chain() -> Self {
        let shelf = Self::new();
        shelf.put("full.bak", &full().write());
        shelf.put("diff.bak", &differential().write());
        for (name, log) in ["log1.trn", "log2.trn", "log3.trn"].iter().zip(logs()) {
            shelf.put(name, &log.write());
        }
        shelf.put("notes.txt", b"nothing but words");
        shelf
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders that it lies in.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        let folder = path.parent().expect("it lies in the shelf");
        fs::create_dir_all(folder).expect("a folder");
        fs::write(path, bytes).expect("writes");
    }

    /// Takes a file away.
    pub(crate) fn take(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("it is there");
    }

    /// Changes the bytes of a file.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(name)).expect("it is there");
        change(&mut bytes);
        self.put(name, &bytes);
    }

    /// Runs `stopmark inspect` on these files of it; an empty name is the folder itself.
    pub(crate) async fn inspect(&self, names: &[&str], options: &[&str]) -> Printed {
        let places = names.iter().map(|name| match *name {
            "" => self.folder.path().as_os_str().to_owned(),
            name => self.path(name).into_os_string(),
        });
        let mut args: Vec<OsString> = vec!["stopmark".into(), "inspect".into()];
        args.extend(places);
        args.extend(options.iter().map(OsString::from));
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = cli::run(args, &mut stdout, &mut stderr, &Interrupt::default()).await;
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Printed {
            exit,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// What [`Self::inspect`] told, with its exit code and without the folder's name.
    pub(crate) async fn tell(&self, names: &[&str], options: &[&str]) -> String {
        let printed = self.inspect(names, options).await;
        let command: Vec<&str> = names.iter().chain(options).copied().collect();
        let told = format!(
            "$ stopmark inspect <shelf>/{}\n{}{}exit {}\n\n",
            command.join(" "),
            printed.stdout,
            printed.stderr,
            printed.exit as u8
        );
        let lines = told.lines().map(|line| line.trim_end().to_owned() + "\n");
        let folder = self.folder.path().display().to_string();
        lines.collect::<String>().replace(&folder, "<shelf>")
    }
}

/// A backup of `Orders` whose log goes from one unit to another; `id` is its GUID, and its minute.
pub(crate) fn medium(id: u8, kind: BackupKind, from: u32, to: u32) -> Medium {
    let mut medium = Medium::new(kind, 2, 1);
    medium.family.media_set_id = Uuid::from_u128(u128::from(id) << 64);
    medium.extent = log_extent(from, to - from);
    medium.log = log_blocks(&medium.extent);
    let at = |unit| Lsn::from_parts(35, unit, 1);
    medium.identity = BackupSet {
        server_name: r"PAY1\SQL".to_owned(),
        database_name: "Orders".to_owned(),
        set_guid: Uuid::from_u128(u128::from(id)),
        first_lsn: at(from),
        last_lsn: at(to),
        checkpoint_lsn: at(from),
        started: time(id * 5),
        finished: Some(time(id * 5 + 1)),
        time_zone_quarters: Some(4),
        base_full_guid: (id > 1).then(|| Uuid::from_u128(1)),
        ..medium.identity
    };
    medium
}

/// The full, number 1.
pub(crate) fn full() -> Medium {
    medium(1, BackupKind::Full, 16, 19)
}

/// A differential on it, number 4, taken after the second log.
pub(crate) fn differential() -> Medium {
    let mut medium = medium(4, BackupKind::Differential, 28, 29);
    medium.identity.differential_base_guid = Some(Uuid::from_u128(1));
    medium.identity.differential_base_lsn = full().identity.first_lsn;
    medium.with_checksums()
}

/// Three logs, numbers 2, 3 and 5.
pub(crate) fn logs() -> [Medium; 3] {
    [(2, 16, 22), (3, 22, 27), (5, 27, 40)]
        .map(|(id, from, to)| medium(id, BackupKind::Log, from, to).with_checksums())
}

/// Several backups in one file.
pub(crate) fn together(media: &[Medium]) -> Vec<u8> {
    let family = &media.first().expect("at least one").family;
    let writer = MediaWriter::new(Vec::new(), family, time(1));
    let mut writer = writer.expect("memory takes everything");
    for (medium, position) in media.iter().zip(1_u16..) {
        let mut medium = medium.clone();
        medium.identity.position = position;
        medium.write_set(&mut writer);
    }
    writer.finish().expect("memory takes everything")
}

/// The two stripes of a full backup, number 1: a third of its pages in the first, the rest in the second.
pub(crate) fn stripes() -> [Vec<u8>; 2] {
    let mut medium = full();
    medium.family.family_count = 2;
    medium.identity.files[0].pages_in_backup = 48;
    let first = medium.write();
    medium.family.family_number = 2;
    let writer = MediaWriter::new(Vec::new(), &medium.family, time(1));
    let mut writer = writer.expect("memory takes everything");
    writer.begin_set(&medium.identity).expect("memory");
    let extents = crate::made::pages(6);
    let rest = &extents[medium.data.len()..];
    writer
        .data(rest.len() as u64, &mut &*rest)
        .expect("there is as much");
    writer
        .log_elsewhere(&medium.extent)
        .expect("the virtual log file covers it");
    writer.end_set(&medium.identity).expect("memory");
    [first, writer.finish().expect("memory")]
}
