//! At least one sample of every message that the package uses, and of every shape that its parts may have.

use headlamp::ablate::Ablation;
use headlamp::geometry::{Framing, Grid, PhotoRect, Size};
use headlamp::protocol::sampling::Sampling;
use headlamp::protocol::video::{
    ForgetMasks, FrameObjects, FrameSeconds, FrameSummary, LabelTracks, MasksForgotten, OpenVideo, Retrack,
    Retracked, SampleVideo, SampledVideo, TraceFrame, TrackLabels, TracksLabelled, VideoSource, VideoSummary,
};
use headlamp::protocol::{
    AllHeadLabels, Answer, Attribute, Attribution, DevicePreference, DeviceSummary, ExportMask, HeadLabel,
    HeadMap, HeadNames, HeadNaming, KeptLabels, KeptPool, KeptStatistics, LabelAllHeads, MapHeads, MaskPng,
    MeanAttribution, MemorySummary, NameHeads, NamedHead, OpenPack, OpenSeconds, PackSummary, PhotoSummary,
    PoolSource, Request, Response, SaveModel, SavedModel, Segment, Segmented, StatisticsSource, Storage,
    StorageSummary, Task, TaskProgress, TracePhoto, TraceSeconds, VideoAnswer, VideoTask,
};

use crate::typescript::ANY_TEXT;

fn text() -> String {
    ANY_TEXT.to_owned()
}

const SIZE: Size = Size { width: 4, height: 3 };
const GRID: Grid = Grid { rows: 3, columns: 4 };
const RECTANGLE: PhotoRect = PhotoRect { left: 0.5, top: 0.0, width: 3.0, height: 3.0 };

pub fn sizes() -> Vec<Size> {
    vec![SIZE]
}

pub fn grids() -> Vec<Grid> {
    vec![GRID]
}

pub fn rectangles() -> Vec<PhotoRect> {
    vec![RECTANGLE]
}

pub fn framings() -> Vec<Framing> {
    vec![
        Framing::CentreCrop,
        Framing::WholePhoto,
        Framing::Frame { short_side: 480 },
        Framing::WholeFrame { short_side: 224 },
    ]
}

fn ablation() -> Ablation {
    Ablation { heads: [(1, 2)].into(), mlps: [3].into(), embedding: true, cls_to_cls: true }
}

pub fn ablations() -> Vec<Ablation> {
    vec![ablation()]
}

pub fn samplings() -> Vec<Sampling> {
    framings().into_iter().map(|framing| Sampling { framing, ..Sampling::default() }).collect()
}

pub fn video_sources() -> Vec<VideoSource> {
    vec![VideoSource::File { name: text() }, VideoSource::Pictures { names: vec![text()], times: vec![0.0] }]
}

pub fn video_tasks() -> Vec<VideoTask> {
    let opens = video_sources().into_iter().map(|source| OpenVideo { video: 1, source });
    let samples = samplings().into_iter().map(|sampling| SampleVideo { video: 1, sampling });
    let others = [
        VideoTask::TraceFrame(TraceFrame { video: 1, index: 0, ahead: 4 }),
        VideoTask::Retrack(Retrack { video: 1, heads: vec![0] }),
        VideoTask::ForgetMasks(ForgetMasks { video: 1 }),
        VideoTask::LabelTracks(LabelTracks { video: 1, count: 3 }),
    ];
    opens.map(VideoTask::Open).chain(samples.map(VideoTask::Sample)).chain(others).collect()
}

pub fn tasks() -> Vec<Task> {
    let (phrase, against, phrases) = (text(), vec![text()], vec![text()]);
    let (background, templates, threshold) = (true, true, 0.5);
    let devices = [DevicePreference::Auto, DevicePreference::Cpu, DevicePreference::Gpu];
    let rooms = [None, Some(1)];
    let open = |device| rooms.map(|room| OpenPack { url: text(), device, room }.into());
    let opens = devices.into_iter().flat_map(open);
    let traces = framings().into_iter().map(|framing| TracePhoto { name: text(), framing }.into());
    let others = [
        Attribute { phrases, templates, ablation: ablation() }.into(),
        MapHeads { heads: vec![(1, 2)], phrase: None, rather_than: None, templates: false }.into(),
        MapHeads { heads: vec![(1, 2)], phrase: Some(text()), rather_than: Some(text()), templates: true }.into(),
        Segment { phrase: phrase.clone(), against: against.clone(), background, ablation: ablation() }.into(),
        ExportMask { phrase, against, background, ablation: ablation(), threshold, refined: true }.into(),
        LabelAllHeads { count: 10 }.into(),
        SaveModel.into(),
        NameHeads.into(),
    ];
    let videos = video_tasks().into_iter().map(Task::Video);
    opens.chain(traces).chain(others).chain(videos).collect()
}

pub fn requests() -> Vec<Request> {
    tasks().into_iter().map(|task| Request { id: 1, task }).collect()
}

pub fn progresses() -> Vec<TaskProgress> {
    vec![
        TaskProgress::Bytes { what: text(), done: 1, total: 2 },
        TaskProgress::Phase { what: text() },
        TaskProgress::Items { what: text(), done: 1, total: 2 },
    ]
}

pub fn packs() -> Vec<PackSummary> {
    let cost = |storage| StorageSummary { storage, bytes: 1, error: 0.1, worst: text(), worst_error: 0.2 };
    let whole = PackSummary {
        name: text(),
        description: text(),
        licence: text(),
        layers: 12,
        heads: 6,
        width: 384,
        patch: 14,
        image_size: 224,
        embedding: 384,
        has_text: true,
        bytes: 1,
        weights: text(),
        model: text(),
        stored_as: None,
        storages: [Storage::Q8, Storage::Q4, Storage::F16].map(cost).to_vec(),
        memory: MemorySummary::default(),
        not_stored: None,
        parameters: 1,
        statistics_images: 1,
        pool_lines: 1,
        device: DeviceSummary { kind: text(), name: text(), why: text() },
        seconds: OpenSeconds::default(),
        kept_labels: KeptLabels::default(),
    };
    let stored = [Storage::Q8, Storage::Q4, Storage::F16];
    let statistics = [StatisticsSource::File, StatisticsSource::Gallery, StatisticsSource::Video];
    let pools = [PoolSource::Headlamp, PoolSource::Person, PoolSource::Headlamp];
    let quantised = |((storage, statistics), pool)| PackSummary {
        stored_as: Some(storage),
        not_stored: Some(text()),
        kept_labels: KeptLabels {
            statistics: Some(KeptStatistics { source: statistics, images: 60 }),
            pool: Some(KeptPool { source: pool, lines: 3 }),
        },
        ..whole.clone()
    };
    let sources = stored.into_iter().zip(statistics).zip(pools);
    sources.map(quantised).chain([whole.clone()]).collect()
}

pub fn photos() -> Vec<PhotoSummary> {
    let photo = |framing| PhotoSummary {
        name: text(),
        photo: SIZE,
        preview: SIZE,
        framing,
        crop_in_photo: RECTANGLE,
        grid: GRID,
        residual: 1e-7,
        seconds: TraceSeconds::default(),
    };
    framings().into_iter().map(photo).collect()
}

pub fn attributions() -> Vec<Attribution> {
    let plain = Attribution {
        texts: vec![text()],
        scores: vec![0.1],
        probabilities: vec![1.0],
        heads: vec![vec![vec![0.1]]],
        mlps: vec![vec![0.1]],
        embedding: vec![0.1],
        intact: None,
        means: None,
    };
    let means = MeanAttribution { heads: vec![vec![vec![0.1]]], mlps: vec![vec![0.1]], embedding: vec![0.1] };
    vec![plain.clone(), Attribution { intact: Some(vec![0.1]), means: Some(means), ..plain }]
}

pub fn labels() -> Vec<HeadLabel> {
    let label = |property| HeadLabel { text: text(), property, variance_explained: 0.5 };
    // Three, because a list of two would count as a pair of different types.
    vec![label(Some(text())), label(None), label(Some(text()))]
}

pub fn named_heads() -> Vec<NamedHead> {
    let head = |property| NamedHead { property, share: 0.5, p_value: 0.01, consistency: 0.8, texts: labels() };
    // Three, as in `labels`.
    vec![head(Some(0)), head(None), head(Some(1))]
}

pub fn head_namings() -> Vec<HeadNaming> {
    let heads = vec![named_heads()];
    let names = HeadNames { properties: vec![text()], heads, images: 1, consistency: 0.8, entanglement: 0.1 };
    vec![HeadNaming::UnderWay { done: 1, total: 2 }, HeadNaming::Named(names)]
}

pub fn video_answers() -> Vec<VideoAnswer> {
    let objects = FrameObjects { objects: vec![1], is_cut: true };
    let opened = VideoSummary { name: text(), size: SIZE, duration: 1.0, frames: 1, rate: 1.0, coding: text() };
    let frame = FrameSummary {
        index: 0,
        grid: GRID,
        crop_in_frame: RECTANGLE,
        heads: vec![0],
        objects: objects.clone(),
        seconds: FrameSeconds::default(),
    };
    let sampled =
        |sampling| VideoAnswer::Sampled(SampledVideo { times: vec![0.0], sampling, grid: GRID, bytes: 1 });
    let tracks = vec![TrackLabels { object: 1, labels: vec![(text(), 0.1)] }];
    let others = [
        VideoAnswer::Opened(opened),
        VideoAnswer::FrameTraced(frame),
        VideoAnswer::Retracked(Retracked { frames: vec![objects] }),
        VideoAnswer::MasksForgotten(MasksForgotten),
        VideoAnswer::TracksLabelled(TracksLabelled { tracks }),
    ];
    samplings().into_iter().map(sampled).chain(others).collect()
}

pub fn answers() -> Vec<Answer> {
    let others = [
        HeadMap { grid: GRID, crop_in_photo: RECTANGLE }.into(),
        Segmented {
            size: SIZE,
            crop_in_photo: RECTANGLE,
            refined: SIZE,
            refined_in_photo: RECTANGLE,
            threshold: 0.5,
            empty: true,
        }
        .into(),
        MaskPng.into(),
        SavedModel { name: text() }.into(),
        AllHeadLabels { labels: vec![vec![labels()]], images: 1 }.into(),
        Answer::Failed { message: text() },
        Answer::DeviceLost,
    ];
    let summaries =
        packs().into_iter().map(Answer::PackOpened).chain(photos().into_iter().map(Answer::PhotoTraced));
    let found =
        attributions().into_iter().map(Answer::Attributed).chain(video_answers().into_iter().map(Answer::Video));
    let namings = head_namings().into_iter().map(Answer::HeadNaming);
    let all = progresses().into_iter().map(Answer::Progress).chain(summaries).chain(found);
    all.chain(others).chain(namings).collect()
}

pub fn responses() -> Vec<Response> {
    answers().into_iter().map(|answer| Response { id: 1, answer }).collect()
}
