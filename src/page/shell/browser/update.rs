//! A new version of the page, which waits until the person accepts it.

use js_sys::Reflect;
use leptos::prelude::*;
use leptos_use_service_worker::{
    UseServiceWorkerOptions, UseServiceWorkerReturn, use_service_worker_with_options,
};

/// Offers a new version of the page once it has been downloaded.
#[component]
pub fn Update() -> impl IntoView {
    // Pages without HTTPS have no service workers.
    let has_service_workers = Reflect::has(&window().navigator(), &"serviceWorker".into()).is_ok_and(|has| has);
    has_service_workers.then(|| view! { <Waiting/> })
}

#[component]
fn Waiting() -> impl IntoView {
    let is_wanted = StoredValue::new(false);
    // On the first visit, a service worker of the same build takes control of the page.
    let is_first = StoredValue::new(window().navigator().service_worker().controller().is_none());
    let is_outdated = RwSignal::new(false);
    let change = move || {
        if is_wanted.get_value() {
            return reload();
        }
        if !is_first.get_value() {
            is_outdated.set(true);
        }
        is_first.set_value(false);
    };
    let options = UseServiceWorkerOptions::default().script_url("sw.js").on_controller_change(change);
    let UseServiceWorkerReturn { waiting, skip_waiting, .. } = use_service_worker_with_options(options);
    let take = move |_| {
        // If no service worker waits, another tab has activated the new version.
        if !waiting.get_untracked() {
            return reload();
        }
        is_wanted.set_value(true);
        skip_waiting();
    };
    let says = move || match (is_outdated.get(), waiting.get()) {
        (true, _) => Some("headlamp was updated in another tab."),
        (false, true) => Some("A new version of headlamp is here."),
        (false, false) => None,
    };
    view! {
        <div class="notice" class:shown=move || says().is_some()>
            <p role="status">{says}</p>
            <button type="button" id="take-update" on:click=take>"Reload to use it"</button>
        </div>
    }
}

fn reload() {
    let _reloads = window().location().reload();
}
