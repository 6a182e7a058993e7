//! Helper workers: further workers that run the image tower, so that galleries and videos use more than one core. This
//! module knows no browser; `worker/helpers.rs` starts helper workers, and `worker/helper.rs` is the program of one.

pub mod messages;
pub mod schedule;

/// The largest number of helper workers. The main worker decodes and evaluates; it would not keep up with more.
const MOST: usize = 3;

/// On machines with less memory than this, in GB, there are no helper workers.
const LEAST_MEMORY: f64 = 4.0;

/// The share of the machine's memory that all helper workers together may take.
const SHARE: f64 = 0.125;

/// The memory that a helper worker takes besides its tower's weights, in bytes: the program, and one run of the tower.
const OVERHEAD: f64 = 96e6;

/// Returns how many helper workers to start, for a tower with this many parameters, on a machine with this many cores
/// and this much memory (in GB; `None` if the browser does not tell).
pub fn how_many(cores: usize, memory: Option<f64>, parameters: u64) -> usize {
    let memory = memory.unwrap_or(LEAST_MEMORY);
    if memory < LEAST_MEMORY {
        return 0;
    }
    let each = 4.0 * parameters as f64 + OVERHEAD;
    let room = (SHARE * memory * 1e9 / each) as usize;
    // The main worker needs one core itself.
    cores.saturating_sub(1).min(MOST).min(room)
}

#[cfg(test)]
mod tests {
    use super::how_many;

    #[test]
    fn cores_and_memory_limit_the_number_of_helpers() {
        const SMALL: u64 = 22_000_000;
        const LARGE: u64 = 304_000_000;
        // Not every browser tells the memory; phones seldom do.
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
