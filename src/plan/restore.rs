//! Plans that bring members back to a mark. Start at [`plan_restore`].
//!
//! For each member: the newest full that ends before the mark, a differential where one helps, then logs; the
//! last log recovers, since only then a missing mark leaves the database RESTORING and is seen. A database
//! is never recovered by itself: that would open it at the end of the log, past the mark.

use std::collections::BTreeMap;

use super::asked::{CatalogView, Names, RestoreAsked};
use super::keys::{separator_of, share_of, slug, staged};
use super::restore_step::{
    Fetch, FileMove, ProveMark, RestoreDatabase, RestoreLog, RestorePiece, StopAt,
};
use super::retry::RetryRule;
use super::stages::Stages;
use super::step::{ClearStaging, StagedStripe};
use super::{OnFailure, PLAN_FORMAT, Plan, RunKind, StageName, Step, Warning};
use crate::chain::{Break, Path, Point};
use crate::config::{Config, ShareConfig};
use crate::error::{Code, Error, Result};
use crate::model::{DatabaseName, HostName, Lsn, MemberName, Piece, PieceId, PlanId, Timestamp};

/// One member's way back, with everything looked up.
struct Way<'a> {
    member: &'a MemberName,
    target: DatabaseName,
    /// In the order of restoring; the last is the log that carries the mark.
    pieces: Vec<&'a Piece>,
    mark_lsn: Lsn,
}

/// The plan that restores a point's members, or some of them, on one host.
///
/// # Errors
/// `SM0603` when a piece of the point is not in the catalog or a member is not in the point, `SM0803` when a
/// database would be overwritten or two would share a name or a file, `SM0103` when the host has no share.
pub fn plan_restore(
    cfg: &Config,
    have: &CatalogView,
    point: &Point,
    asked: &RestoreAsked,
    names: &mut dyn Names,
    now: Timestamp,
) -> Result<Plan> {
    let share = share_of(cfg.host(&asked.host)).ok_or_else(|| no_share(&asked.host))?;
    let ways = ways(have, point, asked)?;
    check_targets(asked, &ways)?;
    let mut places = Places {
        cfg,
        share,
        asked,
        files: BTreeMap::new(),
    };
    let mut stages = Stages::default();
    let on_target = |steps: Vec<Step>| steps.into_iter().map(|step| (asked.host.clone(), step));
    let (mut fetch, mut restore, mut prove, mut clear) = (vec![], vec![], vec![], vec![]);
    for way in &ways {
        fetch.extend(way.pieces.iter().map(|piece| places.fetch(piece)));
        restore.extend(places.restore(way, point)?);
        prove.push(prove_mark(cfg, way, point));
        clear.extend(way.pieces.iter().map(|piece| places.clear(piece)));
    }
    // A group that cannot be fetched whole is not restored in part.
    stages.add(StageName::Fetch, OnFailure::Unwind, on_target(fetch));
    stages.add(StageName::Restore, OnFailure::Skip, on_target(restore));
    stages.add(StageName::Prove, OnFailure::Skip, on_target(prove));
    stages.add(StageName::Clear, OnFailure::Skip, on_target(clear));
    Ok(Plan {
        format: PLAN_FORMAT,
        id: PlanId(names.next()),
        group: cfg.group.clone(),
        kind: RunKind::Restore,
        round: 1,
        based_on: asked.based_on,
        made_at: now,
        stages: stages.into_vec(),
        warnings: point.lacking.iter().map(lacking).collect(),
    })
}

/// A member of best effort that the point is without.
fn lacking((member, reason): &(MemberName, Break)) -> Warning {
    Warning {
        code: Code::ChainBroken.text().to_owned(),
        message: format!("the point is without member `{member}`: {reason}"),
        hint: Some("`stopmark list` shows whether another point has it".to_owned()),
    }
}

fn no_share(host: &HostName) -> Error {
    Error::new(
        Code::ConfigValue,
        "the restore's host has no share in the configuration",
    )
    .at("host", host)
    .hint("add the host under `[hosts]` with `share = { sql = \"..\", agent = \"..\" }`")
}

fn ways<'a>(have: &'a CatalogView, point: &'a Point, asked: &RestoreAsked) -> Result<Vec<Way<'a>>> {
    if let Some(unknown) = asked
        .only
        .iter()
        .find(|member| !point.paths.contains_key(*member))
    {
        let message = format!("point `{}` has no member `{unknown}`", point.mark.name);
        return Err(Error::new(Code::PointUnknown, message)
            .hint("`stopmark show` lists the members of a point"));
    }
    let wanted = |member: &MemberName| asked.only.is_empty() || asked.only.contains(member);
    let paths = point.paths.iter().filter(|(member, _)| wanted(member));
    paths
        .map(|(member, path)| way(have, point, asked, member, path))
        .collect()
}

fn way<'a>(
    have: &'a CatalogView,
    point: &'a Point,
    asked: &RestoreAsked,
    member: &'a MemberName,
    path: &Path,
) -> Result<Way<'a>> {
    let placed = point
        .mark
        .members
        .iter()
        .find(|placed| placed.member == *member);
    let lost = |what: &str| {
        Error::new(
            Code::PointUnknown,
            format!("the catalog does not hold {what} of a point"),
        )
        .at("member", member)
        .at("point", &point.mark.name)
        .hint("run `stopmark catalog rebuild`")
    };
    let find = |id: PieceId| have.piece(id).ok_or_else(|| lost("a piece"));
    Ok(Way {
        member,
        target: asked
            .renames
            .get(member)
            .unwrap_or(&member.database)
            .clone(),
        pieces: path.pieces().map(find).collect::<Result<_>>()?,
        mark_lsn: placed.ok_or_else(|| lost("the mark"))?.lsn,
    })
}

/// No database may be overwritten unless asked, and no two members may become one.
fn check_targets(asked: &RestoreAsked, ways: &[Way<'_>]) -> Result<()> {
    let mut seen: BTreeMap<String, &MemberName> = BTreeMap::new();
    for way in ways {
        let (target, member) = (&way.target, way.member);
        let key = target.as_str().to_lowercase();
        if let Some(other) = seen.insert(key.clone(), member) {
            let message = format!("`{other}` and `{member}` would both become database `{target}`");
            return Err(Error::new(Code::TargetExists, message)
                .at("host", &asked.host)
                .hint("restore one of them by hand under another name: `stopmark restore plan` has the T-SQL"));
        }
        let exists = asked
            .existing
            .iter()
            .any(|name| name.as_str().to_lowercase() == key);
        if exists && !asked.replace {
            let message = format!("database `{target}` exists and would be overwritten");
            return Err(Error::new(Code::TargetExists, message)
                .at("host", &asked.host)
                .at("member", member)
                .hint(
                    "restore under other names with `--prefix`, or say `--yes-overwrite` with the group's name",
                ));
        }
    }
    Ok(())
}

fn prove_mark(cfg: &Config, way: &Way<'_>, point: &Point) -> Step {
    Step::ProveMark(ProveMark {
        member: way.member.clone(),
        target: way.target.clone(),
        mark: point.mark.name.clone(),
        mark_log: cfg.mark_log,
    })
}

/// Where everything goes on the target host.
struct Places<'a> {
    cfg: &'a Config,
    share: &'a ShareConfig,
    asked: &'a RestoreAsked,
    /// Database files given out so far, with their member; two may not share one.
    files: BTreeMap<String, MemberName>,
}

impl Places<'_> {
    fn staged(&self, piece: &Piece) -> RestorePiece {
        let count = piece.stripes.len();
        let stripe = |(nth, stored): (usize, &crate::model::StoredStripe)| -> StagedStripe {
            let file = format!("restore_{}_{}of{count}.bak", piece.id, nth + 1);
            staged(self.share, &self.cfg.group, &file, stored.key.clone())
        };
        RestorePiece {
            piece: piece.id,
            stripes: piece.stripes.iter().enumerate().map(stripe).collect(),
        }
    }

    fn fetch(&self, piece: &Piece) -> Step {
        Step::Fetch(Fetch {
            source: self.staged(piece),
            stored: piece.stripes.clone(),
        })
    }

    fn clear(&self, piece: &Piece) -> Step {
        let stripes = self.staged(piece).stripes.into_iter();
        Step::ClearStaging(ClearStaging {
            piece: piece.id,
            agent_paths: stripes.map(|stripe| stripe.agent_path).collect(),
        })
    }

    fn restore(&mut self, way: &Way<'_>, point: &Point) -> Result<Vec<Step>> {
        let Some((last, before)) = way.pieces.split_last() else {
            return Ok(Vec::new());
        };
        let mut steps = Vec::with_capacity(way.pieces.len());
        for piece in before {
            steps.push(match piece.kind {
                crate::model::PieceKind::Log => self.log(way, point, piece, false),
                _ => self.database(way, piece)?,
            });
        }
        steps.push(self.log(way, point, last, true));
        Ok(steps)
    }

    fn log(&self, way: &Way<'_>, point: &Point, piece: &Piece, recover: bool) -> Step {
        Step::RestoreLog(RestoreLog {
            member: way.member.clone(),
            target: way.target.clone(),
            source: self.staged(piece),
            stop: StopAt::Mark {
                mark: point.mark.name.clone(),
                lsn: way.mark_lsn,
            },
            recover,
            retry: Some(RetryRule::of(&self.cfg.policy)),
        })
    }

    fn database(&mut self, way: &Way<'_>, piece: &Piece) -> Result<Step> {
        Ok(Step::RestoreDatabase(RestoreDatabase {
            member: way.member.clone(),
            target: way.target.clone(),
            source: self.staged(piece),
            piece_kind: piece.kind,
            moves: self.moves(way, piece)?,
            replace: self.asked.replace && piece.kind == crate::model::PieceKind::Full,
            retry: Some(RetryRule::of(&self.cfg.policy)),
        }))
    }

    /// A place for every file: in the folder that was asked for, under a name of the target's own, else where
    /// it was.
    fn moves(&mut self, way: &Way<'_>, piece: &Piece) -> Result<Vec<FileMove>> {
        let mut moves = Vec::with_capacity(piece.files.len());
        for (nth, file) in piece.files.iter().enumerate() {
            let physical_name = match &self.asked.data_folder {
                Some(folder) => in_folder(folder, &way.target, nth, &file.physical_name),
                None => file.physical_name.clone(),
            };
            let key = physical_name.to_lowercase();
            let holder = self.files.entry(key).or_insert_with(|| way.member.clone());
            if holder != way.member {
                let message = format!("`{holder}` and `{}` would share a file", way.member);
                return Err(Error::new(Code::TargetExists, message)
                    .at("file", physical_name)
                    .hint("give a folder for the files with `--files-in`"));
            }
            moves.push(FileMove {
                logical_name: file.logical_name.clone(),
                physical_name,
            });
        }
        Ok(moves)
    }
}

fn in_folder(folder: &str, target: &DatabaseName, nth: usize, was: &str) -> String {
    let separator = separator_of(folder);
    let root = folder.trim_end_matches(['/', '\\']);
    let file = was.rsplit(['/', '\\']).next().unwrap_or(was);
    let plain =
        |end: &&str| (1..=8).contains(&end.len()) && end.chars().all(|c| c.is_ascii_alphanumeric());
    let end = file
        .rsplit_once('.')
        .map(|(_, end)| end)
        .filter(plain)
        .unwrap_or("dat");
    format!(
        "{root}{separator}{}_{}.{end}",
        slug(target.as_str()),
        nth + 1
    )
}
