//! Manifests: one JSON object a set, written once, named by the group's log with its digest.
//!
//! It is the serialised [`Set`] with two fields before it; `docs/store-format.md` and the fixtures
//! under `tests/fixtures/` describe it. Readers refuse newer formats and ignore fields they do not know, so what must
//! not be ignored is another format: see [`format_of`].

use serde::{Deserialize, Serialize};

use super::hash::sha256;
use super::{ObjectStore, keys};
use crate::error::{Code, Error, Result};
use crate::model::{Set, Sha256Digest};

/// The newest format of a manifest.
pub(super) const MANIFEST_FORMAT: u16 = 2;

/// Manifests of one stamp that a run may need: one, and one more each time it was interrupted in between.
const ATTEMPTS_MAX: u32 = 20;

#[derive(Serialize)]
struct Manifest<'a> {
    format: u16,
    stopmark: &'static str,
    set: &'a Set,
}

#[derive(Deserialize)]
struct Format {
    format: u16,
}

#[derive(Deserialize)]
struct ManifestRead {
    format: u16,
    set: Set,
}

impl ObjectStore {
    /// Writes a set's manifest; its key and digest. One that stands there with the same content counts.
    pub(super) async fn write_set(&self, set: &Set) -> Result<(String, Sha256Digest)> {
        let manifest = Manifest {
            format: format_of(set),
            stopmark: env!("CARGO_PKG_VERSION"),
            set,
        };
        let content = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Error::new(Code::Bug, "a set cannot be written").source(error))?;
        let digest = sha256(&content);
        for attempt in 0..ATTEMPTS_MAX {
            let key = keys::manifest(&set.group, &set.stamp(), attempt);
            match self.create_same(&key, content.clone()).await {
                Ok(()) => return Ok((key, digest)),
                Err(error) if error.code() == Code::ObjectExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(
            Code::ObjectExists,
            "too many other manifests bear this set's stamp",
        )
        .at("stamp", set.stamp())
        .hint("look whether another agent writes below the same prefix"))
    }

    /// Reads a manifest that the group's log names.
    pub(super) async fn read_manifest(&self, key: &str, digest: Sha256Digest) -> Result<Set> {
        let content = self.read_small(key).await?;
        checked(&content, key, digest)
    }

    /// The same, many at once, in the order asked.
    pub(super) async fn read_manifests(
        &self,
        named: Vec<(String, Sha256Digest)>,
    ) -> Result<Vec<Set>> {
        let keys: Vec<String> = named.iter().map(|(key, _)| key.clone()).collect();
        self.read_each(&keys, move |at, content| {
            let (key, digest) = &named[at];
            checked(content, key, *digest)
        })
        .await
    }
}

/// Format 2 has pieces that are not the first backup on their medium. Who knows format 1 alone would restore another
/// backup than the piece; all other sets are written so that it can read them.
fn format_of(set: &Set) -> u16 {
    let is_behind_others = set.pieces.iter().any(|piece| piece.position > 1);
    if is_behind_others { 2 } else { 1 }
}

fn checked(content: &[u8], key: &str, digest: Sha256Digest) -> Result<Set> {
    if sha256(content) != digest {
        return Err(Error::new(
            Code::StoreMismatch,
            "a manifest is not what the group's log says",
        )
        .at("object", key)
        .hint("someone changed it: bring it back from a version or copy of the bucket"));
    }
    parse(content).map_err(|error| error.at("object", key))
}

/// Reads the content of a manifest.
///
/// # Errors
/// `SM0708` when the format is newer or the content is none.
pub(super) fn parse(content: &[u8]) -> Result<Set> {
    // A newer format may be anything, so its number alone is read where the whole cannot be.
    let read = serde_json::from_slice::<ManifestRead>(content);
    let format = match &read {
        Ok(manifest) => Some(manifest.format),
        Err(_) => serde_json::from_slice(content)
            .ok()
            .map(|it: Format| it.format),
    };
    if let Some(format) = format.filter(|format| *format > MANIFEST_FORMAT) {
        let message = format!("a manifest has format {format}, newer than {MANIFEST_FORMAT}");
        return Err(Error::new(Code::ManifestUnreadable, message).hint("use a newer Stopmark"));
    }
    let unreadable = Error::new(Code::ManifestUnreadable, "a manifest cannot be read");
    match read {
        Ok(manifest) => Ok(manifest.set),
        Err(error) => Err(unreadable.source(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SetKind;

    const FORMAT_1: &str = include_str!("../../tests/fixtures/manifest-1.json");

    #[test]
    fn a_manifest_of_format_1_is_read_for_ever() {
        let set = parse(FORMAT_1.as_bytes()).expect("format 1");
        assert_eq!(
            (set.kind, set.pieces.len(), set.missing.len()),
            (SetKind::Log, 1, 1)
        );
        assert!(
            set.mark
                .is_some_and(|mark| mark.name.as_str().starts_with("BTS_"))
        );
    }

    #[test]
    fn a_manifest_of_adopted_pieces_says_where_they_came_from() {
        let adopted = include_str!("../../tests/fixtures/manifest-1-adopted.json");
        let set = parse(adopted.as_bytes()).expect("format 1");
        assert_eq!((set.kind, set.mark), (SetKind::Adopted, None));
        let origin = &set.adopted[0];
        assert_eq!(origin.piece, set.pieces[0].id);
        assert_eq!(origin.places.len(), set.pieces[0].stripes.len());
        let own = parse(FORMAT_1.as_bytes()).expect("format 1");
        assert!(
            own.adopted.is_empty(),
            "what Stopmark took came from nobody else"
        );
    }

    #[test]
    fn a_set_of_companions_is_read_as_no_mark_s_by_versions_that_know_none() {
        let mut set = parse(FORMAT_1.as_bytes()).expect("format 1");
        set.companions = vec![set.pieces[0].member.clone()];
        (set.kind, set.mark) = (SetKind::Salvage, None);
        let manifest = Manifest {
            format: format_of(&set),
            stopmark: "test",
            set: &set,
        };
        let content = serde_json::to_vec(&manifest).expect("JSON");
        assert_eq!(parse(&content).expect("format 1"), set);
        let mut older: serde_json::Value = serde_json::from_slice(&content).expect("JSON");
        let fields = older["set"].as_object_mut().expect("fields");
        assert!(fields.remove("companions").is_some());
        let older = parse(older.to_string().as_bytes()).expect("without the field");
        assert_eq!(
            (older.kind, older.is_of_companions()),
            (SetKind::Salvage, false)
        );
        assert!(older.mark.is_none(), "it is no point's");
    }

    #[test]
    fn a_manifest_of_format_2_says_which_backup_of_its_medium_a_piece_is() {
        let text = include_str!("../../tests/fixtures/manifest-2.json");
        let set = parse(text.as_bytes()).expect("format 2");
        assert_eq!((set.pieces[0].position, format_of(&set)), (3, 2));
        let first = parse(FORMAT_1.as_bytes()).expect("format 1");
        assert_eq!((first.pieces[0].position, format_of(&first)), (1, 1));
    }

    #[test]
    fn fields_that_a_later_version_adds_are_left_alone() {
        let more = FORMAT_1.replacen('{', "{\"colour\": \"red\", ", 1);
        assert!(parse(more.as_bytes()).is_ok());
    }

    #[test]
    fn a_newer_format_is_refused_and_named() {
        let newer = FORMAT_1.replacen("\"format\": 1", "\"format\": 3", 1);
        let error = parse(newer.as_bytes()).expect_err("newer");
        assert_eq!(error.code(), Code::ManifestUnreadable);
        assert!(error.message().contains("newer"), "{error}");
    }
}
