//! The memory that a model takes, and the memory that is left for a second model beside the open one.

use crate::text::units;

/// The memory that a worker takes besides the model itself, in bytes: the program, and one run of the model.
const OVERHEAD: u64 = 96_000_000;

/// The second model needs more memory than is left.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this model needs {} of memory, and {} are left for a second model: choose a smaller model, or open this one in \
     place of the open model",
    units::bytes(*needed), units::bytes(*room)
)]
pub struct NoRoomForModel {
    pub needed: u64,
    pub room: u64,
}

/// Checks that a model fits into `room` bytes. `stored` is the size of its files, in bytes. While a model is opened,
/// the memory holds the files and the weights in 32 bits.
///
/// # Errors
/// If the model needs more. Without `room` there is no limit.
pub fn check(stored: u64, parameters: u64, room: Option<u64>) -> Result<(), NoRoomForModel> {
    // A damaged manifest may state any size.
    let needed = parameters.saturating_mul(4).saturating_add(stored).saturating_add(OVERHEAD);
    match room {
        Some(room) if needed > room => Err(NoRoomForModel { needed, room }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_just_fits_is_accepted() {
        // CLIP ViT-B/32 in 8 bits.
        let (stored, parameters) = (161_000_000, 151_000_000);
        let needed = 161_000_000 + 604_000_000 + OVERHEAD;
        assert_eq!(check(stored, parameters, Some(needed)), Ok(()));
        assert_eq!(check(stored, parameters, None), Ok(()));
        let refused = check(stored, parameters, Some(needed - 1)).unwrap_err();
        assert_eq!(refused, NoRoomForModel { needed, room: needed - 1 });
    }

    #[test]
    fn the_refusal_names_both_sizes() {
        let refused = NoRoomForModel { needed: 1_900_000_000, room: 640_000_000 };
        let sentence = refused.to_string();
        assert!(sentence.contains("needs 1.90 GB") && sentence.contains("640.0 MB are left"), "{sentence}");
    }
}
