//! What is typed of stored pieces and of media: read back, proven again, looked into, adopted.

use clap::Args;

use crate::config::size_bytes;
use crate::model::StoreName;

/// `stopmark verify`
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Only what this mark's point needs; everything when left out.
    pub mark: Option<String>,
    /// Compare sizes only.
    #[arg(long)]
    pub quick: bool,
    /// Only the copies in this store; those in all stores when left out.
    #[arg(long, value_name = "NAME")]
    pub store: Option<StoreName>,
    /// Read the group's log and its manifests instead, and find what is missing, altered or cut off.
    #[arg(long, conflicts_with_all = ["mark", "quick", "store"])]
    pub chain: bool,
}

/// `stopmark scrub`
#[derive(Args, Debug)]
pub struct ScrubArgs {
    /// How much may be read back now, such as `200GiB`; everything when left out. Run day by day with one budget,
    /// it comes round to every piece.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub budget: Option<u64>,
}

fn size(text: &str) -> Result<u64, &'static str> {
    size_bytes(text).ok_or("write a whole number and a unit: `512MiB`, `20GiB` or `1TiB`")
}

/// `stopmark inspect`
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// Files, folders or URLs: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`, `file:///folder`.
    #[arg(required = true, value_name = "PATH|URL")]
    pub sources: Vec<String>,
    /// How deep to look: 1 headers, 2 what they say, 3 every byte of pages and log.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub level: u8,
    /// Say which backups follow which, where chains break, and what each database can be restored to.
    #[arg(long)]
    pub chain: bool,
}

/// `stopmark adopt`
#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// Files, folders or URLs: `s3://bucket/prefix`, `az://container/prefix`, `gs://bucket/prefix`, `file:///folder`.
    #[arg(required = true, value_name = "PATH|URL")]
    pub sources: Vec<String>,
    /// The group that the backups join: the configuration's own, by its exact name.
    #[arg(long, value_name = "GROUP")]
    pub group: String,
    /// Whose media are whose where their names do not say: a member, `=`, and the server and database (or the
    /// family GUID) that stand on the media; may be given several times.
    #[arg(long, value_name = "HOST/DATABASE=SERVER/DATABASE")]
    pub member: Vec<String>,
    /// Print the plan and do nothing.
    #[arg(long)]
    pub dry_run: bool,
}
