//! Where to look: a path, or the URL of a bucket with the credentials for it.
//!
//! Start at [`Source::open`]. A store that the configuration names lends its credentials to every URL of the
//! same bucket; any other URL gets what the environment holds by the cloud's own names.
//!
//! This file contacts nobody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::{Candidate, Place};
use crate::config::{KeepingConfig, StoreConfig, TransferConfig};
use crate::error::{Code, Error, Result};
use crate::store::Shelf;

/// What may be read with which credentials.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The stores of the configuration; none where there is none.
    pub stores: Vec<StoreConfig>,
    /// The environment's variables, of which only `AWS_*`, `AZURE_*` and `GOOGLE_*` are looked at.
    pub environment: BTreeMap<String, String>,
}

/// A place to look for media: a file, a folder, or a prefix of a bucket.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file or folder of this machine.
    Path(PathBuf),
    /// A bucket below a prefix, or one object in it.
    Shelf(Arc<Shelf>),
}

impl Source {
    /// Understands a path or URL; nothing is contacted yet.
    ///
    /// # Errors
    /// `SM0711` for a URL of an unknown kind, `SM0713` when nobody gave credentials for it, `SM0103` when an
    /// option of the store cannot be used.
    pub fn open(text: &str, access: &Access) -> Result<Self> {
        let Some(url) = url_in(text)? else {
            return Ok(Self::Path(PathBuf::from(text)));
        };
        if url.scheme() == "file" {
            let path = url.to_file_path().map_err(|()| unknown(text))?;
            return Ok(Self::Path(path));
        }
        let cloud = Cloud::of(&url).ok_or_else(|| unknown(text))?;
        refuse_secrets(&url)?;
        let config = access
            .stores
            .iter()
            .find(|store| is_same_bucket(&store.url, &url))
            .map(|store| StoreConfig {
                url: url.to_string(),
                ..store.clone()
            });
        let config = match config {
            Some(config) => config,
            None => cloud.config_of(&url, &access.environment)?,
        };
        Ok(Self::Shelf(Arc::new(Shelf::open(&config)?)))
    }

    /// Whether the source is this very file, and no folder or prefix that it was found in.
    #[must_use]
    pub fn names(&self, candidate: &Candidate) -> bool {
        match (self, &candidate.place) {
            (Self::Path(path), Place::File(file)) => path == file,
            (Self::Shelf(bucket), Place::Object(url)) => bucket.url() == *url,
            _ => false,
        }
    }

    /// Whether the text is a URL for which a configuration may hold credentials.
    #[must_use]
    pub fn may_need_credentials(text: &str) -> bool {
        matches!(url_in(text), Ok(Some(url)) if url.scheme() != "file")
    }
}

/// The clouds whose URLs are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cloud {
    S3,
    Azure,
    Google,
}

impl Cloud {
    fn of(url: &Url) -> Option<Self> {
        url.host_str().filter(|bucket| !bucket.is_empty())?;
        match url.scheme() {
            "s3" => Some(Self::S3),
            "az" => Some(Self::Azure),
            "gs" => Some(Self::Google),
            _ => None,
        }
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::S3 => "AWS_",
            Self::Azure => "AZURE_",
            Self::Google => "GOOGLE_",
        }
    }

    /// Variables of which one must be there: without any, the client would ask this machine's cloud for a
    /// role, and wait minutes for an answer where there is no cloud.
    const fn proofs(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &[
                "AWS_ACCESS_KEY_ID",
                "AWS_SKIP_SIGNATURE",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_METADATA_ENDPOINT",
            ],
            Self::Azure => &[
                "AZURE_STORAGE_ACCOUNT_KEY",
                "AZURE_STORAGE_ACCESS_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_SAS_KEY",
                "AZURE_STORAGE_TOKEN",
                "AZURE_STORAGE_CLIENT_ID",
                "AZURE_CLIENT_ID",
                "AZURE_SKIP_SIGNATURE",
                "AZURE_MSI_ENDPOINT",
            ],
            Self::Google => &[
                "GOOGLE_SERVICE_ACCOUNT",
                "GOOGLE_SERVICE_ACCOUNT_PATH",
                "GOOGLE_SERVICE_ACCOUNT_KEY",
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_SKIP_SIGNATURE",
            ],
        }
    }

    /// The store that the environment has credentials for.
    fn config_of(self, url: &Url, environment: &BTreeMap<String, String>) -> Result<StoreConfig> {
        if !self
            .proofs()
            .iter()
            .any(|name| environment.contains_key(*name))
        {
            return Err(no_credentials(self, url));
        }
        let ours = environment
            .iter()
            .filter(|(name, _)| name.starts_with(self.prefix()))
            // Any of them may be a key, so all are kept as secrets are.
            .map(|(name, value)| (name.to_ascii_lowercase(), SecretString::from(value.clone())));
        Ok(StoreConfig {
            name: crate::model::StoreName::default(),
            url: url.to_string(),
            options: BTreeMap::new(),
            secrets: ours.collect(),
            transfer: TransferConfig::default(),
            keeping: KeepingConfig::default(),
        })
    }
}

/// The URL that the text is; none for a path, `C:\backups` included.
fn url_in(text: &str) -> Result<Option<Url>> {
    if !text.contains("://") && !text.starts_with("file:") {
        return Ok(None);
    }
    Url::parse(text).map(Some).map_err(|_| unknown(text))
}

fn is_same_bucket(configured: &str, url: &Url) -> bool {
    Url::parse(configured).is_ok_and(|configured| {
        configured.scheme() == url.scheme() && configured.host_str() == url.host_str()
    })
}

/// Keys in a URL end in shell histories and process lists, so nobody is taught to put them there.
fn refuse_secrets(url: &Url) -> Result<()> {
    if url.username().is_empty() && url.password().is_none() && url.query().is_none() {
        return Ok(());
    }
    Err(Error::new(
        Code::PlaceUnknown,
        "a url of media holds no user, password or query",
    )
    .at("url", shown(url))
    .hint("put keys and tokens into `[store.secrets]` or the environment"))
}

fn shown(url: &Url) -> String {
    format!(
        "{}://{}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

fn unknown(text: &str) -> Error {
    // A query may hold a key, and is never needed to recognise what was meant.
    let text = text.split('?').next().unwrap_or_default();
    Error::new(Code::PlaceUnknown, "this is no path or url of media")
        .at("url", text)
        .hint("write a path, `file:///folder`, `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`")
}

fn no_credentials(cloud: Cloud, url: &Url) -> Error {
    Error::new(Code::NoCredentials, "nobody gave credentials for this url")
        .at("url", shown(url))
        .hint(format!(
            "name a configuration whose `[store]` is in this bucket, or set `{}` and its kin in the environment",
            cloud.proofs()[0]
        ))
}
