//! The sign of a property: its short label over a coloured line.

use leptos::prelude::*;

use crate::page::common::colour;
use crate::page::heads::properties::Mark;

/// The sign. It is hidden from screen readers: the name of the property is beside it, or in the label of the control.
#[component]
pub fn PropertyMark(mark: Mark) -> impl IntoView {
    let Mark { short, colour, line } = mark;
    view! {
        <span class=format!("property {}", line.class()) style:--property=colour::css(colour) aria-hidden="true">
            {short}
        </span>
    }
}
