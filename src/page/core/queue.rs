//! The requests of the page that wait for the worker.
//!
//! The worker does one thing at a time, so the page posts one request at a time. At most one request of each kind of
//! work waits, the latest one. The most urgent kind is posted first. Therefore fast changes of signals never flood the
//! worker, and an answer is always about the same photo as its request.

use std::collections::BTreeMap;

use crate::protocol::{Request, Task, TaskKind};

/// The requests that wait, each with its attachments `B`, and the one that is under way.
#[derive(Debug)]
pub struct RequestQueue<B> {
    waiting: BTreeMap<TaskKind, (Task, B)>,
    under_way: Option<Request>,
    last_id: u32,
}

/// A request that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedRequest {
    pub task: Task,
    /// Whether a newer request of the same kind waits, so that the answer is out of date.
    pub superseded: bool,
}

impl<B> Default for RequestQueue<B> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), under_way: None, last_id: 0 }
    }
}

impl<B> RequestQueue<B> {
    /// Queues `task` and returns the request of the same kind that it replaces.
    pub fn add(&mut self, task: Task, buffers: B) -> Option<(Task, B)> {
        self.waiting.insert(task.kind(), (task, buffers))
    }

    /// Removes and returns the waiting request of a kind.
    pub fn withdraw(&mut self, kind: TaskKind) -> Option<(Task, B)> {
        self.waiting.remove(&kind)
    }

    /// Returns the waiting request of a kind, for changes.
    pub fn waiting_mut(&mut self, kind: TaskKind) -> Option<&mut Task> {
        self.waiting.get_mut(&kind).map(|(task, _)| task)
    }

    /// Returns the next request to post; `None` while one is under way.
    pub fn start_next(&mut self) -> Option<(Request, B)> {
        if self.under_way.is_some() {
            return None;
        }
        let (_, (task, buffers)) = self.waiting.pop_first()?;
        self.last_id += 1;
        let request = Request { id: self.last_id, task };
        self.under_way = Some(request.clone());
        Some((request, buffers))
    }

    /// Returns the kind of the request under way.
    pub fn under_way(&self) -> Option<TaskKind> {
        self.under_way.as_ref().map(|request| request.task.kind())
    }

    /// Returns whether a request of a kind waits or is under way.
    pub fn has(&self, kind: TaskKind) -> bool {
        self.waiting.contains_key(&kind) || self.under_way() == Some(kind)
    }

    /// Returns whether the request numbered `id` is under way.
    pub fn is_under_way(&self, id: u32) -> bool {
        self.under_way.as_ref().is_some_and(|request| request.id == id)
    }

    /// Ends the request numbered `id`; `None` if it is not under way.
    pub fn finish(&mut self, id: u32) -> Option<FinishedRequest> {
        let Request { task, .. } = self.under_way.take_if(|request| request.id == id)?;
        let superseded = self.waiting.contains_key(&task.kind());
        Some(FinishedRequest { task, superseded })
    }

    /// Forgets all requests, because the worker is gone.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.under_way = None;
    }

    /// Returns the request under way, or the next one if no request or background work is under way.
    pub fn busy_with(&self) -> Option<&Task> {
        let next = self.waiting.values().next().map(|(task, _)| task);
        let under_way = self.under_way.as_ref().map(|request| &request.task);
        under_way.filter(|task| next.is_none() || !task.kind().is_background()).or(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::video::TraceFrame;
    use crate::protocol::{
        AddToGallery, GalleryEntry, NameHeads, OpenGallery, RankBy, RankGallery, Segment, StoreGallery,
        TracePhoto, UsePool,
    };

    fn segment(phrase: &str) -> Task {
        let (against, ablation) = (Vec::new(), Default::default());
        Segment { phrase: phrase.to_owned(), against, background: true, ablation }.into()
    }

    #[test]
    fn one_request_runs_and_the_latest_of_a_kind_waits() {
        let mut queue = RequestQueue::default();
        queue.add(segment("a cat"), ());
        let (first, ()) = queue.start_next().unwrap();
        assert_eq!(first.task, segment("a cat"));
        for phrase in ["a dog", "a bird", "a car"] {
            queue.add(segment(phrase), ());
            assert!(queue.start_next().is_none(), "one is under way");
        }
        assert_eq!(queue.finish(first.id), Some(FinishedRequest { task: segment("a cat"), superseded: true }));
        let (second, ()) = queue.start_next().unwrap();
        assert_eq!(second.task, segment("a car"));
        assert_ne!(first.id, second.id);
        assert_eq!(queue.finish(second.id), Some(FinishedRequest { task: segment("a car"), superseded: false }));
        assert!(queue.start_next().is_none());
    }

    #[test]
    fn a_request_that_waits_for_background_work_counts_as_busy() {
        let mut queue = RequestQueue::default();
        queue.add(NameHeads.into(), ());
        queue.start_next();
        assert_eq!(queue.busy_with().map(Task::kind), Some(TaskKind::HeadNames));
        queue.add(segment("a cat"), ());
        assert_eq!(queue.busy_with().map(Task::kind), Some(TaskKind::Segmentation));
    }

    #[test]
    fn the_most_urgent_request_goes_first_with_its_buffers() {
        let mut queue = RequestQueue::default();
        queue.add(segment("a cat"), "segment");
        queue.add(UsePool { file: String::new() }.into(), "pool");
        queue.add(TracePhoto { name: "x.png".to_owned(), framing: Default::default() }.into(), "photo");
        let mut order = Vec::new();
        while let Some((request, buffers)) = queue.start_next() {
            order.push(buffers);
            queue.finish(request.id).unwrap();
        }
        assert_eq!(order, ["photo", "segment", "pool"]);
    }

    #[test]
    fn other_requests_go_between_two_frames_of_a_video() {
        let frame = |index| Task::from(TraceFrame { video: 1, index, ahead: 0 });
        let mut queue = RequestQueue::default();
        queue.add(frame(0), ());
        let (first, ()) = queue.start_next().unwrap();
        queue.add(frame(1), ());
        queue.add(segment("a cat"), ());
        queue.finish(first.id).unwrap();
        assert_eq!(queue.start_next().unwrap().0.task, segment("a cat"));
        assert_eq!(queue.waiting_mut(TaskKind::Frame), Some(&mut frame(1)));
    }

    #[test]
    fn a_gallery_is_opened_and_stored_before_it_grows() {
        let entry = GalleryEntry { name: "x.png".to_owned(), bytes: 1, modified: 2 };
        let picture = Task::from(AddToGallery { entry, next: Vec::new() });
        let by = RankBy::Phrase("a cat".to_owned());
        let ranking = Task::from(RankGallery { by, heads: Vec::new(), most: 1 });
        let mut queue = RequestQueue::default();
        for task in [&picture, &StoreGallery.into(), &ranking, &OpenGallery.into()] {
            queue.add(task.clone(), ());
        }
        for expected in [OpenGallery.into(), ranking, StoreGallery.into(), picture] {
            let (request, ()) = queue.start_next().unwrap();
            assert_eq!(request.task, expected, "none took another's place");
            queue.finish(request.id).unwrap();
        }
    }

    #[test]
    fn work_counts_from_its_request_until_its_end() {
        let mut queue = RequestQueue::default();
        assert!(!queue.has(TaskKind::Segmentation));
        queue.add(segment("a cat"), ());
        assert!(queue.has(TaskKind::Segmentation), "it waits");
        let (request, ()) = queue.start_next().unwrap();
        assert!(queue.has(TaskKind::Segmentation), "it is under way");
        queue.finish(request.id).unwrap();
        assert!(!queue.has(TaskKind::Segmentation));
    }

    #[test]
    fn answers_to_other_numbers_change_nothing() {
        let mut queue = RequestQueue::default();
        queue.add(segment("a cat"), ());
        let (request, ()) = queue.start_next().unwrap();
        assert_eq!(queue.finish(request.id + 1), None);
        assert_eq!(queue.busy_with().map(Task::kind), Some(TaskKind::Segmentation));
        queue.clear();
        assert_eq!(queue.finish(request.id), None, "an answer from a worker that is gone");
        queue.add(segment("a dog"), ());
        assert_ne!(queue.start_next().unwrap().0.id, request.id, "numbers are not used again");
    }
}
