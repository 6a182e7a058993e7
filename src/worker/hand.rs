//! What a hand does: it takes the image tower out of the kept pack, and runs it over one crop after another.

use async_channel::Receiver;
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};

use super::error::WorkerError;
use super::fetch;
use super::report::{post, scope};
use crate::checkpoint::PackWeights;
use crate::model::{Backend, Crop, VisionTransformer};
use crate::protocol::wire::{self, Attachments};
use crate::session::hands::order::{Lesson, Order, Report, Seen};

/// The name of a worker that is a hand.
pub(super) const NAME: &str = "headlamp-hand";

/// A hand that has nothing to do for so long goes, and its memory with it, in milliseconds.
const REST: i32 = 30_000;

/// Takes orders until there are no more for long, or the engine ends the worker.
pub(super) async fn serve(messages: Receiver<JsValue>) {
    post(&Report::Listening, Attachments::default());
    let mut tower = None;
    let leave = Closure::<dyn FnMut()>::new(leave);
    loop {
        let timer = scope()
            .set_timeout_with_callback_and_timeout_and_arguments_0(leave.as_ref().unchecked_ref(), REST)
            .unwrap_or_default();
        let Ok(message) = messages.recv().await else { return };
        scope().clear_timeout_with_handle(timer);
        match follow(&message, &mut tower).await {
            Ok((report, buffers)) => post(&report, Attachments::of(buffers)),
            // The engine does without this hand.
            Err(err) => wasm_bindgen::throw_str(&err.to_string()),
        }
    }
}

fn leave() {
    post(&Report::Gone, Attachments::default());
    scope().close();
}

async fn follow(
    message: &JsValue,
    tower: &mut Option<VisionTransformer>,
) -> Result<(Report, Vec<Uint8Array>), WorkerError> {
    let (order, attachments) = wire::unwrap(message)?;
    match order {
        Order::Learn(lesson) => {
            *tower = learn(lesson).await;
            Ok((if tower.is_some() { Report::Ready } else { Report::Unable }, Vec::new()))
        }
        Order::Run { order, size, wants_patches } => {
            let tower = tower.as_ref().ok_or(WorkerError::NoTower)?;
            let values = attachments.buffers.first().map(wire::f32_of_buffer).unwrap_or_default();
            let seen = Seen::run(tower, &Crop { size, values }, wants_patches).await?;
            let buffers = seen.arrays().into_iter().map(wire::buffer_of_f32).collect();
            Ok((Report::Done { order, shape: seen.shape() }, buffers))
        }
    }
}

/// The tower as the engine has it; none where the pack is not kept as the engine opened it.
async fn learn(lesson: Lesson) -> Option<VisionTransformer> {
    let Lesson { folder, weights, vision, embedding } = lesson;
    let mut weights = PackWeights::new(fetch::kept(&folder, &weights).await?).ok()?;
    VisionTransformer::load(&vision, embedding, &mut weights, Backend::Kernels).ok()
}
