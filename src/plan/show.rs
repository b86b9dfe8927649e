//! A plan as people read it: `--dry-run` prints this. Start at [`show`].
//!
//! Everything that will happen stands here, in order; nothing is summed up.

use std::fmt::{Display, Write as _};
use std::path::PathBuf;

use super::words::{run_word, stage_word};
use super::{
    AdoptPiece, BackUp, CheckDatabase, CopyPiece, Deliver, EnsureEventSession, EnsureLink,
    FileMove, LinkSecurity, OnFailure, PlaceMark, Plan, ProbeMark, ProveCopy, ProveMark,
    ProvenState, Prune, Publish, RecoverDatabase, RestoreDatabase, RestoreLog, RunCheck, Stage,
    Step, StopAt, TrimMarkLog, Warning, WatchLink,
};
use crate::model::{DatabaseName, PieceCopy, PieceKind, StoreName, StoredStripe};

/// The plan as text, one line a step.
#[must_use]
pub fn show(plan: &Plan) -> String {
    let mut text = String::new();
    line(
        &mut text,
        0,
        format!(
            "{} of group `{}`, round {}",
            run_word(plan.kind),
            plan.group,
            plan.round
        ),
    );
    line(
        &mut text,
        0,
        format!(
            "plan {} of {}, from survey {}",
            plan.id, plan.made_at, plan.based_on
        ),
    );
    if plan.stages.is_empty() {
        line(&mut text, 0, "nothing to do");
    }
    for (nth, stage) in plan.stages.iter().enumerate() {
        show_stage(&mut text, nth + 1, stage);
    }
    for warning in &plan.warnings {
        show_warning(&mut text, warning);
    }
    text
}

fn line(text: &mut String, depth: usize, words: impl Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:indent$}{words}", "", indent = depth * 2);
}

fn show_stage(text: &mut String, nth: usize, stage: &Stage) {
    let rule = match stage.on_failure {
        OnFailure::Unwind => "a failure ends the round",
        OnFailure::Skip => "a failure skips its member",
        OnFailure::Halt => "a failure skips its member, and ends the round after the stage",
        OnFailure::Pass => "a failure stops nothing else",
    };
    line(
        text,
        0,
        format!("{nth}. {} ({rule})", stage_word(stage.name)),
    );
    for lane in &stage.lanes {
        line(text, 1, format!("on {}", lane.host));
        for step in &lane.steps {
            show_step(text, step);
        }
    }
}

fn show_warning(text: &mut String, warning: &Warning) {
    line(
        text,
        0,
        format!("warning[{}]: {}", warning.code, warning.message),
    );
    if let Some(hint) = &warning.hint {
        line(text, 1, format!("hint: {hint}"));
    }
}

fn show_step(text: &mut String, step: &Step) {
    line(text, 2, head(step));
    for detail in details(step) {
        line(text, 3, detail);
    }
}

/// The step in one line.
fn head(step: &Step) -> String {
    match step {
        Step::EnsureLink(step) => ensure_words(step),
        Step::RemoveLink(step) => format!("remove linked server `{}`", step.link),
        Step::TestLink(step) => {
            let (link, target) = (&step.link, &step.target);
            format!("test linked server `{link}`: `{target}` must answer")
        }
        Step::PrepareMember(step) => format!("make what marks need in `{}`", step.member),
        Step::RemovePrepared(step) => format!("remove what marks need from `{}`", step.member),
        Step::EnsureEventSession(step) => event_session_words(step),
        Step::RemoveEventSession(step) => format!("drop event session `{}`", step.name),
        Step::BackUp(step) => back_up_words(step),
        Step::PlaceMark(step) => {
            format!("place mark `{}`, at most {} ms", step.mark, step.timeout_ms)
        }
        Step::ConfirmMark(step) => {
            let (mark, count) = (&step.mark, step.members.len());
            format!("confirm mark `{mark}` in the history of {count} members")
        }
        Step::Deliver(step) => deliver_words(step),
        Step::Adopt(step) => adopt_words(step),
        Step::Publish(step) => publish_words(step),
        Step::ClearStaging(step) => format!("remove the files of piece {}", step.piece),
        Step::Fetch(step) => format!("fetch piece {} from the store", step.source.piece),
        Step::LeaveGroup(step) => format!(
            "take database `{}` out of availability group `{}`",
            step.target, step.group
        ),
        Step::RestoreDatabase(step) => restore_words(step),
        Step::RestoreLog(step) => restore_log_words(step),
        Step::RecoverDatabase(step) => recover_words(step),
        Step::ProveMark(step) => prove_words(step),
        Step::PutBack(step) => format!("put back owner, settings and logins of `{}`", step.target),
        Step::CheckDatabase(step) => check_words(step),
        Step::RunCheck(step) => format!("ask `{}`: it must find {}", step.name, step.wanted()),
        Step::DropScratch(step) => format!("remove scratch database `{}`", step.target),
        Step::Certify(step) => format!("certify the drill of mark `{}`", step.mark),
        Step::TrialBackup(_) => {
            "back up `model`, copy-only, to see that the share is one".to_owned()
        }
        Step::RemoveTrial(_) => "remove the trial's file".to_owned(),
        Step::ProbeStore(_) => "create an object twice, to see that none is overwritten".to_owned(),
        Step::RemoveProbe(_) => "remove the probe's object".to_owned(),
        Step::CopyPiece(step) => copy_words(step),
        Step::ProveCopy(step) => prove_copy_words(step),
        Step::MirrorLog(step) => format!("copy the group's log to store `{}`", step.to),
        Step::Prune(step) => prune_words(step),
        Step::RemovePiece(step) => {
            let (kind, member) = (kind_word(step.piece_kind), &step.member);
            format!("remove a {kind} of `{member}` from the store")
        }
        Step::NoteRemoved(_) => "write down what is gone".to_owned(),
        Step::SweepUploads(_) => "give up uploads that nobody goes on with".to_owned(),
        Step::SweepStaging(step) => format!("remove {} files of ours", step.files.len()),
        Step::TrimMarkLog(step) => trim_words(step),
        Step::Release(step) => format!("end the quarantine of `{}`", step.member),
        Step::WriteHistory(step) => step.words(),
        Step::TrimHistory(step) => step.words(),
        Step::ProbeMark(step) => probe_mark_words(step),
        Step::WatchLink(step) => watch_words(step),
        Step::ReadWatch(step) => format!("read event session `{}`", step.name),
    }
}

fn check_words(it: &CheckDatabase) -> String {
    let pages = if it.physical_only { ", pages only" } else { "" };
    format!("look through `{}` with CHECKDB{pages}", it.target)
}

fn trim_words(step: &TrimMarkLog) -> String {
    let (oldest, member) = (&step.oldest, &step.member);
    format!("delete the marks before `{oldest}` from the table of `{member}`")
}

fn watch_words(step: &WatchLink) -> String {
    let (name, program) = (&step.name, &step.program);
    format!("watch connections of `{program}` by event session `{name}`")
}

fn probe_mark_words(step: &ProbeMark) -> String {
    let mark = &step.place.mark;
    let end = if step.commits {
        "commit it"
    } else {
        "roll it back"
    };
    format!("begin mark `{mark}` to try the links, and {end}")
}

fn event_session_words(step: &EnsureEventSession) -> String {
    let verb = if step.exists { "make anew" } else { "make" };
    let name = &step.name;
    format!("{verb} and start event session `{name}`, which hears errors of others")
}

fn prune_words(step: &Prune) -> String {
    let pieces: usize = step.sets.iter().map(|set| set.pieces.len()).sum();
    let marks = step.sets.iter().filter(|set| set.ends_mark).count();
    let keeps = step.keeps.len();
    format!("let go; pieces: {pieces}, marks: {marks}, points kept: {keeps}")
}

fn ensure_words(step: &EnsureLink) -> String {
    let verb = if step.exists { "mend" } else { "make" };
    format!("{verb} linked server `{}`: {}", step.link, step.reason)
}

fn back_up_words(step: &BackUp) -> String {
    let kind = kind_word(step.piece_kind);
    let copy = if step.is_copy_only { ", COPY_ONLY" } else { "" };
    format!(
        "back up the {kind} of `{}`{copy}: {}",
        step.member, step.reason
    )
}

fn deliver_words(step: &Deliver) -> String {
    let proof = match (step.read_back_whole, step.sample_over_bytes) {
        (false, _) => "size compared".to_owned(),
        (true, None) => "read back whole".to_owned(),
        (true, Some(0)) => "read back by sample".to_owned(),
        (true, Some(bytes)) => format!("read back whole up to {} GiB", bytes >> 30),
    };
    format!(
        "deliver the {} of `{}`, {proof}",
        kind_word(step.piece_kind),
        step.member
    )
}

fn adopt_words(step: &AdoptPiece) -> String {
    let (kind, member) = (kind_word(step.piece.kind), &step.piece.member);
    format!("adopt a {kind} of `{member}`: {}", step.reason)
}

fn restore_words(step: &RestoreDatabase) -> String {
    let over = if step.replace {
        ", over what is there"
    } else {
        ""
    };
    let kind = kind_word(step.piece_kind);
    format!(
        "restore the {kind} of `{}` as `{}`{over}",
        step.member, step.target
    )
}

/// What else a person should see before it happens.
fn details(step: &Step) -> Vec<String> {
    match step {
        Step::EnsureLink(step) => link_details(step),
        Step::PrepareMember(step) => step
            .grantees
            .iter()
            .map(|login| format!("login `{login}` may use them"))
            .collect(),
        Step::EnsureEventSession(step) => {
            let numbers: Vec<_> = step.numbers.iter().map(ToString::to_string).collect();
            vec![format!("errors {}", numbers.join(", "))]
        }
        Step::BackUp(step) => {
            let stripes = step.stripes.iter();
            stripes.map(|stripe| stripe.sql_path.clone()).collect()
        }
        Step::PlaceMark(step) => mark_details(step),
        Step::ProbeMark(step) => mark_details(&step.place),
        Step::Adopt(step) => step.origin.places.clone(),
        Step::ClearStaging(step) => path_words(&step.agent_paths),
        Step::Fetch(step) => {
            let stripes = step.source.stripes.iter();
            stripes.map(|stripe| stripe.key.clone()).collect()
        }
        Step::RestoreDatabase(step) => move_words(&step.moves),
        Step::RestoreLog(step) => move_words(&step.moves),
        Step::TrialBackup(step) => vec![step.stripe.sql_path.clone()],
        Step::RunCheck(step) => check_names(step),
        Step::RemoveTrial(step) => vec![step.agent_path.display().to_string()],
        Step::ProbeStore(step) => vec![probe_words(step.store.as_ref(), &step.key)],
        Step::RemoveProbe(step) => vec![probe_words(step.store.as_ref(), &step.key)],
        Step::CopyPiece(step) => keys_of(&step.stripes, &step.to),
        Step::ProveCopy(step) => keys_of(&step.stripes, &step.copy),
        Step::RemovePiece(step) => {
            let stored = step.stored.iter();
            stored.map(|stripe| stripe.key.clone()).collect()
        }
        Step::SweepStaging(step) => path_words(&step.files),
        Step::WriteHistory(step) => step.details(),
        Step::Release(_)
        | Step::WatchLink(_)
        | Step::ReadWatch(_)
        | Step::TrimHistory(_)
        | Step::RemoveLink(_)
        | Step::Prune(_)
        | Step::NoteRemoved(_)
        | Step::SweepUploads(_)
        | Step::TrimMarkLog(_)
        | Step::TestLink(_)
        | Step::RemovePrepared(_)
        | Step::RemoveEventSession(_)
        | Step::ConfirmMark(_)
        | Step::Deliver(_)
        | Step::Publish(_)
        | Step::LeaveGroup(_)
        | Step::RecoverDatabase(_)
        | Step::ProveMark(_)
        | Step::PutBack(_)
        | Step::CheckDatabase(_)
        | Step::DropScratch(_)
        | Step::Certify(_)
        | Step::MirrorLog(_) => Vec::new(),
    }
}

fn path_words(paths: &[PathBuf]) -> Vec<String> {
    let paths = paths.iter();
    paths.map(|path| path.display().to_string()).collect()
}

/// What stands for what in a check.
fn check_names(step: &RunCheck) -> Vec<String> {
    let names = step.names.iter();
    names
        .map(|(name, database)| format!("{{{name}}} is `{database}`"))
        .collect()
}

fn copy_words(step: &CopyPiece) -> String {
    let (kind, member) = (kind_word(step.piece_kind), &step.member);
    format!("copy a {kind} of `{member}` to store `{}`", step.to.store)
}

fn prove_copy_words(step: &ProveCopy) -> String {
    let (kind, member, store) = (kind_word(step.piece_kind), &step.member, &step.copy.store);
    format!("read a {kind} of `{member}` back from store `{store}`")
}

fn probe_words(store: Option<&StoreName>, key: &str) -> String {
    store.map_or_else(|| key.to_owned(), |store| format!("{key} in `{store}`"))
}

fn keys_of(stripes: &[StoredStripe], copy: &PieceCopy) -> Vec<String> {
    stripes.iter().map(|stripe| copy.key(&stripe.key)).collect()
}

const fn kind_word(kind: PieceKind) -> &'static str {
    match kind {
        PieceKind::Full => "full",
        PieceKind::Differential => "differential",
        PieceKind::Log => "log",
    }
}

fn publish_words(step: &Publish) -> String {
    let mark = step
        .mark
        .as_ref()
        .map_or("no mark".to_owned(), |mark| format!("mark `{mark}`"));
    let (pieces, members) = (step.pieces.len(), step.members.len());
    if !step.companions.is_empty() {
        let named = step.companions.len();
        return format!("publish the set: {pieces} pieces of {named} companions, no mark");
    }
    format!("publish the set: {pieces} pieces, {members} members, {mark}")
}

fn restore_log_words(step: &RestoreLog) -> String {
    let end = match (step.recover, &step.standby) {
        (true, _) => ", then open it",
        (false, Some(_)) => ", then let it stand by",
        (false, None) => "",
    };
    let far = match &step.stop {
        StopAt::Mark { mark, .. } => format!("to mark `{mark}` at most"),
        StopAt::End => "to its end".to_owned(),
    };
    let (member, target) = (&step.member, &step.target);
    format!("restore a log of `{member}` as `{target}`, {far}{end}")
}

fn move_words(moves: &[FileMove]) -> Vec<String> {
    let moves = moves.iter();
    moves
        .map(|file| format!("`{}` to {}", file.logical_name, file.physical_name))
        .collect()
}

fn recover_words(it: &RecoverDatabase) -> String {
    let who = if it.lets_in {
        ", and let its users in"
    } else {
        ""
    };
    format!("open `{}`{who}", it.target)
}

fn prove_words(step: &ProveMark) -> String {
    let (target, mark) = (&step.target, &step.mark);
    let state = match step.state {
        ProvenState::Online => "is online",
        ProvenState::Standby => "stands by",
    };
    format!("prove that `{target}` {state} and its newest mark is `{mark}`")
}

fn link_details(step: &EnsureLink) -> Vec<String> {
    let who = match &step.security {
        LinkSecurity::UseSelf => "the agent's own login travels on".to_owned(),
        LinkSecurity::Mapped { remote_login } => {
            format!("the agent's login becomes `{remote_login}`")
        }
    };
    vec![
        format!(
            "{} to {}, {}",
            step.provider, step.data_source, step.provider_string
        ),
        format!(
            "{who}; nobody else may use it; calls end after {} s",
            step.query_timeout_s
        ),
    ]
}

fn mark_details(step: &PlaceMark) -> Vec<String> {
    let names = |databases: &[DatabaseName]| {
        let names: Vec<&str> = databases.iter().map(DatabaseName::as_str).collect();
        names.join("`, `")
    };
    let mut details = vec![format!("here: `{}`", names(&step.local))];
    let legs = step.remote.iter();
    details.extend(legs.map(|leg| format!("through `{}`: `{}`", leg.link, names(&leg.databases))));
    let lock = step.app_lock.as_ref();
    details.extend(lock.map(|(database, lock)| format!("under lock `{lock}` of `{database}`")));
    details
}
