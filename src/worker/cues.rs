//! Spurious cues over the gallery.

use super::error::WorkerError;
use super::state::{Handled, Reply, Worker};
use crate::protocol::cues::{FindCues, LabelledPicture};
use crate::session::cues::{PictureMargins, find};
use crate::session::{Session, SessionError};
use crate::zero_shot;

impl Worker {
    pub(super) async fn find_cues(&mut self, FindCues { pictures, prompts }: FindCues) -> Handled<FindCues> {
        let session = self.session_mut()?;
        let classes = difference(session, &prompts.classes).await?;
        let nuisances = difference(session, &prompts.nuisances).await?;
        let (session, gallery) = (self.session()?, self.gallery()?);
        let (classes, nuisances) = (session.direction(&classes), session.direction(&nuisances));
        let readout = &session.model().readout;
        let margins = pictures.iter().filter_map(|LabelledPicture { picture, class, nuisance }| {
            let codes = gallery.codes(*picture, readout)?;
            Some(PictureMargins::new(readout, &codes, (*class, *nuisance), &classes, &nuisances))
        });
        let margins: Vec<PictureMargins> = margins.collect();
        if margins.is_empty() {
            return Err(WorkerError::NoLabelledPicture);
        }
        // The statistics that the ablation lab uses, if there are any.
        let statistics = session.statistics().unwrap_or(gallery.statistics());
        Ok(Reply::plain(find(readout, statistics, &classes, margins)))
    }
}

/// Returns the difference: second prompt minus first. A prompt of several phrases is their mean.
async fn difference(session: &mut Session, [first, second]: &[Vec<String>; 2]) -> Result<Vec<f32>, SessionError> {
    let first = zero_shot::ensemble(&session.embed(first, false).await?);
    let second = zero_shot::ensemble(&session.embed(second, false).await?);
    Ok(zero_shot::difference(&second, &first))
}
