//! What a person is told when a real server refuses, with the store opened as the agent opens it.

use std::sync::Arc;
use std::time::Duration;

use stopmark::clock::SystemClock;
use stopmark::config::StoreConfig;
use stopmark::error::{Code, Error, Retry};
use stopmark::store::{AgentIdentity, ObjectStore};
use stopmark::world::Store as _;

use super::servers::{azure, azure_as_told, s3, s3_as_told, told};

/// A key that opens nothing; base64, as Azure wants it.
const WRONG_KEY: &str = "V3JvbmdLZXlUaGF0T3BlbnNOb3RoaW5n";

fn open(config: &StoreConfig) -> ObjectStore {
    let agent = AgentIdentity {
        id: "foreign".to_owned(),
        name: "a test".to_owned(),
    };
    let clock = Arc::new(SystemClock::new());
    ObjectStore::open(config, agent, clock, Duration::from_secs(60)).expect("the options are known")
}

/// How the store answers what each command asks it first: `check` its probe, `list` the group's log, and a run
/// the lease.
async fn refusals(config: &StoreConfig) -> [Error; 3] {
    let store = open(config);
    let group = "refusals".parse().expect("a group name");
    [
        store
            .honours_create("v1/probe/refused")
            .await
            .expect_err("the probe"),
        store.log_after(&group, 0).await.expect_err("the log"),
        store.take_lease(&group).await.expect_err("the lease"),
    ]
}

/// The error names the cause, says where to look, and holds no key.
async fn assert_refused(config: &StoreConfig, hinted: &str) {
    for error in refusals(config).await {
        assert_eq!(error.code(), Code::StoreRefused, "{error:?}");
        assert_eq!(error.retry_verdict(), Retry::Never, "{error:?}");
        let hint = error.hint_text().expect("a hint");
        assert!(hint.contains(hinted), "{hint}");
        assert!(!format!("{error:?}").contains(WRONG_KEY), "{error:?}");
    }
}

#[tokio::test]
async fn the_right_keys_open_both_servers_and_both_honour_create_if_absent() {
    for config in [s3_as_told(), azure_as_told()] {
        let (store, key) = (open(&config), "v1/probe/of-the-right-keys");
        assert!(store.honours_create(key).await.expect("answers"));
        store.remove_probe(key).await.expect("removes");
    }
}

#[tokio::test]
async fn a_wrong_secret_of_s3_is_told_as_such_with_a_hint() {
    assert_refused(&s3(&told("STOPMARK_S3_BUCKET"), WRONG_KEY), "credentials").await;
}

#[tokio::test]
async fn a_wrong_key_of_azure_is_told_as_such_with_a_hint() {
    assert_refused(
        &azure(&told("STOPMARK_AZURE_CONTAINER"), WRONG_KEY),
        "credentials",
    )
    .await;
}

/// SeaweedFS makes a missing bucket at the first write, so that Azure alone can show this.
#[tokio::test]
async fn a_missing_container_is_told_as_such_with_a_hint() {
    let config = azure("missing", &told("STOPMARK_AZURE_KEY"));
    assert_refused(&config, "`[store] url`").await;
}
