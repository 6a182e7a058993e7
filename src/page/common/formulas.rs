//! How each value of the page is computed: a formula, its symbols in words, and its source.

use crate::page::common::mathml::{
    display, id, indices, inner, large, marked, norm, number, op, over, round, row, sub, sup,
};

/// A value of the page that has an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Scores,
    Contributions,
    Differences,
    HeadMap,
    TextSpan,
    Names,
    Segmentation,
    Ablation,
    Ranking,
    OutlyingPictures,
    Cues,
    Tracks,
    Propagation,
}

impl Topic {
    pub const ALL: [Self; 13] = [
        Self::Scores,
        Self::Contributions,
        Self::Differences,
        Self::HeadMap,
        Self::TextSpan,
        Self::Names,
        Self::Segmentation,
        Self::Ablation,
        Self::Ranking,
        Self::OutlyingPictures,
        Self::Cues,
        Self::Tracks,
        Self::Propagation,
    ];
}

/// A place in a paper, and the paper's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub paper: &'static str,
    pub place: &'static str,
    pub address: &'static str,
}

/// The paper on CLIP itself.
const CLIP: &str = "https://arxiv.org/abs/2103.00020";
const DECOMPOSITION: &str = "https://arxiv.org/abs/2310.05916";
const CONSISTENCY: &str = "https://arxiv.org/abs/2503.11103";
const DORA: &str = "https://arxiv.org/abs/2310.08584";
const DINO: &str = "https://arxiv.org/abs/2104.14294";

const fn decomposition(place: &'static str) -> Source {
    Source { paper: "Gandelsman, Efros and Steinhardt (2024)", place, address: DECOMPOSITION }
}

/// The explanation of a topic.
pub struct Explanation {
    /// MathML.
    pub formulas: Vec<String>,
    /// The meaning of the symbols.
    pub words: &'static str,
    pub source: Source,
}

/// Returns the explanation of a topic.
pub fn explanation(topic: Topic) -> Explanation {
    match topic {
        Topic::Scores => scores(),
        Topic::Contributions => contributions(),
        Topic::Differences => differences(),
        Topic::HeadMap => head_map(),
        Topic::TextSpan => text_span(),
        Topic::Names => names(),
        Topic::Segmentation => segmentation(),
        Topic::Ablation => ablation(),
        Topic::Ranking => ranking(),
        Topic::OutlyingPictures => outlying_pictures(),
        Topic::Cues => cues(),
        Topic::Tracks => tracks(),
        Topic::Propagation => propagation(),
    }
}

/// Returns c with indices.
fn c(names: &str) -> String {
    sub(id("c"), indices(names))
}

fn scores() -> Explanation {
    let exponential = |text: &str| sup(id("e"), row([id("τ"), sub(id("s"), id(text))]));
    Explanation {
        formulas: vec![
            display([
                sub(id("s"), id("t")),
                op("="),
                over(inner(id("M"), id("t")), row([norm(id("M")), norm(id("t"))])),
            ]),
            display([
                sub(id("p"), id("t")),
                op("="),
                over(exponential("t"), row([large("∑", id("u")), exponential("u")])),
            ]),
        ],
        words: "M is the model's embedding of the photo, t its embedding of the phrase: the bar is their cosine. The \
                percentage is a softmax over your phrases u, with the temperature τ that the model learned.",
        source: Source { paper: "Radford and others (2021)", place: "Section 3.1", address: CLIP },
    }
}

fn contributions() -> Explanation {
    let part = |name: &str| row([large("∑", id("l")), inner(sub(id(name), id("l")), id("t"))]);
    let share = |of: &str| over(id(of), row([id("C"), id("N"), id("H")]));
    let centred = row([sub(id("x"), indices("lhi")), op("−"), share("μ")]);
    let normed = row([id("γ"), op("⊙"), over(centred, id("σ")), op("+"), share("β")]);
    Explanation {
        formulas: vec![
            display([
                sub(id("s"), id("t")),
                op("="),
                large("∑", indices("lh")),
                inner(c("lh"), id("t")),
                op("+"),
                part("m"),
                op("+"),
                inner(sub(id("z"), number("0")), id("t")),
            ]),
            display([
                c("lh"),
                op("="),
                over(number("1"), norm(id("M"))),
                large("∑", id("i")),
                sup(id("P"), id("T")),
                round(normed),
            ]),
        ],
        words: "The output x of head h of layer l for the CLS token is a sum over the tokens i that it attends to. \
         The final norm (γ, β, with the μ and σ of this photo) and the projection P are folded into each of \
         the C components, over N tokens and H heads. Nothing is left out: heads, MLPs m and the first \
         embedding z₀ sum to the score.",
        source: decomposition("Sections 3 and 4"),
    }
}

fn differences() -> Explanation {
    let mean = || marked(id("c"), "¯");
    let part = || row([id("c"), op("−"), mean()]);
    Explanation {
        formulas: vec![display([
            sub(id("s"), id("t")),
            op("="),
            large("∑", id("c")),
            inner(part(), id("t")),
            op("+"),
            large("∑", id("c")),
            inner(mean(), id("t")),
        ])],
        words: "A cell shows the part's contribution c to this photo minus its mean over many photos. The means \
         together are the score of an average picture. Both sums together are the score. Many heads add the same to \
         every picture: the difference shows which parts explain the score of this one.",
        source: decomposition("Section 3"),
    }
}

fn head_map() -> Explanation {
    Explanation {
        formulas: vec![display([
            inner(c("lh"), id("t")),
            op("="),
            large("∑", id("i")),
            inner(c("lhi"), id("t")),
            op(","),
            sub(id("x"), indices("lhi")),
            op("="),
            sub(id("a"), indices("lhi")),
            sub(id("v"), indices("lhi")),
            sub(id("W"), indices("lh")),
        ])],
        words: "Each patch i has a part in the head's contribution. “Attention” shows a alone: the attention of the \
         CLS token to the patch. “Contribution” shows the patch's part in the score, with its sign.",
        source: decomposition("Section 5"),
    }
}

fn text_span() -> Explanation {
    let project = || inner(sub(id("D"), id("k")), sub(id("R"), id("j")));
    let pick = sub(id("R"), sup(id("j"), op("*")));
    Explanation {
        formulas: vec![
            display([
                sup(id("j"), op("*")),
                op("="),
                large("argmax", id("j")),
                sub(id("Var"), id("k")),
                project(),
            ]),
            display([
                sub(id("D"), id("k")),
                op("←"),
                sub(id("D"), id("k")),
                op("−"),
                over(inner(sub(id("D"), id("k")), pick.clone()), sup(norm(pick.clone()), number("2"))),
                pick,
            ]),
        ],
        words: "D has a row for each of many images k: the head's contribution to that image. R has the texts, \
         projected onto the span of the head's outputs. The text along which the rows vary most is chosen, \
         its direction is removed from all rows and texts, and so on. The percentage is the variance \
         explained so far.",
        source: decomposition("Section 4.1, Algorithm 1"),
    }
}

fn names() -> Explanation {
    let variances = |over: String| row([large("∑", over), sub(id("v"), id("j"))]);
    let share = |head: &str| sub(id("s"), indices(head));
    Explanation {
        formulas: vec![
            display([share("g"), op("="), over(variances(row([id("j"), op("∈"), id("g")])), variances(id("j")))]),
            display([id("C"), op("="), over(row([id("texts"), round(id("n"))]), number("5"))]),
            display([
                id("E"),
                op("="),
                over(number("2"), row([id("H"), round(row([id("H"), op("−"), number("1")]))])),
                large("∑", row([id("a"), op("&lt;"), id("b")])),
                large("∑", id("g")),
                id("min"),
                round(row([share("ag"), op(","), share("bg")])),
            ]),
        ],
        words: "v is the variance that each of a head's first ten texts j explains in addition to the texts before it. \
         s is the share of a property g of the texts. The largest share gives the head its name n, if random \
         texts of the pool would rarely reach such a share: at most one name in twenty is expected to be due to \
         chance. The consistency C counts the texts of the name among the first five. The entanglement E is the \
         mean overlap of two of the H heads, a and b: at 0, no two heads share a property.",
        source: Source {
            paper: "Madasu, Lal and Howard (2025)",
            place: "the Concept Consistency Score",
            address: CONSISTENCY,
        },
    }
}

fn segmentation() -> Explanation {
    Explanation {
        formulas: vec![display([
            sub(id("s"), id("i")),
            op("="),
            large("∑", indices("lh")),
            inner(c("lhi"), row([id("t"), op("−"), marked(id("t"), "¯")])),
        ])],
        words: "Each patch's contribution to the phrase's score, over all heads, minus the mean contribution to the \
         phrases it is compared with. The map is enlarged bilinearly, clipped at 0 and scaled to 1. The \
         foreground is above the threshold, which is the mean of the map at first. A guided filter (He and others, \
         2013) then moves the edges onto the photo's edges; “As the model sees it” leaves this step out.",
        source: decomposition("Section 5.1"),
    }
}

fn ablation() -> Explanation {
    Explanation {
        formulas: vec![display([
            sup(id("s"), op("′")),
            op("="),
            id("s"),
            op("−"),
            inner(id("c"), id("t")),
            op("+"),
            inner(marked(id("c"), "¯"), id("t")),
        ])],
        words: "A part's contribution to this photo, c, is replaced by its mean over many photos. The part then says \
         nothing about this photo, and the score keeps its level. Scores are linear in the parts, so the \
         result is exact.",
        source: decomposition("Section 3"),
    }
}

fn ranking() -> Explanation {
    let picture = || sup(c("lh"), op("′"));
    Explanation {
        formulas: vec![display([
            id("cos"),
            op("="),
            over(inner(c("lh"), picture()), row([norm(c("lh")), norm(picture())])),
        ])],
        words: "Two pictures are similar for a head if its contributions to both are similar. A head for colours \
         finds pictures of the same colours, whatever they show.",
        source: decomposition("Section 4.3"),
    }
}

fn outlying_pictures() -> Explanation {
    let picture = || sub(id("c"), indices("hk"));
    Explanation {
        formulas: vec![display([
            sub(id("d"), id("k")),
            op("="),
            norm(row([
                large("∑", id("h")),
                picture(),
                op("−"),
                over(number("1"), id("K")),
                large("∑", id("k")),
                large("∑", id("h")),
                picture(),
            ])),
        ])],
        words: "The contributions of the property's heads h to picture k are summed. d is the length of the difference \
         between this sum and its mean over the K pictures of your gallery.",
        source: decomposition("Section 4.3"),
    }
}

fn cues() -> Explanation {
    Explanation {
        formulas: vec![display([
            id("worst"),
            op("="),
            large("min", id("g")),
            over(row([id("right"), round(id("g"))]), row([id("pictures"), round(id("g"))])),
        ])],
        words: "A group g is a class together with a nuisance, for example waterbirds on land. Heads that follow the \
         nuisance are replaced by their means. If the model relied on the nuisance, its worst group improves.",
        source: decomposition("Section 4.3"),
    }
}

fn tracks() -> Explanation {
    let refined = || sup(id("P"), op("′"));
    Explanation {
        formulas: vec![
            display([
                id("P"),
                op("="),
                id("A"),
                id("Q"),
                op(","),
                refined(),
                op("="),
                sup(id("M"), op("*")),
                id("Z"),
            ]),
            display([
                sub(id("T"), id("t")),
                op("="),
                id("softmax"),
                round(over(
                    row([refined(), sup(sub(id("K"), id("t")), id("T"))]),
                    format!("<msqrt>{}</msqrt>", id("d")),
                )),
            ]),
        ],
        words: "On the first frame, the attention A of three heads makes a prototype of each object from the queries \
         Q. The Sinkhorn-Knopp iteration assigns the patches Z to the prototypes (M*), which sharpens them. \
         An object's track on frame t is the softmax of its prototype with the keys K.",
        source: Source { paper: "Venkataramanan and others (2024)", place: "Section 4", address: DORA },
    }
}

fn propagation() -> Explanation {
    let likeness =
        || sup(id("e"), row([id("cos"), round(row([id("i"), op(","), id("j")])), op("/"), number("0.1")]));
    Explanation {
        formulas: vec![display([
            sub(id("m"), id("i")),
            op("="),
            over(
                row([large("∑", id("j")), likeness(), sub(id("m"), id("j"))]),
                row([large("∑", id("j")), likeness()]),
            ),
        ])],
        words: "A patch i takes the mask m of the five most similar patches j, among the nearby patches of the first \
         and the last seven frames. The patches are compared as they are after the last layer, or after the layer \
         that the model's pack names.",
        source: Source { paper: "Caron and others (2021)", place: "the evaluation on DAVIS", address: DINO },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many children a MathML element must have, or `None` if any number is allowed.
    fn arity(name: &str) -> Option<usize> {
        match name {
            "msub" | "msup" | "mfrac" | "munder" | "mover" => Some(2),
            _ => None,
        }
    }

    #[test]
    fn formulas_are_well_formed() {
        for topic in Topic::ALL {
            for formula in explanation(topic).formulas {
                // The names of the open elements, and the number of children that each has so far.
                let mut open: Vec<(&str, usize)> = vec![("", 0)];
                for part in formula.split('<').skip(1) {
                    let (tag, _text) = part.split_once('>').unwrap();
                    if let Some(name) = tag.strip_prefix('/') {
                        let (opened, children) = open.pop().unwrap();
                        assert_eq!(name, opened, "{topic:?}: {formula}");
                        assert!(
                            arity(name).is_none_or(|wanted| wanted == children),
                            "{topic:?} {name}: {formula}"
                        );
                    } else {
                        open.last_mut().unwrap().1 += 1;
                        open.push((tag.split(' ').next().unwrap(), 0));
                    }
                }
                assert_eq!(open, [("", 1)], "{topic:?}: one formula, closed");
            }
        }
    }

    #[test]
    fn every_explanation_leads_to_a_paper() {
        for topic in Topic::ALL {
            let Explanation { formulas, words, source } = explanation(topic);
            assert!(!formulas.is_empty() && words.ends_with('.'), "{topic:?}");
            assert!(source.address.starts_with("https://arxiv.org/abs/") && !source.place.is_empty(), "{topic:?}");
        }
    }
}
