//! Several stores in one file: which one leads, and what cannot be.

use super::{Code, SECRET, WHOLE, parsed, whole};
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
fn one_store_is_called_main_and_may_be_called_otherwise() {
    assert_eq!(whole(WHOLE).store.name.as_str(), "main");
    let named = WHOLE.replacen("[store]", "[store]\nname = \"nas\"", 1);
    assert_eq!(whole(&named).store.name.as_str(), "nas");
    assert_eq!(whole(WHOLE).policy.copies, 1);
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let faults = |stores: &str, policy: &str| {
        let faults = parsed(&with(stores, policy)).expect_err("a fault");
        let told = faults
            .iter()
            .map(|fault| format!("{} {fault:?}", fault.code()));
        told.collect::<Vec<_>>().join("\n")
    };
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
