//! What the browser remembers for the person: the list of phrases.

use codee::string::FromToStringCodec;
use leptos::prelude::*;
use leptos_use::storage::{UseStorageOptions, use_local_storage_with_options};

use crate::page::photo::phrase_list::PhraseList;
use crate::page::shell::address::Address;

/// The phrases: those of the address, else the person's own from the last visit. What the person makes of either is
/// kept. A page in somebody else's neither reads nor changes the person's list.
pub fn phrases(address: &Address) -> (Signal<PhraseList>, WriteSignal<PhraseList>) {
    if address.embed {
        let (phrases, set_phrases) = signal(address.texts.clone().unwrap_or_default());
        return (phrases.into(), set_phrases);
    }
    let (kept, keep, _) = use_local_storage_with_options::<PhraseList, FromToStringCodec>(
        "headlamp-phrases",
        UseStorageOptions::default().initial_value(PhraseList::default()).listen_to_storage_changes(false),
    );
    let (phrases, set_phrases) = signal(address.texts.clone().unwrap_or_else(|| kept.get_untracked()));
    Effect::new(move |before: Option<()>| {
        let list = phrases.get();
        // A list that only came with an address is not the person's yet.
        if before.is_some() {
            keep.set(list);
        }
    });
    (phrases.into(), set_phrases)
}
