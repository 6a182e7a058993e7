//! Undo and redo of ablations.

use leptos::prelude::*;

use crate::ablate::Ablation;
use crate::page::heads::undo_history::History;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::phrases::PhrasesState;

/// The earlier and later ablations of the open model.
#[derive(Clone, Copy)]
pub struct Undo {
    ablation: RwSignal<Ablation>,
    history: RwSignal<History<Ablation>>,
}

impl Undo {
    /// Records every change of the ablation; another model starts a new history.
    pub fn new(model: ModelState, phrases: PhrasesState) -> Self {
        let history = RwSignal::new(History::default());
        Effect::new(move |last: Option<Option<String>>| {
            let weights = model.pack.with(|pack| pack.as_ref().map(|pack| pack.weights.clone()));
            let now = phrases.switched_off.get();
            match last {
                Some(last) if last == weights => history.update(|history| history.record(&now)),
                _ => history.set(History::of(now)),
            }
            weights
        });
        Self { ablation: phrases.switched_off, history }
    }

    pub fn undo(self) {
        self.go(History::undo);
    }

    pub fn redo(self) {
        self.go(History::redo);
    }

    fn go(self, step: impl Fn(&mut History<Ablation>) -> Option<Ablation>) {
        if let Some(ablation) = self.history.try_update(step).flatten() {
            self.ablation.set(ablation);
        }
    }
}

/// Buttons for undo and redo.
#[component]
pub fn UndoButtons() -> impl IntoView {
    let undo = expect_context::<Undo>();
    let (can_undo, can_redo) =
        (move || undo.history.with(History::can_undo), move || undo.history.with(History::can_redo));
    view! {
        <button
            type="button"
            id="undo"
            class="quiet-button"
            title="Ctrl+Z"
            disabled=move || !can_undo()
            on:click=move |_| undo.undo()
        >
            "Undo"
        </button>
        <button
            type="button"
            id="redo"
            class="quiet-button"
            title="Ctrl+Y"
            disabled=move || !can_redo()
            on:click=move |_| undo.redo()
        >
            "Redo"
        </button>
    }
}
