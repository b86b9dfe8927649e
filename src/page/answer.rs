//! Requests to answers: routes, headers, and what each view is made from. Start at [`routes`].

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::companions::CompanionRow;
use super::group::{GroupFacts, GroupView};
use super::guard::{Admission, Guard};
use super::members::MemberView;
use super::metrics::{MetricFacts, metrics};
use super::sets::{SetView, SetsView};
use super::{Shelf, shell};
use crate::catalog::kept::{last_drill, log_ends};
use crate::chain::{LogEnds, Verdict};
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::run::backlog;
use crate::service::Scene;
use crate::world::Listed;

/// Sets that a view of the group looks at.
const RECENT_SETS: usize = 120;

/// Sets on one page of the list.
const PAGE_SETS: usize = 100;

/// Longer than this without a look, and the loop is stuck.
const STUCK_AFTER_MS: i64 = 5 * 60 * 1000;

/// What nothing on the page ever needs is forbidden to it.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                              img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    before: Option<u64>,
}

/// Every address of the page, behind its guard. Signs of life are for anybody who can ask.
pub(super) fn routes(shelf: Shelf, guard: Guard) -> Router {
    let seen = Router::new()
        .route("/", get(group))
        .route("/sets", get(sets))
        .route("/set", get(set))
        .route("/member", get(member))
        .route("/metrics", get(measured))
        .layer(middleware::from_fn_with_state(guard, guarded))
        .with_state(shelf.clone());
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/page.css", get(style))
        .route("/page.js", get(script))
        .with_state(shelf)
        .merge(seen)
        .layer(middleware::map_response(with_headers))
}

async fn guarded(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match admission(&guard, &request) {
        Admission::Welcome => next.run(request).await,
        Admission::WhoAreYou => {
            let ask = [(
                header::WWW_AUTHENTICATE,
                "Basic realm=\"Stopmark\", charset=\"UTF-8\"",
            )];
            (StatusCode::UNAUTHORIZED, ask, "the token is wanted\n").into_response()
        }
        Admission::NotForUs => {
            let words =
                "this page is for requests to this machine; set `[page] token` for others\n";
            (StatusCode::MISDIRECTED_REQUEST, words).into_response()
        }
    }
}

fn admission(guard: &Guard, request: &Request) -> Admission {
    let header = |name| request.headers().get(name)?.to_str().ok();
    guard.admits(header(header::HOST), header(header::AUTHORIZATION))
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn style() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("page.css"))
}

async fn script() -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("page.js"))
}

/// Whether the process lives: its loop looked a while ago at most.
async fn healthz(State(shelf): State<Shelf>) -> Response {
    let looked_at = shelf.seen.borrow().looked_at;
    let now = now(&shelf);
    let is_stuck = looked_at
        .zip(now)
        .is_some_and(|(looked_at, now)| now.millis() - looked_at.millis() > STUCK_AFTER_MS);
    if is_stuck {
        (StatusCode::SERVICE_UNAVAILABLE, "stuck\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

/// Whether it is ready to work, and in which role: the configuration is in force and nobody asked it to stop. One that
/// stands by is ready too, since it takes over by itself.
async fn readyz(State(shelf): State<Shelf>) -> Response {
    let seen = shelf.seen.borrow();
    if seen.looked_at.is_some() && !seen.is_stopping {
        format!("ready ({})\n", seen.role.words()).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
    }
}

fn now(shelf: &Shelf) -> Option<Timestamp> {
    let scene = shelf.scene.borrow();
    scene.as_ref().map(|scene| scene.world.clock.now())
}

/// What is in force; none while the service starts.
fn scene(shelf: &Shelf) -> Option<Scene> {
    shelf.scene.borrow().clone()
}

fn starting() -> Response {
    let words = "the service is starting\n";
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

/// A view as an answer; none: there is no such thing.
fn reply(view: Result<Option<String>>) -> Response {
    match view {
        Ok(Some(html)) => Html(html).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, Html(shell::nothing_here())).into_response(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Response {
    tracing::warn!(%error, "the status page cannot show what was asked for");
    let html = Html(shell::broken(error));
    (StatusCode::INTERNAL_SERVER_ERROR, html).into_response()
}

async fn group(State(shelf): State<Shelf>) -> Response {
    match scene(&shelf) {
        Some(scene) => reply(group_view(&shelf, &scene).await),
        None => starting(),
    }
}

async fn group_view(shelf: &Shelf, scene: &Scene) -> Result<Option<String>> {
    let (catalog, group) = (&scene.world.catalog, &scene.config.group);
    let (seen, steps) = (shelf.seen.borrow().clone(), shelf.steps.seen());
    let standing = catalog.standing(group).await?;
    let facts = GroupFacts {
        seen,
        steps,
        ends: ends(scene, standing.held_back.is_some()).await?,
        standing,
        recent: catalog.page(group, None, RECENT_SETS).await?,
        last_drill: last_drill(&catalog.retention_facts(group).await?),
        unfinished: scene.world.journals.unfinished()?.len(),
        backlog: backlog(&scene.world, group).await?,
        companions: companions(scene).await?,
        now: scene.world.clock.now(),
    };
    Ok(Some(GroupView::of(&scene.config, &facts).html()))
}

/// The newest backup of each database beside the group; the catalog is asked only where there are any.
async fn companions(scene: &Scene) -> Result<Vec<CompanionRow>> {
    let config = &scene.config;
    let newest = if config.companions.is_empty() {
        Vec::new()
    } else {
        scene.world.catalog.recent(&config.group, 1, &[]).await?
    };
    let named = config.companions.iter();
    Ok(named
        .map(|it| CompanionRow::of(&it.name, &newest))
        .collect())
}

async fn sets(State(shelf): State<Shelf>, Query(wanted): Query<Wanted>) -> Response {
    match scene(&shelf) {
        Some(scene) => reply(sets_view(&scene, wanted.before).await),
        None => starting(),
    }
}

async fn sets_view(scene: &Scene, before: Option<u64>) -> Result<Option<String>> {
    let (catalog, group) = (&scene.world.catalog, &scene.config.group);
    let page = catalog.page(group, before, PAGE_SETS).await?;
    let counts = catalog.counts(group).await?;
    let ends = ends(scene, page.iter().any(is_held_back)).await?;
    let view = SetsView::of(group, &page, &ends, counts, PAGE_SETS);
    Ok(Some(view.html()))
}

async fn set(State(shelf): State<Shelf>, Query(wanted): Query<Wanted>) -> Response {
    match scene(&shelf) {
        Some(scene) => reply(set_view(&scene, &wanted.name.unwrap_or_default()).await),
        None => starting(),
    }
}

async fn set_view(scene: &Scene, name: &str) -> Result<Option<String>> {
    let group = &scene.config.group;
    let Some(listed) = scene.world.catalog.find(group, name).await? else {
        return Ok(None);
    };
    let ends = ends(scene, is_held_back(&listed)).await?;
    Ok(Some(SetView::of(group, &listed, &ends).html()))
}

fn is_held_back(listed: &Listed) -> bool {
    matches!(listed.verdict, Some(Verdict::NoPoint { .. }))
}

/// Where the group's logs end; the catalog is asked only where something is told by it.
async fn ends(scene: &Scene, is_needed: bool) -> Result<LogEnds> {
    if is_needed {
        log_ends(scene.world.catalog.as_ref(), &scene.config.group).await
    } else {
        Ok(LogEnds::new())
    }
}

async fn member(State(shelf): State<Shelf>, Query(wanted): Query<Wanted>) -> Response {
    match scene(&shelf) {
        Some(scene) => {
            let name = wanted.name.unwrap_or_default();
            reply(member_view(&shelf, &scene, &name).await)
        }
        None => starting(),
    }
}

async fn member_view(shelf: &Shelf, scene: &Scene, name: &str) -> Result<Option<String>> {
    let (catalog, config) = (&scene.world.catalog, &scene.config);
    let recent = catalog.page(&config.group, None, RECENT_SETS).await?;
    let standing = catalog.standing(&config.group).await?;
    let now = scene.world.clock.now();
    let view = MemberView::of(config, name, &recent, &standing, now);
    let rooms = shelf.seen.borrow().rooms.clone();
    Ok(view.map(|view| view.with_room(&rooms).html()))
}

async fn measured(State(shelf): State<Shelf>) -> Response {
    let seen = shelf.seen.borrow().clone();
    let facts = match scene(&shelf) {
        Some(scene) => metric_facts(&scene).await.map(Some),
        None => Ok(None),
    };
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    match facts {
        Ok(facts) => (headers, metrics(&seen, facts.as_ref())).into_response(),
        Err(error) => failed(&error),
    }
}

async fn metric_facts(scene: &Scene) -> Result<MetricFacts> {
    let (catalog, group) = (&scene.world.catalog, &scene.config.group);
    Ok(MetricFacts {
        standing: catalog.standing(group).await?,
        counts: catalog.counts(group).await?,
        damaged: catalog.damaged(group).await?.len(),
        unfinished: scene.world.journals.unfinished()?.len(),
        backlog: backlog(&scene.world, group).await?,
        now: scene.world.clock.now(),
    })
}
