//! The page: starts the views of `headlamp::page` in place of what index.html shows meanwhile.

fn main() {
    console_error_panic_hook::set_once();
    headlamp::page::app::mount();
}
