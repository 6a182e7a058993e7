//! The means and standard deviations with which models normalise the channels of their pictures (red, green, blue).

/// OpenAI's means. Nearly every CLIP uses OpenAI's means and deviations.
pub(super) const OPENAI_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// OpenAI's standard deviations.
pub(super) const OPENAI_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
/// ImageNet's means. Models that were trained without texts use ImageNet's means and deviations.
pub(super) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// ImageNet's standard deviations.
pub(super) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// The mean and the deviation of models whose input is between -1 and 1.
pub(super) const HALF: [f32; 3] = [0.5; 3];
