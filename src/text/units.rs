//! Figures as people read them: few digits, a true minus sign, units apart.

/// Formats a contribution or cosine with its sign: "+0.0213", "−0.0004".
pub fn signed(value: f32, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match (is_zero, value < 0.0) {
        (true, _) => text,
        (false, true) => format!("−{text}"),
        (false, false) => format!("+{text}"),
    }
}

/// Formats a share, 0 to 1, in per cent: "62 %", "0.4 %", "<0.1 %".
pub fn percent(share: f32) -> String {
    let percent = share * 100.0;
    if percent >= 9.95 {
        format!("{percent:.0} %")
    } else if percent >= 0.05 || percent <= 0.0 {
        format!("{percent:.1} %")
    } else {
        "<0.1 %".to_owned()
    }
}

/// Formats a small share, 0 to 1, in per cent: "0.02 %", "5.31 %".
pub fn fine_percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Formats a file's size: "45.3 MB".
pub fn bytes(bytes: u64) -> String {
    let amount = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", amount / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", amount / 1e6),
        _ => format!("{:.2} GB", amount / 1e9),
    }
}

/// Formats a duration: "38 ms", "1.12 s", "74 s".
pub fn seconds(seconds: f64) -> String {
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// Formats an estimated waiting time, rounded: "some seconds", "40 s", "3 min", "1.5 h".
pub fn time_left(seconds: f64) -> String {
    match seconds {
        ..5.0 => "some seconds".to_owned(),
        ..90.0 => format!("{} s", (seconds / 5.0).round() * 5.0),
        ..5400.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Formats a count in groups of three digits: "22 050 664".
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of things: "1 image", "3 images".
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Formats a small difference: "3.2e−7".
pub fn scientific(value: f64) -> String {
    format!("{value:.1e}").replace('-', "−")
}

/// Returns a file name made of `words`: their letters and digits, joined by hyphens; at most 80 characters.
pub fn file_stem(words: &str) -> String {
    let parts = words.split(|char: char| !char.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").chars().take(80).collect()
}

/// Returns the name of the file at an address, for people: "china.jpg".
pub fn file_of_url(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "the picture".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_true_and_zero_has_none() {
        assert_eq!(signed(0.02134, 4), "+0.0213");
        assert_eq!(signed(-0.5, 3), "−0.500");
        assert_eq!(signed(-0.00001, 4), "0.0000");
    }

    #[test]
    fn shares_keep_two_digits() {
        assert_eq!(
            ["0.996", "0.0995", "0.0042", "0.0001", "0"].map(|share| percent(share.parse().unwrap())),
            ["100 %", "10 %", "0.4 %", "<0.1 %", "0.0 %"]
        );
    }

    #[test]
    fn small_shares_keep_two_places() {
        assert_eq!([0.000_171, 0.0531].map(fine_percent), ["0.02 %", "5.31 %"]);
    }

    #[test]
    fn sizes_and_times_change_units_in_time() {
        assert_eq!([999, 45_312_000, 1_700_000_000].map(bytes), ["999 B", "45.3 MB", "1.70 GB"]);
        assert_eq!([0.0384, 0.9996, 1.118, 74.2].map(seconds), ["38 ms", "1.00 s", "1.12 s", "74 s"]);
    }

    #[test]
    fn thousands_stand_apart() {
        let ascii = |number| count(number).replace('\u{202f}', " ");
        assert_eq!([0, 999, 1000, 22_050_664].map(ascii), ["0", "999", "1 000", "22 050 664"]);
    }

    #[test]
    fn file_names_hold_no_separators() {
        assert_eq!(file_stem("../a cat: 50 %/.png"), "a-cat-50-png");
    }
}
