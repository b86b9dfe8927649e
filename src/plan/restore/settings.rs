//! What members had on their hosts beside their data, by the manifests: what the target must have too, and what is put
//! back after the restore. Start at [`lacks`] and [`put_back`].
//!
//! Manifests of older versions say nothing of it; then nothing is asked for and nothing is put back.

use super::asked::RestoreAsked;
use super::check::Finding;
use super::way::{Way, is_express};
use crate::error::{Code, Error};
use crate::model::DatabaseSettings;
use crate::plan::restore_step::{Keeps, PutBack};

/// What the target lacks, or has otherwise.
pub(super) fn lacks(way: &Way<'_>) -> Vec<Finding> {
    let Some(had) = way.settings else {
        return Vec::new();
    };
    [key(way, had), collation(way, had), edition(way, had)]
        .into_iter()
        .flatten()
        .collect()
}

/// Without the certificate no backup of an encrypted database can be restored (33111).
fn key(way: &Way<'_>, had: &DatabaseSettings) -> Option<Finding> {
    let thumbprint = had.encryptor.as_ref()?;
    let at = |error: Error, hint: &str| {
        error
            .at("host", &way.host)
            .at("member", way.member)
            .at("thumbprint", thumbprint)
            .hint(hint)
    };
    let Some(keys) = &way.facts.keys else {
        let message = "the member's data are encrypted, and whether the host has the certificate is not known";
        let error = Error::new(Code::TargetUnfit, message);
        return Some(Finding::told(at(
            error,
            "grant it VIEW ANY DEFINITION, or look yourself",
        )));
    };
    if keys.contains(thumbprint) {
        return None;
    }
    let message = "the host lacks the certificate that the member's data are encrypted by";
    let error = Error::new(Code::TargetUnfit, message);
    let hint = "create it in `master` from its backup, private key included: CREATE CERTIFICATE .. FROM FILE ..";
    Some(Finding::refusal(at(error, hint)))
}

/// A database keeps its own collation; what it makes in `tempdb` has the host's.
fn collation(way: &Way<'_>, had: &DatabaseSettings) -> Option<Finding> {
    let (was, is) = (&had.server_collation, &way.facts.collation);
    let is_same = was.is_empty() || is.is_empty() || was.eq_ignore_ascii_case(is);
    if is_same {
        return None;
    }
    let message = format!("the host's collation is `{is}`, that of the host before was `{was}`");
    let error = Error::new(Code::TargetUnfit, message)
        .at("host", &way.host)
        .at("member", way.member)
        .hint(
            "joins with temporary tables may fail (468): try the application, or take another host",
        );
    Some(Finding::told(error))
}

/// What the large editions alone can open keeps a database shut elsewhere (909), after all of it was restored.
fn edition(way: &Way<'_>, had: &DatabaseSettings) -> Option<Finding> {
    const LARGE: [&str; 3] = ["Enterprise", "Developer", "Evaluation"];
    let is_large = |edition: &str| LARGE.iter().any(|it| edition.starts_with(it));
    let (was, is) = (&had.server_edition, &way.facts.edition);
    if !is_large(was) || is.is_empty() || is_large(is) {
        return None;
    }
    let message = format!("the host is a `{is}`, the one before was a `{was}`");
    let error = Error::new(Code::TargetUnfit, message)
        .at("host", &way.host)
        .at("member", way.member)
        .hint("`sys.dm_db_persisted_sku_features` of the member must be empty, or it will not open there (909)");
    Some(Finding::told(error))
}

/// What the statement that opens the member must keep.
pub(super) fn keeps(asked: &RestoreAsked, way: &Way<'_>) -> Keeps {
    match way.settings {
        Some(had) if asked.puts_back => Keeps {
            cdc: had.is_cdc_enabled && !is_express(way.facts),
            replication: had.is_published && way.is_over_itself(),
        },
        _ => Keeps::default(),
    }
}

/// What is put back into the member, once it is open.
pub(super) fn put_back(asked: &RestoreAsked, way: &Way<'_>) -> Option<PutBack> {
    let settings = way.settings.filter(|_| asked.puts_back)?;
    Some(PutBack {
        member: way.member.clone(),
        target: way.target.clone(),
        settings: settings.clone(),
        retry: None,
    })
}
