//! The completeness curve over the gallery.

use super::progress::ProgressReporter;
use super::state::{Handled, Reply, Worker};
use crate::ablate::LATE_LAYERS;
use crate::protocol::completeness::MeasureCompleteness;
use crate::session::SessionError;
use crate::session::completeness::{LabelledCodes, measure};
use crate::textspan::LateHeads;
use crate::zero_shot;

/// The numbers of texts per head, up to CLIP's head width, as in the paper's figure (docs/PAPERS.md, 1.9).
const COUNTS: [usize; 10] = [0, 1, 2, 5, 10, 20, 30, 40, 50, 60];

impl Worker {
    pub(super) async fn measure_completeness(
        &mut self,
        MeasureCompleteness { classes }: MeasureCompleteness,
        report: &ProgressReporter,
    ) -> Handled<MeasureCompleteness> {
        let session = self.session_mut()?;
        let mut units = Vec::with_capacity(classes.phrases.len());
        for phrases in &classes.phrases {
            units.push(zero_shot::ensemble(&session.embed(phrases, false).await?));
        }
        let session = self.session()?;
        let readout = &session.model().readout;
        let statistics = session.statistics().ok_or(SessionError::NoStatistics)?;
        let pool = session.pool().ok_or(SessionError::NoPool)?;
        let (mut done, total) = (0, LATE_LAYERS.min(readout.layers) * readout.heads);
        let most = COUNTS[COUNTS.len() - 1];
        let late = LateHeads::new(readout, statistics, &pool.embeddings, LATE_LAYERS, most, || {
            done += 1;
            report.items("Finding the heads' texts", done, total);
        });
        // Without a gallery, only the heads' variance is measured.
        let gallery = self.gallery.as_ref();
        let all =
            || (0..gallery.map_or(0, |gallery| gallery.entries().len())).map(|index| (index, None)).collect();
        let labelled = |labels: Vec<(usize, usize)>| labels.into_iter().map(|(index, class)| (index, Some(class)));
        let wanted: Vec<(usize, Option<usize>)> =
            classes.labels.map_or_else(all, |labels| labelled(labels).collect());
        let total = wanted.len();
        let pictures = wanted.into_iter().enumerate().filter_map(|(done, (index, class))| {
            report.items("Classifying pictures", done, total);
            Some(LabelledCodes { codes: gallery?.codes(index, readout)?, class })
        });
        let curve = measure(&late, pool.texts.len(), &COUNTS, &units, pictures);
        Ok(Reply::plain(curve))
    }
}
