//! The WGSL text of each shader, for the sizes for which it is compiled.

use cubecl::ir::metadata::Info;
use cubecl::ir::{AddressType, ElemType, UIntKind};
use cubecl::prelude::{CubeDim, ExecutionMode, KernelDefinition, KernelId, KernelMetadata, KernelSettings, Scope};
use cubecl::{CubeKernel, PrecompiledSource};

use super::tile_sizes::{GATHER_THREADS, KEY_TILE};

/// One compiled shader: its operation, and the sizes that are compiled in. The number of tokens changes from one
/// crop or text to the next, so it is not compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shader {
    Norm {
        width: usize,
        /// The bits of epsilon, an `f32`.
        eps: u32,
    },
    Pool {
        width: usize,
    },
    Gather {
        parts: usize,
    },
    Linear {
        inputs: usize,
        outputs: usize,
        /// Rows at the start of each sequence that have no input.
        leading: usize,
        store: Store,
    },
    Attention {
        heads: usize,
        head_width: usize,
        causal: bool,
    },
}

/// Where a linear layer writes its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Row by row, after an activation.
    Plain(Activation),
    /// As queries, keys and values, split by head.
    Heads { heads: usize, head_width: usize },
    /// Added to the residual stream.
    Added,
}

/// The activation after a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    None,
    Gelu,
    QuickGelu,
}

impl Shader {
    /// Returns the threads of a workgroup.
    pub fn workgroup(&self) -> CubeDim {
        match self {
            Self::Norm { .. } | Self::Pool { .. } => CubeDim::new_1d(64),
            Self::Gather { .. } => CubeDim::new_1d(GATHER_THREADS as u32),
            Self::Linear { .. } => CubeDim::new_3d(8, 8, 4),
            Self::Attention { .. } => CubeDim::new_2d(8, 8),
        }
    }

    /// Returns the shader in WGSL.
    pub fn wgsl(&self) -> String {
        match *self {
            Self::Norm { width, eps } => {
                let constants = format!("const WIDTH = {width}u;\nconst EPS = {:e}f;\n", f32::from_bits(eps));
                constants + include_str!("norm.wgsl")
            }
            Self::Pool { width } => format!("const WIDTH = {width}u;\n") + include_str!("pool.wgsl"),
            Self::Gather { parts } => {
                format!("const PARTS = {parts}u;\nconst THREADS = {GATHER_THREADS}u;\n")
                    + &expand_repeats(include_str!("gather.wgsl"), &[("PARTS", parts)])
            }
            Self::Linear { inputs, outputs, leading, store } => {
                let constants = format!(
                    "const INPUTS = {inputs}u;\nconst OUTPUTS = {outputs}u;\nconst LEADING = {leading}u;\n"
                );
                constants + &store.wgsl() + &expand_repeats(include_str!("linear.wgsl"), &[])
            }
            Self::Attention { heads, head_width, causal } => {
                let scale = 1.0 / (head_width as f32).sqrt();
                let constants = format!("const SCALE = {scale:e}f;\nconst CAUSAL = {causal};\n")
                    + &heads_wgsl(heads, head_width);
                let vectors = head_width / 4;
                // A workgroup has 64 threads, eight for each query.
                let repeats = [("LOADS", KEY_TILE * vectors / 64), ("SHARES", vectors.div_ceil(8))];
                constants + &expand_repeats(include_str!("attention.wgsl"), &repeats)
            }
        }
    }
}

impl Store {
    fn wgsl(self) -> String {
        match self {
            Self::Plain(activation) => {
                let number = match activation {
                    Activation::None => 0,
                    Activation::Gelu => 1,
                    Activation::QuickGelu => 2,
                };
                format!("const ACTIVATION = {number}u;\n") + include_str!("store_plain.wgsl")
            }
            Self::Heads { heads, head_width } => heads_wgsl(heads, head_width) + include_str!("store_heads.wgsl"),
            Self::Added => include_str!("store_added.wgsl").to_owned(),
        }
    }
}

impl CubeKernel for Shader {
    /// Returns an empty kernel, because CubeCL takes the text of [`Self::source`].
    fn define(&self) -> KernelDefinition {
        let settings = KernelSettings::new(self.workgroup().0, ExecutionMode::Checked, AddressType::U32);
        KernelDefinition { body: Scope::root(settings.clone()), settings, info: Info::default() }
    }

    fn source(&self) -> Option<PrecompiledSource> {
        Some(PrecompiledSource { source: self.wgsl(), entrypoint_name: "main".to_owned(), lang: "wgsl" })
    }
}

impl KernelMetadata for Shader {
    fn id(&self) -> KernelId {
        // The checked mode would count the iterations of every loop. The loops of these shaders always end.
        KernelId::new::<Self>().info(*self).cube_dim(self.workgroup().into()).mode(ExecutionMode::Unchecked)
    }

    fn address_type(&self) -> ElemType {
        UIntKind::U32.into()
    }
}

fn heads_wgsl(heads: usize, head_width: usize) -> String {
    format!("const HEADS = {heads}u;\nconst HEAD_WIDTH = {head_width}u;\n")
}

/// Expands each line `each N: text` into N lines, in which `$` is replaced by 0, 1, ... N is a number, or a name
/// among `repeats`. A loop over a thread's variables would move the variables from registers to memory on drivers
/// that do not unroll it.
fn expand_repeats(text: &str, repeats: &[(&str, usize)]) -> String {
    let count_of = |name: &str| {
        let named = repeats.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
        named.or_else(|| name.parse().ok()).unwrap_or_default()
    };
    let mut expanded = String::with_capacity(2 * text.len());
    for line in text.lines() {
        let each = line.trim_start().strip_prefix("each ").and_then(|each| each.split_once(": "));
        match each {
            None => expanded.extend([line, "\n"]),
            Some((repeats, text)) => {
                for index in 0..count_of(repeats) {
                    expanded.extend([&text.replace('$', &index.to_string()), "\n"]);
                }
            }
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_lines_are_expanded() {
        let text = "a {\n    each 2: b_$ = $u;\n  each LOADS: c[$];\n}\n";
        assert_eq!(expand_repeats(text, &[("LOADS", 3)]), "a {\nb_0 = 0u;\nb_1 = 1u;\nc[0];\nc[1];\nc[2];\n}\n");
    }
}
