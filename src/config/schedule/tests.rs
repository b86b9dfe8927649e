//! Tests of `schedule.rs`, beside it for its size.

use super::*;

/// Rules rather than names, since a bare machine has no tz database.
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

fn zone(rule: &str) -> TimeZone {
    TimeZone::posix(rule).expect("a rule of POSIX")
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

/// The next local times of an expression, each with its offset.
fn next(expression: &str, after: &str, zone: &TimeZone, count: usize) -> Vec<String> {
    next_runs(expression, at(after), zone, count)
        .expect("valid")
        .into_iter()
        .map(|at| {
            let at = jiff::Timestamp::from_millisecond(at.millis()).expect("in range");
            at.to_zoned(zone.clone())
                .strftime("%a %d %H:%M%:z")
                .to_string()
        })
        .collect()
}

#[test]
fn weekdays_are_those_of_a_crontab() {
    for (weekday, first) in [
        ("0", "Sun 22"),
        ("7", "Sun 22"),
        ("sun", "Sun 22"),
        ("1", "Mon 23"),
        ("6", "Sat 21"),
        ("Fri", "Fri 27"),
        ("1-5", "Mon 23"),
        ("mon-fri/2", "Mon 23"),
        ("5-7", "Sat 21"),
        ("2,4", "Tue 24"),
        ("*/3", "Sat 21"),
    ] {
        let found = next(
            &format!("30 2 * * {weekday}"),
            "2026-11-21T00:00:00Z",
            &TimeZone::UTC,
            1,
        );
        assert_eq!(found, [format!("{first} 02:30+00:00")], "{weekday}");
    }
}

#[test]
fn what_no_crontab_takes_is_refused() {
    for text in [
        "",
        "* * * *",
        "0 * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "? * * * *",
        "5/15 * * * *",
        "*/0 * * * *",
        "*/-1 * * * *",
        "9-3 * * * *",
        "* * * * fri-mon",
        "* * L * *",
        "* * * * 1#2",
        "* * * * 5L",
        "1,,2 * * * *",
        "* * * foo *",
        "1- * * * *",
        "* * * * monday",
        "999999999999999999999 * * * *",
        "*/99999999999 * * * *",
        "30 2 30 2 *",
        "* * * * *\u{a0}x",
    ] {
        assert!(Schedule::parse(text).is_err(), "`{text}` was taken");
    }
}

#[test]
fn day_of_month_and_weekday_mean_either_where_both_are_given() {
    let found = next("0 3 13 * fri", "2026-11-01T00:00:00Z", &TimeZone::UTC, 4);
    assert_eq!(
        found,
        [
            "Fri 06 03:00+00:00",
            "Fri 13 03:00+00:00",
            "Fri 20 03:00+00:00",
            "Fri 27 03:00+00:00"
        ]
    );
    let found = next("0 3 */2 * fri", "2026-11-01T00:00:00Z", &TimeZone::UTC, 2);
    assert_eq!(
        found,
        ["Fri 13 03:00+00:00", "Fri 27 03:00+00:00"],
        "a field that begins with `*` narrows"
    );
}

#[test]
fn a_time_that_clocks_skip_comes_once_at_the_first_that_they_show() {
    let berlin = zone(BERLIN);
    let found = next("30 2 * * *", "2026-03-28T12:00:00Z", &berlin, 2);
    assert_eq!(found, ["Sun 29 03:00+02:00", "Mon 30 02:30+02:00"]);
    let found = next("*/30 2,3 * * *", "2026-03-28T12:00:00Z", &berlin, 3);
    assert_eq!(
        found,
        [
            "Sun 29 03:00+02:00",
            "Sun 29 03:30+02:00",
            "Mon 30 02:00+02:00"
        ]
    );
}

#[test]
fn a_time_that_clocks_show_twice_comes_once() {
    let berlin = zone(BERLIN);
    let found = next("0,30 2 * * *", "2026-10-24T12:00:00Z", &berlin, 3);
    assert_eq!(
        found,
        [
            "Sun 25 02:00+02:00",
            "Sun 25 02:30+02:00",
            "Mon 26 02:00+01:00"
        ]
    );
}

#[test]
fn what_goes_on_every_hour_leaves_no_hole_where_clocks_go_back() {
    let berlin = zone(BERLIN);
    let found = next("*/30 * * * *", "2026-10-25T00:00:00Z", &berlin, 4);
    assert_eq!(
        found,
        [
            "Sun 25 02:30+02:00",
            "Sun 25 02:00+01:00",
            "Sun 25 02:30+01:00",
            "Sun 25 03:00+01:00"
        ]
    );
}

#[test]
fn a_change_by_half_an_hour_is_followed() {
    // Lord Howe moves by half an hour.
    let found = next("15 2 * * *", "2026-10-03T00:00:00Z", &zone(LORD_HOWE), 1);
    assert_eq!(found, ["Sun 04 02:30+11:00"]);
}

#[test]
fn the_29th_of_february_comes() {
    assert_eq!(
        next("0 0 29 2 *", "2026-01-01T00:00:00Z", &TimeZone::UTC, 1),
        ["Tue 29 00:00+00:00"]
    );
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, failure_persistence: None, ..Default::default() })]
    #[test]
    fn runs_agree_with_a_minute_by_minute_reading(
        from in 0_i64..100_000,
        minute in proptest::sample::select(vec!["*/15", "0", "7,37", "20-25"]),
        hour in proptest::sample::select(vec!["*", "*/2", "1", "2", "0-3", "23"]),
        rule in proptest::sample::select(vec![BERLIN, NEW_YORK, LORD_HOWE, "UTC0"]),
    ) {
        let zone = zone(rule);
        // A day from before a change of the clocks on, in the spring or autumn of these zones.
        let starts = ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-03-07T12:00:00Z", "2026-10-31T20:00:00Z", "2026-04-04T08:00:00Z"];
        let after = at(starts[usize::try_from(from % 5).expect("small")]).plus_millis(from * 997);
        let expression = format!("{minute} {hour} * * *");
        let found = next_runs(&expression, after, &zone, 5).expect("valid");
        proptest::prop_assert_eq!(found, by_hand(&expression, after, &zone, 5), "{}", expression);
    }
}

/// The rules of [`next_runs`] the slow way: every minute of time is asked whether its local time, or one
/// that clocks skipped just before it, is due and has not been shown before.
fn by_hand(expression: &str, after: Timestamp, zone: &TimeZone, count: usize) -> Vec<Timestamp> {
    let schedule = Schedule::parse(expression).expect("valid");
    let is_due = |local: civil::DateTime| {
        let before = local
            .checked_sub(jiff::Span::new().seconds(1))
            .expect("in range");
        schedule.next_civil(before) == Some(local)
    };
    let mut found = Vec::new();
    let mut minute = after.millis() / 60_000;
    while found.len() < count {
        minute += 1;
        let at = jiff::Timestamp::from_millisecond(minute * 60_000).expect("in range");
        let local = |at: jiff::Timestamp| zone.to_datetime(at);
        let previous = at
            .checked_sub(jiff::SignedDuration::from_mins(1))
            .expect("in range");
        let (here, mut missed) = (local(at), local(previous));
        let mut due = is_due(here);
        // Local times between the minute before and this one were skipped.
        while missed < here {
            missed = missed
                .checked_add(jiff::Span::new().minutes(1))
                .expect("in range");
            due |= is_due(missed);
        }
        if due && (schedule.is_hourly || !was_shown(here, at, zone)) {
            found.push(Timestamp::from_millis(minute * 60_000));
        }
    }
    found
}

/// Whether clocks have shown this local time in the three hours before.
fn was_shown(local: civil::DateTime, at: jiff::Timestamp, zone: &TimeZone) -> bool {
    (1..=180).any(|minutes| {
        let earlier = at.checked_sub(jiff::SignedDuration::from_mins(minutes));
        zone.to_datetime(earlier.expect("in range")) == local
    })
}

/// A zone of ours in chrono's words, so that the oracle looks at the same clocks.
#[derive(Clone, Debug)]
struct Walls(TimeZone);

#[derive(Clone, Debug)]
struct WallOffset {
    walls: Walls,
    offset: Offset,
}

impl std::fmt::Display for WallOffset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.offset.fmt(f)
    }
}

impl chrono::Offset for WallOffset {
    fn fix(&self) -> chrono::FixedOffset {
        chrono::FixedOffset::east_opt(self.offset.seconds()).expect("less than a day")
    }
}

impl Walls {
    fn with(&self, offset: Offset) -> WallOffset {
        let walls = self.clone();
        WallOffset { walls, offset }
    }
}

impl chrono::TimeZone for Walls {
    type Offset = WallOffset;

    fn from_offset(offset: &WallOffset) -> Self {
        offset.walls.clone()
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> chrono::MappedLocalTime<WallOffset> {
        self.offset_from_local_datetime(&local.and_hms_opt(0, 0, 0).expect("midnight"))
    }

    fn offset_from_local_datetime(
        &self,
        local: &chrono::NaiveDateTime,
    ) -> chrono::MappedLocalTime<WallOffset> {
        let local = from_chrono(local.and_utc()).expect("in range");
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                chrono::MappedLocalTime::Single(self.with(offset))
            }
            AmbiguousOffset::Gap { .. } => chrono::MappedLocalTime::None,
            AmbiguousOffset::Fold { before, after } => {
                chrono::MappedLocalTime::Ambiguous(self.with(before), self.with(after))
            }
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> WallOffset {
        self.offset_from_utc_datetime(&utc.and_hms_opt(0, 0, 0).expect("midnight"))
    }

    fn offset_from_utc_datetime(&self, utc: &chrono::NaiveDateTime) -> WallOffset {
        let instant = jiff::Timestamp::from_second(utc.and_utc().timestamp()).expect("in range");
        self.with(self.0.to_offset(instant))
    }
}

/// What `croner` says comes next, as milliseconds.
fn by_croner(expression: &str, after: Timestamp, zone: &TimeZone, count: usize) -> Vec<i64> {
    let cron: croner::Cron = expression.parse().expect("croner takes it too");
    let walls = Walls(zone.clone());
    let mut at = DateTime::from_timestamp_millis(after.millis())
        .expect("in range")
        .with_timezone(&walls);
    let mut found = Vec::new();
    for _ in 0..count {
        at = cron.find_next_occurrence(&at, false).expect("it comes");
        found.push(at.timestamp_millis());
    }
    found
}

/// Whether clocks change within three hours of it: there the two differ in what a list of minutes means.
fn is_near_change(millis: i64, zone: &TimeZone) -> bool {
    let at = jiff::Timestamp::from_millisecond(millis).expect("in range");
    let from = at - jiff::SignedDuration::from_hours(3);
    let next = zone.following(from).next();
    next.is_some_and(|change| change.timestamp() <= at + jiff::SignedDuration::from_hours(3))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(300))]

    #[test]
    fn croner_says_the_same_away_from_changes_of_the_clocks(
        minute in "([0-9]|[1-5][0-9]|\\*|\\*/([2-9]|1[0-9])|[0-9],3[0-9]|1[0-9]-2[0-9])",
        hour in "([0-9]|1[0-9]|2[0-3]|\\*|\\*/[2-9]|[0-5],1[0-9]|[0-9]-1[0-9])",
        day in "(\\*|\\*|\\*|[1-9]|1[0-9]|2[0-8])",
        month in "(\\*|\\*|[1-9]|1[0-2]|[1-4],[5-9])",
        weekday in "(\\*|\\*|[0-7]|mon|fri|sun|1-5|[12],[4-6])",
        after in 1_420_070_400_000_i64..2_051_222_400_000,
    ) {
        let expression = format!("{minute} {hour} {day} {month} {weekday}");
        for rule in [BERLIN, NEW_YORK, LORD_HOWE] {
            let zone = zone(rule);
            let after = Timestamp::from_millis(after / 60_000 * 60_000);
            let ours = next_runs(&expression, after, &zone, 8).expect("an expression");
            let ours: Vec<i64> = ours.into_iter().map(Timestamp::millis).collect();
            let theirs = by_croner(&expression, after, &zone, 8);
            if ours.iter().chain(&theirs).any(|at| is_near_change(*at, &zone)) {
                continue;
            }
            proptest::prop_assert_eq!(&ours, &theirs, "{} in {}", expression, rule);
        }
    }

    #[test]
    fn croner_says_the_same_of_one_time_a_day_through_every_change_of_the_clocks(
        minute in 0..60,
        hour in 0..24,
        year in 2015..2035_i16,
    ) {
        let expression = format!("{minute} {hour} * * *");
        for rule in [BERLIN, NEW_YORK, LORD_HOWE] {
            let zone = zone(rule);
            let start = civil::date(year, 1, 1).to_zoned(TimeZone::UTC).expect("a date");
            let after = Timestamp::from_millis(start.timestamp().as_millisecond());
            let ours = next_runs(&expression, after, &zone, 366).expect("an expression");
            let ours: Vec<i64> = ours.into_iter().map(Timestamp::millis).collect();
            let theirs = by_croner(&expression, after, &zone, 366);
            proptest::prop_assert_eq!(&ours, &theirs, "{} in {}", expression, rule);
        }
    }
}
