//! What of its libraries the worker never calls, though it is linked in.
//!
//! Burn multiplies matrices on the GPU with cubek, which has some thirty ways to and is told which by a value. It is
//! told `Strategy::Auto` as long as Burn's autotuning is off: matrix units where the device says that it has some,
//! which no WebGPU device does, and else `SimpleUnit`. The kernels of all the others are never compiled. Nor are
//! those for quantised tensors, of which headlamp gives Burn none, nor the parts of others that read such. CubeCL's
//! intermediate representation can be read from text, which nobody writes.
//!
//! Together they are more than a quarter of the worker. If one of them is called after all, as after an update of
//! Burn, the worker ends there; `cargo xtask test deployed` runs the browser tests on the worker without them.

/// How the function is called that makes a kernel's code.
const DEFINE: &str = " as cubecl_runtime::kernel::CubeKernel>::define";

/// How the names of kernels begin that multiply matrices.
const PRODUCTS: &str = "<cubek_matmul::";

/// Whether the worker never calls the function of this name.
pub fn is_never_called(name: &str) -> bool {
    name.strip_suffix(DEFINE).is_some_and(is_idle_kernel) || reads_quantised(name) || is_parser(name)
}

/// Whether the function of this name makes the code of the matrix product that is used. Where none does, LLVM has taken
/// it for one of the others, and ended it would be with them.
pub fn is_the_product(name: &str) -> bool {
    name.strip_suffix(DEFINE).is_some_and(|kernel| kernel.starts_with(PRODUCTS) && is_simple_unit(kernel))
}

fn is_idle_kernel(kernel: &str) -> bool {
    kernel.starts_with("<cubek_quant::") || (kernel.starts_with(PRODUCTS) && !is_simple_unit(kernel))
}

fn is_simple_unit(kernel: &str) -> bool {
    kernel.contains("::SimpleMatmulFamily<") && kernel.contains("::UnitPartitioner")
}

fn reads_quantised(name: &str) -> bool {
    name.trim_start_matches('<').starts_with("cubecl_std::quant::")
}

/// A reader of one kind of operation, type or attribute, or the closure that is kept of it.
fn is_parser(name: &str) -> bool {
    name.ends_with(" as pliron::parsable::Parsable>::parse")
        || (name.contains("::{closure#") && name.contains(" as core::ops::function::FnOnce<(&mut combine::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_matrix_products_one_is_called() {
        let entry =
            "<cubek_matmul::multi_level::components::batch::partitioned_matmul::matmul::matmul_entry::MatmulEntry";
        let named = |family: &str, units: &str| format!("{entry}<a::{family}<b::{units}, ()>>{DEFINE}");
        let used = named("SimpleMatmulFamily", "UnitPartitioner");
        assert!(!is_never_called(&used) && is_the_product(&used));
        assert!(!is_the_product(&named("SimpleMatmulFamily", "PlanePartitioner")));
        assert!(is_never_called(&named("SimpleMatmulFamily", "PlanePartitioner")));
        assert!(is_never_called(&named("DoubleBufferingMatmulFamily", "UnitPartitioner")));
        assert!(is_never_called(&format!("<cubek_matmul::tiled::cmma::kernel::cmma_kernel::CmmaKernel{DEFINE}")));
        assert!(!is_never_called(&format!("<cubek_reduce::launch::base::reduce_kernel::ReduceKernel<T>{DEFINE}")));
        assert!(!is_never_called("cubek_matmul::multi_level::routines::batch::launch::launch_ref"));
    }

    #[test]
    fn readers_of_text_are_not_called_and_what_merely_holds_them_is() {
        assert!(is_never_called("<cubecl_ir::dialect::scf::ForOp as pliron::parsable::Parsable>::parse"));
        assert!(is_never_called(
            "<<a::B as pliron::type::Type>::register::{closure#0} as core::ops::function::FnOnce<(&mut combine::S,)>>::call_once"
        ));
        assert!(!is_never_called("<hashbrown::raw::RawTable<(TypeId, fn(&mut combine::S))>>::insert"));
    }
}
