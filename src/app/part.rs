//! Parts of the page that come in files of their own, after what a visitor sees first.
//!
//! `cargo xtask build` cuts them out of the page's program (`--cfg in_parts`); in any other build they are in it, and
//! are there at once.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app::state::{Notice, State};

const MISSING: &str = "A part of this page could not be loaded. Check the connection, then reload the page.";

/// What shows a part.
pub type View = fn() -> AnyView;

/// A part's file could not be had.
pub struct Missing;

#[cfg(in_parts)]
impl From<leptos::wasm_split::SplitLoaderError> for Missing {
    fn from(_logged: leptos::wasm_split::SplitLoaderError) -> Self {
        Self
    }
}

/// `part!(name in file: view)`: a function that loads the part's file, and says what shows the part.
macro_rules! part {
    ($name:ident in $file:ident: $view:expr) => {
        #[cfg(in_parts)]
        #[leptos::wasm_split::wasm_split($file, wasm_split_path = leptos::wasm_split, fallible)]
        pub fn $name() -> Result<$crate::app::part::View, $crate::app::part::Missing> {
            Ok(|| leptos::prelude::IntoAny::into_any($view))
        }

        #[cfg(not(in_parts))]
        pub async fn $name() -> Result<$crate::app::part::View, $crate::app::part::Missing> {
            Ok(|| leptos::prelude::IntoAny::into_any($view))
        }
    };
}
pub(super) use part;

/// Loads a part once it is wanted, and shows it from then on.
#[component]
pub fn Part<Loading>(
    /// As `part!` makes them.
    load: fn() -> Loading,
    /// Whether somebody wants to see it.
    #[prop(into)]
    when: Signal<bool>,
) -> impl IntoView
where
    Loading: Future<Output = Result<View, Missing>> + 'static,
{
    let state = expect_context::<State>();
    let part = RwSignal::new(None::<View>);
    Effect::new(move || {
        if !when.get() || part.with_untracked(Option::is_some) {
            return;
        }
        spawn_local(async move {
            match load().await {
                Ok(_again) if part.with_untracked(Option::is_some) => {}
                Ok(view) => {
                    state.notice.update(|notice| {
                        notice.take_if(|notice| notice.sentence == MISSING);
                    });
                    part.set(Some(view));
                }
                Err(Missing) => state.notice.set(Some(Notice {
                    about: None,
                    sentence: MISSING.to_owned(),
                    offers_restart: false,
                })),
            }
        });
    });
    move || part.get().map(|view| view())
}
