use super::*;

fn read(query: &str) -> Address {
    let (address, complaints) = Address::parse(query);
    assert_eq!(complaints, Vec::<String>::new(), "{query}");
    address
}

#[test]
fn a_default_address_has_no_parameters() {
    assert_eq!(read(""), Address::default());
    assert_eq!(Address::default().query(), "");
    assert_eq!(read("?utm_source=x&text").texts, Some("".parse().unwrap()), "no phrases at all");
    assert_eq!(read(&read("?text").query()).texts, Some("".parse().unwrap()), "and so again");
}

#[test]
fn the_embeds_address_is_read() {
    let address = read("?embed=1&image=https://a.example/b.jpg&text=cat&text=a+dog&head=11.3&model=tiny");
    assert!(address.embed);
    assert_eq!(address.image.as_deref(), Some("https://a.example/b.jpg"));
    assert_eq!(address.texts.unwrap().as_slice(), ["cat", "a dog"]);
    assert_eq!(address.head, Some((11, 3)));
    assert_eq!(address.model, ModelAddress::Folder("packs/tiny/".to_owned()));
    let hub = read("?model=openai/clip-vit-base-patch32");
    assert_eq!(hub.model, ModelAddress::Hub("openai/clip-vit-base-patch32".to_owned()));
}

#[test]
fn everything_survives_an_address() {
    let whole = Address {
        embed: true,
        model: ModelAddress::Folder("https://a.example/packs/mine/".to_owned()),
        compare: Some(ModelAddress::Folder("packs/tiny/".to_owned())),
        image: Some("samples/a b&c.jpg".to_owned()),
        texts: Some("a cat\n50 % of a dog\n犬 & 猫".parse().unwrap()),
        phrase: Some("a cat".to_owned()),
        rather_than: Some("犬 & 猫".to_owned()),
        head: Some((23, 15)),
        map: HeadMapKind::Attention,
        raw: true,
        layer: Layer::Head,
        whole_photo: true,
        threshold: Some(0.345),
        opacity: 0.5,
        templates: true,
        against_others: false,
        background: false,
        as_model_sees: true,
        off: Off::parse("11.3,m*,z0").unwrap(),
        device: DevicePreference::Cpu,
        hands: false,
        theme: Some(Theme::Dark),
        origins: vec!["https://a.example".to_owned(), "http://127.0.0.1:8080".to_owned()],
    };
    assert_eq!(read(&whole.query()), whole);
    let hub = ModelAddress::Hub("a/b".to_owned());
    let none = Address { layer: Layer::None, model: hub.clone(), compare: Some(hub), ..Address::default() };
    assert_eq!(read(&none.query()), none);
}

#[test]
fn invalid_parameters_are_reported_and_change_nothing() {
    for query in [
        "head=eleven",
        "head=11",
        "threshold=2",
        "threshold=NaN",
        "opacity=-1",
        "embed=maybe",
        "layer=all",
        "map=",
        "device=tpu",
        "hands=two",
        "raw=2",
        "off=11.3;4",
        "theme=blue",
        "origin=*",
        "origin=example.org",
        "origin=https://a.example/path",
        "origin=null",
        "image=javascript:alert(1)",
        "image=file:///etc/passwd",
        "model=../secret",
        "model=a/b/c",
        "compare=",
        "compare=a/b/c",
    ] {
        let (address, complaints) = Address::parse(query);
        assert_eq!(address, Address::default(), "{query}");
        let [complaint] = complaints.as_slice() else { panic!("{query}: {complaints:?}") };
        assert!(complaint.starts_with("The address says ") && complaint.ends_with('.'), "{complaint}");
    }
}

#[test]
fn the_second_model_is_a_folder_or_a_repository() {
    let compare = |query: &str| read(query).compare.unwrap();
    let tiny = ModelAddress::Folder("packs/tiny/".to_owned());
    assert_eq!(compare("?compare=tiny"), tiny);
    assert_eq!(compare("?compare=packs/tiny/"), tiny);
    assert_eq!(compare("?compare=packs/tiny"), ModelAddress::Hub("packs/tiny".to_owned()));
    let without_slash = ModelAddress::Folder("packs/tiny".to_owned());
    let address = Address { compare: Some(without_slash), ..Address::default() };
    assert_eq!(read(&address.query()).compare, Some(tiny));
}

#[test]
fn origins_are_as_browsers_write_them() {
    assert_eq!(origin("HTTPS://Example.org/").as_deref(), Some("https://example.org"));
    assert_eq!(origin("https://example.org:443").as_deref(), Some("https://example.org"));
    assert_eq!(origin("http://[::1]:8080").as_deref(), Some("http://[::1]:8080"));
    assert_eq!(origin("http://[::1]").as_deref(), Some("http://[::1]"));
    for text in ["https://", "ftp://a.example", "https://a.example:99999", "https://a b", "https://a@b", "*"] {
        assert_eq!(origin(text), None, "{text}");
    }
}

#[test]
fn too_many_phrases_are_left_out_of_the_address() {
    let many: String = (0..400).map(|index| format!("a photo of thing number {index}\n")).collect();
    let address = Address { texts: Some(many.parse().unwrap()), head: Some((1, 2)), ..Address::default() };
    assert!(!address.carries_texts());
    assert_eq!(address.query(), "?head=1.2");
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// Returns a random query of valid and invalid parts.
fn any_query(random: &mut Random) -> String {
    const NAMES: [&str; 26] = [
        "embed",
        "pack",
        "model",
        "image",
        "text",
        "phrase",
        "rather",
        "head",
        "map",
        "layer",
        "whole",
        "threshold",
        "opacity",
        "templates",
        "others",
        "background",
        "raw",
        "off",
        "device",
        "hands",
        "theme",
        "origin",
        "",
        "x",
        "%74ext",
        "\u{202e}",
    ];
    const BITS: [&str; 36] = [
        "1",
        "0",
        "11.3",
        "8.*",
        "m5",
        "m*",
        "z0",
        "cls",
        ",",
        ".",
        "cat",
        "+",
        "%",
        "%2",
        "%20",
        "%ff",
        "%00",
        "é",
        "🐕",
        "=",
        "#",
        "?",
        "/",
        ":",
        "https://",
        "a.example",
        "javascript:",
        "NaN",
        "inf",
        "-1",
        "1e400",
        "99999999999999999999",
        "\u{0}",
        "\n",
        "head",
        "light",
    ];
    let mut query = random.pick(&["?", "", "??", "&"]).to_owned();
    for _ in 0..random.below(8) {
        query.push_str(random.pick(&NAMES));
        query.push_str(random.pick(&["=", "", "=="]));
        for _ in 0..random.below(5) {
            query.push_str(random.pick(&BITS));
        }
        query.push_str(random.pick(&["&", "&&", ";"]));
    }
    query
}

#[test]
fn any_address_is_read_and_written_the_same_again() {
    let mut random = Random(0x5eed);
    let mut complaints_in_all = 0;
    for _ in 0..20_000 {
        let query = any_query(&mut random);
        let (address, complaints) = Address::parse(&query);
        complaints_in_all += complaints.len();
        for complaint in &complaints {
            assert!(complaint.ends_with('.') && complaint.split(' ').count() > 5, "{query:?}: {complaint:?}");
            assert!(!complaint.chars().any(char::is_control) && complaint.chars().count() < 250, "{complaint:?}");
        }
        let (again, complaints) = Address::parse(&address.query());
        assert_eq!(complaints, Vec::<String>::new(), "{query:?} became {:?}", address.query());
        assert_eq!(again.query(), address.query(), "{query:?}");
        assert_eq!(again, Address { texts: again.texts.clone(), ..address }, "{query:?}");
    }
    assert!(complaints_in_all > 1000, "the queries reach what can go wrong: {complaints_in_all}");
}

#[test]
fn any_bytes_are_an_address() {
    let mut random = Random(0xfeed);
    for _ in 0..20_000 {
        let length = random.below(60);
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        let (address, _) = Address::parse(&String::from_utf8_lossy(&bytes));
        assert_eq!(Address::parse(&address.query()).1, Vec::<String>::new(), "{bytes:?}");
    }
}
