//! The compute worker: listens to the page that started it.

use headlamp::worker::Heap;

#[global_allocator]
static HEAP: Heap = Heap;

unsafe extern "C" {
    /// The linker's list of constructors (burn and cubecl register themselves in some).
    fn __wasm_call_ctors();
}

fn main() {
    // SAFETY: the constructors expect to run once, before anything else, which is here. Unless somebody names them, the
    // linker makes every call from JavaScript, each allocation of a string too, run them all again.
    unsafe { __wasm_call_ctors() };
    console_error_panic_hook::set_once();
    headlamp::worker::listen();
}
