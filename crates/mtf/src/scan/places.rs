//! From offsets in the media to offsets in the file, which differ where the media are compressed.
//!
//! Start at [`Places::file_offset`]. What stands inside a record is somewhere in its bytes, so the
//! place of anything there is the start of the record.
//!
//! This file never holds more than [`KEPT_MAX`] places: of more it keeps every second, every fourth
//! and so on, beside the newest, and what stood between has the place of the one before.

use std::ops::RangeInclusive;

const KEPT_MAX: usize = 1 << 16;

/// An offset in the media and where in the file that is.
type Place = (u64, u64);

#[derive(Debug)]
pub(super) struct Places {
    /// Where records and filemarks begin; none in plain media.
    starts: Vec<Place>,
    /// The two newest: most that is noticed is noticed there.
    newest: [Place; 2],
    seen: u64,
    /// One of so many is kept.
    stride: u64,
    /// Where the last filemark ended in the file.
    mark_end: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            starts: Vec::new(),
            newest: [(0, 0); 2],
            seen: 0,
            stride: 1,
            mark_end: 0,
        }
    }
}

impl Places {
    /// What comes at `media_offset` begins at `file_offset`.
    pub(super) fn begins(&mut self, media_offset: u64, file_offset: u64) {
        if self.starts.len() >= KEPT_MAX {
            self.stride *= 2;
            let mut index = 0_usize;
            self.starts.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
        let place = (media_offset, file_offset);
        if self.seen.is_multiple_of(self.stride) {
            self.starts.push(place);
        }
        self.seen += 1;
        self.newest = [self.newest[1], place];
    }

    /// A filemark ended at `file_offset`.
    pub(super) fn mark_ends(&mut self, file_offset: u64) {
        self.mark_end = file_offset;
    }

    /// Where in the file that is which has this offset in the media.
    pub(super) fn file_offset(&self, media_offset: u64) -> u64 {
        let before = |place: &&Place| place.0 <= media_offset;
        let after = self.starts.partition_point(|place| before(&place));
        let kept = after
            .checked_sub(1)
            .and_then(|index| self.starts.get(index));
        let newest = self.newest.iter().rev().find(before);
        let place = kept.map(|kept| newest.map_or(kept, |newest| kept.max(newest)));
        place.map_or(media_offset, |place| place.1)
    }

    /// The offsets that a backup set may say it begins at. In a container what holds no contents
    /// may stand between the filemark and the record, and nobody knows which of them is meant.
    pub(super) fn set_begins(&self, media_offset: u64) -> RangeInclusive<u64> {
        let place = self.file_offset(media_offset);
        let first = if self.starts.is_empty() {
            place
        } else {
            self.mark_end.min(place)
        };
        first..=place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_media_are_where_they_say() {
        assert_eq!(Places::default().file_offset(77), 77);
        assert_eq!(Places::default().set_begins(77), 77..=77);
    }

    #[test]
    fn what_is_in_a_record_has_the_place_of_the_record() {
        let mut places = Places::default();
        places.begins(0, 480);
        places.begins(4096, 8192);
        places.mark_ends(8100);
        assert_eq!(places.file_offset(4095), 480);
        assert_eq!(places.file_offset(5000), 8192);
        assert_eq!(places.set_begins(4096), 8100..=8192);
    }

    #[test]
    fn of_many_places_some_are_forgotten_and_never_the_newest() {
        let mut places = Places::default();
        for record in 0..200_000 {
            places.begins(record * 10, record);
            let newest = record.saturating_sub(1);
            assert_eq!(places.file_offset(newest * 10 + 9), newest);
        }
        assert!(places.starts.len() <= KEPT_MAX);
        let far = |record: u64| record - places.file_offset(record * 10 + 9);
        assert!((0..200_000).step_by(777).all(|record| far(record) < 8));
    }
}
