//! The shell script of one host that brings the pieces from the store and checks every byte. Start at [`text`].
//!
//! It needs a POSIX shell, `split`, `sha256sum` and `perl`, the program of the store's maker, and `age` where pieces are
//! sealed. Nothing that it is given can leave its quotes.

use std::fmt::Write as _;

use super::{HostPaper, PaperFacts, commented};
use crate::config::StoreConfig;
use crate::error::plain::plain;
use crate::model::{PieceCopy, StoredStripe};
use crate::plan::{Fetch, StagedStripe};
use crate::report::bytes::size;
use crate::store::keys;

/// The whole script.
pub(super) fn text(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> String {
    let mut text = format!("#!/bin/sh\n{}", head(facts, host));
    text.push_str("set -eu\n");
    writeln!(text, "share={}", quoted(&folder(facts, host))).expect("a string takes everything");
    if host.fetches.iter().any(|step| is_sealed(step)) {
        text.push_str(
            "key=${STOPMARK_AGE_KEY:-key.txt}   # the secret key that opens the pieces\n",
        );
    }
    text.push_str(&objects(facts));
    text.push_str(FUNCTIONS);
    for step in &host.fetches {
        text.push_str(&piece(facts, step));
    }
    text.push_str("echo 'ALL FILES ARE THERE, and every byte is what it was.'\n");
    text
}

/// Fetching, and the digest of record: SHA-256 over the raw digests of the chunks.
const FUNCTIONS: &str = r#"
digest() {  # FILE CHUNK_BYTES
  split --bytes="$2" --filter=sha256sum "$1" | perl -ne 'print pack("H*", substr($_, 0, 64))' |
    sha256sum | cut -c1-64
}

# fetch FILE ROOT CHUNK_BYTES HOW STORE OBJECT...: brings one file, unless it is there and whole already.
fetch() {
  file=$share/$1 root=$2 chunk=$3 how=$4 store=$5
  shift 5
  if [ -e "$file" ] && [ "$(digest "$file" "$chunk")" = "$root" ]; then
    echo "is there already: $file"
    return 0
  fi
  echo "fetching $file from store $store"
  for object in "$@"; do object "$store" "$object"; done | $how >"$file.part" || return 1
  if [ "$(digest "$file.part" "$chunk")" != "$root" ]; then
    echo "NOT WHOLE in store $store: $file" >&2
    return 1
  fi
  mv -f "$file.part" "$file"
}
opened() { age -d -i "$key"; }
mkdir -p "$share"
"#;

fn head(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> String {
    let (group, name, mark) = (&facts.plan.group, host.host, &facts.mark.name);
    let bytes: u64 = host
        .fetches
        .iter()
        .flat_map(|step| &step.stored)
        .map(|stored| stored.plain().size_bytes)
        .sum();
    commented(
        "#",
        &format!(
            "Brings the backup files of group {group} for host {name}, mark {mark}, from the store to the\n\
             share, {}, and checks every byte. Run it again as often as you like: what is there and whole\n\
             stays. Needs sh, split, sha256sum, perl, age where pieces are sealed, and the store's own program.\n\
             Where the share has another path on this machine, change `share` below; SQL Server must find the\n\
             files under the paths that {} names.",
            size(bytes),
            host.script_name()
        ),
    )
}

/// The folder of the first file, as the agent names it: all files of one host lie in one folder.
fn folder(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> String {
    let first = host
        .fetches
        .first()
        .and_then(|step| step.source.stripes.first());
    let folder = first.and_then(|stripe| stripe.agent_path.parent());
    folder.map_or_else(
        || facts.plan.group.to_string(),
        |folder| folder.display().to_string(),
    )
}

fn is_sealed(step: &Fetch) -> bool {
    step.stored.iter().any(|stored| stored.sealed.is_some())
}

/// The function that prints an object of a store.
fn objects(facts: &PaperFacts<'_>) -> String {
    let mut text =
        "\n# object STORE OBJECT: prints one object.\nobject() {\n  case $1 in\n".to_owned();
    for store in facts.config.stores() {
        let (name, command) = (quoted(store.name.as_str()), command(store));
        writeln!(text, "    {name}) {command} ;;").expect("a string takes everything");
    }
    text.push_str("    *) echo \"no such store: $1\" >&2; return 1 ;;\n  esac\n}\n");
    text
}

/// How an object is printed: a file with `cat`, others with the program of the store's maker.
fn command(store: &StoreConfig) -> String {
    let url = store.url.trim_end_matches('/');
    if let Ok(Ok(folder)) = url::Url::parse(&store.url).map(|url| url.to_file_path()) {
        return format!("cat {}/\"$2\"", quoted(&folder.display().to_string()));
    }
    let url = quoted(url);
    match store.url.split("://").next() {
        Some("az" | "abfs" | "abfss") => {
            let (container, prefix) = container_of(&store.url);
            let options = store.options.get("azure_storage_account_name");
            let account = options.map_or("ACCOUNT", String::as_str);
            let (container, account) = (quoted(&container), quoted(account));
            format!(
                "az storage blob download --only-show-errors --no-progress --account-name {account} \
                 --container-name {container} --name {}\"$2\" --file /dev/stdout",
                quoted(&prefix)
            )
        }
        Some("gs") => format!("gcloud storage cat {url}/\"$2\""),
        _ => {
            let endpoint = ["aws_endpoint", "endpoint"]
                .iter()
                .find_map(|key| store.options.get(*key));
            let endpoint = endpoint.map_or_else(String::new, |endpoint| {
                format!("--endpoint-url {} ", quoted(endpoint))
            });
            format!("aws {endpoint}s3 cp --quiet {url}/\"$2\" -")
        }
    }
}

/// Container, and the prefix below it with a slash at its end where there is one.
fn container_of(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() {
        String::new()
    } else {
        format!("{prefix}/")
    };
    (container.to_owned(), prefix)
}

fn piece(facts: &PaperFacts<'_>, step: &Fetch) -> String {
    let id = step.source.piece;
    let member = facts.piece(id).map(|piece| piece.member.to_string());
    let member = member.unwrap_or_default();
    let mut text = format!(
        "\n{}",
        commented("#", &format!("{member}: {}", facts.piece_words(id)))
    );
    for (place, stored) in step.source.stripes.iter().zip(&step.stored) {
        text.push_str(&stripe(facts, place, stored));
    }
    text
}

/// One file: from the first copy that gives it whole.
fn stripe(facts: &PaperFacts<'_>, place: &StagedStripe, stored: &StoredStripe) -> String {
    let only = [PieceCopy::first(facts.config.store.name.clone())];
    let copies = if stored.copies.is_empty() {
        &only[..]
    } else {
        &stored.copies
    };
    let file = place.agent_path.file_name().unwrap_or_default();
    let file = quoted(&file.to_string_lossy());
    let plain = stored.plain();
    let how = if stored.sealed.is_some() {
        "opened"
    } else {
        "cat"
    };
    let tries = copies.iter().map(|copy| {
        let objects: Vec<String> = objects_of(stored, copy)
            .iter()
            .map(|key| quoted(key))
            .collect();
        format!(
            "fetch {file} {} {} {how} {} {}",
            plain.root,
            stored.chunk_size_bytes,
            quoted(copy.store.as_str()),
            objects.join(" ")
        )
    });
    tries.collect::<Vec<_>>().join(" ||\n  ") + "\n"
}

/// The objects of a copy of a stripe, in order.
fn objects_of(stored: &StoredStripe, copy: &PieceCopy) -> Vec<String> {
    let key = copy.key(&stored.key);
    match stored.segment_size_bytes {
        Some(segment @ 1..) => (1..=stored.size_bytes.div_ceil(segment))
            .map(|number| keys::segment(&key, number))
            .collect(),
        _ => vec![key],
    }
}

/// A word of a shell; what would do something to a terminal has no place in one.
fn quoted(word: &str) -> String {
    format!("'{}'", plain(word).replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        assert_eq!(
            quoted("a'; rm -rf $HOME; '"),
            r"'a'\''; rm -rf $HOME; '\'''"
        );
        assert_eq!(quoted("a\nb"), r"'a\u{a}b'");
    }

    #[test]
    fn a_container_and_its_prefix_are_told_apart() {
        for (url, container, prefix) in [
            ("az://backups", "backups", ""),
            ("az://backups/a/b/", "backups", "a/b/"),
        ] {
            let (container, prefix) = (container.to_owned(), prefix.to_owned());
            assert_eq!(container_of(url), (container, prefix));
        }
    }
}
