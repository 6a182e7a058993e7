//! Errors of the browser's video player and of the camera.

/// Why the browser's player does not play a video.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlaybackError {
    #[error("\u{201c}{name}\u{201d} has a format that this browser cannot play: save it as H.264 in MP4 first")]
    Unsupported { name: String },
    #[error(
        "\u{201c}{name}\u{201d} is damaged, or is too large for this browser's player: save a smaller H.264 MP4"
    )]
    Damaged { name: String },
    #[error("\u{201c}{name}\u{201d} could not be read: it may have been moved or changed; choose it again")]
    Unreadable { name: String },
    #[error("\u{201c}{name}\u{201d} has sound, but no pictures: choose another video")]
    NoPictures { name: String },
    #[error(
        "this browser's player did not reach {seconds:.2} s of \u{201c}{name}\u{201d}: try again, or choose \
         another time"
    )]
    Late { name: String, seconds: f64 },
}

impl PlaybackError {
    /// Returns the error for a video element's `MediaError.code`. `code` is 0 if the element has no error.
    pub fn of_code(name: &str, code: u16) -> Self {
        let name = name.to_owned();
        match code {
            1 | 2 => Self::Unreadable { name },
            3 => Self::Damaged { name },
            _ => Self::Unsupported { name },
        }
    }
}

/// Why the camera gives no pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CameraError {
    #[error("the camera is not allowed here: allow it in the browser's address bar, then try again")]
    Refused,
    #[error("there is no camera: plug one in, or open a video file")]
    None,
    #[error("the camera is in use by another program: close that, then try again")]
    Busy,
    #[error("browsers give a camera to pages at https or localhost only: open headlamp there")]
    Insecure,
    #[error("the camera gave no picture: unplug it and plug it in again, or open a video file")]
    Silent,
}

impl CameraError {
    /// Returns the error for the name of the `DOMException` with which `getUserMedia` failed.
    pub fn of_exception(name: &str) -> Self {
        match name {
            "NotAllowedError" => Self::Refused,
            "NotFoundError" | "OverconstrainedError" => Self::None,
            "NotReadableError" => Self::Busy,
            "SecurityError" | "TypeError" => Self::Insecure,
            _ => Self::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_a_sentence_that_says_what_to_do() {
        for (code, advice) in
            [(1, "choose it again"), (2, "choose it again"), (3, "smaller"), (4, "H.264"), (0, "H.264")]
        {
            let sentence = PlaybackError::of_code("clip.mov", code).to_string();
            assert!(sentence.contains("\u{201c}clip.mov\u{201d}") && sentence.contains(advice), "{sentence}");
        }
        for (name, advice) in [
            ("NotAllowedError", "allow it"),
            ("NotFoundError", "plug one in"),
            ("OverconstrainedError", "plug one in"),
            ("NotReadableError", "close that"),
            ("SecurityError", "https"),
            ("AbortError", "unplug it"),
        ] {
            assert!(CameraError::of_exception(name).to_string().contains(advice), "{name}");
        }
    }
}
