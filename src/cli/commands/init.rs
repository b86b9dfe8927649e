//! `stopmark init`: a configuration to begin with.

use std::fs;
use std::io::Write as _;

use serde::Serialize;

use super::{Failed, one, shown};
use crate::cli::args::{Common, InitArgs};
use crate::cli::out::{Out, Shown};
use crate::config::{Sample, sample};
use crate::error::{Code, Error, Exit};

#[derive(Serialize)]
struct Written {
    file: String,
}

impl Shown for Written {
    fn text(&self) -> String {
        format!(
            "wrote {0}\nedit it, then run `stopmark --config {0} check`\n",
            self.file
        )
    }
}

/// Writes the sample, unless a file is there.
pub(super) fn init(common: &Common, args: &InitArgs, out: &mut Out<'_>) -> Result<Exit, Failed> {
    let path = &common.config;
    let text = sample(if args.biztalk {
        Sample::BizTalk
    } else {
        Sample::Group
    });
    let mut options = fs::OpenOptions::new();
    options
        .write(true)
        .create(args.force)
        .truncate(args.force)
        .create_new(!args.force);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AlreadyExists {
            "it is there already: edit it, or say `--force` to overwrite it"
        } else {
            "give your account the right to write there, or say `--config FILE`"
        };
        one(Error::new(
            Code::ConfigUnreadable,
            "the configuration cannot be written",
        )
        .at("file", path.display())
        .hint(hint)
        .source(error))
    })?;
    shown(
        out,
        &Written {
            file: path.display().to_string(),
        },
        Exit::Ok,
    )
}
