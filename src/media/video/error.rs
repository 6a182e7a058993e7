//! The error type for videos.

/// A video that cannot be opened, or a frame that cannot be decoded. Each message addresses the user who chose the
/// video.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("\u{201c}{name}\u{201d} is empty: copy it again, or choose another video")]
    Empty { name: String },
    #[error("\u{201c}{name}\u{201d} is not a video that headlamp knows: choose an MP4, MOV, WebM or MKV file")]
    NotAVideo { name: String },
    #[error("\u{201c}{name}\u{201d} has no pictures, only sound or text: choose another file")]
    NoPictures { name: String },
    #[error(
        "\u{201c}{name}\u{201d} is cut off before its list of frames: copy or download it again, or choose another video"
    )]
    CutOff { name: String },
    #[error("\u{201c}{name}\u{201d} is damaged: copy or download it again, or choose another video")]
    Damaged { name: String },
    #[error("\u{201c}{name}\u{201d} has too many frames: cut it into parts of an hour or less")]
    TooLong { name: String },
    #[error(
        "\u{201c}{name}\u{201d} is encrypted or compressed in a way that headlamp does not read: save it as plain MP4"
    )]
    Protected { name: String },
    /// Either no browser decodes this codec, or this browser does not.
    #[error(
        "this browser does not decode {codec}, the codec of \u{201c}{name}\u{201d}: save it as H.264 in MP4 first"
    )]
    Codec { name: String, codec: String },
    #[error("\u{201c}{name}\u{201d} could not be read: it may have been moved or changed; choose it again")]
    Unreadable { name: String },
    #[error("this browser has no video decoder for pages: use a current Chrome, Edge, Firefox or Safari")]
    NoDecoder,
    #[error(
        "\u{201c}{name}\u{201d} is damaged at {seconds:.2} s: later frames may be intact; continue there, or copy the file again"
    )]
    DamagedAt { name: String, seconds: f64 },
    #[error("the decoder returned no frame of \u{201c}{name}\u{201d} at {seconds:.2} s: open it again")]
    Stalled { name: String, seconds: f64 },
    #[error(
        "this browser has no memory for the frames of \u{201c}{name}\u{201d}: close other tabs, or scale the video down"
    )]
    NoRoom { name: String },
    #[error("the page sent no frame for {seconds:.2} s: go back to that time")]
    NotSent { seconds: f64 },
    #[error(transparent)]
    Picture(#[from] crate::media::error::MediaError),
}
