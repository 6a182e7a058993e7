//! Retrieval by property: finds the pictures of a gallery that are similar in one head, in several heads, or as a
//! whole, and the pictures with the highest score for a text (docs/PAPERS.md, 1.13).
//!
//! For each picture, a gallery stores its [`PictureCodes`]: the code u of every head, and the contributions of MLPs and
//! z0. The codes are enough for everything here. A trace would be a hundred times larger.

use std::borrow::Borrow;

use half::f16;

use crate::decompose::{Decomposition, Direction, HeadBasis, Parts, Readout};
use crate::statistics::Statistics;
use crate::zero_shot;

/// The contributions of every component of the model to one picture's embedding, in compact form. The score of any
/// text, and each component's part in it, follow from the codes. The parts of the patches do not.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureCodes {
    /// The unit embedding. `[embedding]`
    pub embedding: Vec<f32>,
    /// The code u of each head; its contribution is `c = B u`. `[layer][head][code]`
    head_codes: Vec<f32>,
    /// The contribution of each MLP. `[layer][embedding]`
    mlps: Vec<f32>,
    /// The contribution of z0. `[embedding]`
    embedded: Vec<f32>,
}

/// Bytes that are not the codes of a picture for the open model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored picture has {found} bytes where this model needs {expected}: add the picture again")]
pub struct PictureCodesSizeError {
    pub expected: usize,
    pub found: usize,
}

impl PictureCodes {
    /// Computes the codes of a picture.
    pub fn of(image: &Decomposition<'_>, readout: &Readout) -> Self {
        let codes = all_heads(readout).flat_map(|(layer, head)| image.head_code(layer, head));
        Self {
            embedding: image.embedding(),
            head_codes: codes.map(|value| value as f32).collect(),
            mlps: image.mlps().into_iter().flatten().map(|value| value as f32).collect(),
            embedded: image.embedded().into_iter().map(|value| value as f32).collect(),
        }
    }

    /// Returns the number of numbers that a model's codes of one picture have.
    pub fn numbers(readout: &Readout) -> usize {
        readout.layers * readout.heads * readout.code_len() + (readout.layers + 2) * readout.embedding
    }

    /// Writes the codes in 16-bit floats, two bytes for each number. Scores change by less than 1e-3.
    pub fn to_bytes(&self) -> Vec<u8> {
        let all = [&self.embedding, &self.head_codes, &self.mlps, &self.embedded];
        all.into_iter().flatten().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect()
    }

    /// Reads the bytes that [`Self::to_bytes`] wrote for the same model.
    ///
    /// # Errors
    /// [`PictureCodesSizeError`] when the number of bytes is not the number that the model needs.
    pub fn from_bytes(bytes: &[u8], readout: &Readout) -> Result<Self, PictureCodesSizeError> {
        let expected = 2 * Self::numbers(readout);
        if bytes.len() != expected {
            return Err(PictureCodesSizeError { expected, found: bytes.len() });
        }
        let mut values = bytes.as_chunks().0.iter().map(|pair| f16::from_le_bytes(*pair).to_f32());
        let mut next = |count: usize| values.by_ref().take(count).collect::<Vec<f32>>();
        Ok(Self {
            embedding: next(readout.embedding),
            head_codes: next(readout.layers * readout.heads * readout.code_len()),
            mlps: next(readout.layers * readout.embedding),
            embedded: next(readout.embedding),
        })
    }

    /// Returns the code u of a head.
    pub fn code(&self, readout: &Readout, layer: usize, head: usize) -> Vec<f64> {
        let start = (layer * readout.heads + head) * readout.code_len();
        self.head_codes[start..start + readout.code_len()].iter().map(|value| f64::from(*value)).collect()
    }

    /// Returns the cosine with a text, which must be a unit vector as the text towers produce it.
    pub fn score(&self, text: &[f32]) -> f64 {
        zero_shot::dot(&self.embedding, text)
    }

    /// Returns the sum of the contributions of MLPs and z0: the unit embedding minus all attention. `[embedding]`
    pub fn without_attention(&self, readout: &Readout) -> Vec<f64> {
        let mut sum: Vec<f64> = self.embedded.iter().map(|value| f64::from(*value)).collect();
        for mlp in self.mlps.chunks(readout.embedding) {
            sum.iter_mut().zip(mlp).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        sum
    }

    /// Returns every component's part in a text's score.
    pub fn parts(&self, readout: &Readout, direction: &Direction) -> Parts {
        let part = |layer, head| readout.code_part(direction, layer, head, &self.code(readout, layer, head));
        let score = |vector: &[f32]| {
            direction.score_of(&vector.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>())
        };
        Parts {
            heads: (0..readout.layers)
                .map(|layer| (0..readout.heads).map(|head| part(layer, head)).collect())
                .collect(),
            mlps: self.mlps.chunks(readout.embedding).map(score).collect(),
            embedding: score(&self.embedded),
        }
    }
}

/// The part of the embeddings by which pictures are compared.
pub enum Property {
    /// The whole embedding.
    Whole,
    /// The sum of the contributions of some heads.
    Heads(Vec<HeadWithBasis>),
}

/// A head and its matrix B.
pub struct HeadWithBasis {
    layer: usize,
    head: usize,
    basis: HeadBasis,
}

impl Property {
    /// Selects the sum of the contributions of the heads (layer, head). Without heads, selects the whole
    /// embedding.
    pub fn new(readout: &Readout, heads: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let of_head = |(layer, head)| HeadWithBasis { layer, head, basis: readout.head_basis(layer, head) };
        let heads: Vec<HeadWithBasis> = heads.into_iter().map(of_head).collect();
        if heads.is_empty() { Self::Whole } else { Self::Heads(heads) }
    }

    /// Returns the selected part of a picture's embedding. `[embedding]`
    pub fn of(&self, readout: &Readout, image: &PictureCodes) -> Vec<f64> {
        match self {
            Self::Whole => image.embedding.iter().map(|value| f64::from(*value)).collect(),
            Self::Heads(heads) => {
                let mut sum = vec![0.0; readout.embedding];
                for HeadWithBasis { layer, head, basis } in heads {
                    let part = basis.contribution(&image.code(readout, *layer, *head));
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
                }
                sum
            }
        }
    }

    /// Returns the mean of the selected part over the images of `statistics`. `[embedding]`
    pub fn mean(&self, readout: &Readout, statistics: &Statistics) -> Vec<f64> {
        let mut sum = vec![0.0; readout.embedding];
        let mut add = |part: &[f64]| sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        match self {
            Self::Whole => {
                for (layer, head) in all_heads(readout) {
                    add(&readout.code_contribution(layer, head, &statistics.head(layer, head).mean));
                }
                (0..readout.layers).for_each(|layer| add(statistics.mlp(layer)));
                add(statistics.embedded());
            }
            Self::Heads(heads) => {
                for HeadWithBasis { layer, head, basis } in heads {
                    add(&basis.contribution(&statistics.head(*layer, *head).mean));
                }
            }
        }
        sum
    }

    /// Returns the length of the difference between the selected part and `mean`, for each picture of a gallery.
    pub fn distances(
        &self,
        readout: &Readout,
        mean: &[f64],
        gallery: impl IntoIterator<Item: Borrow<PictureCodes>>,
    ) -> Vec<f64> {
        let distance =
            |part: Vec<f64>| part.iter().zip(mean).map(|(part, mean)| (part - mean).powi(2)).sum::<f64>().sqrt();
        gallery.into_iter().map(|image| distance(self.of(readout, image.borrow()))).collect()
    }

    /// Returns the similarity of each picture of a gallery to `query`: the cosine of the selected parts. Zero when
    /// one of them is the zero vector.
    pub fn similarities(
        &self,
        readout: &Readout,
        query: &PictureCodes,
        gallery: impl IntoIterator<Item: Borrow<PictureCodes>>,
    ) -> Vec<f64> {
        let query = self.of(readout, query);
        gallery.into_iter().map(|image| cosine(&query, &self.of(readout, image.borrow()))).collect()
    }

    /// Returns the score of the selected part for a text, for each picture of a gallery.
    pub fn scores(
        &self,
        readout: &Readout,
        text: &[f32],
        gallery: impl IntoIterator<Item: Borrow<PictureCodes>>,
    ) -> Vec<f64> {
        let direction = readout.direction(text);
        let through = |image: &PictureCodes| match self {
            Self::Whole => image.score(text),
            Self::Heads(heads) => heads
                .iter()
                .map(|HeadWithBasis { layer, head, .. }| {
                    readout.code_part(&direction, *layer, *head, &image.code(readout, *layer, *head))
                })
                .sum(),
        };
        gallery.into_iter().map(|image| through(image.borrow())).collect()
    }
}

/// Returns the indices of the `most` highest scores, highest first. Equal scores keep their order.
pub fn ranked(scores: &[f64], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order.truncate(most);
    order
}

fn all_heads(readout: &Readout) -> impl Iterator<Item = (usize, usize)> {
    let heads = readout.heads;
    (0..readout.layers).flat_map(move |layer| (0..heads).map(move |head| (layer, head)))
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}
