//! Opens the store that a URL names, with options by `object_store`'s own names.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreScheme, parse_url_opts};
use secrecy::ExposeSecret as _;
use url::Url;

use crate::config::StoreConfig;
use crate::error::{Code, Error, Result};

/// One request, an 8 MiB part included, may take this long; the library's 30 s would fail slow links.
const REQUEST_TIMEOUT: &str = "300 seconds";

/// The store and the prefix below which everything stands.
pub(super) fn open(config: &StoreConfig) -> Result<(Arc<dyn ObjectStore>, Key)> {
    let url = Url::parse(&config.url).map_err(|error| unusable(config).source(error))?;
    let scheme = ObjectStoreScheme::parse(&url)
        .map_err(|_| unusable(config))?
        .0;
    if scheme == ObjectStoreScheme::Local {
        return open_folder(config, &url);
    }
    let options = std::iter::once(("timeout".to_owned(), REQUEST_TIMEOUT.to_owned()))
        .chain(config.options.clone())
        .chain(
            config
                .secrets
                .iter()
                .map(|(k, v)| (k.clone(), v.expose_secret().to_owned())),
        );
    let (store, prefix) = parse_url_opts(&url, options).map_err(|error| refused(config, &error))?;
    Ok((Arc::from(store), prefix))
}

/// A folder is opened at its own root, so that no key can leave it, and every file is flushed to the disk.
fn open_folder(config: &StoreConfig, url: &Url) -> Result<(Arc<dyn ObjectStore>, Key)> {
    let folder = url.to_file_path().map_err(|()| unusable(config))?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        Error::new(Code::StoreRefused, "the folder of the store cannot be made")
            .at("folder", folder.display())
            .hint("`[store] url` must name a folder, and the agent's account must have the right to write there")
            .source(error)
    })?;
    let store = LocalFileSystem::new_with_prefix(&folder)
        .map_err(|error| refused(config, &error))?
        .with_fsync(true);
    Ok((Arc::new(store), Key::default()))
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
