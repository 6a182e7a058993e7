//! Follows the names of heads while pictures arrive, and measures how steady they are.

use leptos::prelude::*;

use crate::page::heads::settling::{Names, Settling};
use crate::page::model::browser::state::ModelState;

/// How steady the names of the open model's heads are.
#[derive(Clone, Copy)]
pub struct SettlingState {
    pub settling: RwSignal<Settling>,
}

impl SettlingState {
    /// Follows `names`: the number of pictures and the names computed from them.
    pub fn new(model: ModelState, names: Signal<Option<(u64, Names)>>) -> Self {
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
            if let Some((pictures, names)) = names.get() {
                settling.update(|settling| settling.take(pictures, names));
            }
        });
        Self { settling }
    }
}
