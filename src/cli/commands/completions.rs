//! `stopmark completions` and `stopmark man`: what shells and `man` know of the command line, made from its one
//! definition.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Cli, CompletionsArgs, ManArgs};
use crate::cli::out::{Out, Shown};
use crate::error::{Code, Error, Exit};

#[derive(Serialize)]
struct Completions {
    shell: String,
    script: String,
}

impl Shown for Completions {
    fn text(&self) -> String {
        self.script.clone()
    }
}

/// Prints the script of a shell.
pub(super) fn completions(args: &CompletionsArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stopmark", &mut script);
    let completions = Completions {
        shell: args.shell.to_string(),
        script: String::from_utf8_lossy(&script).into_owned(),
    };
    shown(out, &completions, Exit::Ok)
}

#[derive(Serialize)]
struct Pages {
    folder: String,
    pages: Vec<String>,
}

impl Shown for Pages {
    fn text(&self) -> String {
        format!("wrote {} man pages to {}\n", self.pages.len(), self.folder)
    }
}

/// Writes the page of each command.
pub(super) fn man(args: &ManArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let folder = &args.folder;
    let written = fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .and_then(|()| pages(folder));
    let pages = written.map_err(|error| {
        let message = "the man pages cannot be written";
        one(Error::new(Code::StateUnwritable, message)
            .at("folder", folder.display())
            .hint("give your account the right to write there, or name another folder")
            .source(error))
    })?;
    let pages = Pages {
        folder: folder.display().to_string(),
        pages,
    };
    shown(out, &pages, Exit::Ok)
}

/// The names of our pages in the folder, in order.
fn pages(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = PathBuf::from(entry?.file_name());
        let is_page = name.extension().is_some_and(|section| section == "1");
        let name = name.display().to_string();
        if is_page && name.starts_with("stopmark") {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}
