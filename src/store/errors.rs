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
type Meaning = (Code, &'static str, &'static str, Retry);

fn meaning_of(error: &StoreError) -> Meaning {
    by_its_words(error).unwrap_or_else(|| by_its_kind(error))
}

/// What the server itself says tells more than the kind that the library makes of it.
fn by_its_words(error: &StoreError) -> Option<Meaning> {
    let meaning = if says_any(error, BUCKET_CODES) {
        (
            Code::StoreRefused,
            "the store's bucket or container does not exist",
            "make it, or correct `[store] url`",
            Retry::Never,
        )
    } else if says_any(error, TOKEN_CODES) {
        (
            Code::StoreRefused,
            "the store says that the agent's credentials have expired",
            "give new ones in `[store.secrets]`; a session token ends by itself, a role or a key of the agent's own does not",
            Retry::Never,
        )
    } else if says_any(error, CLOCK_CODES) {
        (
            Code::StoreRefused,
            "the store and this machine do not agree on the time",
            "set this machine's clock by a time server; S3 takes a difference of 15 minutes at most",
            Retry::Never,
        )
    } else if is_full(error) {
        (
            Code::DiskFull,
            "the disk of the store is full",
            "make room, then run the command again",
            Retry::Safe,
        )
    } else if says_any(error, UPLOAD_CODES) {
        (
            Code::ObjectMissing,
            "the store does not know the parts of an upload that was begun",
            "the upload begins anew; look whether a rule of the bucket removes unfinished uploads",
            Retry::Never,
        )
    } else {
        return None;
    };
    Some(meaning)
}

fn by_its_kind(error: &StoreError) -> Meaning {
    match error {
        StoreError::NotFound { .. } => (
            Code::ObjectMissing,
            "an object is missing from the store",
            "look whether something else deletes in the bucket; `stopmark catalog rebuild` shows what is left",
            Retry::Never,
        ),
        StoreError::AlreadyExists { .. } | StoreError::Precondition { .. } => (
            Code::ObjectExists,
            "an object of this name exists already",
            "look whether another agent writes below the same prefix",
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
        other if is_not_understood(other) => (
            Code::StoreRefused,
            "the store does not understand the request",
            "check the region, the endpoint and the options in `[store]`; the store's own words are below",
            Retry::Never,
        ),
        _ => (
            Code::StoreUnreachable,
            "the store does not answer as it should",
            "check `[store] url`, the network and the store itself; nothing counts as stored",
            Retry::Safe,
        ),
    }
}

/// How S3 says that credentials were good once.
const TOKEN_CODES: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
];

/// How S3 says that a signature is of another time.
const CLOCK_CODES: &[&str] = &["RequestTimeTooSkewed", "RequestExpired"];

/// How S3, Google and Azure tell a missing bucket from a missing object.
const BUCKET_CODES: &[&str] = &["NoSuchBucket", "ContainerNotFound"];

/// How S3 and Azure say that an unfinished upload or one of its parts is gone.
const UPLOAD_CODES: &[&str] = &["NoSuchUpload", "InvalidPart", "InvalidBlockList"];

/// How servers that are their own disk say that it is full.
const FULL_CODES: &[&str] = &["XMinioStorageFull", "QuotaExceeded"];

/// What S3 answers with 400 though the request was right when it was sent: it came late or damaged.
const HURT_CODES: &[&str] = &[
    "RequestTimeout",
    "IncompleteBody",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "XAmzContentChecksumMismatch",
];

/// Whether the store's answer has one of these codes; an object's key cannot look like them.
fn says_any(error: &StoreError, codes: &[&str]) -> bool {
    let text = error.to_string();
    codes
        .iter()
        .any(|code| text.contains(&format!("<Code>{code}</Code>")))
}

/// The type that has the status is private to the library: only its text is left.
fn has_status(error: &StoreError, statuses: &[&str]) -> bool {
    let text = error.to_string();
    statuses.iter().any(|status| text.contains(status))
}

/// Listing gives a refusal without a kind of its own.
fn is_refused(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }
    ) || has_status(error, &["401 Unauthorized", "403 Forbidden"])
}

/// Asking again in the same words would not help.
fn is_not_understood(error: &StoreError) -> bool {
    has_status(error, &["400 Bad Request"]) && !says_any(error, HURT_CODES)
}

/// A disk below a folder, or below a server that tells.
fn is_full(error: &StoreError) -> bool {
    io_kind(error) == Some(ErrorKind::StorageFull)
        || says_any(error, FULL_CODES)
        || has_status(error, &["507 Insufficient Storage"])
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
fn io_kind(error: &StoreError) -> Option<ErrorKind> {
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

    /// What is made of an answer of a server, as the library tells it.
    fn of_answer(status: &str, code: &str) -> Error {
        let body = format!("{status}: <Error><Code>{code}</Code></Error>");
        let error = StoreError::Generic {
            store: "S3",
            source: Box::from(body),
        };
        store_error(error, "v1/piece")
    }

    #[test]
    fn what_a_person_must_mend_is_not_asked_again_and_names_its_cure() {
        let told = [
            (
                "400 Bad Request",
                "ExpiredToken",
                "expired",
                "session token",
            ),
            ("403 Forbidden", "ExpiredToken", "expired", "session token"),
            ("403 Forbidden", "RequestTimeTooSkewed", "the time", "clock"),
            (
                "400 Bad Request",
                "AuthorizationHeaderMalformed",
                "understand",
                "region",
            ),
            ("403 Forbidden", "AccessDenied", "refuses", "credentials"),
        ];
        for (status, code, words, cure) in told {
            let error = of_answer(status, code);
            assert_eq!(error.code(), Code::StoreRefused, "{code}");
            assert_eq!(error.retry_verdict(), Retry::Never, "{code}");
            assert!(error.message().contains(words), "{code}: {error}");
            let hint = error.hint_text().unwrap_or_default();
            assert!(hint.contains(cure), "{code}: {hint}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_asked_again() {
        let told = [
            (
                "503 Service Unavailable",
                "SlowDown",
                Code::StoreUnreachable,
            ),
            (
                "500 Internal Server Error",
                "InternalError",
                Code::StoreUnreachable,
            ),
            ("400 Bad Request", "RequestTimeout", Code::StoreUnreachable),
            ("400 Bad Request", "BadDigest", Code::StoreUnreachable),
            (
                "507 Insufficient Storage",
                "XMinioStorageFull",
                Code::DiskFull,
            ),
        ];
        for (status, code, expected) in told {
            let error = of_answer(status, code);
            assert_eq!(
                (error.code(), error.retry_verdict()),
                (expected, Retry::Safe),
                "{code}"
            );
        }
    }
}
