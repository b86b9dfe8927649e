//! Bars along a line of time: a name in text beside a drawing, so that names can be read at any width.
//!
//! Start at [`row`]. Drawings are inline SVG a thousand units wide that stretches to the room there is; nothing in them is
//! text.

use std::fmt::Write as _;

use super::text;

/// The width of a drawing in its own units.
const WIDTH: f64 = 1000.0;

/// The least width of a bar in the same units: what is there is seen.
const BAR_MIN: f64 = 2.5;

/// A stretch of time that a drawing shows, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: i64,
    to: i64,
}

/// One bar: its kind is a class of the style sheet.
pub(super) struct Bar {
    pub(super) kind: &'static str,
    pub(super) from: i64,
    pub(super) to: i64,
    /// What a pointer that rests on it is told.
    pub(super) title: String,
}

impl Scale {
    /// The scale that holds all of these instants, with a little room; none where there are none.
    pub(super) fn over(instants: impl IntoIterator<Item = i64>) -> Option<Self> {
        let mut instants = instants.into_iter();
        let first = instants.next()?;
        let (from, to) = instants.fold((first, first), |(from, to), at| (from.min(at), to.max(at)));
        let room = (to.saturating_sub(from) / 100).max(1);
        Some(Self {
            from: from.saturating_sub(room),
            to: to.saturating_add(room),
        })
    }

    /// From zero to here.
    pub(super) fn up_to(end: i64) -> Self {
        Self {
            from: 0,
            to: end.max(1),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a drawing needs no more than a thousandth of its width"
    )]
    fn place(self, at: i64) -> f64 {
        let whole = self.to.saturating_sub(self.from).max(1) as f64;
        let part = at.saturating_sub(self.from) as f64;
        (part / whole * WIDTH).clamp(0.0, WIDTH)
    }
}

/// A name and its bars; later bars lie over earlier ones.
pub(super) fn row(name: &str, scale: Scale, bars: &[Bar]) -> String {
    let mut drawing = String::new();
    for bar in bars {
        let (from, to) = (scale.place(bar.from), scale.place(bar.to));
        let width = (to - from).max(BAR_MIN);
        let from = from.min(WIDTH - width);
        write!(
            drawing,
            "<rect class=\"{}\" x=\"{from:.1}\" y=\"0\" width=\"{width:.1}\" height=\"20\"><title>{}</title></rect>",
            bar.kind,
            text(&bar.title)
        )
        .expect("a string takes everything");
    }
    format!(
        "<div class=\"row\"><div class=\"name\">{}</div>\
         <svg viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">{drawing}</svg></div>\n",
        text(name),
        text(
            &bars
                .iter()
                .map(|bar| bar.title.as_str())
                .collect::<Vec<_>>()
                .join("; ")
        )
    )
}

/// The row below the others that says where the drawing begins and ends.
pub(super) fn axis(from: &str, to: &str) -> String {
    format!(
        "<div class=\"row axis\"><div></div><div class=\"ends\"><span>{}</span><span>{}</span></div></div>\n",
        text(from),
        text(to)
    )
}

/// What the colours mean.
pub(super) fn key(kinds: &[(&str, &str)]) -> String {
    let one = |(kind, words): &(&str, &str)| {
        format!("<span><i class=\"{kind}\"></i>{}</span>", text(words))
    };
    let all: String = kinds.iter().map(one).collect();
    format!("<div class=\"key\">{all}</div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_within_their_drawing_and_can_be_seen() {
        let scale = Scale::over([0, 1_000_000]).expect("a scale");
        let bar = |from, to| Bar {
            kind: "log",
            from,
            to,
            title: "<b>&\"".to_owned(),
        };
        let drawn = row(
            "a<b",
            scale,
            &[bar(1_000_000, 1_000_000), bar(-50_000, 2_000_000)],
        );
        assert!(
            drawn.contains("width=\"2.5\"") && drawn.contains("width=\"1000.0\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("a&lt;b") && !drawn.contains("<b>"),
            "{drawn}"
        );
    }

    #[test]
    fn an_instant_alone_has_a_scale() {
        assert!(Scale::over([7]).is_some());
        assert!(Scale::over([]).is_none());
    }
}
