//! Hands: further workers that run the image tower for the engine, so that galleries and videos use more than one
//! core. What is here knows of no browser; `worker/hands.rs` starts them, and `worker/hand.rs` is what one does.

pub mod ahead;
pub mod order;

/// More hands than this are not started: decoding and what follows on a trace stay with the engine.
const MOST: usize = 3;

/// On machines with less memory than this, in GB, there are none.
const LEAST_MEMORY: f64 = 4.0;

/// What all hands together may take of the machine's memory.
const SHARE: f64 = 0.125;

/// What a hand takes beside its tower's weights, in bytes: the program, and one picture's way through the tower.
const BESIDE: f64 = 96e6;

/// How many hands there may be on a machine of so many cores and so much memory (in GB, as far as the browser
/// tells it), for a tower of so many parameters.
pub fn how_many(cores: usize, memory: Option<f64>, parameters: u64) -> usize {
    let memory = memory.unwrap_or(LEAST_MEMORY);
    if memory < LEAST_MEMORY {
        return 0;
    }
    let each = 4.0 * parameters as f64 + BESIDE;
    let room = (SHARE * memory * 1e9 / each) as usize;
    // The engine itself has one core.
    cores.saturating_sub(1).min(MOST).min(room)
}

#[cfg(test)]
mod tests {
    use super::how_many;

    #[test]
    fn there_are_as_many_hands_as_the_machine_has_cores_and_memory_for() {
        const SMALL: u64 = 22_000_000;
        const LARGE: u64 = 304_000_000;
        // Not every browser tells the memory, a phone's least of all.
        assert_eq!(how_many(1, Some(8.0), SMALL), 0);
        assert_eq!(how_many(2, Some(8.0), SMALL), 1);
        assert_eq!(how_many(4, None, SMALL), 2);
        assert_eq!(how_many(64, Some(8.0), SMALL), 3);
        assert_eq!(how_many(8, Some(2.0), SMALL), 0);
        assert_eq!(how_many(8, Some(32.0), LARGE), 3);
        assert_eq!(how_many(8, Some(8.0), LARGE), 0);
        assert_eq!(how_many(0, None, 0), 0);
    }
}
