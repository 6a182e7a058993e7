//! The settings of a model that neither its tensors nor its configs contain, and the user's values for them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::normalisation::{OPENAI_MEAN, OPENAI_STD};
use crate::model::Activation;

/// The user's values for settings that the file does not contain. They take precedence over all other sources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GivenSettings {
    pub vision_heads: Option<usize>,
    pub text_heads: Option<usize>,
    pub activation: Option<Activation>,
    pub eps: Option<f64>,
    pub mean: Option<[f32; 3]>,
    pub std: Option<[f32; 3]>,
}

/// A setting that the user has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingSetting {
    /// The number of heads of the image tower. The field is the number that heads of width 64 would give. Nearly all
    /// models have heads of this width.
    VisionHeads(usize),
    /// The number of heads of the text tower, with the same field.
    TextHeads(usize),
    /// Quick GELU (OpenAI's weights, and weights that were trained further from them) or GELU (other models).
    Activation,
    /// The channels' means and standard deviations. They are nearly always OpenAI's.
    Normalisation,
}

/// All settings that the user has to give before the file can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSettings(pub Vec<MissingSetting>);

impl fmt::Display for MissingSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|setting| match setting {
            MissingSetting::VisionHeads(heads) => format!("heads ({heads} if each is 64 wide)"),
            MissingSetting::TextHeads(heads) => format!("text-heads ({heads} if each is 64 wide)"),
            MissingSetting::Activation => {
                "activation (quick_gelu for OpenAI's weights, gelu for most others)".into()
            }
            MissingSetting::Normalisation => {
                format!("mean and std (usually OpenAI's, {OPENAI_MEAN:?} and {OPENAI_STD:?})")
            }
        });
        formatter.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}
