//! What a store says of an object by its own checksum, held against ours.
//!
//! Start at [`ObjectStore::compare_what_is_said`]. S3 keeps the SHA-256 of what it received where the client sends it
//! (`aws_checksum_algorithm = "sha256"`) and gives it back on a `HEAD` in checksum mode: of an object of one request
//! its digest, of one in parts the digest over the parts' digests (Amazon's documentation: "Checking object
//! integrity"). Our parts are our chunks, so the second is the root of our chunk list, computed by somebody else
//! from what arrived. The client library asks no such question, but signs it.
//!
//! A store that says nothing, or in another way, has said nothing: then the bytes alone prove.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method};
use object_store::client::HttpRequestBody;
use object_store::signer::{SignedUrlOptions, Signer as _};

use super::ObjectStore;
use super::digest::ChunkList;
use super::errors::store_error;
use super::layout::Span;
use super::sweep::Unfinished;
use crate::error::{Code, Error, Result, Retry};
use crate::model::Sha256Digest;

/// How long a signed question may be asked.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");
const SHA256: &str = "x-amz-checksum-sha256";

impl ObjectStore {
    /// Compares an object with the digests of its chunks by what the store itself says of it. Whether it said
    /// anything.
    ///
    /// # Errors
    /// `SM0703` when it says another digest.
    pub(super) async fn compare_what_is_said(
        &self,
        span: &Span,
        digests: &[Sha256Digest],
    ) -> Result<bool> {
        let said = self.calls.call(|| self.said_of(span)).await?;
        let Some(said) = said.and_then(|text| digest_of(&text, digests.len())) else {
            return Ok(false);
        };
        if said == expected(digests) {
            return Ok(true);
        }
        let message = "the store says another checksum than that of what was sent";
        Err(Error::new(Code::StoreMismatch, message)
            .at("object", &span.key)
            .at("the store's", said)
            .at("ours", expected(digests))
            .hint("what arrived is not what was sent; if its file is still on the share, keep it, and look at the store"))
    }

    /// The SHA-256 that an S3 store gives for an object, as it writes it; none elsewhere.
    async fn said_of(&self, span: &Span) -> Result<Option<String>> {
        let Unfinished::InBucket { bucket, http } = &self.unfinished else {
            return Ok(None);
        };
        let enabled = HeaderValue::from_static("ENABLED");
        let options = SignedUrlOptions::new().with_signed_header(CHECKSUM_MODE, enabled.clone());
        let key = self.key(&span.key);
        let url = bucket.signed_url_opts(Method::HEAD, &key, SIGNED_FOR, &options);
        let url = url.await.map_err(|error| store_error(error, &span.key))?;
        let request = http::Request::head(url.as_str())
            .header(CHECKSUM_MODE, enabled)
            .body(HttpRequestBody::empty());
        let request = request.map_err(|error| unasked(span).source(error))?;
        let answer = http.execute(request).await;
        let answer = answer.map_err(|error| unasked(span).source(error))?;
        if answer.status().is_server_error() {
            return Err(unasked(span).at("status", answer.status()));
        }
        // A server that knows no such question refuses it, and its objects are there all the same.
        let said = answer.headers().get(SHA256);
        Ok(said.and_then(|it| it.to_str().ok()).map(str::to_owned))
    }
}

/// The digest in a store's words: Base64, and where an object came in parts, a dash and their number.
fn digest_of(text: &str, chunks: usize) -> Option<Sha256Digest> {
    let (digest, parts) = match text.split_once('-') {
        Some((digest, parts)) => (digest, parts.parse().ok()?),
        None => (text, 1),
    };
    let is_of_our_chunks = parts == chunks && text.contains('-') == (chunks > 1);
    let bytes = STANDARD.decode(digest).ok().filter(|_| is_of_our_chunks)?;
    bytes.try_into().ok().map(Sha256Digest)
}

/// What an object in parts of one chunk has as its checksum.
fn expected(digests: &[Sha256Digest]) -> Sha256Digest {
    match digests {
        [one] => *one,
        many => {
            let mut list = ChunkList::default();
            list.extend(many.iter().copied());
            list.root()
        }
    }
}

fn unasked(span: &Span) -> Error {
    Error::new(
        Code::StoreUnreachable,
        "the store does not say the checksum of an object",
    )
    .at("object", &span.key)
    .hint(
        "look at the store and the way to it; with `read_back = \"whole\"` it is not asked for it",
    )
    .retry(Retry::Safe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hash::sha256;

    #[test]
    fn what_a_store_says_is_the_root_of_our_chunks_or_the_digest_of_the_only_one() {
        let (one, two) = (sha256(b"one"), sha256(b"two"));
        let root = sha256(&[one.0, two.0].concat());
        assert_eq!(expected(&[one, two]), root);
        let in_parts = format!("{}-2", STANDARD.encode(root.0));
        assert_eq!(digest_of(&in_parts, 2), Some(root));
        assert_eq!(digest_of(&STANDARD.encode(one.0), 1), Some(one));
        assert_eq!(expected(&[one]), one);
    }

    #[test]
    fn what_is_said_in_another_way_is_nothing() {
        let digest = STANDARD.encode(sha256(b"one").0);
        let three = format!("{digest}-3");
        for text in [three.as_str(), &digest, "-2", "AAAA-2", "?", ""] {
            assert_eq!(digest_of(text, 2), None, "{text}");
        }
    }
}
