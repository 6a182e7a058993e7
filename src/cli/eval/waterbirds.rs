//! `headlamp eval waterbirds`: accuracy of the worst group before and after ablation of the heads that follow the place
//! (docs/PAPERS.md, 1.12).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::classifier::{Classifier, TemplateOptions, embedding_of};
use super::evaluation::{Evaluation, EvaluationOptions, MeansOptions};
use super::report::{EvaluationResults, head_name, per_cent, table};
use crate::ablate::{Ablation, LATE_LAYERS, MeanContributions};
use crate::checkpoint::pack::sha256_hex;
use crate::cli::error::CliError;
use crate::cli::inputs;
use crate::cli::table::{self as text_table, Separator, TableRow};
use crate::decompose::{Decomposition, Direction};
use crate::session::SessionError;
use crate::spurious::{Group, GroupCounts, MarginShift, Margins, PUBLISHED_HEADS, PublishedHeads};

const METADATA: &str = "metadata.csv";

/// Worst-group accuracy on Waterbirds before and after mean-ablation of the components that follow the place
///
/// DIR holds metadata.csv with the columns img_filename, y, split and place, and the pictures that it names.
#[derive(Args, Debug)]
pub struct EvalWaterbirds {
    #[command(flatten)]
    evaluation: EvaluationOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    #[command(flatten)]
    means: MeansOptions,
    /// Heads to ablate: B/16, L/14 or H/14 for the heads in the paper, or a list like 11.6,11.0 (layer.head, from 0).
    /// Default: the heads in the paper, if the model has the size of one of its models
    #[arg(long, value_name = "HEADS")]
    heads: Option<HeadSelection>,
    /// Rank the heads of the last layers by how strongly they follow the place, and ablate the first N too
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "5")]
    rank: Option<usize>,
    /// Pictures to rank the heads with
    #[arg(long, value_enum, default_value_t = Split::Validation)]
    rank_split: Split,
    /// Pictures to measure accuracy on
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// Names of class 0 and class 1
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_values = ["landbird", "waterbird"])]
    names: Vec<String>,
    /// Number of last layers that keep their attention
    #[arg(long, value_name = "N", default_value_t = LATE_LAYERS)]
    late_layers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Split {
    Train,
    Validation,
    Test,
    All,
}

/// Heads as (layer, head).
type HeadList = Vec<(usize, usize)>;

/// The heads that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HeadSelection(HeadList);

/// A line of metadata.csv.
struct Bird {
    path: PathBuf,
    name: String,
    group: Group,
    split: usize,
}

/// The ablation in a row of the table. The first step also applies in all later rows.
struct AblationStep {
    name: String,
    ablation: Ablation,
}

/// The record of one picture: the score of class 1 minus the score of class 0, in each row.
#[derive(Clone, Serialize, Deserialize)]
struct PictureMargins {
    #[serde(flatten)]
    group: Group,
    margins: Vec<f64>,
}

/// The part of each head of the last layers in the margin of one picture, `[layer, head]`.
#[derive(Clone, Serialize, Deserialize)]
struct MarginParts {
    #[serde(flatten)]
    group: Group,
    heads: Vec<f32>,
}

#[derive(Serialize)]
struct WaterbirdsResults {
    names: Vec<String>,
    templates: usize,
    split: Split,
    late_layers: usize,
    rows: Vec<AblationRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking: Option<HeadRanking>,
}

#[derive(Serialize)]
struct AblationRow {
    ablated: String,
    overall: Option<f64>,
    worst_group: Option<f64>,
    groups: Vec<GroupRow>,
}

#[derive(Serialize)]
struct GroupRow {
    #[serde(flatten)]
    group: Group,
    pictures: u64,
    accuracy: Option<f64>,
}

#[derive(Serialize)]
struct HeadRanking {
    split: Split,
    images: usize,
    /// The head that follows the place most comes first.
    heads: Vec<MarginShift>,
}

impl EvalWaterbirds {
    pub fn run(&self) -> Result<(), CliError> {
        if self.names.len() != 2 {
            return Err(CliError::Usage("--names takes two: those of class 0 and class 1".to_owned()));
        }
        let (birds, labels) = read_birds(&self.evaluation.data)?;
        let evaluation = self.evaluation.open(Some(&self.means))?;
        let named = self.named_heads(&evaluation)?;
        let classifier = Classifier::new(&evaluation, &self.templates, self.names.clone())?;
        let margin: Vec<f32> = classifier.units[1].iter().zip(&classifier.units[0]).map(|(a, b)| a - b).collect();
        let source = json!({"classes": classifier.hash, "labels": labels});
        let ranking = self.rank.map(|_count| self.ranking(&evaluation, &birds, &source, &margin)).transpose()?;
        let steps = self.steps(&evaluation, named, ranking.as_ref());
        let off: Vec<&Ablation> = steps.iter().map(|step| &step.ablation).collect();
        let own = json!({"classes": classifier.hash, "labels": labels, "off": off});
        let chosen = self.evaluation.limited(of_split(&birds, self.split))?;
        let means = evaluation.means()?;
        let gathered = evaluation.gather(
            WaterbirdsResults::NAME,
            &own,
            &chosen,
            |bird| &bird.name,
            |bird| {
                let traced = evaluation.trace(&bird.path)?;
                let margins = margins(&evaluation.session.decompose(&traced), &margin, &steps, &means);
                Ok(PictureMargins { group: bird.group, margins })
            },
        )?;
        let results = WaterbirdsResults {
            names: self.names.clone(),
            templates: classifier.templates,
            split: self.split,
            late_layers: self.late_layers,
            rows: rows(&steps, &gathered.records),
            ranking,
        };
        evaluation.answer(gathered, results)
    }

    /// Returns the heads that the user or the paper names, with a description of them.
    fn named_heads(&self, evaluation: &Evaluation<'_>) -> Result<Option<(String, HeadList)>, CliError> {
        let vision = &evaluation.session.model().config.vision;
        let is_of_size = |published: &&PublishedHeads| {
            (published.layers, published.heads, published.patch) == (vision.layers, vision.heads, vision.patch)
        };
        let named = match &self.heads {
            Some(HeadSelection(heads)) => Some(("the named heads".to_owned(), heads.clone())),
            None => PUBLISHED_HEADS
                .iter()
                .find(is_of_size)
                .map(|published| (format!("the paper's heads of {}", published.name), published.all_heads())),
        };
        let (layers, heads) = (vision.layers, vision.heads);
        let missing =
            named.iter().flat_map(|(_name, list)| list).find(|(layer, head)| *layer >= layers || *head >= heads);
        match missing {
            Some((layer, head)) => Err(SessionError::NoHead { layer: *layer, head: *head, layers, heads }.into()),
            None => Ok(named),
        }
    }

    /// Returns the ablations of the table: the base, then the base with the named heads, then the base with the heads
    /// that the ranking puts first.
    fn steps(
        &self,
        evaluation: &Evaluation<'_>,
        named: Option<(String, HeadList)>,
        ranking: Option<&HeadRanking>,
    ) -> Vec<AblationStep> {
        let readout = &evaluation.session.model().readout;
        let base = Ablation::all_but_last(self.late_layers, readout.layers, readout.heads);
        // A head that the base ablates already must not be ablated twice.
        let besides_base = |heads: &HeadList| Ablation {
            heads: heads.iter().copied().filter(|head| !base.heads.contains(head)).collect(),
            ..Ablation::default()
        };
        let in_words = |heads: &HeadList| heads.iter().map(head_name).collect::<Vec<_>>().join(" ");
        let mut steps = Vec::new();
        if let Some((name, heads)) = named {
            let name = format!("these and {name}: {}", in_words(&heads));
            steps.push(AblationStep { name, ablation: besides_base(&heads) });
        }
        if let Some(ranking) = ranking {
            let first =
                ranking.heads.iter().take(self.rank.unwrap_or(0)).filter(|following| following.place > 0.0);
            let heads: HeadList = first.map(|following| (following.layer, following.head)).collect();
            let name = format!("these and the heads that follow the place most: {}", in_words(&heads));
            steps.push(AblationStep { name, ablation: besides_base(&heads) });
        }
        let name = format!("all MLPs, z0 and all attention except the last {} layers", self.late_layers);
        steps.insert(0, AblationStep { name, ablation: base });
        steps
    }

    /// Ranks the heads of the last layers by how strongly they follow the place. `data` identifies the labels and the
    /// classes, `margin` is the difference of the two classes, `[embedding]`.
    fn ranking(
        &self,
        evaluation: &Evaluation<'_>,
        birds: &[Bird],
        data: &Value,
        margin: &[f32],
    ) -> Result<HeadRanking, CliError> {
        let readout = &evaluation.session.model().readout;
        let first = readout.layers.saturating_sub(self.late_layers);
        let own = json!({"data": data, "first_layer": first});
        let direction = evaluation.session.direction(margin);
        let chosen = self.evaluation.limited(of_split(birds, self.rank_split))?;
        let gathered = evaluation.gather(
            "waterbirds-ranking",
            &own,
            &chosen,
            |bird| &bird.name,
            |bird| {
                let traced = evaluation.trace(&bird.path)?;
                let heads = late_parts(&evaluation.session.decompose(&traced), &direction, first);
                Ok(MarginParts { group: bird.group, heads })
            },
        )?;
        let mut sums = Margins::new((readout.layers - first) * readout.heads);
        gathered.records.iter().for_each(|parts| sums.push(parts.group, &parts.heads));
        let heads = sums.ranked(first, readout.heads);
        Ok(HeadRanking { split: self.rank_split, images: gathered.records.len(), heads })
    }
}

/// Returns the parts of the heads from layer `first` on, `[layer, head]`.
fn late_parts(image: &Decomposition<'_>, direction: &Direction, first: usize) -> Vec<f32> {
    image.parts(direction).heads[first..].iter().flatten().map(|part| *part as f32).collect()
}

/// Computes the margin with nothing ablated, with the first step, and with the first and each later step.
fn margins(
    image: &Decomposition<'_>,
    margin: &[f32],
    steps: &[AblationStep],
    means: &MeanContributions,
) -> Vec<f64> {
    let score = |vector: &[f64]| margin.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
    let mut margins = vec![score(&embedding_of(image))];
    for step in steps {
        let before = if margins.len() > 1 { margins[1] } else { margins[0] };
        margins.push(before + score(&step.ablation.shift(image, means)));
    }
    margins
}

fn rows(steps: &[AblationStep], pictures: &[PictureMargins]) -> Vec<AblationRow> {
    let names = std::iter::once("nothing").chain(steps.iter().map(|step| step.name.as_str()));
    let row = |(index, name): (usize, &str)| {
        let mut counts = GroupCounts::default();
        for PictureMargins { group, margins } in pictures {
            let predicted = usize::from(margins[index] > 0.0);
            counts.push(*group, predicted == group.class);
        }
        let group = |group| GroupRow { group, pictures: counts.pictures(group), accuracy: counts.accuracy(group) };
        AblationRow {
            ablated: name.to_owned(),
            overall: counts.overall(),
            worst_group: counts.worst(),
            groups: Group::ALL.into_iter().map(group).collect(),
        }
    };
    names.enumerate().map(row).collect()
}

fn of_split(birds: &[Bird], split: Split) -> Vec<&Bird> {
    let wanted = match split {
        Split::Train => Some(0),
        Split::Validation => Some(1),
        Split::Test => Some(2),
        Split::All => None,
    };
    birds.iter().filter(|bird| wanted.is_none_or(|wanted| bird.split == wanted)).collect()
}

/// Reads the lines of metadata.csv. Also returns the SHA-256 of the file.
fn read_birds(data: &Path) -> Result<(Vec<Bird>, String), CliError> {
    let path = data.join(METADATA);
    let text = inputs::read_lossy(&path)?;
    let mut rows = text_table::rows(&text, Separator::Comma).into_iter();
    let names = rows.next().map(|row| row.fields).unwrap_or_default();
    let column = |name: &str| {
        let column = names.iter().position(|found| found == name);
        column.ok_or_else(|| CliError::data(&path, format!("the first line names no column {name}")))
    };
    let (file, y, split, place) = (column("img_filename")?, column("y")?, column("split")?, column("place")?);
    let bird = |row: TableRow| {
        let number = |column: usize, most: usize| {
            let number = row.field(column).and_then(|field| field.parse().ok()).filter(|number| *number <= most);
            number.ok_or_else(|| {
                CliError::data(&path, format!("line {}: {} is not 0 to {most}", row.line, names[column]))
            })
        };
        let name = row.field(file).unwrap_or_default().to_owned();
        let group = Group { class: number(y, 1)?, place: number(place, 1)? };
        Ok(Bird { path: data.join(&name), name, group, split: number(split, 2)? })
    };
    Ok((rows.map(bird).collect::<Result<_, CliError>>()?, sha256_hex(text.as_bytes())))
}

impl FromStr for HeadSelection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(published) = PUBLISHED_HEADS.iter().find(|published| published.name.eq_ignore_ascii_case(text))
        {
            return Ok(Self(published.all_heads()));
        }
        let head = |item: &str| {
            let numbers = item.trim().split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            numbers.ok_or_else(|| format!("\u{201c}{item}\u{201d} is not a layer and a head, for example 11.6"))
        };
        text.split(',').map(head).collect::<Result<_, _>>().map(Self)
    }
}

impl EvaluationResults for WaterbirdsResults {
    const NAME: &'static str = "waterbirds";

    fn tables(&self) -> String {
        let cells = |row: &AblationRow| {
            let groups = row.groups.iter().map(|group| per_cent(group.accuracy));
            [row.ablated.clone(), per_cent(row.worst_group), per_cent(row.overall)]
                .into_iter()
                .chain(groups)
                .collect()
        };
        let groups: Vec<String> =
            Group::ALL.iter().map(|group| format!("{}, place {}", self.names[group.class], group.place)).collect();
        let columns = ["mean-ablated", "worst group, %", "overall, %"].into_iter();
        let columns: Vec<&str> = columns.chain(groups.iter().map(String::as_str)).collect();
        let mut words = format!(
            "\u{201c}{}\u{201d} or \u{201c}{}\u{201d}, {} templates each.\n\n{}",
            self.names[0],
            self.names[1],
            self.templates,
            table(&columns, self.rows.iter().map(cells))
        );
        if let Some(ranking) = &self.ranking {
            words += &ranking.in_words();
        }
        words
    }
}

/// Number of heads in the table for people. The JSON has all heads.
const SHOWN_HEADS: usize = 20;

impl HeadRanking {
    fn in_words(&self) -> String {
        let cells = |following: &MarginShift| {
            let number = |value: f64| format!("{value:+.5}");
            let MarginShift { layer, head, place, class, effect } = *following;
            vec![head_name(&(layer, head)), number(place), number(class), format!("{effect:+.2}")]
        };
        let columns = ["head", "margin by place", "margin by class", "place, in deviations"];
        format!(
            "\nHeads by how strongly their part in the margin follows the place within a class, over {} pictures:\n\n{}",
            self.images,
            table(&columns, self.heads.iter().take(SHOWN_HEADS).map(cells))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_named_by_list_or_by_model() {
        assert_eq!("11.6, 10.11".parse(), Ok(HeadSelection(vec![(11, 6), (10, 11)])));
        assert_eq!("b/16".parse::<HeadSelection>().unwrap().0.len(), 7);
        assert!("11".parse::<HeadSelection>().is_err() && "B/32".parse::<HeadSelection>().is_err());
    }
}
