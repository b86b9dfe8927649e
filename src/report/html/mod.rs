//! Reports as one HTML file: no script, no font, no picture from elsewhere, so that it opens anywhere and for ever.
//!
//! Start at [`drill`]. Text from outside goes through `text` and nowhere else; the page's own policy forbids it to
//! load anything.

mod bars;
mod drilled;
mod style;

use quick_xml::escape::escape;

use crate::error::plain::plain;
use crate::model::Certificate;

/// The report of a drill, a whole HTML document.
#[must_use]
pub fn drill(certificate: &Certificate) -> String {
    let title = format!(
        "Drill of {}, {}",
        certificate.group,
        certificate.began_at.civil_utc().date()
    );
    page(&title, &drilled::body(certificate))
}

/// Foreign text as text of the page, whatever is in it.
fn text(words: &str) -> String {
    escape(plain(words).as_str()).into_owned()
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        text(title),
        style::STYLE
    )
}

#[cfg(test)]
mod tests;
