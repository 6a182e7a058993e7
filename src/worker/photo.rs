//! The current photo: its trace, scores, head maps and segmentations.

use js_sys::Uint8Array;

use super::error::WorkerError;
use super::progress::{ProgressReporter, now};
use super::state::{CurrentPhoto, Handled, Reply, Worker};
use crate::ablate::Ablation;
use crate::geometry::Framing;
use crate::media::{self, Photo};
use crate::protocol::{
    Attribute, ExportMask, HeadMap, MapHeads, MaskPng, PhotoSummary, Reframe, Segment, Segmented, TracePhoto,
    TraceSeconds,
};
use crate::segment::{self, SoftMap};
use crate::session::{Session, SessionError, Traced};
use crate::zero_shot;

/// The longer side of the photo as the page shows it, in pixels.
const PREVIEW: usize = 1400;

impl Worker {
    pub(super) async fn trace_photo(
        &mut self,
        task: TracePhoto,
        buffers: Vec<Uint8Array>,
        report: &ProgressReporter,
    ) -> Handled<TracePhoto> {
        let TracePhoto { name, framing } = task;
        let start = now();
        report.phase("Reading the photo");
        let bytes = buffers.first().map(Uint8Array::to_vec).unwrap_or_default();
        let photo = media::decode(&name, &bytes).await?;
        drop(bytes);
        let decode = now() - start;
        let (traced, encode) = run_model(self.session()?, &photo, framing, report).await?;
        self.current = Some(CurrentPhoto { name, photo, traced });
        self.photo_traced(framing, TraceSeconds { decode, encode })
    }

    pub(super) async fn reframe(
        &mut self,
        Reframe { framing }: Reframe,
        report: &ProgressReporter,
    ) -> Handled<Reframe> {
        let (session, CurrentPhoto { photo, traced, .. }) = self.with_photo()?;
        let (new, encode) = run_model(session, photo, framing, report).await?;
        *traced = new;
        self.photo_traced(framing, TraceSeconds { decode: 0.0, encode })
    }

    /// Returns the answer about the current photo.
    fn photo_traced(&mut self, framing: Framing, seconds: TraceSeconds) -> Handled<TracePhoto> {
        let (session, CurrentPhoto { name, photo, traced }) = self.with_photo()?;
        let (preview, rgba) = media::preview(photo, PREVIEW)?;
        let summary = PhotoSummary {
            name: name.clone(),
            photo: photo.size,
            preview,
            framing,
            crop_in_photo: traced.frame.crop_in_photo(),
            grid: traced.trace.grid,
            residual: session.decompose(traced).residual(),
            seconds,
        };
        Ok(Reply::with_bytes(summary, &rgba))
    }

    pub(super) async fn attribute(&mut self, task: Attribute) -> Handled<Attribute> {
        let Attribute { phrases, templates, ablation } = task;
        let (session, current) = self.with_photo()?;
        let units = session.embed(&phrases, templates).await?;
        Ok(Reply::plain(session.attribute(&current.traced, &phrases, &units, &ablation)?))
    }

    pub(super) async fn map_heads(&mut self, task: MapHeads) -> Handled<MapHeads> {
        let MapHeads { heads, phrase, rather_than, templates } = task;
        let phrases: Vec<String> = phrase.into_iter().chain(rather_than).collect();
        let (session, current) = self.with_photo()?;
        let units = session.embed(&phrases, templates).await?;
        let text = units.into_iter().reduce(|text, other| zero_shot::difference(&text, &other));
        let traced = &current.traced;
        let map = session.map_heads(traced, &heads, text.as_deref())?;
        let answer = HeadMap { grid: traced.trace.grid, crop_in_photo: traced.frame.crop_in_photo() };
        Ok(Reply::with_floats(answer, &map))
    }

    pub(super) async fn segment(&mut self, task: Segment) -> Handled<Segment> {
        let Segment { phrase, against, background, ablation } = task;
        let (map, traced) = self.soft_map(&phrase, &against, background, &ablation).await?;
        let SoftMap { size, threshold, is_empty, values } = map;
        let crop_in_photo = traced.frame.crop_in_photo();
        Ok(Reply::with_floats(Segmented { size, crop_in_photo, threshold, empty: is_empty }, &values))
    }

    pub(super) async fn export_mask(&mut self, task: ExportMask) -> Handled<ExportMask> {
        let ExportMask { phrase, against, background, ablation, threshold } = task;
        let (map, traced) = self.soft_map(&phrase, &against, background, &ablation).await?;
        let mask = segment::mask_in_photo(&map, &traced.frame, threshold);
        let png = media::grey_png(traced.frame.photo, &mask)?;
        Ok(Reply::with_bytes(MaskPng, &png))
    }

    async fn soft_map(
        &mut self,
        phrase: &str,
        against: &[String],
        background: bool,
        ablation: &Ablation,
    ) -> Result<(SoftMap, &Traced), WorkerError> {
        let (session, current) = self.with_photo()?;
        let mut texts = vec![phrase.to_owned()];
        texts.extend(Session::contrast(phrase, against, background));
        let units = session.embed(&texts, false).await?;
        let (text, contrast) = units.split_first().ok_or(WorkerError::NoPhrase)?;
        let map = session.segment(&current.traced, text, contrast, ablation)?;
        Ok((map, &current.traced))
    }
}

/// Runs the model on a photo; also returns the seconds that this took.
async fn run_model(
    session: &Session,
    photo: &Photo,
    framing: Framing,
    report: &ProgressReporter,
) -> Result<(Traced, f64), SessionError> {
    let start = now();
    report.phase("Running the model");
    let traced = session.trace(photo, framing).await?;
    Ok((traced, now() - start))
}
