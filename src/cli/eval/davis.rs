//! `headlamp eval davis`: masks propagated through DAVIS-2017's sequences from the first frame's, as the toolkit
//! measures them (docs/PAPERS.md, 2.4), beside the first mask copied to every frame.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::bench::{Bench, BenchOptions};
use super::records::Records;
use super::report::{Results, per_cent, table};
use crate::cli::propagate::{Protocol, SHORT_SIDE, VOID, carry, of_picture, same_size};
use crate::cli::{CliError, inputs, pictures};
use crate::geometry::{Framing, Size};
use crate::media;
use crate::metrics::davis::{MeasureOverFrames, boundary, region};
use crate::track::{Propagator, SoftMasks};

/// J and F of masks propagated through DAVIS-2017's sequences from the first frame's
///
/// DIR is DAVIS's own: ImageSets/2017/val.txt, JPEGImages/480p and Annotations/480p.
#[derive(Args, Debug)]
pub struct DavisTable {
    #[command(flatten)]
    bench: BenchOptions,
    /// ImageSets/2017/SPLIT.txt names the sequences
    #[arg(long, value_name = "SPLIT", default_value = "val")]
    split: String,
    /// Short side of the frames in pixels, as the model sees them
    #[arg(long, value_name = "PIXELS", default_value_t = SHORT_SIDE)]
    resolution: usize,
    #[command(flatten)]
    protocol: Protocol,
}

/// The methods, in the order of the records.
const METHODS: [&str; 2] = ["copy the first mask", "headlamp"];

/// A sequence's files.
struct Sequence {
    name: String,
    /// Frame and mask.
    frames: Vec<(PathBuf, PathBuf)>,
}

/// J and F of one object.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Scores {
    j: MeasureOverFrames,
    f: MeasureOverFrames,
}

/// What was found of one sequence: each object's scores, for each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct Found {
    frames: usize,
    objects: Vec<[Scores; METHODS.len()]>,
}

#[derive(Serialize)]
struct Table {
    split: String,
    resolution: usize,
    objects: usize,
    /// Means over all objects of all sequences.
    rows: Vec<Row>,
    sequences: Vec<OfSequence>,
}

#[derive(Serialize)]
struct Row {
    method: &'static str,
    /// The mean of J and F.
    j_and_f: f64,
    j: MeasureOverFrames,
    f: MeasureOverFrames,
}

/// Means over a sequence's objects.
#[derive(Serialize)]
struct OfSequence {
    sequence: String,
    objects: usize,
    rows: Vec<Row>,
}

impl DavisTable {
    pub fn run(&self) -> Result<(), CliError> {
        let names = sequences(&self.bench.data, &self.split)?;
        let names = self.bench.limited(names)?;
        let sequences =
            names.iter().map(|name| Sequence::find(&self.bench.data, name)).collect::<Result<Vec<_>, _>>()?;
        let bench = self.bench.open(None)?;
        let own = json!({"split": self.split, "resolution": self.resolution, "protocol": self.protocol});
        let records = Records::go_on(self.bench.out.as_deref(), &bench.heading(Table::NAME, &own)?)?;
        let gathered = bench.gather(
            &sequences,
            |sequence| &sequence.name,
            records,
            |sequence| self.evaluate(&bench, sequence),
        )?;
        let objects: Vec<_> = gathered.records.iter().flat_map(|found| &found.objects).collect();
        let names = sequences.iter().map(|sequence| sequence.name.clone());
        let of_sequence = |(sequence, found): (String, &Found)| OfSequence {
            sequence,
            objects: found.objects.len(),
            rows: rows(&found.objects.iter().collect::<Vec<_>>()),
        };
        let table = Table {
            split: self.split.clone(),
            resolution: self.resolution,
            objects: objects.len(),
            rows: rows(&objects),
            sequences: names.zip(&gathered.records).map(of_sequence).collect(),
        };
        self.bench.answer(&bench, gathered, table)
    }

    /// As the toolkit does, objects are those of the first mask, and neither the first frame nor the last counts.
    fn evaluate(&self, bench: &Bench, sequence: &Sequence) -> Result<Found, CliError> {
        let framing = Framing::Frame { short_side: self.resolution };
        let (first, rest) = sequence.frames.split_first().ok_or_else(|| sequence.wrong("it has no frames"))?;
        let seeded = of_picture(&bench.session, &first.0, framing)?;
        let size = seeded.frame.photo;
        let labels: Vec<u8> =
            read(&first.1, size)?.into_iter().map(|label| if label == VOID { 0 } else { label }).collect();
        let objects = usize::from(labels.iter().copied().max().unwrap_or(0));
        if objects == 0 || rest.len() < 2 {
            return Err(sequence.wrong("it has no object in its first mask, or fewer than three frames"));
        }
        let mut propagator = Propagator::new(self.protocol.into());
        propagator.seed(0, &seeded.features, SoftMasks::of_pixels(&labels, &seeded.frame))?;
        let counted = &rest[..rest.len() - 1];
        let paths: Vec<PathBuf> = counted.iter().map(|(frame, _mask)| frame.clone()).collect();
        // [object][method]: J and F, frame by frame.
        let mut series = vec![[(); METHODS.len()].map(|()| (Vec::new(), Vec::new())); objects];
        let mut masks = counted.iter();
        // Sequences are side by side already.
        carry(&bench.session, &paths, framing, 1, &mut propagator, |frame_size, found| {
            let Some((_frame, mask)) = masks.next() else { return Ok(()) };
            let labelled = read(mask, frame_size)?;
            let void: Vec<bool> = labelled.iter().map(|label| *label == VOID).collect();
            for (object, series) in (1..=u8::MAX).zip(&mut series) {
                let of = |labels: &[u8]| labels.iter().map(|label| *label == object).collect::<Vec<bool>>();
                let truth = of(&labelled);
                for (found, (j, f)) in [&labels, &found].into_iter().zip(series) {
                    let found = of(found);
                    j.push(region(&found, &truth, &void));
                    f.push(boundary(&found, &truth, &void, frame_size));
                }
            }
            Ok(())
        })?;
        let scores = |(j, f): &(Vec<f64>, Vec<f64>)| {
            Some(Scores { j: MeasureOverFrames::of(j)?, f: MeasureOverFrames::of(f)? })
        };
        let of_object = |[copied, carried]: &[(Vec<f64>, Vec<f64>); 2]| Some([scores(copied)?, scores(carried)?]);
        let objects = series.iter().map(of_object).collect::<Option<_>>();
        let objects = objects.ok_or_else(|| sequence.wrong("none of its frames could be compared"))?;
        Ok(Found { frames: sequence.frames.len(), objects })
    }
}

impl Sequence {
    fn find(data: &Path, name: &str) -> Result<Self, CliError> {
        let frames = pictures::in_folder(&data.join("JPEGImages/480p").join(name))?;
        let masks = data.join("Annotations/480p").join(name);
        let mask = |frame: &PathBuf| {
            masks.join(format!("{}.png", frame.file_stem().unwrap_or_default().to_string_lossy()))
        };
        let frames: Vec<_> = frames.into_iter().map(|frame| (frame.clone(), mask(&frame))).collect();
        match frames.iter().find(|(_frame, mask)| !mask.is_file()) {
            None => Ok(Self { name: name.to_owned(), frames }),
            Some((_frame, mask)) => {
                let reason = "there is no such mask: splits without masks cannot be evaluated".to_owned();
                Err(CliError::Data { path: mask.clone(), reason })
            }
        }
    }

    fn wrong(&self, reason: &str) -> CliError {
        CliError::Data { path: PathBuf::from(&self.name), reason: reason.to_owned() }
    }
}

/// The names in ImageSets/2017/SPLIT.txt.
fn sequences(data: &Path, split: &str) -> Result<Vec<String>, CliError> {
    let path = data.join("ImageSets/2017").join(format!("{split}.txt"));
    let wrong = |reason: String| CliError::Data { path: path.clone(), reason };
    let text = inputs::read(&path)?;
    let text = String::from_utf8(text).map_err(|_bytes| wrong("it is no list of sequences".to_owned()))?;
    let names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match names.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        Some(name) => Err(wrong(format!("\u{201c}{name}\u{201d} is no sequence's name"))),
        None => Ok(names),
    }
}

/// A labelled mask, which must be of its frame's size.
fn read(path: &Path, frame: Size) -> Result<Vec<u8>, CliError> {
    let (size, labels) = media::labels_of_png(&path.display().to_string(), &inputs::read(path)?)?;
    same_size(path, size, frame)?;
    Ok(labels)
}

/// A row for each method: means over objects.
fn rows(objects: &[&[Scores; METHODS.len()]]) -> Vec<Row> {
    let row = |(place, method): (usize, &&'static str)| {
        let of = |measure: fn(&Scores) -> MeasureOverFrames| -> Option<MeasureOverFrames> {
            MeasureOverFrames::mean_of(&objects.iter().map(|scores| measure(&scores[place])).collect::<Vec<_>>())
        };
        let (j, f) = (of(|scores| scores.j)?, of(|scores| scores.f)?);
        Some(Row { method, j_and_f: (j.mean + f.mean) / 2.0, j, f })
    };
    METHODS.iter().enumerate().filter_map(row).collect()
}

impl Results for Table {
    const NAME: &'static str = "davis";
    const THING: &'static str = "sequence";

    fn tables(&self) -> String {
        let cells = |row: &Row| {
            let all = [row.j_and_f, row.j.mean, row.j.recall, row.j.decay, row.f.mean, row.f.recall, row.f.decay];
            std::iter::once(row.method.to_owned()).chain(all.map(per_cent)).collect()
        };
        let columns = ["method", "J&F", "J mean", "J recall", "J decay", "F mean", "F recall", "F decay"];
        let of_sequence = |of: &OfSequence| {
            let means = of.rows.iter().map(|row| per_cent(row.j_and_f));
            [of.sequence.clone(), of.objects.to_string()].into_iter().chain(means).collect()
        };
        let sequence_columns = ["sequence, J&F", "objects", METHODS[0], METHODS[1]];
        format!(
            "{} objects of DAVIS-2017's {} split, short side {} pixels; all in per cent, means over objects.\n\n{}\n{}",
            self.objects,
            self.split,
            self.resolution,
            table(&columns, self.rows.iter().map(cells)),
            table(&sequence_columns, self.sequences.iter().map(of_sequence))
        )
    }
}
