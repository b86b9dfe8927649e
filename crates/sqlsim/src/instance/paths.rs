//! What the paths of T-SQL mean on this machine.
//!
//! Start at [`PathMap::resolve`]. Nothing here opens a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Maps the paths that T-SQL names to folders of this machine.
///
/// SQL Server's own paths (`C:\..`, `\\share\..`) mean nothing here; the longest prefix that fits
/// wins, compared without regard to case or the direction of slashes. A path of this machine that
/// no prefix fits is used as given.
#[derive(Clone, Debug, Default)]
pub struct PathMap {
    prefixes: BTreeMap<String, PathBuf>,
}

/// Why a path leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// A share (`\\host\..`) that the map does not know.
    Share,
    /// A drive (`X:\..`) that the map does not know.
    Drive,
}

impl Unreachable {
    /// The operating system's number and words, as SQL Server's messages quote them.
    #[must_use]
    pub const fn os_error(self) -> &'static str {
        match self {
            Self::Share => "53(The network path was not found.)",
            Self::Drive => "3(The system cannot find the path specified.)",
        }
    }
}

impl PathMap {
    /// Adds a prefix, such as `\\nas\backup` or `C:\Backup`, and the folder that it means.
    #[must_use]
    pub fn with(mut self, prefix: &str, folder: impl Into<PathBuf>) -> Self {
        self.prefixes.insert(
            plain(prefix).trim_end_matches('/').to_lowercase(),
            folder.into(),
        );
        self
    }

    /// The file or folder of this machine that `path` means; a relative one lies in `home`.
    pub fn resolve(&self, path: &str, home: &Path) -> Result<PathBuf, Unreachable> {
        let plain = plain(path);
        let lower = plain.to_lowercase();
        let fits = |prefix: &&String| {
            lower
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let Some(prefix) = self.prefixes.keys().filter(fits).max_by_key(|p| p.len()) else {
            return own_path(path, &plain, home);
        };
        // Lower-casing may change the length of a few letters; counting characters keeps the cut
        // right.
        let rest: String = plain.chars().skip(prefix.chars().count()).collect();
        Ok(self.prefixes[prefix].join(rest.trim_start_matches('/')))
    }
}

fn plain(path: &str) -> String {
    path.replace('\\', "/")
}

fn own_path(path: &str, plain: &str, home: &Path) -> Result<PathBuf, Unreachable> {
    if plain.starts_with("//") {
        return Err(Unreachable::Share);
    }
    let is_drive = plain.as_bytes().get(1) == Some(&b':');
    match Path::new(path).is_absolute() {
        true => Ok(PathBuf::from(path)),
        false if is_drive => Err(Unreachable::Drive),
        false => Ok(home.join(plain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_of_a_path_wins() {
        let map = PathMap::default()
            .with(r"\\nas\b", "/a")
            .with(r"\\nas\b\SQL1", "/one");
        let found = |path| map.resolve(path, Path::new("/home"));
        assert_eq!(
            found(r"\\NAS\B\sql1\x.bak"),
            Ok(PathBuf::from("/one/x.bak"))
        );
        assert_eq!(found(r"\\nas\b\y.bak"), Ok(PathBuf::from("/a/y.bak")));
    }

    #[test]
    fn a_share_that_nobody_mapped_is_not_found_and_never_a_local_file() {
        let map = PathMap::default().with(r"\\nas\b", "/a");
        let found = |path| map.resolve(path, Path::new("/home"));
        assert_eq!(found(r"\\nas\bb\y.bak"), Err(Unreachable::Share));
        assert_eq!(found("//nas/bb/y.bak"), Err(Unreachable::Share));
        if !cfg!(windows) {
            assert_eq!(found(r"C:\Backup\y.bak"), Err(Unreachable::Drive));
            assert_eq!(found("/b/y.bak"), Ok(PathBuf::from("/b/y.bak")));
        }
        assert_eq!(found(r"sub\y.bak"), Ok(PathBuf::from("/home/sub/y.bak")));
    }
}
