//! The help dialog: the list of keys.

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::web_sys::MouseEvent;

use crate::page::shell::shortcuts::{GROUPS, Group, Shortcut};

/// A handle on the dialog.
#[derive(Clone, Copy, Default)]
pub struct Help {
    dialog: NodeRef<Dialog>,
}

impl Help {
    pub fn show(self) {
        if let Some(dialog) = self.dialog.get_untracked().filter(|dialog| !dialog.open()) {
            // This fails for a dialog that is no longer on the page.
            let _shown = dialog.show_modal();
        }
    }

    pub fn close(self) {
        if let Some(dialog) = self.dialog.get_untracked() {
            dialog.close();
        }
    }
}

/// Opens the dialog.
#[component]
pub fn HelpButton() -> impl IntoView {
    let help = expect_context::<Help>();
    view! {
        <button type="button" id="help-button" class="round" aria-label="Help: keys and more" title="Help (?)"
            on:click=move |_| help.show()>
            "?"
        </button>
    }
}

/// The dialog. On Esc, the browser closes the dialog and restores the focus. `children` are shown below the keys.
#[component]
pub fn HelpDialog(children: Children) -> impl IntoView {
    let help = expect_context::<Help>();
    // A click on the backdrop has the dialog itself as its target.
    let click = move |event: MouseEvent| {
        if event.target().is_some() && event.target() == event.current_target() {
            help.close();
        }
    };
    view! {
        <dialog id="help" class="dialog" node_ref=help.dialog aria-labelledby="help-title" on:click=click>
            <div class="dialog-body">
                <div class="heading">
                    <h2 id="help-title">"Keys"</h2>
                    <button type="button" on:click=move |_| help.close()>"Close"</button>
                </div>
                <div class="key-groups">{GROUPS.iter().map(group).collect_view()}</div>
                {children()}
            </div>
        </dialog>
    }
}

fn group(Group { place, shortcuts }: &'static Group) -> impl IntoView {
    let row = |Shortcut { keys, what }: &'static Shortcut| {
        let keys = keys.iter().enumerate().map(|(index, key)| {
            let or = (index > 0).then_some(" or ");
            view! { {or}<kbd>{*key}</kbd> }
        });
        view! {
            <div class="key">
                <dt>{keys.collect_view()}</dt>
                <dd>{*what}</dd>
            </div>
        }
    };
    view! {
        <section class="key-group">
            <h3>{*place}</h3>
            <dl>{shortcuts.iter().map(row).collect_view()}</dl>
        </section>
    }
}
