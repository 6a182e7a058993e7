//! `headlamp eval waterbirds`: accuracy of the worst group with the heads that follow the place switched off
//! (docs/PAPERS.md, 1.12).

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::bench::{Bench, BenchOptions, MeansOptions};
use super::classifier::{Classifier, TemplateOptions};
use super::records::Records;
use super::report::{Results, head_name, per_cent, table};
use crate::ablate::{Ablation, LATE_LAYERS, MeanContributions};
use crate::checkpoint::pack::sha256_hex;
use crate::cli::{CliError, inputs};
use crate::decompose::{Decomposition, Direction};
use crate::session::EngineError;
use crate::spurious::{Following, Group, GroupCounts, Margins, PUBLISHED, Published};

const METADATA: &str = "metadata.csv";

/// Worst-group accuracy on Waterbirds before and after mean-ablation of what follows the place
///
/// DIR holds metadata.csv with the columns img_filename, y, split and place, and the pictures that it names.
#[derive(Args, Debug)]
pub struct Waterbirds {
    #[command(flatten)]
    bench: BenchOptions,
    #[command(flatten)]
    templates: TemplateOptions,
    #[command(flatten)]
    means: MeansOptions,
    /// Heads to ablate: B/16, L/14 or H/14 for those of the paper, or a list like 11.6,11.0 (layer.head, from 0).
    /// Default: the paper's, where the model has the size of one of its models
    #[arg(long, value_name = "HEADS")]
    heads: Option<Heads>,
    /// Rank the heads of the last layers by how they follow the place, and ablate the first N as well
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "5")]
    rank: Option<usize>,
    /// Pictures that heads are ranked by
    #[arg(long, value_enum, default_value_t = Split::Validation)]
    rank_split: Split,
    /// Pictures that accuracy is taken over
    #[arg(long, value_enum, default_value_t = Split::Test)]
    split: Split,
    /// The names of class 0 and class 1
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_values = ["landbird", "waterbird"])]
    names: Vec<String>,
    /// How many layers keep their attention
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

/// (layer, head)
type HeadList = Vec<(usize, usize)>;

/// Heads that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heads(HeadList);

/// A line of metadata.csv.
struct Bird {
    path: PathBuf,
    name: String,
    group: Group,
    split: usize,
}

/// What is switched off in a row of the table besides what the rows before it switch off.
struct Step {
    name: String,
    ablation: Ablation,
}

/// What was found of one picture: the score of class 1 less that of class 0, in each row.
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    #[serde(flatten)]
    group: Group,
    margins: Vec<f64>,
}

/// The parts of the last layers' heads in the margin, `[layer, head]`.
#[derive(Clone, Serialize, Deserialize)]
struct Parts {
    #[serde(flatten)]
    group: Group,
    heads: Vec<f32>,
}

#[derive(Serialize)]
struct Table {
    names: Vec<String>,
    templates: usize,
    split: Split,
    late_layers: usize,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranking: Option<Ranking>,
}

#[derive(Serialize)]
struct Row {
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
struct Ranking {
    split: Split,
    images: usize,
    /// Those that follow the place most first.
    heads: Vec<Following>,
}

impl Waterbirds {
    pub fn run(&self) -> Result<(), CliError> {
        if self.names.len() != 2 {
            return Err(CliError::Usage("--names takes two: those of class 0 and class 1".to_owned()));
        }
        let (birds, labels) = birds(&self.bench.data)?;
        let bench = self.bench.open(Some(&self.means))?;
        let named = self.named_heads(&bench)?;
        let classifier = Classifier::new(&bench, &self.bench, &self.templates, self.names.clone())?;
        let margin: Vec<f32> = classifier.units[1].iter().zip(&classifier.units[0]).map(|(a, b)| a - b).collect();
        let ranking = self
            .rank
            .map(|_count| {
                self.ranking(&bench, &birds, &json!({"classes": classifier.hash, "labels": labels}), &margin)
            })
            .transpose()?;
        let steps = self.steps(&bench, named, ranking.as_ref());
        let off: Vec<&Ablation> = steps.iter().map(|step| &step.ablation).collect();
        let own = json!({"classes": classifier.hash, "labels": labels, "off": off});
        let records = Records::go_on(self.bench.out.as_deref(), &bench.heading(Table::NAME, &own)?)?;
        let chosen = self.bench.limited(of_split(&birds, self.split))?;
        let means = bench.means()?;
        let work = |bird: &&Bird| {
            let traced = bench.trace(&bird.path)?;
            let margins = margins(&bench.session.decompose(&traced), &margin, &steps, &means);
            Ok(Found { group: bird.group, margins })
        };
        let gathered = bench.gather(&chosen, |bird| &bird.name, records, work)?;
        let table = Table {
            names: self.names.clone(),
            templates: classifier.templates,
            split: self.split,
            late_layers: self.late_layers,
            rows: rows(&steps, &gathered.records),
            ranking,
        };
        self.bench.answer(&bench, gathered, table)
    }

    /// The heads that the user or the paper names, and how to call them.
    fn named_heads(&self, bench: &Bench) -> Result<Option<(String, HeadList)>, CliError> {
        let vision = &bench.session.model().config.vision;
        let is_of_size = |published: &&Published| {
            (published.layers, published.heads, published.patch) == (vision.layers, vision.heads, vision.patch)
        };
        let named = match &self.heads {
            Some(Heads(heads)) => Some(("the named heads".to_owned(), heads.clone())),
            None => PUBLISHED
                .iter()
                .find(is_of_size)
                .map(|published| (format!("the paper's heads of {}", published.name), published.all_heads())),
        };
        let (layers, heads) = (vision.layers, vision.heads);
        let missing =
            named.iter().flat_map(|(_name, list)| list).find(|(layer, head)| *layer >= layers || *head >= heads);
        match missing {
            Some((layer, head)) => Err(EngineError::NoHead { layer: *layer, head: *head, layers, heads }.into()),
            None => Ok(named),
        }
    }

    fn steps(&self, bench: &Bench, named: Option<(String, HeadList)>, ranking: Option<&Ranking>) -> Vec<Step> {
        let readout = &bench.session.model().readout;
        let base = Ablation::all_but_last(self.late_layers, readout.layers, readout.heads);
        // What the base has switched off already is not switched off twice.
        let only = |heads: &HeadList| Ablation {
            heads: heads.iter().copied().filter(|head| !base.heads.contains(head)).collect(),
            ..Ablation::default()
        };
        let in_words = |heads: &HeadList| heads.iter().map(head_name).collect::<Vec<_>>().join(" ");
        let mut steps = Vec::new();
        if let Some((name, heads)) = named {
            let name = format!("these and {name}: {}", in_words(&heads));
            steps.push(Step { name, ablation: only(&heads) });
        }
        if let Some(ranking) = ranking {
            let first =
                ranking.heads.iter().take(self.rank.unwrap_or(0)).filter(|following| following.place > 0.0);
            let heads: HeadList = first.map(|following| (following.layer, following.head)).collect();
            let name = format!("these and the heads that follow the place most: {}", in_words(&heads));
            steps.push(Step { name, ablation: only(&heads) });
        }
        let name = format!("all MLPs, z0 and all attention but the last {} layers'", self.late_layers);
        steps.insert(0, Step { name, ablation: base });
        steps
    }

    /// The heads of the last layers, those that follow the place most first.
    fn ranking(&self, bench: &Bench, birds: &[Bird], data: &Value, margin: &[f32]) -> Result<Ranking, CliError> {
        let readout = &bench.session.model().readout;
        let first = readout.layers.saturating_sub(self.late_layers);
        let own = json!({"data": data, "first_layer": first});
        let heading = bench.heading("waterbirds-ranking", &own)?;
        let records = Records::go_on(self.bench.out.as_deref(), &heading)?;
        let direction = bench.session.direction(margin);
        let work = |bird: &&Bird| {
            let traced = bench.trace(&bird.path)?;
            let heads = late_parts(&bench.session.decompose(&traced), &direction, first);
            Ok(Parts { group: bird.group, heads })
        };
        let chosen = self.bench.limited(of_split(birds, self.rank_split))?;
        let gathered = bench.gather(&chosen, |bird| &bird.name, records, work)?;
        let mut sums = Margins::new((readout.layers - first) * readout.heads);
        gathered.records.iter().for_each(|parts| sums.push(parts.group, &parts.heads));
        let heads = sums.ranked(first, readout.heads);
        Ok(Ranking { split: self.rank_split, images: gathered.records.len(), heads })
    }
}

fn late_parts(image: &Decomposition<'_>, direction: &Direction, first: usize) -> Vec<f32> {
    image.parts(direction).heads[first..].iter().flatten().map(|part| *part as f32).collect()
}

/// The margin with nothing ablated, with the first step, and with the first and each other one.
fn margins(image: &Decomposition<'_>, margin: &[f32], steps: &[Step], means: &MeanContributions) -> Vec<f64> {
    let score = |vector: &[f64]| margin.iter().zip(vector).map(|(a, b)| f64::from(*a) * b).sum::<f64>();
    let embedding: Vec<f64> = image.embedding().iter().map(|value| f64::from(*value)).collect();
    let mut margins = vec![score(&embedding)];
    for step in steps {
        let before = if margins.len() > 1 { margins[1] } else { margins[0] };
        margins.push(before + score(&step.ablation.shift(image, means)));
    }
    margins
}

fn rows(steps: &[Step], found: &[Found]) -> Vec<Row> {
    let names = std::iter::once("nothing").chain(steps.iter().map(|step| step.name.as_str()));
    let row = |(index, name): (usize, &str)| {
        let mut counts = GroupCounts::default();
        for Found { group, margins } in found {
            let says = usize::from(margins[index] > 0.0);
            counts.push(*group, says == group.class);
        }
        let group = |group| GroupRow { group, pictures: counts.pictures(group), accuracy: counts.accuracy(group) };
        Row {
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

/// The lines of metadata.csv, and its SHA-256.
fn birds(data: &Path) -> Result<(Vec<Bird>, String), CliError> {
    let path = data.join(METADATA);
    let text = String::from_utf8_lossy(&inputs::read(&path)?).into_owned();
    let wrong = |reason: String| CliError::Data { path: path.clone(), reason };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let column = |name: &str| {
        let place = names.iter().position(|found| *found == name);
        place.ok_or_else(|| wrong(format!("its first line names no column {name}")))
    };
    let (file, y, split, place) = (column("img_filename")?, column("y")?, column("split")?, column("place")?);
    let bird = |line: &str| {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let number = |column: usize, most: usize| {
            let number = cells.get(column).and_then(|cell| cell.parse().ok()).filter(|number| *number <= most);
            number.ok_or_else(|| wrong(format!("\u{201c}{line}\u{201d}: {} is not 0 to {most}", names[column])))
        };
        let name = cells.get(file).copied().unwrap_or_default().to_owned();
        let group = Group { class: number(y, 1)?, place: number(place, 1)? };
        Ok(Bird { path: data.join(&name), name, group, split: number(split, 2)? })
    };
    Ok((lines.map(bird).collect::<Result<_, CliError>>()?, sha256_hex(text.as_bytes())))
}

impl FromStr for Heads {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(published) = PUBLISHED.iter().find(|published| published.name.eq_ignore_ascii_case(text)) {
            return Ok(Self(published.all_heads()));
        }
        let head = |item: &str| {
            let numbers = item.trim().split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            numbers.ok_or_else(|| format!("\u{201c}{item}\u{201d} is not a layer and a head like 11.6"))
        };
        text.split(',').map(head).collect::<Result<_, _>>().map(Self)
    }
}

impl Results for Table {
    const NAME: &'static str = "waterbirds";

    fn tables(&self) -> String {
        let cells = |row: &Row| {
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

/// Heads that the ranking names for people; JSON has them all.
const NAMED: usize = 20;

impl Ranking {
    fn in_words(&self) -> String {
        let cells = |following: &Following| {
            let number = |value: f64| format!("{value:+.5}");
            let Following { layer, head, place, class, effect } = *following;
            vec![head_name(&(layer, head)), number(place), number(class), format!("{effect:+.2}")]
        };
        let columns = ["head", "margin by place", "margin by class", "place, in deviations"];
        format!(
            "\nHeads by how their part in the margin follows the place, the class held fixed, over {} pictures:\n\n{}",
            self.images,
            table(&columns, self.heads.iter().take(NAMED).map(cells))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_by_list_and_by_the_papers_model() {
        assert_eq!("11.6, 10.11".parse(), Ok(Heads(vec![(11, 6), (10, 11)])));
        assert_eq!("b/16".parse::<Heads>().unwrap().0.len(), 7);
        assert!("11".parse::<Heads>().is_err() && "B/32".parse::<Heads>().is_err());
    }
}
