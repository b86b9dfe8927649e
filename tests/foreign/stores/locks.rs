//! Object lock on a server that nobody here wrote: what was uploaded says itself that it is locked.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use object_store::ClientOptions;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector as _, HttpRequestBody, ReqwestConnector};
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer as _};
use secrecy::ExposeSecret as _;
use stopmark::config::{KeepingConfig, LockConfig, LockMode, StoreConfig};
use stopmark::error::Code;
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::{StepProgress, Store as _, Tap};

use super::servers;

const BUCKET: &str = "locked";
const ENABLED: HeaderName = HeaderName::from_static("x-amz-bucket-object-lock-enabled");

struct Unheard;

impl StepProgress for Unheard {
    fn percent(&self, _percent: u8) {}
    fn bytes(&self, _more: u64) {}
}

impl Tap for Unheard {
    fn bytes(&mut self, _bytes: &[u8]) {}
}

/// The server, asked without the agent.
struct Asked {
    bucket: AmazonS3,
    http: HttpClient,
}

impl Asked {
    fn of(config: &StoreConfig) -> Self {
        let mut builder = AmazonS3Builder::new().with_bucket_name(BUCKET);
        for (key, value) in &config.options {
            builder = builder.with_config(key.parse().expect("an option"), value);
        }
        let secret = config.secrets["aws_secret_access_key"].expose_secret();
        let bucket = builder.with_secret_access_key(secret).build();
        let client = ClientOptions::new().with_allow_http(true);
        Self {
            bucket: bucket.expect("a bucket"),
            http: ReqwestConnector::default()
                .connect(&client)
                .expect("a client"),
        }
    }

    async fn ask(&self, method: Method, key: &str, options: SignedUrlOptions) -> String {
        let key = Key::from(key);
        let signed =
            self.bucket
                .signed_url_opts(method.clone(), &key, Duration::from_secs(60), &options);
        let url = signed.await.expect("a signed question");
        let mut request = http::Request::builder().method(&method).uri(url.as_str());
        if method == Method::PUT {
            request = request.header(ENABLED, "true");
        }
        let request = request.body(HttpRequestBody::empty()).expect("a request");
        let answer = self.http.execute(request).await.expect("an answer");
        let body = answer.into_body().bytes().await.expect("a whole answer");
        String::from_utf8_lossy(&body).into_owned()
    }

    async fn make_bucket(&self) {
        let enabled = HeaderValue::from_static("true");
        let options = SignedUrlOptions::new().with_signed_header(ENABLED, enabled);
        self.ask(Method::PUT, "", options).await;
    }

    async fn said(&self, key: &str, what: &'static str) -> String {
        let options = SignedUrlOptions::new().with_query(vec![(what, String::new())]);
        self.ask(Method::GET, key, options).await
    }
}

fn agent(bucket: &str, lock: LockMode) -> ObjectStore {
    let mut config = servers::s3(bucket, &servers::told("STOPMARK_S3_SECRET"));
    config.keeping = KeepingConfig {
        storage_class: Some("STANDARD_IA".to_owned()),
        lock: Some(LockConfig {
            mode: lock,
            days: 1,
        }),
        legal_hold: true,
    };
    let agent = AgentIdentity {
        id: "locks".to_owned(),
        name: "locks".to_owned(),
    };
    let clock = Arc::new(stopmark::clock::SystemClock::new());
    ObjectStore::open(&config, agent, clock, Duration::from_secs(60)).expect("a store")
}

#[tokio::test]
async fn what_is_uploaded_to_seaweedfs_says_that_it_is_locked() {
    let asked = Asked::of(&servers::s3_as_told());
    asked.make_bucket().await;
    let store = agent(BUCKET, LockMode::Governance);
    let folder = tempfile::tempdir().expect("a folder");
    for (name, size_bytes) in [("small", 1000), ("in_parts", 20 << 20)] {
        let file = folder.path().join(name);
        std::fs::write(&file, vec![7; size_bytes]).expect("a file");
        let key = format!("v1/locks/pieces/{name}");
        let stripe = store.upload(&file, &key, &mut Unheard, &Unheard).await;
        stripe.expect("uploaded and locked");
        for object in [key.clone(), format!("{key}.chunks")] {
            let object = format!("opened/{object}");
            let retention = asked.said(&object, "retention").await;
            assert!(retention.contains("GOVERNANCE"), "{object}: {retention}");
            let hold = asked.said(&object, "legal-hold").await;
            assert!(hold.contains("ON"), "{object}: {hold}");
        }
    }
}

#[tokio::test]
async fn a_bucket_without_object_lock_is_an_error_and_no_silence() {
    let store = agent(&servers::told("STOPMARK_S3_BUCKET"), LockMode::Compliance);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("piece");
    std::fs::write(&file, b"bytes").expect("a file");
    let mut tap = Unheard;
    let sent = store.upload(&file, "v1/locks/pieces/p", &mut tap, &Unheard);
    let error = sent.await.expect_err("nothing locks there");
    assert_eq!(error.code(), Code::StoreRefused, "{error}");
}
