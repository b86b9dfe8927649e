//! What changed between two texts of a configuration, key by key. Secrets never stand in such a text, so they
//! cannot stand in its difference.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// The keys whose values differ, a line each: `schedule.log: "*/15 * * * *" -> "*/10 * * * *"`.
#[must_use]
pub fn diff(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (values(old), values(new));
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let told = |value: Option<&String>| value.map_or("(not set)", String::as_str).to_owned();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| format!("{key}: {} -> {}", told(old.get(key)), told(new.get(key))))
        .collect()
}

fn values(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let table = text.trim_start_matches('\u{feff}').parse::<Table>();
    flatten("", &Value::Table(table.unwrap_or_default()), &mut found);
    found
}

fn flatten(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, found);
            }
        }
        other => {
            found.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_key_by_key() {
        let old = "format = 1\n[schedule]\nlog = \"0 * * * *\"\nfull = \"0 1 * * sun\"";
        let new = "# a word\nformat = 1\n[schedule]\nlog = \"5 * * * *\"\nprune = \"0 4 * * *\"";
        assert_eq!(
            diff(old, new),
            [
                "schedule.full: \"0 1 * * sun\" -> (not set)",
                "schedule.log: \"0 * * * *\" -> \"5 * * * *\"",
                "schedule.prune: (not set) -> \"0 4 * * *\"",
            ]
        );
        assert!(diff(old, old).is_empty());
    }
}
