//! The steps of the tour, and their texts.

use crate::text::units;

/// A step of the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Contribution,
    Head,
    TextSpan,
    Segmentation,
    Ablation,
}

/// The steps in their order.
pub const STEPS: [Step; 5] = [Step::Contribution, Step::Head, Step::TextSpan, Step::Segmentation, Step::Ablation];

impl Step {
    pub fn title(self) -> &'static str {
        match self {
            Self::Contribution => "A score is a sum",
            Self::Head => "A head looks somewhere",
            Self::TextSpan => "A head in words",
            Self::Segmentation => "Where the phrase is",
            Self::Ablation => "Switch a head off",
        }
    }

    /// Returns the CSS selector of the view that the step explains.
    pub fn target(self) -> &'static str {
        match self {
            Self::Contribution => "#scores",
            Self::Head => ".head-grid",
            Self::TextSpan => "#head-panel",
            Self::Segmentation => ".photo-panel",
            Self::Ablation => "#lab",
        }
    }

    /// Returns whether the view is on the right of a wide page, so that the text must be on the left.
    pub fn is_on_the_right(self) -> bool {
        matches!(self, Self::Head | Self::TextSpan | Self::Ablation)
    }
}

/// The values on the page that a step mentions; `None` for values that are not available yet.
#[derive(Clone, Debug, Default)]
pub struct ShownValues {
    pub phrase: String,
    pub score: Option<f32>,
    /// The score with everything switched on; `None` if nothing is switched off.
    pub intact: Option<f32>,
    pub head: Option<(usize, usize)>,
    /// The head's value in the grid: its contribution to the score, or the difference from its mean.
    pub part: Option<f32>,
    /// Whether the grid shows differences from an average picture.
    pub is_difference: bool,
    pub labels: Vec<String>,
    pub can_switch_off: bool,
}

/// Returns the text of a step.
pub fn step_text(step: Step, seen: &ShownValues) -> String {
    let ShownValues { phrase, score, head, part, .. } = seen;
    let score = score.map_or_else(|| "…".to_owned(), |score| units::signed(score, 3));
    let head = head.map_or_else(|| "the head".to_owned(), |(layer, head)| format!("head {head} of layer {layer}"));
    let part = part.map_or_else(|| "…".to_owned(), |part| units::signed(part, 3));
    match step {
        Step::Contribution => format!(
            "The model gives “{phrase}” a score of {score} for this photo. That number is a sum: every part \
             of the model adds to it or reduces it, and this page shows each part exactly. A part's share of \
             the score is its contribution."
        ),
        Step::Head if seen.is_difference => format!(
            "Each cell is an attention head. Each row is a layer, the last one at the top. The colours say what this \
             photo changes: orange adds more to the score than in an average picture, blue adds less. The largest \
             change is that of {head}, {part}. On the photo you see which patches its contribution comes from. The \
             letters in a cell say what the head is about."
        ),
        Step::Head => format!(
            "Each cell is an attention head. Each row is a layer, the last one at the top. Orange adds to the \
             score, blue reduces it. The strongest is {head}, with {part}. On the photo you see which patches \
             this contribution comes from."
        ),
        Step::TextSpan => format!(
            "Which texts describe {head}? Over thousands of photos its output varies along a few directions, \
             and these texts describe them{}. The percentage says how much of the variance they explain. The \
             heads of this small model are broad; those of a large CLIP are often about one thing.",
            first(&seen.labels)
        ),
        Step::Segmentation => format!(
            "The same sum, patch by patch: the photo is tinted where all heads together fit “{phrase}” better \
             than your other phrases. The model was never taught where things are. Move the threshold to see \
             more or less."
        ),
        Step::Ablation if !seen.can_switch_off => {
            "Parts can be switched off to see what they do. This model has no means to replace them by: add \
             your own pictures to the gallery."
                .to_owned()
        }
        Step::Ablation => format!(
            "How much does {head} add to the score? Here it is replaced by its mean over many photos. {} You can switch \
             off any cell of the grid like this.",
            change(seen, &score)
        ),
    }
}

fn first(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        labels => format!(": {}", labels.iter().map(|label| format!("“{label}”")).collect::<Vec<_>>().join(", ")),
    }
}

fn change(seen: &ShownValues, score: &str) -> String {
    match seen.intact {
        Some(intact) => format!("The score goes from {} to {score}.", units::signed(intact, 3)),
        None => format!("The score is {score} with everything on."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> ShownValues {
        ShownValues {
            phrase: "a cat".to_owned(),
            score: Some(0.2),
            intact: Some(0.25),
            head: Some((11, 4)),
            part: Some(0.05),
            labels: vec!["fur".to_owned(), "ears".to_owned()],
            can_switch_off: true,
            is_difference: false,
        }
    }

    #[test]
    fn the_steps_name_the_values_on_the_page() {
        let told = STEPS.map(|step| step_text(step, &seen()));
        assert!(told[0].contains("“a cat” a score of +0.200"));
        assert!(told[1].contains("head 4 of layer 11, with +0.050"));
        assert!(told[2].contains("“fur”, “ears”"));
        assert!(told[4].contains("from +0.250 to +0.200"), "{}", told[4]);
        let told = says(Step::Head, &Seen { is_difference: true, ..seen() });
        assert!(told.contains("average picture") && told.contains("head 4 of layer 11, +0.050"), "{told}");
    }

    #[test]
    fn without_values_the_steps_contain_no_numbers() {
        for step in STEPS {
            let told = step_text(
                step,
                &ShownValues { phrase: "a cat".to_owned(), can_switch_off: true, ..ShownValues::default() },
            );
            assert!(!told.chars().any(|character| character.is_ascii_digit()), "{told}");
        }
        let told = step_text(Step::Ablation, &ShownValues { can_switch_off: false, ..seen() });
        assert!(told.contains("no means"), "{told}");
    }
}
