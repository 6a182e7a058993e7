//! The memory that a second model may take beside the first.

use crate::protocol::MemorySummary;

/// The share of the machine's memory that both models together may take.
const SHARE: f64 = 0.5;

/// The assumed memory of a machine whose browser does not tell it, in GB.
const USUAL: f64 = 4.0;

/// The largest memory of one worker, in bytes: addresses of wasm have 32 bits.
const LARGEST: u64 = 1 << 32;

/// Returns the bytes that are left for a second model. `machine` is the memory of the machine in GB, if the browser
/// tells it. On a GPU, the weights of the first model are not part of the memory of its worker.
pub fn room(machine: Option<f64>, first: MemorySummary, is_first_on_gpu: bool) -> u64 {
    let taken = first.worker + if is_first_on_gpu { first.weights } else { 0 };
    let both = (SHARE * machine.unwrap_or(USUAL) * 1e9) as u64;
    both.saturating_sub(taken).min(LARGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: MemorySummary = MemorySummary { weights: 180_000_000, worker: 300_000_000 };

    #[test]
    fn both_models_share_half_of_the_memory() {
        assert_eq!(room(Some(8.0), FIRST, false), 3_700_000_000);
        assert_eq!(room(Some(8.0), FIRST, true), 3_520_000_000);
        assert_eq!(room(None, FIRST, false), 1_700_000_000);
    }

    #[test]
    fn a_small_machine_has_no_room_and_a_large_one_has_one_worker() {
        assert_eq!(room(Some(0.5), FIRST, false), 0);
        assert_eq!(room(Some(64.0), FIRST, false), LARGEST);
    }
}
