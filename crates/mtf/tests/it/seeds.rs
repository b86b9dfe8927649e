//! The seeds of the fuzz targets: small sound media of this crate's own writer, kept as files.
//!
//! Start at [`seeds`]. `STOPMARK_BLESS=1` writes the files again after the writer has changed.
//!
//! No medium here was written by SQL Server.

use std::path::Path;

use mtf::{BackupKind, MediaWriter, page};

use crate::common::{Medium, family, scan, time};

fn seeds() -> [(&'static str, Vec<u8>); 5] {
    let small = |kind| {
        let mut medium = Medium::new(kind, 1, 3);
        medium.data.truncate(2 * page::SIZE);
        medium.identity.files[0].pages_in_backup = 2;
        medium
    };
    let mut stripe = Medium::new(BackupKind::Log, 0, 0);
    stripe.family.family_count = 2;
    let mut both = MediaWriter::new(Vec::new(), &family(), time(0)).expect("memory");
    for _ in 0..2 {
        Medium::new(BackupKind::Log, 0, 0).write_set(&mut both);
    }
    let full = small(BackupKind::Full);
    let packed = MediaWriter::compressed(Vec::new(), &full.family, time(1));
    let mut packed = packed.expect("memory");
    full.write_set(&mut packed);
    [
        ("compressed", packed.finish().expect("memory")),
        ("full", full.with_checksums().write()),
        ("log", Medium::new(BackupKind::Log, 0, 0).write()),
        ("stripe", stripe.write()),
        ("two_sets", both.finish().expect("memory")),
    ]
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_what_the_writer_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/scan");
    for (name, bytes) in seeds() {
        assert!(scan(&bytes).is_sound(), "{name}");
        let path = folder.join(name);
        if std::env::var_os("STOPMARK_BLESS").is_some() {
            std::fs::write(&path, &bytes).expect("the folder can be written");
        }
        let kept = std::fs::read(&path).expect("the seed is there");
        assert!(kept == bytes, "{name} is stale: bless it");
    }
}
