//! The list of phrases with their scores: adds, removes and chooses phrases.

use leptos::html::{Input, Textarea, Ul};
use leptos::prelude::*;
use leptos::web_sys::{ClipboardEvent, SubmitEvent};

use crate::page::common::browser::controls::Check;
use crate::page::common::browser::explanation::HowComputed;
use crate::page::common::formulas::Topic;
use crate::page::model::browser::state::ModelState;
use crate::page::photo::browser::photo::PhotoState;
use crate::page::photo::browser::phrases::PhrasesState;
use crate::page::photo::phrase_list::PhraseList;
use crate::text::units;

#[component]
pub fn Phrases() -> impl IntoView {
    let (model, photo, phrases) =
        (expect_context::<ModelState>(), expect_context::<PhotoState>(), expect_context::<PhrasesState>());
    let is_editing = RwSignal::new(false);
    // A model without texts has no scores: the section is then about the photo itself.
    let photo_name = move || match model.has_text() {
        true => phrases.scores.with(|scores| scores.as_ref().map(|scores| scores.photo_name.clone())),
        false => photo.name(),
    };
    let stamp = move || match model.has_text() {
        true => phrases.scores.with(|scores| scores.as_ref().map_or(0, |scores| scores.stamp)),
        false => photo.number().unwrap_or(0),
    };
    let is_stale = move || {
        let of = phrases.scores.with(|scores| scores.as_ref().map(|scores| scores.photo_number));
        of.is_some() && of != photo.number()
    };
    view! {
        <section
            id="scores"
            aria-labelledby="scores-title"
            data-photo=photo_name
            data-stamp=move || stamp().to_string()
            class:stale=is_stale
        >
            <div class="heading">
                <h2 id="scores-title">"Phrases"</h2>
                <Show when=move || model.has_text()>
                    <button
                        type="button"
                        class="quiet-button"
                        aria-pressed=move || is_editing.get().to_string()
                        on:click=move |_| is_editing.update(|is_editing| *is_editing = !*is_editing)
                    >
                        {move || if is_editing.get() { "Back to the list" } else { "Edit as text" }}
                    </button>
                </Show>
            </div>
            <Show when=move || model.has_text() fallback=NoTexts>
                <Show when=move || is_editing.get() fallback=List>
                    <Editor on_done=move || is_editing.set(false)/>
                </Show>
                <AddForm/>
                <Check name="templates" value=phrases.templates>
                    "Average over prompt templates"
                </Check>
                <p class="quiet hint">
                    "The bar is the cosine similarity of photo and phrase; the percentages are the softmax
                    over all phrases. Click a phrase to choose it: the segmentation and the heads are about
                    the chosen phrase. You can paste several phrases at once, one per line."
                </p>
                <HowComputed about=Topic::Scores/>
            </Show>
        </section>
    }
}

/// Explains that a self-supervised model has no phrases, and what the page shows instead.
#[component]
fn NoTexts() -> impl IntoView {
    view! {
        <p class="no-texts">
            "This model learned from pictures alone and cannot score phrases. It shows where each of its
            heads looks: choose a head in the grid. The last layer is at the top."
        </p>
        <p class="quiet hint">
            "On the command line, headlamp align teaches the model phrases, from pictures with captions. The
            model that it writes has scores, segmentations and texts for its heads."
        </p>
    }
}

#[component]
pub fn List() -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let list = NodeRef::<Ul>::new();
    // Bars start at zero. The highest score reaches the right end, and the lowest negative score the left end.
    let range = Memo::new(move |_| {
        phrases.scores.with(|scores| {
            let values = scores.as_ref().map(|scores| scores.attribution.scores.clone()).unwrap_or_default();
            values.iter().fold((0.0_f32, 1e-6_f32), |(low, high), value| (low.min(*value), high.max(*value)))
        })
    });
    let remove = move |phrase: &str| {
        phrases.set_list.update(|phrases| phrases.remove(phrase));
        // The button that had the focus is gone.
        if let Some(list) = list.get_untracked() {
            let _focused = list.focus();
        }
    };
    view! {
        <ul class="phrases" node_ref=list tabindex="-1" aria-label="Phrases">
            <For each=move || phrases.list.get().as_slice().to_vec() key=String::clone let:phrase>
                <Row phrase=phrase range=range on_remove=remove/>
            </For>
        </ul>
    }
}

#[component]
fn Row(
    phrase: String,
    /// The lowest and the highest score, with zero between them.
    range: Memo<(f32, f32)>,
    on_remove: impl Fn(&str) + 'static,
) -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let phrase = StoredValue::new(phrase);
    let text = phrase.get_value();
    let figures = Memo::new(move |_| {
        phrase.with_value(|phrase| {
            phrases.scores.with(|scores| scores.as_ref().and_then(|scores| scores.of(phrase)))
        })
    });
    let is_chosen = Memo::new(move |_| {
        phrase.with_value(|phrase| phrases.chosen.with(|chosen| chosen.as_ref() == Some(phrase)))
    });
    let bar = move || {
        let (low, high) = range.get();
        let part = |value: f32| (value - low) / (high - low) * 100.0;
        let score = figures.get().map_or(0.0, |(score, _)| score);
        let (from, to) = (part(score.min(0.0)), part(score.max(0.0)));
        format!("left:{from:.2}%;width:{:.2}%", to - from)
    };
    view! {
        <li
            class="phrase"
            data-phrase=text.clone()
            data-score=move || figures.get().map(|(score, _)| score.to_string())
            data-probability=move || figures.get().map(|(_, probability)| probability.to_string())
            aria-current=move || is_chosen.get().then_some("true")
        >
            <button
                type="button"
                class="choose"
                aria-pressed=move || is_chosen.get().to_string()
                on:click=move |_| phrases.choice.set(Some(phrase.get_value()))
            >
                <span class="text">{text.clone()}</span>
                <span class="figures">
                    <span class="cosine" title="Cosine">
                        {move || figures.get().map_or_else(|| "·".to_owned(), |(score, _)| units::signed(score, 3))}
                    </span>
                    <span class="probability" title="Probability: softmax over these phrases">
                        {move || figures.get().map_or_else(|| "·".to_owned(), |(_, share)| units::percent(share))}
                    </span>
                </span>
                <span class="bar" aria-hidden="true">
                    <span
                        class="fill"
                        class:negative=move || figures.get().is_some_and(|(score, _)| score < 0.0)
                        style=bar
                    ></span>
                </span>
            </button>
            <button
                type="button"
                class="remove"
                aria-label=format!("Remove {text}")
                on:click=move |_| phrase.with_value(|phrase| on_remove(phrase))
            >
                "×"
            </button>
        </li>
    }
}

/// Adds phrases: one typed, or several pasted at once, one per line.
#[component]
pub fn AddForm(
    /// The id of the form, unique on the page.
    #[prop(default = "add-phrase")]
    id: &'static str,
) -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let input = NodeRef::<Input>::new();
    let add = move |text: &str| {
        phrases.set_list.update(|phrases| {
            phrases.add(text);
        });
    };
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Some(input) = input.get() {
            add(&input.value());
            input.set_value("");
        }
    };
    // Without this handler, a text field would join the pasted lines into one.
    let paste = move |event: ClipboardEvent| {
        let text = event.clipboard_data().and_then(|data| data.get_data("text/plain").ok()).unwrap_or_default();
        if text.trim().contains('\n') {
            event.prevent_default();
            add(&text);
        }
    };
    view! {
        <form id=id class="add-phrase" on:submit=submit>
            <input
                type="text"
                name="phrase"
                node_ref=input
                autocomplete="off"
                aria-label="Add a phrase"
                placeholder="Add a phrase"
                on:paste=paste
            />
            <button type="submit">"Add"</button>
        </form>
    }
}

/// Edits all phrases as text, one per line.
#[component]
fn Editor(on_done: impl Fn() + 'static) -> impl IntoView {
    let phrases = expect_context::<PhrasesState>();
    let area = NodeRef::<Textarea>::new();
    let use_text = move |_| {
        if let Some(Ok(list)) = area.get().map(|area| area.value().parse::<PhraseList>()) {
            phrases.set_list.set(list);
        }
        on_done();
    };
    let show_examples = move |_| {
        if let Some(area) = area.get() {
            area.set_value(&PhraseList::default().to_string());
        }
    };
    view! {
        <div class="editor">
            <textarea
                node_ref=area
                rows="10"
                aria-label="Phrases, one a line"
                prop:value=phrases.list.get_untracked().to_string()
            ></textarea>
            <div class="row">
                <button type="button" on:click=use_text>"Use these phrases"</button>
                <button type="button" class="quiet-button" on:click=show_examples>"Examples"</button>
            </div>
        </div>
    }
}
