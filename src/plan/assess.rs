//! What each member can take part in, and why not. Start at [`assess`].
//!
//! A member that cannot take part never stops the others; but a mark needs every member, so one reason
//! against is a reason against the mark.

use std::collections::BTreeSet;

use super::Warning;
use super::keys::share_of;
use super::pauses::{Pauses, Wait};
use crate::config::{Config, MarkLogKind};
use crate::error::Code;
use crate::model::{HostName, MemberName};
use crate::survey::{HostFacts, HostReport, MemberFacts, MemberState, RecoveryModel, Survey};

/// The group as a survey finds it.
#[derive(Debug, Default)]
pub(super) struct Assessment<'a> {
    /// Members that a full can be taken of, in the order of their names.
    pub(super) able: Vec<Able<'a>>,
    /// What stands against a mark; each is a warning too.
    pub(super) blocking: Vec<Warning>,
    /// What a person should know beside that.
    pub(super) warnings: Vec<Warning>,
    /// Members of best effort that cannot carry a mark now; it is placed without them.
    pub(super) unmarkable: BTreeSet<MemberName>,
}

/// A member that can be backed up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Able<'a> {
    /// The member.
    pub(super) name: &'a MemberName,
    /// What its host says.
    pub(super) facts: &'a MemberFacts,
}

impl Able<'_> {
    /// Whether log backups can be taken of it.
    pub(super) fn keeps_log(&self) -> bool {
        self.facts.recovery_model != RecoveryModel::Simple
    }
}

pub(super) fn warning(code: Code, message: String, hint: &str) -> Warning {
    Warning {
        code: code.text().to_owned(),
        message,
        hint: Some(hint.to_owned()),
    }
}

/// Looks at hosts and members.
pub(super) fn assess<'a>(cfg: &Config, survey: &'a Survey, pauses: Pauses<'_>) -> Assessment<'a> {
    let mut found = Assessment::default();
    for (name, report) in &survey.hosts {
        found.look_at_report(cfg, survey, name, report);
    }
    for member in &survey.unresolved {
        let (server, database) = (&member.server, &member.database);
        found.blocking.push(warning(
            Code::MemberMissing,
            format!(
                "member `{database}` is on server `{server}`, which is no host of the configuration"
            ),
            "add that server under `[hosts]`, by its true name; if it is another name of a host, say so: \
             `[biztalk] servers = { 'NAME' = 'HOST' }`",
        ));
    }
    for moved in &survey.moved {
        found.warnings.push(warning(
            Code::ReplicaMoved,
            format!(
                "member `{}` is `{}` since its availability group failed over",
                moved.listed, moved.now
            ),
            "nothing needs to be done: it keeps the name that it is listed with, and its chain goes on",
        ));
    }
    found
        .warnings
        .extend(survey.dropped.iter().map(dropped_member));
    for member in &survey.members {
        found.look_at_member(cfg, survey, pauses, member);
    }
    found
}

/// A member that the configuration has lost since the newest set.
#[must_use]
pub fn dropped_member(member: &MemberName) -> Warning {
    let message = format!(
        "`{member}` is in the newest set, and the configuration has it, or its host, no more: points from now on lack it"
    );
    let hint = "if that is meant, nothing is to be done: older points still hold it, and it is told until a set was published \
                without it; else put it back under `[group] members` and its host under `[hosts]`";
    warning(Code::TopologyDrift, message, hint)
}

impl<'a> Assessment<'a> {
    fn look_at_report(
        &mut self,
        cfg: &Config,
        survey: &Survey,
        name: &HostName,
        report: &HostReport,
    ) {
        let members = survey.members.iter();
        let own: Vec<&MemberName> = members
            .filter(|it| survey.home(it).is_same_host(name))
            .collect();
        let is_manager = name.is_same_host(survey.management(cfg));
        if own.is_empty() && !is_manager {
            return;
        }
        let (code, message, hint) = match report {
            HostReport::Facts(facts) => return self.look_at_host(name, facts),
            HostReport::Silent {
                code,
                message,
                hint,
                ..
            } => (code, message, hint),
        };
        let warning = Warning {
            code: code.clone(),
            message: format!("host `{name}` gives no facts: {message}"),
            hint: hint.clone(),
        };
        let is_required = |name: &&MemberName| !cfg.member(name).best_effort;
        if is_manager || own.iter().any(is_required) {
            self.blocking.push(warning);
        } else {
            self.warnings.push(warning);
            self.unmarkable.extend(own.into_iter().cloned());
        }
    }

    /// What keeps a member from carrying a mark stands against the mark, unless it is one of best effort.
    fn keep_from_marking(&mut self, best_effort: bool, name: &MemberName, against: Warning) {
        if best_effort {
            self.unmarkable.insert(name.clone());
            self.warnings.push(against);
        } else {
            self.blocking.push(against);
        }
    }

    fn look_at_host(&mut self, name: &HostName, facts: &HostFacts) {
        if !facts.missing_rights.is_empty() {
            let rights = facts.missing_rights.join(", ");
            self.warnings.push(warning(
                Code::RightMissing,
                format!("the agent's login on host `{name}` lacks rights: {rights}"),
                "`stopmark grants` prints the T-SQL that grants them",
            ));
        }
        for mark in &facts.open_marks {
            self.blocking.push(warning(
                Code::MarkInFlight,
                format!(
                    "transaction `{mark}` is open on host `{name}`; two marks at once may deadlock"
                ),
                "wait until it ends; if it does not, find its session and end it",
            ));
        }
    }

    fn look_at_member(
        &mut self,
        cfg: &Config,
        survey: &'a Survey,
        pauses: Pauses<'_>,
        name: &'a MemberName,
    ) {
        let home = survey.home(name);
        if survey.host(home).is_none() {
            return; // Its host's silence was told once.
        }
        let best_effort = cfg.member(name).best_effort;
        let Some(facts) = survey.member(name) else {
            let against = warning(
                Code::MemberMissing,
                format!("member `{name}` does not exist, or the agent's login may not see it"),
                "check the name, or take it out of the configuration",
            );
            return self.keep_from_marking(best_effort, name, against);
        };
        if let Some(claim) = survey.contested.iter().find(|it| it.listed == *name) {
            let other = &claim.now.host;
            let against = warning(
                Code::ReplicaContested,
                format!(
                    "hosts `{home}` and `{other}` both claim the primary replica of member `{name}`"
                ),
                "find out which one applications use, and make the other one secondary: `ALTER AVAILABILITY GROUP .. SET \
                 (ROLE = SECONDARY)`; what only that one has is lost",
            );
            return self.keep_from_marking(best_effort, name, against);
        }
        if let Some(against) = far_side(name, facts) {
            // Where it is away nobody here can mark it, and nobody should wait for it.
            let is_away = against.code == Code::PrimaryAway.text();
            return self.keep_from_marking(best_effort || is_away, name, against);
        }
        if facts.state != MemberState::Online {
            let against = warning(
                Code::MemberUnfit,
                format!("member `{name}` is {}", state_word(facts.state)),
                "bring it online",
            );
            return self.keep_from_marking(best_effort, name, against);
        }
        if share_of(cfg.host(home)).is_none() {
            let against = warning(
                Code::ConfigValue,
                format!("host `{home}` of member `{name}` has no share"),
                "add `share = { sql = \"..\", agent = \"..\" }` to the host",
            );
            return self.keep_from_marking(best_effort, name, against);
        }
        if self.waits_for_seeding(pauses, name, facts) {
            return; // It carries the mark; the first log after the seeding brings it.
        }
        let is_remote = !home.is_same_host(survey.management(cfg));
        if let Some(against) = against_a_mark(cfg, name, facts, is_remote) {
            self.keep_from_marking(best_effort, name, against);
        }
        if facts.recovery_model == RecoveryModel::BulkLogged {
            self.warnings.push(bulk_logged(name));
        }
        self.able.push(Able { name, facts });
    }

    /// Whether nothing is taken of this member, since it is being seeded; told either way.
    fn waits_for_seeding(
        &mut self,
        pauses: Pauses<'_>,
        name: &MemberName,
        facts: &MemberFacts,
    ) -> bool {
        let Some(seeding) = facts.seeding.filter(|seeding| !seeding.keeps_log) else {
            return false;
        };
        let wait = pauses.of(name, Some(seeding.log_used_percent));
        self.warnings.push(seeded(name, &wait));
        matches!(wait, Wait::On(_))
    }
}

/// What the other side of a member's distributed group has to do with its marks; none where this side is the primary one.
#[must_use]
pub fn far_side(name: &MemberName, facts: &MemberFacts) -> Option<Warning> {
    let far = facts.replica.as_ref()?.far_side.as_ref()?;
    let (group, other) = (&far.group, &far.name);
    match (far.is_primary_here, far.is_primary_there) {
        (true, false) => None,
        (true, true) => Some(warning(
            Code::ReplicaContested,
            format!(
                "split brain: after a forced failover both this side and `{other}` claim to be primary of member \
                 `{name}` (distributed group `{group}`)"
            ),
            "find out which side applications wrote to; on the other one drop the link, and seed it anew: what only that \
             one has is lost, so take a tail of its log first",
        )),
        (false, _) => Some(warning(
            Code::PrimaryAway,
            format!(
                "member `{name}` leaves the marked set: its primary is `{other}` (distributed group `{group}`), where no \
                 log can be backed up and no distributed transaction goes"
            ),
            "points are offered without it until the link fails back; until then the Managed Instance's own backups are \
             all it has. The first run after that begins its chain where it has to",
        )),
    }
}

fn bulk_logged(name: &MemberName) -> Warning {
    warning(
        Code::RecoveryBulkLogged,
        format!("member `{name}` is in BULK_LOGGED; a bulk change voids the mark in its log"),
        "set its recovery model to FULL",
    )
}

/// What a seeding means for the backups of its member.
fn seeded(name: &MemberName, wait: &Wait) -> Warning {
    let (code, words) = match wait {
        Wait::On(limits) => (
            Code::LogsPaused,
            format!(": its backups wait until {}", limits.until("that has ended")),
        ),
        Wait::Over(why) => (
            Code::PauseOver,
            format!(", and {why}: its backups go on, which may break the seeding (1412)"),
        ),
        Wait::Unwanted => (
            Code::LogsPaused,
            ", and `log_used_max = 0` lets nothing wait: its backups go on, which may break the seeding (1412)"
                .to_owned(),
        ),
    };
    let hint = "watch `sys.dm_hadr_automatic_seeding` on its host; `[policy] log_used_max` and `pause_max` say how \
                long backups wait, and under trace flag 12381 they need not";
    let message = format!("member `{name}` is being seeded to another replica{words}");
    warning(code, message, hint)
}

fn state_word(state: MemberState) -> &'static str {
    match state {
        MemberState::Online => "online",
        MemberState::Restoring => "being restored",
        MemberState::Unusable => "not usable",
    }
}

/// Why this member, which can be backed up, cannot carry a mark.
fn against_a_mark(
    cfg: &Config,
    name: &MemberName,
    facts: &MemberFacts,
    is_remote: bool,
) -> Option<Warning> {
    if facts.recovery_model == RecoveryModel::Simple {
        return Some(warning(
            Code::RecoverySimple,
            format!("member `{name}` is in SIMPLE recovery and cannot carry a mark"),
            "set its recovery model to FULL; the next run starts its chain",
        ));
    }
    if facts.is_read_only {
        return Some(warning(
            Code::MemberUnfit,
            format!("member `{name}` is read-only and cannot carry a mark"),
            "make it writable, or take it out of the group",
        ));
    }
    if takes_marks(facts, is_remote) {
        return None;
    }
    let hint = match cfg.mark_log {
        MarkLogKind::Stopmark => "run `stopmark group prepare`",
        MarkLogKind::BizTalk => {
            "run BizTalk's `Backup_Setup_All_Tables.sql` and `Backup_Setup_All_Procs.sql` in it"
        }
    };
    let message = format!("member `{name}` lacks the table or a procedure that marks need");
    Some(warning(Code::MarkLogMissing, message, hint))
}

/// Whether a member has what a mark needs in it; a remote one is marked through a procedure more.
pub(super) const fn takes_marks(facts: &MemberFacts, is_remote: bool) -> bool {
    let log = &facts.mark_log;
    log.has_table && log.has_procedure && (log.has_remote_procedure || !is_remote)
}
