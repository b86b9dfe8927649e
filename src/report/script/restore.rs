//! The T-SQL script of one host. Start at [`text`].
//!
//! Comments are for a tired person at three in the morning: what to do, what to expect, what it means when it does
//! not come. The T-SQL itself is made in `sql::script`.

use std::fmt::Write as _;

use super::{HostPaper, PaperFacts, commented, members_of};
use crate::model::{MemberName, PieceKind};
use crate::plan::{RestorePiece, Step};
use crate::report::bytes::{counted, size};
use crate::sql::{Batch, script};

/// The whole script, batches apart by `GO`.
pub(super) fn text(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> String {
    let mut text = head(facts, host);
    batch(&mut text, &script::begin_sql());
    for (nth, member) in members_of(host).into_iter().enumerate() {
        text.push_str(&member_part(facts, host, nth + 1, member));
    }
    let proof = "-------------------------------------------------------------------------------\n\
                 THE PROOF. Every member must be open and stand at this mark:\n";
    text.push_str(&commented("--", &format!("{proof}{}", facts.mark.name)));
    for proof in &host.proofs {
        batch(&mut text, &script::proof_sql(proof));
    }
    text.push_str(&put_back_part(host));
    batch(&mut text, &script::end_sql(&facts.mark.name));
    text
}

/// What proven members had on their hosts beside their data, as far as a manifest says so.
fn put_back_part(host: &HostPaper<'_>) -> String {
    let steps = host.put_backs.iter();
    let statements: Vec<Batch> = steps.flat_map(|step| script::put_back_sql(step)).collect();
    if statements.is_empty() {
        return String::new();
    }
    let words = "-------------------------------------------------------------------------------\n\
                 WHAT THE MEMBERS HAD BESIDE THEIR DATA: owner, switches that a restore leaves off, logins of users.\n\
                 Only members that stand at the mark get it back. Errors here do not concern the data.\n";
    let mut text = commented("--", words);
    for statement in &statements {
        batch(&mut text, statement);
    }
    text
}

fn batch(text: &mut String, batch: &Batch) {
    let statements = script::unterminated(&batch.text);
    writeln!(text, "{statements};\nGO").expect("a string takes everything");
}

fn head(facts: &PaperFacts<'_>, host: &HostPaper<'_>) -> String {
    let (group, name, mark) = (&facts.plan.group, host.host, &facts.mark.name);
    let members = counted(host.proofs.len(), "database");
    let (file, fetch) = (host.script_name(), host.fetch_name());
    let words = format!(
        "Restores {members} of group {group} on host {name}, to mark\n\
         {mark} (placed {placed}).\n\
         Made by Stopmark {version} on {made}. Nothing of Stopmark is needed to run it.\n\
         \n\
         BEFORE\n\
         1. The backup files must lie where this host reads them; they are listed below.\n   \
         `{fetch}` brings them from the store and checks every byte. See RUNBOOK.md.\n\
         2. The databases must not exist here yet. One that does is left as it is.\n\
         \n\
         RUN IT (-x: names are no variables; -f 65001: the file is UTF-8)\n   \
         sqlcmd -S {name} -d master -E -x -f 65001 -i {file}\n\
         Any other client will do that knows lines of GO and stays on one connection.\n\
         \n\
         AFTER\n\
         The last line must say EVERY MEMBER ON THIS HOST STANDS AT MARK. Anything else means: nobody may\n\
         use these databases yet. Mend what the first error says (space, a folder, a file) and run the\n\
         script again: what stands at the mark stays, what was restored in part begins anew.\n\
         A database that stays in state RESTORING has met the end of its log without the mark: do NOT run\n\
         RESTORE DATABASE .. WITH RECOVERY on it; that opens it past the mark, and the group is torn.\n",
        placed = facts.mark.placed_at,
        version = env!("CARGO_PKG_VERSION"),
        made = facts.made_at(),
    );
    commented("--", &words) + "\n"
}

fn member_part(
    facts: &PaperFacts<'_>,
    host: &HostPaper<'_>,
    nth: usize,
    member: &MemberName,
) -> String {
    let steps: Vec<&Step> = host
        .restores
        .iter()
        .filter(|step| step.member() == Some(member))
        .copied()
        .collect();
    let target = host.proofs.iter().find(|proof| proof.member == *member);
    let target = target.map_or(member.database.as_str(), |proof| proof.target.as_str());
    let pieces = counted(steps.len(), "piece");
    let mut text = commented(
        "--",
        &format!(
            "-------------------------------------------------------------------------------\n\
             {nth} of {}: {member}, as database {target}, from {pieces}",
            host.proofs.len()
        ),
    );
    for (at, step) in steps.iter().enumerate() {
        text.push_str(&step_part(facts, step, (at + 1, steps.len())));
    }
    text
}

fn step_part(facts: &PaperFacts<'_>, step: &Step, (nth, of): (usize, usize)) -> String {
    let mut text = String::new();
    match step {
        Step::RestoreDatabase(step) => {
            let words = words(facts, &step.source, (nth, of));
            text.push_str(&files(facts, &step.source, &words));
            // What may be overwritten was said when the plan was made.
            if step.piece_kind == PieceKind::Full && !step.replace {
                batch(&mut text, &script::absent_sql(&step.member, &step.target));
            }
            batch(&mut text, &script::restore_database_sql(step, &words));
        }
        Step::RestoreLog(step) => {
            let words = words(facts, &step.source, (nth, of));
            text.push_str(&files(facts, &step.source, &words));
            batch(&mut text, &script::restore_log_sql(step, &words));
        }
        _ => {}
    }
    text
}

fn words(facts: &PaperFacts<'_>, source: &RestorePiece, (nth, of): (usize, usize)) -> String {
    format!("{nth} of {of}, {}", facts.piece_words(source.piece))
}

/// What a step reads, and how to see that it is the right file.
fn files(facts: &PaperFacts<'_>, source: &RestorePiece, words: &str) -> String {
    let mut lines = vec![words.to_owned()];
    let piece = facts.piece(source.piece);
    for (at, stripe) in source.stripes.iter().enumerate() {
        let stored = piece.and_then(|piece| piece.stripes.get(at));
        let about = stored.map_or_else(String::new, |stored| {
            let plain = stored.plain();
            let digest = plain.sha256.map_or_else(
                || format!("root {}", plain.root),
                |digest| format!("sha256 {digest}"),
            );
            format!(", {}, {digest}", size(plain.size_bytes))
        });
        lines.push(format!("  file {}{about}", stripe.sql_path));
    }
    if let Some(piece) = piece {
        let (first, last) = (piece.first_lsn, piece.last_lsn);
        let header = script::header_sql(source).text;
        lines.push(format!("  is it the right one? {header}"));
        lines.push(format!("  must show FirstLSN {first}, LastLSN {last}"));
    }
    commented("--", &lines.join("\n"))
}
