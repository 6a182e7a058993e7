//! Follows the names of heads while pictures arrive, and measures how steady they are.

use leptos::prelude::*;

use crate::page::heads::browser::names::HeadNamesState;
use crate::page::heads::settling::{Names, Settling};
use crate::protocol::{HeadNames, NamedHead};

/// How steady the names of the open model's heads are.
#[derive(Clone, Copy)]
pub struct SettlingState {
    pub settling: RwSignal<Settling>,
}

impl SettlingState {
    pub fn new(names: HeadNamesState) -> Self {
        let settling = RwSignal::new(Settling::default());
        // There are no names while another model opens, or another pool is prepared.
        Effect::new(move || match names.names.with(|names| names.as_ref().map(names_in_words)) {
            Some((pictures, names)) => settling.update(|settling| settling.take(pictures, names)),
            None => settling.set(Settling::default()),
        });
        Self { settling }
    }
}

/// Returns the number of pictures behind the names, and the names.
fn names_in_words(names: &HeadNames) -> (u64, Names) {
    let name = |head: &NamedHead| head.property.and_then(|property| names.properties.get(property).cloned());
    (names.images, names.heads.iter().map(|layer| layer.iter().map(name).collect()).collect())
}
