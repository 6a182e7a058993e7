//! The page: starts the views of `headlamp::page`. They replace the content that index.html shows until then.

fn main() {
    console_error_panic_hook::set_once();
    headlamp::page::app::mount();
}
