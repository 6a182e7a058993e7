//! What a gallery of images says about each head: the mean and covariance of its codes, and the means of
//! every other component (docs/PAPERS.md, 1.8).
//!
//! A head's contributions over K images are `c = B u`, so the K x d matrix that TextSpan is stated on is never
//! kept: the [`Moments`] of u, a few thousand numbers a head, hold all that it asks. Moments of parts of a
//! gallery merge into those of the whole, so that any number of machines can share the work.

use nalgebra::DMatrix;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::decompose::{Decomposition, Readout};

/// The format of statistics files that this program writes and reads.
const FORMAT: u32 = 1;
/// The key of the file's metadata that holds [`Heading`] as JSON.
const HEADING: &str = "headlamp";

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

/// Count, mean and scatter of vectors, gathered one by one (Welford) or from parts (pairwise).
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: Vec<f64>,
    /// The sum of (x - mean)(x - mean)^T: the lower triangle, rows first.
    scatter: Vec<f64>,
}

impl Moments {
    /// The moments of no vector of `len` numbers.
    pub fn new(len: usize) -> Self {
        Self { count: 0, mean: vec![0.0; len], scatter: vec![0.0; triangle(len)] }
    }

    /// Takes one more vector in.
    pub fn push(&mut self, x: &[f64]) {
        self.count += 1;
        let count = self.count as f64;
        let before: Vec<f64> = x.iter().zip(&self.mean).map(|(x, mean)| x - mean).collect();
        self.mean.iter_mut().zip(&before).for_each(|(mean, off)| *mean += off / count);
        // (x - mean before)(x - mean after)^T is symmetric: both are multiples of the same vector.
        self.add_outer(&before, (count - 1.0) / count);
    }

    /// Takes in all that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let (ours, theirs) = (self.count as f64, other.count as f64);
        let apart: Vec<f64> = other.mean.iter().zip(&self.mean).map(|(theirs, ours)| theirs - ours).collect();
        self.scatter.iter_mut().zip(&other.scatter).for_each(|(sum, part)| *sum += part);
        self.add_outer(&apart, ours * theirs / (ours + theirs));
        self.mean.iter_mut().zip(&apart).for_each(|(mean, apart)| *mean += apart * theirs / (ours + theirs));
        self.count += other.count;
    }

    /// The population covariance S, `[len, len]`; zero where nothing was seen.
    pub fn covariance(&self) -> DMatrix<f64> {
        let len = self.mean.len();
        let scale = 1.0 / self.count.max(1) as f64;
        DMatrix::from_fn(len, len, |row, column| self.scatter[triangle(row.max(column)) + row.min(column)] * scale)
    }

    fn add_outer(&mut self, x: &[f64], weight: f64) {
        let mut entries = self.scatter.iter_mut();
        for (row, left) in x.iter().enumerate() {
            for (right, entry) in x[..=row].iter().zip(entries.by_ref()) {
                *entry += weight * left * right;
            }
        }
    }
}

/// Entries of the first `rows` rows of a lower triangle.
fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

/// A model's statistics over a gallery.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// SHA-256 of the weights that they were gathered with.
    weights: String,
    images: u64,
    layers: usize,
    heads: usize,
    /// Moments of each head's code, `[layer][head]`.
    codes: Vec<Moments>,
    /// Mean code of each head's CLS-to-CLS part, `[layer][head][code]`.
    cls_codes: Vec<f64>,
    /// Mean contribution of each MLP, `[layer][embedding]`.
    mlps: Vec<f64>,
    /// Mean contribution of z0, `[embedding]`.
    embedded: Vec<f64>,
}

/// What a statistics file says of itself.
#[derive(Serialize, Deserialize)]
struct Heading {
    statistics: u32,
    weights: String,
    images: u64,
}

impl Statistics {
    /// The statistics of no image. `weights` is the pack's weights' SHA-256.
    pub fn new(readout: &Readout, weights: &str) -> Self {
        let heads = readout.layers * readout.heads;
        Self {
            weights: weights.to_owned(),
            images: 0,
            layers: readout.layers,
            heads: readout.heads,
            codes: vec![Moments::new(readout.code_len()); heads],
            cls_codes: vec![0.0; heads * readout.code_len()],
            mlps: vec![0.0; readout.layers * readout.embedding],
            embedded: vec![0.0; readout.embedding],
        }
    }

    /// Takes one more image in.
    pub fn push(&mut self, image: &Decomposition<'_>) {
        self.images += 1;
        let mut cls_codes = Vec::with_capacity(self.cls_codes.len());
        for (index, moments) in self.codes.iter_mut().enumerate() {
            let (layer, head) = (index / self.heads, index % self.heads);
            moments.push(&image.head_code(layer, head));
            cls_codes.extend(image.cls_code(layer, head));
        }
        let share = 1.0 / self.images as f64;
        move_towards(&mut self.cls_codes, &cls_codes, share);
        move_towards(&mut self.mlps, &image.mlps().concat(), share);
        move_towards(&mut self.embedded, &image.embedded(), share);
    }

    /// Takes in all that `other` has seen.
    ///
    /// # Errors
    /// [`StatisticsError::OtherWeights`] or [`StatisticsError::Unlike`] where it is of another model.
    pub fn merge(&mut self, other: &Self) -> Result<(), StatisticsError> {
        other.belongs_to(&self.weights)?;
        let shape = |of: &Self| (of.layers, of.heads, of.code_len(), of.embedded.len());
        if shape(self) != shape(other) {
            return Err(StatisticsError::Unlike);
        }
        self.images += other.images;
        if other.images == 0 {
            return Ok(());
        }
        let share = other.images as f64 / self.images as f64;
        self.codes.iter_mut().zip(&other.codes).for_each(|(ours, theirs)| ours.merge(theirs));
        move_towards(&mut self.cls_codes, &other.cls_codes, share);
        move_towards(&mut self.mlps, &other.mlps, share);
        move_towards(&mut self.embedded, &other.embedded, share);
        Ok(())
    }

    /// Reads a file of the model that `readout` and the pack's `weights` (their SHA-256) are of.
    ///
    /// # Errors
    /// Where the bytes are no statistics file of this format, or one of another model.
    pub fn of_model(bytes: &[u8], weights: &str, readout: &Readout) -> Result<Self, StatisticsError> {
        let statistics = Self::from_bytes(bytes)?;
        statistics.belongs_to(weights)?;
        statistics.fits(readout)?;
        Ok(statistics)
    }

    /// Holds the statistics against a pack's weights.
    ///
    /// # Errors
    /// [`StatisticsError::OtherWeights`].
    pub fn belongs_to(&self, weights: &str) -> Result<(), StatisticsError> {
        if self.weights == weights {
            return Ok(());
        }
        Err(StatisticsError::OtherWeights { expected: weights.to_owned(), found: self.weights.clone() })
    }

    /// Whether the statistics are of a model of this shape.
    ///
    /// # Errors
    /// [`StatisticsError::Unlike`].
    pub fn fits(&self, readout: &Readout) -> Result<(), StatisticsError> {
        let ours = (self.layers, self.heads, self.code_len(), self.embedded.len());
        if ours == (readout.layers, readout.heads, readout.code_len(), readout.embedding) {
            Ok(())
        } else {
            Err(StatisticsError::Unlike)
        }
    }

    /// Images seen.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// SHA-256 of the weights that the statistics belong to.
    pub fn weights(&self) -> &str {
        &self.weights
    }

    /// The moments of a head's code.
    pub fn head(&self, layer: usize, head: usize) -> &Moments {
        &self.codes[layer * self.heads + head]
    }

    /// The mean code of a head's CLS-to-CLS part.
    pub fn cls_code(&self, layer: usize, head: usize) -> &[f64] {
        let start = (layer * self.heads + head) * self.code_len();
        &self.cls_codes[start..start + self.code_len()]
    }

    /// The mean contribution of an MLP, `[embedding]`.
    pub fn mlp(&self, layer: usize) -> &[f64] {
        let size = self.embedded.len();
        &self.mlps[layer * size..(layer + 1) * size]
    }

    /// The mean contribution of z0, `[embedding]`.
    pub fn embedded(&self) -> &[f64] {
        &self.embedded
    }

    fn code_len(&self) -> usize {
        self.codes.first().map_or(0, |moments| moments.mean.len())
    }
}

/// mean += share * (other - mean)
fn move_towards(mean: &mut [f64], other: &[f64], share: f64) {
    mean.iter_mut().zip(other).for_each(|(mean, other)| *mean += share * (other - *mean));
}

/// The file: a safetensors file of means in f64 and covariances in f32 (lower triangles), with a [`Heading`].
impl Statistics {
    /// The file's bytes.
    ///
    /// # Errors
    /// [`StatisticsError::Malformed`] should the safetensors crate refuse the tensors.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatisticsError> {
        let (layers, heads, code, size) = (self.layers, self.heads, self.code_len(), self.embedded.len());
        let means: Vec<f64> = self.codes.iter().flat_map(|moments| moments.mean.iter().copied()).collect();
        let scale = 1.0 / self.images.max(1) as f64;
        let covariances = self.codes.iter().flat_map(|moments| &moments.scatter);
        let covariances: Vec<u8> = covariances.flat_map(|value| ((value * scale) as f32).to_le_bytes()).collect();
        let tensors = [
            ("head.code.mean", Dtype::F64, vec![layers, heads, code], bytes_of(&means)),
            ("head.code.covariance", Dtype::F32, vec![layers, heads, triangle(code)], covariances),
            ("head.cls_code.mean", Dtype::F64, vec![layers, heads, code], bytes_of(&self.cls_codes)),
            ("mlp.mean", Dtype::F64, vec![layers, size], bytes_of(&self.mlps)),
            ("embedding.mean", Dtype::F64, vec![size], bytes_of(&self.embedded)),
        ];
        let heading = Heading { statistics: FORMAT, weights: self.weights.clone(), images: self.images };
        let heading = serde_json::to_string(&heading).map_err(|err| malformed(&err))?;
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| Ok((*name, TensorView::new(*dtype, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|err| malformed(&err))?;
        safetensors::serialize(views, Some([(HEADING.to_owned(), heading)].into())).map_err(|err| malformed(&err))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where the bytes are no statistics file of this format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatisticsError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|err| malformed(&err))?;
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|err| malformed(&err))?;
        let heading = metadata.metadata().as_ref().and_then(|metadata| metadata.get(HEADING));
        let heading = heading.ok_or_else(|| malformed(&"it does not say what it is"))?;
        let Heading { statistics, weights, images } =
            serde_json::from_str(heading).map_err(|err| malformed(&err))?;
        if statistics != FORMAT {
            return Err(StatisticsError::Format(statistics));
        }
        let read = |name: &str| Values::of(&tensors, name);
        let (means, covariances) = (read("head.code.mean")?, read("head.code.covariance")?);
        let (cls_codes, mlps, embedded) =
            (read("head.cls_code.mean")?, read("mlp.mean")?, read("embedding.mean")?);
        let [layers, heads, code] = means.shape[..] else { return Err(malformed(&"head.code.mean")) };
        // Of nothing a dimension can be anything, and no such file is written.
        if means.values.is_empty() {
            return Err(malformed(&"it is of no head"));
        }
        let size = embedded.values.len();
        let expected: [(&Values, &[usize]); 4] = [
            (&covariances, &[layers, heads, triangle(code)]),
            (&cls_codes, &[layers, heads, code]),
            (&mlps, &[layers, size]),
            (&embedded, &[size]),
        ];
        if expected.iter().any(|(values, shape)| values.shape != *shape) {
            return Err(malformed(&"its tensors do not fit each other"));
        }
        let codes = means.values.chunks(code).zip(covariances.values.chunks(triangle(code)));
        let codes = codes.map(|(mean, covariance)| Moments {
            count: images,
            mean: mean.to_vec(),
            scatter: covariance.iter().map(|value| value * images as f64).collect(),
        });
        Ok(Self {
            codes: codes.collect(),
            weights,
            images,
            layers,
            heads,
            cls_codes: cls_codes.values,
            mlps: mlps.values,
            embedded: embedded.values,
        })
    }
}

/// A tensor of a statistics file.
struct Values {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Values {
    fn of(tensors: &SafeTensors<'_>, name: &str) -> Result<Self, StatisticsError> {
        let view = tensors.tensor(name).map_err(|_missing| malformed(&format!("it has no {name}")))?;
        let bytes = view.data();
        let values: Vec<f64> = match view.dtype() {
            Dtype::F64 => bytes.as_chunks().0.iter().map(|eight| f64::from_le_bytes(*eight)).collect(),
            Dtype::F32 => bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four).into()).collect(),
            _ => return Err(malformed(&format!("{name} is no float"))),
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(malformed(&format!("{name} is not finite")));
        }
        Ok(Self { shape: view.shape().to_vec(), values })
    }
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn malformed(reason: &dyn std::fmt::Display) -> StatisticsError {
    StatisticsError::Malformed(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_vector_has_no_spread_and_its_own_mean() {
        let mut moments = Moments::new(2);
        moments.push(&[3.0, -4.0]);
        assert_eq!(moments.mean, [3.0, -4.0]);
        assert_eq!(moments.covariance(), DMatrix::zeros(2, 2));
    }

    #[test]
    fn covariance_is_the_populations() {
        let mut moments = Moments::new(2);
        for x in [[1.0, 2.0], [3.0, 6.0]] {
            moments.push(&x);
        }
        assert_eq!(moments.covariance(), DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 4.0]));
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        for bytes in [&b""[..], b"{}", &[0xff; 64]] {
            assert!(matches!(Statistics::from_bytes(bytes), Err(StatisticsError::Malformed(_))));
        }
    }

    #[test]
    fn a_file_of_no_heads_with_endless_codes_is_refused() {
        let heading = r#"{"statistics":1,"weights":"","images":1}"#.to_owned();
        let tensors = [
            ("head.code.mean", Dtype::F64, vec![0, 1, usize::MAX]),
            ("head.code.covariance", Dtype::F32, vec![0, 1, 0]),
            ("head.cls_code.mean", Dtype::F64, vec![0, 1, usize::MAX]),
            ("mlp.mean", Dtype::F64, vec![0, 0]),
            ("embedding.mean", Dtype::F64, vec![0]),
        ];
        let views = tensors.map(|(name, dtype, shape)| (name, TensorView::new(dtype, shape, &[]).unwrap()));
        let bytes = safetensors::serialize(views, Some([(HEADING.to_owned(), heading)].into())).unwrap();
        assert!(matches!(Statistics::from_bytes(&bytes), Err(StatisticsError::Malformed(_))));
    }
}
