//! Values that are secrets: `{ env = ".." }`, `{ file = ".." }` or `{ credential = ".." }`, never a literal.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::config::node::Node;
use crate::config::secrets::SecretSource;
use crate::error::Code;

const FORMS: &str = r#"write `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`"#;

/// Where this file's secrets are looked up.
pub(super) struct Secrets<'a> {
    pub(super) source: &'a dyn SecretSource,
    /// The folder at which a secret's path begins.
    pub(super) folder: PathBuf,
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
        let secret = match &named {
            [Some(name), None, None] => self.in_env(name),
            [None, Some(path), None] => self.in_file(path),
            [None, None, Some(name)] => self.in_credential(name),
            _ => {
                table.refuse(Code::ConfigValue, "a secret has exactly one place", FORMS);
                None
            }
        };
        secret.and_then(|secret| not_empty(node, secret))
    }

    fn in_env(&self, node: &Node<'_>) -> Option<SecretString> {
        let name = node.filled()?;
        let secret = self.source.env(name);
        if secret.is_none() {
            missing(
                node,
                &format!("the environment variable `{name}` is not set"),
            );
        }
        secret
    }

    fn in_file(&self, node: &Node<'_>) -> Option<SecretString> {
        let path = self.folder.join(node.filled()?);
        self.at_path(node, &path)
    }

    fn in_credential(&self, node: &Node<'_>) -> Option<SecretString> {
        let name = node.filled()?;
        if name.contains(['/', '\\']) || name.starts_with('.') {
            node.refuse(
                Code::ConfigValue,
                "a credential's name is not a path",
                FORMS,
            );
            return None;
        }
        let Some(folder) = self.source.credentials() else {
            missing(
                node,
                "no credentials were given to this process: `CREDENTIALS_DIRECTORY` is not set",
            );
            return None;
        };
        self.at_path(node, &folder.join(name))
    }

    fn at_path(&self, node: &Node<'_>, path: &Path) -> Option<SecretString> {
        match self.source.file(path) {
            Ok(secret) => Some(without_line_end(secret)),
            Err(error) => {
                // An error's text could quote what was read; its kind cannot.
                let message = format!("`{}` cannot be read: {}", path.display(), error.kind());
                missing(node, &message);
                None
            }
        }
    }
}

fn missing(node: &Node<'_>, message: &str) {
    let hint = "give the secret to the account that runs this command, or name another place";
    node.refuse(Code::SecretMissing, message, hint);
}

fn not_empty(node: &Node<'_>, secret: SecretString) -> Option<SecretString> {
    if secret.expose_secret().is_empty() {
        missing(node, "the secret is empty");
        return None;
    }
    Some(secret)
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
