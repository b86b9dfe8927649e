//! Each member's way back, with everything looked up. Start at [`ways`].

use super::asked::{ProofRule, RestoreAsked, RestorePlace};
use super::no_share;
use crate::chain::{Path, Point};
use crate::config::{Config, ShareConfig};
use crate::error::{Code, Error};
use crate::model::{DatabaseName, DatabaseSettings, HostName, Lsn, MemberName, Piece, PieceId};
use crate::plan::asked::CatalogView;
use crate::plan::keys::share_of;
use crate::survey::{TargetDatabase, TargetFacts, TargetState};

/// One member's way back.
pub(super) struct Way<'a> {
    pub(super) member: &'a MemberName,
    /// The host that it goes to, as the configuration spells it.
    pub(super) host: HostName,
    pub(super) share: &'a ShareConfig,
    pub(super) facts: &'a TargetFacts,
    pub(super) target: DatabaseName,
    /// What the host has under that name.
    pub(super) there: Option<&'a TargetDatabase>,
    /// In the order of restoring; the last is the log that carries the mark.
    pub(super) pieces: Vec<&'a Piece>,
    pub(super) mark_lsn: Lsn,
    /// What the member had on its host beside its data, where a manifest says so.
    pub(super) settings: Option<&'a DatabaseSettings>,
    /// How far an earlier restore came.
    pub(super) stands: Stands,
    /// The mark is proven before the database is opened.
    pub(super) is_proven_shut: bool,
}

/// How far a member is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// So many of its pieces are restored; nothing of an earlier restore can be used where there are none.
    After(usize),
    /// It stands by at the mark.
    AtMark,
    /// It was opened at the mark.
    Open,
}

impl Way<'_> {
    /// The pieces that are still to be restored, each with its place on the way.
    pub(super) fn rest(&self) -> impl Iterator<Item = (usize, &Piece)> {
        let from = match self.stands {
            Stands::After(count) => count,
            Stands::AtMark | Stands::Open => self.pieces.len(),
        };
        let pieces = self.pieces.iter().copied().enumerate();
        pieces.skip(from)
    }

    /// Whether the database that is there is the member itself, in use on its own host.
    pub(super) fn is_over_itself(&self) -> bool {
        let letters = |name: &DatabaseName| name.as_str().to_lowercase();
        self.there.is_some()
            && self.host.is_same_host(&self.member.host)
            && letters(&self.target) == letters(&self.member.database)
    }

    /// The newest piece that tells of the database's files.
    pub(super) fn newest_with_files(&self) -> Option<&Piece> {
        let mut pieces = self.pieces.iter().rev().copied();
        pieces.find(|piece| !piece.files.is_empty())
    }
}

/// The way of every member that is wanted; everything that cannot be looked up, at once.
pub(super) fn ways<'a>(
    cfg: &'a Config,
    have: &'a CatalogView,
    point: &'a Point,
    asked: &'a RestoreAsked,
) -> Result<Vec<Way<'a>>, Vec<Error>> {
    let mut errors: Vec<Error> = unknown_members(point, asked).collect();
    errors.extend(unknown_hosts(point, &asked.place));
    let mut ways = Vec::new();
    for (member, path) in wanted(point, asked) {
        match way(cfg, have, point, asked, (member, path)) {
            Ok(way) => ways.push(way),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(ways)
    } else {
        errors.dedup_by_key(|error| error.to_string());
        Err(errors)
    }
}

fn wanted<'a>(
    point: &'a Point,
    asked: &'a RestoreAsked,
) -> impl Iterator<Item = (&'a MemberName, &'a Path)> {
    let is_wanted = |member: &MemberName| asked.only.is_empty() || asked.only.contains(member);
    let paths = point.paths.iter();
    paths.filter(move |(member, _)| is_wanted(member))
}

fn unknown_members<'a>(
    point: &'a Point,
    asked: &'a RestoreAsked,
) -> impl Iterator<Item = Error> + 'a {
    let unknown = asked
        .only
        .iter()
        .filter(|member| !point.paths.contains_key(*member));
    unknown.map(|member| {
        let message = format!("point `{}` has no member `{member}`", point.mark.name);
        Error::new(Code::PointUnknown, message).hint("`stopmark show` lists the members of a point")
    })
}

/// A mapping of a host that no member was on is a slip of the pen.
fn unknown_hosts(point: &Point, place: &RestorePlace) -> Vec<Error> {
    let RestorePlace::Mapped(hosts) = place else {
        return Vec::new();
    };
    let is_known = |host: &HostName| point.paths.keys().any(|it| it.host.is_same_host(host));
    let unknown = hosts.keys().filter(|host| !is_known(host));
    let errors = unknown.map(|host| {
        Error::new(
            Code::CommandLine,
            format!("no member of the point was on host `{host}`"),
        )
        .hint("`--map OLD=NEW` takes the host that the members were on first")
    });
    errors.collect()
}

fn way<'a>(
    cfg: &'a Config,
    have: &'a CatalogView,
    point: &'a Point,
    asked: &'a RestoreAsked,
    (member, path): (&'a MemberName, &Path),
) -> Result<Way<'a>, Error> {
    let (host, share, facts) = place_of(cfg, asked, member)?;
    let lost = |what: &str| lost(point, member, what);
    let find = |id: PieceId| have.piece(id).ok_or_else(|| lost("a piece"));
    let pieces: Vec<&Piece> = path.pieces().map(find).collect::<Result<_, _>>()?;
    let placed = point.mark.members.iter().find(|it| it.member == *member);
    let target = asked.renames.get(member).unwrap_or(&member.database);
    let there = facts.database(target);
    let mut way = Way {
        member,
        host,
        share,
        facts,
        target: target.clone(),
        there,
        is_proven_shut: asked.proof == ProofRule::BeforeOpening
            && is_of_one_version(&pieces, facts),
        pieces,
        mark_lsn: placed.ok_or_else(|| lost("the mark"))?.lsn,
        settings: have.settings(member),
        stands: Stands::After(0),
    };
    way.stands = stands(&way, point, asked);
    Ok(way)
}

fn lost(point: &Point, member: &MemberName, what: &str) -> Error {
    Error::new(
        Code::PointUnknown,
        format!("the catalog does not hold {what} of a point"),
    )
    .at("member", member)
    .at("point", &point.mark.name)
    .hint("run `stopmark catalog rebuild`")
}

/// The target host as the configuration spells it, its share, and what is known of it.
fn place_of<'a>(
    cfg: &'a Config,
    asked: &'a RestoreAsked,
    member: &MemberName,
) -> Result<(HostName, &'a ShareConfig, &'a TargetFacts), Error> {
    let host = asked.place.of(member).ok_or_else(|| {
        Error::new(
            Code::CommandLine,
            format!("nobody says where the members on host `{}` go", member.host),
        )
        .hint(format!("add `--map '{}=HOST'`", member.host))
    })?;
    let known = cfg.host(host).ok_or_else(|| no_share(host))?;
    let share = share_of(Some(known)).ok_or_else(|| no_share(host))?;
    let mut facts = asked.targets.iter();
    let facts = facts.find(|(name, _)| name.is_same_host(host));
    let (_, facts) = facts.ok_or_else(|| {
        Error::new(Code::TargetUnfit, "nothing is known of a target host")
            .at("host", host)
            .hint("`stopmark check` says whether it answers")
    })?;
    Ok((known.name.clone(), share, facts))
}

/// A database of an older version would be upgraded by recovery, and cannot stand by (3180). Within a major version
/// all builds have one format.
fn is_of_one_version(pieces: &[&Piece], facts: &TargetFacts) -> bool {
    let target = major(&facts.version);
    let mut sources = pieces.iter().map(|piece| major(&piece.server_version));
    target.is_some() && sources.all(|source| source == target)
}

/// An Express edition, of which there are several.
pub(super) fn is_express(facts: &TargetFacts) -> bool {
    facts.edition.starts_with("Express")
}

/// The release of a version, `16.0` of `16.0.1000.6`; none for what is no version.
pub(super) fn major(version: &str) -> Option<(u16, u16)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// How far an earlier restore to this point came, if one is gone on with. Only what the host itself says counts:
/// the newest piece that went into the database, and that all of it did.
fn stands(way: &Way<'_>, point: &Point, asked: &RestoreAsked) -> Stands {
    let anew = Stands::After(0);
    let (Some(there), true) = (way.there, is_begun(way, asked)) else {
        return anew;
    };
    let Some(restored) = &there.restored else {
        return anew;
    };
    let is_it = |piece: &&Piece| restored.piece == Some(piece.id);
    let Some(at) = way.pieces.iter().position(is_it) else {
        return anew;
    };
    let is_last = at + 1 == way.pieces.len();
    let stops = restored.stop_at_mark.as_deref() == Some(point.mark.name.as_str());
    match there.state {
        TargetState::Restoring if !is_last && there.is_rolled_through(restored.last_lsn) => {
            Stands::After(at + 1)
        }
        TargetState::Standby if is_last && stops && way.is_proven_shut => Stands::AtMark,
        TargetState::Online if is_last && stops => Stands::Open,
        _ => anew,
    }
}

/// Whether an earlier restore to this point began to restore this database.
pub(super) fn is_begun(way: &Way<'_>, asked: &RestoreAsked) -> bool {
    let is_it = |(host, name): &(HostName, DatabaseName)| {
        host.is_same_host(&way.host)
            && name.as_str().to_lowercase() == way.target.as_str().to_lowercase()
    };
    asked.begun.iter().any(is_it)
}
