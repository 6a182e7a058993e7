//! Images with their captions.

use nalgebra::DMatrix;

use super::error::AlignError;
use super::split::FEWEST;

/// Images, captions, and which of them belong together.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Outputs of an image tower, `[image, width]`: CLS after the final norm.
    pub images: DMatrix<f64>,
    /// Unit vectors of distinct captions, `[caption, embedding]`.
    pub captions: DMatrix<f64>,
    /// (image, caption) pairs that belong together. An image can have several captions, and a caption several
    /// images.
    pub pairs: Vec<(usize, usize)>,
}

impl Pairs {
    /// Returns only the given images, in the given order, with their captions.
    pub fn of_images(&self, images: &[usize]) -> Self {
        let mut place = vec![None; self.images.nrows()];
        for (new, old) in images.iter().enumerate() {
            place[*old] = Some(new);
        }
        let mut captions = Vec::new();
        let mut caption_place = vec![None; self.captions.nrows()];
        let mut pairs = Vec::new();
        for (image, caption) in &self.pairs {
            let Some(image) = place[*image] else { continue };
            let caption = *caption_place[*caption].get_or_insert_with(|| {
                captions.push(*caption);
                captions.len() - 1
            });
            pairs.push((image, caption));
        }
        Self { images: self.images.select_rows(images), captions: self.captions.select_rows(&captions), pairs }
    }

    pub(super) fn check(&self) -> Result<(), AlignError> {
        if self.images.nrows() < FEWEST {
            return Err(AlignError::TooFew(self.images.nrows()));
        }
        if self.images.iter().any(|value| !value.is_finite()) {
            return Err(AlignError::NotFinite);
        }
        Ok(())
    }
}
