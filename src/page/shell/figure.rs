//! A figure for a paper: photo, map, legend, head grid and texts, in one SVG file without external parts.

use std::fmt::Write as _;

use crate::geometry::Size;
use crate::page::common::colour::{self, Ramp};
use crate::page::heads::contributions::{GridValues, strength};
use crate::page::shell::findings::{Findings, HeadFinding, PhraseFinding};
use crate::text::units;

/// The layer over the photo.
pub struct FigureOverlay {
    /// A `data:` address of a picture with the photo's proportions.
    pub picture: String,
    pub opacity: f64,
    /// "“a cat”, above 0.41"
    pub says: String,
    /// The colour scale with the values at its ends; `None` for a mask.
    pub scale: Option<(Ramp, String, String)>,
}

/// The pictures on the page's canvases.
pub struct FigurePictures {
    /// A `data:` address.
    pub photo: String,
    pub size: Size,
    /// Whether the photo is grey under the map.
    pub is_grey: bool,
    pub over: Option<FigureOverlay>,
}

/// All lengths are in pixels of the figure.
const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 24.0;
const PHOTO: f64 = 470.0;
const RIGHT: f64 = MARGIN + PHOTO + 32.0;
const COLUMN: f64 = WIDTH - MARGIN - RIGHT;
const LINE: f64 = 20.0;
const INK: &str = "#191b1e";
const QUIET: &str = "#585c63";
const EMPTY: [u8; 3] = [238, 238, 234];

/// Returns the figure as an SVG file.
pub fn svg(findings: &Findings, pictures: &FigurePictures) -> String {
    let mut figure = Figure { body: String::new() };
    let left = figure.photo(pictures);
    let right = figure.phrases(&findings.phrases);
    let top = left.max(right) + 28.0;
    let grid = match findings.grid_values() {
        Some(values) => figure.grid(findings.subject.as_deref().unwrap_or_default(), &values, top),
        None => top,
    };
    let head = findings.head.as_ref().map_or(top, |head| figure.head(head, top));
    let end = grid.max(head) + 24.0;
    let note = format!(
        "{} through {} on the {}; parts add up within {}. {}",
        findings.photo.name,
        findings.model.name,
        findings.model.device,
        units::scientific(findings.photo.residual),
        findings.made_by
    );
    figure.text(MARGIN, end, 11.0, QUIET, "start", &note);
    let height = end + MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
         height=\"{height:.0}\" font-family=\"Helvetica, Arial, sans-serif\" role=\"img\">\n<title>{}</title>\n\
         <defs><filter id=\"grey\"><feColorMatrix type=\"saturate\" values=\"0.15\"/></filter></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
        escaped(&format!("{} through {}", findings.photo.name, findings.model.name)),
        figure.body
    )
}

struct Figure {
    body: String,
}

impl Figure {
    /// Draws photo, map and legend. Returns the y coordinate of their bottom.
    fn photo(&mut self, pictures: &FigurePictures) -> f64 {
        let height = PHOTO * pictures.size.height as f64 / pictures.size.width.max(1) as f64;
        let grey = if pictures.is_grey { " filter=\"url(#grey)\"" } else { "" };
        self.image(&pictures.photo, height, grey);
        let Some(over) = &pictures.over else { return MARGIN + height };
        self.image(&over.picture, height, &format!(" opacity=\"{:.3}\"", over.opacity));
        let below = MARGIN + height + 20.0;
        self.text(MARGIN, below, 13.0, INK, "start", &over.says);
        match &over.scale {
            None => below,
            Some((ramp, low, high)) => {
                self.scale(*ramp, (low, high), below + 10.0);
                below + 24.0
            }
        }
    }

    fn image(&mut self, address: &str, height: f64, more: &str) {
        let address = escaped(address);
        self.push(&format!(
            "<image x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{PHOTO}\" height=\"{height:.1}\" \
             preserveAspectRatio=\"none\" href=\"{address}\"{more}/>"
        ));
    }

    fn scale(&mut self, ramp: Ramp, (low, high): (&str, &str), y: f64) {
        const STEPS: usize = 48;
        let (from, width) = (MARGIN + 70.0, 200.0);
        self.text(from - 8.0, y + 10.0, 12.0, QUIET, "end", low);
        for step in 0..STEPS {
            let colour = colour::css(ramp.at(step as f32 / (STEPS - 1) as f32));
            let x = from + width * step as f64 / STEPS as f64;
            // Slightly wider than its share, because otherwise thin gaps would be visible.
            self.push(&format!(
                "<rect x=\"{x:.2}\" y=\"{y:.1}\" width=\"{:.2}\" height=\"12\" fill=\"{colour}\"/>",
                width / STEPS as f64 + 0.5
            ));
        }
        self.text(from + width + 8.0, y + 10.0, 12.0, QUIET, "start", high);
    }

    /// Draws a bar for each phrase. Returns the y coordinate of their bottom.
    fn phrases(&mut self, phrases: &[PhraseFinding]) -> f64 {
        let longest = phrases.iter().fold(1e-6_f32, |most, phrase| most.max(phrase.cosine.abs()));
        let mut y = MARGIN + 14.0;
        for PhraseFinding { phrase, cosine, probability, .. } in phrases {
            self.text(RIGHT, y, 13.0, INK, "start", &shortened(phrase, 42));
            let figures = format!("{}   {}", units::signed(*cosine, 3), units::percent(*probability));
            self.text(RIGHT + COLUMN, y, 13.0, QUIET, "end", &figures);
            let length = COLUMN * f64::from(cosine.abs() / longest);
            let hue = colour::css(if *cosine < 0.0 { colour::NEGATIVE } else { colour::POSITIVE });
            let under = y + 5.0;
            self.push(&format!(
                "<rect x=\"{RIGHT}\" y=\"{under:.1}\" width=\"{length:.1}\" height=\"4\" fill=\"{hue}\"/>"
            ));
            y += 30.0;
        }
        y
    }

    /// Draws the grid of heads with its scale, the last layer at the top. Returns the y coordinate of its bottom.
    fn grid(&mut self, subject: &str, values: &GridValues, top: f64) -> f64 {
        let all = &values.parts;
        let (head_scale, other_scale) = (all.head_scale(), all.other_scale());
        let columns = all.heads.iter().map(Vec::len).max().unwrap_or(0);
        let side = ((PHOTO - 60.0) / (columns as f64 + 1.5)).min(30.0);
        let row = side.min(16.0);
        let what = if values.average.is_some() { "Differences of the heads" } else { "Heads" };
        self.text(MARGIN, top, 13.0, INK, "start", &format!("{what} for {}", shortened(subject, 44)));
        let from = MARGIN + 34.0;
        let mut y = top + 10.0;
        for (layer, heads) in all.heads.iter().enumerate().rev() {
            self.text(from - 8.0, y + row - 4.0, 10.0, QUIET, "end", &layer.to_string());
            for (head, value) in heads.iter().enumerate() {
                self.cell((from + side * head as f64, y), (side, row), strength(*value, head_scale), "head");
            }
            if let Some(value) = all.mlps.get(layer) {
                let x = from + side * (columns as f64 + 0.5);
                self.cell((x, y), (side, row), strength(*value, other_scale), "mlp");
            }
            y += row;
        }
        self.text(from - 8.0, y + row, 10.0, QUIET, "end", "z0");
        self.cell((from, y + 4.0), (side, row), strength(all.embedding, other_scale), "z0");
        self.text(from + side * (columns as f64 + 1.0), y + 14.0, 10.0, QUIET, "middle", "MLP");
        y += row + 20.0;
        self.scale(Ramp::Diverging, (&units::signed(-head_scale, 4), &units::signed(head_scale, 4)), y - 8.0);
        let Some(average) = values.average else { return y + 8.0 };
        let [average, parts] = [average, all.total()].map(|value| units::signed(value, 4));
        let sum = format!(
            "An average picture {average}, this picture {parts}, score {}",
            units::signed(values.total(), 4)
        );
        self.text(MARGIN, y + 26.0, 11.0, QUIET, "start", &sum);
        y + 30.0
    }

    fn cell(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), share: f32, kind: &str) {
        let hue = if share < 0.0 { colour::NEGATIVE } else { colour::POSITIVE };
        let mix = |channel: usize| {
            let (from, to) = (f32::from(EMPTY[channel]), f32::from(hue[channel]));
            (from + (to - from) * share.abs().min(1.0)).round() as u8
        };
        let fill = colour::css([mix(0), mix(1), mix(2)]);
        self.push(&format!(
            "<rect class=\"{kind}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{fill}\"/>",
            width - 2.0,
            height - 2.0
        ));
    }

    /// Draws the chosen head's texts. Returns the y coordinate of their bottom.
    fn head(&mut self, head: &HeadFinding, top: f64) -> f64 {
        let mut title = format!("Layer {}, head {}", head.layer, head.head);
        // Writing to a string does not fail.
        if let Some(value) = head.contribution {
            let _written = write!(title, ": {}", units::signed(value, 4));
        }
        if let Some(mean) = head.mean {
            let _written = write!(title, " (mean {})", units::signed(mean, 4));
        }
        self.text(RIGHT, top, 13.0, INK, "start", &title);
        let mut y = top;
        for label in &head.labels {
            y += LINE;
            self.text(RIGHT, y, 12.0, INK, "start", &shortened(&label.text, 58));
            self.text(RIGHT + COLUMN, y, 12.0, QUIET, "end", &units::percent(label.variance_explained));
        }
        y
    }

    fn text(&mut self, x: f64, y: f64, size: f64, fill: &str, anchor: &str, words: &str) {
        let words = escaped(words);
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" text-anchor=\"{anchor}\" \
             xml:space=\"preserve\">{words}</text>"
        ));
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// Escapes a user's words for XML, and removes the characters that XML does not allow.
fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for character in words.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' => safe.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            other => safe.push(other),
        }
    }
    safe
}

fn shortened(words: &str, longest: usize) -> String {
    if words.chars().count() <= longest {
        return words.to_owned();
    }
    words.chars().take(longest - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::shell::findings::tests::findings;

    fn pictures() -> FigurePictures {
        FigurePictures {
            photo: "data:image/png;base64,AAAA".to_owned(),
            size: Size { width: 60, height: 40 },
            is_grey: true,
            over: Some(FigureOverlay {
                picture: "data:image/png;base64,BBBB".to_owned(),
                opacity: 0.85,
                says: "a map".to_owned(),
                scale: Some((Ramp::Diverging, "−0.1".to_owned(), "+0.1".to_owned())),
            }),
        }
    }

    /// Checks that every element is closed, in order, and that no `&`, `<` or quote is left unescaped. This is enough
    /// of XML to find mistakes.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for part in svg.split('<').skip(1) {
            let (tag, text) = part.split_once('>').expect("a tag ends");
            assert!(!text.contains('>'), "{part}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            for entity in part.split('&').skip(1) {
                let name = entity.split(';').next().unwrap();
                assert!(["amp", "lt", "gt", "quot"].contains(&name), "{entity}");
            }
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{tag}");
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().unwrap());
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn hostile_texts_leave_the_figure_well_formed() {
        let mut findings = findings();
        findings.subject = Some("]]> <script>alert(1)</script> \u{0} & \"'".to_owned());
        let svg = svg(&findings, &pictures());
        assert_well_formed(&svg);
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("a&lt;b&gt;.png") && svg.contains("fur &amp; &lt;feathers&gt;"));
    }

    #[test]
    fn every_component_has_a_cell_of_its_colour() {
        let svg = svg(&findings(), &pictures());
        let count = |class: &str| svg.matches(&format!("class=\"{class}\"")).count();
        assert_eq!((count("head"), count("mlp"), count("z0")), (6, 2, 1));
        let strongest = colour::css(colour::POSITIVE);
        let cells: Vec<&str> = svg.lines().filter(|line| line.contains("class=\"head\"")).collect();
        assert!(
            cells[0].contains(&strongest),
            "the last layer is first, and its head 0 is strongest: {}",
            cells[0]
        );
        assert!(cells[1].contains(&colour::css(EMPTY)), "a head that adds nothing is bare: {}", cells[1]);
    }

    #[test]
    fn differences_are_drawn_with_their_average_picture() {
        let svg = svg(&Findings { shows_differences: true, ..findings() }, &pictures());
        assert_well_formed(&svg);
        assert!(svg.contains("An average picture −0.3750, this picture +0.6250, score +0.2500"), "{svg}");
        let cells: Vec<&str> = svg.lines().filter(|line| line.contains("class=\"head\"")).collect();
        assert!(cells[0].contains(&colour::css(EMPTY)), "head 1.0 is as in an average picture: {}", cells[0]);
        assert!(cells[2].contains(&colour::css(colour::POSITIVE)), "head 1.2 differs most: {}", cells[2]);
    }

    #[test]
    fn without_map_and_head_it_still_is_a_figure() {
        let mut findings = findings();
        (findings.head, findings.contributions) = (None, None);
        let svg = svg(&findings, &FigurePictures { over: None, ..pictures() });
        assert_well_formed(&svg);
        assert_eq!(svg.matches("<image").count(), 1);
    }
}
