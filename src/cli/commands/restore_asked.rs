//! From the words of `restore plan|run` to what the planner is asked. Start at [`asked`].

use std::collections::BTreeMap;

use super::{Failed, one};
use crate::chain::Point;
use crate::cli::args::RestoreArgs;
use crate::cli::setup::Agent;
use crate::error::{Code, Error, Result as Done};
use crate::model::{DatabaseName, HostName, MemberName, RunId, SurveyId};
use crate::plan::{FolderRule, ProofRule, RestoreAsked, RestoreFiles, RestorePlace, TailRule};
use crate::run::targets::{target, target_facts};
use crate::run::{self, BegunRestore};

/// What goes for the whole run.
pub(super) struct Wanted {
    /// The run.
    pub(super) run: RunId,
    /// Databases that are there may be overwritten.
    pub(super) replace: bool,
    /// An earlier restore is gone on with.
    pub(super) resume: bool,
}

/// The restore that is gone on with, where that is wanted.
pub(super) fn begun(agent: &Agent, wanted: &Wanted) -> Result<Option<BegunRestore>, Failed> {
    if !wanted.resume {
        return Ok(None);
    }
    let begun = run::begun_restore(&agent.world, &agent.config.group).map_err(one)?;
    let begun = begun.ok_or_else(|| {
        one(
            Error::new(Code::CommandLine, "there is no restore to go on with")
                .hint("leave `--resume` out to begin one"),
        )
    });
    begun.map(Some)
}

/// What the planner is asked, with what the target hosts say of themselves.
pub(super) async fn asked(
    agent: &Agent,
    args: &RestoreArgs,
    wanted: &Wanted,
    (point, survey, begun): (&Point, SurveyId, Option<BegunRestore>),
) -> Result<RestoreAsked, Failed> {
    let asked = without_targets(agent, args, wanted, (point, survey, begun))?;
    // A point's members may be on hosts that the file does not know any more; the planner says so.
    let hosts = point
        .paths
        .keys()
        .filter_map(|member| asked.place.of(member));
    let targets = target_facts(&agent.world, &agent.config, hosts).await?;
    Ok(RestoreAsked { targets, ..asked })
}

/// The same, and no host is asked.
pub(super) fn without_targets(
    agent: &Agent,
    args: &RestoreArgs,
    wanted: &Wanted,
    (point, survey, begun): (&Point, SurveyId, Option<BegunRestore>),
) -> Result<RestoreAsked, Failed> {
    let place = place(agent, args).map_err(one)?;
    Ok(RestoreAsked {
        files: files(args).map_err(one)?,
        renames: renames(point, &args.prefix)?,
        only: args.member.clone(),
        accepts_inconsistency: args.accept_inconsistent,
        replace: wanted.replace,
        leaves_groups: args.leave_group,
        tail: if args.no_tail {
            TailRule::GiveUp
        } else {
            TailRule::Take
        },
        proof: if args.no_standby {
            ProofRule::AfterOpening
        } else {
            ProofRule::BeforeOpening
        },
        inspects: args.inspect,
        begun: begun.map(|begun| begun.databases).unwrap_or_default(),
        ..RestoreAsked::to(place, wanted.run, survey)
    })
}

fn place(agent: &Agent, args: &RestoreArgs) -> Done<RestorePlace> {
    if args.in_place {
        return Ok(RestorePlace::OwnHosts);
    }
    if let Some(host) = &args.to_host {
        return target(&agent.config, host).map(RestorePlace::OneHost);
    }
    let mut hosts = BTreeMap::new();
    for rule in &args.map {
        let (from, to) = halves("--map", rule, "OLDHOST=NEWHOST")?;
        let name = |text: &str| {
            text.parse::<HostName>().map_err(|error| {
                Error::new(
                    Code::CommandLine,
                    format!("`{text}` cannot be a host's name"),
                )
                .hint("`--map` takes OLDHOST=NEWHOST")
                .source(error)
            })
        };
        if hosts
            .insert(name(from)?, target(&agent.config, &name(to)?)?)
            .is_some()
        {
            let message = format!("`--map` says twice where the members on `{from}` go");
            return Err(Error::new(Code::CommandLine, message).hint("leave one out"));
        }
    }
    Ok(RestorePlace::Mapped(hosts))
}

fn files(args: &RestoreArgs) -> Done<RestoreFiles> {
    if let Some(folder) = &args.files_in {
        return Ok(RestoreFiles::InFolder(in_full("--files-in", folder)?));
    }
    if args.default_folders {
        return Ok(RestoreFiles::Defaults);
    }
    let mut rules = Vec::new();
    for rule in &args.move_files {
        let (from, to) = halves("--move-files", rule, "OLDFOLDER=NEWFOLDER")?;
        rules.push(FolderRule {
            from: from.to_owned(),
            to: in_full("--move-files", to)?,
        });
    }
    Ok(if rules.is_empty() {
        RestoreFiles::AsTheyWere
    } else {
        RestoreFiles::Moved(rules)
    })
}

/// A folder as the target host names it. SQL Server would look for any other below a folder of its own, and say so only
/// when the first piece is on its way.
fn in_full(option: &str, folder: &str) -> Done<String> {
    let has_drive = folder.as_bytes().get(1) == Some(&b':');
    if has_drive || folder.starts_with(['/', '\\']) {
        return Ok(folder.to_owned());
    }
    let message = format!("`{option}` names the folder `{folder}`, and not from where");
    Err(Error::new(Code::CommandLine, message).hint(
        "write it in full, as the target host names it: `D:\\Data`, or `/var/opt/mssql/data` on Linux",
    ))
}

fn halves<'a>(option: &str, rule: &'a str, form: &str) -> Done<(&'a str, &'a str)> {
    let halves = rule.split_once('=');
    let halves = halves.filter(|(from, to)| !from.is_empty() && !to.is_empty());
    halves.ok_or_else(|| {
        let message = format!("`{option} {rule}` is not understood");
        Error::new(Code::CommandLine, message).hint(format!("`{option}` takes {form}"))
    })
}

fn renames(point: &Point, prefix: &str) -> Result<BTreeMap<MemberName, DatabaseName>, Failed> {
    if prefix.is_empty() {
        return Ok(BTreeMap::new());
    }
    let named = point.paths.keys().map(|member| {
        let name = format!("{prefix}{}", member.database).parse();
        name.map(|name| (member.clone(), name))
    });
    named.collect::<Result<_, _>>().map_err(|error| {
        one(Error::new(
            Code::CommandLine,
            "`--prefix` makes a name that SQL Server cannot hold",
        )
        .source(error))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_in_full() {
        for folder in [r"D:\Data", "/var/opt/mssql/data", r"\\nas\data"] {
            assert_eq!(in_full("--files-in", folder).expect("in full"), folder);
        }
        for folder in ["data", r"restored\data", ""] {
            let error = in_full("--files-in", folder).expect_err("from where?");
            assert_eq!(error.code(), Code::CommandLine, "{folder}");
        }
    }
}
