//! What can go wrong with a video.

/// A video that could not be opened, or a frame of it that could not be had, in a sentence for the person who
/// chose it.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("\u{201c}{name}\u{201d} is empty: copy it again, or choose another video")]
    Empty { name: String },
    #[error("\u{201c}{name}\u{201d} is not a video of a kind known here: choose an MP4, MOV, WebM or MKV file")]
    NotAVideo { name: String },
    #[error("\u{201c}{name}\u{201d} has no pictures in it, only sound or text: choose another file")]
    NoPictures { name: String },
    #[error(
        "\u{201c}{name}\u{201d} is cut off before its list of frames: copy or download it again, or choose another video"
    )]
    CutOff { name: String },
    #[error("\u{201c}{name}\u{201d} is damaged: copy or download it again, or choose another video")]
    Damaged { name: String },
    #[error("\u{201c}{name}\u{201d} has too many frames: cut it into parts of an hour or less")]
    TooLong { name: String },
    #[error("\u{201c}{name}\u{201d} is encrypted or packed in a way that is not read here: save it as plain MP4")]
    Protected { name: String },
    /// No browser is known to decode this, or this one does not.
    #[error(
        "this browser does not decode {codec}, which \u{201c}{name}\u{201d} is in: save it as H.264 in MP4 first"
    )]
    Codec { name: String, codec: String },
    #[error("\u{201c}{name}\u{201d} could not be read: it may have been moved or changed; choose it again")]
    Unreadable { name: String },
    #[error("this browser has no video decoder for pages: use a current Chrome, Edge, Firefox or Safari")]
    NoDecoder,
    #[error(
        "\u{201c}{name}\u{201d} is damaged at {seconds:.2} s: later frames may be whole; go on there, or copy the file again"
    )]
    DamagedAt { name: String, seconds: f64 },
    #[error("the decoder gave no frame of \u{201c}{name}\u{201d} at {seconds:.2} s: open it again")]
    Stalled { name: String, seconds: f64 },
    #[error(
        "this browser has no room for the frames of \u{201c}{name}\u{201d}: close other tabs, or scale it down"
    )]
    NoRoom { name: String },
    #[error("the page sent no frame for {seconds:.2} s: go back there")]
    NotSent { seconds: f64 },
    #[error(transparent)]
    Picture(#[from] crate::media::MediaError),
}
