//! Stripes side by side: all of them, each once, of one backup.
//!
//! Nothing here is damaged in itself.

use mtf::{BackupKind, MediaFamily, MediaWriter, Report, StripeFault, check_stripes};
use uuid::Uuid;

use crate::common::{Medium, pages, scan, time};

fn pair() -> [Report; 2] {
    pair_written(|family| MediaWriter::new(Vec::new(), family, time(0)))
}

/// Two stripes of a full backup of 48 pages: two extents in the first, four in the second.
pub(crate) fn pair_written(
    format: impl Fn(&MediaFamily) -> std::io::Result<MediaWriter<Vec<u8>>>,
) -> [Report; 2] {
    let mut medium = Medium::new(BackupKind::Full, 2, 3);
    medium.family.family_count = 2;
    medium.identity.files[0].pages_in_backup = 48;
    let mut writer = format(&medium.family).expect("memory takes everything");
    medium.write_set(&mut writer);
    let first = scan(&writer.finish().expect("memory"));
    medium.family.family_number = 2;
    let mut writer = format(&medium.family).expect("memory takes everything");
    writer.begin_set(&medium.identity).expect("memory");
    writer
        .data(4 * 65536, &mut &pages(6)[2 * 65536..])
        .expect("there is as much");
    writer
        .log_elsewhere(&medium.extent)
        .expect("the virtual log file covers it");
    writer.end_set(&medium.identity).expect("memory");
    [first, scan(&writer.finish().expect("memory"))]
}

#[test]
fn all_stripes_together_are_whole_in_any_order() {
    let [first, second] = pair();
    assert_eq!(check_stripes(&[first.clone(), second.clone()]), []);
    assert_eq!(check_stripes(&[second, first]), []);
    assert_eq!(check_stripes(&[]), []);
}

#[test]
fn a_file_that_is_no_stripe_is_whole_alone() {
    let report = scan(&Medium::new(BackupKind::Full, 1, 1).write());
    assert_eq!(check_stripes(&[report]), []);
}

#[test]
fn a_missing_and_a_doubled_stripe_are_named() {
    let [_, second] = pair();
    assert_eq!(
        check_stripes(std::slice::from_ref(&second)),
        [StripeFault::Missing { number: 1 }]
    );
    let faults = check_stripes(&[second.clone(), second]);
    let twice = StripeFault::GivenTwice { file: 1, number: 2 };
    assert_eq!(faults, [twice, StripeFault::Missing { number: 1 }]);
    assert_eq!(faults[1].to_string(), "stripe 1 is missing");
}

#[test]
fn files_of_other_media_or_of_none_are_named() {
    let [first, mut second] = pair();
    second.media.as_mut().expect("there is one").media_set_id = Uuid::from_u128(8);
    let missing = StripeFault::Missing { number: 2 };
    let other = StripeFault::OtherMediaSet { file: 1 };
    assert_eq!(
        check_stripes(&[first.clone(), second]),
        [other, missing.clone()]
    );
    let nothing = StripeFault::NotMedia { file: 1 };
    assert_eq!(
        check_stripes(&[first, Report::default()]),
        [nothing, missing]
    );
}

#[test]
fn stripes_of_another_backup_are_named() {
    let [first, mut second] = pair();
    second.sets[0].identity.set_guid = Uuid::from_u128(8);
    assert_eq!(
        check_stripes(&[first, second]),
        [StripeFault::OtherSets { file: 1 }]
    );
}

#[test]
fn pages_are_counted_over_all_stripes() {
    let [mut first, mut second] = pair();
    for report in [&mut first, &mut second] {
        report.sets[0].identity.files[0].pages_in_backup = 50;
    }
    let fault = StripeFault::PagesDisagree {
        position: 1,
        expected: 50,
        found: 48,
    };
    assert_eq!(check_stripes(&[first, second]), [fault]);
}
