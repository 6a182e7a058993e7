//! The compute worker: listens to the page that started it.

fn main() {
    console_error_panic_hook::set_once();
    headlamp::engine::worker::listen();
}
