//! Linked servers and what marks need in members, made by the fleet on simulated hosts.

use stopmark::error::Code;
use stopmark::plan::PrepareMember;
use stopmark::world::Fleet;

use crate::fleet_hosts::{Hosts, member, named, wanted};

#[tokio::test]
async fn a_link_is_made_mended_tested_and_removed() {
    let hosts = Hosts::start(&["PAY1", r"PAY2\SQL"]).await;
    let (fleet, pay1, step) = (hosts.fleet(), named("PAY1"), hosts.link(r"PAY2\SQL"));
    for _ in 0..2 {
        fleet
            .ensure_link(&pay1, &step)
            .await
            .expect("made, then made again");
    }
    let facts = fleet
        .host_facts(&pay1, &wanted(&[], true))
        .await
        .expect("facts");
    let [link] = facts.links.as_slice() else {
        panic!("one link: {:?}", facts.links);
    };
    assert!(
        link.is_ours() && link.is_rpc_out && link.is_promotion,
        "{link:?}"
    );
    assert_eq!(
        (link.query_timeout_s, link.data_source.as_deref()),
        (60, Some(step.data_source.as_str()))
    );
    let [mapping] = link.mappings.as_slice() else {
        panic!("only the agent is mapped: {:?}", link.mappings);
    };
    assert_eq!(mapping.local_login.as_deref(), Some("agent"));
    assert_eq!(
        (mapping.remote_login.as_deref(), mapping.uses_self),
        (Some("link"), false)
    );

    let true_name = fleet
        .test_link(&pay1, &step.link)
        .await
        .expect("it answers");
    assert_eq!(true_name.as_str(), r"PAY2\SQL");

    let mut elsewhere = step.clone();
    elsewhere.data_source = "tcp:127.0.0.1,1".to_owned();
    fleet
        .ensure_link(&pay1, &elsewhere)
        .await
        .expect("led elsewhere");
    let error = fleet
        .test_link(&pay1, &step.link)
        .await
        .expect_err("nobody is there");
    assert_eq!(error.code(), Code::LinkTestFailed, "{error:?}");
    fleet.ensure_link(&pay1, &step).await.expect("led back");
    fleet
        .test_link(&pay1, &step.link)
        .await
        .expect("it answers again");

    for _ in 0..2 {
        fleet
            .remove_link(&pay1, &step.link)
            .await
            .expect("removed, then removed again");
    }
    let error = fleet
        .test_link(&pay1, &step.link)
        .await
        .expect_err("it is gone");
    assert_eq!(error.code(), Code::LinkMissing, "{error:?}");
}

#[tokio::test]
async fn a_link_of_somebody_else_is_not_removed() {
    let hosts = Hosts::start(&["PAY1", "PAY2"]).await;
    hosts
        .run(
            "PAY1",
            "EXEC sp_addlinkedserver @server = N'PAY2', @srvproduct = N'SQL Server';",
        )
        .await;
    let error = hosts
        .fleet()
        .remove_link(&named("PAY1"), "PAY2")
        .await
        .expect_err("foreign");
    assert_eq!(error.code(), Code::LinkForeign);
}

#[tokio::test]
async fn preparing_and_removing_may_each_run_twice() {
    let hosts = Hosts::start(&["PAY1"]).await;
    let database = "a]b'c 🦀";
    hosts.create("PAY1", &[database]).await;
    let fleet = hosts.fleet();
    let step = PrepareMember {
        member: member("PAY1", database),
        grantees: vec!["agent".to_owned(), "link".to_owned()],
    };
    let has = async || {
        let facts = fleet
            .host_facts(&named("PAY1"), &wanted(&[database], false))
            .await;
        let facts = facts
            .expect("facts")
            .members
            .remove(&named(database))
            .expect("the member");
        let marks = facts.mark_log;
        (
            marks.has_table,
            marks.has_procedure,
            marks.has_remote_procedure,
        )
    };
    for _ in 0..2 {
        fleet.prepare_member(&step).await.expect("prepared");
        assert_eq!(has().await, (true, true, true));
    }
    for _ in 0..2 {
        fleet.remove_prepared(&step.member).await.expect("removed");
        assert_eq!(has().await, (false, false, false));
    }
}

#[tokio::test]
async fn a_grantee_who_is_no_login_is_named() {
    let hosts = Hosts::start(&["PAY1"]).await;
    hosts.create("PAY1", &["Ledger"]).await;
    let step = PrepareMember {
        member: member("PAY1", "Ledger"),
        grantees: vec!["nobody".to_owned()],
    };
    let error = hosts
        .fleet()
        .prepare_member(&step)
        .await
        .expect_err("no such login");
    assert!(error.message().contains("`nobody`"), "{error}");
    assert!(
        error
            .context()
            .contains(&("member", "PAY1/Ledger".to_owned()))
    );
}
