//! `stopmark explain`: what an error of SQL Server or of Stopmark means, and who does what about it.

use super::{Failed, one, shown};
use crate::cli::args::ExplainArgs;
use crate::cli::out::{Out, Shown};
use crate::error::{Code, Error, Exit};
use crate::report::explain::Explanation;

/// Explains one error; it needs no configuration and no host.
pub(super) fn explain(args: &ExplainArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    match Explanation::of(&args.error) {
        Some(explanation) => shown(out, &explanation, Exit::Ok),
        None => Err(one(unknown(&args.error))),
    }
}

fn unknown(asked: &str) -> Error {
    Error::new(
        Code::CommandLine,
        format!("`{}` is no error that Stopmark knows", asked.escape_debug()),
    )
    .hint("`docs/sql-errors.md` lists SQL Server's numbers around backups and links, `docs/errors.md` Stopmark's codes")
}

impl Shown for Explanation {
    fn text(&self) -> String {
        Self::text(self)
    }
}
