//! What of its libraries the worker never calls, though it is linked in.
//!
//! On a GPU headlamp launches shaders of its own, whose text is WGSL already (`src/shaders/`), and of Burn's operations
//! calls those alone that move numbers there and back. But Burn chooses between CPU and GPU by a value, and so the
//! linker keeps all the rest: every kernel that Burn's own operations would launch, cubek's matrix products among them,
//! CubeCL's compiler of kernels with its passes and what they know of each operation, and a parser of its intermediate
//! representation.
//!
//! Together they are more than a third of the worker. If one of them is called after all, as after an update of Burn,
//! the worker ends there; `cargo xtask test deployed` runs the browser tests on the worker without them.

use crate::prune::Fate;

/// How the function is called that makes a kernel's code.
const DEFINE: &str = " as cubecl_runtime::kernel::CubeKernel>::define";

/// How kernels are called that are text already.
const TEXT: &str = "<burn_cubecl::template::base::SourceKernel<";

/// How the names of Burn's operations on the GPU begin.
const OPERATIONS: &str = "<burn_cubecl::backend::CubeBackend as burn_backend::backend::ops::";

/// Operations that move numbers, or only look at them in another way.
const MOVES: [&str; 6] = ["_from_data", "_into_data", "_reshape", "_device", "_empty", "tr_execute"];

/// What the worker has the function of this name for.
pub fn fate(name: &str) -> Fate {
    if is_starter(name) {
        Fate::Idles
    } else if is_never_called(name) {
        Fate::Ends
    } else {
        Fate::Stays
    }
}

/// Registers one kind of operation, type or attribute with the compiler as the program starts: thousands, each by the
/// address of its own entry, so that none stands for another.
fn is_starter(name: &str) -> bool {
    const OF_COMPILER: [&str; 5] = ["cubecl_core::", "cubecl_ir::", "cubecl_opt::", "cubecl_wgpu::", "pliron::"];
    name.ends_with("::__ctor") && OF_COMPILER.iter().any(|library| name.starts_with(library))
}

/// Whether the worker never calls the function of this name.
fn is_never_called(name: &str) -> bool {
    let path = name.trim_start_matches(['<', '&']);
    let is_kernel = name.ends_with(DEFINE) && !is_text(name);
    let is_launch =
        path.starts_with("burn_cubecl::kernel::") && !path.starts_with("burn_cubecl::kernel::contiguous::");
    let is_of_library = path.starts_with("cubek_") || path.starts_with("cubecl_std::quant::");
    is_kernel || is_launch || is_of_library || is_operation(name) || is_compiler(name) || is_parser(name)
}

/// Whether the function of this name makes the code of a kernel that is text already. Where none does, LLVM has taken it
/// for another's, and ended it would be with that.
pub fn is_text(name: &str) -> bool {
    name.starts_with(TEXT) && name.ends_with(DEFINE)
}

/// One of Burn's operations that computes, closures of it included.
fn is_operation(name: &str) -> bool {
    name.starts_with(OPERATIONS) && !MOVES.iter().any(|moves| name.contains(moves))
}

/// A pass of CubeCL's compiler, or what one does with one kind of operation.
fn is_compiler(name: &str) -> bool {
    const STEPS: [&str; 4] = [
        " as cubecl_wgpu::compiler::wgsl::",
        " as cubecl_core::post_processing::",
        " as pliron::opts::",
        " as pliron::pass::Pass>::run",
    ];
    STEPS.iter().any(|step| name.contains(step))
        || name.starts_with("<cubecl_wgpu::compiler::wgsl::compiler::WgslCompiler>::compile")
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
    fn of_kernels_those_are_called_that_are_text() {
        let own = format!("{TEXT}headlamp::shaders::source::Shader>{DEFINE}");
        assert!(is_text(&own) && !is_never_called(&own));
        assert!(is_never_called(&format!("<cubek_reduce::launch::base::reduce_kernel::ReduceKernel<T>{DEFINE}")));
        assert!(is_never_called(&format!("<cubecl_std::tensor::contiguous::base::CopyKernel<T>{DEFINE}")));
        assert!(is_never_called("cubek_matmul::multi_level::routines::batch::launch::launch_ref::<T>"));
        assert!(is_never_called("burn_cubecl::kernel::matmul::base::matmul"));
        assert!(!is_never_called("burn_cubecl::kernel::contiguous::into_contiguous"));
        assert!(!is_never_called("<burn_cubecl::tensor::base::CubeTensor>::is_contiguous"));
    }

    #[test]
    fn of_operations_those_are_called_that_move_numbers() {
        let of_floats = format!("{OPERATIONS}tensor::FloatTensorOps<burn_cubecl::backend::CubeBackend>>::");
        for moves in ["float_from_data", "float_into_data", "float_reshape"] {
            assert!(!is_never_called(&format!("{of_floats}{moves}")), "{moves}");
        }
        assert!(is_never_called(&format!("{of_floats}float_matmul")));
        let transaction = format!("{OPERATIONS}transaction::TransactionOps<burn_cubecl::backend::CubeBackend>>::");
        assert!(!is_never_called(&format!("{transaction}tr_execute::{{closure#0}}")));
    }

    #[test]
    fn the_compiler_learns_nothing_as_the_program_starts() {
        assert_eq!(fate("cubecl_ir::dialect::math::_::_::__ctor"), Fate::Idles);
        assert_eq!(fate("headlamp::engine::__ctor"), Fate::Stays);
        assert_eq!(fate("burn_cubecl::kernel::matmul::base::matmul"), Fate::Ends);
    }

    #[test]
    fn passes_and_readers_are_not_called_and_what_merely_holds_them_is() {
        let of_operation = |step: &str| format!("<cubecl_ir::dialect::scf::ForOp as {step}");
        assert!(is_never_called(&of_operation("cubecl_wgpu::compiler::wgsl::lower::LowerOp>::lower")));
        assert!(is_never_called(&of_operation("pliron::opts::constants::ConstFoldInterface>::check_fold")));
        assert!(is_never_called(&of_operation("pliron::parsable::Parsable>::parse")));
        assert!(!is_never_called(&of_operation("pliron::op::Op>::register")));
        assert!(is_never_called(
            "<<a::B as pliron::type::Type>::register::{closure#0} as core::ops::function::FnOnce<(&mut combine::S,)>>::call_once"
        ));
        assert!(!is_never_called("<hashbrown::raw::RawTable<(TypeId, fn(&mut combine::S))>>::insert"));
    }
}
