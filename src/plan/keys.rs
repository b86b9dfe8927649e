//! Names of files and objects that a plan gives out. Start at [`slug`] and [`Naming`].
//!
//! Names of hosts and databases may hold anything; here they become lower-case ASCII that no file system and
//! no store can misread, and the digest keeps apart what the slug alone would confuse.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::restore_step::RestorePiece;
use super::step::StagedStripe;
use crate::config::{HostConfig, ShareConfig};
use crate::model::{GroupName, MemberName, Piece, PieceKind, StoredStripe};

/// Characters of a slug before its digest.
const READABLE_CHARACTERS_MAX: usize = 40;

/// The slug of a name: at most 40 lower-case ASCII letters, digits and `_`, then `-` and 12 hex digits of the
/// SHA-256 of the exact name, so that no two names share one.
#[must_use]
pub fn slug(name: &str) -> String {
    slug_of(name, name)
}

/// A slug that reads like `readable` and whose digest is of `exact`.
fn slug_of(readable: &str, exact: &str) -> String {
    let plain = readable
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'a'..='z' | '0'..='9' => c,
            _ => '_',
        });
    let mut text: String = plain.take(READABLE_CHARACTERS_MAX).collect();
    text.push('-');
    let digest = crate::model::Sha256Digest(Sha256::digest(exact.as_bytes()).into());
    text.extend(digest.to_string().chars().take(12));
    text
}

/// What all files of one round have in their names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    /// The group.
    pub(super) group: &'a GroupName,
    /// The mark's name, else the round's stamp: unique for ever, since stamps rise.
    pub(super) stamp: &'a str,
}

impl Naming<'_> {
    /// The stripes of one piece. Two hosts may share a folder and hold databases of one name, so the digest
    /// in the file's name is of the whole member.
    pub(super) fn stripes(
        &self,
        share: &ShareConfig,
        member: &MemberName,
        kind: PieceKind,
        count: u16,
    ) -> Vec<StagedStripe> {
        let database = member.database.as_str();
        let in_file = slug_of(database, &member.to_string());
        let word = kind.word();
        let stripe = |k| {
            let file = format!("{in_file}_{word}_{}_{k}of{count}.bak", self.stamp);
            staged(share, self.group, &file, self.key(member, kind, k, count))
        };
        (1..=count).map(stripe).collect()
    }

    /// The object of stripe `k` of `count`, from 1.
    pub(super) fn key(&self, member: &MemberName, kind: PieceKind, k: u16, count: u16) -> String {
        let (host, database) = (slug(member.host.as_str()), slug(member.database.as_str()));
        let (group, stamp, word) = (self.group, self.stamp, kind.word());
        format!("v1/{group}/pieces/{host}/{database}/{stamp}.{word}.{k}of{count}.bak")
    }
}

/// One file in the group's folder on a share.
pub(super) fn staged(
    share: &ShareConfig,
    group: &GroupName,
    file: &str,
    key: String,
) -> StagedStripe {
    StagedStripe {
        sql_path: format!("{}{file}", our_folder(share, group)),
        agent_path: share.agent.join(group.as_str()).join(file),
        key,
    }
}

/// Where a stored piece comes to on a share, to be restored from there.
pub(super) fn brought_back(share: &ShareConfig, group: &GroupName, piece: &Piece) -> RestorePiece {
    let count = piece.stripes.len();
    let stripe = |(nth, stored): (usize, &StoredStripe)| -> StagedStripe {
        let file = format!("restore_{}_{}of{count}.bak", piece.id, nth + 1);
        staged(share, group, &file, stored.key.clone())
    };
    RestorePiece {
        piece: piece.id,
        stripes: piece.stripes.iter().enumerate().map(stripe).collect(),
        lacks_checksums: !piece.has_backup_checksums,
        position: piece.position,
    }
}

/// The name of the file on the share that an object of a piece was sent from; none for what Stopmark did not take.
pub(super) fn staged_name(member: &MemberName, key: &str) -> Option<String> {
    let object = key.rsplit('/').next()?.strip_suffix(".bak")?;
    let mut parts = object.split('.');
    let (stamp, word, stripe) = (parts.next()?, parts.next()?, parts.next()?);
    let in_file = slug_of(member.database.as_str(), &member.to_string());
    Some(format!("{in_file}_{word}_{stamp}_{stripe}.bak"))
}

/// Whether only Stopmark gives files such a name: a backup's, a restore's or a trial's.
pub(super) fn is_our_file(name: &str) -> bool {
    let is_id = |text: &str| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    let Some(stem) = name.strip_suffix(".bak") else {
        return false;
    };
    if let Some(id) = stem.strip_prefix("stopmark_probe_") {
        return is_id(id);
    }
    let Some((stem, stripe)) = stem.rsplit_once('_') else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let is_stripe = stripe
        .split_once("of")
        .is_some_and(|(k, count)| is_number(k) && is_number(count));
    if let Some(id) = stem.strip_prefix("restore_") {
        return is_stripe && is_id(id);
    }
    let is_slug = |slug: &str| {
        let digest = slug.rsplit_once('-').map_or("", |(_, digest)| digest);
        digest.len() == 12 && digest.bytes().all(|c| c.is_ascii_hexdigit())
    };
    let words = [PieceKind::Full, PieceKind::Differential, PieceKind::Log];
    let mut words = words.into_iter().map(|kind| format!("_{}_", kind.word()));
    let has_slug = words.any(|word| {
        let mut places = stem.match_indices(&word);
        places.any(|(at, _)| is_slug(&stem[..at]))
    });
    is_stripe && has_slug
}

/// A file on a share that `stopmark check` writes and removes, in the folder that backups go to.
pub(super) fn probe_stripe(share: &ShareConfig, group: &GroupName, id: uuid::Uuid) -> StagedStripe {
    staged(
        share,
        group,
        &format!("stopmark_probe_{id}.bak"),
        String::new(),
    )
}

/// An object that `stopmark check` makes and removes, beside all groups.
pub(super) fn probe_key(id: uuid::Uuid) -> String {
    format!("v1/probe/{id}")
}

/// The folder that our backups of one host go to, as SQL Server names it, with its separator at the end.
#[must_use]
pub fn our_folder(share: &ShareConfig, group: &GroupName) -> String {
    let separator = separator_of(&share.sql);
    let root = share.sql.trim_end_matches(['/', '\\']);
    format!("{root}{separator}{group}{separator}")
}

/// Where this machine sees a file that a host names, if it lies below the host's share or a folder of `foreign`.
/// What follows the folder is a plain path: a name that climbs out of it is no file of it.
pub(super) fn agent_place(host: Option<&HostConfig>, device: &str) -> Option<PathBuf> {
    let host = host?;
    let mut folders = host.share.iter().chain(&host.foreign);
    folders.find_map(|folder| place_below(folder, device))
}

fn place_below(folder: &ShareConfig, device: &str) -> Option<PathBuf> {
    let root = folder.sql.trim_end_matches(['/', '\\']);
    let above = device.get(..root.len())?;
    // Windows takes `e:\backup` for `E:\Backup`, and whoever types a path into a job types either.
    let is_below = match separator_of(&folder.sql) {
        '/' => above == root,
        _ => above.eq_ignore_ascii_case(root),
    };
    let below = device[root.len()..]
        .strip_prefix(['/', '\\'])
        .filter(|_| is_below)?;
    let parts: Vec<&str> = match separator_of(&folder.sql) {
        '/' => below.split('/').collect(),
        _ => below.split(['/', '\\']).collect(),
    };
    let is_plain = |part: &&str| !matches!(*part, "" | "." | "..");
    let mut place = folder.agent.clone();
    place.extend(&parts);
    parts.iter().all(is_plain).then_some(place)
}

/// SQL Server on Linux writes `/`, on Windows `\`.
pub(super) fn separator_of(folder: &str) -> char {
    if folder.starts_with('/') { '/' } else { '\\' }
}

/// The share of a host that has one.
pub(super) fn share_of(host: Option<&HostConfig>) -> Option<&ShareConfig> {
    host.and_then(|host| host.share.as_ref())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn names_that_read_alike_have_other_slugs() {
        let slugs = [slug("a b"), slug("a_b"), slug("A_B"), slug("a]b")];
        let kinds: std::collections::BTreeSet<_> = slugs.iter().collect();
        assert_eq!(kinds.len(), 4);
        assert!(slugs.iter().all(|slug| slug.starts_with("a_b-")));
    }

    #[test]
    fn a_slug_is_plain_and_short_whatever_the_name() {
        let long = "x".repeat(128);
        for name in ["../../etc", "🦀🦀", "İ", "CON", "", "nul\0", long.as_str()] {
            let slug = slug(name);
            assert!(slug.len() <= 53, "{slug}");
            assert!(
                slug.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
                "{slug}"
            );
        }
    }

    #[test]
    fn stripes_have_three_names_each() {
        let share = ShareConfig {
            sql: r"\\nas\backup\PAY1\".to_owned(),
            agent: PathBuf::from("/mnt/backup/pay1"),
        };
        let group = "payments".parse().expect("a group");
        let naming = Naming {
            group: &group,
            stamp: "SM_2026",
        };
        let member = r"PAY1\SQL/Ledger".parse().expect("a member");
        let stripes = naming.stripes(&share, &member, PieceKind::Full, 2);
        insta::assert_debug_snapshot!(stripes);
    }

    #[test]
    fn a_stored_object_tells_the_file_that_it_was_sent_from() {
        let share = ShareConfig {
            sql: "/backup".to_owned(),
            agent: PathBuf::from("/mnt"),
        };
        let group = "payments".parse().expect("a group");
        let naming = Naming {
            group: &group,
            stamp: "SM_2026_11_21_02_00_00_007",
        };
        let member = r"PAY1\SQL/A_log_b".parse().expect("a member");
        for kind in [PieceKind::Full, PieceKind::Differential, PieceKind::Log] {
            for stripe in naming.stripes(&share, &member, kind, 2) {
                let name = staged_name(&member, &stripe.key).expect("ours");
                assert!(stripe.agent_path.ends_with(&name), "{name}");
                assert!(is_our_file(&name), "{name}");
            }
        }
    }

    #[test]
    fn files_of_others_are_not_ours() {
        let id = uuid::Uuid::from_u128(7);
        assert!(is_our_file(&format!("restore_{id}_1of1.bak")));
        assert!(is_our_file(&format!("stopmark_probe_{id}.bak")));
        for name in [
            "Orders.bak",
            "Orders_log_20261121.bak",
            "orders-0123456789ab_log_x_1of1.trn",
            "orders-0123456789ab_log_x_1.bak",
            "orders-nothexnothex_log_x_1of1.bak",
            "restore_1_1of1.bak",
            "stopmark_probe_.bak",
            ".bak",
            "",
        ] {
            assert!(!is_our_file(name), "{name}");
        }
    }

    #[test]
    fn a_foreign_file_is_seen_below_a_known_folder_only() {
        let folder = |sql: &str| ShareConfig {
            sql: sql.to_owned(),
            agent: PathBuf::from("/mnt/e"),
        };
        let windows = folder(r"E:\Backup\");
        let place = |device| place_below(&windows, device);
        let found = Some(PathBuf::from("/mnt/e/olaf/a.trn"));
        assert_eq!(place(r"E:\Backup\olaf\a.trn"), found);
        assert_eq!(place(r"e:\backup\olaf\a.trn"), found);
        assert_eq!(place("é"), None);
        for elsewhere in [
            r"D:\Backup\a.trn",
            r"E:\Backups\a.trn",
            r"E:\Backup\..\a.trn",
            r"E:\Backup\",
            r"E:\Backup",
        ] {
            assert_eq!(place(elsewhere), None, "{elsewhere}");
        }
        let linux = folder("/backup");
        assert_eq!(
            place_below(&linux, "/backup/a.trn"),
            Some("/mnt/e/a.trn".into())
        );
        assert_eq!(place_below(&linux, "/Backup/a.trn"), None);
    }

    #[test]
    fn two_hosts_may_share_a_folder() {
        let share = ShareConfig {
            sql: "/backup".to_owned(),
            agent: PathBuf::from("/mnt"),
        };
        let group = "payments".parse().expect("a group");
        let naming = Naming {
            group: &group,
            stamp: "SM_2026",
        };
        let of = |text: &str| {
            let member = text.parse().expect("a member");
            naming.stripes(&share, &member, PieceKind::Log, 1).remove(0)
        };
        let (one, other) = (of("PAY1/Ledger"), of("PAY2/Ledger"));
        assert_ne!(one.agent_path, other.agent_path);
        assert_ne!(one.key, other.key);
    }
}
