//! Bringing in backups that are in no piece, somebody else's or our own, as a round of the run that met them.
//!
//! Start at [`bring_in`]. Only where the files are whole and beyond doubt; else the run cures the chain in another
//! way, and says why.

use uuid::Uuid;

use super::{Offered, sorted_out, unread};
use crate::config::Config;
use crate::error::{Code, Result};
use crate::media::{Gathered, Source, gather};
use crate::model::RunId;
use crate::plan::{
    AdoptAsked, Astray, Becomes, CatalogView, Found, Judged, Offer, Warning, plan_adopt,
};
use crate::run::book::Book;
use crate::run::conduct::refuse_unsound;
use crate::run::executor::carry_out_plan;
use crate::run::{Interrupt, PlanNames};
use crate::survey::Survey;
use crate::world::World;

/// How large a medium with several backups may be that is brought in without a word from a person.
const AMONG_OTHERS_MAX_BYTES: u64 = 1 << 30;

const OVERWRITTEN_HINT: &str = "see who cleans up there or writes over it";

/// Adopts these backups where this machine can read them; whether any were. Examining them is a read, and what cannot be
/// brought in is told in `warnings` with the reason: the marks inside it are lost to another cure.
pub(in crate::run) async fn bring_in(
    world: &World,
    config: &Config,
    (run, book): (RunId, &Book),
    (survey, have): (&Survey, &CatalogView),
    astray: &[Astray],
    warnings: &mut Vec<Warning>,
    interrupt: &Interrupt,
) -> Result<bool> {
    if astray.is_empty() {
        return Ok(false);
    }
    let found = examined(world, astray).await;
    let asked = AdoptAsked {
        run,
        offers: found.offers,
        others: found.others,
        mapped: Vec::new(),
    };
    let mut names = PlanNames(world.ids.as_ref());
    let now = world.clock.now();
    let mut adoption = plan_adopt(config, survey, have, &asked, &mut names, now);
    if adoption.plan.stages.is_empty() {
        // Nothing comes of it, so what was judged is told by the plan that cures the chain in another way.
        warnings.append(&mut adoption.plan.warnings);
        return Ok(false);
    }
    let brought = astray
        .iter()
        .filter(|it| is_brought(it, &adoption.judged))
        .map(Astray::warning);
    adoption.plan.warnings.extend(brought);
    refuse_unsound(&adoption.plan)?;
    carry_out_plan(world, book, &adoption.plan, interrupt).await?;
    Ok(true)
}

/// Whether any of these backups is adopted.
fn is_brought(astray: &Astray, judged: &[Judged]) -> bool {
    judged.iter().any(|it| {
        let guid = it.piece.as_ref().map(|piece| piece.backup_set_guid);
        let is_adopted = matches!(it.becomes, Becomes::Adopted { .. });
        is_adopted && guid.is_some_and(|guid| astray.backups.contains(&guid))
    })
}

/// What the files are, side by side, since one backup may lie in several. One that is gone or cannot be read is no
/// error: there are other cures.
async fn examined(world: &World, astray: &[Astray]) -> Offered {
    let (mut all, mut gone) = (Gathered::default(), Vec::new());
    for place in astray.iter().flat_map(|it| &it.places) {
        let sources = [Source::Path(place.clone())];
        match gather(&sources, mtf::Level::Content, world.progress.as_ref()).await {
            Ok(found) => {
                all.examined.extend(found.examined);
                all.passed_over.extend(found.passed_over);
                all.faults.extend(found.faults);
            }
            Err(error) => gone.push(Found {
                places: vec![place.display().to_string()],
                ..unread(&error)
            }),
        }
    }
    let found = sorted_out(&all);
    // A medium may hold many, and each that is adopted is stored with all of its medium.
    let is_astray = |offer: &Offer| {
        let mut backups = astray.iter().flat_map(|it| &it.backups);
        backups.any(|guid| *guid == offer.piece.backup_set_guid)
    };
    let offers = found.offers.into_iter().filter(is_astray);
    let (large, offers): (Vec<Offer>, Vec<Offer>) = offers.partition(is_too_much);
    let mut others: Vec<Found> = found.others.into_iter().map(told).chain(gone).collect();
    others.extend(large.into_iter().map(left_alone));
    let elsewhere = astray.iter().filter_map(|it| missed(it, &offers, &others));
    let elsewhere: Vec<Found> = elsewhere.collect();
    others.extend(elsewhere);
    Offered { offers, others }
}

/// Whether the medium would be stored anew for every log that somebody appends to it, though it has grown large.
fn is_too_much(offer: &Offer) -> bool {
    offer.is_among_others && offer.piece.size_bytes() > AMONG_OTHERS_MAX_BYTES
}

fn left_alone(offer: Offer) -> Found {
    let place = offer.places.first().map_or("FILE", String::as_str);
    let hint = format!(
        "let the other job write a file for each backup; `stopmark adopt '{place}'` brings in what is wanted for its marks"
    );
    Found {
        becomes: Becomes::Refused {
            code: Code::MediaUnfit,
            message: format!(
                "it lies among others on a medium of {} bytes, which would be stored whole for it",
                offer.piece.size_bytes()
            ),
            hint,
        },
        places: offer.places,
    }
}

/// Files that are whole and hold other backups than those that went there; none where something else is told of them.
fn missed(astray: &Astray, offers: &[Offer], others: &[Found]) -> Option<Found> {
    let is_offered = |guid: &Uuid| {
        let mut offers = offers.iter();
        offers.any(|offer| offer.piece.backup_set_guid == *guid)
    };
    let places = astray
        .places
        .iter()
        .map(|place| place.display().to_string());
    let places: Vec<String> = places.collect();
    let is_told = |found: &Found| {
        let is_refused = matches!(found.becomes, Becomes::Refused { .. });
        is_refused && found.places.iter().any(|place| places.contains(place))
    };
    if astray.backups.iter().all(is_offered) || others.iter().any(is_told) {
        return None;
    }
    Some(Found {
        places,
        becomes: Becomes::Refused {
            code: Code::NoMedia,
            message: "a backup that went there, as msdb says, is not there any more".to_owned(),
            hint: OVERWRITTEN_HINT.to_owned(),
        },
    })
}

/// The history says that a backup lies in this file, so a file that is none is worth a word here.
fn told(found: Found) -> Found {
    match found.becomes {
        Becomes::NoBackup => Found {
            becomes: Becomes::Refused {
                code: Code::NoMedia,
                message: "msdb says that a backup went there, and the file is none".to_owned(),
                hint: OVERWRITTEN_HINT.to_owned(),
            },
            ..found
        },
        _ => found,
    }
}
