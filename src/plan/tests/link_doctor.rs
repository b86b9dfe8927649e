//! The linked-server doctor on the planner's samples: each kind of broken link is found, and its cure named.

use crate::doctor::{LinkCure, LinkFinding, Weight, examine};
use crate::plan::samples::{change_host, config, link, survey};
use crate::survey::{HostFacts, LinkFacts, LinkMapping};

/// What is found when the management host, or its link to `PAY3`, is changed like this.
fn found(change: impl FnOnce(&mut HostFacts)) -> Vec<LinkFinding> {
    let mut survey = survey(Some(100));
    change_host(&mut survey, "PAY1", change);
    examine(&config(), &survey)
}

fn with_link(change: impl FnOnce(&mut LinkFacts)) -> Vec<LinkFinding> {
    found(|host| {
        let mut links = host.links.iter_mut();
        change(links.find(|link| link.name == "PAY3").expect("a link"));
    })
}

/// The one finding about the link to `PAY3`.
fn one(change: impl FnOnce(&mut LinkFacts)) -> LinkFinding {
    let mut findings = with_link(change);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn map(link: &mut LinkFacts, local: Option<&str>, remote: Option<&str>) {
    link.mappings.push(LinkMapping {
        local_login: local.map(str::to_owned),
        uses_self: remote.is_none(),
        remote_login: remote.map(str::to_owned),
        is_sql_login: local.is_some(),
    });
}

#[test]
fn links_as_stopmark_makes_them_are_well() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_link_that_is_missing_blocks_marks() {
    let findings = found(|host| host.links.retain(|link| link.name != "PAY3"));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].weight, Weight::Blocks);
    assert_eq!(findings[0].cure, Some(LinkCure::Apply));
}

#[test]
fn options_that_marks_need_are_turned_on_and_others_are_risks() {
    let on = |option| {
        let value = "true".to_owned();
        Some(LinkCure::Option { option, value })
    };
    let rpc_out = one(|link| link.is_rpc_out = false);
    assert_eq!(
        (rpc_out.weight, rpc_out.cure),
        (Weight::Blocks, on("rpc out"))
    );
    let promotion = one(|link| link.is_promotion = false);
    assert_eq!(promotion.weight, Weight::Blocks);
    assert_eq!(promotion.cure, on("remote proc transaction promotion"));
    let data_access = one(|link| link.is_data_access = false);
    assert_eq!(
        (data_access.weight, data_access.cure),
        (Weight::Risk, on("data access"))
    );
    let timeout = one(|link| link.query_timeout_s = 5);
    assert!(timeout.what.contains("5 s"), "{timeout:?}");
    assert_eq!(one(|link| link.query_timeout_s = 29).weight, Weight::Risk);
}

#[test]
fn whoever_passes_as_somebody_else_is_named() {
    let wildcard = one(|link| map(link, None, None));
    assert_eq!(wildcard.cure, Some(LinkCure::DropWildcard));
    assert!(wildcard.risk.is_some_and(|risk| risk.contains("7416")));
    let all = one(|link| map(link, None, Some("reader")));
    assert!(all.what.contains("becomes `reader`"), "{all:?}");
    let sa = one(|link| map(link, Some("job"), Some("SA")));
    assert!(sa.what.contains("`job` becomes `sa`"), "{sa:?}");
    let nobody = one(|link| link.mappings.clear());
    assert_eq!(nobody.weight, Weight::Blocks);
}

#[test]
fn a_login_that_passes_as_itself_is_judged_by_how_the_agent_logs_in() {
    let by = |scheme: &str| {
        found(|host| {
            host.auth_scheme = scheme.to_owned();
            let mut links = host.links.iter_mut();
            let link = links.find(|link| link.name == "PAY3").expect("a link");
            link.mappings.clear();
            map(link, Some("stopmark"), None);
        })
    };
    assert_eq!(by("NTLM")[0].weight, Weight::Blocks);
    assert_eq!(by("SQL")[0].weight, Weight::Risk);
    assert_eq!(by("KERBEROS"), []);
}

#[test]
fn drivers_are_judged_by_the_version_of_the_host() {
    let old = one(|link| link.provider = "SQLNCLI11".to_owned());
    assert!(old.what.contains("SQLNCLI11"), "{old:?}");
    let silent = found(|host| {
        host.version = "17.0.1000.7".to_owned();
        for link in &mut host.links {
            link.provider_string = None;
        }
    });
    let about: Vec<&str> = silent.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(about, ["it does not say how it encrypts"; 2]);
    let before = with_link(|link| link.provider_string = None);
    assert_eq!(
        before,
        [],
        "the drivers before that encrypt nothing unless told"
    );
}

#[test]
fn links_that_lead_elsewhere_twice_or_back_are_found() {
    let elsewhere = one(|link| link.data_source = Some("tcp:old.example,1433".to_owned()));
    assert!(elsewhere.what.contains("old.example"), "{elsewhere:?}");
    let twice = found(|host| {
        host.links.push(LinkFacts {
            name: "ARCHIVE".to_owned(),
            ..link("PAY3")
        });
    });
    assert!(
        twice[0].what.contains("`ARCHIVE` leads to the same host"),
        "{twice:?}"
    );
    let back = found(|host| host.links.push(link("PAY1")));
    assert_eq!(back[0].link, "PAY1", "{back:?}");
    assert!(back[0].what.contains("back"), "{back:?}");
}

#[test]
fn two_names_for_one_host_block_marks() {
    let mut survey = survey(Some(100));
    let same = "PAY3".parse().expect("a host");
    change_host(&mut survey, r"PAY2\SQL", |host| host.true_name = same);
    let findings = examine(&config(), &survey);
    assert_eq!(findings[0].weight, Weight::Blocks);
    assert!(findings[0].what.contains("are one host"), "{findings:#?}");
}
