//! The size and the error of each way of storing the model's weights.

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
                <h3>"Storage of the weights"</h3>
                <Show
                    when=is_told
                    fallback=|| {
                        view! {
                            <p class="quiet">
                                "This pack does not contain the errors of its weights with fewer bits."
                            </p>
                        }
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
                    <th scope="col">"Largest error in one matrix"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        </div>
        <p class="quiet">
            "The error is the root mean square of the rounding errors, relative to the weights."
        </p>
    }
}

fn row(pack: &PackSummary, cost: &StorageSummary) -> impl IntoView + use<> {
    let StorageSummary { storage, bytes, error, worst, worst_error } = cost.clone();
    let is_this = pack.stored_as == Some(storage);
    let label = format!("{}{}", storage.label(), if is_this { ", in use" } else { "" });
    view! {
        <tr aria-current=is_this.then_some("true") data-storage=storage.label() data-bytes=bytes data-error=error>
            <th scope="row">{label}</th>
            <td>{units::bytes(bytes)}</td>
            // The size of the file plus the size of the weights in 32 bits, which are computed from the file.
            <td>{units::bytes(bytes + pack.memory.weights)}</td>
            <td>{units::fine_percent(error)}</td>
            <td>{units::fine_percent(worst_error)}" "<span class="quiet">{worst}</span></td>
        </tr>
    }
}

fn memory(pack: &PackSummary) -> String {
    let MemorySummary { weights, worker } = pack.memory;
    format!(
        "In memory the weights take {}: the model computes in 32 bits. The worker uses {} in total.",
        units::bytes(weights),
        units::bytes(worker)
    )
}
