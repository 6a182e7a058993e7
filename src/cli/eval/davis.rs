//! `headlamp eval davis`: propagates the masks of the first frame through the sequences of DAVIS-2017, and measures them
//! as the DAVIS toolkit does (docs/PAPERS.md, 2.4). The baseline copies the first mask to every frame.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::evaluation::EvaluationOptions;
use super::report::{EvaluationResults, per_cent, table};
use crate::cli::error::CliError;
use crate::cli::propagate::{
    LayerOption, PatchSource, PropagationProtocol, SHORT_SIDE, VOID, check_size, propagate, read_labels,
    read_tokens, without_void,
};
use crate::cli::{inputs, pictures};
use crate::geometry::{Framing, Size};
use crate::metrics::davis::{MeasureOverFrames, boundary, region};
use crate::session::Session;
use crate::track::{Propagator, SoftMasks};

/// J and F of masks that are propagated from the first frame through the sequences of DAVIS-2017
///
/// DIR is the folder of DAVIS, with ImageSets/2017/val.txt, JPEGImages/480p and Annotations/480p.
#[derive(Args, Debug)]
pub struct EvalDavis {
    #[command(flatten)]
    evaluation: EvaluationOptions,
    /// The list of sequences is ImageSets/2017/SPLIT.txt
    #[arg(long, value_name = "SPLIT", default_value = "val")]
    split: String,
    /// Short side of the frames that the model sees, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = SHORT_SIDE)]
    resolution: usize,
    #[command(flatten)]
    layer: LayerOption,
    #[command(flatten)]
    protocol: PropagationProtocol,
}

/// The methods, in the order of the records.
const METHODS: [&str; 2] = ["copy the first mask", "headlamp"];

/// The files of a sequence.
struct Sequence {
    name: String,
    /// The paths of each frame and its mask.
    frames: Vec<(PathBuf, PathBuf)>,
}

/// J and F of one object by one method.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct ObjectScores {
    j: MeasureOverFrames,
    f: MeasureOverFrames,
}

/// J and F of one object by one method, frame by frame.
#[derive(Clone, Default)]
struct FrameScores {
    j: Vec<f64>,
    f: Vec<f64>,
}

/// The record of one sequence: the scores of each object by each of [`METHODS`].
#[derive(Clone, Serialize, Deserialize)]
struct SequenceScores {
    frames: usize,
    objects: Vec<[ObjectScores; METHODS.len()]>,
}

#[derive(Serialize)]
struct DavisResults {
    split: String,
    resolution: usize,
    layer: usize,
    objects: usize,
    /// Means over all objects of all sequences.
    rows: Vec<MethodRow>,
    sequences: Vec<SequenceRows>,
}

#[derive(Serialize)]
struct MethodRow {
    method: &'static str,
    /// The mean of J and F.
    j_and_f: f64,
    j: MeasureOverFrames,
    f: MeasureOverFrames,
}

/// Means over the objects of one sequence.
#[derive(Serialize)]
struct SequenceRows {
    sequence: String,
    objects: usize,
    rows: Vec<MethodRow>,
}

impl EvalDavis {
    pub fn run(&self) -> Result<(), CliError> {
        let data = &self.evaluation.data;
        let names = self.evaluation.limited(sequence_names(data, &self.split)?)?;
        let sequences = names.iter().map(|name| Sequence::find(data, name)).collect::<Result<Vec<_>, _>>()?;
        let evaluation = self.evaluation.open(None)?;
        let framing = Framing::Frame { short_side: self.resolution };
        let patches = PatchSource { framing, layer: self.layer.of(&evaluation.session)? };
        let own = json!({
            "split": self.split, "resolution": self.resolution, "layer": patches.layer, "protocol": self.protocol,
        });
        let gathered = evaluation.gather(
            DavisResults::NAME,
            &own,
            &sequences,
            |sequence| &sequence.name,
            |sequence| self.evaluate(&evaluation.session, patches, sequence),
        )?;
        let objects: Vec<_> = gathered.records.iter().flat_map(|scores| &scores.objects).collect();
        let of_sequence = |(index, scores): (&usize, &SequenceScores)| SequenceRows {
            sequence: sequences[*index].name.clone(),
            objects: scores.objects.len(),
            rows: rows(&scores.objects.iter().collect::<Vec<_>>()),
        };
        let results = DavisResults {
            split: self.split.clone(),
            resolution: self.resolution,
            layer: patches.layer,
            objects: objects.len(),
            rows: rows(&objects),
            sequences: gathered.items.iter().zip(&gathered.records).map(of_sequence).collect(),
        };
        evaluation.answer(gathered, results)
    }

    /// Propagates the masks of one sequence, and compares them. As in the toolkit, the objects are those of the first
    /// mask, and neither the first frame nor the last counts.
    fn evaluate(
        &self,
        session: &Session,
        patches: PatchSource,
        sequence: &Sequence,
    ) -> Result<SequenceScores, CliError> {
        let (first, rest) =
            sequence.frames.split_first().ok_or_else(|| sequence.wrong("the sequence has no frames"))?;
        let seeded = read_tokens(session, &first.0, patches)?;
        let labels = without_void(&read_labels_of_size(&first.1, seeded.frame.photo)?);
        let objects = usize::from(labels.iter().copied().max().unwrap_or(0));
        if objects == 0 || rest.len() < 2 {
            return Err(sequence.wrong("the first mask has no object, or there are fewer than three frames"));
        }
        let mut propagator = Propagator::new(self.protocol.into());
        propagator.seed(0, &seeded.features, SoftMasks::of_pixels(&labels, &seeded.frame))?;
        let counted = &rest[..rest.len() - 1];
        let paths: Vec<PathBuf> = counted.iter().map(|(frame, _mask)| frame.clone()).collect();
        let mut scores = vec![[(); METHODS.len()].map(|()| FrameScores::default()); objects];
        let mut masks = counted.iter();
        // One thread: several sequences are worked on at the same time already.
        propagate(session, &paths, patches, 1, &mut propagator, |size, propagated| {
            let Some((_frame, mask)) = masks.next() else { return Ok(()) };
            let labelled = read_labels_of_size(mask, size)?;
            add_frame(&mut scores, [&labels, &propagated], &labelled, size);
            Ok(())
        })?;
        let of_object = |[copied, propagated]: &[FrameScores; METHODS.len()]| {
            Some([copied.over_frames()?, propagated.over_frames()?])
        };
        let objects = scores.iter().map(of_object).collect::<Option<_>>();
        let objects = objects.ok_or_else(|| sequence.wrong("no frame could be compared"))?;
        Ok(SequenceScores { frames: sequence.frames.len(), objects })
    }
}

/// Adds J and F of one frame to the scores, `[object][method]`. `found` has the labels that each of [`METHODS`] gives.
fn add_frame(
    scores: &mut [[FrameScores; METHODS.len()]],
    found: [&Vec<u8>; METHODS.len()],
    labelled: &[u8],
    size: Size,
) {
    let void: Vec<bool> = labelled.iter().map(|label| *label == VOID).collect();
    for (object, by_method) in (1..=u8::MAX).zip(scores) {
        let mask = |labels: &[u8]| labels.iter().map(|label| *label == object).collect::<Vec<bool>>();
        let truth = mask(labelled);
        for (found, FrameScores { j, f }) in found.iter().zip(by_method) {
            let found = mask(found);
            j.push(region(&found, &truth, &void));
            f.push(boundary(&found, &truth, &void, size));
        }
    }
}

impl FrameScores {
    /// Returns mean, recall and decay; `None` without frames.
    fn over_frames(&self) -> Option<ObjectScores> {
        Some(ObjectScores { j: MeasureOverFrames::of(&self.j)?, f: MeasureOverFrames::of(&self.f)? })
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
                Err(CliError::data(mask, "the mask is missing: splits without masks cannot be evaluated"))
            }
        }
    }

    fn wrong(&self, reason: &str) -> CliError {
        CliError::data(Path::new(&self.name), reason)
    }
}

/// Reads the names of the sequences from ImageSets/2017/SPLIT.txt.
fn sequence_names(data: &Path, split: &str) -> Result<Vec<String>, CliError> {
    let path = data.join("ImageSets/2017").join(format!("{split}.txt"));
    let text = String::from_utf8(inputs::read(&path)?);
    let text = text.map_err(|_bytes| CliError::data(&path, "the file is no list of sequences"))?;
    let names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    match names.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
        Some(name) => Err(CliError::data(&path, format!("\u{201c}{name}\u{201d} is no sequence's name"))),
        None => Ok(names),
    }
}

/// Reads the labels of a mask, which must have the size of its frame.
fn read_labels_of_size(path: &Path, frame: Size) -> Result<Vec<u8>, CliError> {
    let (size, labels) = read_labels(path)?;
    check_size(path, size, frame)?;
    Ok(labels)
}

/// Computes the row of each method: means over objects.
fn rows(objects: &[&[ObjectScores; METHODS.len()]]) -> Vec<MethodRow> {
    let row = |(index, method): (usize, &&'static str)| {
        let mean = |measure: fn(&ObjectScores) -> MeasureOverFrames| -> Option<MeasureOverFrames> {
            MeasureOverFrames::mean_of(&objects.iter().map(|scores| measure(&scores[index])).collect::<Vec<_>>())
        };
        let (j, f) = (mean(|scores| scores.j)?, mean(|scores| scores.f)?);
        Some(MethodRow { method, j_and_f: (j.mean + f.mean) / 2.0, j, f })
    };
    METHODS.iter().enumerate().filter_map(row).collect()
}

impl EvaluationResults for DavisResults {
    const NAME: &'static str = "davis";
    const RECORD_OF: &'static str = "sequence";

    fn tables(&self) -> String {
        let cells = |row: &MethodRow| {
            let all = [row.j_and_f, row.j.mean, row.j.recall, row.j.decay, row.f.mean, row.f.recall, row.f.decay];
            std::iter::once(row.method.to_owned()).chain(all.map(per_cent)).collect()
        };
        let columns = ["method", "J&F", "J mean", "J recall", "J decay", "F mean", "F recall", "F decay"];
        let of_sequence = |of: &SequenceRows| {
            let means = of.rows.iter().map(|row| per_cent(row.j_and_f));
            [of.sequence.clone(), of.objects.to_string()].into_iter().chain(means).collect()
        };
        let sequence_columns = ["sequence, J&F", "objects", METHODS[0], METHODS[1]];
        format!(
            "{} objects of the {} split of DAVIS-2017, short side {} pixels, features after layer {}. All figures are \
             means over objects, in per cent.\n\n{}\n{}",
            self.objects,
            self.split,
            self.resolution,
            self.layer,
            table(&columns, self.rows.iter().map(cells)),
            table(&sequence_columns, self.sequences.iter().map(of_sequence))
        )
    }
}
