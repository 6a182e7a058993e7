//! Reads a codec's WebCodecs name from the configuration record in a container.

/// The codec of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codec {
    /// The name in WebCodecs: "avc1.64001F".
    pub string: String,
    /// The configuration record, which a decoder of H.264 or HEVC needs before the first sample.
    pub description: Option<Vec<u8>>,
    /// The name in messages: "H.264".
    pub name: &'static str,
}

impl Codec {
    /// Returns H.264, from an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). `entry` is the name of the
    /// sample entry: avc1 or avc3. `None` if the record is too short.
    pub(super) fn avc(entry: &str, record: &[u8]) -> Option<Self> {
        let &[1, profile, compatibility, level, ..] = record else { return None };
        let string = format!("{entry}.{profile:02X}{compatibility:02X}{level:02X}");
        Some(Self { string, description: Some(record.to_vec()), name: "H.264" })
    }

    /// Returns HEVC, from an HEVCDecoderConfigurationRecord. ISO/IEC 14496-15, annex E.3, defines the string. `None`
    /// if the record is too short.
    pub(super) fn hevc(entry: &str, record: &[u8]) -> Option<Self> {
        let (&[_version, profile, ref flags @ ..], &[level, ..]) = (record.get(..12)?, record.get(12..)?) else {
            return None;
        };
        let (compatibility, constraints) = flags.split_first_chunk::<4>()?;
        let compatibility = u32::from_be_bytes(*compatibility).reverse_bits();
        let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
        let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
        let mut string = format!("{entry}.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1F);
        let used = constraints.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        for byte in &constraints[..used] {
            string.push_str(&format!(".{byte:X}"));
        }
        Some(Self { string, description: Some(record.to_vec()), name: "HEVC" })
    }

    /// Returns AV1, from an AV1CodecConfigurationRecord. AV1's key frames repeat the record, so a decoder does not
    /// need it. `None` if the record has another version.
    pub(super) fn av1(record: &[u8]) -> Option<Self> {
        let &[0x81, profile_level, flags, ..] = record else { return None };
        let (profile, level) = (profile_level >> 5, profile_level & 0x1F);
        let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
        let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
            (false, _) => 8,
            (true, false) => 10,
            (true, true) => 12,
        };
        let string = format!("av01.{profile}.{level:02}{tier}.{depth:02}");
        Some(Self { string, description: None, name: "AV1" })
    }

    /// Returns VP9, from MP4's VPCodecConfigurationRecord. `None` if the record is too short.
    pub(super) fn vp9(record: &[u8]) -> Option<Self> {
        let &[profile, level, depth, ..] = record else { return None };
        Some(Self::vp9_of(profile, level, depth >> 4))
    }

    /// Returns VP9, from the first key frame ("VP9 Bitstream", 6.2). WebM stores no record for VP9. `None` if the
    /// bytes are not a VP9 frame.
    pub(super) fn vp9_from_frame(frame: &[u8]) -> Option<Self> {
        let first = *frame.first()?;
        let profile = first >> 5 & 1 | first >> 3 & 2;
        if first >> 6 != 0b10 {
            return None;
        }
        // The bits before the sync code: 2 of the marker, 2 of the profile (3 for profile 3), and four flags.
        let at = if profile == 3 { 9 } else { 8 };
        let depth = match profile {
            0 | 1 => 8,
            // One bit after the 24 bits of the sync code chooses between 10 and 12 bits.
            _ if frame.get((at + 24) / 8)? >> (7 - (at + 24) % 8) & 1 == 1 => 12,
            _ => 10,
        };
        Some(Self::vp9_of(profile, 0, depth))
    }

    fn vp9_of(profile: u8, level: u8, depth: u8) -> Self {
        // Level 0 means that the level is unknown. Browsers require a level but ignore its value.
        let level = if level == 0 { 10 } else { level };
        let depth = if depth == 0 { 8 } else { depth };
        Self { string: format!("vp09.{profile:02}.{level:02}.{depth:02}"), description: None, name: "VP9" }
    }

    /// Returns VP8, which has no settings.
    pub(super) fn vp8() -> Self {
        Self { string: "vp8".to_owned(), description: None, name: "VP8" }
    }
}

/// How a codec marks hidden frames. VP8 and VP9 have frames that are never shown, because other frames only refer to
/// them. Matroska stores each such frame in its own block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameVisibility {
    Vp8,
    Vp9,
    Always,
}

impl FrameVisibility {
    /// Returns the rule for a codec, by Matroska's name of the codec.
    pub(super) fn of_codec(codec: &str) -> Self {
        match codec {
            "V_VP8" => Self::Vp8,
            "V_VP9" => Self::Vp9,
            _ => Self::Always,
        }
    }

    /// Returns whether a frame with these first and last bytes is shown (RFC 6386, 9.1; "VP9 Bitstream", 6.2 and
    /// annex B: each superframe ends with a shown frame).
    pub(super) fn is_shown(self, first: u8, last: u8) -> bool {
        match self {
            Self::Vp8 => first & 0x10 != 0,
            Self::Vp9 => {
                let is_superframe = last & 0xE0 == 0xC0;
                let is_profile_3 = first & 0x30 == 0x30;
                // The bits after marker and profile: show an earlier frame, frame type, show this frame.
                let flags = if is_profile_3 { first << 5 } else { first << 4 };
                is_superframe || flags & 0x80 != 0 || flags & 0x20 != 0
            }
            Self::Always => true,
        }
    }
}

/// Returns the name of a codec that headlamp does not read, for messages. `code` is its four-character code or its
/// Matroska name.
pub(super) fn unsupported_name(code: &str) -> String {
    let known = match code {
        "mp4v" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/SP" => "MPEG-4 Part 2",
        "apch" | "apcn" | "apcs" | "apco" | "ap4h" | "ap4x" | "V_PRORES" => "ProRes",
        "dvh1" | "dvhe" => "Dolby Vision",
        "mjpa" | "mjpb" | "jpeg" | "V_MJPEG" => "Motion JPEG",
        "s263" | "h263" => "H.263",
        "vvc1" | "vvi1" => "VVC",
        "V_MPEG2" | "m2v1" => "MPEG-2",
        "V_THEORA" => "Theora",
        _ => "",
    };
    // The code comes from the file. Only plain characters of it may enter a message.
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "/_-. ".contains(*c);
    let code: String = code.chars().filter(is_plain).take(32).collect();
    match (known, code.trim()) {
        ("", "") => "an unnamed codec".to_owned(),
        ("", code) => format!("the codec {code}"),
        (known, code) => format!("{known} ({code})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hevc_strings_match_the_standard() {
        // The example of the standard: Main profile, level 3.1, progressive.
        let record = [1, 1, 0x60, 0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 93, 0xF0];
        assert_eq!(Codec::hevc("hvc1", &record).unwrap().string, "hvc1.1.6.L93.B0");
        let high = [1, 0x62, 0x20, 0, 0, 0, 0x90, 0, 0, 0x10, 0, 0, 120, 0];
        assert_eq!(Codec::hevc("hev1", &high).unwrap().string, "hev1.A2.4.H120.90.0.0.10");
        assert_eq!(Codec::hevc("hvc1", &record[..12]), None);
    }

    #[test]
    fn vp9_frames_give_profile_and_depth() {
        // Marker 10, profile 0, a shown key frame, sync code.
        assert_eq!(Codec::vp9_from_frame(&[0x82, 0x49, 0x83, 0x42, 0]).unwrap().string, "vp09.00.10.08");
        // Profile 2 with 10 bits, then with 12 bits.
        assert_eq!(Codec::vp9_from_frame(&[0x92, 0x49, 0x83, 0x42, 0]).unwrap().string, "vp09.02.10.10");
        assert_eq!(Codec::vp9_from_frame(&[0x92, 0x49, 0x83, 0x42, 0x80]).unwrap().string, "vp09.02.10.12");
        assert_eq!(Codec::vp9_from_frame(&[0x02]), None);
    }

    #[test]
    fn codec_codes_cannot_break_a_message() {
        assert_eq!(unsupported_name("mp4v"), "MPEG-4 Part 2 (mp4v)");
        assert_eq!(unsupported_name("\0\u{7}\u{202e}"), "an unnamed codec");
        assert_eq!(unsupported_name("wxyz"), "the codec wxyz");
    }
}
