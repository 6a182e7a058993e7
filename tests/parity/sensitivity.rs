//! Proof that the other tests can fail: each mistake here must cost far more than their tolerance.

use headlamp::decompose::Trace;
use headlamp::model::{PositionResize, TensorError, TensorSource, VisionConfig};

use super::text::TextFixture;
use super::vision::{Errors, Fixture, SIZES};
use super::{LEAST_EFFECT, TOLERANCE, other_gelu};

/// A checkpoint with one changed tensor.
struct Changed<S, C> {
    source: S,
    name: String,
    change: C,
}

impl<S: TensorSource, C: Fn(&mut [f32])> TensorSource for Changed<S, C> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TensorError> {
        let mut values = self.source.tensor(name, shape)?;
        if name == self.name {
            (self.change)(&mut values);
        }
        Ok(values)
    }
}

/// Exchanges two runs of `len` numbers.
fn swap(values: &mut [f32], a: usize, b: usize, len: usize) {
    for offset in 0..len {
        values.swap(a + offset, b + offset);
    }
}

/// Asserts that the error of every one of `parts` is far above the tolerance.
fn assert_noticed(errors: &Errors, parts: &[&str], mistake: &str) {
    for part in parts {
        assert!(errors[part] > LEAST_EFFECT, "{mistake} moves {part} by {:.1e} only", errors[part]);
    }
}

/// Heads in another order: the output weights of two heads are exchanged, in the tower and in the readout, so that
/// the parts still sum to the embedding.
#[test]
fn swapping_two_heads_output_weights_is_noticed() {
    for fixture in Fixture::all() {
        let (width, head_width) = (fixture.config.width, fixture.config.head_width());
        for layer in 0..fixture.config.layers {
            let change = |weight: &mut [f32]| {
                weight.chunks_mut(width).for_each(|row| swap(row, 0, head_width, head_width));
            };
            let name = format!("vision.blocks.{layer}.attention.output.weight");
            let tower = fixture.tower(&fixture.config, &mut Changed { source: fixture.source(), name, change });
            let errors = fixture.errors(&tower, &fixture.trace(&tower, "native"), "native");
            let parts = ["embedding", "heads' parts", "tokens' parts", "patches' parts", "heads' scores"];
            assert_noticed(&errors, &parts, &format!("{}: swapping heads in layer {layer}", fixture.model));
        }
    }
}

/// Tokens in another order, in attention and values. The sum over tokens does not change, so that only the
/// comparison token by token detects the mistake.
#[test]
fn swapping_two_tokens_of_a_trace_is_noticed() {
    for fixture in Fixture::all() {
        let tower = fixture.tower(&fixture.config, &mut fixture.source());
        for size in SIZES {
            let mut trace = fixture.trace(&tower, size);
            swap_tokens(&mut trace, fixture.config.head_width());
            let errors = fixture.errors(&tower, &trace, size);
            let mistake = format!("{} {size}: swapping tokens", fixture.model);
            assert_noticed(
                &errors,
                &["CLS attention", "tokens' parts", "patches' parts", "tokens' scores"],
                &mistake,
            );
            assert!(errors["heads' parts"] < TOLERANCE, "the sum over tokens should not depend on their order");
        }
    }
}

/// Exchanges the first and the last patch.
fn swap_tokens(trace: &mut Trace, head_width: usize) {
    let (first, last) = (trace.leading_tokens, trace.tokens - 1);
    for layer in &mut trace.layers {
        for attention in layer.attention.chunks_mut(trace.tokens) {
            attention.swap(first, last);
        }
        for values in layer.values.chunks_mut(trace.tokens * head_width) {
            swap(values, first * head_width, last * head_width, head_width);
        }
    }
}

/// Positions in another order: two rows of the table are exchanged, at sizes with and without resizing.
#[test]
fn swapping_two_positions_is_noticed() {
    for fixture in Fixture::all() {
        let width = fixture.config.width;
        let change = |table: &mut [f32]| swap(table, 24 * width, 26 * width, width);
        let name = "vision.positions".to_owned();
        let tower = fixture.tower(&fixture.config, &mut Changed { source: fixture.source(), name, change });
        for size in SIZES {
            let errors = fixture.errors(&tower, &fixture.trace(&tower, size), size);
            let mistake = format!("{} {size}: swapping positions", fixture.model);
            assert_noticed(&errors, &["embedding", "heads' parts", "tokens' parts"], &mistake);
        }
    }
}

/// The position table resized as in another family, at the sizes that need resizing.
#[test]
fn another_resize_of_positions_is_noticed() {
    for fixture in Fixture::all() {
        let others = [PositionResize::Size, PositionResize::DinoScale, PositionResize::Antialias];
        for other in others.into_iter().filter(|other| *other != fixture.config.position_resize) {
            let config = VisionConfig { position_resize: other, ..fixture.config.clone() };
            let tower = fixture.tower(&config, &mut fixture.source());
            for size in ["square", "wide"] {
                let errors = fixture.errors(&tower, &fixture.trace(&tower, size), size);
                let mistake = format!("{} {size}: {other:?}", fixture.model);
                assert_noticed(&errors, &["embedding", "CLS attention", "heads' parts"], &mistake);
            }
        }
    }
}

/// The exact GELU in place of QuickGELU, or QuickGELU in place of the exact one.
#[test]
fn the_other_gelu_is_noticed_in_pictures() {
    for fixture in Fixture::all() {
        let mut config = fixture.config.clone();
        config.activation = other_gelu(config.activation);
        let tower = fixture.tower(&config, &mut fixture.source());
        for size in SIZES {
            let errors = fixture.errors(&tower, &fixture.trace(&tower, size), size);
            let mistake = format!("{} {size}: the other GELU", fixture.model);
            println!("{mistake}: embedding {:.1e}", errors["embedding"]);
            assert_noticed(&errors, &["embedding", "unit embedding", "MLP outputs", "MLPs' parts"], &mistake);
        }
    }
}

/// The same in a text tower.
#[test]
fn the_other_gelu_is_noticed_in_texts() {
    for fixture in [TextFixture::clip(), TextFixture::bert()] {
        let mut config = fixture.config.clone();
        config.activation = other_gelu(config.activation);
        let error = fixture.error(&config, &fixture.texts);
        assert!(error > LEAST_EFFECT, "{}: the other GELU moves the texts by {error:.1e} only", fixture.model);
    }
}

/// Two tokens of a text exchanged.
#[test]
fn swapping_two_tokens_of_a_text_is_noticed() {
    for fixture in [TextFixture::clip(), TextFixture::bert()] {
        let mut texts = fixture.texts.clone();
        texts.swap(fixture.reordered.0, fixture.reordered.1);
        let error = fixture.error(&fixture.config, &texts);
        assert!(error > LEAST_EFFECT, "{}: the order of tokens moves a text by {error:.1e} only", fixture.model);
    }
}
