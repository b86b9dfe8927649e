//! Values that are secrets: `{ env = ".." }`, `{ file = ".." }` or `{ credential = ".." }`, never a literal.

use std::cell::RefCell;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::node::Node;
use crate::config::secrets::{SecretPlace, SecretSource, SecretUse};
use crate::error::Code;

const FORMS: &str = r#"write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`"#;

/// Where this file's secrets are looked up.
pub(super) struct Secrets<'a> {
    pub(super) source: &'a dyn SecretSource,
    /// The folder at which a secret's path begins.
    pub(super) folder: PathBuf,
    /// The secrets that were looked up so far.
    pub(super) uses: RefCell<Vec<SecretUse>>,
}

impl Secrets<'_> {
    /// The secret that the node names.
    pub(super) fn read(&self, node: &Node<'_>) -> Option<SecretString> {
        if !node.is_table() {
            let message = "a secret may not stand in the configuration itself";
            node.refuse(Code::ConfigValue, message, FORMS);
            return None;
        }
        let table = node.table(&["env", "file", "credential"])?;
        let named = ["env", "file", "credential"].map(|key| table.optional(key));
        let (place, named) = match &named {
            [Some(name), None, None] => (SecretPlace::Env(name.filled()?.to_owned()), name),
            [None, Some(path), None] => {
                let place = SecretPlace::File(self.folder.join(path.filled()?));
                (place, path)
            }
            [None, None, Some(name)] => (self.credential(name)?, name),
            _ => {
                table.refuse(Code::ConfigValue, "a secret has exactly one place", FORMS);
                return None;
            }
        };
        let found = self.at(&place);
        self.uses.borrow_mut().push(SecretUse {
            key: node.place.key.clone(),
            place,
            failure: found.as_ref().err().cloned(),
        });
        let hint = "give the secret to the account that runs this command, or name another place";
        found
            .map_err(|message| named.refuse(Code::SecretMissing, message, hint))
            .ok()
    }

    fn credential(&self, node: &Node<'_>) -> Option<SecretPlace> {
        let name = node.filled()?;
        if name.contains(['/', '\\']) || name.starts_with('.') {
            let message = "a credential's name is not a path";
            node.refuse(Code::ConfigValue, message, FORMS);
            return None;
        }
        let folder = self.source.credentials();
        let path = folder.map(|folder| folder.join(name));
        Some(SecretPlace::Credential(name.to_owned(), path))
    }

    /// The secret at a place, or why there is none.
    fn at(&self, place: &SecretPlace) -> Result<SecretString, String> {
        let secret = match place {
            SecretPlace::Env(name) => {
                let unset = || format!("the environment variable `{name}` is not set");
                self.source.env(name).ok_or_else(unset)?
            }
            SecretPlace::File(path) | SecretPlace::Credential(_, Some(path)) => {
                // An error's text could quote what was read; its kind cannot.
                let unreadable = |error: std::io::Error| {
                    format!("`{}` cannot be read: {}", path.display(), error.kind())
                };
                without_line_end(self.source.file(path).map_err(unreadable)?)
            }
            SecretPlace::Credential(_, None) => {
                return Err(
                    "no credentials were given to this process: `CREDENTIALS_DIRECTORY` is not set"
                        .to_owned(),
                );
            }
        };
        if secret.expose_secret().is_empty() {
            return Err("the secret is empty".to_owned());
        }
        Ok(secret)
    }
}

/// Editors end a file with a line end that is no part of the secret; any other blank is.
fn without_line_end(secret: SecretString) -> SecretString {
    let text = secret.expose_secret();
    let bare = text
        .strip_suffix('\n')
        .map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if bare.len() == text.len() {
        secret
    } else {
        SecretString::from(bare)
    }
}
