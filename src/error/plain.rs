//! Foreign text made harmless for a terminal: names from hosts, media and buckets may hold anything.
//!
//! Start at [`plain`]. Nothing is lost but what is cut off on request: what is dangerous is written as Rust
//! writes it, `\u{1b}`.

use std::fmt::Write as _;

/// Whether a character would do something to a terminal, or to the order of what is read on it.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible, and in no name for a reason.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with harmful characters escaped.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// As [`plain`], and in the middle of what is longer than `characters_max` two dots instead.
#[must_use]
pub fn plain_within(text: &str, characters_max: usize) -> String {
    // Cut first: an escape is worth more characters than it stands for, and must stay whole.
    let count = text.chars().count();
    if count <= characters_max {
        return plain(text);
    }
    let kept = characters_max.saturating_sub(2);
    let (head, tail) = (kept - kept / 2, kept / 2);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{}..{}", plain(&start), plain(&end))
}

/// JSON text in which harmful characters of strings are written as escapes; it means the same.
#[must_use]
pub fn plain_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(shown, "\\u{unit:04x}").expect("a string takes everything");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_turns_the_text_is_escaped() {
        let text = "a\u{1b}[2Jb\u{9b}c\u{202e}d\u{2066}e\n";
        assert_eq!(plain(text), r"a\u{1b}[2Jb\u{9b}c\u{202e}d\u{2066}e\u{a}");
        for harmless in ["Zahlung \u{1f4b6}", "ш", "日本語", "a\u{301}", "x\u{200d}y"] {
            assert_eq!(plain(harmless), harmless);
        }
    }

    #[test]
    fn long_names_lose_their_middle() {
        let long = format!("head{}tail", "x".repeat(10_000));
        let shown = plain_within(&long, 10);
        assert_eq!(shown, "head..tail");
        assert_eq!(plain_within("short", 10), "short");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = "a\u{1b}\u{9b}\u{202e}\u{e0001}\"\n";
        let json = serde_json::to_string(value).expect("a string");
        let shown = plain_json(&json);
        assert!(!shown.chars().any(is_harmful), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), value);
    }
}
