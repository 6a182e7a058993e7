//! The statistics file: a safetensors file with means in f64 and covariances in f32 (lower triangles). Its
//! metadata holds a [`Heading`].

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::component_statistics::Statistics;
use super::error::{FORMAT, StatisticsError};
use super::moments::{Moments, triangle};
use crate::decompose::Readout;

/// The metadata key whose value is the [`Heading`] as JSON.
const HEADING: &str = "headlamp";

/// The description of a statistics file.
#[derive(Serialize, Deserialize)]
struct Heading {
    statistics: u32,
    weights: String,
    images: u64,
}

impl Statistics {
    /// Writes the statistics as the bytes of a file.
    ///
    /// # Errors
    /// [`StatisticsError::Malformed`] when the safetensors crate refuses the tensors.
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

    /// Reads a file and checks that it belongs to the model of `readout` and of the pack's `weights` (their
    /// SHA-256).
    ///
    /// # Errors
    /// When the bytes are no statistics file of this format, or the file belongs to another model.
    pub fn of_model(bytes: &[u8], weights: &str, readout: &Readout) -> Result<Self, StatisticsError> {
        let statistics = Self::from_bytes(bytes)?;
        statistics.belongs_to(weights)?;
        statistics.fits(readout)?;
        Ok(statistics)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When the bytes are no statistics file of this format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StatisticsError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|err| malformed(&err))?;
        let Heading { weights, images, .. } = Heading::read(bytes)?;
        let read = |name: &str| Values::of(&tensors, name);
        let (means, covariances) = (read("head.code.mean")?, read("head.code.covariance")?);
        let (cls_codes, mlps, embedded) =
            (read("head.cls_code.mean")?, read("mlp.mean")?, read("embedding.mean")?);
        let [layers, heads, code] = means.shape[..] else { return Err(malformed(&"head.code.mean")) };
        // An empty tensor could claim a dimension of any size. The program never writes such a file.
        if means.values.is_empty() {
            return Err(malformed(&"it has no heads"));
        }
        let size = embedded.values.len();
        let expected: [(&Values, &[usize]); 4] = [
            (&covariances, &[layers, heads, triangle(code)]),
            (&cls_codes, &[layers, heads, code]),
            (&mlps, &[layers, size]),
            (&embedded, &[size]),
        ];
        if expected.iter().any(|(values, shape)| values.shape != *shape) {
            return Err(malformed(&"the shapes of its tensors contradict each other"));
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

impl Heading {
    /// Reads the heading and checks the format.
    fn read(bytes: &[u8]) -> Result<Self, StatisticsError> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|err| malformed(&err))?;
        let heading = metadata.metadata().as_ref().and_then(|metadata| metadata.get(HEADING));
        let heading = heading.ok_or_else(|| malformed(&"it has no description"))?;
        let heading: Self = serde_json::from_str(heading).map_err(|err| malformed(&err))?;
        match heading.statistics {
            FORMAT => Ok(heading),
            other => Err(StatisticsError::Format(other)),
        }
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
            _ => return Err(malformed(&format!("{name} is not of a float type"))),
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
    fn bytes_of_another_format_are_refused() {
        for bytes in [&b""[..], b"{}", &[0xff; 64]] {
            assert!(matches!(Statistics::from_bytes(bytes), Err(StatisticsError::Malformed(_))));
        }
    }

    #[test]
    fn zero_heads_with_huge_codes_are_refused() {
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
