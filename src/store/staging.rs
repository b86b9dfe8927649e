//! The share as the agent sees it: `world::Staging` over the local file system.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::fs;

use crate::error::{Code, Error, Result};
use crate::model::Timestamp;
use crate::plan::{ShareFile, StagedStripe};
use crate::world::Staging;

/// What a file that is being fetched ends in until it is whole.
pub(super) const UNFINISHED: &str = "part";

/// Files on mounted shares.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalStaging;

#[async_trait]
impl Staging for LocalStaging {
    async fn sizes(&self, stripes: &[StagedStripe]) -> Result<Vec<u64>> {
        let mut sizes = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            let meta = fs::metadata(&stripe.agent_path)
                .await
                .map_err(|error| unseen(stripe, error))?;
            sizes.push(meta.len());
        }
        Ok(sizes)
    }

    async fn make_room(&self, stripes: &[StagedStripe]) -> Result<()> {
        for folder in stripes
            .iter()
            .filter_map(|stripe| stripe.agent_path.parent())
        {
            fs::create_dir_all(folder).await.map_err(|error| {
                Error::new(
                    Code::ShareUnseen,
                    "the agent cannot make a folder on the share",
                )
                .at("folder", folder.display())
                .hint("give the agent's account the right to write to the share")
                .source(error)
            })?;
        }
        Ok(())
    }

    async fn require_folders(&self, stripes: &[StagedStripe]) -> Result<()> {
        for folder in stripes.iter().filter_map(|it| it.agent_path.parent()) {
            fs::read_dir(folder).await.map(drop).map_err(|error| {
                Error::new(
                    Code::ShareUnseen,
                    "the agent cannot look into a folder on the share",
                )
                .at("folder", folder.display())
                .hint("see that the share is there, and mounted")
                .source(error)
            })?;
        }
        Ok(())
    }

    async fn remove(&self, files: &[PathBuf]) -> Result<()> {
        for file in files {
            // A fetch that was killed leaves what it had under another name.
            for file in [file.clone(), file.with_extension(UNFINISHED)] {
                remove_file(&file).await?;
            }
        }
        Ok(())
    }

    async fn list(&self, folder: &Path) -> Result<Vec<ShareFile>> {
        files_in(folder).await.map_err(|error| {
            Error::new(
                Code::ShareUnseen,
                "the agent cannot look into a folder on the share",
            )
            .at("folder", folder.display())
            .hint("give the agent's account the right to read the share")
            .source(error)
        })
    }
}

/// One that is not there is no error.
async fn remove_file(file: &Path) -> Result<()> {
    match fs::remove_file(file).await {
        Err(error) if !is_missing(error.kind()) => Err(Error::new(
            Code::ShareUnseen,
            "a file on the share cannot be removed",
        )
        .at("file", file.display())
        .hint("it is in the store already: remove it by hand")
        .source(error)),
        _ => Ok(()),
    }
}

async fn files_in(folder: &Path) -> std::io::Result<Vec<ShareFile>> {
    let mut found = Vec::new();
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if is_missing(error.kind()) => return Ok(found),
        entries => entries?,
    };
    while let Some(entry) = entries.next_entry().await? {
        let meta = match entry.metadata().await {
            // Removed since it was listed.
            Err(error) if is_missing(error.kind()) => continue,
            meta => meta?,
        };
        if meta.is_file() {
            let changed = jiff::Timestamp::try_from(meta.modified()?);
            let millis = changed.map_or(i64::MAX, jiff::Timestamp::as_millisecond);
            found.push(ShareFile {
                path: entry.path(),
                changed_at: Timestamp::from_millis(millis),
            });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Where a folder of the path is a file, there is no such file either.
const fn is_missing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn unseen(stripe: &StagedStripe, error: std::io::Error) -> Error {
    Error::new(
        Code::ShareUnseen,
        "the agent does not see a file that the host wrote",
    )
    .at("file", stripe.agent_path.display())
    .at("on the host", &stripe.sql_path)
    .hint("`share.sql` and `share.agent` of the host must name one folder")
    .source(error)
}
