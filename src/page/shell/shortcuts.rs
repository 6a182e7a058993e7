//! The keyboard: the action of each key, and the list of keys for the help.

/// An action of a key that works everywhere on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Moves the focus to the field for phrases.
    Prompts,
    /// Shows the list of keys.
    Help,
    Undo,
    Redo,
    /// Plays the video, or stops it.
    Play,
}

/// The kind of element that has the focus. Some keys belong to this element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// A text field, which takes every key.
    Text,
    /// A button, link, slider or list, which takes Space.
    Control,
    Elsewhere,
}

/// A key with its modifiers, as a keyboard event reports them.
#[derive(Clone, Copy, Debug)]
pub struct Press<'a> {
    pub key: &'a str,
    /// Ctrl, or Cmd on a Mac.
    pub command: bool,
    pub shift: bool,
    pub alt: bool,
}

/// Returns the action of a key; `None` for other keys.
pub fn action(press: Press<'_>, focus: Focus) -> Option<Action> {
    if focus == Focus::Text || press.alt {
        return None;
    }
    match (press.command, press.key) {
        (true, "z") if !press.shift => Some(Action::Undo),
        (true, "z" | "Z" | "y") => Some(Action::Redo),
        (false, "/") => Some(Action::Prompts),
        (false, "?") => Some(Action::Help),
        (false, " ") if focus == Focus::Elsewhere => Some(Action::Play),
        _ => None,
    }
}

/// Keys with the same action, named by their labels.
pub struct Shortcut {
    pub keys: &'static [&'static str],
    pub what: &'static str,
}

/// The keys that work in one place.
pub struct Group {
    pub place: &'static str,
    pub shortcuts: &'static [Shortcut],
}

const fn shortcut(keys: &'static [&'static str], what: &'static str) -> Shortcut {
    Shortcut { keys, what }
}

/// All keys, in the order of the help dialog.
pub const GROUPS: [Group; 4] = [
    Group {
        place: "Anywhere",
        shortcuts: &[
            shortcut(&["/"], "type a phrase"),
            shortcut(&["?"], "this list"),
            shortcut(&["Ctrl Z"], "undo what was switched off or on"),
            shortcut(&["Ctrl Y", "Ctrl Shift Z"], "redo it"),
            shortcut(&["Ctrl V"], "open a copied picture"),
            shortcut(&["Esc"], "close what is open"),
        ],
    },
    Group {
        place: "On the photo",
        shortcuts: &[
            shortcut(&["+", "−"], "zoom in and out; so do two fingers, and the wheel with Ctrl"),
            shortcut(&["← → ↑ ↓"], "move over the zoomed photo; so does dragging"),
            shortcut(&["0"], "the whole photo again"),
        ],
    },
    Group {
        place: "In the grid of heads",
        shortcuts: &[
            shortcut(&["← → ↑ ↓", "Home", "End"], "from cell to cell"),
            shortcut(&["Enter", "Space"], "choose the head"),
            shortcut(&["X"], "switch the part off, or on again"),
        ],
    },
    Group {
        place: "In a video",
        shortcuts: &[
            shortcut(&["Space", "K"], "play or stop"),
            shortcut(&["← →"], "one frame back or forward"),
            shortcut(&["Home", "End"], "to its beginning or end"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(key: &str) -> Press<'_> {
        Press { key, command: false, shift: false, alt: false }
    }

    #[test]
    fn keys_that_are_typed_are_not_taken() {
        for key in ["/", "?", " ", "z"] {
            assert_eq!(action(plain(key), Focus::Text), None, "{key}");
            assert_eq!(action(Press { command: true, ..plain(key) }, Focus::Text), None, "{key}");
        }
    }

    #[test]
    fn space_presses_a_button_and_plays_elsewhere() {
        assert_eq!(action(plain(" "), Focus::Control), None);
        assert_eq!(action(plain(" "), Focus::Elsewhere), Some(Action::Play));
        assert_eq!(action(plain("?"), Focus::Control), Some(Action::Help));
    }

    #[test]
    fn undo_and_redo_have_different_keys() {
        let command = |key, shift| Press { command: true, shift, ..plain(key) };
        assert_eq!(action(command("z", false), Focus::Elsewhere), Some(Action::Undo));
        assert_eq!(action(command("Z", true), Focus::Elsewhere), Some(Action::Redo));
        assert_eq!(action(command("y", false), Focus::Elsewhere), Some(Action::Redo));
        assert_eq!(action(command("/", false), Focus::Elsewhere), None, "the browser's own");
    }
}
