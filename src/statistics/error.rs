//! Why statistics cannot be used.

/// The version of the statistics file format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// Statistics that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StatisticsError {
    #[error("this is not a readable statistics file ({0}); make it anew with `headlamp stats`")]
    Malformed(String),
    #[error("the statistics are of format {0}, and this program reads format {FORMAT}; make them anew")]
    Format(u32),
    #[error(
        "the statistics belong to another model's weights ({found:.12}…, not {expected:.12}…); make them anew"
    )]
    OtherWeights { expected: String, found: String },
    #[error("statistics of different models cannot be merged")]
    Unlike,
}
