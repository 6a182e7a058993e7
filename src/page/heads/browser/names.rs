//! The names of the heads of the open model (docs/PAPERS.md, 1.15), and the chosen property.

use std::collections::BTreeSet;
use std::sync::Arc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::page::heads::contributions::Cell;
use crate::page::heads::label_files;
use crate::page::heads::properties::{Mark, Properties, Property};
use crate::page::model::browser::label_sources::PoolOf;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::protocol::wire::Attachments;
use crate::protocol::{HeadNames, HeadNaming, NameHeads, TaskKind};
use crate::text::units;

/// The names of the heads. They are asked for whenever they would change.
#[derive(Clone, Copy)]
pub struct HeadNamesState {
    core: Core,
    model: ModelState,
    head_map: HeadMapState,
    /// The latest names. After a change of the pool or the statistics, the old names stay until the new ones arrive.
    pub names: RwSignal<Option<HeadNames>>,
    /// The number of heads that have texts, and of all heads, while the names are computed.
    pub progress: RwSignal<Option<(usize, usize)>>,
    /// The heads of each property.
    pub properties: Memo<Option<Arc<Properties>>>,
    /// The name of the chosen property.
    pub chosen: RwSignal<Option<String>>,
}

impl HeadNamesState {
    pub fn new(core: Core, model: ModelState, head_map: HeadMapState) -> Self {
        let names = RwSignal::new(None);
        let properties =
            Memo::new(move |_| names.with(|names| names.as_ref().map(|names| Arc::new(Properties::new(names)))));
        let (progress, chosen) = (RwSignal::default(), RwSignal::default());
        let state = Self { core, model, head_map, names, progress, properties, chosen };
        state.ask_when_they_change();
        state.keep_group();
        state
    }

    /// Returns the name of the head of a cell, and the name's mark. `None` for a mixed head, for MLPs and z0, and until
    /// the names are known.
    pub fn of(self, cell: Cell) -> Option<(String, Mark)> {
        let Cell::Head { layer, head } = cell else { return None };
        self.properties.with(|properties| {
            let Property { name, mark, .. } = properties.as_ref()?.of((layer, head))?;
            Some((name.clone(), mark.clone()))
        })
    }

    /// Returns the properties that name at least one head.
    pub fn in_use(self) -> Vec<Property> {
        self.properties.with(|properties| properties.iter().flat_map(|all| all.in_use().cloned()).collect())
    }

    /// Returns the name of the property whose heads are exactly these.
    pub fn of_group(self, heads: &BTreeSet<(usize, usize)>) -> Option<String> {
        self.properties.with(|properties| Some(properties.as_ref()?.with_heads(heads)?.name.clone()))
    }

    /// Returns the chosen property, if it still names a head.
    pub fn property(self) -> Option<Property> {
        let name = self.chosen.get()?;
        let property = self.properties.with(|properties| properties.as_ref()?.named(&name).cloned());
        property.filter(|property| !property.heads.is_empty())
    }

    /// Chooses a property, or none. The map shows the heads of the property together.
    pub fn choose(self, name: Option<String>) {
        self.chosen.set(name);
        self.head_map.group.set(self.heads_of_chosen());
    }

    /// Chooses a property, or none if the property is chosen already.
    pub fn toggle(self, name: &str) {
        let is_chosen = self.chosen.with_untracked(|chosen| chosen.as_deref() == Some(name));
        self.choose((!is_chosen).then(|| name.to_owned()));
    }

    fn heads_of_chosen(self) -> Vec<(usize, usize)> {
        untrack(|| self.property()).map(|property| property.heads()).unwrap_or_default()
    }

    fn ask_when_they_change(self) {
        Effect::new(move |before: Option<(Option<String>, PoolOf)>| {
            self.model.label_sources.version.track();
            let open = self.model.pack.with(|pack| pack.as_ref().map(|pack| pack.model.clone()));
            let of = (open, self.model.label_sources.pool_of.get());
            // Names of another model, or from another pool, mean nothing here.
            let is_other = before.is_some_and(|before| before != of);
            if is_other {
                self.choose(None);
            }
            let can_be_computed = self.model.can_label_heads() && of.0.is_some();
            if is_other || !can_be_computed {
                self.names.set(None);
                self.progress.set(None);
            }
            if can_be_computed {
                self.ask();
            } else {
                self.core.withdraw(TaskKind::HeadNames);
            }
            of
        });
    }

    /// Saves the names and texts of all heads, as JSON and as Markdown.
    pub fn save(self) {
        let pack = self.model.pack.with_untracked(|pack| pack.as_ref().map(|pack| pack.name.clone()));
        let pack = pack.unwrap_or_default();
        let stem = units::file_stem(&format!("{pack} head labels"));
        self.names.with_untracked(|names| {
            let Some(names) = names else { return };
            let markdown = label_files::markdown(&pack, names);
            dom::download(&format!("{stem}.md"), "text/markdown", &Uint8Array::from(markdown.as_bytes()));
            let json = label_files::json(&pack, names);
            dom::download(&format!("{stem}.json"), "application/json", &Uint8Array::from(json.as_bytes()));
        });
    }

    /// Asks for the names until the worker has all of them. Every other request can run between two of these.
    fn ask(self) {
        self.core.ask_for_outcome(NameHeads, Attachments::default(), move |naming| {
            match naming {
                Ok((HeadNaming::UnderWay { done, total }, _buffers)) => {
                    self.progress.set(Some((done, total)));
                    self.ask();
                }
                Ok((HeadNaming::Named(names), _buffers)) => {
                    self.progress.set(None);
                    self.names.set(Some(names));
                }
                // The request for the chosen head's texts reports the same failure.
                Err(_sentence) => {
                    self.progress.set(None);
                    self.names.set(None);
                }
            }
            Ok(())
        });
    }

    /// Keeps the map on the heads of the chosen property when new names arrive.
    fn keep_group(self) {
        Effect::new(move || {
            self.properties.track();
            let (group, heads) = (self.head_map.group, self.heads_of_chosen());
            if group.with_untracked(|group| !group.is_empty() && *group != heads) {
                group.set(heads);
            }
        });
    }
}
