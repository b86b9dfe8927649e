//! What the report of a drill says, part by part. Start at [`body`].
//!
//! First the answer, then the pictures, then the proof. Times are UTC and say so.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::bars::{Bar, Scale, axis, key, row};
use super::text;
use crate::model::{
    Certificate, DrilledMember, DrilledPiece, PieceKind, ServerLocal, Soundness, Timestamp,
};
use crate::report::bytes::{counted, size, span};

/// Rows of a drawing; what is more is in the tables, and said.
const ROWS_MAX: usize = 100;

/// Everything between the page's beginning and its end.
pub(super) fn body(certificate: &Certificate) -> String {
    [
        head(certificate),
        cards(certificate),
        target(certificate),
        timeline(certificate),
        work(certificate),
        proof(certificate),
        checks(certificate),
        phases(certificate),
        foot(certificate),
    ]
    .concat()
}

fn head(it: &Certificate) -> String {
    let (class, verdict) = if it.passed {
        ("good", "passed")
    } else {
        ("bad", "FAILED")
    };
    let group = text(it.group.as_str());
    let mut html = format!(
        "<p><span class=\"seal {class}\">{verdict}</span></p>\n<h1>Drill of group {group}</h1>\n\
         <p class=\"soft\">{}, to mark <code>{}</code>, placed {}</p>\n",
        text(&minute(it.began_at)),
        text(it.mark.as_str()),
        text(&minute(it.placed_at))
    );
    let whole = it.members.iter().filter(|member| is_whole(member)).count();
    let sentence = if it.was_cut_short {
        "The drill was cut short before its end; what stands below is how far it came. A later start removed what it \
         had left."
            .to_owned()
    } else if it.passed {
        format!(
            "All {} came back to one mark on the drill hosts, were looked through, and were removed again.",
            counted(whole, "member")
        )
    } else {
        format!(
            "{whole} of {} came back to the mark and were sound. What failed stands below, in red.",
            counted(it.members.len(), "member")
        )
    };
    writeln!(html, "<p>{}</p>", text(&sentence)).expect("a string takes everything");
    html
}

/// Whether nothing was wrong with a member.
fn is_whole(member: &DrilledMember) -> bool {
    member.is_at_mark && member.soundness != Soundness::Unsound && member.faults.is_empty()
}

fn cards(it: &Certificate) -> String {
    let recovery = it.recovery_ms().map_or_else(|| "never".to_owned(), span);
    let against = match (it.rto_target_ms, it.keeps_target()) {
        (Some(target), Some(true)) => {
            format!("until all were proven; target {} kept", span(target))
        }
        (Some(target), _) => format!("until all were proven; target {} MISSED", span(target)),
        (None, _) => "until all were proven (RTO)".to_owned(),
    };
    let speed = it.bytes_per_second().map_or_else(
        || "nothing was restored whole".to_owned(),
        |bytes| format!("restored, {}/s over the whole recovery", size(bytes)),
    );
    let pieces: usize = it.members.iter().map(|member| member.pieces.len()).sum();
    let cards = [
        (recovery, against),
        (
            span(it.lost_ms()),
            "would have been lost then (RPO)".to_owned(),
        ),
        (size(it.restored_bytes()), speed),
        (
            counted(it.members.len(), "member"),
            format!("from {}", counted(pieces, "piece")),
        ),
    ];
    let card = |(figure, words): &(String, String)| {
        format!(
            "<div class=\"card\"><b>{}</b><span>{}</span></div>",
            text(figure),
            text(words)
        )
    };
    let cards: String = cards.iter().map(card).collect();
    format!("<div class=\"cards\">{cards}</div>\n")
}

/// The recovery beside its target, where there are both.
fn target(it: &Certificate) -> String {
    let (Some(recovery), Some(target)) = (it.recovery_ms(), it.rto_target_ms) else {
        return String::new();
    };
    let end = recovery.max(target);
    let scale = Scale::up_to(end + end / 10);
    let kind = if recovery <= target { "within" } else { "over" };
    let bar = |kind, to, words: &str| Bar {
        kind,
        from: 0,
        to,
        title: format!("{words} {}", span(to)),
    };
    let rows = row("this drill", scale, &[bar(kind, recovery, "recovery")])
        + &row("target", scale, &[bar("fetch", target, "target")]);
    format!(
        "<h2>Recovery time against its target</h2>\n<div class=\"rows\">{rows}{}</div>\n",
        axis("0", &span(end + end / 10))
    )
}

/// The backups of each member along the time when they were taken, and the mark.
fn timeline(it: &Certificate) -> String {
    let pieces = it.members.iter().flat_map(|member| &member.pieces);
    let instants = pieces.flat_map(|piece| [millis(piece.started), millis(piece.finished)]);
    let Some(scale) = Scale::over(instants.chain([it.placed_at.millis()])) else {
        return String::new();
    };
    let mut rows = String::new();
    for member in it.members.iter().take(ROWS_MAX) {
        let mut bars: Vec<Bar> = member.pieces.iter().map(taken).collect();
        bars.push(Bar {
            kind: "mark",
            from: it.placed_at.millis(),
            to: it.placed_at.millis(),
            title: format!("mark {}", it.mark),
        });
        rows.push_str(&row(&member.member.to_string(), scale, &bars));
    }
    let ends = |millis: fn(&DrilledPiece) -> i64| {
        let pieces = it.members.iter().flat_map(|member| &member.pieces);
        pieces.map(millis).chain([it.placed_at.millis()])
    };
    let first = ends(|piece| millis(piece.started))
        .min()
        .unwrap_or_default();
    let last = ends(|piece| millis(piece.finished))
        .max()
        .unwrap_or_default();
    let kinds = [
        ("full", "full"),
        ("differential", "differential"),
        ("log", "log"),
        ("mark", "the mark"),
    ];
    let [first, last] = ends_of(Timestamp::from_millis(first), Timestamp::from_millis(last));
    format!(
        "<h2>From which backups</h2>\n<div class=\"rows\">{rows}{}</div>\n{}{}",
        axis(&first, &last),
        key(&kinds),
        hidden(it)
    )
}

fn taken(piece: &DrilledPiece) -> Bar {
    Bar {
        kind: kind_class(piece.piece_kind),
        from: millis(piece.started),
        to: millis(piece.finished),
        title: format!(
            "{} of {}, {}",
            kind_class(piece.piece_kind),
            piece.finished,
            size(piece.size_bytes)
        ),
    }
}

/// What the drill did for each member, along its own time.
fn work(it: &Certificate) -> String {
    let end = it.written_at.millis() - it.began_at.millis();
    let scale = Scale::up_to(end);
    let since = |at: Timestamp| at.millis() - it.began_at.millis();
    let mut rows = String::new();
    for member in it.members.iter().take(ROWS_MAX) {
        let mut bars = Vec::new();
        for piece in &member.pieces {
            let parts = [("fetch", piece.fetched), ("restore", piece.restored)];
            for (kind, lapse) in parts {
                bars.extend(lapse.map(|lapse| Bar {
                    kind,
                    from: since(lapse.from),
                    to: since(lapse.to),
                    title: format!(
                        "{kind} of the {}: {}",
                        kind_class(piece.piece_kind),
                        span(lapse.millis())
                    ),
                }));
            }
        }
        rows.push_str(&row(&member.member.to_string(), scale, &bars));
    }
    let kinds = [("fetch", "brought from the store"), ("restore", "restored")];
    format!(
        "<h2>How long each member took</h2>\n<div class=\"rows\">{rows}{}</div>\n{}{}",
        axis("0", &span(end)),
        key(&kinds),
        hidden(it)
    )
}

fn hidden(it: &Certificate) -> String {
    match it.members.len().checked_sub(ROWS_MAX) {
        Some(more @ 1..) => format!(
            "<p class=\"soft\">{} are left out here; the tables have all.</p>\n",
            counted(more, "more member")
        ),
        _ => String::new(),
    }
}

fn proof(it: &Certificate) -> String {
    let mut rows = String::new();
    for member in &it.members {
        let mark = if member.is_at_mark {
            "<span class=\"good whole\">at the mark</span>"
        } else {
            "<span class=\"bad whole\">NOT AT THE MARK</span>"
        };
        let soundness = match member.soundness {
            Soundness::NotAsked => "<span class=\"soft\">not asked</span>",
            Soundness::PagesSound => "<span class=\"good\">pages sound</span>",
            Soundness::Sound => "<span class=\"good\">sound</span>",
            Soundness::Unsound => "<span class=\"bad\">UNSOUND</span>",
        };
        let bytes = member.pieces.iter().map(|piece| piece.size_bytes).sum();
        let cells = [
            ("member", text(&member.member.to_string())),
            (
                "restored as",
                text(&format!("{}/{}", member.host, member.database)),
            ),
            ("mark", mark.to_owned()),
            (
                "at LSN",
                text(
                    &member
                        .mark_lsn
                        .map_or_else(String::new, |lsn| lsn.to_string()),
                ),
            ),
            ("CHECKDB", soundness.to_owned()),
            (
                "size",
                format!("<span class=\"whole\">{}</span>", text(&size(bytes))),
            ),
        ];
        rows.push_str(&table_row(&cells));
        for fault in &member.faults {
            writeln!(
                rows,
                "<tr><td colspan=\"6\" class=\"bad\">{}</td></tr>",
                text(fault)
            )
            .expect("a string takes everything");
        }
    }
    format!(
        "<h2>Proof, member by member</h2>\n{}",
        table(
            &["member", "restored as", "mark", "at LSN", "CHECKDB", "size"],
            &rows
        )
    )
}

fn checks(it: &Certificate) -> String {
    if it.checks.is_empty() {
        return "<h2>Checks across the databases</h2>\n<p class=\"soft\">None is configured: \
                <code>[drill] checks</code>.</p>\n"
            .to_owned();
    }
    let mut rows = String::new();
    for check in &it.checks {
        let found = match (&check.fault, check.passed) {
            (_, true) => "<span class=\"good\">found</span>".to_owned(),
            (fault, false) => {
                let fault = fault.as_deref().unwrap_or("not run");
                format!("<span class=\"bad\">{}</span>", text(fault))
            }
        };
        let cells = [
            ("check", text(&check.name)),
            ("should find", text(&check.wanted)),
            ("result", found),
        ];
        rows.push_str(&table_row(&cells));
    }
    format!(
        "<h2>Checks across the databases</h2>\n{}",
        table(&["check", "should find", "result"], &rows)
    )
}

fn phases(it: &Certificate) -> String {
    let mut rows = String::new();
    for phase in &it.phases {
        let after = phase.lapse.from.millis() - it.began_at.millis();
        let cells = [
            ("part", text(&phase.name)),
            ("began after", text(&span(after))),
            ("took", text(&span(phase.lapse.millis()))),
        ];
        rows.push_str(&table_row(&cells));
    }
    format!(
        "<h2>Part by part</h2>\n{}",
        table(&["part", "began after", "took"], &rows)
    )
}

fn foot(it: &Certificate) -> String {
    let clean = if it.is_clean {
        "Everything that the drill had made was removed.".to_owned()
    } else {
        "<span class=\"bad\">Something that the drill had made is still there.</span>".to_owned()
    };
    format!(
        "<h2>This certificate</h2>\n<p>{clean}</p>\n<p class=\"soft\">Run <code>{run}</code>, written {at} by Stopmark \
         {version}. The same facts stand in the store as <code>drills/{run}.json</code>, whose digest is in the \
         group's log.</p>\n",
        run = it.run,
        at = text(&minute(it.written_at)),
        version = text(&it.stopmark)
    )
}

fn table(columns: &[&str], rows: &str) -> String {
    let column = |name: &&str| format!("<th>{}</th>", text(name));
    let columns: String = columns.iter().map(column).collect();
    format!(
        "<div class=\"wide\"><table><thead><tr>{columns}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// Cells with their columns' names, which a narrow page shows; the content is HTML already.
fn table_row(cells: &[(&str, String)]) -> String {
    let cell = |(name, html): &(&str, String)| format!("<td data-name=\"{name}\">{html}</td>");
    let cells = cells.iter().map(cell).collect::<Vec<_>>().concat();
    format!("<tr>{cells}</tr>\n")
}

const fn kind_class(kind: PieceKind) -> &'static str {
    match kind {
        PieceKind::Full => "full",
        PieceKind::Differential => "differential",
        PieceKind::Log => "log",
    }
}

/// A server's time in milliseconds of UTC, as far as it knew: enough for a drawing.
fn millis(at: ServerLocal) -> i64 {
    let zoned = at.civil_utc().to_zoned(TimeZone::UTC);
    zoned.map_or(0, |at| at.timestamp().as_millisecond())
}

/// Both ends of an axis, with seconds where they would be one minute.
fn ends_of(first: Timestamp, last: Timestamp) -> [String; 2] {
    let minutes = [first, last].map(minute);
    if minutes[0] != minutes[1] {
        return minutes;
    }
    let second = |at: Timestamp| at.civil_utc().strftime("%Y-%m-%d %H:%M:%S UTC");
    [first, last].map(|at| second(at).to_string())
}

fn minute(at: Timestamp) -> String {
    at.civil_utc().strftime("%Y-%m-%d %H:%M UTC").to_string()
}
