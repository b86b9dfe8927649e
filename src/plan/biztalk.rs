//! What a BizTalk group needs beside marks and backups: its history written, its wishes heeded, its decoder held still.
//!
//! Start at [`known`]. A destination of BizTalk's log shipping sees `adm_BackupHistory` and the files on the shares, and
//! nothing else: it restores the newest complete set of fulls once, then set after set of logs, and the last one to its
//! mark. What it cannot go on with is therefore never called complete, and is followed by fulls of all members.

use std::collections::BTreeSet;

use super::assess::{Able, warning};
use super::backup::Ctx;
use super::bases::{Base, base};
use super::keys::{our_folder, separator_of, share_of, staged};
use super::step::{BackUp, StagedStripe};
use super::step_biztalk::{
    BlockTracking, ByProcedure, HistoryRow, HistorySet, ShippedFolder, TrimHistory, WriteHistory,
};
use super::{Step, Warning};
use crate::config::{BizTalkConfig, Config, Discovery, Engine};
use crate::error::Code;
use crate::model::{DatabaseName, HostName, MemberName, Piece, PieceId, PieceKind};
use crate::survey::{BizTalkFacts, Change, Drift, Survey};

/// The application lock that BizTalk's own backup job and its log-shipping readers take.
pub(super) const BIZTALK_LOCK: &str = "BTS_BackupJob_Lock";

/// BizTalk's procedures cut a longer folder without a word (`@BackupPath nvarchar(128)`).
const FOLDER_CHARACTERS_MAX: usize = 128;

/// BizTalk's procedures cut a longer server name in file names (`CAST(.. AS nvarchar)`).
const SERVER_CHARACTERS_MAX: usize = 30;

/// A BizTalk group of which the management database was read.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    cfg: &'a Config,
    survey: &'a Survey,
    database: &'a DatabaseName,
    facts: &'a BizTalkFacts,
}

/// The group as BizTalk knows it; none where it is no BizTalk group, or nothing could be read.
pub(super) fn known<'a>(cfg: &'a Config, survey: &'a Survey) -> Option<Known<'a>> {
    let Discovery::BizTalk { database } = cfg.discovery.as_ref()?;
    Some(Known {
        cfg,
        survey,
        database,
        facts: survey.biztalk.as_ref()?,
    })
}

/// The management database, where its own procedure places the marks.
pub(super) fn marks_by_procedure(cfg: &Config) -> Option<DatabaseName> {
    let Discovery::BizTalk { database } = cfg.discovery.as_ref()?;
    (cfg.biztalk.engine == Engine::Microsoft).then(|| database.clone())
}

impl<'a> Known<'a> {
    const fn rules(&self) -> &'a BizTalkConfig {
        &self.cfg.biztalk
    }

    fn may_write(&self) -> bool {
        self.facts.missing.is_empty()
    }

    /// Whether files and history are kept for a destination.
    pub(super) fn ships(&self) -> bool {
        self.rules().log_shipping && self.may_write()
    }

    /// What stands against a mark, and what a person should know beside that.
    pub(super) fn look(&self) -> (Vec<Warning>, Vec<Warning>) {
        let mut warnings: Vec<Warning> = self.missing().into_iter().collect();
        warnings.extend(self.jobs());
        warnings.extend(self.twice());
        warnings.extend(self.survey.drift.iter().map(drifted));
        let mut blocking = Vec::new();
        if self.rules().engine == Engine::Microsoft {
            // Its procedures are the run, so that without them there is none.
            blocking.extend(self.missing());
            warnings.retain(|it| !blocking.contains(it));
            blocking.extend(self.long_folders());
        }
        (blocking, warnings)
    }

    fn missing(&self) -> Option<Warning> {
        if self.may_write() {
            return None;
        }
        let (database, list) = (self.database, self.facts.missing.join(", "));
        let message = format!("`{database}` lacks what backups of the group need: {list}");
        let hint = "run BizTalk's own setup scripts for the management database again, and let the agent's login \
                    read and write these tables; until then no history is written";
        Some(warning(Code::BizTalkUnfit, message, hint))
    }

    fn jobs(&self) -> Vec<Warning> {
        let enabled = self.facts.jobs.iter().filter(|job| job.is_enabled);
        let told = enabled.map(|job| {
            let message = format!(
                "job `{}` backs up the same databases: each takes the other's logs",
                job.name
            );
            let hint = "disable the job; `stopmark migrate-from-biztalk-job` writes the plan of the cut-over";
            warning(Code::BackupJobBeside, message, hint)
        });
        told.collect()
    }

    fn twice(&self) -> Vec<Warning> {
        let twice = self.facts.twice().into_iter();
        let told = twice.map(|(member, servers)| {
            let message = format!(
                "`{member}` is listed under several server names: {}",
                servers.join(", ")
            );
            let hint = "let the tables of the management database name each server in one way; \
                        the group counts the database once";
            warning(Code::BizTalkUnfit, message, hint)
        });
        told.collect()
    }

    fn long_folders(&self) -> Vec<Warning> {
        let members = self.survey.members.iter();
        let hosts: BTreeSet<_> = members.map(|member| self.survey.home(member)).collect();
        let folders = hosts
            .into_iter()
            .filter_map(|host| Some((host, self.folder(share_of(self.cfg.host(host))?))));
        let long =
            folders.filter(|(_, folder)| folder.encode_utf16().count() > FOLDER_CHARACTERS_MAX);
        let told = long.map(|(host, folder)| {
            let message = format!(
                "the folder of host `{host}` has more than {FOLDER_CHARACTERS_MAX} characters, and BizTalk's \
                 procedures cut it: {folder}"
            );
            let hint = "share a folder with a shorter path, or use `engine = \"stopmark\"`";
            warning(Code::BizTalkUnfit, message, hint)
        });
        told.collect()
    }

    fn folder(&self, share: &crate::config::ShareConfig) -> String {
        without_separator(&our_folder(share, &self.cfg.group)).to_owned()
    }

    /// Why every member needs a full before its log, if it does.
    pub(super) fn wants_fulls(&self, ctx: &Ctx<'_>) -> Option<String> {
        // Later rounds mend what the first one met; the history then shows whether fulls are wanted.
        if ctx.asked.round > 1 {
            return None;
        }
        if self.may_write() && self.facts.force_full {
            return Some("BizTalk wants a full (`adm_BackupSettings.ForceFull`)".to_owned());
        }
        if !self.ships() || !self.rules().full_after_partial {
            return None;
        }
        if self.facts.newest_full_set == 0 {
            return Some("BizTalk's backup history has no complete set of fulls".to_owned());
        }
        if self.facts.newest_partial_set > self.facts.newest_full_set {
            let set = self.facts.newest_partial_set;
            return Some(format!(
                "set {set} of BizTalk's backup history is not whole, and log shipping waits for fulls"
            ));
        }
        if let Some(new) = self.newcomer() {
            return Some(format!(
                "`{new}` is new, and log shipping begins anew with fulls of all members"
            ));
        }
        let behind = self.behind(ctx)?;
        Some(format!(
            "BizTalk's backup history does not name the newest backup of `{behind}`"
        ))
    }

    /// A member that has joined the group, or stands with another server.
    fn newcomer(&self) -> Option<&'a MemberName> {
        let mut followed = self.survey.drift.iter().filter(|it| it.is_followed);
        followed.find_map(|drift| match &drift.change {
            Change::Joined => Some(&drift.member),
            Change::Moved { to } => Some(to),
            Change::Left => None,
        })
    }

    /// A member whose newest piece is not the newest row of the history: a destination could not go on.
    fn behind(&self, ctx: &Ctx<'_>) -> Option<&'a MemberName> {
        let members = self.survey.members.iter();
        let mut listed = members.filter(|member| self.facts.row_of(member).is_some());
        listed.find(|member| {
            let pieces = ctx.have.pieces(member);
            // By the order of sets: after a restore, LSNs begin again below those of before.
            let newest = pieces
                .filter(|piece| piece.kind != PieceKind::Differential)
                .last();
            newest.is_some_and(|piece| !self.names(member, piece))
        })
    }

    /// Whether the newest row of a member names this piece: both have the round's stamp in their names.
    fn names(&self, member: &MemberName, piece: &Piece) -> bool {
        let key = piece.stripes.first().map(|stripe| stripe.key.as_str());
        let stamp = key.and_then(stamp_of);
        let rows = self.facts.newest_rows.iter();
        let mut own = rows.filter(|row| {
            let mut listed = self.facts.listed.iter();
            listed.any(|it| {
                it.member.as_ref() == Some(member)
                    && it.server.eq_ignore_ascii_case(&row.server)
                    && it.database.as_str() == row.database
            })
        });
        own.any(|row| stamp.is_some_and(|stamp| row.file.contains(stamp)))
    }

    /// The step that writes down what a round takes; none where nothing would be written.
    pub(super) fn history(&self, bases: &[BackUp], logs: &[BackUp]) -> Option<WriteHistory> {
        if !self.may_write() {
            return None;
        }
        let of = |kind| bases.iter().filter(move |it| it.piece_kind == kind);
        let fulls: Vec<&BackUp> = of(PieceKind::Full).collect();
        let first_logs: Vec<&BackUp> = of(PieceKind::Log).collect();
        let logs: Vec<&BackUp> = logs.iter().collect();
        let has_bridge = of(PieceKind::Differential).next().is_some();
        let fulls_whole = self.holds_all(&fulls);
        let begins_whole = !has_bridge
            && (fulls.is_empty() || fulls_whole)
            && (first_logs.is_empty() || (fulls_whole && self.holds_all(&first_logs)));
        let is_marked = logs.iter().all(|log| log.mark.is_some());
        let logs_whole = begins_whole && is_marked && self.holds_all(&logs);
        let is_answer = self.facts.force_full && fulls_whole;
        let answers = fulls.iter().filter(|_| is_answer);
        let answers: Vec<PieceId> = answers.map(|step| step.piece).collect();
        let sets = [
            self.set(PieceKind::Full, &fulls, fulls_whole),
            self.set(PieceKind::Log, &first_logs, begins_whole && logs_whole),
            self.set(PieceKind::Log, &logs, logs_whole),
        ];
        let sets = sets.into_iter().filter(|_| self.ships());
        let sets: Vec<HistorySet> = sets.flatten().collect();
        (!sets.is_empty() || !answers.is_empty()).then(|| WriteHistory {
            database: self.database.clone(),
            app_lock: BIZTALK_LOCK.to_owned(),
            timeout_ms: u64::try_from(self.cfg.policy.mark_timeout.as_millis()).unwrap_or(u64::MAX),
            sets,
            answers,
        })
    }

    /// Whether every listed database is among these.
    fn holds_all(&self, taken: &[&BackUp]) -> bool {
        let listed = self.facts.listed.iter();
        let mut listed = listed.map(|row| row.member.as_ref());
        listed.all(|member| taken.iter().any(|it| Some(&it.member) == member))
    }

    fn set(&self, kind: PieceKind, taken: &[&BackUp], is_whole: bool) -> Option<HistorySet> {
        let rows: Vec<HistoryRow> = taken.iter().filter_map(|it| self.row(it)).collect();
        (!rows.is_empty()).then(|| HistorySet {
            piece_kind: kind,
            mark: taken.first().and_then(|it| it.mark.clone()),
            is_whole,
            rows,
        })
    }

    fn row(&self, step: &BackUp) -> Option<HistoryRow> {
        let listed = self.facts.row_of(&step.member)?;
        let path = &step.stripes.first()?.sql_path;
        let at = path.rfind(separator_of(path))?;
        Some(HistoryRow {
            piece: step.piece,
            server: listed.server.clone(),
            database: listed.database.clone(),
            folder: path[..at].to_owned(),
            file: path[at + 1..].to_owned(),
        })
    }

    /// The step that lets go of what no destination needs any more.
    pub(super) fn trim(&self) -> TrimHistory {
        let shares = self.cfg.hosts.values();
        let shares = shares.filter_map(|host| host.share.as_ref());
        let minutes = self.rules().keep_for.as_secs() / 60;
        TrimHistory {
            database: self.database.clone(),
            keep_minutes: i32::try_from(minutes).unwrap_or(i32::MAX),
            folders: shares
                .map(|share| ShippedFolder {
                    sql: self.folder(share),
                    agent: share.agent.join(self.cfg.group.as_str()),
                })
                .collect(),
        }
    }

    /// The decoder that must stand still while members are marked; the links lead to their hosts.
    pub(super) fn tracking(
        &self,
        marked: &[MemberName],
        link_to: impl Fn(&MemberName) -> Option<String>,
    ) -> Option<BlockTracking> {
        let mut marked = marked.iter();
        let tracking = marked.find(|member| {
            let facts = self.survey.member(member);
            facts.is_some_and(|facts| facts.mark_log.blocks_tracking)
        })?;
        Some(BlockTracking {
            link: link_to(tracking),
            database: tracking.database.clone(),
        })
    }
}

/// Gives every member a full and a first log that has none planned yet.
pub(super) fn add_fulls(able: &[Able<'_>], why: &str, bases: &mut Vec<Base>) {
    for member in able.iter().filter(|member| member.keeps_log()) {
        let own = |it: &Base| it.member == *member.name;
        let has_full = |it: &Base| own(it) && it.kind == PieceKind::Full;
        if bases.iter().any(has_full) {
            continue;
        }
        bases.retain(|it| !own(it));
        bases.push(base(member.name, PieceKind::Full, why.to_owned()));
        // Every member has the same sets then, so that each set of the history is whole.
        let first = "first log of the new set".to_owned();
        bases.push(Base {
            is_first_log: true,
            ..base(member.name, PieceKind::Log, first)
        });
    }
}

/// What a person should know of a list that has changed.
fn drifted(drift: &Drift) -> Warning {
    let member = &drift.member;
    let (message, approval) = match (&drift.change, drift.is_followed) {
        (Change::Joined, true) => (
            format!(
                "`{member}` is new in BizTalk's list: it gets a full, and the group has it from now on"
            ),
            false,
        ),
        (Change::Joined, false) => (
            format!(
                "`{member}` is new in BizTalk's list, and waits to be approved: no point holds it"
            ),
            true,
        ),
        (Change::Left, true) => (
            format!("`{member}` is in BizTalk's list no more, and left the group"),
            false,
        ),
        (Change::Left, false) => (
            format!(
                "`{member}` is in BizTalk's list no more; it stays a member until that is approved"
            ),
            true,
        ),
        (Change::Moved { to }, true) => (
            format!("`{member}` is `{to}` in BizTalk's list now: its chain begins anew there"),
            false,
        ),
        (Change::Moved { to }, false) => (
            format!(
                "`{member}` is `{to}` in BizTalk's list now, and its old host has it still; it stays a member until \
                 that is approved"
            ),
            true,
        ),
    };
    let hint = if approval {
        "if the list is right, run `stopmark backup log --approve`; else mend the list"
    } else {
        "nothing is to be done if the list is right"
    };
    warning(Code::TopologyDrift, message, hint)
}

/// How BizTalk's own procedure takes a backup, and the file that it writes; none where Stopmark's statements do, and for
/// differentials, which that job does not know.
pub(super) fn by_procedure(
    cfg: &Config,
    host: &HostName,
    base: &Base,
    stamp: &str,
    key: String,
) -> Option<(ByProcedure, StagedStripe)> {
    let word = match base.kind {
        PieceKind::Full => "Full",
        PieceKind::Log => "Log",
        PieceKind::Differential => return None,
    };
    if cfg.discovery.is_none() || cfg.biztalk.engine != Engine::Microsoft {
        return None;
    }
    let share = share_of(cfg.host(host))?;
    let server = host.as_str().replace('\\', "_");
    let server: String = server.chars().take(SERVER_CHARACTERS_MAX).collect();
    let file = format!("{server}_{}_{word}_{stamp}.bak", base.member.database);
    let call = ByProcedure {
        folder: without_separator(&our_folder(share, &cfg.group)).to_owned(),
        sequence: stamp.to_owned(),
    };
    Some((call, staged(share, &cfg.group, &file, key)))
}

fn without_separator(folder: &str) -> &str {
    folder.trim_end_matches(['/', '\\'])
}

/// The stamp in an object's key.
fn stamp_of(key: &str) -> Option<&str> {
    key.rsplit('/').next()?.split('.').next()
}

/// What a plan does beside its backups, for the stages.
pub(super) fn steps(
    known: &Known<'_>,
    bases: &[BackUp],
    logs: &[BackUp],
) -> (Option<Step>, Option<Step>) {
    let history = known.history(bases, logs).map(Step::WriteHistory);
    let trim = known.ships().then(|| Step::TrimHistory(known.trim()));
    (history, trim)
}
