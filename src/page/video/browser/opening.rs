//! Opens a video: a file, a sequence of pictures, or the sample clip.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::web_sys::{Blob, File};

use super::player_pictures;
use super::state::{LoadedVideo, Media, Mode, Picture, PlayerPictures, VideoState};
use crate::page::common::browser::dom::{self, ObjectUrl};
use crate::page::core::browser::core::Outcome;
use crate::protocol::sampling::Sampling;
use crate::protocol::video::{OpenVideo, VideoSource, VideoSummary};
use crate::protocol::wire::Attachments;
use crate::protocol::{TaskKind, sentence};
use crate::text::natural_order;

/// The clip that comes with the page.
const SAMPLE: (&str, &str) = ("bunny.webm", "samples/bunny.webm");

/// The rate at which a sequence of pictures is played.
const PICTURES_PER_SECOND: f64 = 10.0;

impl VideoState {
    /// Opens a video file.
    pub fn open_file(self, name: String, blob: Blob) {
        match ObjectUrl::of(&blob) {
            Some(url) => {
                self.load(LoadedVideo { name, media: Media::File { blob, url: Rc::new(url), taken: None } });
            }
            None => {
                self.core.complain(TaskKind::Video, format!("The browser cannot play {name}: choose it again."))
            }
        }
    }

    /// Opens the clip that comes with the page.
    pub fn open_sample_clip(self) {
        let (name, url) = SAMPLE;
        self.core.while_reading(async move {
            match dom::fetch(name, url).await {
                Ok(blob) => self.open_file(name.to_owned(), blob),
                Err(err) => self.core.complain(TaskKind::Video, sentence(&err.to_string())),
            }
        });
    }

    /// Opens pictures as the frames of a video, in the order of the numbers in their names.
    pub fn open_pictures(self, files: Vec<File>) {
        let mut files: Vec<File> = files.into_iter().filter(|file| file.type_().starts_with("image/")).collect();
        files.sort_by(|a, b| natural_order::compare(&a.name(), &b.name()));
        if files.is_empty() {
            return self.core.complain(TaskKind::Video, "There are no pictures among these files.".to_owned());
        }
        let picture = |(index, file): (usize, File)| Picture {
            name: file.name(),
            time: index as f64 / PICTURES_PER_SECOND,
            blob: file.into(),
        };
        let pictures: Vec<Picture> = files.into_iter().enumerate().map(picture).collect();
        let name = format!("{} pictures", pictures.len());
        self.load(LoadedVideo { name, media: Media::Pictures(pictures.into()) });
    }

    /// Opens the same video again, for a new worker or a new model.
    pub fn reopen(self) {
        let video = self.player.opening.get_untracked().or_else(|| self.player.loaded.get_untracked());
        if let Some(video) = video {
            self.forget_frames();
            self.frames.sampled.set(None);
            self.load(video);
        }
    }

    /// Opens a video if `files` contains one. Opens a sequence of pictures if `takes_pictures` is set. Otherwise
    /// returns the files.
    pub fn take_files(self, files: Vec<File>, takes_pictures: bool) -> Option<Vec<File>> {
        let is_video = |file: &File| {
            let name = file.name().to_lowercase();
            let has_ending = [".mp4", ".m4v", ".mov", ".webm", ".mkv"].iter().any(|ending| name.ends_with(ending));
            file.type_().starts_with("video/") || has_ending
        };
        if let Some(file) = files.iter().find(|file| is_video(file)) {
            self.open_file(file.name(), file.clone().into());
            return None;
        }
        let pictures = files.iter().filter(|file| file.type_().starts_with("image/")).count();
        if takes_pictures && pictures > 1 {
            self.open_pictures(files);
            return None;
        }
        Some(files)
    }

    fn load(self, video: LoadedVideo) {
        let of_pictures = |pictures: &Rc<[Picture]>| {
            let names = pictures.iter().map(|picture| picture.name.clone()).collect();
            let times = pictures.iter().map(|picture| picture.time).collect();
            let files = pictures.iter().map(|picture| picture.blob.clone()).collect();
            (VideoSource::Pictures { names, times }, files)
        };
        let (source, files) = match &video.media {
            Media::File { taken: Some(PlayerPictures { pictures, .. }), .. } | Media::Pictures(pictures) => {
                of_pictures(pictures)
            }
            Media::File { blob, .. } => (VideoSource::File { name: video.name.clone() }, vec![blob.clone()]),
        };
        self.player.opening.set(Some(video));
        let number = self.number_opening();
        let attachments = Attachments { files, ..Attachments::default() };
        self.core.ask_for_outcome(OpenVideo { video: number, source }, attachments, move |outcome| {
            // Another video was opened in the meantime.
            if self.numbers.with_value(|numbers| numbers.opening) == number {
                self.take_opened(outcome);
            }
            Ok(())
        });
    }

    fn take_opened(self, outcome: Outcome<VideoSummary>) {
        let opening = self.player.opening.get_untracked();
        self.player.opening.set(None);
        match (opening, outcome) {
            (Some(video), Ok((summary, _buffers))) => self.show_opened(video, summary),
            (Some(video), Err(message)) => self.open_by_player(video, message),
            (None, Err(message)) => self.core.complain(TaskKind::Video, message),
            (None, Ok(_)) => {}
        }
    }

    fn show_opened(self, video: LoadedVideo, summary: VideoSummary) {
        let player = self.player;
        let is_pictures = matches!(video.media, Media::Pictures(_));
        let taken = video.taken().map(|taken| (taken.sampling, taken.duration));
        let is_same = player.loaded.with_untracked(|open| open.as_ref().is_some_and(|open| open.is_same(&video)));
        player.is_playing.set(false);
        self.forget_frames();
        self.frames.sampled.set(None);
        if !is_same {
            player.time.set(0.0);
            player.seek_to.set(None);
            // For a sequence of pictures, sample every picture.
            let rate = if is_pictures { summary.rate.max(0.01) } else { Sampling::default().rate };
            self.frames.sampling.set(Sampling { rate, ..Sampling::default() });
        }
        // For a file that only the browser's player can decode, the worker has only the pictures.
        let duration = taken.map_or(summary.duration, |(_, duration)| duration);
        player.summary.set(Some(VideoSummary { duration, ..summary }));
        if let Some((sampling, _)) = taken {
            self.frames.sampling.update(|now| *now = Sampling { framing: now.framing, ..sampling });
        }
        if !is_same || taken.is_some() {
            player.loaded.set(Some(video));
        }
        // If the same video is opened again, for another model or in another worker, the view does not change.
        if !is_same {
            player.show(Mode::Video);
        }
        self.sample(self.frames.sampling.get_untracked());
    }

    /// Opens a file that the worker cannot decode with the browser's player. If the player cannot decode the file
    /// either, shows `sentence`.
    fn open_by_player(self, video: LoadedVideo, sentence: String) {
        match &video.media {
            Media::File { taken: None, .. } => self.take_pictures(video, Sampling::default(), sentence),
            Media::File { .. } | Media::Pictures(_) => self.core.complain(TaskKind::Video, sentence),
        }
    }

    /// Lets the browser's player show the moments of `sampling`, and opens the pictures that it showed.
    pub(super) fn take_pictures(self, video: LoadedVideo, sampling: Sampling, sentence: String) {
        let (Media::File { blob, url, .. }, name) = (video.media, video.name) else { return };
        let opening = self.numbers.with_value(|numbers| numbers.opening);
        self.core.while_reading(async move {
            let taken = player_pictures::pictures(&name, &blob, sampling).await;
            // Another video was opened in the meantime.
            if self.numbers.with_value(|numbers| numbers.opening) != opening {
                return;
            }
            match taken {
                Ok(taken) => {
                    self.load(LoadedVideo { name, media: Media::File { blob, url, taken: Some(taken) } });
                }
                // The worker's reason says more about the file than the player's.
                Err(_) => self.core.complain(TaskKind::Video, sentence),
            }
        });
    }

    pub(super) fn number_opening(self) -> u32 {
        let number = self.core.next_number();
        self.numbers.update_value(|numbers| numbers.opening = number);
        number
    }
}
