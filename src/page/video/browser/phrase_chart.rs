//! The chart of the phrases' scores over time, or of the heads' contributions to one phrase.

use leptos::html::Div;
use leptos::prelude::*;
use leptos::web_sys::MouseEvent;

use crate::page::common::browser::controls::Check;
use crate::page::common::chart::{self, Chart, HEIGHT, WIDTH, x_at};
use crate::page::common::colour;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::browser::phrases_panel::AddForm;
use crate::page::video::browser::state::VideoState;
use crate::text::units;

/// The number of heads in a chart that is split by head.
const HEADS: usize = 5;

/// A line of the chart: its name and values.
#[derive(Clone, PartialEq)]
struct PhraseLine {
    name: String,
    phrase: Option<String>,
    values: Vec<f32>,
}

#[component]
pub fn PhraseChart() -> impl IntoView {
    let (phrases, video) = (expect_context::<PhrasesState>(), expect_context::<VideoState>());
    let lines =
        Memo::new(move |_| if video.chart.is_split.get() { split_lines(video) } else { phrase_lines(video) });
    let times =
        move || video.frames.traced.with(|frames| frames.iter().map(|frame| frame.time).collect::<Vec<_>>());
    let chart = Memo::new(move |_| {
        let values: Vec<Vec<f32>> = lines.with(|lines| lines.iter().map(|line| line.values.clone()).collect());
        Chart::new(&times(), video.player.duration(), &values)
    });
    let board = NodeRef::<Div>::new();
    let seek = move |event: MouseEvent| {
        if let Some(board) = board.get() {
            let around = board.get_bounding_client_rect();
            let share = (f64::from(event.client_x()) - around.left()) / around.width().max(1.0);
            video.player.seek(share.clamp(0.0, 1.0) * video.player.duration());
        }
    };
    let cursor = move || format!("{:.1}", x_at(video.player.time.get(), video.player.duration()));
    let polylines = move || {
        let is_chosen = move |index: usize| {
            let phrase = lines.with(|lines| lines.get(index).and_then(|line| line.phrase.clone()));
            phrase.is_some() && phrase == phrases.chosen.get()
        };
        let line = move |(index, points): (usize, String)| {
            view! {
                <polyline
                    points=points
                    class:chosen=move || is_chosen(index)
                    class:again=colour::starts_over(index)
                    style=format!("color:{}", colour::css(colour::series(index)))
                ></polyline>
            }
        };
        chart.get().lines.into_iter().enumerate().map(line).collect_view()
    };
    let zero = move || {
        chart.get().zero().map(|y| {
        view! { <line class="zero" x1="0" x2=WIDTH.to_string() y1=format!("{y:.2}") y2=format!("{y:.2}")></line> }
    })
    };
    view! {
        <div class="meaning" id="meaning" data-lines=move || lines.with(Vec::len).to_string()>
            <div
                class="chart"
                id="chart"
                node_ref=board
                role="img"
                aria-label="Scores of the phrases over the video's time; a press goes to that moment"
                on:click=seek
            >
                <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                    {zero}
                    {polylines}
                    <line class="cursor" x1=cursor x2=cursor y1="0" y2=HEIGHT.to_string()></line>
                </svg>
                <span class="high">{move || units::signed(chart.get().high, 2)}</span>
                <span class="low">{move || units::signed(chart.get().low, 2)}</span>
            </div>
            <ul class="legend-lines" aria-label="Lines of the chart">
                {move || lines.get().into_iter().enumerate().map(|(index, line)| legend(video, index, line)).collect_view()}
            </ul>
            <div class="row">
                <AddForm id="add-video-phrase"/>
                <Check name="split" value=video.chart.is_split>"Split by head"</Check>
            </div>
            <p class="quiet hint">{move || if video.chart.is_split.get() {
                match phrases.chosen.get() {
                    Some(phrase) => format!("The {HEADS} heads whose contribution to “{phrase}” changes most."),
                    None => "Add a phrase to split.".to_owned(),
                }
            } else {
                "Cosine similarity of each phrase with each frame. Click on the chart to go to that moment.".to_owned()
            }}</p>
        </div>
    }
}

fn phrase_lines(video: VideoState) -> Vec<PhraseLine> {
    video.chart.scores.with(|scores| {
        let scores = scores.as_ref();
        let pairs = scores.map(|scores| scores.phrases.iter().zip(&scores.values)).into_iter().flatten();
        let line = |(phrase, values): (&String, &Vec<f32>)| PhraseLine {
            name: phrase.clone(),
            phrase: Some(phrase.clone()),
            values: values.clone(),
        };
        pairs.map(line).collect()
    })
}

fn split_lines(video: VideoState) -> Vec<PhraseLine> {
    let heads = video.model.pack.with(|pack| pack.as_ref().map_or(1, |pack| pack.heads));
    video.chart.split.with(|split| {
        let Some(split) = split.as_ref() else { return Vec::new() };
        let line = |(layer, head): (usize, usize)| {
            let start = (layer * heads + head) * split.frames;
            let values = split.parts.get(start..start + split.frames).unwrap_or_default().to_vec();
            PhraseLine { name: format!("Layer {layer}, head {head}"), phrase: None, values }
        };
        chart::liveliest(&split.parts, heads, split.frames, HEADS).into_iter().map(line).collect()
    })
}

/// Shows one line's name, its value on the frame on screen, and buttons that choose and remove its phrase.
fn legend(video: VideoState, index: usize, line: PhraseLine) -> impl IntoView {
    let here = video.frames.here;
    let PhraseLine { name, phrase, values } = line;
    let value = move || here.get().and_then(|at| values.get(at).copied()).map(|value| units::signed(value, 3));
    let chosen = phrase.clone();
    let is_chosen = move || chosen.is_some() && chosen == video.phrases.chosen.get();
    let removed = phrase.clone();
    let remove = phrase.is_some().then(|| {
        view! {
            <button
                type="button"
                class="remove"
                aria-label=format!("Remove {name}")
                on:click=move |_| {
                    if let Some(phrase) = &removed {
                        video.phrases.set_list.update(|phrases| phrases.remove(phrase));
                    }
                }
            >
                "×"
            </button>
        }
    });
    view! {
        <li data-line=name.clone()>
            <button
                type="button"
                class="choose"
                aria-pressed=move || is_chosen().to_string()
                on:click=move |_| if phrase.is_some() { video.phrases.choice.set(phrase.clone()) }
            >
                <i class="swatch" class:again=colour::starts_over(index) style=format!("background:{}", colour::css(colour::series(index)))></i>
                <span class="text">{name.clone()}</span>
                <span class="cosine">{value}</span>
            </button>
            {remove}
        </li>
    }
}
