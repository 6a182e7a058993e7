//! The photos that come with the page.

/// A photo that comes with the page, in `samples/`.
pub struct Sample {
    pub name: &'static str,
    pub file: &'static str,
    /// The subject of the photo, in words.
    pub title: &'static str,
}

pub const SAMPLES: [Sample; 6] = [
    Sample { name: "astronaut", file: "astronaut.png", title: "Astronaut" },
    Sample { name: "chelsea", file: "chelsea.png", title: "Cat" },
    Sample { name: "china", file: "china.jpg", title: "Temple" },
    Sample { name: "coffee", file: "coffee.png", title: "Coffee" },
    Sample { name: "flower", file: "flower.jpg", title: "Flower" },
    Sample { name: "rocket", file: "rocket.jpg", title: "Rocket" },
];

impl Sample {
    pub fn url(&self) -> String {
        format!("samples/{}", self.file)
    }
}
