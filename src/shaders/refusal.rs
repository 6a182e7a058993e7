//! Errors that a GPU reports outside of any call: a shader or an allocation that it refuses. WebGPU still returns
//! a result, with the previous contents of the memory, and reports the error with the next readback.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::ShaderError;

/// The first error since errors were last taken.
static REFUSED: Mutex<Option<String>> = Mutex::new(None);

fn refused() -> MutexGuard<'static, Option<String>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores an error, if no error is stored yet.
pub fn note(error: &dyn std::fmt::Display) {
    refused().get_or_insert_with(|| error.to_string());
}

/// Returns the stored error and clears it.
pub fn take() -> Option<String> {
    refused().take()
}

/// Checks that no error is stored, so that the last readback is valid.
///
/// # Errors
/// [`ShaderError::Device`] when an error is stored.
pub fn check() -> Result<(), ShaderError> {
    match &*refused() {
        Some(refusal) => Err(ShaderError::Device(format!("it reported an error: {refusal}"))),
        None => Ok(()),
    }
}
