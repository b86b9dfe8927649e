//! Where the servers are: `run.sh` starts them and says it in the environment.
//!
//! Each server is described as the agent's own configuration would name it, and opened from that description both
//! by the agent and by `object_store` alone.

use std::collections::BTreeMap;
use std::env;
use std::sync::Arc;

use object_store::ObjectStore as Objects;
use object_store::aws::AmazonS3Builder;
use secrecy::{ExposeSecret as _, SecretString};
use stopmark::config::{KeepingConfig, StoreConfig, TransferConfig};
use stopmark::store::Backend;

/// What `run.sh` says under this name.
pub(super) fn told(name: &str) -> String {
    let told = env::var(name);
    told.unwrap_or_else(|_| panic!("`{name}` is unset: start these tests by tests/foreign/run.sh"))
}

/// The S3 server as a configuration names it.
pub(super) fn s3(bucket: &str, secret: &str) -> StoreConfig {
    StoreConfig {
        name: stopmark::model::StoreName::default(),
        url: format!("s3://{bucket}/opened"),
        options: texts([
            ("aws_endpoint", &told("STOPMARK_S3_ENDPOINT")),
            ("aws_access_key_id", &told("STOPMARK_S3_KEY_ID")),
            ("aws_region", "us-east-1"),
            ("aws_allow_http", "true"),
        ]),
        secrets: secrets("aws_secret_access_key", secret),
        transfer: TransferConfig::default(),
        keeping: KeepingConfig::default(),
    }
}

/// The S3 server with its own bucket and the right secret.
pub(super) fn s3_as_told() -> StoreConfig {
    s3(&told("STOPMARK_S3_BUCKET"), &told("STOPMARK_S3_SECRET"))
}

/// The Azure server as a configuration names it.
pub(super) fn azure(container: &str, key: &str) -> StoreConfig {
    StoreConfig {
        name: stopmark::model::StoreName::default(),
        url: format!("az://{container}/opened"),
        options: texts([
            ("azure_storage_endpoint", &told("STOPMARK_AZURE_ENDPOINT")),
            (
                "azure_storage_account_name",
                &told("STOPMARK_AZURE_ACCOUNT"),
            ),
            ("azure_allow_http", "true"),
        ]),
        secrets: secrets("azure_storage_account_key", key),
        transfer: TransferConfig::default(),
        keeping: KeepingConfig::default(),
    }
}

/// The Azure server with its own container and the right key.
pub(super) fn azure_as_told() -> StoreConfig {
    azure(
        &told("STOPMARK_AZURE_CONTAINER"),
        &told("STOPMARK_AZURE_KEY"),
    )
}

/// The whole bucket, opened by `object_store` alone.
pub(super) fn s3_objects() -> Arc<dyn Objects> {
    let builder = AmazonS3Builder::new().with_bucket_name(told("STOPMARK_S3_BUCKET"));
    let builder = settings(&s3_as_told()).fold(builder, |builder, (key, value)| {
        builder.with_config(key.parse().expect("an option of S3"), value)
    });
    Arc::new(builder.build().expect("a store"))
}

/// A server as the agent opens it; keys begin at the root of its bucket or container.
pub(super) fn backend(config: &StoreConfig) -> Backend {
    Backend::open(config).expect("the options are known").0
}

fn settings(config: &StoreConfig) -> impl Iterator<Item = (String, String)> {
    let secrets = config.secrets.iter();
    let secrets = secrets.map(|(key, value)| (key.clone(), value.expose_secret().to_owned()));
    config
        .options
        .clone()
        .into_iter()
        .chain(secrets.collect::<Vec<_>>())
}

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn secrets(key: &str, value: &str) -> BTreeMap<String, SecretString> {
    BTreeMap::from([(key.to_owned(), SecretString::from(value))])
}
