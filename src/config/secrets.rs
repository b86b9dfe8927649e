//! Where secrets come from: the environment, a file, or what systemd calls a credential.
//!
//! Start at [`SecretSource`]. A secret is a [`SecretString`] from its first moment on; errors name its place,
//! never its value.

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
    let data = cfg!(windows).then(|| std::env::var_os("ProgramData"))??;
    Some(PathBuf::from(data).join("Stopmark").join("credentials"))
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

    #[test]
    fn an_unset_variable_is_no_secret() {
        assert!(OsSecrets.env("STOPMARK_NOBODY_SETS_THIS").is_none());
    }
}
