//! Where secrets come from: the environment, a file, or what systemd calls a credential.
//!
//! Start at [`SecretSource`]. A secret is a [`SecretString`] from its first moment on; errors name its place,
//! never its value.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// A file of a secret may have this many bytes: a service account's key is the longest that is known.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// What the process can look up; tests have one of their own.
pub trait SecretSource {
    /// The value of an environment variable; none where it is not set or not Unicode.
    fn env(&self, name: &str) -> Option<SecretString>;
    /// The text of a file.
    fn file(&self, path: &Path) -> io::Result<SecretString>;
    /// The folder in which the service manager put credentials; none where it did not.
    fn credentials(&self) -> Option<PathBuf>;
}

/// A secret that a configuration names: where it is looked for, and what came of it. Never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretUse {
    /// The path of keys, `hosts.SQL1.login.password`.
    pub key: String,
    /// Where it is looked for.
    pub place: SecretPlace,
    /// Why it is not there; none: it was read.
    pub failure: Option<String>,
}

/// Where a secret is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// An environment variable of this name.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A credential of the service manager of this name; its file, where the process was given any.
    Credential(String, Option<PathBuf>),
}

impl SecretPlace {
    /// The file that holds the secret, where it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Credential(_, Some(path)) => Some(path),
            Self::Env(_) | Self::Credential(_, None) => None,
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Credential(name, _) => write!(f, "credential `{name}` of the service manager"),
        }
    }
}

/// What is wrong with who may read or write a file that holds a secret; none where nothing is, where that cannot
/// be asked, and on Windows, whose access lists are not looked at.
#[must_use]
pub fn exposure(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        let what = match (mode & 0o004, mode & 0o022) {
            (0, 0) => return None,
            (0, _) => "others may change it",
            (_, _) => "everybody on this machine may read it",
        };
        Some(format!("{what} (mode {mode:04o})"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// The environment and the files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsSecrets;

impl SecretSource for OsSecrets {
    fn env(&self, name: &str) -> Option<SecretString> {
        std::env::var(name).ok().map(SecretString::from)
    }

    fn file(&self, path: &Path) -> io::Result<SecretString> {
        // Files of /proc and pipes have no honest size, so the reading itself is bounded.
        let mut text = String::new();
        let file = io::Read::take(std::fs::File::open(path)?, SECRET_BYTES_MAX + 1);
        io::Read::read_to_string(&mut { file }, &mut text)?;
        if text.len() as u64 > SECRET_BYTES_MAX {
            return Err(io::Error::other("the file is longer than any secret"));
        }
        let text = SecretString::from(text);
        #[cfg(windows)]
        let text = super::dpapi::opened(text)?;
        Ok(text)
    }

    fn credentials(&self) -> Option<PathBuf> {
        let named = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        named.or_else(credentials_of_the_system)
    }
}

/// Windows gives a service no credentials of its own: there is a folder that the installer gives to nobody else.
fn credentials_of_the_system() -> Option<PathBuf> {
    cfg!(windows).then(|| program_data().join("Stopmark").join("credentials"))
}

/// Where Windows keeps programs' data. Not everybody who starts a service gives it the variable.
pub(super) fn program_data() -> PathBuf {
    let named = std::env::var_os("ProgramData").map(PathBuf::from);
    named.unwrap_or_else(|| r"C:\ProgramData".into())
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_secret_file_is_read_up_to_a_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").expect("written");
        let secret = OsSecrets.file(&path).expect("readable");
        assert_eq!(secret.expose_secret(), "hunter2\n");
        std::fs::write(&path, vec![b'x'; 64 * 1024 + 1]).expect("written");
        assert!(OsSecrets.file(&path).is_err());
        assert!(OsSecrets.file(folder.path()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_may_read_or_change_is_exposed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2").expect("written");
        let with_mode = |mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).expect("its own file");
            exposure(&path)
        };
        assert_eq!(with_mode(0o600), None);
        assert_eq!(with_mode(0o640), None);
        let readable = with_mode(0o644).expect("exposed");
        assert!(readable.contains("may read it (mode 0644)"), "{readable}");
        let writable = with_mode(0o660).expect("exposed");
        assert!(writable.contains("may change it (mode 0660)"), "{writable}");
        assert_eq!(exposure(&folder.path().join("nobody")), None);
    }

    #[test]
    fn an_unset_variable_is_no_secret() {
        assert!(OsSecrets.env("STOPMARK_NOBODY_SETS_THIS").is_none());
    }
}
