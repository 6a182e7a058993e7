//! The compute worker of the page.

use headlamp::worker::ReportingAllocator;

#[global_allocator]
static ALLOCATOR: ReportingAllocator = ReportingAllocator;

unsafe extern "C" {
    /// Runs the linker's list of constructors. Burn and CubeCL register themselves in some.
    fn __wasm_call_ctors();
}

fn main() {
    // SAFETY: the constructors must run once, before everything else: here. If the program does not call them, the
    // linker makes every call from JavaScript run all of them again, even each allocation of a string.
    unsafe { __wasm_call_ctors() };
    console_error_panic_hook::set_once();
    headlamp::worker::listen();
}
