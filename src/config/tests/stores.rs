//! Several stores in one file: which one leads, and what cannot be.

use super::{Code, SECRET, WHOLE, parsed, whole};
use crate::config::{KeepingConfig, LockMode};
use secrecy::ExposeSecret as _;

/// The file with these sections instead of its one store.
fn with(stores: &str, policy: &str) -> String {
    let begin = WHOLE.find("[store]").expect("a store");
    let end = WHOLE.find("[schedule]").expect("a schedule");
    let text = format!("{}{stores}\n{}", &WHOLE[..begin], &WHOLE[end..]);
    text.replacen("[policy]", &format!("[policy]\n{policy}"), 1)
}

const TWO: &str = r#"
[[store]]
name = "nas"
url = "file:///srv/stopmark"
[[store]]
name = "cloud"
url = "s3://bucket/prefix"
options = { aws_region = "eu-central-1" }
[store.secrets]
aws_secret_access_key = { env = "PASSWORD" }
[store.transfer]
parts_in_flight = 9
"#;

#[test]
fn the_first_store_leads_and_each_has_options_of_its_own() {
    let config = whole(&with(TWO, ""));
    let names: Vec<String> = config
        .store_names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["nas", "cloud"]);
    let cloud = &config.further_stores[0];
    assert_eq!(
        cloud.secrets["aws_secret_access_key"].expose_secret(),
        SECRET
    );
    assert_eq!(
        (
            cloud.transfer.parts_in_flight,
            config.store.transfer.parts_in_flight
        ),
        (9, 4)
    );
    assert_eq!(
        config.policy.copies, 2,
        "all of them, unless somebody says less"
    );
    assert_eq!(whole(&with(TWO, "copies = 1")).policy.copies, 1);
}

#[test]
fn a_store_is_told_how_to_keep_each_object() {
    let words = "storage_class = \"STANDARD_IA\"\nlock = \"compliance\"\nlock_days = 35";
    let config = whole(&with(&format!("{TWO}[store.keeping]\n{words}\n"), ""));
    let keeping = &config.further_stores[0].keeping;
    assert_eq!(keeping.storage_class.as_deref(), Some("STANDARD_IA"));
    let lock = keeping.lock.expect("a lock");
    assert_eq!((lock.mode, lock.days), (LockMode::Compliance, 35));
    assert!(!keeping.legal_hold);
    assert_eq!(config.store.keeping, KeepingConfig::default());
}

#[test]
fn one_store_is_called_main_and_may_be_called_otherwise() {
    assert_eq!(whole(WHOLE).store.name.as_str(), "main");
    let named = WHOLE.replacen("[store]", "[store]\nname = \"nas\"", 1);
    assert_eq!(whole(&named).store.name.as_str(), "nas");
    assert_eq!(whole(WHOLE).policy.copies, 1);
}

/// Every fault of such a file, with its code and place.
fn faults(stores: &str, policy: &str) -> String {
    let faults = parsed(&with(stores, policy)).expect_err("a fault");
    let told = faults
        .iter()
        .map(|fault| format!("{} {fault:?}", fault.code()));
    told.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_no_store_can_keep_is_told() {
    let azure = TWO
        .replacen("s3://", "az://", 1)
        .replacen("aws_region", "azure_endpoint", 1)
        .replacen("aws_secret_access_key", "azure_storage_account_key", 1);
    let folder = TWO.replacen("options = { aws_region = \"eu-central-1\" }", "", 1);
    let folder = folder.replacen("s3://bucket/prefix", "file:///srv/second", 1);
    let folder = folder.split("[store.secrets]").next().unwrap_or_default();
    for (stores, words, wanted) in [
        (
            TWO,
            "lock = \"governance\"",
            "keeping.lock_days` is missing",
        ),
        (TWO, "lock_days = 9", "stands without `lock`"),
        (
            TWO,
            "lock = \"forever\"\nlock_days = 9",
            "`forever` is not known",
        ),
        (TWO, "lock = \"compliance\"\nlock_days = 0", "for so long"),
        (TWO, "storage_class = \"in the attic\"", "no storage class"),
        (&azure, "legal_hold = true", "locks no single objects"),
        (
            folder,
            "storage_class = \"COLD\"",
            "a folder has no storage classes",
        ),
    ] {
        let told = faults(&format!("{stores}\n[store.keeping]\n{words}\n"), "");
        assert!(
            told.starts_with("SM0103") && told.contains(wanted),
            "{told}"
        );
    }
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    for (stores, policy, wanted) in [
        (
            TWO.replacen("\"cloud\"", "\"nas\"", 1),
            "",
            ["SM0104", "`nas` too"],
        ),
        (
            TWO.replacen("\"cloud\"", "\"Cloud 9\"", 1),
            "",
            ["SM0103", "not a store's name"],
        ),
        (
            TWO.replacen("name = \"nas\"\n", "", 1),
            "",
            ["SM0103", "is missing"],
        ),
        (
            TWO.to_owned(),
            "copies = 3",
            ["SM0103", "cannot be 3 copies"],
        ),
        (
            TWO.to_owned(),
            "copies = 0",
            ["SM0103", "cannot be 0 copies"],
        ),
    ] {
        let told = faults(&stores, policy);
        assert!(
            wanted.iter().all(|it| told.contains(it)),
            "{wanted:?}\n{told}"
        );
    }
    let twice = "[[store]]\nname = \"a\"\nurl = \"file:///s\"\n[[store]]\nname = \"b\"\nurl = \"file:///s/\"";
    let errors = parsed(&with(twice, "")).expect_err("one place");
    assert_eq!(errors[0].code(), Code::ConfigDuplicate);
}
