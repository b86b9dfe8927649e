//! All printing of the product: text for people or JSON for programs, and errors.
//!
//! Start at [`Out`]. Commands return data; nothing else in the agent writes to a terminal.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::Error;
use crate::error::plain::plain_json;

/// Where a command's words go.
pub struct Out<'a> {
    stdout: &'a mut (dyn Write + Send + Sync),
    stderr: &'a mut (dyn Write + Send + Sync),
    is_json: bool,
}

/// Data that can be shown to a person; programs get its `Serialize` form.
pub trait Shown: Serialize {
    /// The text for people, with a line end.
    fn text(&self) -> String;
}

impl<'a> Out<'a> {
    /// Prints to these two.
    pub fn new(
        stdout: &'a mut (dyn Write + Send + Sync),
        stderr: &'a mut (dyn Write + Send + Sync),
        is_json: bool,
    ) -> Self {
        Self {
            stdout,
            stderr,
            is_json,
        }
    }

    /// Prints a command's data.
    pub fn show(&mut self, data: &impl Shown) -> io::Result<()> {
        if self.is_json {
            let json = serde_json::to_string_pretty(data).map_err(io::Error::other)?;
            writeln!(self.stdout, "{}", plain_json(&json))
        } else {
            self.stdout.write_all(data.text().as_bytes())
        }
    }

    /// Prints a line for people while work goes on; programs are spared it.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        if self.is_json {
            Ok(())
        } else {
            writeln!(self.stdout, "{line}")
        }
    }

    /// Prints an error: text on stderr, JSON on stderr too, so that stdout stays clean.
    pub fn error(&mut self, error: &Error) -> io::Result<()> {
        if self.is_json {
            let json = serde_json::to_string(&crate::error::render::json(error))
                .map_err(io::Error::other)?;
            writeln!(self.stderr, "{}", plain_json(&json))
        } else {
            write!(self.stderr, "{}", crate::error::render::text(error))
        }
    }
}
