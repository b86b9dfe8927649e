//! `LIKE`.
//!
//! Start at [`matches`]. Case does not count, nor do trailing blanks of the text beyond the
//! pattern.

/// Whether a text matches a pattern of `%`, `_`, `[a-f]` and `[^x]`; `None` where the escape is not
/// followed by anything, which matches nothing.
pub(crate) fn matches(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let Some(pattern) = compile(pattern, escape) else {
        return false;
    };
    let fold = |text: &str| text.chars().map(fold).collect::<Vec<char>>();
    let whole = fold(text);
    run(&whole, &pattern) || run(&fold(text.trim_end_matches(' ')), &pattern)
}

enum Part {
    AnyRun,
    AnyOne,
    Exactly(char),
    OneOf {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
}

fn fold(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn compile(pattern: &str, escape: Option<char>) -> Option<Vec<Part>> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        parts.push(match c {
            _ if Some(c) == escape => {
                let literal = *chars.get(at)?;
                at += 1;
                Part::Exactly(fold(literal))
            }
            '%' => Part::AnyRun,
            '_' => Part::AnyOne,
            '[' => match set(&chars, at) {
                Some((part, end)) => {
                    at = end;
                    part
                }
                None => return None,
            },
            c => Part::Exactly(fold(c)),
        });
    }
    Some(parts)
}

/// The set that begins after `[`, and the place behind its `]`; `None` where it never ends.
fn set(chars: &[char], mut at: usize) -> Option<(Part, usize)> {
    let negated = chars.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let low = *chars.get(at)?;
        if low == ']' {
            return Some((Part::OneOf { ranges, negated }, at + 1));
        }
        let range = chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_some_and(|c| *c != ']');
        let high = if range { chars[at + 2] } else { low };
        ranges.push((fold(low), fold(high)));
        at += if range { 3 } else { 1 };
    }
}

/// Greedy with one point to come back to, so that the time is at most text times pattern.
fn run(text: &[char], pattern: &[Part]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(Part::AnyRun) => {
                retry = Some((t, p));
                p += 1;
                continue;
            }
            Some(part) if text.get(t).is_some_and(|c| fits(part, *c)) => {
                t += 1;
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match retry {
            Some((from, star)) if from < text.len() => {
                retry = Some((from + 1, star));
                t = from + 1;
                p = star + 1;
            }
            _ => return false,
        }
    }
}

fn fits(part: &Part, c: char) -> bool {
    match part {
        Part::AnyRun | Part::AnyOne => true,
        Part::Exactly(expected) => *expected == c,
        Part::OneOf { ranges, negated } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: bool) {
        assert_eq!(
            matches(text, pattern, Some('!')),
            expected,
            "{text:?} like {pattern:?}"
        );
    }

    #[test]
    fn wildcards_sets_and_escapes_match() {
        check("BizTalkMgmtDb", "biztalk%", true);
        check("abc", "a_c", true);
        check("abc", "a_", false);
        check("a%c", "a!%c", true);
        check("abc", "a!%c", false);
        check("b7", "[a-c][0-9]", true);
        check("b7", "[^a-c]%", false);
        check("x", "%%%", true);
        check("", "%", true);
        check("abc  ", "abc", true);
        check("aXbXc", "%x%x%", true);
        check("[x", "[x", false);
    }

    #[test]
    fn hostile_patterns_end_in_time() {
        let pattern = "%a".repeat(200) + "b";
        assert!(!matches(&"a".repeat(5000), &pattern, None));
    }
}
