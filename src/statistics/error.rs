//! Why statistics cannot be used.

/// The version of the statistics file format that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// Statistics that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StatisticsError {
    #[error("this is not a readable statistics file ({0}); make a new one with `headlamp stats`")]
    Malformed(String),
    #[error(
        "the statistics file has format {0}, and this program reads format {FORMAT}; make a new file with `headlamp stats`"
    )]
    Format(u32),
    #[error(
        "the statistics belong to another model's weights ({found:.12}…, not {expected:.12}…); make new statistics with `headlamp stats`"
    )]
    OtherWeights { expected: String, found: String },
    #[error("the statistics have the shape of another model")]
    Unlike,
}
