//! The list of phrases that the browser keeps for the person.

use codee::string::FromToStringCodec;
use leptos::prelude::*;
use leptos_use_storage::{UseStorageOptions, use_local_storage_with_options};

use crate::page::photo::phrase_list::PhraseList;

/// Returns the list of phrases, and its setter: the list that was given, or else the person's own from the last visit.
/// The browser keeps what the person makes of either. An embedded page neither reads nor changes the person's list.
pub fn phrases(given: Option<PhraseList>, is_embedded: bool) -> (Signal<PhraseList>, WriteSignal<PhraseList>) {
    if is_embedded {
        let (phrases, set_phrases) = signal(given.unwrap_or_default());
        return (phrases.into(), set_phrases);
    }
    let (kept, keep, _) = use_local_storage_with_options::<PhraseList, FromToStringCodec>(
        "headlamp-phrases",
        UseStorageOptions::default().initial_value(PhraseList::default()).listen_to_storage_changes(false),
    );
    let (phrases, set_phrases) = signal(given.unwrap_or_else(|| kept.get_untracked()));
    Effect::new(move |before: Option<()>| {
        let list = phrases.get();
        // A list that came with an address is the person's only after a change.
        if before.is_some() {
            keep.set(list);
        }
    });
    (phrases.into(), set_phrases)
}
