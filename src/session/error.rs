//! Everything that can go wrong with an open model.

use crate::checkpoint::CheckpointError;
use crate::media::MediaError;
use crate::model::ModelError;
use crate::statistics::StatisticsError;

/// Why a session could not be opened, or could not answer. The words tell the person what to do.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error("the pack's tokenizer cannot be used ({0}); fetch the pack again")]
    Tokenizer(String),
    #[error(
        "the text that starts \u{201c}{start}\u{201d} is {tokens} tokens long, and the model reads {context}: shorten it"
    )]
    LongText { start: String, tokens: usize, context: usize },
    #[error("no GPU can be used here ({0}); choose the CPU")]
    NoGpu(String),
    #[error("the GPU refused the model ({0}); choose the CPU")]
    GpuRefused(String),
    #[error("there is no head {head} in layer {layer}: the model has layers 0 to {} of heads 0 to {}", layers - 1, heads - 1)]
    NoHead { layer: usize, head: usize, layers: usize, heads: usize },
    #[error("this pack has no head statistics: add your own images first")]
    NoStatistics,
    #[error("this ablation names a component that the model does not have")]
    NoComponent,
    #[error("this pack has no pool of texts: add your own texts first")]
    NoPool,
    #[error("open a photo first")]
    NoPhoto,
    #[error("the pack is not open yet")]
    NoPack,
}
