//! What each way of storing the model's weights costs.

use leptos::prelude::*;

use crate::page::model::browser::state::ModelState;
use crate::protocol::{MemorySummary, PackSummary, StorageSummary};
use crate::text::units;

#[component]
pub fn Storages() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let is_told = move || model.pack.with(|pack| pack.as_ref().is_some_and(|pack| !pack.storages.is_empty()));
    let is_open = move || model.pack.with(Option::is_some);
    view! {
        <Show when=is_open>
            <div class="storages">
                <h3>"What storing the weights costs"</h3>
                <Show
                    when=is_told
                    fallback=|| {
                        view! { <p class="quiet">"This pack does not say what fewer bits cost its weights."</p> }
                    }
                >
                    <Table/>
                </Show>
                <p class="quiet">{move || model.pack.with(|pack| pack.as_ref().map(memory))}</p>
            </div>
        </Show>
    }
}

#[component]
fn Table() -> impl IntoView {
    let model = expect_context::<ModelState>();
    let rows = move || {
        model.pack.with(|pack| {
            let of = |pack: &PackSummary| pack.storages.iter().map(|cost| row(pack, cost)).collect_view();
            pack.as_ref().map(of)
        })
    };
    view! {
        <div class="plain-table">
        <table>
            <thead>
                <tr>
                    <th scope="col">"Stored in"</th>
                    <th scope="col">"Size"</th>
                    <th scope="col">"Memory to open it"</th>
                    <th scope="col">"Error"</th>
                    <th scope="col">"Most in one matrix"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        </div>
        <p class="quiet">
            "The error is the root mean square of what rounding changed, relative to the weights themselves."
        </p>
    }
}

fn row(pack: &PackSummary, cost: &StorageSummary) -> impl IntoView + use<> {
    let StorageSummary { storage, bytes, error, worst, worst_error } = cost.clone();
    let is_this = pack.stored_as == Some(storage);
    let label = format!("{}{}", storage.label(), if is_this { ", as here" } else { "" });
    view! {
        <tr aria-current=is_this.then_some("true") data-storage=storage.label() data-bytes=bytes data-error=error>
            <th scope="row">{label}</th>
            <td>{units::bytes(bytes)}</td>
            // The file, and the weights that are made of it.
            <td>{units::bytes(bytes + pack.memory.weights)}</td>
            <td>{units::fine_percent(error)}</td>
            <td>{units::fine_percent(worst_error)}" "<span class="quiet">{worst}</span></td>
        </tr>
    }
}

fn memory(pack: &PackSummary) -> String {
    let MemorySummary { weights, worker } = pack.memory;
    format!(
        "In memory the weights take {}, in 32 bits however they are stored. The worker holds {} in all.",
        units::bytes(weights),
        units::bytes(worker)
    )
}
