//! The program of a helper worker: it loads the image tower from the stored pack, and runs the tower on one crop after
//! another.

use async_channel::Receiver;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::error::WorkerError;
use super::fetch;
use super::progress::{post, scope};
use crate::checkpoint::PackWeights;
use crate::model::{Backend, Crop, VisionTransformer};
use crate::protocol::wire::{self, Attachments};
use crate::session::helpers::messages::{HelperMessage, HelperRequest, HelperSetup, TowerOutput};

/// The name of a helper worker.
pub(super) const NAME: &str = "headlamp-helper";

/// A helper worker without a job ends after this time, in milliseconds, and frees its memory.
const REST: i32 = 30_000;

/// Serves requests until none comes for a while, or the main worker ends this one.
pub(super) async fn serve(messages: Receiver<JsValue>) {
    post(&HelperMessage::Listening, Attachments::default());
    let mut tower = None;
    let leave = Closure::<dyn FnMut()>::new(leave);
    loop {
        let timer = scope()
            .set_timeout_with_callback_and_timeout_and_arguments_0(leave.as_ref().unchecked_ref(), REST)
            .unwrap_or_default();
        let Ok(message) = messages.recv().await else { return };
        scope().clear_timeout_with_handle(timer);
        match answer(&message, &mut tower).await {
            Ok((message, buffers)) => post(&message, Attachments::of(buffers)),
            // The main worker continues without this helper.
            Err(err) => wasm_bindgen::throw_str(&err.to_string()),
        }
    }
}

fn leave() {
    post(&HelperMessage::Gone, Attachments::default());
    scope().close();
}

async fn answer(
    message: &JsValue,
    tower: &mut Option<VisionTransformer>,
) -> Result<(HelperMessage, Vec<Uint8Array>), WorkerError> {
    let (request, attachments) = wire::unwrap(message)?;
    match request {
        HelperRequest::SetUp(setup) => {
            *tower = load(setup).await;
            Ok((if tower.is_some() { HelperMessage::Ready } else { HelperMessage::Unable }, Vec::new()))
        }
        HelperRequest::Run { job, size, wants_patches } => {
            let tower = tower.as_ref().ok_or(WorkerError::NoTower)?;
            let values = attachments.buffers.first().map(wire::f32_of_buffer).unwrap_or_default();
            let output = TowerOutput::run(tower, &Crop { size, values }, wants_patches).await?;
            let buffers = output.arrays().into_iter().map(wire::buffer_of_f32).collect();
            Ok((HelperMessage::Done { job, shape: output.shape() }, buffers))
        }
    }
}

/// Loads the main worker's tower; returns `None` if the pack is not stored as the main worker opened it.
async fn load(setup: HelperSetup) -> Option<VisionTransformer> {
    let HelperSetup { folder, weights, vision, embedding } = setup;
    let mut weights = PackWeights::new(fetch::stored(&folder, &weights).await?).ok()?;
    VisionTransformer::load(&vision, embedding, &mut weights, Backend::Kernels).ok()
}
