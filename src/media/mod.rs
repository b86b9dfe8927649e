//! Foreign media: backup files that Stopmark did not plan, wherever they lie and whatever they are called.
//!
//! Start at [`Source::open`] and [`gather`], which is [`list`] and [`scan`]: what there is, and what each file
//! is by its own bytes. [`follow`] puts what was examined side by side: stripes become backups, backups become lineages with
//! spans, breaks and contests, by the rules of `chain/`.
//!
//! This room never writes to where foreign media lie, never believes a file's name, and never judges by more than
//! the bytes say: where media note COPY_ONLY is not known, so nothing here tells such backups apart.

mod backup;
mod bring;
mod follow;
mod gather;
mod lineage;
mod list;
mod piece;
mod scan;
mod source;

pub use backup::{Backup, Stripe, join};
pub use bring::ForeignMedia;
pub use follow::{base_of, follow};
pub use gather::{Gathered, PassedOver, gather};
pub use lineage::{Contest, ContestKind, Gap, Lineage, Span};
pub use list::{Candidate, Listing, Place, list};
pub use piece::{local, piece};
pub use scan::{Digest, Examined, scan};
pub use source::{Access, Source};

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
