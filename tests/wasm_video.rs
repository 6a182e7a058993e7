//! Videos decoded by a real browser's decoders, in a worker. Every frame shows its own number, so that a wrong
//! frame is detected.
//!
//! `cargo xtask test wasm` runs these tests in headless Chromium. `tests/reference/video.py` made the clips.
#![cfg(target_arch = "wasm32")]

use headlamp::geometry::Size;
use headlamp::media::Photo;
use headlamp::media::video::{MAX_ALIVE, Video, VideoError};
use js_sys::{Array, Uint8Array};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::Blob;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

macro_rules! clip {
    ($name:literal) => {
        ($name, include_bytes!(concat!("reference/fixtures/video/", $name)).as_slice())
    };
}

type Clip = (&'static str, &'static [u8]);

const H264: Clip = clip!("h264.mp4");
const VP9: Clip = clip!("vp9.webm");
const CLIPS: [Clip; 12] = [
    H264,
    VP9,
    clip!("open_gop.mp4"),
    clip!("fragmented.mp4"),
    clip!("faststart.mp4"),
    clip!("vfr.mp4"),
    clip!("vp9.mp4"),
    clip!("av1.mp4"),
    clip!("av1.webm"),
    clip!("vp8.webm"),
    clip!("live.webm"),
    clip!("h264.mkv"),
];

/// Frames in each of the clips.
const FRAMES: usize = 40;

fn blob(bytes: &[u8]) -> Blob {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap()
}

async fn open((name, bytes): Clip) -> Video {
    Video::open(name, blob(bytes)).await.unwrap_or_else(|err| panic!("{err}"))
}

/// Reads the number that a frame shows: eight bars in its upper half, and the inverted bars below.
fn number_in(photo: &Photo) -> Result<usize, String> {
    let Size { width, height } = photo.held;
    let is_white = |x: usize, y: usize| photo.rgb[(y * width + x) * 3] > 127;
    let mut number = 0;
    for bar in 0..8 {
        let x = (2 * bar + 1) * width / 16;
        let (above, below) = (is_white(x, height / 4), is_white(x, height * 3 / 4));
        if above == below {
            return Err(format!("bar {bar} contradicts itself"));
        }
        number = number << 1 | usize::from(above);
    }
    Ok(number)
}

async fn number_at(video: &mut Video, micros: i64) -> Result<usize, String> {
    number_in(&video.frame_at(micros).await.map_err(|err| err.to_string())?)
}

#[wasm_bindgen_test]
async fn every_frame_is_decoded_in_order() {
    for clip in CLIPS {
        let mut video = open(clip).await;
        let info = video.info();
        assert_eq!((info.times.len(), info.size), (FRAMES, Size { width: 128, height: 64 }), "{}", clip.0);
        for (frame, &time) in info.times.iter().enumerate() {
            assert_eq!(number_at(&mut video, time).await, Ok(frame), "{} at {time}", clip.0);
        }
    }
}

#[wasm_bindgen_test]
async fn every_frame_is_decoded_after_any_seek() {
    for clip in CLIPS {
        let mut video = open(clip).await;
        let times = video.info().times;
        // In cyclic steps of 13 and 29: forward, backward, across keyframes, and to the last and the first frame.
        for frame in (0..2 * FRAMES).map(|step| if step < FRAMES { step * 13 } else { step * 29 } % FRAMES) {
            // Just before the time of the next frame, this frame is still visible.
            let until = times.get(frame + 1).map_or(times[frame] + 10_000_000, |next| next - 1);
            for micros in [times[frame], until] {
                assert_eq!(number_at(&mut video, micros).await, Ok(frame), "{} at {micros}", clip.0);
            }
        }
    }
}

#[wasm_bindgen_test]
async fn edits_rotation_and_pixel_aspect_are_applied() {
    let mut trimmed = open(clip!("trimmed.mp4")).await;
    let info = trimmed.info();
    let first = number_at(&mut trimmed, 0).await.unwrap();
    assert!((20..26).contains(&first), "{first}");
    for (place, &time) in info.times.iter().enumerate() {
        assert_eq!(number_at(&mut trimmed, time).await, Ok(first + place));
    }

    let mut turned = open(clip!("rotated.mp4")).await;
    assert_eq!(turned.info().size, Size { width: 64, height: 128 });
    let photo = turned.frame_at(turned.info().times[29]).await.unwrap();
    assert_eq!(photo.held, Size { width: 64, height: 128 });
    // Compared with the stored frame: its left edge is now the top, and its upper half is on the right.
    let pixel = |x: usize, y: usize| photo.rgb[(x * 64 + 63 - y) * 3];
    let rgb = (0..64).flat_map(|y| (0..128).flat_map(move |x| [pixel(x, y); 3])).collect();
    let size = Size { width: 128, height: 64 };
    assert_eq!(number_in(&Photo { size, held: size, rgb }), Ok(29));

    let mut wide = open(clip!("wide.mp4")).await;
    let photo = wide.frame_at(wide.info().times[17]).await.unwrap();
    assert_eq!(photo.held, Size { width: 171, height: 64 });
    assert_eq!(number_in(&photo), Ok(17));
}

#[wasm_bindgen_test]
async fn a_long_video_holds_only_a_few_decoded_frames() {
    // Counts the browser's own objects.
    js_sys::eval(
        "self.alive = 0; self.peak = 0; self.decoders = 0;
         const Decoder = self.VideoDecoder, close = self.VideoFrame.prototype.close;
         self.VideoFrame.prototype.close = function () { self.alive -= 1; close.call(this); };
         self.VideoDecoder = class extends Decoder {
             constructor(init) {
                 self.decoders += 1;
                 super({ ...init, output: (frame) => {
                     self.alive += 1; self.peak = Math.max(self.peak, self.alive); init.output(frame);
                 } });
             }
         };",
    )
    .unwrap();
    let count = |name: &str| js_sys::eval(name).unwrap().as_f64().unwrap();
    let mut video = open(clip!("long.webm")).await;
    let times = video.info().times;
    assert_eq!(times.len(), 600);
    for (frame, &time) in times.iter().enumerate().filter(|(frame, _)| frame % 5 == 0 || frame % 128 < 3) {
        assert_eq!(number_at(&mut video, time).await, Ok(frame % 256), "at {time}");
    }
    assert_eq!(count("self.decoders"), 1.0, "a frame was decoded twice although the frames were read in order");
    for frame in [500, 3, 320, 599, 0] {
        assert_eq!(number_at(&mut video, times[frame]).await, Ok(frame % 256));
    }
    let peak = count("self.peak");
    assert!((1.0..=MAX_ALIVE as f64).contains(&peak), "{peak}");
    drop(video);
    assert_eq!(count("self.alive"), 0.0);
}

#[wasm_bindgen_test]
async fn a_codec_that_the_browser_lacks_is_named() {
    let refusal =
        |(name, bytes): Clip| async move { Video::open(name, blob(bytes)).await.err().unwrap().to_string() };
    // H.264 with a profile that does not exist, so that no browser can decode it.
    let mut odd = H264.1.to_vec();
    let record = odd.windows(4).position(|bytes| bytes == b"avcC").unwrap() + 4;
    odd[record + 1] = 0xFE;
    let odd = Video::open("odd.mp4", blob(&odd)).await.err().unwrap().to_string();
    assert!(odd.contains("H.264 (avc1.FE") && odd.contains("odd.mp4"), "{odd}");
    let mpeg4 = refusal(clip!("mpeg4.mp4")).await;
    assert!(mpeg4.contains("MPEG-4 Part 2 (mp4v)"), "{mpeg4}");
    let (name, bytes) = H264;
    let cut = Video::open(name, blob(&bytes[..bytes.len() / 2])).await.err().unwrap().to_string();
    assert!(cut.contains("cut off"), "{cut}");
}

#[wasm_bindgen_test]
async fn a_truncated_file_plays_up_to_its_end() {
    let (name, bytes) = clip!("faststart.mp4");
    let mut video = Video::open(name, blob(&bytes[..bytes.len() * 3 / 4])).await.unwrap();
    let info = video.info();
    assert!(info.is_cut_off && (5..FRAMES).contains(&info.times.len()), "{}", info.times.len());
    for (frame, &time) in info.times.iter().enumerate().take(5) {
        assert_eq!(number_at(&mut video, time).await, Ok(frame));
    }
}

#[wasm_bindgen_test]
async fn damage_is_reported_with_its_time_and_the_rest_is_shown() {
    let (name, bytes) = VP9;
    let index = headlamp::media::video::demux(name, std::io::Cursor::new(bytes)).unwrap();
    let mut damaged = bytes.to_vec();
    for sample in &index.samples[20..24] {
        // Damages everything except the bytes that hold the type of the frame.
        damaged[sample.offset as usize..][1..sample.length as usize - 1].fill(0xA5);
    }
    let mut video = Video::open(name, blob(&damaged)).await.unwrap();
    let times = video.info().times;
    for (frame, time) in times.iter().enumerate().take(20) {
        assert_eq!(number_at(&mut video, *time).await, Ok(frame));
    }
    let err = video.frame_at(times[21]).await.unwrap_err();
    assert!(matches!(err, VideoError::DamagedAt { .. }), "{err}");
    assert!(err.to_string().contains("0.7"), "{err}");
    for frame in (32..FRAMES).chain([19, 3]) {
        assert_eq!(number_at(&mut video, times[frame]).await, Ok(frame));
    }
}

#[wasm_bindgen_test]
async fn a_dropped_request_leaves_the_video_usable() {
    let mut video = open(H264).await;
    let times = video.info().times;
    for frame in [30, 12, 39, 5, 6] {
        // Polled once or twice, and then dropped.
        let mut request = Box::pin(video.frame_at(times[(frame + 9) % FRAMES]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _pending = request.as_mut().poll(&mut context);
        drop(request);
        assert_eq!(number_at(&mut video, times[frame]).await, Ok(frame));
    }
}
