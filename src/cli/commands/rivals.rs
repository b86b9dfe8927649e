//! Who else has a hand on members: asks every host who else backs them up, and tells who else claims to be their primary.
//!
//! Start at [`look`].

use crate::cli::setup::Agent;
use crate::doctor::Weight;
use crate::error::Code;
use crate::model::{DatabaseName, MemberName};
use crate::plan::far_side;
use crate::report::check::{CheckReport, Finding, Severity};
use crate::report::rivals::RivalReport;
use crate::survey::{MemberFacts, Survey};

/// What the hosts of the group, replicas among them, say of others.
pub(super) async fn look(agent: &Agent, survey: &Survey) -> RivalReport {
    let mut report = RivalReport::default();
    for host in survey.possible_homes(&agent.config) {
        let members: Vec<DatabaseName> = survey.databases_on(host);
        if survey.host(host).is_none() || members.is_empty() {
            continue;
        }
        match agent.world.fleet.rivals(host, &members).await {
            Ok(facts) => report.add(host, &members, &facts),
            Err(error) => report.unseen.push(format!("`{host}`: {}", error.message())),
        }
    }
    report
}

/// The same among the findings of `stopmark check`.
pub(super) async fn check(agent: &Agent, survey: &Survey, report: &mut CheckReport) {
    let rivals = look(agent, survey).await;
    for examined in &rivals.findings {
        let finding = &examined.finding;
        report.add(Finding {
            severity: match finding.weight {
                Weight::Blocks => Severity::Error,
                Weight::Risk => Severity::Warning,
            },
            about: finding.host.to_string(),
            code: Some(Code::BackupJobBeside.text().to_owned()),
            message: format!("`{}`: {}", finding.about, finding.what),
            hint: Some(format!("{}; {}", finding.why, examined.cure())),
        });
    }
    for why in &rivals.unseen {
        report.fine(
            "others",
            &format!("who else backs members up is not all seen on {why}"),
        );
    }
}

/// Whether anybody else claims to be, or is, the primary one of a member.
pub(super) fn check_primary(
    survey: &Survey,
    member: &MemberName,
    facts: &MemberFacts,
    report: &mut CheckReport,
) {
    let about = member.to_string();
    if let Some(claim) = survey
        .contested
        .iter()
        .find(|it| it.listed.to_string() == about)
    {
        let message = format!("`{}` claims its primary replica too", claim.now.host);
        let hint =
            "make the one that applications do not use secondary: what only that one has is lost";
        report.fault(&about, Code::ReplicaContested, &message, hint);
    }
    if let Some(told) = far_side(member, facts) {
        let is_away = told.code == Code::PrimaryAway.text();
        report.add(Finding {
            severity: if is_away {
                Severity::Warning
            } else {
                Severity::Error
            },
            about,
            code: Some(told.code),
            message: told.message,
            hint: told.hint,
        });
    }
}
