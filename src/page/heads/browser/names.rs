//! The names of the heads of the open model (docs/PAPERS.md, 1.15).

use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::page::common::browser::dom;
use crate::page::core::browser::core::Core;
use crate::page::heads::label_files;
use crate::page::model::browser::state::ModelState;
use crate::protocol::{HeadNames, HeadNaming, NameHeads, TaskKind};
use crate::text::units;

/// The names of the heads. They are asked for whenever they would change.
#[derive(Clone, Copy)]
pub struct HeadNamesState {
    core: Core,
    model: ModelState,
    /// The latest names. After a change of the pool or the statistics, the old names stay until the new ones arrive.
    pub names: RwSignal<Option<HeadNames>>,
}

impl HeadNamesState {
    pub fn new(core: Core, model: ModelState) -> Self {
        let state = Self { core, model, names: RwSignal::default() };
        Effect::new(move |before: Option<Option<String>>| {
            model.label_sources.version.track();
            let open = model.pack.with(|pack| pack.as_ref().map(|pack| pack.model.clone()));
            if before.is_some_and(|before| before != open) {
                state.names.set(None);
            }
            if model.can_label_heads() && open.is_some() {
                state.ask();
            } else {
                core.withdraw(TaskKind::HeadNames);
                state.names.set(None);
            }
            open
        });
        state
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
        self.core.ask_for_outcome(NameHeads, Default::default(), move |naming| {
            match naming {
                Ok((HeadNaming::UnderWay { .. }, _buffers)) => self.ask(),
                Ok((HeadNaming::Named(names), _buffers)) => self.names.set(Some(names)),
                // The request for the chosen head's texts reports the same failure.
                Err(_sentence) => self.names.set(None),
            }
            Ok(())
        });
    }
}
