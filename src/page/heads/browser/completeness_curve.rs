//! The completeness curve: how much of the model a few texts for each head explain (docs/PAPERS.md, 1.9).

use leptos::prelude::*;

use crate::page::common::chart::{HEIGHT, WIDTH};
use crate::page::common::colour;
use crate::page::core::browser::core::Core;
use crate::page::heads::completeness::{CompletenessLine, CompletenessRow, lines, rows};
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::protocol::completeness::{Completeness, GalleryClasses, MeasureCompleteness};
use crate::text::units;

/// The data of the gallery that the heads' views need.
#[derive(Clone, Copy)]
pub struct GalleryForLabels {
    /// The number of pictures.
    pub pictures: Signal<usize>,
    /// The classes of the labelled pictures; `None` if there are no labels.
    pub labelled_classes: Signal<Option<GalleryClasses>>,
}

/// The completeness curve, once it has been measured.
#[derive(Clone, Copy)]
pub struct CompletenessState {
    core: Core,
    pub curve: RwSignal<Option<Completeness>>,
}

impl CompletenessState {
    pub fn new(core: Core, model: ModelState) -> Self {
        let state = Self { core, curve: RwSignal::default() };
        // The curve is out of date after a change of the texts or the images.
        Effect::new(move || {
            model.label_sources.version.track();
            state.curve.set(None);
        });
        state
    }

    /// Asks for the curve, with the share of the pictures that keep their class.
    fn measure(self, classes: GalleryClasses) {
        self.core.ask(MeasureCompleteness { classes }, move |curve, _buffers| {
            self.curve.set(Some(curve));
            Ok(())
        });
    }
}

#[component]
pub fn CompletenessCurve(gallery: GalleryForLabels) -> impl IntoView {
    let (model, phrases) = (expect_context::<ModelState>(), expect_context::<PhrasesState>());
    let completeness = expect_context::<CompletenessState>();
    let measure = move |_| {
        let own_classes = || GalleryClasses {
            phrases: phrases
                .list
                .with_untracked(|all| all.as_slice().iter().map(|one| vec![one.clone()]).collect()),
            labels: None,
        };
        completeness.measure(untrack(|| gallery.labelled_classes.get()).unwrap_or_else(own_classes));
    };
    let over = move || match gallery.pictures.get() {
        0 => "Add pictures to the gallery to measure also how many of them keep their best phrase.".to_owned(),
        pictures => format!(
            "Also measured: how many of the gallery's {} keep their best phrase, and how many are classified \
             correctly where the gallery has labels (see Spurious cues).",
            units::plural(pictures as u64, "picture", "pictures")
        ),
    };
    view! {
        <details class="source" id="completeness">
            <summary>"How much of the model the texts explain"</summary>
            <p class="quiet hint">
                "The paper's completeness check: every head of the last four layers is rebuilt from its first
                texts alone, earlier attention is replaced by its mean, and MLPs stay. "{over}
            </p>
            <button
                type="button"
                id="measure-completeness"
                disabled=move || !model.has_statistics()
                on:click=measure
            >
                "Measure"
            </button>
            {move || completeness.curve.get().map(|curve| view! { <Curve curve=curve/> })}
        </details>
    }
}

#[component]
fn Curve(curve: Completeness) -> impl IntoView {
    let lines = lines(&curve);
    let line = |(index, CompletenessLine { points, .. }): (usize, &CompletenessLine)| {
        let style = format!("color:{}", colour::css(colour::series(index)));
        view! { <polyline points=points.clone() style=style></polyline> }
    };
    let name = |(index, CompletenessLine { name, .. }): (usize, &CompletenessLine)| {
        let style = format!("background:{}", colour::css(colour::series(index)));
        view! { <li><span class="swatch" style=style aria-hidden="true"></span>{*name}</li> }
    };
    let most = curve.points.last().map_or(0, |point| point.texts);
    let says = format!(
        "{} of the last {}, out of {}{}.",
        units::plural(curve.heads as u64, "head", "heads"),
        units::plural(curve.late_layers as u64, "layer", "layers"),
        units::plural(curve.pool as u64, "text", "texts"),
        match curve.pictures {
            0 => String::new(),
            pictures => format!("; {}", units::plural(pictures as u64, "picture", "pictures")),
        }
    );
    view! {
        <div id="completeness-curve" data-pictures=curve.pictures>
            <p class="quiet">{says}</p>
            <div class="chart still" role="img" aria-label="Shares against the number of texts for each head; the table has the numbers">
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                    {lines.iter().enumerate().map(line).collect_view()}
                </svg>
                <span class="high">"100 %"</span>
                <span class="low">"0 %"</span>
            </div>
            <p class="ends quiet" aria-hidden="true">
                <span>"no text"</span>
                <span>{format!("{} for each head", units::plural(most as u64, "text", "texts"))}</span>
            </p>
            <ul class="legend-lines" aria-label="Lines of the chart">{lines.iter().enumerate().map(name).collect_view()}</ul>
            <Table rows=rows(&curve) is_labelled=curve.whole.is_some_and(|agreement| agreement.right.is_some())/>
        </div>
    }
}

#[component]
fn Table(rows: Vec<CompletenessRow>, is_labelled: bool) -> impl IntoView {
    let has_agreement = rows.iter().any(|row| row.agreement.is_some());
    let share = |share: Option<f64>| share.map(units::fine_percent);
    let row = move |CompletenessRow { what, explained, agreement }: CompletenessRow| {
        view! {
            <tr data-explained=explained data-same=agreement.map(|agreement| agreement.same) data-right=agreement.and_then(|agreement| agreement.right)>
                <th scope="row">{what}</th>
                <td>{share(explained)}</td>
                {has_agreement.then(|| view! { <td>{share(agreement.map(|agreement| agreement.same))}</td> })}
                {is_labelled.then(|| view! { <td>{share(agreement.and_then(|agreement| agreement.right))}</td> })}
            </tr>
        }
    };
    view! {
        <div class="plain-table">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Attention"</th>
                        <th scope="col">"Variance explained"</th>
                        {has_agreement.then(|| view! { <th scope="col">"Same class as before"</th> })}
                        {is_labelled.then(|| view! { <th scope="col">"Correct class"</th> })}
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}
