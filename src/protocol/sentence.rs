//! Errors as sentences for people.

/// Returns an error's words as a sentence, with a capital at the start (except in a file's name) and a full stop.
pub fn sentence(words: &str) -> String {
    let is_word = words.split(' ').next().is_some_and(|first| first.chars().all(char::is_alphabetic));
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    let first = if is_word { first.to_uppercase() } else { first.to_owned() };
    let stop = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{stop}")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences_start_with_a_capital_except_file_names() {
        assert_eq!(sentence("open a photo first"), "Open a photo first.");
        assert_eq!(sentence("weights.safetensors is damaged"), "weights.safetensors is damaged.");
        assert_eq!(sentence("écrit à la main!"), "Écrit à la main!");
        assert_eq!(sentence(""), ".");
    }
}
