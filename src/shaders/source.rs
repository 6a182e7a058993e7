//! The shaders' text, for the shapes that they are compiled for.

use burn_wgpu::{CubeDim, KernelSource, SourceTemplate};
use cubecl::prelude::{ExecutionMode, KernelId};

use super::{ANSWERING, GATHERED};

/// One compiled shader: what it does and the sizes that its compiler is to know. What changes from one crop or text to
/// the next, the number of tokens, is not among them.
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
        /// Rows of each sequence that have no input, before the others.
        leading: usize,
        store: Store,
    },
    Attention {
        heads: usize,
        head_width: usize,
        causal: bool,
    },
}

/// Where a linear layer's results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Row by row, through an activation.
    Plain(Activation),
    /// As queries, keys and values, by heads.
    Heads { heads: usize, head_width: usize },
    /// Onto the residual stream.
    Added,
}

/// What a linear layer's results go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    None,
    Gelu,
    QuickGelu,
}

impl Shader {
    /// Threads of a workgroup.
    pub fn workgroup(&self) -> CubeDim {
        match self {
            Self::Norm { .. } | Self::Pool { .. } => CubeDim::new_1d(64),
            Self::Gather { .. } => CubeDim::new_1d(GATHERED as u32),
            Self::Linear { .. } => CubeDim::new_3d(8, 8, 4),
            Self::Attention { .. } => CubeDim::new_2d(8, 8),
        }
    }

    /// The shader in WGSL.
    pub fn wgsl(&self) -> String {
        match *self {
            Self::Norm { width, eps } => {
                let constants = format!("const WIDTH = {width}u;\nconst EPS = {:e}f;\n", f32::from_bits(eps));
                constants + include_str!("norm.wgsl")
            }
            Self::Pool { width } => format!("const WIDTH = {width}u;\n") + include_str!("pool.wgsl"),
            Self::Gather { parts } => {
                format!("const PARTS = {parts}u;\nconst THREADS = {GATHERED}u;\n")
                    + &written_out(include_str!("gather.wgsl"), &[("PARTS", parts)])
            }
            Self::Linear { inputs, outputs, leading, store } => {
                let constants = format!(
                    "const INPUTS = {inputs}u;\nconst OUTPUTS = {outputs}u;\nconst LEADING = {leading}u;\n"
                );
                constants + &store.wgsl() + &written_out(include_str!("linear.wgsl"), &[])
            }
            Self::Attention { heads, head_width, causal } => {
                let scale = 1.0 / (head_width as f32).sqrt();
                let constants = format!("const SCALE = {scale:e}f;\nconst CAUSAL = {causal};\n")
                    + &heads_wgsl(heads, head_width);
                let vectors = head_width / 4;
                // A workgroup is of 64 threads, eight of them to a query.
                let turns = [("FETCHED", ANSWERING * vectors / 64), ("SHARES", vectors.div_ceil(8))];
                constants + &written_out(include_str!("attention.wgsl"), &turns)
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

impl KernelSource for Shader {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.wgsl())
    }

    fn id(&self) -> KernelId {
        // Checked, every loop would count its turns; the shaders' end by their bounds.
        KernelId::new::<Self>().info(*self).cube_dim(self.workgroup().into()).mode(ExecutionMode::Unchecked)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

fn heads_wgsl(heads: usize, head_width: usize) -> String {
    format!("const HEADS = {heads}u;\nconst HEAD_WIDTH = {head_width}u;\n")
}

/// Writes each line `each N: text` out N times, `$` being the turn, from 0. N is a number, or the name of one among
/// `turns`. Shaders' own loops over a thread's variables would put those into memory where a driver does not unroll them.
fn written_out(text: &str, turns: &[(&str, usize)]) -> String {
    let count_of = |name: &str| {
        let named = turns.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
        named.or_else(|| name.parse().ok()).unwrap_or_default()
    };
    let mut written = String::with_capacity(2 * text.len());
    for line in text.lines() {
        let each = line.trim_start().strip_prefix("each ").and_then(|each| each.split_once(": "));
        match each {
            None => written.extend([line, "\n"]),
            Some((turns, text)) => {
                for turn in 0..count_of(turns) {
                    written.extend([&text.replace('$', &turn.to_string()), "\n"]);
                }
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_out() {
        let text = "a {\n    each 2: b_$ = $u;\n  each FETCHED: c[$];\n}\n";
        assert_eq!(written_out(text, &[("FETCHED", 3)]), "a {\nb_0 = 0u;\nb_1 = 1u;\nc[0];\nc[1];\nc[2];\n}\n");
    }
}
