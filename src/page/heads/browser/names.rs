//! The names of the heads of the open model (docs/PAPERS.md, 1.15).

use leptos::prelude::*;

use crate::page::core::browser::core::Core;
use crate::page::model::browser::state::ModelState;
use crate::protocol::{HeadNames, HeadNaming, Kind, NameHeads};

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
            if model.has_statistics() && model.has_text() && open.is_some() {
                state.ask();
            } else {
                core.withdraw(Kind::HeadNames);
                state.names.set(None);
            }
            open
        });
        state
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
