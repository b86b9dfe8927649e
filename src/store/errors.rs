//! What an object store's error means to a person.

use std::io::ErrorKind;

use object_store::Error as StoreError;

use crate::error::{Code, Error, Retry};

/// An error of the store about `key`.
pub(super) fn store_error(error: StoreError, key: impl std::fmt::Display) -> Error {
    let (code, message, hint, retry) = meaning_of(&error);
    Error::new(code, message)
        .at("object", key)
        .hint(hint)
        .retry(retry)
        .source(error)
}

/// Code, words, cure, and whether asking again may help.
fn meaning_of(error: &StoreError) -> (Code, &'static str, &'static str, Retry) {
    match error {
        other if is_bucket_missing(other) => (
            Code::StoreRefused,
            "the store's bucket or container does not exist",
            "make it, or correct `[store] url`",
            Retry::Never,
        ),
        StoreError::NotFound { .. } => (
            Code::ObjectMissing,
            "an object is missing from the store",
            "look whether something else deletes in the bucket; `stopmark catalog rebuild` shows what is left",
            Retry::Never,
        ),
        other if is_upload_unknown(other) => (
            Code::ObjectMissing,
            "the store does not know the parts of an upload that was begun",
            "the upload begins anew; look whether a rule of the bucket removes unfinished uploads",
            Retry::Never,
        ),
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => (
            Code::ObjectExists,
            "an object of this name exists already",
            "look whether another agent writes below the same prefix",
            Retry::Never,
        ),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => (
            Code::StoreRefused,
            "the store refuses the request",
            "check the credentials in `[store]`, the bucket's policy, and this machine's clock",
            Retry::Never,
        ),
        StoreError::NotSupported { .. }
        | StoreError::NotImplemented { .. }
        | StoreError::InvalidPath { .. }
        | StoreError::UnknownConfigurationKey { .. } => (
            Code::StoreRefused,
            "the store cannot do what was asked",
            "check `[store] url` and its options",
            Retry::Never,
        ),
        other if is_refused(other) => (
            Code::StoreRefused,
            "the store refuses the request",
            "check the credentials in `[store]`, the bucket's policy, and this machine's clock",
            Retry::Never,
        ),
        other if is_folder_unusable(other) => (
            Code::StoreRefused,
            "the folder of the store cannot be used as it is",
            "look at what stands there; `[store] url` must name a folder in which the agent may write",
            Retry::Never,
        ),
        other if io_kind(other) == Some(ErrorKind::StorageFull) => (
            Code::DiskFull,
            "the disk of the store is full",
            "make room, then run the command again",
            Retry::Safe,
        ),
        _ => (
            Code::StoreUnreachable,
            "the store does not answer as it should",
            "check `[store] url`, the network and the store itself; nothing counts as stored",
            Retry::Safe,
        ),
    }
}

/// Listing gives a refusal without a kind of its own, and the type that has the status is private to the
/// library: only its text is left.
fn is_refused(error: &StoreError) -> bool {
    let text = error.to_string();
    ["401 Unauthorized", "403 Forbidden"]
        .iter()
        .any(|status| text.contains(status))
}

/// The codes by which S3, Google and Azure tell a missing bucket from a missing object; an object's key cannot
/// look like them.
fn is_bucket_missing(error: &StoreError) -> bool {
    let text = error.to_string();
    [
        "<Code>NoSuchBucket</Code>",
        "<Code>ContainerNotFound</Code>",
    ]
    .iter()
    .any(|code| text.contains(code))
}

/// How S3 and Azure say that an unfinished upload or one of its parts is gone.
fn is_upload_unknown(error: &StoreError) -> bool {
    let text = error.to_string();
    ["NoSuchUpload", "InvalidPart", "InvalidBlockList"]
        .iter()
        .any(|code| text.contains(&format!("<Code>{code}</Code>")))
}

/// What no time mends: a person must change rights or what stands in the way.
fn is_folder_unusable(error: &StoreError) -> bool {
    matches!(
        io_kind(error),
        Some(
            ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::PermissionDenied
                | ErrorKind::ReadOnlyFilesystem
        )
    )
}

/// The operating system's own error below the store's.
pub(super) fn io_kind(error: &StoreError) -> Option<ErrorKind> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let not_found = |body: &str| {
            let (path, source) = ("v1/NoSuchBucket".to_owned(), Box::from(body));
            store_error(StoreError::NotFound { path, source }, "v1/NoSuchBucket").code()
        };
        let bucket = not_found("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>");
        let object = not_found("404 Not Found: <Error><Code>NoSuchKey</Code></Error>");
        assert_eq!((bucket, object), (Code::StoreRefused, Code::ObjectMissing));
    }
}
