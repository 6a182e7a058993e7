//! Decides which images are computed before they are requested, and by which helper worker. This module is only the
//! bookkeeping; it starts no worker.
//!
//! Images come as a list: the first one is requested now, the others will be requested next. A helper worker
//! has one image at a time. At most one image per helper worker is started or done ahead, plus one image that the main
//! worker computes itself.

use std::collections::BTreeMap;

/// The images that are started or done. `K` identifies an image. `C` is the context of an image, stored here while a
/// helper computes the image. `T` is the result.
#[derive(Debug)]
pub struct Schedule<K, C, T> {
    helpers: BTreeMap<u32, HelperState>,
    images: Vec<(K, ImageState<C, T>)>,
    last_job: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HelperState {
    Starting,
    Idle,
    /// Computes the job of this number.
    Busy(u32),
}

#[derive(Debug)]
enum ImageState<C, T> {
    Running { job: u32, context: C },
    Done(T),
}

impl<K, C, T> Default for Schedule<K, C, T> {
    fn default() -> Self {
        Self { helpers: BTreeMap::new(), images: Vec::new(), last_job: 0 }
    }
}

impl<K: Clone + PartialEq, C, T> Schedule<K, C, T> {
    /// Adds a helper that is starting.
    pub fn start(&mut self, helper: u32) {
        self.helpers.insert(helper, HelperState::Starting);
    }

    /// Notes that a helper has started and accepts jobs.
    pub fn is_ready(&mut self, helper: u32) {
        if let Some(state) = self.helpers.get_mut(&helper) {
            *state = HelperState::Idle;
        }
    }

    /// Removes a helper, and the image that it runs on.
    pub fn lose(&mut self, helper: u32) {
        if let Some(HelperState::Busy(lost)) = self.helpers.remove(&helper) {
            self.images.retain(|(_, state)| state.job() != Some(lost));
        }
    }

    /// Removes all images that are not in the list. The result of a running one is dropped when it arrives.
    pub fn keep_only(&mut self, list: &[K]) {
        self.images.retain(|(key, _)| list.contains(key));
    }

    /// Returns a helper that has no job.
    pub fn idle(&self) -> Option<u32> {
        self.helpers.iter().find(|(_, state)| **state == HelperState::Idle).map(|(helper, _)| *helper)
    }

    /// Returns the index in the list of the next image that nobody has started, or `None` if enough are started.
    pub fn next(&self, list: &[K]) -> Option<usize> {
        let has_room = self.images.len() <= self.helpers.len() && !self.helpers.is_empty();
        list.iter().position(|key| self.image(key).is_none()).filter(|_| has_room)
    }

    /// Assigns an image to a helper; returns the number of the job.
    pub fn assign(&mut self, helper: u32, key: K, context: C) -> u32 {
        self.last_job += 1;
        let job = self.last_job;
        self.helpers.insert(helper, HelperState::Busy(job));
        self.images.push((key, ImageState::Running { job, context }));
        job
    }

    /// Notes that a helper has finished its job. The result of an image that was removed in the meantime is dropped.
    pub fn finish(&mut self, helper: u32, job: u32, result: impl FnOnce(C) -> T) {
        if self.helpers.get(&helper) != Some(&HelperState::Busy(job)) {
            return;
        }
        self.helpers.insert(helper, HelperState::Idle);
        let place = self.images.iter().position(|(_, state)| state.job() == Some(job));
        if let Some((key, ImageState::Running { context, .. })) = place.map(|place| self.images.swap_remove(place))
        {
            self.keep(key, result(context));
        }
    }

    /// Stores a result of the main worker.
    pub fn keep(&mut self, key: K, result: T) {
        self.images.push((key, ImageState::Done(result)));
    }

    /// Takes the result of an image, if it is done.
    pub fn take(&mut self, key: &K) -> Option<T> {
        let is_done =
            |(other, state): &(K, ImageState<C, T>)| other == key && matches!(state, ImageState::Done(_));
        let place = self.images.iter().position(is_done)?;
        match self.images.swap_remove(place).1 {
            ImageState::Done(result) => Some(result),
            ImageState::Running { .. } => None,
        }
    }

    /// Returns the job of an image that a helper computes now.
    pub fn job_of(&self, key: &K) -> Option<u32> {
        self.image(key)?.job()
    }

    /// Returns the helper that computes a job.
    pub fn helper_of(&self, job: u32) -> Option<u32> {
        self.helpers.iter().find(|(_, state)| **state == HelperState::Busy(job)).map(|(helper, _)| *helper)
    }

    fn image(&self, key: &K) -> Option<&ImageState<C, T>> {
        self.images.iter().find(|(other, _)| other == key).map(|(_, state)| state)
    }
}

impl<C, T> ImageState<C, T> {
    fn job(&self) -> Option<u32> {
        match self {
            Self::Running { job, .. } => Some(*job),
            Self::Done(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestSchedule = Schedule<u32, &'static str, String>;

    /// A schedule with this many idle helpers.
    fn schedule(helpers: u32) -> TestSchedule {
        let mut schedule = Schedule::default();
        for helper in 1..=helpers {
            schedule.start(helper);
            schedule.is_ready(helper);
        }
        schedule
    }

    /// Assigns images of a list to all idle helpers; returns helpers, keys and jobs.
    fn assign_all(schedule: &mut TestSchedule, list: &[u32]) -> Vec<(u32, u32, u32)> {
        let mut assigned = Vec::new();
        while let Some((helper, place)) = schedule.idle().zip(schedule.next(list)) {
            assigned.push((helper, list[place], schedule.assign(helper, list[place], "context")));
        }
        assigned
    }

    fn done(context: &str) -> String {
        format!("done {context}")
    }

    #[test]
    fn each_helper_has_one_image_and_the_main_worker_another() {
        let mut schedule = schedule(2);
        assert_eq!(assign_all(&mut schedule, &[1, 2, 3, 4]), [(1, 1, 1), (2, 2, 2)]);
        assert_eq!((schedule.idle(), schedule.job_of(&1), schedule.job_of(&3)), (None, Some(1), None));
        // The main worker computes the next one itself while it waits, and not more than one.
        assert_eq!(schedule.next(&[1, 2, 3, 4]), Some(2));
        schedule.keep(3, "own".to_owned());
        assert_eq!(schedule.next(&[1, 2, 3, 4]), None);
        schedule.finish(1, 1, done);
        assert_eq!(assign_all(&mut schedule, &[2, 3, 4]), [], "a result waits to be taken");
        assert_eq!(schedule.take(&1).as_deref(), Some("done context"));
        assert_eq!(schedule.take(&1), None);
        assert_eq!(assign_all(&mut schedule, &[2, 3, 4]), [(1, 4, 3)]);
        assert_eq!((schedule.take(&3).as_deref(), schedule.take(&2)), (Some("own"), None));
    }

    #[test]
    fn images_that_left_the_list_are_dropped() {
        let mut schedule = schedule(1);
        assign_all(&mut schedule, &[1, 2]);
        schedule.keep_only(&[7, 8]);
        assert_eq!((schedule.job_of(&1), schedule.idle()), (None, None));
        schedule.finish(1, 1, done);
        assert_eq!(schedule.take(&1), None);
        assert_eq!(assign_all(&mut schedule, &[8]), [(1, 8, 2)]);
        // The same image, requested again, is another job.
        schedule.keep_only(&[]);
        schedule.finish(1, 2, done);
        assign_all(&mut schedule, &[8]);
        schedule.finish(1, 2, done);
        assert_eq!((schedule.take(&8), schedule.job_of(&8)), (None, Some(3)));
    }

    #[test]
    fn a_lost_helpers_image_starts_again_and_its_results_stay() {
        let mut schedule = schedule(2);
        assign_all(&mut schedule, &[1, 2]);
        schedule.finish(1, 1, done);
        assert_eq!(schedule.helper_of(2), Some(2));
        schedule.lose(1);
        schedule.lose(2);
        assert_eq!((schedule.job_of(&2), schedule.helper_of(2)), (None, None));
        assert!(schedule.take(&1).is_some());
        assert_eq!(schedule.next(&[2, 3]), None, "without helpers nothing is computed ahead");
        // Later messages of a lost helper change nothing.
        schedule.finish(2, 2, done);
        schedule.is_ready(2);
        assert_eq!((schedule.take(&2), schedule.idle()), (None, None));
    }

    #[test]
    fn a_starting_helper_gets_no_image() {
        let mut schedule: Schedule<u32, &str, String> = Schedule::default();
        schedule.start(5);
        assert_eq!(schedule.idle(), None);
        schedule.is_ready(5);
        assert_eq!(schedule.idle(), Some(5));
    }
}
