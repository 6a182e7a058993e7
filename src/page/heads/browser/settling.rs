//! Follows the names of heads while pictures arrive, and measures how steady they are.

use leptos::prelude::*;

use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::settling::{Names, Settling};
use crate::page::model::browser::state::ModelState;
use crate::protocol::{HeadNames, NamedHead};

/// How steady the names of the open model's heads are.
#[derive(Clone, Copy)]
pub struct SettlingState {
    pub settling: RwSignal<Settling>,
}

impl SettlingState {
    pub fn new(model: ModelState, names: HeadNamesState) -> Self {
        let settling = RwSignal::new(Settling::default());
        // Names from another pool, or of another model, cannot be compared.
        let pool_and_model = Memo::new(move |_| {
            (
                model.label_sources.pool_of.get(),
                model.pack.with(|pack| pack.as_ref().map(|pack| pack.model.clone())),
            )
        });
        Effect::new(move || {
            pool_and_model.track();
            settling.set(Settling::default());
        });
        Effect::new(move || {
            if let Some((pictures, names)) = names.names.with(|names| names.as_ref().map(names_in_words)) {
                settling.update(|settling| settling.take(pictures, names));
            }
        });
        Self { settling }
    }
}

/// Returns the number of pictures behind the names, and the names.
fn names_in_words(names: &HeadNames) -> (u64, Names) {
    let name = |head: &NamedHead| head.property.and_then(|property| names.properties.get(property).cloned());
    (names.images, names.heads.iter().map(|layer| layer.iter().map(name).collect()).collect())
}
