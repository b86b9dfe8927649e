//! Whether a host is one that Stopmark is expected to work with: a part of `stopmark check`.

use crate::cli::setup::Agent;
use crate::error::Code;
use crate::report::check::CheckReport;
use crate::survey::{HostFacts, Support, support};

/// How far the matrix of versions was proven, for every release alike.
const TRIED: &str = "expected to work, tried on a simulator, never run live";

/// Whether the host is one of the matrix of versions, and what its edition cannot do.
pub(super) fn check_support(agent: &Agent, facts: &HostFacts, report: &mut CheckReport) {
    let (about, code) = (facts.true_name.as_str(), Code::HostUntried);
    let members = agent.config.members.iter();
    let mut own = members.filter(|it| it.name.host.is_same_host(&facts.true_name));
    match support(&facts.version, &facts.edition) {
        Support::Expected {
            release,
            is_express,
        } => {
            let words = format!("SQL Server {release}: {TRIED}");
            report.fine(about, &words);
            if is_express && own.any(|it| it.compression == Some(true)) {
                let message =
                    "this edition does not compress backups, and `compression` is asked of it";
                report.fault(
                    about,
                    code,
                    message,
                    "remove `compression` from its members",
                );
            }
        }
        Support::Cloud => {
            let message = "a service in the cloud takes no marks and no log backups of one's own";
            let hint =
                "take its databases out of the group; `stopmark milink check` is for links to it";
            report.fault(about, code, message, hint);
        }
        Support::Unknown { why } => {
            let message = format!("nobody looked whether Stopmark works with this version: {why}");
            let hint = "hold a drill of its members first; `docs/versions.md` has the versions";
            report.warn(about, code, &message, hint);
        }
    }
}
