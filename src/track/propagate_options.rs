//! The settings of mask propagation (docs/PAPERS.md, 2.4).

/// The settings of mask propagation. The default is the DAVIS protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PropagateOptions {
    /// Affinity is exp(cosine / temperature).
    pub temperature: f32,
    /// The number of most recent frames that are contexts, in addition to all seeds.
    pub recent: usize,
    /// The largest distance that a patch may move, in patches. 12 gives a neighbourhood of 25 x 25.
    pub radius: usize,
    /// The number of matches that count for each patch, over all contexts.
    pub top: usize,
}

impl Default for PropagateOptions {
    fn default() -> Self {
        Self { temperature: 0.1, recent: 7, radius: 12, top: 5 }
    }
}
