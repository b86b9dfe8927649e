//! Everything at several sources, examined: what a command begins with.
//!
//! Start at [`gather`]. One file after the other, so that memory does not grow with their number. A file that
//! cannot be read is told, and the rest still examined.

use std::collections::BTreeSet;
use std::path::Path;

use mtf::Level;
use serde::Serialize;

use super::scan::{Beginning, beginning};
use super::{Candidate, Examined, Listing, Place, Source, list, scan};
use crate::error::{Error, Result};
use crate::world::Progress;

/// What lies at the sources, examined.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Files that are media, or were named as if they were.
    pub examined: Vec<Examined>,
    /// Files of folders and prefixes that neither begin as media nor are named as backups.
    pub passed_over: Vec<PassedOver>,
    /// What could not be read (`SM0712`, and those of stores).
    pub faults: Vec<Error>,
}

/// A file that is no backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Where it lies.
    pub place: Place,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// It is encrypted (an age file), so nobody sees here whether a backup is in it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_sealed: bool,
}

/// Lists the sources and examines each file once, down to `level`.
///
/// # Errors
/// As [`list`]: a source that is not there or cannot be read. What is wrong with single files is told in the
/// answer.
pub async fn gather(sources: &[Source], level: Level, progress: &dyn Progress) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    let mut seen = BTreeSet::new();
    for source in sources {
        let Listing { candidates, faults } = list(source).await?;
        gathered.faults.extend(faults);
        for candidate in candidates {
            if seen.insert(candidate.place.clone()) {
                let is_named = source.names(&candidate);
                examine(&candidate, is_named, level, progress, &mut gathered).await;
            }
        }
    }
    Ok(gathered)
}

async fn examine(
    candidate: &Candidate,
    is_named: bool,
    level: Level,
    progress: &dyn Progress,
    gathered: &mut Gathered,
) {
    let is_wanted = is_named || is_called(&candidate.place, BACKUPS);
    // What is asked for is examined whatever it is; only a seal has to be known before.
    let begins = if is_wanted && !is_called(&candidate.place, &["age"]) {
        Ok(Beginning::Media)
    } else {
        beginning(candidate).await
    };
    let examined = match begins {
        Ok(begins) if begins == Beginning::Media || (is_wanted && begins == Beginning::Other) => {
            let bar = progress.begin(&candidate.place.to_string(), Some(candidate.size_bytes));
            scan(candidate, level, bar.as_ref()).await
        }
        Ok(begins) => {
            gathered.passed_over.push(PassedOver {
                place: candidate.place.clone(),
                size_bytes: candidate.size_bytes,
                is_sealed: begins == Beginning::Sealed,
            });
            return;
        }
        Err(error) => Err(error),
    };
    match examined {
        Ok(examined) => gathered.examined.push(examined),
        Err(error) => gathered.faults.push(error),
    }
}

/// Where somebody would expect a backup. What it is, its bytes say; but a backup that is none any more must not be
/// passed over as if it never was one.
const BACKUPS: &[&str] = &["bak", "trn", "dif", "diff"];

/// Whether the name has one of these endings.
fn is_called(place: &Place, endings: &[&str]) -> bool {
    let name = place.to_string();
    let extension = Path::new(&name).extension().and_then(|it| it.to_str());
    extension.is_some_and(|extension| {
        let mut endings = endings.iter();
        endings.any(|usual| extension.eq_ignore_ascii_case(usual))
    })
}
