//! Tests of `date.rs`, beside it for its size.

use super::*;

fn at(text: &str) -> DateTime {
    parse(text).expect("a time in a test").time
}

#[test]
fn all_common_forms_are_read() {
    let expected = jiff::civil::date(2026, 11, 21).at(9, 4, 7, 0);
    for text in [
        "2026-11-21 09:04:07",
        "2026-11-21T09:04:07",
        "20261121 09:04:07",
        "11/21/2026 9:04:07 AM",
        "Nov 21 2026  9:04:07AM",
        "2026-11-21 09:04:07.000",
    ] {
        assert_eq!(parse(text).map(|p| p.time), Some(expected), "{text}");
    }
    assert_eq!(
        at("12:30PM"),
        jiff::civil::date(1900, 1, 1).at(12, 30, 0, 0)
    );
    assert_eq!(
        at("2026-11-21"),
        jiff::civil::date(2026, 11, 21).at(0, 0, 0, 0)
    );
    let offset = parse("2026-11-21T09:04:07.1234567+01:30").expect("an offset");
    assert_eq!(offset.offset_minutes, Some(90));
}

#[test]
fn what_is_no_date_is_refused() {
    for text in [
        "abc",
        "2026-13-01",
        "2026-02-30",
        "25:00",
        "1 2",
        "2026-11-21 x",
        "é 1 2026",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn styles_are_those_of_convert() {
    let time = at("2026-11-05 09:04:07.123");
    for (style, text) in [
        (0, "Nov  5 2026  9:04AM"),
        (1, "11/05/26"),
        (101, "11/05/2026"),
        (112, "20261105"),
        (120, "2026-11-05 09:04:07"),
        (121, "2026-11-05 09:04:07.123"),
        (126, "2026-11-05T09:04:07.123"),
    ] {
        assert_eq!(format(time, style, 3).as_deref(), Some(text), "{style}");
    }
    assert_eq!(format(time, 999, 3), None);
}

#[test]
fn datetime_rounds_to_its_ticks() {
    let check = |from: &str, to: &str| {
        assert_eq!(round_to_datetime(at(from)), Some(at(to)), "{from}");
    };
    check("2026-01-01 00:00:00.001", "2026-01-01 00:00:00.000");
    check("2026-01-01 00:00:00.002", "2026-01-01 00:00:00.003");
    check("2026-01-01 00:00:00.005", "2026-01-01 00:00:00.007");
    check("2026-12-31 23:59:59.999", "2027-01-01 00:00:00.000");
    assert_eq!(round_to_datetime(at("1700-01-01")), None);
}

#[test]
fn boundaries_are_counted_and_parts_added() {
    let check = |part: DatePart, from: &str, to: &str, count: i64| {
        assert_eq!(
            part.difference(at(from), at(to)),
            Some(count),
            "{part:?} {from} {to}"
        );
    };
    check(DatePart::Year, "2025-12-31", "2026-01-01", 1);
    check(DatePart::Day, "2026-01-01 23:59", "2026-01-02 00:01", 1);
    check(DatePart::Hour, "2026-01-01 23:59", "2026-01-02 00:01", 1);
    check(DatePart::Minute, "1899-12-31 23:59", "1900-01-01 00:01", 2);
    check(DatePart::Week, "2026-11-21", "2026-11-22", 1);
    assert_eq!(
        DatePart::Month.add(at("2026-01-31"), 1),
        Some(at("2026-02-28"))
    );
    assert_eq!(DatePart::Day.add(at("2026-01-31"), i64::MAX), None);
    assert_eq!(DatePart::Weekday.of(at("2026-11-21")), 7);
}
