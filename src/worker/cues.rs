//! Spurious cues over the gallery.

use super::report::said;
use super::{Answered, Engine};
use crate::protocol::Answer;
use crate::protocol::cues::{CuePrompts, LabelledPicture};
use crate::session::Session;
use crate::session::cues::{Seen, find};
use crate::zero_shot;

impl Engine {
    pub(super) async fn find_cues(&mut self, pictures: &[LabelledPicture], prompts: &CuePrompts) -> Answered {
        let session = self.session_mut()?;
        let classes = apart(session, &prompts.classes).await?;
        let nuisances = apart(session, &prompts.nuisances).await?;
        let (session, gallery) = (self.session()?, self.gallery()?);
        let (classes, nuisances) = (session.direction(&classes), session.direction(&nuisances));
        let readout = &session.model().readout;
        let seen = pictures.iter().filter_map(|LabelledPicture { picture, class, nuisance }| {
            let imprint = gallery.imprint(*picture, readout)?;
            Some(Seen::new(readout, &imprint, (*class, *nuisance), &classes, &nuisances))
        });
        let seen: Vec<Seen> = seen.collect();
        if seen.is_empty() {
            return Err("none of the labelled pictures is in the gallery: add them first".to_owned());
        }
        // The means that the lab uses too, where there are some.
        let statistics = session.statistics().unwrap_or(gallery.statistics());
        Ok((Answer::Cues(find(readout, statistics, &classes, seen)), Vec::new()))
    }
}

/// What scores as much as the second prompt scores more than the first, a prompt being the mean of its phrases.
async fn apart(session: &mut Session, [first, second]: &[Vec<String>; 2]) -> Result<Vec<f32>, String> {
    let first = zero_shot::ensemble(&session.embed(first, false).await.map_err(said)?);
    let second = zero_shot::ensemble(&session.embed(second, false).await.map_err(said)?);
    Ok(zero_shot::difference(&second, &first))
}
