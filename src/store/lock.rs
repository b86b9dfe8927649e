//! Locks and holds, object by object: what is stored cannot be deleted before its day, by anyone.
//!
//! Start at [`ObjectStore::lock`]. Only S3 has this for single objects, in a bucket that was made with object lock
//! (Amazon's documentation: `PutObjectRetention`, `PutObjectLegalHold`); Azure and Google keep by a rule of the
//! container or bucket. The client library asks no such question, but signs it. An object counts as stored only
//! when it is locked: what cannot be locked is an error, never a warning. Leases and probes are never locked, and
//! nothing here shortens a lock.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use object_store::client::HttpRequestBody;
use object_store::signer::{SignedUrlOptions, Signer as _};

use super::ObjectStore;
use super::errors::store_error;
use super::hash::sha256;
use super::sweep::Unfinished;
use crate::config::{KeepingConfig, LockMode};
use crate::error::{Code, Error, Result, Retry};
use crate::model::Timestamp;

/// How long a signed request may be sent.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);

const SHA256: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// One request that locks or holds an object.
struct Wanted {
    /// The sub-resource that is written, `retention` or `legal-hold`.
    what: &'static str,
    body: String,
}

impl ObjectStore {
    /// Locks and holds the object under this key as the configuration wants; done twice it is the same.
    ///
    /// # Errors
    /// `SM0702` where the store refuses, `SM0701` where it does not answer.
    pub(super) async fn lock(&self, key: &str) -> Result<()> {
        for wanted in wanted(&self.keeping, self.clock.now()) {
            self.calls.call(|| self.write_lock(key, &wanted)).await?;
        }
        Ok(())
    }

    async fn write_lock(&self, key: &str, wanted: &Wanted) -> Result<()> {
        let Unfinished::InBucket { bucket, http } = &self.unfinished else {
            return Err(refused(key, wanted));
        };
        let checksum = STANDARD.encode(sha256(wanted.body.as_bytes()).0);
        let checksum = HeaderValue::try_from(checksum)
            .map_err(|error| Error::new(Code::Bug, "a checksum cannot be written").source(error))?;
        let options = SignedUrlOptions::new()
            .with_query(vec![(wanted.what, String::new())])
            .with_signed_header(SHA256, checksum.clone());
        let place = self.key(key);
        let url = bucket.signed_url_opts(Method::PUT, &place, SIGNED_FOR, &options);
        let url = url.await.map_err(|error| store_error(error, key))?;
        let body = HttpRequestBody::from(wanted.body.clone());
        let request = http::Request::put(url.as_str())
            .header(SHA256, checksum)
            .body(body);
        let request = request.map_err(|error| unanswered(key, wanted).source(error))?;
        let answer = http.execute(request).await;
        let answer = answer.map_err(|error| unanswered(key, wanted).source(error))?;
        judged(answer.status(), key, wanted)
    }
}

/// What is to be asked of the store for an object that is stored now.
fn wanted(keeping: &KeepingConfig, now: Timestamp) -> Vec<Wanted> {
    let lock = keeping.lock.map(|lock| {
        let mode = match lock.mode {
            LockMode::Governance => "GOVERNANCE",
            LockMode::Compliance => "COMPLIANCE",
        };
        let until = now.plus(DAY * u32::from(lock.days));
        Wanted {
            what: "retention",
            body: format!(
                "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>{mode}</Mode>\
                 <RetainUntilDate>{until}</RetainUntilDate></Retention>"
            ),
        }
    });
    let hold = keeping.legal_hold.then(|| Wanted {
        what: "legal-hold",
        body: "<LegalHold xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>ON</Status>\
               </LegalHold>"
            .to_owned(),
    });
    lock.into_iter().chain(hold).collect()
}

fn judged(status: StatusCode, key: &str, wanted: &Wanted) -> Result<()> {
    if status.is_success() {
        return Ok(());
    }
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(unanswered(key, wanted).at("status", status));
    }
    Err(refused(key, wanted).at("status", status))
}

fn unanswered(key: &str, wanted: &Wanted) -> Error {
    let message = format!(
        "the store does not say whether it set the {} of an object",
        wanted.what
    );
    Error::new(Code::StoreUnreachable, message)
        .at("object", key)
        .hint("the object is there; the next run sets it")
        .retry(Retry::Safe)
}

fn refused(key: &str, wanted: &Wanted) -> Error {
    let message = format!("the store refuses to set the {} of an object", wanted.what);
    Error::new(Code::StoreRefused, message)
        .at("object", key)
        .hint(
            "the bucket must have been made with object lock, and the agent's account needs \
             `s3:PutObjectRetention` and `s3:PutObjectLegalHold`; without `lock` and `legal_hold` in \
             `[store.keeping]` nothing is locked",
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LockConfig;

    #[test]
    fn a_lock_ends_so_many_days_from_now_and_a_hold_does_not_end() {
        let now = "2026-11-21T19:00:00Z".parse().expect("a time");
        let keeping = KeepingConfig {
            storage_class: None,
            lock: Some(LockConfig {
                mode: LockMode::Compliance,
                days: 10,
            }),
            legal_hold: true,
        };
        let asked = wanted(&keeping, now);
        let whats: Vec<&str> = asked.iter().map(|it| it.what).collect();
        assert_eq!(whats, ["retention", "legal-hold"]);
        let until = "<Mode>COMPLIANCE</Mode><RetainUntilDate>2026-12-01T19:00:00";
        assert!(asked[0].body.contains(until), "{}", asked[0].body);
        assert!(wanted(&KeepingConfig::default(), now).is_empty());
    }

    #[test]
    fn what_a_busy_store_says_is_asked_again_and_a_refusal_is_not() {
        let hold = Wanted {
            what: "legal-hold",
            body: String::new(),
        };
        assert!(judged(StatusCode::OK, "k", &hold).is_ok());
        let busy = judged(StatusCode::SERVICE_UNAVAILABLE, "k", &hold).expect_err("busy");
        assert_eq!(busy.code(), Code::StoreUnreachable);
        let refused = judged(StatusCode::FORBIDDEN, "k", &hold).expect_err("refused");
        assert_eq!(refused.code(), Code::StoreRefused);
    }
}
