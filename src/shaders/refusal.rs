//! What a GPU refuses on the side: a shader, or memory. WebGPU answers all the same, with whatever the memory held before,
//! and tells of the refusal by the time that something was read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::ModelError;

/// The first refusal since it was last taken.
static REFUSED: Mutex<Option<String>> = Mutex::new(None);

fn refused() -> MutexGuard<'static, Option<String>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes note of a refusal.
pub fn note(error: &dyn std::fmt::Display) {
    refused().get_or_insert_with(|| error.to_string());
}

/// What was refused, which is forgotten.
pub fn take() -> Option<String> {
    refused().take()
}

/// Whether what was read can be what was asked for.
///
/// # Errors
/// [`ModelError::Device`] where anything was refused.
pub fn check() -> Result<(), ModelError> {
    match &*refused() {
        Some(refusal) => Err(ModelError::Device(format!("it refused something: {refusal}"))),
        None => Ok(()),
    }
}
