//! Spurious cues (docs/PAPERS.md, 1.12): the heads that follow the nuisance, and the accuracy of the worst group
//! without them.

use leptos::prelude::*;
use leptos::web_sys::{Event, HtmlInputElement};

use crate::page::common::browser::dom;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::gallery::browser::cue_state::CueState;
use crate::page::gallery::picture_labels::Labels;
use crate::page::heads::contributions::Cell;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::head_map::HeadMapState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::protocol::cues::{CueHead, CueOutcome, CueReport};
use crate::text::units;

/// The number of heads in the ranking.
const SHOWN: usize = 10;

#[component]
pub fn Cues() -> impl IntoView {
    let cues = expect_context::<CueState>();
    let matched = Memo::new(move |_| cues.pictures().len());
    let has_labels = move || cues.labels.with(|labels| matches!(labels, Some(Ok(_))));
    let says = move || {
        cues.labels.with(|labels| match labels {
            None => None,
            Some(Err(err)) => Some(err.to_string()),
            Some(Ok(labels)) => Some(format!(
                "{} of the gallery have a label: {} or {}{}.",
                units::plural(matched.get() as u64, "picture", "pictures"),
                labels.classes[0],
                labels.classes[1],
                match &labels.nuisances {
                    Some([one, other]) => format!("; {one} or {other}"),
                    None => "; the second pair of phrases separates the groups".to_owned(),
                }
            )),
        })
    };
    let is_ready = move || matched.get() > 0 && cues.complete_prompts().is_some();
    view! {
        <details id="cues">
            <summary>"Spurious cues"</summary>
            <p class="quiet">
                "Does the model recognise your pictures by what they show, or by something that often comes
                with it, such as birds by the water behind them? Give labels for both: headlamp finds the
                heads that follow the second (the nuisance), and measures the accuracy of the worst group
                without them."
            </p>
            <LabelSources/>
            <p class="quiet" id="cue-labels" role="status">{says}</p>
            <Show when=has_labels>
                <Prompts/>
                <button type="button" id="find-cues" disabled=move || !is_ready() on:click=move |_| cues.find()>
                    "Find the heads"
                </button>
            </Show>
            {move || cues.report.get().map(|report| view! { <Report report=report/> })}
            <HowComputed about=Topic::Cues/>
        </details>
    }
}

#[component]
fn LabelSources() -> impl IntoView {
    let cues = expect_context::<CueState>();
    let from_table = move |event: Event| {
        let input: HtmlInputElement = event_target(&event);
        if let Some(file) = dom::files_of(input.files()).into_iter().next() {
            cues.read_table(file);
        }
        input.set_value("");
    };
    view! {
        <div class="row">
            <label class="button">
                "Open a table of labels"
                <input class="unseen" type="file" name="labels" accept=".csv,.tsv,.txt" on:change=from_table/>
            </label>
            <button type="button" on:click=move |_| cues.read_folder_names()>"Use the folders' names"</button>
            <p class="quiet hint">
                "The table's columns: file, class, nuisance; Waterbirds' metadata.csv as it is. Folders:
                class/nuisance/picture."
            </p>
        </div>
    }
}

/// The prompts: two classes and two nuisances.
#[component]
fn Prompts() -> impl IntoView {
    let cues = expect_context::<CueState>();
    let prompts = cues.prompts;
    let field = move |group: usize, index: usize, name: &'static str, label: &'static str| {
        let typed = move |event: Event| {
            let value = event_target_value(&event);
            prompts.update(|prompts| prompts[group][index] = value);
        };
        view! {
            <label>
                <span>{label}</span>
                <input
                    type="text"
                    name=name
                    autocomplete="off"
                    prop:value=move || prompts.with(|prompts| prompts[group][index].clone())
                    on:input=typed
                />
            </label>
        }
    };
    view! {
        <div class="telling">
            {field(0, 0, "class-0", "Phrases for class 1")}
            {field(0, 1, "class-1", "Phrases for class 2")}
            {field(1, 0, "nuisance-0", "Phrases for nuisance 1")}
            {field(1, 1, "nuisance-1", "Phrases for nuisance 2")}
        </div>
    }
}

#[component]
fn Report(report: CueReport) -> impl IntoView {
    let says = match &report.outcomes[..] {
        [before, without, ..] if without.ablation.heads.is_empty() => format!(
            "Worst group: {} right. No head follows the nuisance more than the class.",
            share(before.worst)
        ),
        [before, without, ..] => format!(
            "Worst group: {} right, and {} without the {}.",
            share(before.worst),
            share(without.worst),
            units::plural(without.ablation.heads.len() as u64, "head that is proposed", "heads that are proposed")
        ),
        _ => String::new(),
    };
    let of = format!(
        "Over {}, means over {}. The heads are chosen and measured on the same pictures: a hint, not a proof.",
        units::plural(report.pictures as u64, "labelled picture", "labelled pictures"),
        units::plural(report.means_of, "picture", "pictures")
    );
    view! {
        <div id="cue-report">
            <p role="status">{says}</p>
            <Outcomes report=report.clone()/>
            <Ranking heads=report.heads/>
            <p class="quiet hint">{of}</p>
        </div>
    }
}

/// Shows the accuracy of each group with each ablation.
#[component]
fn Outcomes(report: CueReport) -> impl IntoView {
    const NAMES: [&str; 4] = ["Nothing", "The proposed heads", "All but late attention", "Both"];
    let (model, phrases) = (expect_context::<ModelState>(), expect_context::<PhrasesState>());
    let groups = groups(expect_context::<CueState>(), report.nuisance_of_class_1);
    let pictures =
        report.outcomes.first().map(|outcome| outcome.groups.map(|(pictures, _)| pictures)).unwrap_or_default();
    let heading = |(group, pictures): (String, u64)| view! { <th scope="col">{group}" "<span class="quiet">{pictures}</span></th> };
    let row = move |(name, outcome): (&'static str, CueOutcome)| {
        let CueOutcome { ablation, overall, worst, groups } = outcome;
        let worst_raw = worst.map(|worst| worst.to_string());
        let off = ablation.clone();
        let is_on = move || phrases.switched_off.with(|now| *now == off);
        let apply = move |_| phrases.switched_off.set(ablation.clone());
        view! {
            <tr data-worst=worst_raw>
                <th scope="row">{name}</th>
                <td>{share(worst)}</td>
                <td>{share(overall)}</td>
                {groups.map(|(_, accuracy)| view! { <td>{share(accuracy)}</td> }).collect_view()}
                <td>
                    <button
                        type="button"
                        class="quiet-button"
                        aria-label=format!("Switch off in the lab: {name}")
                        aria-pressed=move || is_on().to_string()
                        disabled=move || !model.has_statistics()
                        on:click=apply
                    >
                        "Apply"
                    </button>
                </td>
            </tr>
        }
    };
    view! {
        <div class="plain-table">
            <table id="cue-outcomes">
                <thead>
                    <tr>
                        <th scope="col">"Switched off"</th>
                        <th scope="col">"Worst group"</th>
                        <th scope="col">"All"</th>
                        {groups.into_iter().zip(pictures).map(heading).collect_view()}
                        <th scope="col"><span class="unseen">"In the lab"</span></th>
                    </tr>
                </thead>
                <tbody>{NAMES.into_iter().zip(report.outcomes).map(row).collect_view()}</tbody>
            </table>
        </div>
        <Show when=move || !model.has_statistics()>
            <p class="quiet hint">"To apply it in the lab, let the head statistics come from the gallery first."</p>
        </Show>
    }
}

#[component]
fn Ranking(heads: Vec<CueHead>) -> impl IntoView {
    let head_map = expect_context::<HeadMapState>();
    let row = move |CueHead { layer, head, nuisance, class, tells }: CueHead| {
        view! {
            <tr data-head=format!("{layer}.{head}")>
                <th scope="row">
                    <button type="button" class="quiet-button" on:click=move |_| head_map.head.set(Some((layer, head)))>
                        {Cell::Head { layer, head }.name()}
                    </button>
                </th>
                <td>{units::signed(nuisance as f32, 4)}</td>
                <td>{units::signed(class as f32, 4)}</td>
                <td>{units::signed(tells as f32, 1)}</td>
            </tr>
        }
    };
    view! {
        <div class="plain-table">
            <table id="cue-heads">
                <thead>
                    <tr>
                        <th scope="col">"Head"</th>
                        <th scope="col">"Follows the nuisance"</th>
                        <th scope="col">"Follows the class"</th>
                        <th scope="col">"Separates the nuisance, standard deviations"</th>
                    </tr>
                </thead>
                <tbody>{heads.into_iter().take(SHOWN).map(row).collect_view()}</tbody>
            </table>
        </div>
    }
}

/// Returns the groups' names in the report's order: by class, then by nuisance. The nuisance of class 1 comes last.
fn groups(cues: CueState, nuisance_of_class_1: usize) -> Vec<String> {
    let labels = cues.labels.with_untracked(|labels| labels.clone().and_then(Result::ok));
    let Some(Labels { classes, nuisances, .. }) = labels else { return Vec::new() };
    let mut nuisances = nuisances.unwrap_or_else(|| cues.prompts.with_untracked(|prompts| prompts[1].clone()));
    if nuisance_of_class_1 == 0 {
        nuisances.swap(0, 1);
    }
    let of_class = |class: String| nuisances.clone().map(|nuisance| format!("{class}, {nuisance}"));
    classes.into_iter().flat_map(of_class).collect()
}

/// Formats an accuracy; returns a dot for a group without pictures.
fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "·".to_owned(), |share| format!("{:.1} %", share * 100.0))
}
