//! Many paths and URLs told briefly: what they share once, then what tells them apart.
//!
//! Start at [`shared_folder`].

use std::path::MAIN_SEPARATOR;

use super::bytes::counted;
use crate::media::{Backup, Examined};

const SEPARATORS: [char; 2] = ['/', MAIN_SEPARATOR];

/// The folder that all these lie in, with its separator; empty where there is none.
pub(super) fn shared_folder(places: &[String]) -> String {
    let Some((first, others)) = places.split_first() else {
        return String::new();
    };
    let shared = others.iter().fold(folder_of(first), |shared, other| {
        let mut shared = shared;
        while !other.starts_with(shared) {
            let shorter = shared.trim_end_matches(SEPARATORS);
            shared = folder_of(shorter);
        }
        shared
    });
    shared.to_owned()
}

/// Everything up to the last separator, with it.
fn folder_of(place: &str) -> &str {
    place.rfind(SEPARATORS).map_or("", |at| &place[..=at])
}

/// The first files of these backups, as they are called below `folder`.
pub(super) fn files_words(backups: &[&Backup], examined: &[Examined], folder: &str) -> String {
    const NAMED_MAX: usize = 6;
    let name = |backup: &&Backup| {
        let first = backup.files().next();
        let place = first.map_or_else(String::new, |file| examined[file].place.to_string());
        let position = match backup.identity.position {
            0 | 1 => String::new(),
            position => format!(" #{position}"),
        };
        format!("{}{position}", place.strip_prefix(folder).unwrap_or(&place))
    };
    let names: Vec<String> = backups.iter().map(name).collect();
    match names.as_slice() {
        [first, second, third, .., last] if names.len() > NAMED_MAX => {
            let count = counted(names.len(), "backup");
            format!("{first}, {second}, {third} .. {last} ({count})")
        }
        few => few.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::shared_folder;

    #[test]
    fn what_paths_share_ends_at_a_separator() {
        let cases = [
            (&["/b/full.bak", "/b/full2.bak"][..], "/b/"),
            (&["/b/x/1", "/b/xy/2", "/b/x/3"], "/b/"),
            (&["/a", "b"], ""),
            (&["s3://one/x", "s3://two/x"], "s3://"),
            (&["/only/one.bak"], "/only/"),
            (&[], ""),
        ];
        for (places, folder) in cases {
            let places: Vec<String> = places.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(shared_folder(&places), folder);
        }
    }
}
