//! `[store]`, or several times `[[store]]`: where pieces and manifests are kept.
//!
//! Start at [`read`]. Of several the first one leads, and each has a name of its own.

use std::collections::BTreeMap;

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;
use secrecy::SecretString;
use url::Url;

use super::{Surroundings, keeping, transfer};
use crate::config::checked::StoreConfig;
use crate::config::node::{Node, Table};
use crate::error::Code;
use crate::model::StoreName;

pub(super) const KEYS: &[&str] = &["name", "url", "options", "secrets", "transfer", "keeping"];

const NAME_FORMS: &str = "write a short name such as `main` or `cloud`: a-z, 0-9, `-` and `_`";

const URL_FORMS: &str =
    "write `file:///folder`, `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`";

/// The stores that a URL may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Folder,
    S3,
    Azure,
    Google,
}

/// Reads the section, or all of them: the store that leads, and the further ones.
pub(super) fn read(
    root: &Table<'_>,
    around: &Surroundings<'_>,
) -> Option<(StoreConfig, Vec<StoreConfig>)> {
    let node = root.required("store", "write a section `[store]`")?;
    if !node.is_array() {
        let table = node.table(KEYS)?;
        let name = table.optional("name").map_or_else(
            || Some(StoreName::default()),
            |node| node.parsed(NAME_FORMS),
        );
        return one(&table, name, around).map(|store| (store, Vec::new()));
    }
    let items = node.items()?;
    if items.is_empty() {
        node.refuse(Code::ConfigValue, "there is no store", "write `[[store]]`");
    }
    let mut seen: Vec<StoreConfig> = Vec::new();
    for item in &items {
        let Some(table) = item.table(KEYS) else {
            continue;
        };
        let name = table.required("name", NAME_FORMS);
        let parsed = name.as_ref().and_then(|node| node.parsed(NAME_FORMS));
        if let Some(store) = one(&table, parsed, around) {
            refuse_second(name.as_ref(), &table, &store, &seen);
            seen.push(store);
        }
    }
    let is_whole = seen.len() == items.len();
    let mut stores = seen.into_iter();
    let leading = stores.next().filter(|_| is_whole)?;
    Some((leading, stores.collect()))
}

/// Two stores of one name could not be told apart; two at one place are one store, lost in one go.
fn refuse_second(
    name: Option<&Node<'_>>,
    table: &Table<'_>,
    store: &StoreConfig,
    seen: &[StoreConfig],
) {
    if let Some(node) = name.filter(|_| seen.iter().any(|other| other.name == store.name)) {
        let message = format!("another store is called `{}` too", store.name);
        node.refuse(
            Code::ConfigDuplicate,
            message,
            "give each a name of its own",
        );
    }
    let place = |store: &StoreConfig| store.url.trim_end_matches('/').to_owned();
    let is_same =
        |other: &&StoreConfig| place(other) == place(store) && other.options == store.options;
    if let Some(other) = seen.iter().find(is_same) {
        let message = format!("store `{}` is at the same place", other.name);
        table.refuse(
            Code::ConfigDuplicate,
            message,
            "a second copy in the same place is none: name another bucket or folder",
        );
    }
}

fn one(
    table: &Table<'_>,
    name: Option<StoreName>,
    around: &Surroundings<'_>,
) -> Option<StoreConfig> {
    let url = table.required("url", URL_FORMS).and_then(|node| url(&node));
    let scheme = url.as_ref().map(|(_, scheme)| *scheme);
    let options = options(table, scheme);
    let secrets = secrets(table, scheme, around);
    let transfer = transfer::read(table);
    let keeping = keeping::read(table, scheme);
    refuse_twins(table);
    Some(StoreConfig {
        name: name?,
        url: url?.0,
        options: options?,
        secrets: secrets?,
        transfer,
        keeping,
    })
}

/// The URL and what it names. It is not repeated in faults, since it may hold a key.
fn url(node: &Node<'_>) -> Option<(String, Scheme)> {
    let text = node.filled()?;
    let found = Url::parse(text)
        .ok()
        .and_then(|url| Some((scheme(&url)?, url)));
    let Some((scheme, url)) = found else {
        node.refuse(
            Code::ConfigValue,
            "this is not the url of a store",
            URL_FORMS,
        );
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        let hint = "put keys and tokens into `[store.secrets]`";
        node.refuse(
            Code::ConfigValue,
            "a store's url holds no user, password or query",
            hint,
        );
        return None;
    }
    Some((text.to_owned(), scheme))
}

/// The store that a URL names; none where it names nothing that can hold pieces.
fn scheme(url: &Url) -> Option<Scheme> {
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    match url.scheme() {
        "file" if !has_host && url.path() != "/" => Some(Scheme::Folder),
        "s3" if has_host => Some(Scheme::S3),
        "az" if has_host => Some(Scheme::Azure),
        "gs" if has_host => Some(Scheme::Google),
        _ => None,
    }
}

fn options(table: &Table<'_>, scheme: Option<Scheme>) -> Option<BTreeMap<String, String>> {
    read_map(table, "options", scheme, |key, node| {
        if is_secret(key) {
            let message = format!("option `{key}` is a secret");
            node.refuse(Code::ConfigValue, message, "move it into `[store.secrets]`");
            return None;
        }
        node.string().map(str::to_owned)
    })
}

fn secrets(
    table: &Table<'_>,
    scheme: Option<Scheme>,
    around: &Surroundings<'_>,
) -> Option<BTreeMap<String, SecretString>> {
    read_map(table, "secrets", scheme, |_, node| {
        around.secrets.read(node)
    })
}

fn read_map<'a, T>(
    table: &Table<'a>,
    key: &str,
    scheme: Option<Scheme>,
    read: impl Fn(&str, &Node<'a>) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let Some(node) = table.optional(key) else {
        return Some(BTreeMap::new());
    };
    let mut map = BTreeMap::new();
    let entries = node.entries()?;
    let count = entries.len();
    for (name, node) in entries {
        let is_known = scheme.is_none_or(|scheme| scheme.knows(name));
        if !is_known {
            let message = format!("option `{name}` is not known to this kind of store");
            let hint =
                "options have `object_store`'s names, such as `aws_region` or `aws_endpoint`";
            node.refuse(Code::ConfigSyntax, message, hint);
        }
        let value = read(name, &node).filter(|_| is_known);
        map.extend(value.map(|value| (name.to_ascii_lowercase(), value)));
    }
    (map.len() == count).then_some(map)
}

impl Scheme {
    /// Whether the client of this store has such an option: unknown ones it would pass over in silence.
    fn knows(self, option: &str) -> bool {
        let option = option.to_ascii_lowercase();
        match self {
            Self::Folder => false,
            Self::S3 => option.parse::<AmazonS3ConfigKey>().is_ok(),
            Self::Azure => option.parse::<AzureConfigKey>().is_ok(),
            Self::Google => option.parse::<GoogleConfigKey>().is_ok(),
        }
    }
}

/// Whether an option's value would let its reader into the store.
fn is_secret(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    let words = [
        "secret",
        "password",
        "token",
        "sas",
        "account_key",
        "access_key",
        "customer_key",
    ];
    let harmless = ["access_key_id", "_file"];
    let is_harmless = harmless.iter().any(|word| option.contains(word));
    let is_google_key = option.ends_with("service_account_key");
    is_google_key || (!is_harmless && words.iter().any(|word| option.contains(word)))
}

/// One option in both maps: nobody could say which of them counts.
fn refuse_twins(table: &Table<'_>) {
    let entries = |key| {
        table
            .optional(key)
            .filter(Node::is_table)
            .and_then(|node| node.entries())
            .unwrap_or_default()
    };
    let options = entries("options");
    for (name, node) in entries("secrets") {
        if options
            .iter()
            .any(|(option, _)| option.eq_ignore_ascii_case(name))
        {
            let message = format!("option `{name}` stands in `options` and in `secrets`");
            node.refuse(Code::ConfigDuplicate, message, "keep the secret");
        }
    }
}
