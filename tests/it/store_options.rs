//! Options of a store that a server must see: how it is to encrypt what it keeps.
//!
//! The client library sends these headers and signs them; here it is looked at that they come from our configuration,
//! on small objects and on those that go in parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stopmark::clock::SystemClock;
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::{StepProgress, Store as _, Tap};

use crate::bucket::Bucket;
use crate::storms::config_of;

/// The headers by which S3 is told.
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const KMS_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

struct Nobody;

impl StepProgress for Nobody {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Tap for Nobody {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_told_how_to_encrypt_small_objects_and_those_in_parts() {
    let bucket = Bucket::open().await;
    let seen: Arc<Mutex<Vec<BTreeMap<String, String>>>> = Arc::default();
    let noted = seen.clone();
    bucket.harm(move |request| {
        let begins = request.method == "PUT" && !request.is_part();
        let begins_parts = request.method == "POST" && request.query.starts_with("uploads");
        if begins || begins_parts {
            let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(request.headers().clone());
        }
        None
    });
    let mut config = config_of(&bucket);
    for (option, value) in [
        ("aws_server_side_encryption", "aws:kms"),
        ("aws_sse_kms_key_id", "key-1"),
        ("aws_sse_bucket_key_enabled", "true"),
    ] {
        config.options.insert(option.to_owned(), value.to_owned());
    }
    let agent = AgentIdentity {
        id: "options".to_owned(),
        name: "a test".to_owned(),
    };
    let clock = Arc::new(SystemClock::new());
    let store = ObjectStore::open(&config, agent, clock, Duration::from_secs(60));
    let store = store.expect("the options are known");
    let folder = tempfile::tempdir().expect("a folder");
    for size in [100, 9 << 20] {
        let path = folder.path().join("piece.bak");
        std::fs::write(&path, vec![7; size]).expect("writes");
        let key = format!("v1/pay/pieces/{size}.bak");
        let sent = store.upload(&path, &key, &mut Nobody, &Nobody).await;
        sent.expect("uploads");
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(seen.len(), 4, "a piece in one, one in parts, two lists");
    for headers in seen.iter() {
        let told = [ENCRYPTION, KMS_KEY, BUCKET_KEY].map(|name| headers.get(name));
        assert_eq!(
            told.map(|value| value.map(String::as_str)),
            [Some("aws:kms"), Some("key-1"), Some("true")]
        );
        let signed = headers.get("authorization").expect("signed");
        assert!(signed.contains(KMS_KEY), "{signed}");
    }
}
