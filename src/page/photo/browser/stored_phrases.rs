//! The person's list of phrases, which the browser stores.

use codee::string::FromToStringCodec;
use leptos::prelude::*;
use leptos_use_storage::{UseStorageOptions, use_local_storage_with_options};

use crate::page::photo::phrase_list::PhraseList;

/// Returns the list of phrases, and its setter. The list is `given`, or else the person's own list from the last
/// visit. The browser stores every change that the person makes. An embedded page neither reads nor changes the
/// person's list.
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
        // A list from an address is stored only after the person has changed it.
        if before.is_some() {
            keep.set(list);
        }
    });
    (phrases.into(), set_phrases)
}
