//! File names in the order that people count in: frame 2 before frame 10.

/// A part of a name: digits count as the number that they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Without leading zeros: a longer one is larger.
    Number(usize, String),
    Text(String),
}

/// What to sort names by.
pub fn key(name: &str) -> Vec<Part> {
    let chars: Vec<char> = name.chars().collect();
    let runs = chars.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    runs.map(|run| {
        let text: String = run.iter().collect();
        if run[0].is_ascii_digit() {
            let digits = text.trim_start_matches('0').to_owned();
            Part::Number(digits.len(), digits)
        } else {
            Part::Text(text.to_lowercase())
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn numbers_in_names_are_counted() {
        let mut names = ["f10.png", "f2.png", "F1.png", "f010b.png", "10.png", "f.png", "9.png"];
        names.sort_by_key(|name| key(name));
        assert_eq!(names, ["9.png", "10.png", "F1.png", "f2.png", "f10.png", "f010b.png", "f.png"]);
        assert!(key("99999999999999999999999.png") > key("2.png"), "any number of digits");
    }
}
