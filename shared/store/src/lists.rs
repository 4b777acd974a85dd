//! Lists of live projects, datasets and models.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    id::{ModelId, ProjectId, WorkspaceId},
    ports::{Failure, Listed, Live, Outcome},
    resource::{Kind, Position, Resource, ResourceId},
};
use jiff::Timestamp;
use tables::{ItemKind, SORT_KEY};

use crate::{
    client::Store,
    item::{Item, Key, from_item},
    resources::{group_sk, key_of, records_of},
};

/// The most queries for one page. Then the page is short.
const ROUNDS: usize = 5;
/// The number of entries in each further query for the largest resources.
const LARGEST_AT_ONCE: usize = 100;
/// Texts that sort before and after every sort key.
const ENDS: (&str, &str) = ("-", "~");

/// The records at the positions of a list.
struct Looked {
    records: Vec<Option<Resource>>,
    projects: BTreeMap<ProjectId, Resource>,
}

impl Looked {
    /// The live resources, in order.
    fn live(self) -> impl Iterator<Item = Live> {
        let Self { records, projects } = self;
        records.into_iter().flatten().filter_map(move |resource| match resource.project {
            None => Some(Live { resource, project: None }),
            Some(id) => Some(Live { project: Some(projects.get(&id)?.clone()), resource }),
        })
    }

    /// The position of the next page after `last`. Skips the rest of a project that is in the trash.
    fn past(&self, last: Position) -> Position {
        match last.project {
            Some(project) if !self.projects.contains_key(&project) => {
                let lowest = ModelId::floor(Timestamp::UNIX_EPOCH);
                Position { project: Some(project), id: ResourceId::Model(lowest) }
            }
            _ => last,
        }
    }
}

impl Store {
    /// Projects or datasets, newest first.
    pub(crate) async fn records(
        &self,
        workspace: WorkspaceId,
        kind: Kind,
        after: Option<Position>,
        limit: usize,
    ) -> Outcome<Listed> {
        let newest = after.map_or(ENDS.1.to_owned(), |after| after.id.before().to_string());
        let page = self.range_now(records_of(kind), workspace, (ENDS.0.to_owned(), newest), limit).await?;
        let items = page.items.into_iter().map(from_item).collect::<Outcome<Vec<Resource>>>()?;
        let next = items.last().map(Position::after).filter(|_| page.more);
        Ok(Listed { items, next })
    }

    /// Models by project, or the models of one project.
    pub(crate) async fn models(
        &self,
        workspace: WorkspaceId,
        project: Option<ProjectId>,
        mut after: Option<Position>,
        limit: usize,
    ) -> Outcome<Listed> {
        let (from, end) = match project {
            Some(project) => (format!("{project}#"), format!("{project}$")),
            None => (ENDS.0.to_owned(), ENDS.1.to_owned()),
        };
        let mut items = Vec::new();
        for _ in 0..ROUNDS {
            let to = after.map_or(end.clone(), |after| below(after).min(end.clone()));
            let wanted = limit.saturating_sub(items.len());
            let page = self.range_now(ItemKind::Groups, workspace, (from.clone(), to), wanted).await?;
            let places = page.items.iter().map(place).collect::<Outcome<Vec<Position>>>()?;
            let looked = self.look(workspace, &places).await?;
            after = places.last().map(|last| looked.past(*last)).filter(|_| page.more);
            items.extend(looked.live().map(|live| live.resource));
            if after.is_none() || items.len() >= limit {
                break;
            }
        }
        Ok(Listed { items, next: after })
    }

    /// The largest live resources.
    pub(crate) async fn by_size(&self, workspace: WorkspaceId, limit: usize) -> Outcome<Vec<Live>> {
        let (mut largest, mut to, mut at_once) = (Vec::new(), ENDS.1.to_owned(), limit);
        for _ in 0..ROUNDS {
            let range = (ENDS.0.to_owned(), to);
            let page =
                self.range_now(ItemKind::Sizes, workspace, range, at_once.min(LARGEST_AT_ONCE)).await?;
            let places = page.items.iter().map(sized).collect::<Outcome<Vec<(&str, Position)>>>()?;
            let Some((bytes, last)) = places.last() else { break };
            to = format!("{bytes}#{}", last.id.before());
            let places: Vec<Position> = places.iter().map(|(_, place)| *place).collect();
            largest.extend(self.look(workspace, &places).await?.live());
            if largest.len() >= limit || !page.more {
                break;
            }
            at_once = LARGEST_AT_ONCE;
        }
        largest.truncate(limit);
        Ok(largest)
    }

    /// The records at positions of a list, with their projects.
    async fn look(&self, workspace: WorkspaceId, places: &[Position]) -> Outcome<Looked> {
        let projects: BTreeSet<ProjectId> = places.iter().filter_map(|place| place.project).collect();
        let ids = places.iter().map(|place| place.id);
        let ids = ids.chain(projects.iter().map(|project| ResourceId::Project(*project)));
        let keys: Vec<Key> = ids.map(|id| key_of(workspace, id)).collect();
        let found = self.get_all(&keys).await?.into_iter();
        let mut records =
            found.map(|item| item.map(from_item).transpose()).collect::<Outcome<Vec<Option<Resource>>>>()?;
        let found = records.split_off(places.len());
        let projects = projects.into_iter().zip(found).filter_map(|(id, project)| Some((id, project?)));
        Ok(Looked { records, projects: projects.collect() })
    }
}

/// The last sort key below a position in the list of models by project.
fn below(place: Position) -> String {
    group_sk(&Position { id: place.id.before(), ..place })
}

/// The position of an entry in the list of models by project.
pub fn place(item: &Item) -> Outcome<Position> {
    let place = sort_key(item).and_then(|key| {
        let (project, model) = key.split_once('#')?;
        let project = if project == "-" { None } else { Some(project.parse().ok()?) };
        Some(Position { project, id: model.parse().ok()? })
    });
    place.ok_or_else(|| Failure::Broken("a model's place that holds no id".to_owned()))
}

/// The size and the position of an entry in the list by size.
fn sized(item: &Item) -> Outcome<(&str, Position)> {
    let place = sort_key(item).and_then(|key| {
        let (bytes, id) = key.split_once('#')?;
        let project = match item.get("project") {
            Some(project) => Some(project.as_s().ok()?.parse().ok()?),
            None => None,
        };
        Some((bytes, Position { project, id: id.parse().ok()? }))
    });
    place.ok_or_else(|| Failure::Broken("a size's key that holds no id".to_owned()))
}

pub fn sort_key(item: &Item) -> Option<&str> {
    item.get(SORT_KEY)?.as_s().ok().map(String::as_str)
}
