//! Opens the store that a URL names, with options by `object_store`'s own names.
//!
//! Start at [`Backend::open`]. What follows from the kind of store is decided here: how payloads are signed, which
//! checksum is asked for, how often a request is repeated.

use std::path::Path;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpConnector as _, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use secrecy::ExposeSecret as _;
use url::Url;

use super::folder::Folder;
use super::retry::{CLIENT_TRIES_FOR, CLIENT_TRIES_MAX};
use super::sweep::Unfinished;
use crate::config::StoreConfig;
use crate::error::{Code, Error, Result};

/// One request, an 8 MiB part included, may take this long; the library's 30 s would fail slow links.
const REQUEST_TIMEOUT: &str = "300 seconds";

/// What S3's own service checks each part by. It costs the sender almost nothing.
const S3_CHECKSUM: &str = "crc64nvme";

/// The objects of a store, its uploads in parts, and how unfinished ones are found.
#[derive(Clone)]
pub struct Backend {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) parts: Arc<dyn MultipartStore>,
    pub(super) unfinished: Unfinished,
}

type Options = Vec<(String, String)>;

impl Backend {
    /// Any store that takes uploads in parts; its unfinished ones are never listed.
    pub fn of<T: ObjectStore + MultipartStore>(store: Arc<T>) -> Self {
        Self {
            objects: store.clone(),
            parts: store,
            unfinished: Unfinished::Unlisted,
        }
    }

    /// A folder that is there. Every file is flushed to the disk, and no key can leave the folder.
    ///
    /// # Errors
    /// The library's own, when there is no such folder.
    pub fn folder(folder: &Path) -> object_store::Result<Self> {
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        let store = Arc::new(store);
        let parts = Folder::new(folder.to_owned(), store.clone());
        Ok(Self {
            objects: store,
            parts: Arc::new(parts.clone()),
            unfinished: Unfinished::InFolder(parts),
        })
    }

    /// With its uploads in parts seen or changed by someone in between; for tests.
    #[must_use]
    pub fn map_parts(
        mut self,
        between: impl FnOnce(Arc<dyn MultipartStore>) -> Arc<dyn MultipartStore>,
    ) -> Self {
        self.parts = between(self.parts);
        self
    }

    /// The objects, as the client library gives them.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// The store that a configuration names, and the prefix below which everything stands.
    ///
    /// # Errors
    /// `SM0103` when the URL or an option cannot be used, `SM0702` when a folder cannot be made.
    pub fn open(config: &StoreConfig) -> Result<(Self, Key)> {
        let url = Url::parse(&config.url).map_err(|error| unusable(config).source(error))?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(|_| unusable(config))?;
        let options = options(config);
        let opened = match scheme {
            ObjectStoreScheme::Local => {
                return Ok((open_folder(config, &url)?, Key::default()));
            }
            ObjectStoreScheme::AmazonS3 => open_s3(&url, options),
            ObjectStoreScheme::MicrosoftAzure => open_azure(&url, options),
            ObjectStoreScheme::GoogleCloudStorage => open_google(&url, options),
            _ => return Err(unusable(config)),
        };
        let backend = opened.map_err(|error| refused(config, &error))?;
        Ok((backend, prefix))
    }
}

/// Every option in one list, secrets included, the library's names in lower case.
fn options(config: &StoreConfig) -> Options {
    let secrets = config.secrets.iter();
    let secrets = secrets.map(|(key, value)| (key.clone(), value.expose_secret().to_owned()));
    let plain = config.options.clone().into_iter();
    std::iter::once(("timeout".to_owned(), REQUEST_TIMEOUT.to_owned()))
        .chain(plain)
        .chain(secrets)
        .collect()
}

fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: CLIENT_TRIES_MAX,
        retry_timeout: CLIENT_TRIES_FOR,
        ..RetryConfig::default()
    }
}

/// Over TLS the payload is not signed, which would hash every byte a second time; Amazon's own service is asked
/// to check CRC-64 instead, which other servers may not know. Without TLS the signature protects the payload.
fn s3_options(options: Options) -> Result<Vec<(AmazonS3ConfigKey, String)>, object_store::Error> {
    let mut typed = Vec::with_capacity(options.len() + 2);
    for (key, value) in options {
        typed.push((key.parse::<AmazonS3ConfigKey>()?, value));
    }
    let value = |wanted: AmazonS3ConfigKey| {
        let found = typed.iter().find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value.clone())
    };
    let endpoint = value(AmazonS3ConfigKey::Endpoint);
    let is_plain = endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http:"));
    let signing = value(AmazonS3ConfigKey::UnsignedPayload);
    let checksum = value(AmazonS3ConfigKey::Checksum);
    if signing.is_none() && !is_plain {
        typed.push((AmazonS3ConfigKey::UnsignedPayload, "true".to_owned()));
    }
    if checksum.is_none() && endpoint.is_none() {
        typed.push((AmazonS3ConfigKey::Checksum, S3_CHECKSUM.to_owned()));
    }
    Ok(typed)
}

fn open_s3(url: &Url, options: Options) -> object_store::Result<Backend> {
    let mut client = ClientOptions::new();
    let mut builder = AmazonS3Builder::new().with_url(url.as_str());
    for (key, value) in s3_options(options)? {
        if let AmazonS3ConfigKey::Client(key) = key {
            client = client.with_config(key, value.clone());
        }
        builder = builder.with_config(key, value);
    }
    let store = Arc::new(builder.with_retry(retries()).build()?);
    let http = ReqwestConnector::default().connect(&client)?;
    Ok(Backend {
        unfinished: Unfinished::InBucket {
            bucket: store.clone(),
            http,
        },
        ..Backend::of(store)
    })
}

fn open_azure(url: &Url, options: Options) -> object_store::Result<Backend> {
    let mut builder = MicrosoftAzureBuilder::new().with_url(url.as_str());
    for (key, value) in options {
        builder = builder.with_config(key.parse()?, value);
    }
    let store = builder.with_retry(retries()).build()?;
    Ok(Backend::of(Arc::new(store)))
}

fn open_google(url: &Url, options: Options) -> object_store::Result<Backend> {
    let mut builder = GoogleCloudStorageBuilder::new().with_url(url.as_str());
    for (key, value) in options {
        builder = builder.with_config(key.parse()?, value);
    }
    let store = builder.with_retry(retries()).build()?;
    Ok(Backend::of(Arc::new(store)))
}

fn open_folder(config: &StoreConfig, url: &Url) -> Result<Backend> {
    let folder = url.to_file_path().map_err(|()| unusable(config))?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(Code::StoreRefused, "the folder of the store cannot be made")
            .at("folder", folder.display())
            .hint("`[store] url` must name a folder, and the agent's account must have the right to write there")
            .source(error)
    })?;
    Backend::folder(&folder).map_err(|error| refused(config, &error))
}

fn unusable(config: &StoreConfig) -> Error {
    Error::new(Code::ConfigValue, "the store's url cannot be used").at("url", shown(&config.url)).hint(
        "write `file:///folder`, `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`",
    )
}

/// The library's text may quote option values, so it is not kept; the options' names are.
fn refused(config: &StoreConfig, error: &object_store::Error) -> Error {
    let names: Vec<&str> = config
        .options
        .keys()
        .chain(config.secrets.keys())
        .map(String::as_str)
        .collect();
    let what = match error {
        object_store::Error::UnknownConfigurationKey { key, .. } => {
            format!("option `{key}` is unknown")
        }
        _ => "the url or an option cannot be used".to_owned(),
    };
    Error::new(
        Code::ConfigValue,
        format!("the store cannot be opened: {what}"),
    )
    .at("url", shown(&config.url))
    .at("options", names.join(", "))
    .hint("options have `object_store`'s names, such as `aws_region` or `aws_endpoint`")
}

/// A URL without user name and password, which some people put there.
fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return "(not a url)".to_owned();
    };
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the payload is left unsigned, and the checksum.
    fn of(options: &[(&str, &str)]) -> (bool, Option<String>) {
        let options = options.iter();
        let options = options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let typed = s3_options(options.collect()).expect("known options");
        let value = |wanted| {
            let found = typed.iter().find(|(key, _)| *key == wanted);
            found.map(|(_, value)| value.clone())
        };
        let unsigned = value(AmazonS3ConfigKey::UnsignedPayload);
        (
            unsigned.as_deref() == Some("true"),
            value(AmazonS3ConfigKey::Checksum),
        )
    }

    #[test]
    fn payloads_are_signed_only_where_no_tls_protects_them() {
        let crc = Some("crc64nvme".to_owned());
        assert_eq!(of(&[]), (true, crc.clone()));
        assert_eq!(of(&[("aws_endpoint", "https://s3.example")]), (true, None));
        assert_eq!(of(&[("endpoint", "HTTP://10.0.0.1:9000")]), (false, None));
        assert_eq!(of(&[("aws_unsigned_payload", "false")]), (false, crc));
        let sha256 = [("aws_checksum_algorithm", "sha256")];
        assert_eq!(of(&sha256), (true, Some("sha256".to_owned())));
    }
}
