//! Texts without what differs from run to run. Start at [`scrub`]; it knows shapes only, no values.

/// Puts `<id>`, `<stamp>`, `<instant>` and `<time>` where a UUID, a mark's stamp, an instant and a duration stand.
pub(crate) fn scrub(text: &str) -> String {
    let text = shaped(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "<id>");
    let text = shaped(&text, "0000_00_00_00_00_00_000", "<stamp>");
    let text = shaped(&text, "0000-00-00T00:00:00.000Z", "<instant>");
    let text = spans(&text);
    let lines = text.lines().map(|line| {
        let ends = ["done in ", "not all is well in ", "FAILED in "];
        let end = ends
            .iter()
            .find_map(|end| Some(line.find(end)? + end.len()));
        end.map_or_else(|| line.to_owned(), |at| format!("{}<time>", &line[..at]))
    });
    lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// Puts `<time>` where a text says how long something took: ` in 2.06ms`.
fn spans(text: &str) -> String {
    let mut parts = text.split(" in ");
    let mut scrubbed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([' ', ',', '\n']).unwrap_or(part.len());
        let is_span = part[..end].ends_with('s') && part.starts_with(|c: char| c.is_ascii_digit());
        let rest = if is_span { &part[end..] } else { part };
        let word = if is_span { "<time>" } else { "" };
        scrubbed.extend([" in ", word, rest]);
    }
    scrubbed
}

/// Replaces every run of characters of this shape: `x` is a hexadecimal digit, `0` a decimal one.
pub(crate) fn shaped(text: &str, shape: &str, by: &str) -> String {
    let (text, shape): (Vec<char>, Vec<char>) = (text.chars().collect(), shape.chars().collect());
    let fits = |at: usize| {
        let part = text.get(at..at + shape.len());
        part.is_some_and(|part| part.iter().zip(&shape).all(|(c, shape)| is_of(*c, *shape)))
    };
    let mut scrubbed = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if fits(at) {
            scrubbed.push_str(by);
            at += shape.len();
        } else {
            scrubbed.push(text[at]);
            at += 1;
        }
    }
    scrubbed
}

fn is_of(c: char, shape: char) -> bool {
    match shape {
        'x' => c.is_ascii_hexdigit(),
        '0' => c.is_ascii_digit(),
        other => c == other,
    }
}
