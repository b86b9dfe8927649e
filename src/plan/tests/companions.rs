//! What is taken beside the group, and how.

use uuid::Uuid;

use super::super::samples::{Counter, change_host, config, facts, member, now, survey};
use super::*;
use crate::config::MemberConfig;
use crate::error::Code;
use crate::model::RunId;
use crate::survey::{HostReport, MemberState, RecoveryModel};

/// The plan of these companions, of which the hosts have all but `PAY1/Gone`, and its warnings.
fn of(names: &[&str], silent: Option<&str>) -> Plan {
    let mut cfg = config();
    let companions = names.iter().map(|it| MemberConfig::of(member(it)));
    cfg.companions = companions.collect();
    let mut survey = survey(None);
    for companion in cfg.companions.iter().map(|it| &it.name) {
        if companion.database.as_str() == "Gone" {
            continue;
        }
        let mut own = facts(None);
        own.recovery_model = RecoveryModel::Simple;
        if companion.database.as_str() == "Closed" {
            own.state = MemberState::Unusable;
        }
        change_host(&mut survey, companion.host.as_str(), |host| {
            host.members.insert(companion.database.clone(), own);
        });
    }
    for (host, report) in &mut survey.hosts {
        if silent == Some(host.as_str()) {
            *report = HostReport::Silent {
                code: "SM0201".to_owned(),
                message: "it is down".to_owned(),
                hint: None,
                true_name: None,
            };
        }
    }
    let asked = CompanionsAsked {
        run: RunId(Uuid::nil()),
        members: cfg.members.iter().map(|it| it.name.clone()).collect(),
        newest_stamp: Some(now()),
    };
    let plan = plan_companions(&cfg, &survey, &asked, &mut Counter(0x1000), now());
    checked(plan).0
}

#[test]
fn all_but_master_are_copies_that_disturb_nobody() {
    let plan = of(
        &["PAY1/master", "PAY1/msdb", "PAY3/model", "PAY3/Beside"],
        None,
    );
    assert_eq!(plan.warnings, []);
    let copies = steps(&plan).into_iter().filter_map(|step| match step {
        Step::BackUp(step) => Some((step.member.to_string(), step.is_copy_only)),
        _ => None,
    });
    let copies: Vec<_> = copies.collect();
    let others = copies.iter().filter(|(_, is_copy)| !is_copy);
    let others: Vec<_> = others.map(|(name, _)| name.as_str()).collect();
    assert_eq!((copies.len(), others), (4, vec!["PAY1/master"]));
    let publishes = steps(&plan).into_iter().find_map(|step| match step {
        Step::Publish(step) => Some(step),
        _ => None,
    });
    let set = publishes.expect("a set");
    assert_eq!((set.companions.len(), set.mark.as_ref()), (4, None));
    assert_eq!(
        set.members,
        config()
            .members
            .iter()
            .map(|it| it.name.clone())
            .collect::<Vec<_>>()
    );
    assert!(set.made_at > now(), "stamps rise");
}

#[test]
fn what_cannot_be_taken_is_told_and_the_others_are_taken() {
    let of_group = config().members[0].name.to_string();
    let names = [
        "PAY1/Gone",
        "PAY1/Closed",
        "PAY3/msdb",
        "PAY1/msdb",
        of_group.as_str(),
    ];
    let plan = of(&names, Some("PAY3"));
    assert_eq!(taken(&plan, PieceKind::Full), ["PAY1/msdb"]);
    let code = Code::CompanionLeftOut.text();
    assert!(plan.warnings.iter().all(|it| it.code == code));
    let told: Vec<&str> = plan.warnings.iter().map(|it| it.message.as_str()).collect();
    for (told, part) in told.iter().zip([
        "no such database",
        "not online",
        "it is down",
        "a member of the group",
    ]) {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(told.len(), 4);
    assert!(
        steps(&of(&["PAY1/Gone"], None)).is_empty(),
        "there is nothing to publish"
    );
}
