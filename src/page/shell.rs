//! What every view stands in: head, navigation, foot; and small pieces that several views share.

use maud::{DOCTYPE, Markup, html};

use crate::error::{Error, render};
use crate::model::{GroupName, Timestamp};
use crate::report::bytes::span;

/// How well something is; never told by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Somebody should look.
    Warn,
    /// Somebody should get up.
    Bad,
}

impl Level {
    /// The class in the style sheet.
    #[must_use]
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A whole page.
pub(super) fn page(group: Option<&GroupName>, title: &str, main: &Markup) -> String {
    let name = group.map(GroupName::as_str).unwrap_or_default();
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) @if !name.is_empty() { " – " (name) } " – Stopmark" }
                link rel="stylesheet" href="/page.css";
                link rel="icon" href="data:,";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "To the content" }
                header {
                    span.name { "Stopmark" @if !name.is_empty() { " · " (name) } }
                    nav aria-label="Pages" {
                        a href="/" { "Group" }
                        a href="/sets" { "Sets" }
                        a href="/metrics" { "Metrics" }
                    }
                }
                main id="main" { (main) }
                footer { "Stopmark " (env!("CARGO_PKG_VERSION")) ". Nothing on these pages changes anything." }
            }
        }
    };
    whole.into_string()
}

/// The page of an address that has none.
pub(super) fn nothing_here() -> String {
    let main = html! {
        h1 { "Nothing here" }
        section { p { "There is no such page, set or member. " a href="/" { "To the group" } } }
    };
    page(None, "Nothing here", &main)
}

/// The page of an error.
pub(super) fn broken(error: &Error) -> String {
    let main = html! {
        h1 { "This cannot be shown" }
        section.bad { pre { (render::text(error)) } }
    };
    page(None, "Error", &main)
}

/// An instant with its age or distance, for people and for programs.
pub(super) fn time(at: Timestamp, now: Timestamp) -> Markup {
    let millis = now.millis() - at.millis();
    let distance = if millis >= 0 {
        format!("{} ago", rough(millis))
    } else {
        format!("in {}", rough(-millis))
    };
    html! { time datetime=(at) title=(at) { (distance) } }
}

/// An instant to the second, where its age would say too little.
pub(super) fn second(at: Timestamp) -> Markup {
    let shown = at.civil_utc().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    html! { time datetime=(at) { (shown) } }
}

/// A span that need not be exact: no second changes on the page while nothing happens.
pub(super) fn rough(millis: i64) -> String {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;
    match millis {
        ..MINUTE => "less than a minute".to_owned(),
        MINUTE..3_600_000 => format!("{} min", millis / MINUTE),
        3_600_000..172_800_000 => span(millis),
        _ => format!("{} days", millis / DAY),
    }
}

/// A word with a level.
pub(super) fn badge(level: Level, word: &str) -> Markup {
    html! { span class={ "badge " (level.class()) } { (word) } }
}

/// A name as part of an address.
pub(super) fn in_address(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
