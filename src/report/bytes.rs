//! Sizes and times as people read them.

/// A size in bytes with three figures at most: `0 B`, `999 B`, `1.2 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut whole, mut tenths, mut unit) = (bytes, 0, "B");
    for next in UNITS {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
        if whole < 1024 {
            break;
        }
    }
    if whole < 10 {
        format!("{whole}.{tenths} {unit}")
    } else {
        format!("{whole} {unit}")
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A span in milliseconds as `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 07 min`.
#[must_use]
pub fn span(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// An instant as a clock on the wall of that zone shows it, `2026-11-21 03:00:00 CET`.
#[must_use]
pub fn in_zone(at: crate::model::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.millis());
    instant.map_or_else(
        |_| at.to_string(),
        |at| {
            at.to_zoned(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S %Z")
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{size, span};

    #[test]
    fn sizes_have_few_figures_and_the_right_unit() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 << 20, "10 MiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size(u64::MAX), "16383 PiB");
    }

    #[test]
    fn spans_grow_coarser_as_they_grow() {
        let cases = [
            (-5, "0 ms"),
            (850, "850 ms"),
            (12_340, "12.3 s"),
            (245_000, "4 min 05 s"),
            (11_220_000, "3 h 07 min"),
        ];
        for (millis, text) in cases {
            assert_eq!(span(millis), text);
        }
    }
}
