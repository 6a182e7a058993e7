//! Errors that a GPU reports outside of any call: a shader or an allocation that it refuses. WebGPU still returns
//! a result, with the previous contents of the memory, and reports the error with the next readback.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::ShaderError;

/// The first error since errors were last taken.
static FIRST_ERROR: Mutex<Option<String>> = Mutex::new(None);

fn first_error() -> MutexGuard<'static, Option<String>> {
    FIRST_ERROR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores an error, if no error is stored yet.
pub fn note(error: &dyn std::fmt::Display) {
    first_error().get_or_insert_with(|| error.to_string());
}

/// Returns the stored error and clears it.
pub fn take() -> Option<String> {
    first_error().take()
}

/// Checks that no error is stored, so that the last readback is valid.
///
/// # Errors
/// [`ShaderError::Device`] when an error is stored.
pub fn check() -> Result<(), ShaderError> {
    match &*first_error() {
        Some(error) => Err(ShaderError::Device(format!("it reported an error: {error}"))),
        None => Ok(()),
    }
}
